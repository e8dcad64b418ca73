/* proxy.c - the stages of a proxied request. See proxy.h. */
#include "frontend/proxy.h"

#include "base/clock.h"
#include "frontend/assertion.h"

/* Of the fields for a service: room for most, so that they are not moved while they grow. */
enum { LINES_ROOM = 1024 };

static struct err proxy_execute(struct request *r, enum step *step);

static const struct route_settings *
route_of(const struct request *r)
{
	return r->route < 0 ? NULL : &r->gate->settings->routes[r->route];
}

static void
proxy_describe(struct request *r)
{
	const struct route_settings *route = route_of(r);

	r->class = AUDIT_API;
	r->action = http_method_name(r->head.method);
	r->action_kind = ACTION_EXECUTE;
	proxy_write_path(r);
	if (route == NULL)
		return;
	r->resource = bytes_text(route->path);
	r->is_page = route->is_page && !route->is_observed;
	if ((route->public >> r->head.method & 1) != 0 || route->is_observed)
		r->auth = AUTH_OPTIONAL;
	if (route->backend >= 0)
		r->backend = bytes_text(r->gate->settings->backends[route->backend].name);
}

static struct err
proxy_decide(struct request *r)
{
	return policy_decide_route(r->gate->policy, r->who, r->route, r->head.method, &r->arena,
	                           &r->grant, &r->decision);
}

/* Preparing */

static struct err
check_length(const struct request *r, const struct route_settings *route)
{
	if (route->body_bytes == 0 || !r->head.has_length ||
	    r->head.content_length <= route->body_bytes)
		return OK;
	return (struct err){ .kind = ERR_LIMIT,
		             .code = HTTP_BODY_LARGE,
		             .why = "the body is larger than its limit" };
}

static struct err
proxy_new(struct request *r, struct proxy **ret)
{
	const struct route_settings *route = route_of(r);

	if (route == NULL || route->backend < 0 || r->gate->services[route->backend] == NULL)
		return (struct err){ .kind = ERR_PEER,
			             .code = 404,
			             .why = "there is nothing at this path" };
	/* Nothing is forwarded that policy did not allow, but to be observed. */
	if (r->grant == NULL && !r->is_observed)
		return fail(ERR_DENIED, "the route was not decided");
	TRY(check_length(r, route));
	struct proxy *p = arena_alloc(&r->arena, sizeof *p);
	if (p == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	p->request = r;
	p->route = route;
	p->service = r->gate->services[route->backend];
	p->is_upgrade = proxy_asks_upgrade(&r->head);
	(void)buf_reserve(&p->lines, LINES_ROOM); /* fails again when they are put */
	proxy_put_fields(r, route, &p->lines);
	trace_put(r, &p->lines);
	r->state = p;
	*ret = p;
	return OK;
}

static bool
has_body(const struct http_head *h)
{
	return h->is_chunked || (h->has_length && h->content_length > 0);
}

/* What is forwarded before it is recorded must change nothing (RFC 9110 section 9.2.1). */
static bool
is_safe(const struct proxy *p)
{
	const struct http_head *h = &p->request->head;

	return (h->method == HTTP_GET || h->method == HTTP_HEAD || h->method == HTTP_OPTIONS) &&
	       !has_body(h) && !p->is_upgrade;
}

static struct err
prepare(struct proxy *p, enum step *step)
{
	struct request *r = p->request;

	TRY(identity_fields_put(r, p->route->backend, p->route->identity, &p->lines, step));
	if (*step == STEP_MORE)
		return OK;
	if (is_safe(p)) {
		TRY(proxy_begin(p));
		*step = STEP_MORE;
		return OK;
	}
	r->records_end = true;
	r->reply.status = 0; /* nobody knows yet */
	return OK;
}

/* Awaiting */

/* What the limits of bytes do not have yet is not sent. */
static bool
has_answer(const struct proxy *p)
{
	return p->has_head && (p->has_ended || p->is_settled) && !p->is_paused;
}

static struct err
await(struct proxy *p, enum step *step)
{
	struct reply *reply = &p->request->reply;

	if (failed(p->error))
		return p->error;
	if (!has_answer(p)) {
		*step = STEP_MORE;
		return OK;
	}
	if (reply->is_tunnel) {
		p->request->must_close = true;
		TRY(carrier_stream(p->request->carrier));
	}
	reply->is_partial = !p->has_ended;
	/* Trailers need chunks to stand behind. */
	reply->is_streamed = reply->is_partial || reply->trailers.len > 0;
	return OK;
}

static struct err
pull(struct proxy *p, enum step *step)
{
	struct reply *reply = &p->request->reply;

	p->is_awaited = false;
	if (reply->body.len == 0) {
		if (failed(p->error))
			return p->error;
		reply->is_partial = !p->has_ended || p->is_paused;
		p->is_awaited = reply->is_partial;
	}
	proxy_flow(p);
	*step = p->is_awaited ? STEP_MORE : STEP_DONE;
	return OK;
}

/* Whatever failed, the service is left: it must not write into the answer that says so. */
static struct err
ended(struct proxy *p, struct err e)
{
	if (failed(e))
		proxy_end(p);
	return e;
}

static struct err
go_on(struct proxy *p, enum step *step)
{
	struct request *r = p->request;

	if (r->reply.is_partial)
		return pull(p, step);
	if (!p->has_begun)
		return prepare(p, step);
	/* No byte of an answer before it is recorded, nor of one that only announces it. */
	if (p->interim_status != 0 && !failed(p->error) && !has_answer(p)) {
		r->records_end = true;
		r->reply.status = 0;
		return OK;
	}
	return await(p, step);
}

static struct err
proxy_execute(struct request *r, enum step *step)
{
	struct proxy *p = r->state;

	if (p == NULL)
		TRY(proxy_new(r, &p));
	return ended(p, go_on(p, step));
}

static struct err
send_interim(struct proxy *p)
{
	unsigned status = p->interim_status;

	p->interim_status = 0;
	return status == 0 ? OK
	                   : carrier_interim(p->request->carrier, status, buf_bytes(&p->interim));
}

static struct err
forward(struct proxy *p, enum step *step)
{
	if (p->request->carrier == NULL)
		return fail(ERR_PEER, "the caller went away");
	if (!p->has_begun)
		TRY(proxy_begin(p));
	TRY(send_interim(p));
	return await(p, step);
}

/* What was recorded as about to be done. */
static struct err
proxy_commit(struct request *r, enum step *step)
{
	return !r->records_end || r->is_completion ? OK : ended(r->state, forward(r->state, step));
}

static void
proxy_done(struct request *r)
{
	struct proxy *p = r->state;

	if (p != NULL)
		proxy_end(p);
}

const struct endpoint proxy_endpoint = {
	.path = "/",
	.below = true,
	.methods = ROUTE_METHODS_ALL,
	.auth = AUTH_REQUIRED,
	.is_recorded = true,
	.body_max = SIZE_MAX,
	.streams = true,
	.describe = proxy_describe,
	.decide = proxy_decide,
	.execute = proxy_execute,
	.commit = proxy_commit,
	.done = proxy_done,
	.body = proxy_body,
};
