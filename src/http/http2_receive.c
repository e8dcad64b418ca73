/* http2_receive.c - what nghttp2 tells of the peer's frames, turned into what http2_ops tells.
 *
 * nghttp2 checks frames, states of streams, flow control and the rules for messages (RFC 9113
 * sections 4 to 8), and resets or ends what breaks them. */
#include "http/http2_session.h"

#include <stdlib.h>

enum { CREDIT_REQUEST = 4 };

static enum http_byte
names_of(const struct http2 *h)
{
	return h->is_client ? HTTP_BYTE_TOKEN : HTTP_BYTE_NAME;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *of)
{
	struct http2 *h = of;
	struct http2_stream *s = http2_stream_of(h, frame->hd.stream_id);
	enum http2_block_kind kind = HTTP2_BLOCK_TRAILERS;

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (h->is_client && s != NULL && !s->has_head)
		kind = HTTP2_BLOCK_RESPONSE;
	if (!h->is_client && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		kind = HTTP2_BLOCK_REQUEST;
		s = http2_stream_new(h, frame->hd.stream_id);
		if (s == NULL)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		(void)nghttp2_session_set_stream_user_data(session, s->id, s); /* it is there */
	}
	http2_block_open(&h->block, kind, names_of(h));
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
          size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *of)
{
	struct http2 *h = of;

	(void)session, (void)flags, (void)frame;
	if (http2_block_add(&h->block, (struct bytes){ name, name_len },
	                    (struct bytes){ value, value_len }))
		return 0;
	h->fault = NGHTTP2_ENHANCE_YOUR_CALM;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A name or value that holds what it may not: without this call it would be left out, in silence.
 */
static int
on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *of)
{
	(void)name, (void)name_len, (void)value, (void)value_len, (void)flags, (void)of;
	(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
	                                NGHTTP2_PROTOCOL_ERROR); /* fails without memory only */
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
on_request(struct http2 *h, struct http2_stream *s, bool is_last)
{
	struct http_head head;
	struct err e = http2_block_request(&h->block, is_last, &head);

	s->has_head = true;
	if (failed(e)) {
		h->ops->refused(h->of, s->id, e);
		return;
	}
	h->ops->request(h->of, s->id, &head, &h->block.text, is_last, &s->user);
	if (s->user == NULL)
		http2_reset(h, s->id, NGHTTP2_REFUSED_STREAM);
}

static void
on_response(struct http2 *h, struct http2_stream *s, bool is_last)
{
	struct http_response head;

	if (failed(http2_block_response(&h->block, s->method, is_last, &head))) {
		http2_reset(h, s->id, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	s->has_head = head.status >= 200;
	if (s->user != NULL)
		h->ops->response(h->of, s->user, &head, is_last);
}

static void
on_trailers(struct http2 *h, struct http2_stream *s)
{
	struct bytes lines;

	if (failed(http2_block_trailers(&h->block, &lines)))
		http2_reset(h, s->id, NGHTTP2_PROTOCOL_ERROR);
	else if (s->user != NULL)
		h->ops->end(h->of, s->user, lines);
}

static void
on_headers(struct http2 *h, struct http2_stream *s, bool is_last)
{
	h->block.is_open = false;
	if (s == NULL)
		return;
	if (h->block.kind == HTTP2_BLOCK_REQUEST)
		on_request(h, s, is_last);
	else if (h->block.kind == HTTP2_BLOCK_RESPONSE)
		on_response(h, s, is_last);
	else
		on_trailers(h, s);
	http2_block_close(&h->block);
}

/* Padding alone is as empty. */
static bool
is_empty_data(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_DATA && frame->hd.length > 0 &&
	       frame->hd.length <= frame->data.padlen &&
	       (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *of)
{
	struct http2 *h = of;
	struct http2_stream *s = http2_stream_of(h, frame->hd.stream_id);
	bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	(void)session;
	if (is_empty_data(frame) && !http2_count(h, 1)) {
		h->fault = NGHTTP2_ENHANCE_YOUR_CALM;
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (frame->hd.type == NGHTTP2_HEADERS)
		on_headers(h, s, is_last);
	else if (frame->hd.type == NGHTTP2_DATA && is_last && s != NULL && s->user != NULL)
		h->ops->end(h->of, s->user, (struct bytes){ 0 });
	else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
	         h->is_draining && !h->is_client)
		http2_leave(h); /* the peer has heard: it sends no more that is not lost */
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at, size_t len,
        void *of)
{
	struct http2 *h = of;
	struct http2_stream *s = http2_stream_of(h, id);

	(void)session, (void)flags;
	if (s == NULL) {
		(void)nghttp2_session_consume(session, id, len); /* fails without memory only */
		return 0;
	}
	s->held += len;
	if (h->is_client) /* fails without memory only */
		(void)nghttp2_session_consume_connection(session, len);
	http2_credit(h, (uint32_t)(len / HTTP2_DATA_OF_USE));
	if (s->user == NULL)
		http2_consume(h, id, len);
	else
		h->ops->data(h->of, s->user, (struct bytes){ at, len });
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *of)
{
	struct http2 *h = of;
	struct http2_stream *s = http2_stream_of(h, id);
	bool has_left = nghttp2_session_get_stream_user_data(session, id) != NULL;

	if (s == NULL)
		return 0;
	if (!has_left)
		code = NGHTTP2_REFUSED_STREAM;
	/* What was never taken up must not narrow the window of all others. */
	if (s->held > 0 && !h->is_client)
		(void)nghttp2_session_consume_connection(session, s->held);
	s->held = 0;
	if (code == NGHTTP2_NO_ERROR)
		http2_credit(h, CREDIT_REQUEST);
	if (has_left)
		(void)nghttp2_session_set_stream_user_data(session, id, NULL); /* it is there */
	if (s->user != NULL)
		h->ops->closed(h->of, s->user, code);
	http2_stream_free(h, s);
	return 0;
}

void
http2_receive_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}
