/* admin.c - the admin listener: is it alive, is it ready, what does it count. Never on a data
 * listener. */
#include "format/json.h"
#include "frontend/endpoint.h"

/* A page in an operator's browser must not read the metrics under a name of its own that it has
 * pointed here (DNS rebinding): only addresses, localhost and the configured name are ours. RFC
 * 9110 section 7.4 */
static struct err
check_host(const struct request *r)
{
	struct bytes host = r->head.host;
	bool is_address = host.len > 0;

	if (host.len > 0 && host.at[0] != '[')
		host = bytes_slice(host, 0, bytes_find(host, ':'));
	for (size_t i = 0; i < host.len && host.at[0] != '['; i++)
		is_address &= host.at[i] == '.' || (host.at[i] >= '0' && host.at[i] <= '9');
	if (is_address || bytes_equal_nocase(host, BYTES("localhost")) ||
	    bytes_equal_nocase(host, bytes_text(r->gate->settings->listen.admin.host)))
		return OK;
	return (struct err){ .kind = ERR_PEER,
		             .code = 421,
		             .why = "the admin listener does not answer to this name" };
}

struct err
admin_health(struct request *r, enum step *step)
{
	(void)step;
	TRY(check_host(r));
	r->reply.type = "text/plain; charset=utf-8";
	buf_put_text(&r->reply.body, "ok\n");
	return OK;
}

/* ,"issuers_missing":{"corp":"why"}: callers with their tokens get 503, all others are served. */
static void
put_missing_issuers(struct request *r)
{
	struct buf *out = &r->reply.body;
	struct bytes why;
	bool is_first = true;

	for (size_t i = 0; gate_issuer_missing(r->gate, &i, &why); i++) {
		buf_put_text(out, is_first ? ",\"issuers_missing\":{" : ",");
		is_first = false;
		json_put_string(out, bytes_text(r->gate->settings->issuers[i].name));
		buf_put_u8(out, ':');
		json_put_string(out, why);
	}
	if (!is_first)
		buf_put_u8(out, '}');
}

/* ,"services_down":{"app":"why"}: their routes are 503, all others are served. The admin listener
 * of each worker tells what that worker has met. */
static void
put_services_down(struct request *r)
{
	const struct gate *g = r->gate;
	struct buf *out = &r->reply.body;
	const char *why;
	bool is_first = true;

	for (size_t i = 0; i < g->settings->backend_count; i++) {
		if (g->services[i] == NULL || service_is_up(g->services[i], &why))
			continue;
		buf_put_text(out, is_first ? ",\"services_down\":{" : ",");
		is_first = false;
		json_put_string(out, bytes_text(g->settings->backends[i].name));
		buf_put_u8(out, ':');
		json_put_string(out, bytes_text(why != NULL ? why : "it is not known yet"));
	}
	if (!is_first)
		buf_put_u8(out, '}');
}

struct err
admin_ready(struct request *r, enum step *step)
{
	const char *why = "";

	(void)step;
	TRY(check_host(r));
	bool ready = gate_is_ready(r->gate, &why);
	r->reply.status = ready ? 200 : 503;
	r->reply.type = "application/json";
	buf_put_text(&r->reply.body, ready ? "{\"ready\":true" : "{\"ready\":false,\"why\":");
	if (!ready)
		json_put_string(&r->reply.body, bytes_text(why));
	put_missing_issuers(r);
	put_services_down(r);
	buf_put_text(&r->reply.body, "}\n");
	return OK;
}

struct err
admin_metrics(struct request *r, enum step *step)
{
	(void)step;
	TRY(check_host(r));
	gate_count(r->gate);
	r->reply.type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_put(&r->reply.body, r->gate->metrics, r->gate->settings);
	return OK;
}
