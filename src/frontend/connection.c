/* connection.c - see connection.h: heads, answers, and the life of a connection. Its bodies are in
 * connection_body.c, its deadlines in connection_time.c. */
#include "frontend/connection_parts.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "frontend/answer.h"
#include "frontend/http2_connection.h"

enum {
	BUFFERED_MAX =
		HTTP_HEAD_MAX + LOOP_SCRATCH, /* of pipelined bytes, while a request is at work */
};

static void advance(struct connection *c);
static void on_data(struct stream *s, struct bytes data);
static void on_end(struct stream *s);
static void on_broken(struct stream *s);
static void on_drained(struct stream *s);
static void on_closed(struct stream *s);
static void on_ready(struct stream *s);

static void on_finished(struct carrier *carrier);

static const struct stream_ops stream_ops = {
	.data = on_data,
	.end = on_end,
	.broken = on_broken,
	.drained = on_drained,
	.closed = on_closed,
	.ready = on_ready,
};

/* Closing */

void
http1_close(struct connection *c)
{
	struct request *r = c->carrier.request;

	if (c->stream.is_closed)
		return;
	c->carrier.request = NULL;
	c->is_streaming = false;
	deadline_stop(&c->deadline);
	list_remove(&c->read_on.node);
	stream_close(&c->stream);
	http2_connection_free(c->http2);
	c->http2 = NULL;
	if (r != NULL)
		request_abandon(r);
}

static void
on_closed(struct stream *s)
{
	struct connection *c = container_of(s, struct connection, stream);

	buf_wipe(&c->in);
	server_leave(c->carrier.server, &c->node, c->address);
	free(c);
}

/* Where the close is the end of the answer, one that was cut must not look whole. To dissolve the
 * association (connect(2)) resets it; the option for that is not a worker's (seccomp.c). */
static void
reset(struct connection *c)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->stream.tcp, &fd) == 0) /* else it is closed already */
		(void)connect(fd, &nobody, sizeof nobody);
	http1_close(c);
}

/* Closing at once would reset the connection and take the answer with it when the peer is still
 * sending: say that we are done, and read what comes until it is too (RFC 9112 section 9.6). */
static void
linger(struct connection *c)
{
	c->is_lingering = true;
	buf_wipe(&c->in); /* may hold a password */
	if (c->is_cut) {
		reset(c);
		return;
	}
	if (c->peer_ended) {
		http1_close(c);
		return;
	}
	stream_end(&c->stream);
	deadline_start(&c->carrier.server->linger, &c->deadline, loop_now_us(c->stream.loop));
	stream_read(&c->stream, true);
}

void
http1_refuse(struct connection *c, struct err e)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	answer_put_refusal(c->carrier.server->gate, &out, e);
	telemetry_refused(c->carrier.server, c->carrier.address, e.code, e.why);
	counter_add(&c->carrier.server->gate->counters->requests[e.code / 100 % 6], 1);
	if (c->carrier.request != NULL) {
		request_free(c->carrier.request);
		c->carrier.request = NULL;
	}
	if (failed(stream_send(&c->stream, &out))) {
		http1_close(c);
		return;
	}
	c->close_after = true;
	if (c->stream.unsent == 0)
		linger(c);
	else
		deadline_start(&c->carrier.server->write, &c->deadline,
		               loop_now_us(c->stream.loop));
}

/* What a peer sends ahead waits in its socket when a buffer full of it waits here, or its body
 * waits for the service. */
void
http1_read_on(struct connection *c)
{
	stream_read(&c->stream, c->in.len <= BUFFERED_MAX && !c->peer_ended && !c->is_held);
}

/* Heads */

static void
become_idle(struct connection *c)
{
	if (c->carrier.server->is_draining || c->peer_ended) {
		http1_close(c);
		return;
	}
	buf_wipe(&c->in); /* an idle connection holds no buffer, and nothing that was in one */
	deadline_start(&c->carrier.server->idle, &c->deadline, loop_now_us(c->stream.loop));
	stream_read(&c->stream, true);
}

/* Gives the head's bytes to the request; what follows them stays with the connection. */
static bool
take_head(struct connection *c, size_t head_len)
{
	struct buf rest = { 0 };

	buf_put(&rest, bytes_slice(buf_bytes(&c->in), head_len, c->in.len));
	if (rest.overflow)
		return false;
	c->carrier.request->input = c->in;
	c->in = rest;
	c->scanned = 0;
	return true;
}

/* true: a request has begun. */
static bool
next_head(struct connection *c)
{
	size_t len;
	enum step step;

	if (c->carrier.request == NULL)
		c->carrier.request = request_new(c->carrier.server->gate, &c->carrier);
	if (c->carrier.request == NULL) {
		http1_close(c);
		return false;
	}

	struct err e = http_head_parse(buf_bytes(&c->in), &c->scanned, &c->carrier.request->head,
	                               &len, &step);
	if (failed(e)) {
		http1_refuse(c, e);
		return false;
	}
	if (step == STEP_MORE) {
		request_free(c->carrier.request);
		c->carrier.request = NULL;
		if (c->peer_ended)
			http1_close(c);
		return false;
	}
	if (!take_head(c, len)) {
		http1_close(c);
		return false;
	}
	c->is_fresh = false;
	counter_add(&c->carrier.server->gate->counters->bytes_in, len);
	request_begin(c->carrier.request);
	return true;
}

/* Runs requests for as long as they end at once. */
static void
advance(struct connection *c)
{
	if (c->is_advancing)
		return;
	c->is_advancing = true;
	while (c->carrier.request == NULL && c->in.len > 0 && !c->stream.is_closed &&
	       !c->close_after) {
		if (!next_head(c))
			break;
		deadline_start(&c->carrier.server->work, &c->deadline, loop_now_us(c->stream.loop));
		if (request_run(c->carrier.request) == STEP_MORE) {
			if (c->carrier.request != NULL)
				http1_watch(c);
			break;
		}
		on_finished(&c->carrier);
	}
	c->is_advancing = false;
}

static void
on_finished(struct carrier *carrier)
{
	struct connection *c = container_of(carrier, struct connection, carrier);
	struct request *r = c->carrier.request;
	bool close = c->close_after;

	c->carrier.request = NULL;
	c->is_streaming = c->is_held = c->awaits_continue = false;
	if (r != NULL)
		request_free(r);
	if (c->stream.is_closed)
		return;
	if (close) {
		linger(c);
	} else if (c->in.len == 0) {
		become_idle(c);
	} else {
		deadline_start(&c->carrier.server->head, &c->deadline, loop_now_us(c->stream.loop));
		advance(c);
		http1_read_on(c);
	}
}

/* HTTP/2 */

static void
on_http2_finished(void *owner)
{
	struct connection *c = owner;

	http2_connection_free(c->http2);
	c->http2 = NULL;
	linger(c);
}

static void
on_http2_broken(void *owner)
{
	http1_close(owner);
}

static void
become_http2(struct connection *c)
{
	const struct http2_place place = { .server = c->carrier.server,
		                           .stream = &c->stream,
		                           .deadline = &c->deadline,
		                           .address = c->address,
		                           .secure = c->carrier.secure,
		                           .finish = on_http2_finished,
		                           .broken = on_http2_broken,
		                           .owner = c };

	c->is_fresh = false;
	if (failed(http2_connection_new(&place, &c->http2))) {
		http1_close(c);
		return;
	}
	if (c->in.len > 0)
		http2_connection_data(c->http2, buf_bytes(&c->in));
	buf_wipe(&c->in);
}

/* By prior knowledge (RFC 9113 section 3.3). With TLS it is agreed on in the handshake. No method
 * of HTTP/1.1 begins so. */
static bool
is_http2(const struct connection *c)
{
	return c->is_fresh && c->carrier.server->tls == NULL &&
	       bytes_starts(buf_bytes(&c->in), BYTES("PRI "));
}

/* What the stream tells */

static void
on_data(struct stream *s, struct bytes data)
{
	struct connection *c = container_of(s, struct connection, stream);

	if (c->is_streaming) {
		if (!http1_stream_data(c, data))
			http1_close(c);
		else
			http1_read_on(c);
		return;
	}
	if (c->is_lingering || c->close_after)
		return;
	if (c->http2 != NULL) {
		http2_connection_data(c->http2, data);
		return;
	}
	if (c->in.len == 0 && c->carrier.request == NULL)
		deadline_start(&c->carrier.server->head, &c->deadline, loop_now_us(c->stream.loop));
	c->in.limit = (size_t)BUFFERED_MAX * 2;
	buf_put(&c->in, data);
	if (c->in.overflow) {
		http1_close(c);
		return;
	}
	if (is_http2(c)) {
		become_http2(c);
		return;
	}
	if (c->carrier.request == NULL)
		advance(c);
	else if (request_wants_body(c->carrier.request))
		http1_body_data(c);
	http1_read_on(c);
}

/* A request at work is answered, a refusal sent: a client may send, say it is done, and wait. But
 * no service is kept waiting or working for a caller that has most likely gone. */
static bool
is_answered_all_the_same(const struct connection *c)
{
	const struct request *r = c->carrier.request;

	if (r == NULL)
		return c->close_after && !c->is_lingering;
	return !request_wants_body(r) && !request_awaits_service(r);
}

static void
on_end(struct stream *s)
{
	struct connection *c = container_of(s, struct connection, stream);

	c->peer_ended = true;
	stream_read(s, false);
	/* Without what it would say of its windows, nothing much can be sent to it either. */
	if (c->http2 != NULL) {
		http1_close(c);
		return;
	}
	if (c->is_streaming && c->carrier.request->reply.is_tunnel)
		http1_stream_end(c);
	else if (!is_answered_all_the_same(c))
		http1_close(c);
}

bool
http1_in_handshake(const struct connection *c)
{
	return c->carrier.server->tls != NULL && c->carrier.secure == NULL;
}

static void
on_broken(struct stream *s)
{
	struct connection *c = container_of(s, struct connection, stream);

	if (http1_in_handshake(c))
		counter_add(&c->carrier.server->gate->counters->tls_failures, 1);
	if (stream_unsecure(s))
		http1_refuse(c, (struct err){ .kind = ERR_PEER,
		                              .code = 400,
		                              .why = "TLS is spoken here: ask with https" });
	else
		http1_close(c);
}

/* TLS has begun: it says who is there, and which HTTP. */
static void
on_ready(struct stream *s)
{
	struct connection *c = container_of(s, struct connection, stream);

	struct metrics_worker *counters = c->carrier.server->gate->counters;

	c->carrier.secure = stream_peer(s);
	counter_add(&counters->tls_handshakes, 1);
	counter_add(&counters->tls_resumptions, c->carrier.secure->is_resumed);
	if (strcmp(c->carrier.secure->alpn, "h2") == 0)
		become_http2(c);
}

static void
on_drained(struct stream *s)
{
	struct connection *c = container_of(s, struct connection, stream);

	if (c->http2 != NULL) {
		http2_connection_drained(c->http2);
	} else if (c->carrier.request != NULL && c->carrier.request->stage == STAGE_SEND) {
		request_resume(c->carrier.request);
	} else if (c->carrier.request == NULL && c->close_after) {
		linger(c);
	}
}

/* HTTP/1.0 knows no chunks. */
static bool
ends_by_close(const struct reply *reply, const struct http_head *h)
{
	return reply->is_streamed && !reply->has_length && h->minor == 0;
}

static bool
closes_after(const struct connection *c)
{
	const struct request *r = c->carrier.request;
	/* A body that was not read to its end cannot be told from the next request. */
	bool body_left = (r->head.has_length ? r->head.content_length > 0 : r->head.is_chunked) &&
	                 !r->has_body;
	bool is_cut = r->reply.is_streamed && failed(r->outcome);

	return !r->head.keep_alive || r->must_close || body_left || is_cut ||
	       ends_by_close(&r->reply, &r->head) || c->carrier.server->is_draining;
}

/* Puts bytes on the wire until all are given, they must be waited for, or the socket is full. */
static struct err
answer(struct connection *c, enum step *step)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	while (c->stream.unsent == 0) {
		TRY(answer_next(c->carrier.request, &out, c->close_after, step));
		if (out.len == 0) {
			if (*step == STEP_MORE)
				http1_watch(c);
			return OK;
		}
		TRY(stream_send(&c->stream, &out));
	}
	http1_watch(c);
	*step = STEP_MORE;
	return OK;
}

static struct err
on_answer(struct carrier *carrier, enum step *step)
{
	struct connection *c = container_of(carrier, struct connection, carrier);

	c->close_after |= closes_after(c); /* what was said once holds */
	struct err e = answer(c, step);
	/* What follows a broken answer would be taken for the rest of it. */
	c->close_after |= failed(e);
	c->is_cut |=
		failed(e) && ends_by_close(&c->carrier.request->reply, &c->carrier.request->head);
	return e;
}

static void
on_read_on(struct deferred *d)
{
	http1_read_on(container_of(d, struct connection, read_on));
}

static const struct carrier_ops carrier_ops = {
	.receive = http1_receive,
	.stream = http1_stream,
	.read = http1_read,
	.interim = http1_interim,
	.answer = on_answer,
	.finished = on_finished,
};

/* Life */

void
connection_begin(struct server *s, int fd)
{
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->read_on.run = on_read_on;
	struct err e = stream_open(&c->stream, s->gate->loop, fd, &stream_ops);
	if (!failed(e) && s->tls != NULL)
		e = stream_secure(&c->stream, s->tls, NULL);
	stream_address(&c->stream, c->address);
	c->carrier = (struct carrier){ .ops = &carrier_ops, .server = s, .address = c->address };
	c->is_fresh = true;
	if (!server_enter(s, &c->node, c->address)) {
		c->address[0] = '\0'; /* not counted, so not to be counted off */
		stream_close(&c->stream);
		return;
	}
	if (failed(e) || s->is_draining) {
		stream_close(&c->stream);
		return;
	}
	deadline_start(&s->head, &c->deadline, loop_now_us(c->stream.loop));
	stream_read(&c->stream, true);
}

/* The keys of TLS cannot go elsewhere. A caller that keeps asking asks once more, and is told that
 * this was the last; only who is silent is cut off. */
static void
drain_secure(struct connection *c, bool has_successor)
{
	if (!has_successor)
		http1_close(c);
	else if (c->carrier.secure != NULL)
		deadline_start(&c->carrier.server->linger, &c->deadline,
		               loop_now_us(c->stream.loop));
}

/* An idle connection, whose bytes all were answered, can go on in another process: nobody notices.
 */
void
connection_drain(struct list *node, void (*take)(struct server *s, int fd))
{
	struct connection *c = container_of(node, struct connection, node);
	uv_os_fd_t fd;

	if (c->http2 != NULL) {
		http2_connection_drain(c->http2);
		return;
	}
	if (c->carrier.request != NULL || c->in.len != 0 || c->close_after)
		return;
	if (c->carrier.server->tls != NULL) {
		drain_secure(c, take != NULL);
		return;
	}
	if (take != NULL && uv_fileno((uv_handle_t *)&c->stream.tcp, &fd) == 0)
		take(c->carrier.server, fd);
	http1_close(c);
}
