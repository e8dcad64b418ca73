/* http2_send.c - heads, bodies and trailers of ours, as nghttp2 takes them. */
#include "http/http2_session.h"

#include <stdlib.h>
#include <strings.h>

#include "base/macros.h"

enum { FIELDS = HTTP_FIELDS_MAX + 28, CREDIT_END = 2, RESET_COST = 1 };

/* The fields of one head. */
struct head {
	nghttp2_nv fields[FIELDS];
	size_t count;
	struct buf text; /* owned: lines, their names folded */
};

static struct err
as_err(int status)
{
	if (status >= 0)
		return OK;
	return nghttp2_is_fatal(status) ? fail(ERR_SYSTEM, "out of memory for an HTTP/2 stream")
	                                : fail(ERR_PEER, "an HTTP/2 stream is over");
}

static struct err
add(struct head *head, struct bytes name, struct bytes value)
{
	/* Kept out of the table that other fields are squeezed by (RFC 7541 section 7.1.3). */
	bool is_secret = bytes_is(name, "authorization") || bytes_is(name, "set-cookie") ||
	                 bytes_is(name, "cookie");

	if (head->count == FIELDS)
		return fail(ERR_LIMIT, "a head has too many fields");
	head->fields[head->count++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.at,
		.namelen = name.len,
		.value = (uint8_t *)(uintptr_t)value.at,
		.valuelen = value.len,
		.flags = is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
	};
	return OK;
}

static void
fold(uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] |= 0x20;
}

/* RFC 9113 section 8.2.2. */
static bool
is_of_connection(struct bytes name, struct bytes value)
{
	static const struct bytes names[] = {
		BYTES("connection"),        BYTES("keep-alive"), BYTES("proxy-connection"),
		BYTES("transfer-encoding"), BYTES("upgrade"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bytes_equal(name, names[i]))
			return true;
	return bytes_is(name, "te") && !bytes_is(value, "trailers");
}

/* "Name: value\r\n" lines of ours: well-formed, or a mistake of ours. */
static struct err
add_lines(struct head *head, struct bytes lines)
{
	buf_put(&head->text, lines);
	TRY(buf_check(&head->text));

	uint8_t *at = head->text.at;
	struct bytes rest = buf_bytes(&head->text);
	while (rest.len > 0) {
		size_t end = bytes_find(rest, '\n');
		struct http_field f;

		if (end == rest.len || end == 0)
			return fail(ERR_SYSTEM, "a field line of an answer is malformed");
		TRY(http_field_parse_token(bytes_slice(rest, 0, end - 1), &f));
		fold(at + (f.name.at - at), f.name.len);
		if (!is_of_connection(f.name, f.value))
			TRY(add(head, f.name, f.value));
		rest = bytes_slice(rest, end + 1, rest.len);
	}
	return OK;
}

static void
head_done(struct head *head)
{
	buf_wipe(&head->text);
}

/* Bodies */

static struct err
submit_trailers(struct http2 *h, struct http2_stream *s)
{
	CLEANUP(head_done) struct head head;

	head.count = 0;
	head.text = (struct buf){ 0 };
	TRY(add_lines(&head, buf_bytes(&s->trailers)));
	return as_err(nghttp2_submit_trailer(h->session, s->id, head.fields, head.count));
}

static ssize_t
read_own(struct http2_stream *s, uint8_t *at, size_t room, uint32_t *flags)
{
	struct bytes part = bytes_slice(buf_bytes(&s->body), s->sent, s->sent + room);

	memcpy(at, part.at, part.len);
	s->sent += part.len;
	if (s->sent == s->body.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)part.len;
}

static ssize_t
on_read(nghttp2_session *session, int32_t id, uint8_t *at, size_t room, uint32_t *flags,
        nghttp2_data_source *source, void *of)
{
	struct http2 *h = of;
	struct http2_stream *s = http2_stream_of(h, id);
	size_t len = 0;
	bool is_end = false;

	(void)session, (void)source;
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (s->body.len > 0)
		return read_own(s, at, room, flags);
	if (s->user == NULL)
		return NGHTTP2_ERR_DEFERRED; /* it is being reset */
	h->ops->pull(h->of, s->user, at, room, &len, &is_end);
	if (len == 0 && !is_end)
		return NGHTTP2_ERR_DEFERRED;
	if (is_end) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->has_trailers) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (failed(submit_trailers(h, s)))
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	}
	return (ssize_t)len;
}

static const nghttp2_data_provider body = { .read_callback = on_read };

/* Heads */

struct err
http2_respond(struct http2 *h, int32_t id, unsigned status, struct bytes lines, bool is_last)
{
	CLEANUP(head_done) struct head head;
	uint8_t digits[3] = { (uint8_t)('0' + status / 100 % 10), (uint8_t)('0' + status / 10 % 10),
		              (uint8_t)('0' + status % 10) };

	head.count = 0;
	head.text = (struct buf){ 0 };
	TRY(add(&head, BYTES(":status"), (struct bytes){ digits, sizeof digits }));
	TRY(add_lines(&head, lines));
	if (status < 200)
		return as_err(nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, id, NULL,
		                                     head.fields, head.count, NULL));
	return as_err(nghttp2_submit_response(h->session, id, head.fields, head.count,
	                                      is_last ? NULL : &body));
}

struct err
http2_refuse(struct http2 *h, int32_t id, unsigned status, struct bytes lines, struct bytes text)
{
	struct http2_stream *s = http2_stream_of(h, id);

	if (s == NULL)
		return fail(ERR_PEER, "an HTTP/2 stream is over");
	buf_put(&s->body, text);
	TRY(buf_check(&s->body));
	return http2_respond(h, id, status, lines, text.len == 0);
}

static enum http_method
method_of(struct bytes name)
{
	return bytes_is(name, "HEAD") ? HTTP_HEAD : HTTP_GET; /* what else matters to nobody here */
}

struct err
http2_request(struct http2 *h, const struct http2_request *r, void *user, int32_t *ret_id)
{
	CLEANUP(head_done) struct head head;
	struct http2_stream *s;

	head.count = 0;
	head.text = (struct buf){ 0 };
	TRY(add(&head, BYTES(":method"), r->method));
	TRY(add(&head, BYTES(":scheme"), r->scheme));
	TRY(add(&head, BYTES(":authority"), r->authority));
	TRY(add(&head, BYTES(":path"), r->path));
	TRY(add_lines(&head, r->lines));
	if (h->is_over || (s = http2_stream_new(h, 0)) == NULL)
		return fail(ERR_UPSTREAM, "an HTTP/2 connection takes no more requests");
	s->user = user;
	s->method = method_of(r->method);
	s->id = nghttp2_submit_request(h->session, NULL, head.fields, head.count,
	                               r->is_last ? NULL : &body, s);
	if (s->id < 0) {
		http2_stream_free(h, s);
		return fail(ERR_UPSTREAM, "an HTTP/2 connection takes no more requests");
	}
	*ret_id = s->id;
	return OK;
}

struct err
http2_trailers(struct http2 *h, int32_t id, struct bytes lines)
{
	struct http2_stream *s = http2_stream_of(h, id);

	if (s == NULL)
		return fail(ERR_PEER, "an HTTP/2 stream is over");
	buf_put(&s->trailers, lines);
	s->has_trailers = lines.len > 0;
	return buf_check(&s->trailers);
}

void
http2_resume(struct http2 *h, int32_t id)
{
	(void)nghttp2_session_resume_data(h->session, id); /* fails where nothing was deferred */
}

void
http2_reset(struct http2 *h, int32_t id, uint32_t code)
{
	/* Fails without memory only. */
	(void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, code);
}

/* What has left */

/* An answer that came before the request's end: nobody needs the rest (RFC 9113 section 8.1). Where
 * somebody is tied to the stream, it is theirs to say how long it may still come. */
static void
on_end_sent(struct http2 *h, int32_t id)
{
	const struct http2_stream *s = http2_stream_of(h, id);

	if (!h->is_client && (s == NULL || s->user == NULL) &&
	    nghttp2_session_get_stream_remote_close(h->session, id) == 0)
		http2_reset(h, id, NGHTTP2_NO_ERROR);
}

static int
on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *of)
{
	struct http2 *h = of;
	bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	bool is_fine = true;

	(void)session;
	/* Many clients open their windows again for every few KiB they have read. */
	if (frame->hd.type == NGHTTP2_DATA)
		http2_credit(h, (uint32_t)(frame->hd.length / HTTP2_DATA_OF_USE) +
		                        CREDIT_END * is_last);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		h->is_faulty |= frame->goaway.error_code != NGHTTP2_NO_ERROR;
	/* A reset of ours was made necessary by the peer (CVE-2025-8671). */
	if (frame->hd.type == NGHTTP2_RST_STREAM && !h->is_client &&
	    frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
		is_fine = http2_count(h, RESET_COST);
	if (!is_fine && !h->is_over) {
		h->is_over = true;
		/* Fails without memory only. */
		(void)nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	if (is_last && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
		on_end_sent(h, frame->hd.stream_id);
	return 0;
}

void
http2_send_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
}
