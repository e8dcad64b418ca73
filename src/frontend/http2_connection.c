/* http2_connection.c - see http2_connection.h. */
#include "frontend/http2_connection.h"

#include <stdlib.h>

#include "base/macros.h"
#include "frontend/answer.h"
#include "frontend/http2_carrier.h"
#include "http/http_reply.h"

enum {
	SEND_PART = 65536,
	DRAIN_GRACE_US = 1000000, /* until it is told of the end in the middle of its requests */
};

/* From the engine */

/* Requests that go on without their streams count as if they had them: a peer that resets streams
 * as fast as it opens them has no more at work than one that does not. */
static size_t
orphan_count(const struct http2_connection *c)
{
	size_t count = 0;

	for (const struct list *node = c->orphans.next; node != &c->orphans; node = node->next)
		count++;
	return count;
}

static void
on_request(void *of, int32_t id, struct http_head *head, struct buf *text, bool is_last,
           void **ret_stream)
{
	struct http2_connection *c = of;

	c->was_used = c->has_served = true;
	if (orphan_count(c) + http2_streams(c->http2) > HTTP2_STREAMS_MAX)
		return;
	http2_carrier_begin(c, id, head, text, is_last, ret_stream);
}

static void
on_refused(void *of, int32_t id, struct err e)
{
	struct http2_connection *c = of;
	struct gate *gate = c->place.server->gate;
	CLEANUP(buf_done) struct buf lines = { 0 }, body = { 0 };
	unsigned status = answer_refusal(e, &lines, &body);

	http_reply_field(&lines, "Date", gate_date(gate));
	http_reply_length(&lines, body.len);
	counter_add(&gate->counters->requests[status / 100 % 6], 1);
	telemetry_refused(c->place.server, c->place.address, status, e.why);
	c->is_lost |=
		failed(http2_refuse(c->http2, id, status, buf_bytes(&lines), buf_bytes(&body)));
}

static void
on_data(void *of, void *stream, struct bytes part)
{
	(void)of;
	http2_carrier_data(stream, part);
}

static void
on_end(void *of, void *stream, struct bytes trailers)
{
	(void)of;
	http2_carrier_end(stream, trailers);
}

static void
on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	(void)of;
	http2_carrier_pull(stream, at, room, ret_len, ret_end);
}

static void
on_closed(void *of, void *stream, uint32_t code)
{
	(void)of, (void)code;
	http2_carrier_closed(stream);
}

static const struct http2_ops ops = {
	.request = on_request,
	.refused = on_refused,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
};

/* Sending */

void
http2_connection_flush(struct http2_connection *c)
{
	loop_defer(c->place.server->gate->loop, &c->flush);
}

static void
run_woken(struct http2_connection *c)
{
	while (!list_is_empty(&c->woken)) {
		struct http2_carrier *s = container_of(c->woken.next, struct http2_carrier, woken);

		list_remove(&s->woken);
		http2_carrier_run(s);
	}
}

/* Nothing is taken from the requests while the socket is full. */
static struct err
send_some(struct http2_connection *c)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	while (c->place.stream->unsent == 0) {
		TRY(http2_pull(c->http2, &out, SEND_PART));
		if (out.len == 0)
			return OK;
		TRY(stream_send(c->place.stream, &out));
	}
	return OK;
}

static bool
is_active(const struct http2_connection *c)
{
	return http2_streams(c->http2) > 0 || c->place.stream->unsent > 0 || c->drain_us != 0 ||
	       http2_is_in_head(c->http2);
}

/* On which list its deadline is says what the connection does. Those that are active are looked at
 * each second, however much comes. */
static void
settle(struct http2_connection *c, uint64_t now)
{
	struct server *server = c->place.server;
	struct deadline_list *list = is_active(c)    ? &server->body
	                             : c->has_served ? &server->idle
	                                             : &server->head;

	if (c->place.stream->unsent == 0)
		c->stuck_us = 0;
	else if (c->stuck_us == 0)
		c->stuck_us = now;
	if (!http2_is_in_head(c->http2))
		c->head_us = 0;
	else if (c->head_us == 0)
		c->head_us = now;
	if (list != c->list || (list == &server->idle && c->was_used))
		deadline_start(list, c->place.deadline, now);
	c->list = list;
	c->was_used = false;
}

/* A client that has nothing under way loses nothing by a GOAWAY that names the last stream: what
 * crosses it on the way is known to be undone, and may be asked again (RFC 9113 section 6.8). A
 * notice before it would fail that request with clients that take any GOAWAY for the end. */
static void
leave_when_done(struct http2_connection *c)
{
	if (c->drain_us != 0 && http2_streams(c->http2) == 0)
		http2_leave(c->http2);
}

static void
finish(struct http2_connection *c)
{
	counter_add(&c->place.server->gate->counters->http2_faults, http2_is_faulty(c->http2));
	c->place.finish(c->place.owner);
}

static void
on_flush(struct deferred *d)
{
	struct http2_connection *c = container_of(d, struct http2_connection, flush);

	do {
		run_woken(c);
		c->is_lost |= failed(send_some(c));
		leave_when_done(c);
		c->is_lost |= failed(send_some(c));
	} while (!list_is_empty(&c->woken) && !c->is_lost);

	if (c->is_lost)
		c->place.broken(c->place.owner);
	else if (http2_is_done(c->http2) && c->place.stream->unsent == 0)
		finish(c);
	else
		settle(c, clock_monotonic_us());
}

/* From the connection */

void
http2_connection_data(struct http2_connection *c, struct bytes data)
{
	counter_add(&c->place.server->gate->counters->bytes_in, data.len);
	/* A fault is in the GOAWAY that is now to be sent; on_flush() ends the connection. */
	(void)http2_feed(c->http2, data, clock_monotonic_us());
	http2_connection_flush(c);
}

void
http2_connection_drained(struct http2_connection *c)
{
	http2_connection_flush(c);
}

/* Refusals that their client does not read have no request, and no deadline, of their own. */
static bool
is_all_refused(struct http2_connection *c, uint64_t now)
{
	bool is_so = http2_streams(c->http2) > 0 && list_is_empty(&c->streams);

	if (!is_so)
		c->refused_us = 0;
	else if (c->refused_us == 0)
		c->refused_us = now;
	return is_so && now - c->refused_us > c->place.server->write.duration_us;
}

void
http2_connection_tick(struct http2_connection *c, uint64_t now)
{
	const struct limit_settings *limits = &c->place.server->gate->settings->limits;
	struct list *next;

	for (struct list *node = c->streams.next; node != &c->streams; node = next) {
		next = node->next;
		http2_carrier_tick(container_of(node, struct http2_carrier, node), now);
	}
	c->is_lost |= is_all_refused(c, now);
	c->is_lost |=
		c->stuck_us != 0 && now - c->stuck_us > (uint64_t)limits->write_timeout_ms * 1000;
	c->is_lost |=
		c->head_us != 0 && now - c->head_us > (uint64_t)limits->head_timeout_ms * 1000;
	if (c->drain_us != 0 && now - c->drain_us > DRAIN_GRACE_US)
		http2_drain(c->http2);
	/* Else who answers nothing and keeps a stream is decided by the former policy as long. */
	if (c->drain_us != 0 && now - c->drain_us > 3 * DRAIN_GRACE_US)
		http2_leave(c->http2);
	deadline_start(&c->place.server->body, c->place.deadline, now);
	http2_connection_flush(c);
}

void
http2_connection_drain(struct http2_connection *c)
{
	if (c->drain_us == 0)
		c->drain_us = clock_monotonic_us();
	http2_connection_flush(c);
}

/* Life */

struct err
http2_connection_new(const struct http2_place *place, struct http2_connection **ret)
{
	struct http2_connection *c = calloc(1, sizeof *c);

	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory for an HTTP/2 connection");
	c->place = *place;
	c->flush.run = on_flush;
	c->list = &place->server->head;
	list_init(&c->streams);
	list_init(&c->woken);
	list_init(&c->orphans);
	struct err e = http2_new(false, &ops, c, &c->http2);
	if (failed(e)) {
		free(c);
		return e;
	}
	http2_connection_flush(c); /* our SETTINGS */
	*ret = c;
	return OK;
}

void
http2_connection_free(struct http2_connection *c)
{
	if (c == NULL)
		return;
	list_remove(&c->flush.node);
	while (!list_is_empty(&c->streams))
		http2_carrier_abandon(container_of(c->streams.next, struct http2_carrier, node));
	while (!list_is_empty(&c->orphans))
		list_remove(c->orphans.next);
	http2_free(c->http2);
	free(c);
}
