/* http2_tape.h - bytes of an HTTP/2 peer made by hand, and what the engine makes of them as text:
 * for test_http2*.c. No HPACK table and no Huffman code is used, so that each byte is what the test
 * wrote. */
#ifndef UNIT_HTTP_HTTP2_TAPE_H
#define UNIT_HTTP_HTTP2_TAPE_H

#include "base/macros.h"
#include "http/http2.h"
#include "test.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

/* Tapes */

static inline void
put_u32be(struct buf *out, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_u8(out, (uint8_t)(value >> shift));
}

static inline void
put_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t id, struct bytes payload)
{
	buf_put_u8(out, (uint8_t)(payload.len >> 16));
	buf_put_u8(out, (uint8_t)(payload.len >> 8));
	buf_put_u8(out, (uint8_t)payload.len);
	buf_put_u8(out, type);
	buf_put_u8(out, flags);
	put_u32be(out, id);
	buf_put(out, payload);
}

static inline void
put_frame_u32(struct buf *out, uint8_t type, uint32_t id, uint32_t value)
{
	CLEANUP(buf_done) struct buf payload = { 0 };

	put_u32be(&payload, value);
	put_frame(out, type, 0, id, buf_bytes(&payload));
}

static inline void
put_text(struct buf *out, struct bytes text)
{
	size_t rest = text.len;

	buf_put_u8(out, rest < 127 ? (uint8_t)rest : 127);
	if (rest >= 127)
		for (rest -= 127;; rest >>= 7) {
			buf_put_u8(out, (uint8_t)(rest > 127 ? rest % 128 + 128 : rest));
			if (rest <= 127)
				break;
		}
	buf_put(out, text);
}

/* RFC 7541 section 6.2.3: literal, never indexed, with a new name; no Huffman. */
static inline void
put_field(struct buf *out, struct bytes name, struct bytes value)
{
	buf_put_u8(out, 0x10);
	put_text(out, name);
	put_text(out, value);
}

/* "name=value;name=value": '=' and ';' are in none of them. */
static inline void
put_fields(struct buf *out, const char *text)
{
	struct bytes rest = bytes_text(text);

	while (rest.len > 0) {
		size_t end = bytes_find(rest, ';'), mark = bytes_find(rest, '=');
		put_field(out, bytes_slice(rest, 0, mark), bytes_slice(rest, mark + 1, end));
		rest = bytes_slice(rest, end + 1, rest.len);
	}
}

static inline void
put_head(struct buf *out, uint32_t id, bool is_last, const char *fields)
{
	CLEANUP(buf_done) struct buf block = { 0 };

	put_fields(&block, fields);
	put_frame(out, HEADERS, END_HEADERS | (is_last ? END_STREAM : 0), id, buf_bytes(&block));
}

static inline void
put_preface(struct buf *out)
{
	buf_put_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_frame(out, SETTINGS, 0, 0, (struct bytes){ 0 });
}

#define GET ":method=GET;:scheme=http;:path=/a?b;:authority=h.example"
#define POST ":method=POST;:scheme=http;:path=/p;:authority=h.example"

#define ANSWERED "closed 1 0\n<HEADERS 1>\n<DATA 1 hello end>\n"

/* What the engine tells, as text */

struct seen {
	struct http2 *http2;
	struct buf text;
	struct bytes answer; /* of each request, when its end has come; none: it is left open */
	struct bytes trailers;
	size_t pulled;
	bool takes_none, eats; /* refuses streams; gives back what it was given */
	uint64_t now_us;
};

/* A stream is known by its id. */
static inline int32_t
id_of(const void *stream)
{
	return (int32_t)(intptr_t)stream;
}

static inline void
respond(struct seen *s, int32_t id)
{
	if (s->answer.at == NULL)
		return;
	struct err e =
		http2_respond(s->http2, id, 200, BYTES("Content-Type: text/plain\r\n"), false);
	CHECK(!failed(e));
}

static inline void
put_http_fields(struct seen *s, const struct http_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(&s->text, " [%.*s|%.*s]", (int)fields[i].name.len,
		           (const char *)fields[i].name.at, (int)fields[i].value.len,
		           (const char *)fields[i].value.at);
}

static inline void
on_request(void *of, int32_t id, struct http_head *h, struct buf *text, bool is_last, void **ret)
{
	struct seen *s = of;
	struct bytes method = http_method_name(h->method);

	(void)text;
	buf_printf(&s->text, "request %d %.*s %.*s @%.*s", id, (int)method.len,
	           (const char *)method.at, (int)h->target.len, (const char *)h->target.at,
	           (int)h->host.len, (const char *)h->host.at);
	if (h->has_length)
		buf_printf(&s->text, " length=%llu", (unsigned long long)h->content_length);
	buf_put_text(&s->text, h->is_chunked ? " chunked" : "");
	put_http_fields(s, h->fields, h->field_count);
	buf_put_text(&s->text, is_last ? " last\n" : "\n");
	if (s->takes_none)
		return;
	*ret = (void *)(intptr_t)id;
	if (is_last)
		respond(s, id);
}

static inline void
on_refused(void *of, int32_t id, struct err e)
{
	struct seen *s = of;

	buf_printf(&s->text, "refused %d %u\n", id, e.code);
	CHECK(!failed(http2_refuse(s->http2, id, e.code, BYTES("X: y\r\n"), BYTES("no"))));
}

static inline void
on_response(void *of, void *stream, struct http_response *head, bool is_last)
{
	struct seen *s = of;

	buf_printf(&s->text, "response %d %u", id_of(stream), head->status);
	put_http_fields(s, head->fields, head->field_count);
	buf_printf(&s->text, " framing=%d%s\n", head->framing, is_last ? " last" : "");
}

/* Runs of data are told as one, however they were cut. */
static inline void
on_data(void *of, void *stream, struct bytes part)
{
	struct seen *s = of;

	if (s->text.len == 0 || s->text.at[s->text.len - 1] != '>')
		buf_printf(&s->text, "data %d >", id_of(stream));
	s->text.len--;
	buf_put(&s->text, part);
	buf_put_u8(&s->text, '>');
	if (s->eats)
		http2_consume(s->http2, id_of(stream), part.len);
}

static inline void
on_end(void *of, void *stream, struct bytes trailers)
{
	struct seen *s = of;

	buf_printf(&s->text, "end %d %.*s\n", id_of(stream), (int)trailers.len,
	           (const char *)trailers.at);
	respond(s, id_of(stream));
}

static inline void
on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	struct seen *s = of;
	struct bytes part = bytes_slice(s->answer, s->pulled, s->pulled + room);

	memcpy(at, part.at, part.len);
	s->pulled += part.len;
	*ret_len = part.len;
	*ret_end = s->pulled == s->answer.len;
	if (*ret_end && s->trailers.len > 0)
		CHECK(!failed(http2_trailers(s->http2, id_of(stream), s->trailers)));
}

static inline void
on_closed(void *of, void *stream, uint32_t code)
{
	struct seen *s = of;

	buf_printf(&s->text, "closed %d %u\n", id_of(stream), code);
}

static const struct http2_ops ops = {
	.request = on_request,
	.refused = on_refused,
	.response = on_response,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
};

/* The engine's own frames, as text: what is of no interest here is left out. */
static inline void
tell_wire(struct seen *s, struct bytes wire)
{
	static const char *const names[] = {
		[DATA] = "DATA", [HEADERS] = "HEADERS", [RST_STREAM] = "RST", [GOAWAY] = "GOAWAY"
	};

	while (wire.len >= 9) {
		size_t len = (size_t)wire.at[0] << 16 | (size_t)wire.at[1] << 8 | wire.at[2];
		uint8_t type = wire.at[3], flags = wire.at[4], id = wire.at[8];
		struct bytes payload = bytes_slice(wire, 9, 9 + len);

		if (type < ARRAY_LEN(names) && names[type] != NULL) {
			buf_printf(&s->text, "<%s %u", names[type], id);
			if (type == RST_STREAM)
				buf_printf(&s->text, " %u", payload.at[3]);
			if (type == GOAWAY)
				buf_printf(&s->text, " %u", payload.at[7]);
			if (type == DATA && len <= 64)
				buf_printf(&s->text, " %.*s", (int)len, (const char *)payload.at);
			if ((type == DATA || type == HEADERS) && (flags & END_STREAM) != 0)
				buf_put_text(&s->text, " end");
			buf_put_text(&s->text, ">\n");
		}
		wire = bytes_slice(wire, 9 + len, wire.len);
	}
	CHECK(wire.len == 0);
}

static inline void
seen_done(struct seen *s)
{
	http2_free(s->http2);
	buf_done(&s->text);
}

static inline struct bytes
copy_of(struct bytes in)
{
	uint8_t *at = malloc(in.len + (in.len == 0));

	if (at == NULL)
		abort();
	if (in.len > 0)
		memcpy(at, in.at, in.len);
	return (struct bytes){ at, in.len };
}

/* Feeds `in` up to `cut`, then by `stride`; what is to be sent is pulled at the end only, so that
 * it does not depend on the cuts. */
static inline void
feed(struct seen *s, struct bytes in, size_t cut, size_t stride)
{
	CLEANUP(buf_done) struct buf wire = { 0 };

	for (size_t at = 0, end = cut; at < in.len;
	     at = end, end = in.len - end < stride ? in.len : end + stride) {
		struct bytes part = copy_of(bytes_slice(in, at, end)); /* a read past it is found */
		struct err e = http2_feed(s->http2, part, s->now_us);
		free((void *)(uintptr_t)part.at);
		if (failed(e)) {
			buf_put_text(&s->text, "broken\n");
			break;
		}
	}
	CHECK(!failed(http2_pull(s->http2, &wire, SIZE_MAX)));
	tell_wire(s, buf_bytes(&wire));
	if (http2_is_done(s->http2))
		buf_put_text(&s->text, "done\n");
}

static inline void
run_server(const struct seen *as, struct bytes in, size_t cut, size_t stride, struct buf *ret)
{
	CLEANUP(seen_done) struct seen s = *as;

	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	feed(&s, in, cut, stride);
	buf_put(ret, buf_bytes(&s.text));
}

static inline void
check_as(const struct seen *as, const struct buf *tape, const char *wanted, const char *row)
{
	struct bytes in = buf_bytes(tape);

	for (size_t cut = 0; cut <= in.len; cut += 1 + in.len / 600) {
		CLEANUP(buf_done) struct buf text = { 0 };
		run_server(as, in, cut == 0 ? 1 : cut, cut == 0 ? 1 : in.len, &text);
		if (!bytes_is(buf_bytes(&text), wanted)) {
			printf("# %s cut %zu: got\n%.*s", row, cut, (int)text.len,
			       (const char *)text.at);
			CHECK_ROW(false, row);
			return;
		}
	}
}

static const struct seen plain = { .answer = BYTES("hello"), .eats = true, .now_us = 1000000 };

/* `put` behind a preface. */
static inline void
check_head(const char *fields, bool is_last, const char *wanted)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, is_last, fields);
	check_as(&plain, &tape, wanted, fields);
}

#endif
