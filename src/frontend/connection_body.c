/* connection_body.c - request bodies of a connection: gathered whole, or given on as they come;
 * what is said before the answer; and the tunnel that an upgrade leaves. RFC 9112 section 6, RFC
 * 9110 sections 7.8, 10.1.1 and 15.2. */
#include "base/macros.h"
#include "frontend/answer.h"
#include "frontend/connection_parts.h"
#include "http/http_reply.h"

enum {
	BODY_GRACE_US = 5000000,
	FORM_ROOM = 16384,
};

static void
start_clock(struct connection *c)
{
	c->body_started_us = c->body_moved_us = clock_monotonic_us();
}

/* Whole */

static struct err
feed_body(struct connection *c)
{
	struct request *r = c->carrier.request;
	struct reader in = reader_of(buf_bytes(&c->in));
	enum step step = STEP_MORE;
	struct bytes part;

	do {
		size_t before = reader_left(&in);
		TRY(http_body_feed(&c->body, &in, &part, &step));
		buf_put(&r->body, part);
		if (part.len == 0 && reader_left(&in) == before)
			break;
	} while (step == STEP_MORE);
	TRY(buf_check(&r->body));
	buf_consume(&c->in, c->in.len - reader_left(&in));
	r->has_body = step == STEP_DONE;
	return OK;
}

struct err
http1_receive(struct carrier *carrier)
{
	struct connection *c = container_of(carrier, struct connection, carrier);
	struct request *r = c->carrier.request;

	http_body_init(&c->body, &r->head, request_body_max(r));
	r->body.limit = request_body_max(r) + 1;
	/* A form is not moved as it grows: a move would leave a copy of the password behind. */
	if (r->head.has_length && r->head.content_length <= FORM_ROOM)
		(void)buf_reserve(&r->body,
		                  (size_t)r->head.content_length); /* fails again when it is put */
	TRY(feed_body(c));
	if (r->has_body)
		return OK;
	start_clock(c);
	deadline_start(&c->carrier.server->body, &c->deadline, c->body_started_us);
	if (r->head.expect_continue && c->body.total == 0)
		TRY(http1_interim(carrier, 100, (struct bytes){ 0 }));
	stream_read(&c->stream, true);
	return OK;
}

static void
body_failed(struct connection *c, struct err e)
{
	struct request *r = c->carrier.request;

	r->must_close = true;
	if (c->is_streaming) {
		c->is_streaming = false;
		http1_watch(c);
		r->endpoint->body(r, (struct bytes){ 0 }, false, e);
		return;
	}
	if (!failed(r->outcome))
		r->outcome = e;
	r->stage = STAGE_ANSWER;
	deadline_start(&c->carrier.server->work, &c->deadline, clock_monotonic_us());
	request_resume(r);
}

void
http1_body_data(struct connection *c)
{
	struct err e = feed_body(c);

	if (failed(e)) {
		body_failed(c, e);
	} else if (c->carrier.request->has_body) {
		deadline_start(&c->carrier.server->work, &c->deadline, clock_monotonic_us());
		request_resume(c->carrier.request);
	} else if (c->peer_ended) {
		http1_close(c);
	}
}

/* In parts */

static struct err
feed_parts(struct connection *c, struct reader *in)
{
	struct request *r = c->carrier.request;
	enum step step = STEP_MORE;
	struct bytes part;

	while (step == STEP_MORE) {
		size_t before = reader_left(in);

		TRY(http_body_feed(&c->body, in, &part, &step));
		r->has_body = step == STEP_DONE;
		if (r->has_body || part.len > 0)
			r->endpoint->body(r, part, r->has_body, OK);
		if (reader_left(in) == before)
			break;
	}
	c->is_streaming = !r->has_body;
	return OK;
}

/* What came before the service agreed to another protocol was not said in it: who sent it wants one
 * of the two to take it for something else. */
static struct err
open_tunnel(struct connection *c)
{
	if (c->in.len != 0)
		return (struct err){ .kind = ERR_PEER,
			             .code = HTTP_BAD,
			             .why = "bytes came before the protocol was changed" };
	c->is_streaming = true;
	/* It ended while it was decided and recorded: the service would wait for more for ever. */
	if (c->peer_ended)
		http1_stream_end(c);
	return OK;
}

struct err
http1_stream(struct carrier *carrier)
{
	struct connection *c = container_of(carrier, struct connection, carrier);
	struct request *r = c->carrier.request;

	r->is_body_streamed = true;
	if (r->reply.is_tunnel)
		return open_tunnel(c);
	http_body_init(&c->body, &r->head, request_body_max(r));
	c->body.trailers = &r->trailers;
	start_clock(c);
	c->is_streaming = true;
	c->awaits_continue = r->head.expect_continue && r->head.minor > 0 && c->in.len == 0;

	struct reader in = reader_of(buf_bytes(&c->in));
	struct err e = feed_parts(c, &in);
	buf_consume(&c->in, c->in.len - reader_left(&in));
	/* It broke off while it was decided and recorded: the service would wait for the rest. */
	if (!failed(e) && c->is_streaming && c->peer_ended)
		e = (struct err){ .kind = ERR_PEER,
			          .code = HTTP_BAD,
			          .why = "the body breaks off" };
	http1_watch(c);
	loop_defer(c->carrier.server->gate->loop, &c->read_on);
	return e;
}

static void
tunnel_data(struct connection *c, struct bytes data)
{
	struct request *r = c->carrier.request;

	/* A caller that does not read is not kept by what it sends. */
	if (c->stream.unsent == 0)
		http1_watch(c);
	r->endpoint->body(r, data, false, OK);
}

bool
http1_stream_data(struct connection *c, struct bytes data)
{
	struct reader in = reader_of(data);

	if (c->carrier.request->reply.is_tunnel) {
		tunnel_data(c, data);
		return true;
	}
	c->body_moved_us = clock_monotonic_us();
	if (c->awaits_continue)
		c->body_started_us = c->body_moved_us;
	c->awaits_continue = false;

	struct err e = feed_parts(c, &in);
	if (failed(e)) {
		body_failed(c, e);
		return true;
	}
	if (!c->is_streaming)
		http1_watch(c);
	buf_put(&c->in, (struct bytes){ in.at, reader_left(&in) });
	return !c->in.overflow;
}

void
http1_stream_end(struct connection *c)
{
	struct request *r = c->carrier.request;

	c->is_streaming = false;
	r->has_body = true;
	r->endpoint->body(r, (struct bytes){ 0 }, true, OK);
}

/* Time during which nothing was to be sent is not counted. Reading begins again when this turn of
 * the loop is over: whoever asks for it is in the middle of something. */
void
http1_read(struct carrier *carrier, bool on)
{
	struct connection *c = container_of(carrier, struct connection, carrier);

	if (c->is_held != on)
		return;
	c->is_held = !on;
	if (c->is_held) {
		c->held_us = clock_monotonic_us();
		stream_read(&c->stream, false);
	} else {
		c->body_started_us += clock_monotonic_us() - c->held_us;
		loop_defer(c->carrier.server->gate->loop, &c->read_on);
	}
}

struct err
http1_interim(struct carrier *carrier, unsigned status, struct bytes fields)
{
	struct connection *c = container_of(carrier, struct connection, carrier);
	CLEANUP(buf_done) struct buf out = { 0 };

	if (c->carrier.request->head.minor == 0)
		return OK;
	if (status == 100) {
		c->awaits_continue = false;
		start_clock(c);
	}
	http_reply_begin(&out, status, (struct bytes){ 0 });
	buf_put(&out, fields);
	http_reply_end(&out);
	TRY(buf_check(&out));
	return stream_send(&c->stream, &out);
}

/* Time */

static bool
body_is_slow(const struct connection *c, uint64_t now)
{
	uint64_t elapsed = now - c->body_started_us;

	if (elapsed < BODY_GRACE_US || c->is_held || c->awaits_continue)
		return false;
	return c->body.total * 1000000 / elapsed <
	       c->carrier.server->gate->settings->limits.body_rate_min;
}

static bool
is_stuck(const struct connection *c, uint64_t now)
{
	return c->is_streaming && now - c->body_moved_us > c->carrier.server->stream.duration_us;
}

void
http1_check_body(struct connection *c, uint64_t now)
{
	if (body_is_slow(c, now) || is_stuck(c, now))
		body_failed(c, (struct err){ .kind = ERR_PEER,
		                             .code = 408,
		                             .why = "the body came too slowly" });
	else
		deadline_start(&c->carrier.server->body, &c->deadline, now);
}
