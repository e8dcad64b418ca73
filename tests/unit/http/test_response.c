/* test_response.c - response heads: each tape is fed whole, cut at every byte and one byte at a
 * time, and the answer must be the same. */
#include "http/http_response.h"

#include "base/buf.h"
#include "base/macros.h"
#include "test.h"

static const char *const framing_names[] = {
	[HTTP_BODY_NONE] = "none",   [HTTP_BODY_LENGTH] = "length", [HTTP_BODY_CHUNKED] = "chunked",
	[HTTP_BODY_CLOSE] = "close", [HTTP_BODY_TUNNEL] = "tunnel",
};

/* What was made of a tape, as text: the refusal, "more", or the head. */
static void
describe(const struct http_response *r, size_t len, struct buf *out)
{
	buf_printf(out, "%u 1.%d%s %s", r->status, r->minor, r->keep_alive ? " keep" : "",
	           framing_names[r->framing]);
	if (r->has_length)
		buf_printf(out, " length=%llu", (unsigned long long)r->content_length);
	for (size_t i = 0; i < r->field_count; i++)
		buf_printf(out, " [%.*s|%.*s]", (int)r->fields[i].name.len,
		           (const char *)r->fields[i].name.at, (int)r->fields[i].value.len,
		           (const char *)r->fields[i].value.at);
	buf_printf(out, " +%zu", len);
}

/* Feeds `in` up to `cut`, then by `stride`. */
static void
feed(struct bytes in, enum http_method method, size_t cut, size_t stride, struct buf *out)
{
	static struct http_response r;
	size_t scanned = 0, len = 0;
	enum step step = STEP_MORE;

	buf_clear(out);
	for (size_t have = cut;; have = in.len - have < stride ? in.len : have + stride) {
		/* An exact copy at a new place each time: nothing may be kept from the last one, or
		 * read past the end. */
		uint8_t *copy = malloc(have + (have == 0));
		if (copy == NULL)
			abort();
		if (have > 0)
			memcpy(copy, in.at, have);
		struct err e = http_response_parse((struct bytes){ copy, have }, &scanned, method,
		                                   &r, &len, &step);
		if (failed(e)) {
			CHECK(e.kind == ERR_UPSTREAM && e.code == 502 && e.why != NULL);
			buf_put_text(out, "refused");
		} else if (step == STEP_DONE) {
			describe(&r, len, out);
		} else if (have == in.len) {
			buf_put_text(out, "more");
		}
		free(copy);
		if (out->len > 0)
			return;
	}
}

static void
check(const char *name, struct bytes in, enum http_method method, const char *wanted)
{
	CLEANUP(buf_done) struct buf got = { 0 };

	feed(in, method, in.len, 1, &got);
	if (!bytes_is(buf_bytes(&got), wanted))
		printf("# %.*s\n", (int)got.len, (const char *)got.at);
	CHECK_ROW(bytes_is(buf_bytes(&got), wanted), name);
	for (size_t cut = 0; cut <= in.len; cut++) {
		feed(in, method, cut, in.len, &got);
		CHECK_ROW(bytes_is(buf_bytes(&got), wanted), name);
	}
	feed(in, method, 0, 1, &got);
	CHECK_ROW(bytes_is(buf_bytes(&got), wanted), name);
}

#define L "HTTP/1.1 200 OK\r\n"

static void
test_heads_are_read(void)
{
	static const struct {
		const char *in;
		enum http_method method;
		const char *wanted;
	} rows[] = {
		{ L "Content-Length: 5\r\n\r\nhello", HTTP_GET,
		  "200 1.1 keep length length=5 [Content-Length|5] +38" },
		{ L "\r\n", HTTP_GET, "200 1.1 close +19" },
		{ "HTTP/1.1 200\r\n\r\n", HTTP_GET, "200 1.1 close +16" },
		{ "HTTP/1.1 200 \r\n\r\n", HTTP_GET, "200 1.1 close +17" },
		{ "HTTP/1.1 200 \xe4\xf6\r\n\r\n", HTTP_GET, "200 1.1 close +19" },
		{ "HTTP/1.0 200 OK\r\n\r\n", HTTP_GET, "200 1.0 close +19" },
		{ "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
		  HTTP_GET,
		  "200 1.0 keep none length=0 [Connection|Keep-Alive] [Content-Length|0] +62" },
		{ L "Connection: close\r\nContent-Length: 1\r\n\r\n", HTTP_GET,
		  "200 1.1 length length=1 [Connection|close] [Content-Length|1] +57" },
		{ L "Connection: x, close\r\nContent-Length: 1\r\n\r\n", HTTP_GET,
		  "200 1.1 length length=1 [Connection|x, close] [Content-Length|1] +60" },
		{ L "Transfer-Encoding: chunked\r\n\r\n", HTTP_GET,
		  "200 1.1 keep chunked [Transfer-Encoding|chunked] +47" },
		{ L "Transfer-Encoding: Chunked\r\n\r\n", HTTP_GET,
		  "200 1.1 keep chunked [Transfer-Encoding|Chunked] +47" },
		{ L "Content-Length: 5\r\n\r\n", HTTP_HEAD,
		  "200 1.1 keep none length=5 [Content-Length|5] +38" },
		{ L "Transfer-Encoding: chunked\r\n\r\n", HTTP_HEAD,
		  "200 1.1 keep none [Transfer-Encoding|chunked] +47" },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", HTTP_GET,
		  "304 1.1 keep none length=5 [Content-Length|5] +48" },
		{ "HTTP/1.1 204 No Content\r\n\r\n", HTTP_GET, "204 1.1 keep none +27" },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", HTTP_GET,
		  "204 1.1 keep none length=0 [Content-Length|0] +46" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", HTTP_PUT, "100 1.1 keep none +25" },
		{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", HTTP_GET,
		  "103 1.1 keep none [Link|</a>] +40" },
		{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw", HTTP_GET,
		  "101 1.1 keep tunnel [Upgrade|websocket] +56" },
		{ "HTTP/1.1 599 Own\r\n\r\n", HTTP_GET, "599 1.1 close +20" },
		{ L "Set-Cookie: a\r\nSet-Cookie: b\r\nX_Under: 1\r\nX-Empty:\r\n"
		    "Content-Length: 9223372036854775807\r\n\r\n",
		  HTTP_GET,
		  "200 1.1 keep length length=9223372036854775807 [Set-Cookie|a] [Set-Cookie|b] "
		  "[X_Under|1] [X-Empty|] [Content-Length|9223372036854775807] +108" },
		{ L "X:   padded \t\r\n\r\n", HTTP_GET, "200 1.1 close [X|padded] +34" },
		{ "", HTTP_GET, "more" },
		{ L, HTTP_GET, "more" },
		{ L "A: 1\r\n", HTTP_GET, "more" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].in, bytes_text(rows[i].in), rows[i].method, rows[i].wanted);
}

/* Each refusal that the header names. */
static void
test_what_two_readers_could_take_differently_is_refused(void)
{
	static const struct {
		const char *why, *in;
	} rows[] = {
		{ "version", "HTTP/2.0 200 OK\r\n\r\n" },
		{ "version", "HTTP/1.2 200 OK\r\n\r\n" },
		{ "version", "http/1.1 200 OK\r\n\r\n" },
		{ "version", "HTTP/1.1\t200 OK\r\n\r\n" },
		{ "version", "ICY 200 OK\r\n\r\n" },
		{ "no status line", "\r\nHTTP/1.1 200 OK\r\n\r\n" },
		{ "no status line", "\r\n\r\n" },
		{ "space in front", " HTTP/1.1 200 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 20 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 2000 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 099 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 600 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 2x0 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 +20 OK\r\n\r\n" },
		{ "status", "HTTP/1.1  200 OK\r\n\r\n" },
		{ "status", "HTTP/1.1 200OK\r\n\r\n" },
		{ "reason", "HTTP/1.1 200 O\rK\r\n\r\n" },
		{ "reason", "HTTP/1.1 200 O\x01K\r\n\r\n" },
		{ "bare LF", "HTTP/1.1 200 OK\n\n" },
		{ "bare LF", L "A: 1\n\r\n" },
		{ "bare LF", L "A: 1\r\n\n" },
		{ "bare CR", L "A: 1\r2\r\n\r\n" },
		{ "bare CR", L "A: 1\r\r\n\r\n" },
		{ "fold", L "A: 1\r\n B: 2\r\n\r\n" },
		{ "fold", L " A: 1\r\n\r\n" },
		{ "name", L ": 1\r\n\r\n" },
		{ "name", L "A : 1\r\n\r\n" },
		{ "name", L "A\xe4: 1\r\n\r\n" },
		{ "name", L "A\r\n\r\n" },
		{ "Content-Length twice", L "Content-Length: 1\r\nContent-Length: 1\r\n\r\n" },
		{ "Content-Length twice", L "Content-Length: 1\r\ncontent-length: 2\r\n\r\n" },
		{ "Content-Length list", L "Content-Length: 1, 1\r\n\r\n" },
		{ "Content-Length form", L "Content-Length: +1\r\n\r\n" },
		{ "Content-Length form", L "Content-Length: -1\r\n\r\n" },
		{ "Content-Length form", L "Content-Length: 0x1\r\n\r\n" },
		{ "Content-Length form", L "Content-Length: 01\r\n\r\n" },
		{ "Content-Length form", L "Content-Length:\r\n\r\n" },
		{ "Content-Length form", L "Content-Length: 1 1\r\n\r\n" },
		{ "Content-Length size", L "Content-Length: 9223372036854775808\r\n\r\n" },
		{ "Content-Length size", L "Content-Length: 18446744073709551617\r\n\r\n" },
		{ "both", L "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "both", L "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n" },
		{ "coding", L "Transfer-Encoding: gzip, chunked\r\n\r\n" },
		{ "coding", L "Transfer-Encoding: chunked, chunked\r\n\r\n" },
		{ "coding", L "Transfer-Encoding: identity\r\n\r\n" },
		{ "coding", L "Transfer-Encoding: xchunked\r\n\r\n" },
		{ "coding", L "Transfer-Encoding:\r\n\r\n" },
		{ "coding", L "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "body of 204", "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n" },
		{ "body of 204", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "body of 100", "HTTP/1.1 100 Go\r\nContent-Length: 1\r\n\r\n" },
		{ "body of 101", "HTTP/1.1 101 Up\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "Connection", L "Connection: a b\r\n\r\n" },
		{ "Connection", L "Connection: cl\xe4se\r\n\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].why, bytes_text(rows[i].in), HTTP_GET, "refused");
	check("NUL", BYTES(L "A: 1\0\r\n\r\n"), HTTP_GET, "refused");
	check("NUL", BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), HTTP_GET, "refused");
	check("NUL", BYTES(L "A\0: 1\r\n\r\n"), HTTP_GET, "refused");
}

static struct err
parse(const struct buf *in, enum step *step)
{
	static struct http_response r;
	size_t scanned = 0, len;

	return http_response_parse(buf_bytes(in), &scanned, HTTP_GET, &r, &len, step);
}

static void
test_heads_have_a_limit(void)
{
	CLEANUP(buf_done) struct buf in = { 0 };
	enum step step;

	buf_put_text(&in, L);
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		buf_put_text(&in, "A: 1\r\n");
	buf_put_text(&in, "\r\n");
	CHECK(!failed(parse(&in, &step)) && step == STEP_DONE);
	in.len -= 2;
	buf_put_text(&in, "A: 1\r\n\r\n");
	CHECK(failed(parse(&in, &step)));

	buf_clear(&in);
	buf_put_text(&in, L "A: ");
	while (in.len < HTTP_HEAD_MAX - 4)
		buf_put_u8(&in, 'a');
	CHECK(!failed(parse(&in, &step)) && step == STEP_MORE);
	buf_put_text(&in, "\r\n\r\n");
	CHECK(!failed(parse(&in, &step)) && step == STEP_DONE);
	in.len -= 4;
	buf_put_text(&in, "a\r\n\r\n");
	CHECK(failed(parse(&in, &step)));
}

static void
test_fields_of_a_connection_are_known(void)
{
	static const struct http_field fields[] = {
		{ BYTES("Connection"), BYTES("close, X-Own ,x-other") },
		{ BYTES("A"), BYTES("X-Not") },
		{ BYTES("connection"), BYTES("X-Third") },
	};
	static const char *const hop[] = {
		"Connection",
		"keep-alive",
		"Proxy-Connection",
		"TE",
		"te",
		"Trailer",
		"Transfer-Encoding",
		"UPGRADE",
		"X-Own",
		"x-OTHER",
		"X-Third",
		"Proxy-Authenticate",
		"close",
		"proxy-authorization",
	};
	static const char *const end_to_end[] = { "Content-Length", "Host", "X-Not", "A", "TEE",
		                                  "X-Owner",        "X-Ow", "" };

	for (size_t i = 0; i < ARRAY_LEN(hop); i++)
		CHECK_ROW(http_field_is_hop(bytes_text(hop[i]), fields, ARRAY_LEN(fields)), hop[i]);
	for (size_t i = 0; i < ARRAY_LEN(end_to_end); i++)
		CHECK_ROW(!http_field_is_hop(bytes_text(end_to_end[i]), fields, ARRAY_LEN(fields)),
		          end_to_end[i]);
	CHECK(!http_field_is_hop(BYTES("X-Own"), NULL, 0));
}

TESTS(TEST(test_heads_are_read), TEST(test_what_two_readers_could_take_differently_is_refused),
      TEST(test_heads_have_a_limit), TEST(test_fields_of_a_connection_are_known))
