/* service_exchange.c - one exchange: what is to be sent, what was told of the answer, and whether
 * it may be tried again. Knows no protocol. */
#include "backend/service_connection.h"

#include <stdlib.h>

#include "base/macros.h"

enum { REFUSALS_MAX = 3, CONTINUE = 100, CONTINUE_MS = 1000 };

/* ---- life ---- */

static struct exchange *
exchange_new(struct service *s)
{
	struct buf text = { 0 }, body = { 0 };

	if (list_is_empty(&s->spare))
		return calloc(1, sizeof(struct exchange));
	struct exchange *x = container_of(s->spare.next, struct exchange, node);
	list_remove(&x->node);
	s->spare_count--;
	text = x->text, body = x->body;
	buf_clear(&text);
	buf_clear(&body);
	*x = (struct exchange){ .text = text, .body = body };
	return x;
}

/* One that had much to carry does not keep the memory. */
void
exchange_free(struct exchange *x)
{
	enum { KEPT_MAX = 65536 };
	struct service *s = x->service;

	buf_done(&x->trailers);
	buf_done(&x->got_trailers);
	if (s->spare_count < SERVICE_SPARES && x->text.room + x->body.room <= KEPT_MAX) {
		list_append(&s->spare, &x->node);
		s->spare_count++;
		return;
	}
	buf_done(&x->text);
	buf_done(&x->body);
	free(x);
}

static struct part
keep(struct exchange *x, struct bytes from)
{
	struct part ret = { x->text.len, from.len };

	buf_put(&x->text, from);
	return ret;
}

struct bytes
exchange_host(const struct exchange *x)
{
	bool keeps = x->service->settings->host == SERVICE_HOST_KEEP && x->authority.len > 0;

	return keeps ? exchange_part(x, x->authority) : bytes_text(x->origin->host);
}

static void
start_clock(struct exchange *x, uint64_t duration_ms)
{
	list_remove(&x->timed);
	x->deadline_us = loop_now_us(x->service->loop) + duration_ms * 1000;
	list_append(&x->service->timed, &x->timed);
}

/* To be given a connection at the end of this turn of the loop. */
static void
enter(struct exchange *x)
{
	list_append(&x->service->started, &x->node);
	start_clock(x, x->service->settings->connect_timeout_ms);
	service_wake(x->service);
}

static void
fill(struct exchange *x, const struct exchange_request *r)
{
	unsigned timeout_ms = x->service->settings->response_timeout_ms;

	x->method = r->method;
	x->framing = r->framing;
	x->length = r->framing == HTTP_BODY_LENGTH ? r->length : 0;
	x->expects_continue = r->expects_continue;
	x->timeout_ms = r->response_timeout_ms != 0 ? r->response_timeout_ms : timeout_ms;
	x->target = keep(x, r->target);
	x->authority = keep(x, r->authority);
	x->lines = keep(x, r->lines);
	x->upgrade = keep(x, r->upgrade);
	x->is_given = r->framing == HTTP_BODY_NONE && r->upgrade.len == 0;
}

static struct err
start(struct service *s, const struct exchange_request *r, const struct exchange_ops *ops,
      struct origin *pinned, struct exchange **ret)
{
	struct exchange *x = exchange_new(s);

	if (x == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	x->service = s;
	x->ops = ops;
	x->pinned = pinned;
	fill(x, r);
	if (x->text.overflow) {
		exchange_free(x);
		return fail(ERR_SYSTEM, "out of memory");
	}
	enter(x);
	*ret = x;
	return OK;
}

struct err
exchange_start(struct service *s, const struct exchange_request *r, const struct exchange_ops *ops,
               void *of, struct exchange **ret)
{
	struct exchange *x;

	if (s->stats.waiting > 0 && service_is_full(s)) {
		s->stats.refused++;
		return (struct err){ .kind = ERR_LIMIT,
			             .code = 503,
			             .why = "too many requests wait for the service" };
	}
	if (r->upgrade.len > 0 && s->settings->protocol == SERVICE_HTTP2)
		return upstream_error(502, "the service speaks HTTP/2, which has no upgrade");
	TRY(start(s, r, ops, NULL, &x));
	x->of = of;
	*ret = x;
	return OK;
}

struct err
exchange_probe(struct origin *o, const struct exchange_request *r, const struct exchange_ops *ops)
{
	TRY(start(o->service, r, ops, o, &o->probe));
	o->probe->of = o;
	return OK;
}

void
exchange_attach(struct exchange *x, struct service_connection *c)
{
	x->connection = c;
	x->origin = c->origin;
	memcpy(x->name, c->origin->name, sizeof x->name);
	x->is_trial = origin_enter(c->origin);
	/* Until it is begun, the connection has a deadline of its own. */
	list_remove(&x->timed);
}

void
exchange_detach(struct exchange *x)
{
	if (x->origin != NULL)
		origin_leave(x->origin, x->is_trial);
	x->origin = NULL;
	x->connection = NULL;
	x->is_trial = false;
	list_remove(&x->timed);
}

void
exchange_end(struct exchange *x)
{
	struct service_connection *c = x->connection;

	x->is_ended = true;
	service_stop_waiting(x);
	if (c != NULL && c->ops != NULL) {
		c->ops->leave(c, x);
	} else if (c != NULL) { /* still being made, and for nobody now */
		c->exchange = NULL;
		connection_end(c);
	}
	exchange_detach(x);
	list_append(&x->service->ended, &x->node);
	service_wake(x->service);
}

/* ---- what the owner gives ---- */

struct err
exchange_send(struct exchange *x, struct bytes part)
{
	if (x->is_over)
		return OK;
	x->given += part.len;
	if (x->is_given || (x->framing == HTTP_BODY_LENGTH && x->given > x->length))
		return fail(ERR_PEER, "the body is longer than was said");
	buf_put(&x->body, part);
	TRY(buf_check(&x->body));
	x->wants_drained = true;
	exchange_progress(x);
	if (x->connection != NULL && x->connection->ops != NULL)
		x->connection->ops->given(x->connection, x);
	return OK;
}

struct err
exchange_send_end(struct exchange *x, struct bytes trailers)
{
	if (x->is_over || x->is_given)
		return OK;
	if (x->framing == HTTP_BODY_LENGTH && x->given < x->length)
		return fail(ERR_PEER, "the body is shorter than was said");
	if (x->framing == HTTP_BODY_CHUNKED)
		buf_put(&x->trailers, trailers);
	TRY(buf_check(&x->trailers));
	x->is_given = true;
	exchange_progress(x);
	if (x->connection != NULL && x->connection->ops != NULL)
		x->connection->ops->given(x->connection, x);
	return OK;
}

size_t
exchange_unsent(const struct exchange *x)
{
	const struct service_connection *c = x->connection;

	return x->body.len - x->taken + (c != NULL && c->ops != NULL ? c->ops->unsent(c, x) : 0);
}

void
exchange_read(struct exchange *x, bool on)
{
	struct service_connection *c = x->connection;

	if (x->is_paused == !on)
		return;
	x->is_paused = !on;
	if (c != NULL && c->ops != NULL)
		c->ops->read(c, x, on);
}

void *
exchange_of(const struct exchange *x)
{
	return x->of;
}

const char *
exchange_origin(const struct exchange *x)
{
	return x->name;
}

/* ---- what its connection tells ---- */

/* The service has the time of its settings for the head, from the last byte on that it took. While
 * the caller is slow it is not the service's turn. */
void
exchange_progress(struct exchange *x)
{
	if (!x->is_begun || x->has_head || exchange_waits_to_continue(x))
		return;
	if (x->is_given || x->framing == HTTP_BODY_NONE || exchange_unsent(x) > 0)
		start_clock(x, x->timeout_ms);
	else
		list_remove(&x->timed);
}

void
exchange_began(struct exchange *x)
{
	x->is_begun = true;
	if (x->connection->http2 != NULL) /* of HTTP/1.1 nobody asks */
		x->began_us = clock_monotonic_us();
	start_clock(x, exchange_waits_to_continue(x) ? CONTINUE_MS : x->timeout_ms);
}

bool
exchange_waits_to_continue(const struct exchange *x)
{
	return x->expects_continue && !x->was_continued && x->given == 0 && !x->has_head;
}

/* Not all services know of Expect; who asked is not kept waiting for ever (RFC 9110
 * section 10.1.1). From now on it is the caller's turn. */
void
exchange_continue(struct exchange *x)
{
	struct http_response *head = &x->service->head;

	memset(head, 0, offsetof(struct http_response, fields));
	head->status = CONTINUE;
	head->minor = 1;
	x->was_continued = true;
	list_remove(&x->timed);
	if (!x->is_ended && x->ops->interim != NULL)
		x->ops->interim(x, head);
}

void
exchange_interim(struct exchange *x, const struct http_response *head)
{
	if (head->status == CONTINUE) {
		if (exchange_waits_to_continue(x))
			exchange_continue(x);
		return;
	}
	if (!x->is_ended && x->ops->interim != NULL)
		x->ops->interim(x, head);
}

void
exchange_head(struct exchange *x, const struct http_response *head)
{
	x->has_head = true;
	list_remove(&x->timed);
	origin_answered(x->origin);
	if (!x->is_ended)
		x->ops->head(x, head);
}

void
exchange_data(struct exchange *x, struct bytes part)
{
	if (!x->is_ended)
		x->ops->data(x, part);
}

void
exchange_drained(struct exchange *x)
{
	if (!x->is_ended)
		x->ops->drained(x);
}

void
exchange_tunnel_end(struct exchange *x)
{
	if (!x->is_ended)
		x->ops->end(x, (struct bytes){ 0 });
}

void
exchange_done(struct exchange *x, struct bytes trailers)
{
	x->is_over = true;
	if (!x->is_ended)
		x->ops->end(x, trailers);
}

void
exchange_fail(struct exchange *x, struct err e)
{
	x->is_over = true;
	list_remove(&x->timed);
	if (!x->is_ended)
		x->ops->failed(x, e);
}

/* RFC 9110 section 9.2.2. */
static bool
is_idempotent(enum http_method m)
{
	return m != HTTP_POST && m != HTTP_PATCH;
}

/* Sent twice, would it do no more than sent once? */
static bool
may_repeat(const struct exchange *x)
{
	return !x->has_answer && is_idempotent(x->method) && x->framing == HTTP_BODY_NONE &&
	       x->upgrade.len == 0 && x->retries < x->service->settings->retries;
}

void
exchange_lost(struct exchange *x, struct origin *o, enum loss loss, struct err e)
{
	x->why = e;
	if (x->is_ended)
		return;
	if (x->pinned != NULL && loss != LOSS_STALE) {
		exchange_fail(x, e);
		return;
	}
	if (loss == LOSS_UNOPENED) {
		x->refused |= o->bit;
		enter(x);
		return;
	}
	bool is_untouched = loss == LOSS_REFUSED && !x->has_left && x->taken == 0;
	/* Also one that speaks before it is asked, each time. */
	x->refusals += loss == LOSS_REFUSED || !x->is_begun;
	if ((x->is_begun && !is_untouched && !may_repeat(x)) || x->refusals > REFUSALS_MAX) {
		exchange_fail(x, e);
		return;
	}
	x->lost |= o->bit;
	x->needs_fresh = true;
	if (x->is_begun) {
		x->retries += !is_untouched;
		x->service->stats.retried++;
	}
	x->is_begun = false;
	x->is_sent = false;
	enter(x);
}
