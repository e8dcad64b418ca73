/* test_body.c - request bodies: each tape whole, cut at every byte and one byte at a time. */
#include "http/http_body.h"

#include "base/buf.h"
#include "base/macros.h"
#include "test.h"

/* Feeds one piece; false when the body ended or failed. */
static bool
feed_piece(struct http_body *b, struct bytes piece, struct buf *out, size_t *used, bool *ended)
{
	uint8_t *copy = malloc(piece.len + (piece.len == 0));
	if (copy == NULL)
		abort();
	if (piece.len > 0)
		memcpy(copy, piece.at, piece.len);

	struct reader in = reader_of((struct bytes){ copy, piece.len });
	enum step step = STEP_MORE;
	struct err e;
	do {
		struct bytes run;

		e = http_body_feed(b, &in, &run, &step);
		if (!failed(e))
			buf_put(out, run);
	} while (!failed(e) && step == STEP_MORE && reader_left(&in) > 0);
	if (failed(e)) {
		buf_clear(out);
		buf_printf(out, "!%u", e.code);
	}
	*used += piece.len - reader_left(&in);
	*ended = failed(e) || step == STEP_DONE;
	free(copy);
	return !*ended;
}

/* The decoded text, then "+N" for what was used, or "..." when it waits; or "!status". */
static void
feed(const struct http_head *head, uint64_t limit, struct bytes tape, size_t cut, size_t stride,
     struct buf *out)
{
	struct http_body b;
	bool ended = false;
	size_t used = 0;

	http_body_init(&b, head, limit);
	if (feed_piece(&b, bytes_slice(tape, 0, cut), out, &used, &ended))
		for (size_t at = cut; at < tape.len && !ended; at += stride)
			(void)feed_piece(&b, bytes_slice(tape, at, at + stride), out, &used,
			                 &ended);
	if (!ended)
		buf_put_text(out, "...");
	else if (out->len == 0 || out->at[0] != '!')
		buf_printf(out, "+%zu", used);
}

static void
check_tape(const struct http_head *head, uint64_t limit, struct bytes tape, const char *wanted,
           const char *row)
{
	CLEANUP(buf_done) struct buf whole = { 0 }, single = { 0 };

	feed(head, limit, tape, tape.len, 1, &whole);
	CHECK_ROW(bytes_is(buf_bytes(&whole), wanted), row);
	if (!bytes_is(buf_bytes(&whole), wanted))
		printf("#   got %.*s\n", (int)whole.len, (const char *)whole.at);
	feed(head, limit, tape, 0, 1, &single);
	CHECK_ROW(bytes_equal(buf_bytes(&single), buf_bytes(&whole)), row);
	for (size_t cut = 0; cut < tape.len && tape.len < 2000; cut++) {
		CLEANUP(buf_done) struct buf pieces = { 0 };

		feed(head, limit, tape, cut, tape.len, &pieces);
		CHECK_ROW(bytes_equal(buf_bytes(&pieces), buf_bytes(&whole)), row);
	}
}

static const struct http_head CHUNKED = { .is_chunked = true };

static void
check_chunked(const char *tape, const char *wanted)
{
	check_tape(&CHUNKED, 1000, bytes_text(tape), wanted, tape);
}

static void
test_bodies_of_known_length(void)
{
	struct http_head none = { 0 }, empty = { .has_length = true },
			 five = { .has_length = true, .content_length = 5 };

	check_tape(&none, 1000, BYTES("GET /"), "+0", "no body");
	check_tape(&empty, 0, BYTES("GET /"), "+0", "length 0");
	check_tape(&five, 5, BYTES("helloGET /"), "hello+5", "length 5");
	check_tape(&five, 5, BYTES("hell"), "hell...", "length 5, four there");
	check_tape(&five, 4, BYTES("hello"), "!413", "length above the limit");
	check_tape(&five, 4, BYTES(""), "!413", "refused before the first byte");
}

static void
test_chunks_are_joined(void)
{
	check_chunked("5\r\nhello\r\n0\r\n\r\nGET /", "hello+15");
	check_chunked("1\r\na\r\n00002\r\nbc\r\nA\r\n0123456789\r\n000\r\n\r\n",
	              "abc0123456789+39");
	check_chunked("0\r\n\r\n", "+5");
	check_chunked("a;x=y;z=\"q\\\"\"\r\n0123456789\r\n0;last\r\n\r\n", "0123456789+37");
	check_chunked("2\r\n\r\n\r\n0\r\n\r\n", "\r\n+12");
	check_chunked("1\r\na\r\n0\r\nX: y\r\nEmpty:\r\nDigest: \t\xff\r\n\r\nmore", "a+37");
	check_chunked("5\r\nhel", "hel...");
	check_chunked("0\r\n\r", "...");
}

/* Byte by byte, so that every cut is seen. */
static void
keep_trailers(const char *tape, struct buf *trailers)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct http_body b;
	bool ended = false;
	size_t used = 0;

	http_body_init(&b, &CHUNKED, 1000);
	b.trailers = trailers;
	for (size_t at = 0; tape[at] != '\0' && !ended; at++)
		(void)feed_piece(&b, (struct bytes){ (const uint8_t *)tape + at, 1 }, &out, &used,
		                 &ended);
	CHECK_ROW(ended, tape);
}

static void
test_trailers_are_kept_where_they_may_be_passed_on(void)
{
	static const struct {
		const char *tape, *kept;
	} rows[] = {
		{ "0\r\n\r\n", "" },
		{ "1\r\na\r\n0\r\nX-Sum: 1\r\nEmpty:\r\nY:\t2 \r\n\r\n",
		  "X-Sum: 1\r\nEmpty:\r\nY:\t2 \r\n" },
		{ "0\r\nContent-Length: 5\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "X: 1\r\n" },
		{ "0\r\nAUTHORIZATION: x\r\nHost: y\r\nset-cookie: z\r\nContent-Type: a\r\n\r\n",
		  "" },
		{ "0\r\nHosts: y\r\n\r\n", "Hosts: y\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf trailers = { 0 };

		keep_trailers(rows[i].tape, &trailers);
		CHECK_ROW(bytes_is(buf_bytes(&trailers), rows[i].kept), rows[i].tape);
	}
}

static void
test_case_34_malformed_chunks_are_refused(void)
{
	static const char *const bad[] = {
		"0_2e\r\n",
		"-1\r\n",
		"+1\r\na\r\n",
		"0x1\r\na\r\n",
		"12345678901234567\r\n",
		"1234567890abcdef\r\n",
		"\r\n",
		"g\r\n",
		" 1\r\na\r\n",
		"1 \r\na\r\n",
		"1\t;x\r\na\r\n",
		"1\na\r\n",
		"1\r\na\n0\r\n\r\n",
		"1\r\nab\r\n",
		"1\r\na0\r\n\r\n",
		"1;x\na\r\n0\r\n\r\n",
		"1;x\ry\r\na\r\n",
		"1;\x01\r\na\r\n",
		"1;\r\na\r\n",
		"1;=x\r\na",
		"1;x=\r\na",
		"1;x;\r\na",
		"1;x=\"y\r\na",
		"1;x=\"y\\\r\na",
		"1;x=\"y\"z\r\na",
		"1; x\r\na",
		"1;x y\r\na",
		"1;x=y=z\r\na",
		"1;x=\"\x01\"\r\na",
		"1;x=\"\xe9\x7f\"\r\n",
		"1;\x7f\r\na\r\n",
		"1\r\r\na",
		"1\r\na\r\r\n",
		"0\r\n\n",
		"0\n\r\n",
		"0\r\nX : y\r\n\r\n",
		"0\r\n X: y\r\n\r\n",
		"0\r\nX: y\r\n z\r\n\r\n",
		"0\r\n: y\r\n\r\n",
		"0\r\nX\r\n\r\n",
		"0\r\nX: a\nY: b\r\n\r\n",
		"0\r\nX_y: a\r\n\r\n",
		"0\r\nX: a\rb\r\n\r\n",
		"0\r\nGET / HTTP/1.1\r\n",
		"0\r\n\rX",
		"1,1\r\na",
		";x\r\n",
		"\xef\xbc\x91\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check_chunked(bad[i], "!400");
	check_tape(&CHUNKED, 1000, BYTES("1;a\0b\r\na\r\n0\r\n\r\n"), "!400",
	           "NUL in an extension");
	check_tape(&CHUNKED, 1000, BYTES("0\r\nX: \0\r\n\r\n"), "!400", "NUL in a trailer");
	/* Without its last CRLF the body never ends: what follows is not taken for a request. */
	check_chunked("1\r\na\r\n0\r\n", "a...");
}

static void
test_case_37_chunk_sizes_cannot_overflow_the_limit(void)
{
	check_tape(&CHUNKED, UINT64_MAX, BYTES("fffffffffffffff\r\nx"), "x...",
	           "15 digits are taken");
	check_tape(&CHUNKED, 1000, BYTES("fffffffffffffff\r\nx"), "!413",
	           "15 digits above the limit");
	check_tape(&CHUNKED, UINT64_MAX, BYTES("0fffffffffffffff\r\nx"), "!400", "16 digits");
	check_tape(&CHUNKED, 5, BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello+15", "at the limit");
	check_tape(&CHUNKED, 5, BYTES("3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n"), "!413",
	           "the second chunk passes the limit");
	check_tape(&CHUNKED, 0, BYTES("1\r\na\r\n"), "!413", "nothing allowed");
	check_tape(&CHUNKED, 0, BYTES("0\r\n\r\n"), "+5", "nothing allowed, nothing sent");
}

static void
test_extensions_and_trailers_are_bounded(void)
{
	CLEANUP(buf_done) struct buf extension = { 0 }, trailers = { 0 }, many = { 0 };

	buf_put_text(&extension, "1;");
	for (size_t i = 0; i < HTTP_OVERHEAD_MAX + 1; i++)
		buf_put_u8(&extension, 'x');
	check_tape(&CHUNKED, 1000, buf_bytes(&extension), "!400", "a long extension");
	buf_put_text(&trailers, "0\r\n");
	for (size_t i = 0; i < HTTP_OVERHEAD_MAX / 4; i++)
		buf_put_text(&trailers, "X: a\r\n");
	check_tape(&CHUNKED, 1000, buf_bytes(&trailers), "!400", "many trailers");
	for (size_t i = 0; i < HTTP_OVERHEAD_MAX; i++)
		buf_put_text(&many, "1;xx\r\na\r\n");
	check_tape(&CHUNKED, 100000, buf_bytes(&many), "!400", "many short extensions");
}

static void
test_small_chunks_are_no_attack(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, out = { 0 };

	for (size_t i = 0; i < 50000; i++)
		buf_put_text(&tape, "1\r\na\r\n");
	buf_put_text(&tape, "0\r\n\r\n");
	feed(&CHUNKED, 50000, buf_bytes(&tape), tape.len, 1, &out);
	CHECK(bytes_starts(bytes_slice(buf_bytes(&out), 50000, out.len), BYTES("+300005")));
}

static void
test_a_failed_body_stays_failed(void)
{
	struct http_body b;
	struct bytes run;
	enum step step;
	struct reader bad = reader_of(BYTES("x")), good = reader_of(BYTES("1\r\na\r\n0\r\n\r\n"));

	http_body_init(&b, &CHUNKED, 1000);
	CHECK(failed(http_body_feed(&b, &bad, &run, &step)));
	CHECK(http_body_feed(&b, &good, &run, &step).code == HTTP_BAD);
}

/* Data that looks like a bomb is only data: the decoder never expands anything. */
static void
test_case_52_a_compressed_body_is_passed_as_it_is(void)
{
	static const struct http_head head = { .has_length = true, .content_length = 10 };

	check_tape(&head, 10, BYTES("\x1f\x8b\x08\x01\x02\x03\x04\x05\x02\xff"),
	           "\x1f\x8b\x08\x01\x02\x03\x04\x05\x02\xff+10", "gzip");
}

TESTS(TEST(test_bodies_of_known_length), TEST(test_chunks_are_joined),
      TEST(test_trailers_are_kept_where_they_may_be_passed_on),
      TEST(test_case_34_malformed_chunks_are_refused),
      TEST(test_case_37_chunk_sizes_cannot_overflow_the_limit),
      TEST(test_extensions_and_trailers_are_bounded), TEST(test_small_chunks_are_no_attack),
      TEST(test_a_failed_body_stays_failed),
      TEST(test_case_52_a_compressed_body_is_passed_as_it_is))
