/* admin.c - the admin listener: is it alive, is it ready, what does it count. Never on a data listener. */
#include "format/json.h"
#include "frontend/endpoint.h"

struct err
admin_health(struct request *r, enum step *step)
{
	(void)step;
	r->reply.type = "text/plain; charset=utf-8";
	buf_put_text(&r->reply.body, "ok\n");
	return OK;
}

struct err
admin_ready(struct request *r, enum step *step)
{
	const char *why = "";
	bool ready = gate_is_ready(r->gate, &why);

	(void)step;
	r->reply.status = ready ? 200 : 503;
	r->reply.type = "application/json";
	buf_put_text(&r->reply.body, ready ? "{\"ready\":true" : "{\"ready\":false,\"why\":");
	if (!ready)
		json_put_string(&r->reply.body, bytes_text(why));
	buf_put_text(&r->reply.body, "}\n");
	return OK;
}

struct err
admin_metrics(struct request *r, enum step *step)
{
	(void)step;
	gate_count(r->gate);
	r->reply.type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_put(&r->reply.body, r->gate->metrics, r->gate->settings);
	return OK;
}
