/* service_http2.c - HTTP/2 with an origin (RFC 9113): as many exchanges at once as it allows. The
 * engine is src/http/http2.h; here its streams are tied to exchanges. */
#include "backend/service_connection.h"

#include <stdlib.h>

#include "base/macros.h"
#include "http/http2.h"

enum { PULL_MAX = 65536, RST_NO_ERROR = 0, RST_REFUSED = 7, RST_CANCEL = 8 };

/* ---- the request ---- */

static void
put_lines(struct buf *out, const struct exchange *x)
{
	buf_clear(out);
	buf_put(out, exchange_part(x, x->lines));
	if (x->framing == HTTP_BODY_LENGTH) {
		buf_put(out, BYTES("Content-Length: "));
		buf_put_unsigned(out, x->length);
		buf_put(out, BYTES("\r\n"));
	}
	if (x->expects_continue)
		buf_put(out, BYTES("Expect: 100-continue\r\n"));
}

static struct err
request(struct service_connection *c, struct exchange *x)
{
	struct buf *lines = &c->service->lines;

	put_lines(lines, x);
	TRY(buf_check(lines));
	const struct http2_request r = {
		.method = http_method_name(x->method),
		.scheme = c->origin->settings->is_tls ? BYTES("https") : BYTES("http"),
		.authority = exchange_host(x),
		.path = exchange_part(x, x->target),
		.lines = buf_bytes(lines),
		.is_last = x->framing == HTTP_BODY_NONE,
	};
	return http2_request(c->http2, &r, x, &x->stream);
}

/* It takes exchanges while the peer allows more, and ends by itself when it has none for long. */
static void
update(struct service_connection *c)
{
	if (http2_room(c->http2) == 0 || c->is_doubted)
		connection_busy(c);
	else if (c->ready.next == NULL)
		connection_ready(c);
	if (list_is_empty(&c->exchanges))
		connection_idle(c);
	else
		deadline_stop(&c->deadline);
}

static void
on_begin(struct service_connection *c, struct exchange *x)
{
	struct origin *o = c->origin;
	struct err e = request(c, x);

	c->served++;
	if (failed(e)) {
		update(c);
		exchange_detach(x);
		exchange_lost(x, o, LOSS_REFUSED, upstream_error(502, e.why));
		return;
	}
	x->is_sent = x->framing == HTTP_BODY_NONE;
	list_append(&c->exchanges, &x->node);
	exchange_began(x);
	update(c);
	connection_wake(c);
}

static void
on_given(struct service_connection *c, struct exchange *x)
{
	http2_resume(c->http2, x->stream);
	connection_wake(c);
}

static void
on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	struct service_connection *c = of;
	struct exchange *x = stream;
	struct bytes part = bytes_slice(buf_bytes(&x->body), x->taken, x->taken + room);

	if (part.len > 0)
		memcpy(at, part.at, part.len);
	x->taken += part.len;
	if (x->taken == x->body.len) {
		buf_clear(&x->body);
		x->has_left |= x->taken > 0;
		x->taken = 0;
	}
	*ret_len = part.len;
	*ret_end = x->is_given && x->body.len == 0;
	if (!*ret_end)
		return;
	x->is_sent = true;
	if (x->trailers.len > 0)
		(void)http2_trailers(c->http2, x->stream,
		                     buf_bytes(&x->trailers)); /* without memory: none */
}

static size_t
on_unsent(const struct service_connection *c, const struct exchange *x)
{
	(void)c, (void)x;
	return 0; /* the engine takes what it sends */
}

/* ---- what leaves ---- */

static void
tell_drained(struct service_connection *c)
{
	struct list told;

	/* A callback may end any exchange: each is told from the front of a list of those left. */
	list_init(&told);
	while (!c->is_closed && !list_is_empty(&c->exchanges)) {
		struct exchange *x = container_of(c->exchanges.next, struct exchange, node);

		list_remove(&x->node);
		list_append(&told, &x->node);
		if (x->wants_drained && exchange_unsent(x) == 0) {
			x->wants_drained = false;
			exchange_progress(x);
			exchange_drained(x);
		}
	}
	while (!list_is_empty(&told)) {
		struct list *node = told.next;

		list_remove(node);
		list_append(&c->exchanges, node);
	}
}

static struct err
send_all(struct service_connection *c)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	while (c->stream.unsent == 0) {
		TRY(http2_pull(c->http2, &out, PULL_MAX));
		if (out.len == 0)
			return OK;
		TRY(stream_send(&c->stream, &out));
	}
	return OK;
}

static void
on_flush(struct service_connection *c)
{
	struct err e = send_all(c);

	if (c->is_closed)
		return;
	if (failed(e) || http2_is_done(c->http2)) {
		connection_lost(c, upstream_error(502, "the connection to the service broke"));
		return;
	}
	tell_drained(c);
	if (!c->is_closed)
		update(c);
}

/* ---- the response ---- */

static void
on_response(void *of, void *stream, struct http_response *head, bool is_last)
{
	struct service_connection *c = of;
	struct exchange *x = stream;

	x->has_answer = true;
	if (head->status < 200) {
		if (++x->interims > SERVICE_INTERIM_MAX)
			http2_reset(c->http2, x->stream, RST_CANCEL);
		else
			exchange_interim(x, head);
		return;
	}
	x->has_end = is_last;
	exchange_head(x, head);
	/* An answer before the end of the request: the rest is not wanted. */
	if (x->connection == c && is_last && !x->is_sent)
		http2_reset(c->http2, x->stream, RST_NO_ERROR);
}

static void
on_part(void *of, void *stream, struct bytes part)
{
	struct service_connection *c = of;
	struct exchange *x = stream;

	if (x->is_paused)
		x->unread += part.len;
	else
		http2_consume(c->http2, x->stream, part.len);
	exchange_data(x, part);
}

static void
on_end_of(void *of, void *stream, struct bytes trailers)
{
	struct service_connection *c = of;
	struct exchange *x = stream;

	x->has_end = true;
	buf_put(&x->got_trailers, trailers);
	if (!x->is_sent)
		http2_reset(c->http2, x->stream, RST_NO_ERROR);
}

/* The stream is over, and with it the exchange. */
static void
on_stream_closed(void *of, void *stream, uint32_t code)
{
	struct service_connection *c = of;
	struct exchange *x = stream;
	struct origin *o = c->origin;

	list_remove(&x->node);
	exchange_detach(x);
	if (x->has_end)
		exchange_done(x, buf_bytes(&x->got_trailers));
	else if (code == RST_REFUSED && !x->has_head)
		exchange_lost(x, o, LOSS_REFUSED,
		              upstream_error(502, "the service took no more requests"));
	else
		exchange_fail(x, upstream_error(502, "the service broke off a request"));
}

static void
on_read(struct service_connection *c, struct exchange *x, bool on)
{
	if (!on)
		return; /* its window closes */
	http2_consume(c->http2, x->stream, x->unread);
	x->unread = 0;
	connection_wake(c);
}

static void
on_leave(struct service_connection *c, struct exchange *x)
{
	list_remove(&x->node);
	http2_forget(c->http2, x->stream);
	http2_reset(c->http2, x->stream, RST_CANCEL);
	connection_wake(c);
}

/* ---- the connection ---- */

static void
on_lost(struct service_connection *c, struct err e)
{
	struct origin *o = c->origin;
	struct list lost;

	list_init(&lost);
	while (!list_is_empty(&c->exchanges)) {
		struct list *node = c->exchanges.next;

		list_remove(node);
		list_append(&lost, node);
	}
	connection_end(c);
	if (!list_is_empty(&lost))
		origin_failed(o, e.why);
	/* Detached first: a callback may end any of them. */
	for (struct list *at = lost.next; at != &lost; at = at->next)
		exchange_detach(container_of(at, struct exchange, node));
	while (!list_is_empty(&lost)) {
		struct exchange *x = container_of(lost.next, struct exchange, node);

		list_remove(&x->node);
		exchange_lost(x, o, LOSS_BROKEN, e);
	}
}

/* Others may have nothing to hear for long: they keep what they have. */
void
connection_doubt(struct service_connection *c)
{
	if (c->is_closed)
		return;
	c->is_doubted = true;
	if (list_is_empty(&c->exchanges))
		connection_lost(c, upstream_error(502, "the connection to the service is silent"));
	else
		connection_busy(c);
}

static void
on_data(struct service_connection *c, struct bytes data)
{
	c->is_doubted = false;
	c->heard_us = clock_monotonic_us();
	struct err e = http2_feed(c->http2, data, c->heard_us);

	if (c->is_closed)
		return;
	if (failed(e)) {
		(void)send_all(c); /* says why, to a peer that may be gone */
		connection_lost(c, upstream_error(502, e.why));
		return;
	}
	update(c);
	connection_wake(c);
}

static void
on_end(struct service_connection *c)
{
	connection_lost(c, upstream_error(502, "the service closed the connection"));
}

static void
on_drained(struct service_connection *c)
{
	on_flush(c);
}

struct err
http2_connection_start(struct service_connection *c)
{
	static const struct http2_ops ops = {
		.response = on_response,
		.data = on_part,
		.end = on_end_of,
		.pull = on_pull,
		.closed = on_stream_closed,
	};

	list_init(&c->exchanges);
	TRY(http2_new(true, &ops, c, &c->http2));
	c->ops = &http2_connection;
	connection_wake(c);
	update(c);
	return OK;
}

const struct connection_ops http2_connection = {
	.begin = on_begin,
	.flush = on_flush,
	.given = on_given,
	.read = on_read,
	.unsent = on_unsent,
	.leave = on_leave,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.lost = on_lost,
};
