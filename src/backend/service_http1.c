/* service_http1.c - HTTP/1.1 with an origin (RFC 9112): one exchange after the other, never two in
 * flight. A connection serves again only after a message that ended where its framing says and a
 * request that was taken whole; in any doubt it is closed, so that no answer can meet the request
 * of somebody else. */
#include "backend/service_connection.h"

#include <stdlib.h>

#include "base/macros.h"

/* ---- the request ---- */

static void
put_field(struct buf *out, struct bytes name, struct bytes value)
{
	buf_put(out, name);
	buf_put(out, BYTES(": "));
	buf_put(out, value);
	buf_put(out, BYTES("\r\n"));
}

/* A method that usually has a body says that this one is empty (RFC 9110 section 8.6). */
static bool
tells_length(const struct exchange *x)
{
	return x->framing == HTTP_BODY_LENGTH ||
	       (x->framing == HTTP_BODY_NONE &&
	        (x->method == HTTP_POST || x->method == HTTP_PUT || x->method == HTTP_PATCH));
}

static void
put_framing(struct buf *out, const struct exchange *x)
{
	if (x->framing == HTTP_BODY_CHUNKED) {
		buf_put(out, BYTES("Transfer-Encoding: chunked\r\n"));
	} else if (tells_length(x)) {
		buf_put(out, BYTES("Content-Length: "));
		buf_put_unsigned(out, x->length);
		buf_put(out, BYTES("\r\n"));
	}
	if (x->expects_continue)
		buf_put(out, BYTES("Expect: 100-continue\r\n"));
	if (x->upgrade.len > 0) {
		buf_put(out, BYTES("Connection: Upgrade\r\n"));
		put_field(out, BYTES("Upgrade"), exchange_part(x, x->upgrade));
	}
}

static void
put_head(struct buf *out, const struct exchange *x)
{
	buf_put(out, http_method_name(x->method));
	buf_put_u8(out, ' ');
	buf_put(out, exchange_part(x, x->target));
	buf_put(out, BYTES(" HTTP/1.1\r\n"));
	put_field(out, BYTES("Host"), exchange_host(x));
	buf_put(out, exchange_part(x, x->lines));
	put_framing(out, x);
	buf_put(out, BYTES("\r\n"));
}

static void
on_begin(struct service_connection *c, struct exchange *x)
{
	connection_busy(c);
	c->exchange = x;
	c->reading = READ_HEAD;
	c->scanned = 0;
	c->served++;
	put_head(&c->out, x);
	connection_wake(c);
}

/* Takes what was given of the body. Before a tunnel is there, nothing goes into it. */
static void
put_body(struct service_connection *c, struct exchange *x)
{
	if (x->is_sent || (x->upgrade.len > 0 && !x->is_tunnel && x->framing == HTTP_BODY_NONE))
		return;
	bool is_chunked = x->framing == HTTP_BODY_CHUNKED && !x->is_tunnel;
	if (x->body.len > 0 && c->out.len == 0 && !is_chunked) {
		struct buf empty = c->out;

		c->out = x->body; /* large bodies are not copied */
		x->body = empty;
	} else if (x->body.len > 0) {
		if (is_chunked)
			buf_printf(&c->out, "%zx\r\n", x->body.len);
		buf_put(&c->out, buf_bytes(&x->body));
		if (is_chunked)
			buf_put(&c->out, BYTES("\r\n"));
		buf_clear(&x->body);
	}
	if (!x->is_given)
		return;
	x->is_sent = true;
	if (is_chunked) {
		buf_put(&c->out, BYTES("0\r\n"));
		buf_put(&c->out, buf_bytes(&x->trailers));
		buf_put(&c->out, BYTES("\r\n"));
	}
}

static void
on_given(struct service_connection *c, struct exchange *x)
{
	(void)x;
	connection_wake(c);
}

static size_t
on_unsent(const struct service_connection *c, const struct exchange *x)
{
	(void)x;
	return c->out.len + c->stream.unsent;
}

static void
tell_drained(struct service_connection *c)
{
	struct exchange *x = c->exchange;

	if (x == NULL)
		return;
	exchange_progress(x);
	if (x->wants_drained && exchange_unsent(x) == 0) {
		x->wants_drained = false;
		exchange_drained(x);
	}
}

/* What was written in this turn of the loop leaves at once: a head and a short body together. */
static void
on_flush(struct service_connection *c)
{
	struct exchange *x = c->exchange;
	bool had_all;

	if (x == NULL || c->stream.unsent > 0)
		return;
	had_all = x->is_sent;
	put_body(c, x);
	if (c->out.overflow) {
		connection_lost(c, upstream_error(502, "out of memory"));
		return;
	}
	if (c->out.len > 0 && !x->is_begun)
		exchange_began(x);
	if (c->out.len > 0 && failed(stream_send(&c->stream, &c->out)))
		c->is_deaf = true;
	if (c->is_deaf)
		buf_clear(&c->out);
	if (x->is_tunnel && x->is_sent && !had_all)
		stream_end(&c->stream);
	tell_drained(c);
}

static void
on_drained(struct service_connection *c)
{
	on_flush(c);
}

/* ---- the end of an exchange ---- */

/* The exchange has all of its answer; whether the connection can serve another is settled first, so
 * that it does so while the caller reads. */
static void
finish(struct service_connection *c, struct bytes trailers, bool is_clean)
{
	struct exchange *x = c->exchange;

	is_clean = is_clean && c->keep_alive && !c->is_deaf && x->is_sent && on_unsent(c, x) == 0;
	c->exchange = NULL;
	exchange_detach(x);
	if (is_clean) {
		connection_idle(c);
		stream_read(&c->stream, true);
		connection_ready(c);
	} else {
		connection_end(c);
	}
	exchange_done(x, trailers);
}

static void
on_lost(struct service_connection *c, struct err e)
{
	struct exchange *x = c->exchange;
	struct origin *o = c->origin;
	/* It was used before, and closed while nothing had been answered: as services do with
	 * connections that were idle for long. No sign that something is wrong. */
	bool is_stale = x != NULL && c->served > 1 && !x->has_answer;

	connection_end(c);
	if (x == NULL)
		return;
	c->exchange = NULL;
	/* How a tunnel ends is the affair of its ends. */
	if (!is_stale && !x->is_tunnel)
		origin_failed(o, e.why);
	exchange_detach(x);
	exchange_lost(x, o, is_stale ? LOSS_STALE : LOSS_BROKEN, e);
}

/* The answer cannot be trusted: never again on this connection, nor with another. */
static void
refuse(struct service_connection *c, struct err e)
{
	struct exchange *x = c->exchange;

	origin_failed(c->origin, e.why);
	connection_end(c);
	c->exchange = NULL;
	exchange_detach(x);
	exchange_fail(x, upstream_error(502, e.why));
}

static void
on_leave(struct service_connection *c, struct exchange *x)
{
	(void)x;
	c->exchange = NULL;
	connection_end(c);
}

static void
on_read(struct service_connection *c, struct exchange *x, bool on)
{
	/* A head is always read. */
	if (on || x->has_head)
		stream_read(&c->stream, on);
}

/* ---- the response ---- */

static struct err
check_head(struct exchange *x, const struct http_response *head)
{
	if (head->status == 101 && x->upgrade.len == 0)
		return upstream_error(502, "the service changes the protocol unasked");
	if (head->status < 200 && head->status != 101 && ++x->interims > SERVICE_INTERIM_MAX)
		return upstream_error(502, "the service sends interim responses without end");
	return OK;
}

static void
start_body(struct service_connection *c, struct exchange *x, const struct http_response *head)
{
	c->keep_alive = head->keep_alive;
	switch (head->framing) {
	case HTTP_BODY_TUNNEL:
		c->reading = READ_TUNNEL;
		x->is_tunnel = true;
		connection_wake(c);
		return;
	case HTTP_BODY_CLOSE:
		c->reading = READ_CLOSE;
		return;
	case HTTP_BODY_NONE:
	case HTTP_BODY_LENGTH:
	case HTTP_BODY_CHUNKED:
		c->reading = READ_BODY;
		http_body_start(&c->body, head->framing == HTTP_BODY_CHUNKED,
		                head->framing == HTTP_BODY_LENGTH ? head->content_length : 0,
		                UINT64_MAX);
		c->body.trailers = &x->got_trailers;
		return;
	}
}

static void
take_head(struct service_connection *c, struct exchange *x, const struct http_response *head)
{
	struct err e = check_head(x, head);

	if (failed(e)) {
		refuse(c, e);
	} else if (head->status < 200 && head->status != 101) {
		exchange_interim(x, head);
	} else {
		start_body(c, x, head);
		if (x->is_paused)
			stream_read(&c->stream, false);
		exchange_head(x, head);
	}
}

/* Reads a head at the start of *data, and what was kept of it. False: it is not whole, or wrong. */
static bool
read_head(struct service_connection *c, struct exchange *x, struct bytes *data)
{
	struct http_response *head = &c->service->head;
	enum step step;
	size_t len;
	struct err e = http_response_parse(*data, &c->scanned, x->method, head, &len, &step);

	if (failed(e)) {
		refuse(c, e);
		return false;
	}
	if (step == STEP_MORE)
		return false;
	*data = bytes_slice(*data, len, data->len);
	take_head(c, x, head);
	return true;
}

static void
read_body(struct service_connection *c, struct exchange *x, struct bytes *data)
{
	struct reader in = reader_of(*data);
	struct bytes run;
	enum step step;
	struct err e = http_body_feed(&c->body, &in, &run, &step);

	if (failed(e)) {
		refuse(c, upstream_error(502, e.why));
		return;
	}
	*data = (struct bytes){ in.at, reader_left(&in) };
	if (run.len > 0)
		exchange_data(x, run);
	if (step == STEP_DONE && c->exchange == x)
		finish(c, buf_bytes(&x->got_trailers), data->len == 0);
}

/* One step. False: all was used, or the exchange is no longer here. */
static bool
advance(struct service_connection *c, struct exchange *x, struct bytes *data)
{
	switch (c->reading) {
	case READ_HEAD:
		if (data->len == 0 || !read_head(c, x, data))
			return false;
		break;
	case READ_BODY:
		/* Also without bytes: a body may be empty. */
		read_body(c, x, data);
		return c->exchange == x && data->len > 0;
	case READ_CLOSE:
	case READ_TUNNEL:
		if (data->len > 0)
			exchange_data(x, *data);
		*data = (struct bytes){ 0 };
		return false;
	}
	return c->exchange == x;
}

static void
on_data(struct service_connection *c, struct bytes data)
{
	struct exchange *x = c->exchange;
	struct bytes rest = data;

	/* Unasked, or before the request has left: nobody's answer. */
	if (x == NULL || !x->is_begun) {
		connection_lost(c, upstream_error(502, "the service answered before it was asked"));
		return;
	}
	x->has_answer = true;
	if (c->in.len > 0) {
		buf_put(&c->in, data);
		rest = buf_bytes(&c->in);
	}
	while (advance(c, x, &rest))
		;
	if (c->is_closed)
		return;
	if (c->exchange != x || c->reading != READ_HEAD) {
		buf_clear(&c->in);
	} else if (c->in.len > 0) {
		buf_consume(&c->in, c->in.len - rest.len);
	} else {
		buf_put(&c->in, rest);
	}
	if (c->in.overflow)
		connection_lost(c, upstream_error(502, "out of memory"));
}

/* The service sends no more. */
static void
on_end(struct service_connection *c)
{
	struct exchange *x = c->exchange;

	if (x != NULL && c->reading == READ_CLOSE) {
		finish(c, (struct bytes){ 0 }, false);
	} else if (x != NULL && c->reading == READ_TUNNEL) {
		/* The other direction goes on until exchange_end(). */
		stream_read(&c->stream, false);
		exchange_tunnel_end(x);
	} else {
		connection_lost(c, upstream_error(502, "the service closed the connection"));
	}
}

const struct connection_ops http1_connection = {
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
