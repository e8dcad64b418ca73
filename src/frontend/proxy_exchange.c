/* proxy_exchange.c - what passes between a caller and the service that answers it, both ways. The
 * service's events only note what came; the request is resumed once, when the turn of the loop
 * ends. */
#include "base/clock.h"
#include "base/macros.h"
#include "frontend/proxy.h"

/* Waking */

static bool
is_waiting(const struct proxy *p)
{
	switch ((enum stage)p->request->stage) {
	case STAGE_EXECUTE:
	case STAGE_COMMIT:
		return failed(p->error) || p->has_ended || p->is_settled || p->interim_status != 0;
	case STAGE_SEND:
		return p->is_awaited && (!p->is_paused || failed(p->error));
	case STAGE_IDENTIFY:
	case STAGE_DECIDE:
	case STAGE_RECEIVE:
	case STAGE_ANSWER:
	case STAGE_RECORD:
	case STAGE_COUNT:
		break;
	}
	return false;
}

static void
on_wake(struct deferred *d)
{
	struct proxy *p = container_of(d, struct proxy, wake);

	p->is_settled |= p->has_head && !p->is_short;
	if (is_waiting(p))
		request_resume(p->request);
}

void
proxy_wake(struct proxy *p)
{
	p->wake.run = on_wake;
	loop_defer(p->request->gate->loop, &p->wake);
}

/* From the service */

static void
on_interim(struct exchange *x, const struct http_response *head)
{
	struct proxy *p = exchange_of(x);
	struct request *r = p->request;
	bool ignored;

	/* Who did not ask for 100 does not wait for it, and HTTP/1.0 knows none (RFC 9110 section
	 * 15.2). Who waits for one that is still to be sent needs no other before it. */
	if (p->has_head || p->interim_status == 100 || r->carrier == NULL || r->head.minor == 0 ||
	    (head->status == 100 && !r->head.expect_continue))
		return;
	buf_clear(&p->interim);
	proxy_put_answer_fields(r, head, &p->interim, &ignored);
	p->interim_status = head->status;
	proxy_wake(p);
}

static void
on_failed(struct exchange *x, struct err e)
{
	struct proxy *p = exchange_of(x);

	p->error = e;
	p->exchange = NULL;
	p->request->origin = arena_copy(&p->request->arena, bytes_text(exchange_origin(x)));
	if (e.code == 503)
		p->request->retry_after_s = service_retry_s(p->service);
	exchange_end(x);
	proxy_wake(p);
}

static void
on_head(struct exchange *x, const struct http_response *head)
{
	struct proxy *p = exchange_of(x);
	struct request *r = p->request;
	struct reply *reply = &r->reply;

	r->timing.answered_us = clock_monotonic_us();
	r->origin = arena_copy(&r->arena, bytes_text(exchange_origin(x)));
	p->has_head = true;
	p->interim_status = 0;
	reply->status = head->status;
	reply->type = NULL;
	reply->is_forwarded = true;
	reply->is_tunnel = head->status == 101;
	reply->has_length = head->has_length;
	reply->length = head->content_length;
	proxy_put_answer_fields(r, head, &reply->fields, &reply->has_date);
	p->is_short = head->framing == HTTP_BODY_NONE ||
	              (head->framing == HTTP_BODY_LENGTH && head->content_length <= PROXY_SHORT);
	if (!p->is_short)
		proxy_wake(p);
}

static void
on_data(struct exchange *x, struct bytes part)
{
	struct proxy *p = exchange_of(x);

	buf_put(&p->request->reply.body, part);
	proxy_pass(p, part.len);
	proxy_flow(p);
	if (!p->is_short)
		proxy_wake(p);
}

/* The connection to the service is free for others while the answer is recorded and sent. */
static void
on_end(struct exchange *x, struct bytes trailers)
{
	struct proxy *p = exchange_of(x);

	proxy_put_trailers(trailers, &p->request->reply.trailers);
	p->has_ended = true;
	p->exchange = NULL;
	exchange_end(x);
	proxy_wake(p);
}

static void
on_drained(struct exchange *x)
{
	proxy_flow(exchange_of(x));
}

static const struct exchange_ops exchange_ops = {
	.interim = on_interim,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.failed = on_failed,
};

/* From the caller */

void
proxy_body(struct request *r, struct bytes part, bool is_last, struct err e)
{
	struct proxy *p = r->state;

	r->received += part.len;
	if (p->exchange == NULL)
		return; /* the service has answered, or is gone: nobody wants it */
	if (!failed(e) && part.len > 0)
		e = exchange_send(p->exchange, part);
	if (!failed(e) && is_last) {
		CLEANUP(buf_done) struct buf trailers = { 0 };

		proxy_put_trailers(buf_bytes(&r->trailers), &trailers);
		e = exchange_send_end(p->exchange, buf_bytes(&trailers));
	}
	if (failed(e)) {
		p->error = e;
		r->must_close = true;
		exchange_end(p->exchange);
		p->exchange = NULL;
		proxy_wake(p);
		return;
	}
	proxy_pass(p, part.len);
	proxy_flow(p);
}

void
proxy_flow(struct proxy *p)
{
	struct request *r = p->request;
	bool is_full = r->reply.body.len - r->reply.sent > PROXY_PENDING_MAX;

	if (p->exchange == NULL)
		return;
	exchange_read(p->exchange, !is_full && !p->is_paused);
	if (r->carrier != NULL && r->is_body_streamed && !r->has_body)
		carrier_read(r->carrier,
		             exchange_unsent(p->exchange) <= PROXY_UNSENT_MAX && !p->is_paused);
}

/* Beginning and end */

static enum http_framing
framing_of(const struct http_head *h)
{
	if (h->is_chunked)
		return HTTP_BODY_CHUNKED;
	return h->has_length && h->content_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

struct err
proxy_begin(struct proxy *p)
{
	struct request *r = p->request;
	const struct http_head *h = &r->head;
	struct exchange_request request = {
		.method = h->method,
		.authority = h->host,
		.lines = buf_bytes(&p->lines),
		.framing = framing_of(h),
		.length = h->content_length,
		.upgrade = p->is_upgrade ? BYTES("websocket") : (struct bytes){ 0 },
		.expects_continue = h->expect_continue && h->minor > 0,
		.response_timeout_ms = p->route->response_timeout_ms,
	};

	/* Nobody may wait for what is not there (RFC 9110 section 10.1.1). */
	request.expects_continue &= request.framing != HTTP_BODY_NONE;
	TRY(buf_check(&p->lines));
	TRY(proxy_target(r, p->route, &request.target));
	r->timing.forwarded_us = clock_monotonic_us();
	p->has_begun = true;
	struct err e = exchange_start(p->service, &request, &exchange_ops, p, &p->exchange);
	buf_wipe(&p->lines);       /* an assertion stands there */
	if (e.kind == ERR_LIMIT) { /* not the caller's doing, as a 429 would say */
		r->retry_after_s = service_retry_s(p->service);
		e = (struct err){ .kind = ERR_UPSTREAM, .code = 503, .why = e.why };
	}
	TRY(e);
	return request.framing == HTTP_BODY_NONE ? OK : carrier_stream(r->carrier);
}

void
proxy_end(struct proxy *p)
{
	list_remove(&p->wake.node);
	if (p->exchange != NULL)
		exchange_end(p->exchange);
	p->exchange = NULL;
	proxy_pause_end(p);
	buf_wipe(&p->lines);
	buf_done(&p->interim);
}
