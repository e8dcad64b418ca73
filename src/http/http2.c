/* http2.c - see http2.h: the connection as a whole. */
#include "http/http2_session.h"

#include <stdlib.h>

#include "base/macros.h"

enum { PULL_AHEAD = 16384 };

/* Streams */

struct http2_stream *
http2_stream_new(struct http2 *h, int32_t id)
{
	struct http2_stream *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->id = id;
	list_append(&h->streams, &s->node);
	h->stream_count++;
	return s;
}

void
http2_stream_free(struct http2 *h, struct http2_stream *s)
{
	list_remove(&s->node);
	h->stream_count--;
	buf_done(&s->trailers);
	buf_done(&s->body);
	free(s);
}

/* A request that waits to be sent is not yet a stream to nghttp2. */
static struct http2_stream *
find_waiting(const struct http2 *h, int32_t id)
{
	for (struct list *at = h->streams.next; at != &h->streams; at = at->next) {
		struct http2_stream *s = container_of(at, struct http2_stream, node);

		if (s->id == id)
			return s;
	}
	return NULL;
}

struct http2_stream *
http2_stream_of(const struct http2 *h, int32_t id)
{
	struct http2_stream *s = nghttp2_session_get_stream_user_data(h->session, id);

	return s == NULL && h->is_client ? find_waiting(h, id) : s;
}

/* Life */

static int
open_session(struct http2 *h)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = NULL;
	int status = nghttp2_session_callbacks_new(&callbacks);

	if (status == 0)
		status = nghttp2_option_new(&options);
	if (status == 0) {
		http2_receive_callbacks(callbacks);
		http2_send_callbacks(callbacks);
		nghttp2_option_set_no_auto_window_update(options, 1);
		nghttp2_option_set_no_closed_streams(options, 1);
		nghttp2_option_set_peer_max_concurrent_streams(options, HTTP2_STREAMS_MAX);
		status = h->is_client
		                 ? nghttp2_session_client_new2(&h->session, callbacks, h, options)
		                 : nghttp2_session_server_new2(&h->session, callbacks, h, options);
	}
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	return status;
}

/* Streams of a server are what a service must not push. */
static int
send_settings(struct http2 *h)
{
	const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		  h->is_client ? HTTP2_ANSWER_WINDOW : HTTP2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX },
		{ h->is_client ? NGHTTP2_SETTINGS_ENABLE_PUSH
		               : NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		  h->is_client ? 0 : HTTP2_STREAMS_MAX },
	};
	int status =
		nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries, ARRAY_LEN(entries));

	if (status == 0)
		status = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
		                                               4 * HTTP2_WINDOW);
	return status;
}

struct err
http2_new(bool is_client, const struct http2_ops *ops, void *of, struct http2 **ret)
{
	struct http2 *h = calloc(1, sizeof *h);

	if (h == NULL)
		return fail(ERR_SYSTEM, "out of memory for an HTTP/2 connection");
	*h = (struct http2){ .ops = ops, .of = of, .is_client = is_client };
	http2_credit(h, HTTP2_GLITCHES_OF_SERVICE);
	h->seen.last = -1;
	h->watched.skip = is_client ? 0 : NGHTTP2_CLIENT_MAGIC_LEN;
	list_init(&h->streams);
	if (open_session(h) != 0 || send_settings(h) != 0) {
		http2_free(h);
		return fail(ERR_SYSTEM, "out of memory for an HTTP/2 connection");
	}
	*ret = h;
	return OK;
}

void
http2_free(struct http2 *h)
{
	if (h == NULL)
		return;
	nghttp2_session_del(h->session);
	while (!list_is_empty(&h->streams))
		http2_stream_free(h, container_of(h->streams.next, struct http2_stream, node));
	http2_block_close(&h->block);
	buf_done(&h->block.method);
	buf_done(&h->block.path);
	buf_done(&h->block.authority);
	free(h);
}

/* Bytes */

static uint32_t
code_of(const struct http2 *h, int status)
{
	switch (status) {
	case NGHTTP2_ERR_CALLBACK_FAILURE:
		return h->fault;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		return NGHTTP2_PROTOCOL_ERROR;
	case NGHTTP2_ERR_NOMEM:
		return NGHTTP2_INTERNAL_ERROR;
	default: /* limits of nghttp2's own: too many acknowledgements, settings, resets */
		return NGHTTP2_ENHANCE_YOUR_CALM;
	}
}

static struct err
break_off(struct http2 *h, int status)
{
	h->is_over = true;
	/* Fails without memory only; then the connection ends without a word. */
	(void)nghttp2_session_terminate_session(h->session, code_of(h, status));
	return fail(ERR_PEER, "an HTTP/2 connection is broken off");
}

/* nghttp2 gets what lies between two places where we look ourselves. It counts even an empty piece
 * where a CONTINUATION is due. */
static struct err
feed_engine(struct http2 *h, struct bytes in)
{
	if (in.len == 0)
		return OK;

	ssize_t len = nghttp2_session_mem_recv(h->session, in.at, in.len);

	return len < 0 ? break_off(h, (int)len) : OK;
}

struct err
http2_feed(struct http2 *h, struct bytes in, uint64_t now_us)
{
	struct reader left = reader_of(in);
	size_t held = h->watched.head_len;
	struct http2_frame frame;

	if (h->is_over)
		return fail(ERR_PEER, "an HTTP/2 connection is over");
	if (h->bucket.filled_us == 0)
		h->bucket.filled_us = now_us;
	h->now_us = now_us;
	while (http2_watch_next(h, &left, &frame)) {
		struct bytes part = { in.at, (size_t)(left.at - in.at) };

		if (!http2_watch_cost(h, &frame))
			return break_off(h, NGHTTP2_ERR_CALLBACK_FAILURE);
		if (held > 0)
			part = (struct bytes){ h->watched.head, sizeof h->watched.head };
		held = 0;
		TRY(feed_engine(h, part));
		in = (struct bytes){ left.at, reader_left(&left) };
		if (!http2_watch_stream(h, &frame))
			return break_off(h, NGHTTP2_ERR_CALLBACK_FAILURE);
	}
	/* The head of a frame is held until it is whole, for the same reason. */
	size_t tail = h->watched.head_len < in.len ? h->watched.head_len : in.len;
	struct err e = feed_engine(h, bytes_slice(in, 0, in.len - tail));
	/* nghttp2 does not tell where a block ends that it refuses. */
	if (h->block.is_open && !http2_watch_is_in_block(h))
		http2_block_close(&h->block);
	return e;
}

struct err
http2_pull(struct http2 *h, struct buf *wire, size_t max)
{
	size_t start = wire->len;

	while (wire->len - start < max) {
		const uint8_t *at;
		ssize_t len = nghttp2_session_mem_send(h->session, &at);

		if (len < 0)
			return fail(ERR_SYSTEM, "out of memory for an HTTP/2 connection");
		if (len == 0)
			break;
		if (wire->room - wire->len < (size_t)len)
			(void)buf_reserve(wire, (size_t)len + PULL_AHEAD); /* put asks again */
		buf_put(wire, (struct bytes){ at, (size_t)len });
	}
	return buf_check(wire);
}

bool
http2_is_done(const struct http2 *h)
{
	return (h->is_over || nghttp2_session_want_read(h->session) == 0) &&
	       nghttp2_session_want_write(h->session) == 0;
}

bool
http2_is_faulty(const struct http2 *h)
{
	return h->is_faulty;
}

void
http2_consume(struct http2 *h, int32_t id, size_t len)
{
	struct http2_stream *s = http2_stream_of(h, id);

	if (s == NULL)
		return; /* its end has given back what it held */
	if (len > s->held)
		len = s->held;
	s->held -= len;
	/* Both fail without memory only. */
	if (h->is_client)
		(void)nghttp2_session_consume_stream(h->session, id, len);
	else
		(void)nghttp2_session_consume(h->session, id, len);
}

void
http2_forget(struct http2 *h, int32_t id)
{
	struct http2_stream *s = http2_stream_of(h, id);

	if (s == NULL)
		return;
	s->user = NULL;
	http2_consume(h, id, s->held);
}

void
http2_drain(struct http2 *h)
{
	static const uint8_t mark[8] = "drained";

	if (h->is_draining)
		return;
	h->is_draining = true;
	if (h->is_client) {
		http2_leave(h);
		return;
	}
	/* All fail without memory only: then the caller's own deadline ends the connection. */
	(void)nghttp2_submit_shutdown_notice(h->session);
	(void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, mark);
}

void
http2_leave(struct http2 *h)
{
	if (h->has_left)
		return;
	h->has_left = h->is_draining = true;
	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
	                            nghttp2_session_get_last_proc_stream_id(h->session),
	                            NGHTTP2_NO_ERROR, NULL, 0);
}

size_t
http2_streams(const struct http2 *h)
{
	return h->stream_count;
}

size_t
http2_room(const struct http2 *h)
{
	uint32_t max = nghttp2_session_get_remote_settings(h->session,
	                                                   NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	if (h->is_over || h->is_draining || nghttp2_session_check_request_allowed(h->session) == 0)
		return 0;
	if (max > HTTP2_STREAMS_MAX)
		max = HTTP2_STREAMS_MAX;
	return max > h->stream_count ? max - h->stream_count : 0;
}

bool
http2_is_in_head(const struct http2 *h)
{
	return h->block.is_open;
}
