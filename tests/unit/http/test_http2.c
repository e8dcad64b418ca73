/* test_http2.c - HTTP/2 engine against bytes made by hand, not by itself: each tape is fed whole,
 * cut at every byte and one byte at a time, and what the engine tells must be the same. Numbers are
 * cases of the project's list of attacks. */
#include "http/http2.h"

#include "base/macros.h"
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

static void
put_u32be(struct buf *out, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_u8(out, (uint8_t)(value >> shift));
}

static void
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

static void
put_frame_u32(struct buf *out, uint8_t type, uint32_t id, uint32_t value)
{
	CLEANUP(buf_done) struct buf payload = { 0 };

	put_u32be(&payload, value);
	put_frame(out, type, 0, id, buf_bytes(&payload));
}

static void
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
static void
put_field(struct buf *out, struct bytes name, struct bytes value)
{
	buf_put_u8(out, 0x10);
	put_text(out, name);
	put_text(out, value);
}

/* "name=value;name=value": '=' and ';' are in none of them. */
static void
put_fields(struct buf *out, const char *text)
{
	struct bytes rest = bytes_text(text);

	while (rest.len > 0) {
		size_t end = bytes_find(rest, ';'), mark = bytes_find(rest, '=');
		put_field(out, bytes_slice(rest, 0, mark), bytes_slice(rest, mark + 1, end));
		rest = bytes_slice(rest, end + 1, rest.len);
	}
}

static void
put_head(struct buf *out, uint32_t id, bool is_last, const char *fields)
{
	CLEANUP(buf_done) struct buf block = { 0 };

	put_fields(&block, fields);
	put_frame(out, HEADERS, END_HEADERS | (is_last ? END_STREAM : 0), id, buf_bytes(&block));
}

static void
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
static int32_t
id_of(const void *stream)
{
	return (int32_t)(intptr_t)stream;
}

static void
respond(struct seen *s, int32_t id)
{
	if (s->answer.at == NULL)
		return;
	struct err e =
		http2_respond(s->http2, id, 200, BYTES("Content-Type: text/plain\r\n"), false);
	CHECK(!failed(e));
}

static void
put_http_fields(struct seen *s, const struct http_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(&s->text, " [%.*s|%.*s]", (int)fields[i].name.len,
		           (const char *)fields[i].name.at, (int)fields[i].value.len,
		           (const char *)fields[i].value.at);
}

static void
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

static void
on_refused(void *of, int32_t id, struct err e)
{
	struct seen *s = of;

	buf_printf(&s->text, "refused %d %u\n", id, e.code);
	CHECK(!failed(http2_refuse(s->http2, id, e.code, BYTES("X: y\r\n"), BYTES("no"))));
}

static void
on_response(void *of, void *stream, struct http_response *head, bool is_last)
{
	struct seen *s = of;

	buf_printf(&s->text, "response %d %u", id_of(stream), head->status);
	put_http_fields(s, head->fields, head->field_count);
	buf_printf(&s->text, " framing=%d%s\n", head->framing, is_last ? " last" : "");
}

/* Runs of data are told as one, however they were cut. */
static void
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

static void
on_end(void *of, void *stream, struct bytes trailers)
{
	struct seen *s = of;

	buf_printf(&s->text, "end %d %.*s\n", id_of(stream), (int)trailers.len,
	           (const char *)trailers.at);
	respond(s, id_of(stream));
}

static void
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

static void
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
static void
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

static void
seen_done(struct seen *s)
{
	http2_free(s->http2);
	buf_done(&s->text);
}

static struct bytes
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
static void
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

static void
run_server(const struct seen *as, struct bytes in, size_t cut, size_t stride, struct buf *ret)
{
	CLEANUP(seen_done) struct seen s = *as;

	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	feed(&s, in, cut, stride);
	buf_put(ret, buf_bytes(&s.text));
}

static void
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
static void
check_head(const char *fields, bool is_last, const char *wanted)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, is_last, fields);
	check_as(&plain, &tape, wanted, fields);
}

/* Tests */

static void
test_a_request_is_told_and_answered(void)
{
	check_head(GET ";accept=x", true,
	           "request 1 GET /a?b @h.example [host|h.example] [accept|x] last\n" ANSWERED);
	check_head(":method=OPTIONS;:scheme=https;:path=*;:authority=h.example", true,
	           "request 1 OPTIONS * @h.example [host|h.example] last\n" ANSWERED);
}

/* The frames of a stream are told before its close in the order of the wire; here the close comes
 * last. */
static void
test_a_body_is_told_as_it_comes(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, false, POST);
	put_frame(&tape, DATA, 0, 1, BYTES("abc"));
	put_frame(&tape, DATA, PADDED, 1, BYTES("\2de\0\0"));
	put_frame(&tape, DATA, END_STREAM, 1, BYTES("f"));
	check_as(&plain, &tape,
	         "request 1 POST /p @h.example chunked [host|h.example] "
	         "[transfer-encoding|chunked]\ndata 1 abcdef>end 1 \n" ANSWERED,
	         "body");
}

static void
test_trailers_are_told_but_for_those_that_may_not_go_on(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, false, POST ";content-length=3");
	put_frame(&tape, DATA, 0, 1, BYTES("abc"));
	put_head(&tape, 1, true, "x-sum=3;authorization=b;cookie=c;x-more=4");
	check_as(&plain, &tape,
	         "request 1 POST /p @h.example length=3 [host|h.example] [content-length|3]\ndata "
	         "1 abc>end 1 x-sum: 3\r\nx-more: 4\r\n\n" ANSWERED,
	         "trailers");
}

static void
test_our_trailers_stand_behind_our_body(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	struct seen as = plain;

	as.trailers = BYTES("X-Sum: 5\r\n");
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	check_as(&as, &tape,
	         "request 1 GET /a?b @h.example [host|h.example] last\nclosed 1 0\n<HEADERS "
	         "1>\n<DATA 1 hello>\n<HEADERS 1 end>\n",
	         "trailers");
}

static void
test_a_head_may_come_in_pieces(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, block = { 0 };

	put_fields(&block, GET ";x=y");
	put_preface(&tape);
	put_frame(&tape, HEADERS, END_STREAM, 1, bytes_slice(buf_bytes(&block), 0, 5));
	put_frame(&tape, CONTINUATION, 0, 1, bytes_slice(buf_bytes(&block), 5, 20));
	put_frame(&tape, CONTINUATION, END_HEADERS, 1,
	          bytes_slice(buf_bytes(&block), 20, block.len));
	check_as(&plain, &tape,
	         "request 1 GET /a?b @h.example [host|h.example] [x|y] last\n" ANSWERED, "pieces");
}

static void
test_crumbs_of_a_cookie_are_one_field(void)
{
	check_head(GET ";cookie=a:1;x=y;cookie=b:2", true,
	           "request 1 GET /a?b @h.example [host|h.example] [x|y] [cookie|a:1; b:2] "
	           "last\n" ANSWERED);
}

static void
test_a_host_stands_for_an_authority(void)
{
	check_head(":method=GET;:scheme=http;:path=/;host=h.example", true,
	           "request 1 GET / @h.example [host|h.example] last\n" ANSWERED);
	check_head(GET ";host=H.example", true,
	           "request 1 GET /a?b @h.example [host|h.example] last\n" ANSWERED);
}

#define REFUSED(code) "refused 1 " code "\n<HEADERS 1>\n<DATA 1 no end>\n"
#define RESET "<RST 1 1>\n"

static void
test_58_heads_that_http_1_could_not_say_are_refused(void)
{
	static const struct {
		const char *fields, *wanted;
	} rows[] = {
		{ GET ";host=b.example", REFUSED("400") },
		{ GET ";host=h.example;host=h.example", RESET },
		{ GET ";a_b=c", REFUSED("400") },
		{ GET ";A=c", RESET },
		{ GET ";a:b=c", RESET },
		{ GET ";a b=c", RESET },
		{ GET ";=c", RESET },
		{ GET ";a=b\r\nx: y", RESET },
		{ GET ";a=b\nc", RESET },
		{ GET ";a=b\rc", RESET },
		{ GET ";a= b", RESET },
		{ GET ";a=b ", RESET },
		{ GET ";connection=close", RESET },
		{ GET ";transfer-encoding=chunked", RESET },
		{ GET ";upgrade=h2c", RESET },
		{ GET ";te=gzip", RESET },
		{ GET ";expect=200-ok", REFUSED("417") },
		{ GET ";:path=/b", RESET },
		{ GET ";a=b;:path=/b", RESET },
		{ GET ";:status=200", RESET },
		{ ":scheme=http;:path=/;:authority=h", RESET },
		{ ":method=GET;:path=/;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/", RESET },
		{ ":method=GET;:scheme=http;:path=x;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=http://h/;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=*;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/ HTTP/1.1\r\nx: y;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/ x;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/#x;:authority=h", REFUSED("400") },
		{ ":method=GET;:scheme=ftp;:path=/;:authority=h", REFUSED("400") },
		{ ":method=GET;:scheme=http;:path=/;:authority=u@h", REFUSED("400") },
		{ ":method=GET;:scheme=http;:path=/;:authority=h h", RESET },
		{ ":method=TRACE;:scheme=http;:path=/;:authority=h", REFUSED("501") },
		{ ":method=G T;:scheme=http;:path=/;:authority=h", RESET },
		{ ":method=CONNECT;:authority=h.example:443", REFUSED("501") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_head(rows[i].fields, true, rows[i].wanted);
}

static void
test_58_lengths_that_are_not_the_bodys_reset_the_stream(void)
{
	static const char *const lengths[] = { "2", "4", "0" };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		CLEANUP(buf_done) struct buf tape = { 0 }, fields = { 0 }, text = { 0 };

		buf_printf(&fields, "%s;content-length=%s%c", POST, lengths[i], '\0');
		put_preface(&tape);
		put_head(&tape, 1, false, (const char *)fields.at);
		put_frame(&tape, DATA, END_STREAM, 1, BYTES("abc"));
		run_server(&plain, buf_bytes(&tape), tape.len, 1, &text);
		buf_put_u8(&text, '\0');
		CHECK_ROW(strstr((const char *)text.at, "<RST 1 1>") != NULL, lengths[i]);
		CHECK_ROW(strstr((const char *)text.at, "end 1") == NULL, lengths[i]);
	}
	check_head(POST ";content-length=3", true, RESET);
	check_head(POST ";content-length=03;x=y", false, REFUSED("400") "<RST 1 0>\n");
}

static void
test_large_heads_are_refused_on_their_stream(void)
{
	CLEANUP(buf_done) struct buf many = { 0 }, path = { 0 };

	buf_put_text(&many, GET);
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		buf_printf(&many, ";x%d=y", i);
	buf_put_u8(&many, '\0');
	check_head((const char *)many.at, true, REFUSED("431"));

	buf_put_text(&path, ":method=GET;:scheme=http;:authority=h;:path=/");
	for (int i = 0; i < HTTP_TARGET_MAX; i++)
		buf_put_u8(&path, 'a');
	buf_put_u8(&path, '\0');
	check_head((const char *)path.at, true, REFUSED("414"));
}

static void
test_a_stream_that_is_not_taken_is_refused(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	struct seen as = plain;

	as.takes_none = true;
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	check_as(&as, &tape, "request 1 GET /a?b @h.example [host|h.example] last\n<RST 1 7>\n",
	         "not taken");
}

static void
test_what_is_not_http_2_is_broken_off(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	buf_put_text(&tape, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nand so on");
	check_as(&plain, &tape, "broken\n<GOAWAY 0 1>\ndone\n", "preface");
}

static void
test_errors_of_the_protocol_end_the_connection(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, even = { 0 };

	put_preface(&tape);
	put_frame(&tape, PING, 0, 0, BYTES("short"));
	check_as(&plain, &tape, "<GOAWAY 0 6>\ndone\n", "frame size");
	put_preface(&even);
	put_head(&even, 2, true, GET);
	check_as(&plain, &even, "<GOAWAY 0 1>\ndone\n", "even id");
}

/* The tape `count` times behind a preface: is the peer told to calm down? */
static bool
is_calmed(const struct seen *as, const struct buf *tape, size_t count, bool has_stream)
{
	CLEANUP(buf_done) struct buf all = { 0 }, text = { 0 };

	put_preface(&all);
	if (has_stream)
		put_head(&all, 1, false, POST);
	for (size_t i = 0; i < count; i++)
		buf_put(&all, buf_bytes(tape));
	run_server(as, buf_bytes(&all), all.len, 1, &text);
	buf_put_u8(&text, '\0');
	return strstr((const char *)text.at, " 11>\n") != NULL;
}

static void
test_56_frames_without_use_are_counted(void)
{
	static const struct {
		uint8_t type, flags;
		uint32_t id;
		struct bytes payload;
	} rows[] = {
		{ PING, 0, 0, BYTES("12345678") },
		{ PING, ACK, 0, BYTES("12345678") },
		{ SETTINGS, 0, 0, { 0 } },
		{ PRIORITY, 0, 7, BYTES("\0\0\0\1\1") },
		{ WINDOW_UPDATE, 0, 0, BYTES("\0\0\0\1") },
		{ WINDOW_UPDATE, 0, 1, BYTES("\0\0\0\1") },
		{ DATA, 0, 1, { 0 } },
		{ DATA, PADDED, 1, BYTES("\0") },
		{ DATA, PADDED, 1, BYTES("\3\0\0\0") },
		{ 0xbe, 0, 0, BYTES("unknown") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf tape = { 0 };

		put_frame(&tape, rows[i].type, rows[i].flags, rows[i].id, rows[i].payload);
		CHECK(!is_calmed(&plain, &tape, HTTP2_GLITCHES / 2, true));
		CHECK(is_calmed(&plain, &tape, HTTP2_GLITCHES + 10, true));
	}
}

static void
test_56_time_gives_back(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	CLEANUP(seen_done) struct seen s = plain;

	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	put_preface(&tape);
	CHECK(!failed(http2_feed(s.http2, buf_bytes(&tape), s.now_us)));
	buf_clear(&tape);
	for (int i = 0; i < HTTP2_GLITCHES_S; i++)
		put_frame(&tape, PING, 0, 0, BYTES("12345678"));
	for (int second = 0; second < 40; second++) {
		CLEANUP(buf_done) struct buf wire = { 0 };
		s.now_us += 1000000;
		CHECK(!failed(http2_feed(s.http2, buf_bytes(&tape), s.now_us)));
		CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
	}
}

static void
test_53_rapid_resets_are_counted(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, text = { 0 };
	struct seen as = plain;

	as.answer = (struct bytes){ 0 };
	put_preface(&tape);
	for (uint32_t i = 0; i < HTTP2_GLITCHES + 10; i++) {
		put_head(&tape, 2 * i + 1, true, GET);
		put_frame_u32(&tape, RST_STREAM, 2 * i + 1, 8);
	}
	run_server(&as, buf_bytes(&tape), tape.len, 1, &text);
	buf_put_u8(&text, '\0');
	CHECK(strstr((const char *)text.at, "broken\n") != NULL);
	CHECK(strstr((const char *)text.at, " 11>\n") != NULL);
}

static void
test_54_resets_that_we_are_made_to_send_are_counted(void)
{
	CLEANUP(seen_done) struct seen s = plain;
	bool is_over = false;

	s.answer = (struct bytes){ 0 };
	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	for (uint32_t i = 0; i < 2 * HTTP2_GLITCHES && !is_over; i++) {
		CLEANUP(buf_done) struct buf tape = { 0 }, wire = { 0 };

		if (i == 0)
			put_preface(&tape);
		put_head(&tape, 2 * i + 1, true, GET);
		put_frame_u32(&tape, WINDOW_UPDATE, 2 * i + 1, 0x7fffffff);
		is_over = failed(http2_feed(s.http2, buf_bytes(&tape), s.now_us));
		CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
		is_over |= http2_is_done(s.http2);
		CHECK(http2_streams(s.http2) <= HTTP2_STREAMS_MAX);
	}
	CHECK(is_over);
}

static void
test_55_continuations_are_bounded(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_frame(&tape, HEADERS, END_STREAM, 1, (struct bytes){ 0 });
	for (int i = 0; i < 20; i++)
		put_frame(&tape, CONTINUATION, 0, 1, (struct bytes){ 0 });
	check_as(&plain, &tape, "broken\n<GOAWAY 0 11>\ndone\n", "continuations");
}

static void
test_57_fields_are_bounded_as_they_unfold(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, block = { 0 }, large = { 0 };

	for (int i = 0; i < 3000; i++)
		buf_put_u8(&large, 'y');
	put_fields(&block, GET);
	buf_put_u8(&block, 0x40); /* into the table */
	put_text(&block, BYTES("x"));
	put_text(&block, buf_bytes(&large));
	for (int i = 0; i < 100; i++)
		buf_put_u8(&block, 0x80 | 62); /* and out of it */
	put_preface(&tape);
	put_frame(&tape, HEADERS, END_HEADERS | END_STREAM, 1, buf_bytes(&block));
	check_as(&plain, &tape, "broken\n<GOAWAY 0 11>\ndone\n", "bomb");
}

static void
test_what_comes_for_an_ended_stream_ends_the_connection(void)
{
	static const struct {
		uint8_t type;
		uint32_t first, second;
		const char *code;
	} rows[] = {
		{ DATA, 1, 1, " 5>\n" },
		{ HEADERS, 1, 1, " 5>\n" },
		{ HEADERS, 5, 3, " 1>\n" },
		{ DATA, 301, 299, " 1>\n" },
		{ DATA, 0x7fffffff, 0x7ffffffd, " 1>\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(seen_done) struct seen s = plain;
		CLEANUP(buf_done) struct buf tape = { 0 };

		CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
		put_preface(&tape);
		put_head(&tape, rows[i].first, true, GET);
		feed(&s, buf_bytes(&tape), tape.len, 1);
		buf_clear(&tape);
		if (rows[i].type == HEADERS)
			put_head(&tape, rows[i].second, true, GET);
		else
			put_frame(&tape, DATA, END_STREAM, rows[i].second, BYTES("x"));
		feed(&s, buf_bytes(&tape), tape.len, 1);
		buf_put_u8(&s.text, '\0');
		CHECK(strstr((const char *)s.text.at, "broken\n") != NULL);
		CHECK(strstr((const char *)s.text.at, rows[i].code) != NULL);
	}
}

static void
test_the_peer_waits_for_what_is_not_consumed(void)
{
	CLEANUP(seen_done) struct seen s = plain;
	CLEANUP(buf_done) struct buf tape = { 0 }, part = { 0 };

	s.eats = false;
	for (int i = 0; i < 16384; i++)
		buf_put_u8(&part, 'x');
	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	put_preface(&tape);
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_clear(&tape);
	put_frame(&tape, SETTINGS, ACK, 0,
	          (struct bytes){ 0 }); /* the window is known from now on */
	put_head(&tape, 1, false, POST);
	for (size_t i = 0; i < HTTP2_WINDOW / 16384; i++)
		put_frame(&tape, DATA, 0, 1, buf_bytes(&part));
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_put_u8(&s.text, '\0');
	CHECK(strstr((const char *)s.text.at, "<RST") == NULL);
	CHECK(strstr((const char *)s.text.at, "<GOAWAY") == NULL);

	/* One byte more than the window. */
	s.text.len--;
	buf_clear(&tape);
	put_frame(&tape, DATA, 0, 1, BYTES("x"));
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_put_u8(&s.text, '\0');
	CHECK(strstr((const char *)s.text.at, " 3>\n") != NULL);
}

static void
test_leaving_names_the_last_stream(void)
{
	CLEANUP(seen_done) struct seen s = plain;
	CLEANUP(buf_done) struct buf tape = { 0 }, wire = { 0 };

	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	feed(&s, buf_bytes(&tape), tape.len, 1);
	CHECK(!http2_is_done(s.http2));
	http2_leave(s.http2);
	CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
	CHECK(wire.len == 17 && wire.at[3] == GOAWAY && wire.at[12] == 1);
	CHECK(http2_is_done(s.http2));
}

/* A client, and what a service answers */

static void
check_answer(const char *method, const struct buf *answer, const char *wanted, const char *row)
{
	for (size_t cut = 0; cut <= answer->len; cut++) {
		CLEANUP(seen_done) struct seen s = plain;
		CLEANUP(buf_done) struct buf wire = { 0 }, settings = { 0 };
		int32_t id;

		s.answer = (struct bytes){ 0 };

		CHECK(!failed(http2_new(true, &ops, &s, &s.http2)));
		put_frame(&settings, SETTINGS, 0, 0, (struct bytes){ 0 });
		CHECK(!failed(http2_feed(s.http2, buf_bytes(&settings), s.now_us)));
		CHECK(!failed(http2_request(s.http2,
		                            &(struct http2_request){ .method = bytes_text(method),
		                                                     .scheme = BYTES("http"),
		                                                     .authority = BYTES("s"),
		                                                     .path = BYTES("/"),
		                                                     .lines = BYTES("A: b\r\n"),
		                                                     .is_last = true },
		                            (void *)(intptr_t)1, &id)));
		CHECK(id == 1);
		CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
		CHECK(bytes_starts(buf_bytes(&wire), BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
		feed(&s, buf_bytes(answer), cut == 0 ? 1 : cut, cut == 0 ? 1 : answer->len);
		if (!bytes_is(buf_bytes(&s.text), wanted)) {
			printf("# %s cut %zu: got\n%.*s", row, cut, (int)s.text.len,
			       (const char *)s.text.at);
			CHECK_ROW(false, row);
			return;
		}
	}
}

static void
test_a_client_reads_an_answer(void)
{
	CLEANUP(buf_done) struct buf answer = { 0 }, empty = { 0 };

	put_head(&answer, 1, false, ":status=103;link=x");
	put_head(&answer, 1, false, ":status=200;a_b=c");
	put_frame(&answer, DATA, 0, 1, BYTES("abc"));
	put_head(&answer, 1, true, "x-sum=3;content-length=3");
	check_answer("GET", &answer,
	             "response 1 103 [link|x] framing=0\nresponse 1 200 [a_b|c] framing=3\ndata 1 "
	             "abc>end 1 x-sum: 3\r\n\nclosed 1 0\n",
	             "answer");
	put_head(&empty, 1, true, ":status=200;content-length=9");
	check_answer("HEAD", &empty,
	             "response 1 200 [content-length|9] framing=0 last\nclosed 1 0\n", "head");
}

static void
test_a_client_refuses_what_could_be_read_two_ways(void)
{
	static const char *const heads[] = {
		":status=200;a=b\r\nc: d",
		":status=200;connection=close",
		":status=20",
		":status=101",
		":status=200;:status=200",
		":status=200;transfer-encoding=chunked",
		"a=b",
		":status=200;content-length=x",
		":status=200;content-length=1;content-length=1",
		":status=200;:path=/",
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		CLEANUP(buf_done) struct buf answer = { 0 };

		put_head(&answer, 1, true, heads[i]);
		check_answer("GET", &answer, "closed 1 1\n<RST 1 1>\n", heads[i]);
	}
}

TESTS(TEST(test_a_request_is_told_and_answered), TEST(test_a_body_is_told_as_it_comes),
      TEST(test_trailers_are_told_but_for_those_that_may_not_go_on),
      TEST(test_our_trailers_stand_behind_our_body), TEST(test_a_head_may_come_in_pieces),
      TEST(test_crumbs_of_a_cookie_are_one_field), TEST(test_a_host_stands_for_an_authority),
      TEST(test_58_heads_that_http_1_could_not_say_are_refused),
      TEST(test_58_lengths_that_are_not_the_bodys_reset_the_stream),
      TEST(test_large_heads_are_refused_on_their_stream),
      TEST(test_a_stream_that_is_not_taken_is_refused), TEST(test_what_is_not_http_2_is_broken_off),
      TEST(test_errors_of_the_protocol_end_the_connection),
      TEST(test_56_frames_without_use_are_counted), TEST(test_56_time_gives_back),
      TEST(test_53_rapid_resets_are_counted),
      TEST(test_54_resets_that_we_are_made_to_send_are_counted),
      TEST(test_55_continuations_are_bounded), TEST(test_57_fields_are_bounded_as_they_unfold),
      TEST(test_what_comes_for_an_ended_stream_ends_the_connection),
      TEST(test_the_peer_waits_for_what_is_not_consumed), TEST(test_leaving_names_the_last_stream),
      TEST(test_a_client_reads_an_answer), TEST(test_a_client_refuses_what_could_be_read_two_ways))
