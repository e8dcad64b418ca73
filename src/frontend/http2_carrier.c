/* http2_carrier.c - see http2_carrier.h. */
#include "frontend/http2_carrier.h"

#include <stdlib.h>

#include "base/macros.h"
#include "frontend/answer.h"
#include "http/http_reply.h"

enum {
	BODY_GRACE_US = 5000000,
	REST_US = 1000000, /* for the rest of a body that nobody wants */
	FORM_ROOM = 16384,
	/* Error codes of RFC 9113 section 7. */
	NO_ERROR = 0,
	INTERNAL_ERROR = 2,
	CANCEL = 8,
};

static const struct carrier_ops carrier_ops;

static void
wake(struct http2_carrier *s)
{
	list_remove(&s->woken);
	list_append(&s->connection->woken, &s->woken);
	http2_connection_flush(s->connection);
}

static void
got_on(struct http2_carrier *s)
{
	s->moved_us = clock_monotonic_us();
}

/* Life */

static void
carrier_free(struct http2_carrier *s)
{
	list_remove(&s->node);
	list_remove(&s->woken);
	buf_wipe(&s->held);
	buf_done(&s->trailers);
	free(s);
}

/* What runs on without its stream is known to its connection until it ends. */
static void
abandon_request(struct http2_carrier *s)
{
	struct request *r = s->carrier.request;

	s->carrier.request = NULL;
	if (r == NULL)
		return;
	list_append(&s->connection->orphans, &r->orphan);
	request_abandon(r);
}

void
http2_carrier_abandon(struct http2_carrier *s)
{
	abandon_request(s);
	carrier_free(s);
}

static void
on_finished(struct carrier *carrier)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);

	request_free(s->carrier.request);
	s->carrier.request = NULL;
	if (s->is_closed) {
		carrier_free(s);
		return;
	}
	/* Who reads an answer's end knows that all is there, and recorded. */
	if (!s->is_ended)
		http2_reset(s->connection->http2, s->id, INTERNAL_ERROR);
	http2_consume(s->connection->http2, s->id, s->held.len);
	buf_wipe(&s->held);
	got_on(s);
	http2_connection_flush(s->connection);
}

void
http2_carrier_begin(struct http2_connection *c, int32_t id, struct http_head *head,
                    struct buf *text, bool is_last, void **ret)
{
	struct http2_carrier *s = calloc(1, sizeof *s);

	if (s == NULL)
		return;
	s->carrier = (struct carrier){ .ops = &carrier_ops,
		                       .server = c->place.server,
		                       .address = c->place.address,
		                       .secure = c->place.secure,
		                       .is_http2 = true };
	struct request *r = request_new(c->place.server->gate, &s->carrier);
	if (r == NULL) {
		free(s);
		return;
	}
	s->carrier.request = r;
	s->connection = c;
	s->id = id;
	s->body_ended = is_last;
	list_append(&c->streams, &s->node);
	memcpy(&r->head, head,
	       offsetof(struct http_head, fields) + head->field_count * sizeof *head->fields);
	r->input = *text;
	*text = (struct buf){ 0 };
	*ret = s;
	got_on(s);
	counter_add(&r->gate->counters->http2_streams, 1);
	request_begin(r);
	if (request_run(r) == STEP_DONE)
		on_finished(&s->carrier);
}

void
http2_carrier_closed(struct http2_carrier *s)
{
	s->is_closed = true;
	if (s->carrier.request != NULL && s->is_ended && s->is_waiting) {
		wake(s); /* all of it has left: it ends as others do */
		return;
	}
	abandon_request(s);
	carrier_free(s);
}

/* Bodies */

static const struct err too_large = { .kind = ERR_LIMIT,
	                              .code = HTTP_BODY_LARGE,
	                              .why = "the body is too large" };

static void
start_clock(struct http2_carrier *s)
{
	s->body_started_us = s->body_moved_us = clock_monotonic_us();
	s->awaits_continue = false;
}

static bool
is_too_large(const struct http2_carrier *s)
{
	const struct request *r = s->carrier.request;
	uint64_t max = request_body_max(r);

	return s->body_bytes > max || (r->head.has_length && r->head.content_length > max);
}

static struct err
take_whole(struct http2_carrier *s, struct bytes part)
{
	struct request *r = s->carrier.request;

	if (is_too_large(s))
		return too_large;
	buf_put(&r->body, part);
	http2_consume(s->connection->http2, s->id, part.len);
	return buf_check(&r->body);
}

static struct err
on_receive(struct carrier *carrier)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);
	struct request *r = s->carrier.request;

	r->body.limit = request_body_max(r) + 1;
	/* A form is not moved as it grows: a move would leave a copy of the password behind. */
	if (r->head.has_length && r->head.content_length <= FORM_ROOM)
		(void)buf_reserve(&r->body,
		                  (size_t)r->head.content_length); /* fails again when it is put */
	TRY(take_whole(s, buf_bytes(&s->held)));
	buf_wipe(&s->held);
	r->has_body = s->body_ended;
	if (r->has_body)
		return OK;
	s->is_receiving = true;
	start_clock(s);
	return r->head.expect_continue && s->body_bytes == 0
	               ? carrier_interim(carrier, 100, (struct bytes){ 0 })
	               : OK;
}

static void
body_failed(struct http2_carrier *s, struct err e)
{
	struct request *r = s->carrier.request;

	got_on(s);
	if (s->is_streaming) {
		s->is_streaming = false;
		r->endpoint->body(r, (struct bytes){ 0 }, false, e);
		return;
	}
	s->is_receiving = false;
	if (!failed(r->outcome))
		r->outcome = e;
	r->stage = STAGE_ANSWER;
	request_resume(r);
}

/* Gives a part, or the end, of what is streamed. */
static void
give(struct http2_carrier *s, struct bytes part, bool is_last)
{
	struct request *r = s->carrier.request;

	http2_consume(s->connection->http2, s->id, part.len);
	if (is_last) {
		s->is_streaming = false;
		r->has_body = true;
		buf_put(&r->trailers, buf_bytes(&s->trailers));
		got_on(s);
	}
	r->endpoint->body(r, part, is_last, OK);
}

/* What is held, and the end behind it, for as long as it is wanted. */
static void
give_held(struct http2_carrier *s)
{
	struct buf part = s->held;

	s->held = (struct buf){ 0 };
	if (part.len > 0)
		give(s, buf_bytes(&part), false);
	buf_wipe(&part);
	if (s->is_streaming && !s->is_held && s->body_ended && s->held.len == 0)
		give(s, (struct bytes){ 0 }, true);
}

/* No stream becomes a tunnel: this gateway does not offer RFC 8441. */
static struct err
on_stream(struct carrier *carrier)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);
	struct request *r = s->carrier.request;

	r->is_body_streamed = true;
	if (is_too_large(s))
		return too_large;
	s->is_streaming = true;
	start_clock(s);
	s->awaits_continue = r->head.expect_continue && s->body_bytes == 0;
	if (s->body_ended || s->held.len > 0)
		wake(s);
	return OK;
}

/* Time during which nothing was to be sent is not counted. */
static void
on_read(struct carrier *carrier, bool on)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);

	if (s->is_held != on)
		return;
	s->is_held = !on;
	if (s->is_held) {
		s->held_us = clock_monotonic_us();
		return;
	}
	s->body_started_us += clock_monotonic_us() - s->held_us;
	wake(s);
}

static void
take_part(struct http2_carrier *s, struct bytes part)
{
	uint64_t now = clock_monotonic_us();

	s->body_moved_us = now;
	if (s->awaits_continue)
		s->body_started_us = now;
	s->awaits_continue = false;
	if (is_too_large(s))
		body_failed(s, too_large);
	else
		give(s, part, false);
}

void
http2_carrier_data(struct http2_carrier *s, struct bytes part)
{
	s->body_bytes += part.len;
	if (s->carrier.request == NULL) {
		http2_consume(s->connection->http2, s->id, part.len);
	} else if (s->is_receiving) {
		struct err e = take_whole(s, part);
		if (failed(e))
			body_failed(s, e);
	} else if (s->is_streaming && !s->is_held && s->held.len == 0) {
		take_part(s, part);
	} else {
		buf_put(&s->held, part); /* at most a window of it: none of it is consumed */
		if (s->held.overflow)
			http2_reset(s->connection->http2, s->id, INTERNAL_ERROR);
	}
}

void
http2_carrier_end(struct http2_carrier *s, struct bytes trailers)
{
	struct request *r = s->carrier.request;

	s->body_ended = true;
	if (r == NULL)
		return;
	if (s->is_receiving) {
		s->is_receiving = false;
		r->has_body = true;
		got_on(s);
		request_resume(r);
		return;
	}
	buf_put(&s->trailers, trailers);
	if (s->is_streaming)
		wake(s);
}

/* Answers */

static struct err
on_interim(struct carrier *carrier, unsigned status, struct bytes fields)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);

	if (status == 100)
		start_clock(s);
	http2_connection_flush(s->connection);
	return http2_respond(s->connection->http2, s->id, status, fields, false);
}

/* false: the end of the stream tells it. */
static bool
told_length(const struct request *r, uint64_t *ret)
{
	const struct reply *reply = &r->reply;

	*ret = reply->has_length ? reply->length : answer_length(r);
	if (reply->has_length)
		return reply->status != 204;
	return answer_has_body(r) && !reply->is_streamed && !(reply->is_forwarded && r->is_head);
}

static struct err
begin_answer(struct http2_carrier *s)
{
	struct request *r = s->carrier.request;
	CLEANUP(buf_done) struct buf lines = { 0 };
	uint64_t len;
	bool has_length = told_length(r, &len);
	bool is_last = !answer_has_body(r) || r->is_head ||
	               (has_length && len == 0 && !r->reply.is_streamed);

	if (!r->reply.has_date)
		http_reply_field(&lines, "Date", gate_date(r->gate));
	answer_fields(r, &lines);
	if (has_length)
		http_reply_length(&lines, len);
	TRY(buf_check(&lines));
	answer_begin(r);
	s->is_ended = is_last;
	http2_connection_flush(s->connection);
	return http2_respond(s->connection->http2, s->id, r->reply.status, buf_bytes(&lines),
	                     is_last);
}

static struct err
on_answer(struct carrier *carrier, enum step *step)
{
	struct http2_carrier *s = container_of(carrier, struct http2_carrier, carrier);
	struct request *r = s->carrier.request;

	s->is_waiting = false;
	if (!r->reply.has_begun)
		TRY(begin_answer(s));
	do {
		TRY(answer_fill(r, step));
		if (*step == STEP_MORE) {
			got_on(s);
			return OK;
		}
		if (s->is_ended) /* before it began: nobody wants the parts */
			(void)answer_take(r, answer_length(r));
	} while (s->is_ended && r->reply.is_partial);
	if (s->is_ended || (answer_is_taken(r) && !answer_may_end(r)))
		return OK;
	s->is_waiting = true;
	got_on(s);
	http2_resume(s->connection->http2, s->id);
	http2_connection_flush(s->connection);
	*step = STEP_MORE;
	return OK;
}

void
http2_carrier_pull(struct http2_carrier *s, uint8_t *at, size_t room, size_t *ret_len,
                   bool *ret_end)
{
	struct request *r = s->carrier.request;

	*ret_len = 0;
	*ret_end = false;
	if (r == NULL || !s->is_waiting)
		return;

	struct bytes part = answer_take(r, room);
	if (part.len > 0)
		memcpy(at, part.at, part.len);
	*ret_len = part.len;
	got_on(s);
	if (!answer_is_taken(r))
		return;
	if (answer_may_end(r)) {
		*ret_end = true;
		s->is_ended = r->reply.has_ended = true;
		if (r->reply.trailers.len > 0 &&
		    failed(http2_trailers(s->connection->http2, s->id,
		                          buf_bytes(&r->reply.trailers))))
			*ret_end = s->is_ended = false; /* the stream is over already */
	}
	wake(s);
}

static const struct carrier_ops carrier_ops = {
	.receive = on_receive,
	.stream = on_stream,
	.read = on_read,
	.interim = on_interim,
	.answer = on_answer,
	.finished = on_finished,
};

void
http2_carrier_run(struct http2_carrier *s)
{
	struct request *r = s->carrier.request;

	if (r != NULL && s->is_streaming && !s->is_held && !s->is_closed)
		give_held(s);
	if (r != NULL && s->is_waiting && (s->is_ended || answer_is_taken(r)))
		request_resume(r);
}

/* Deadlines */

static uint64_t
stream_idle_us(const struct http2_carrier *s)
{
	return (uint64_t)s->carrier.server->gate->settings->limits.stream_idle_ms * 1000;
}

static bool
body_is_slow(const struct http2_carrier *s, uint64_t now)
{
	const struct limit_settings *limits = &s->carrier.server->gate->settings->limits;
	uint64_t elapsed = now - s->body_started_us;

	if (s->is_streaming && now - s->body_moved_us > stream_idle_us(s))
		return true;
	return elapsed >= BODY_GRACE_US && !s->awaits_continue &&
	       s->body_bytes * 1000000 / elapsed < limits->body_rate_min;
}

/* How long this may last. 0: while a service is awaited its own limits hold. */
static uint64_t
allowed_us(const struct http2_carrier *s)
{
	const struct request *r = s->carrier.request;
	const struct server *server = s->carrier.server;

	if (s->is_waiting)
		return server->write.duration_us;
	if (r->endpoint == NULL || !r->endpoint->streams)
		return server->work.duration_us;
	return r->stage < STAGE_SEND && r->timing.answered_us == 0 ? 0 : stream_idle_us(s);
}

/* When something last moved; its service's beginning to answer counts. */
static uint64_t
moved_us(const struct http2_carrier *s)
{
	uint64_t answered_us = s->carrier.request->timing.answered_us;

	return answered_us > s->moved_us ? answered_us : s->moved_us;
}

void
http2_carrier_tick(struct http2_carrier *s, uint64_t now)
{
	uint64_t allowed;

	if (s->carrier.request == NULL) {
		if (now - s->moved_us > REST_US && s->is_ended)
			http2_reset(s->connection->http2, s->id, NO_ERROR);
		return;
	}
	if (s->is_receiving || (s->is_streaming && !s->body_ended)) {
		if (!s->is_held && body_is_slow(s, now))
			body_failed(s, (struct err){ .kind = ERR_PEER,
			                             .code = 408,
			                             .why = "the body came too slowly" });
		return;
	}
	allowed = allowed_us(s);
	if (allowed == 0 || now - moved_us(s) <= allowed)
		return;
	http2_reset(s->connection->http2, s->id, CANCEL);
	abandon_request(s);
}
