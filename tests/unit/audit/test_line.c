/* test_line.c - one line, sealed and taken apart; a file line by line. */
#include "log.h"

#include "audit/line.h"
#include "audit/lines.h"

/* Checked with `printf | sha256sum`: SHA-256 of 32 zero bytes and the line before `,"hash"`. */
static void
test_hash_is_sha256_over_prev_and_the_bytes_before_it(void)
{
	static const char expected[] =
		"{\"seq\":1,\"prev\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\""
		",\"hash\":\"536eefbc700ddcbfd231d579bc816199f9262071841dcc3500f097e4fd617e65\"}\n";
	struct buf b = { 0 };
	struct digest d;
	uint8_t prev[AUDIT_HASH_LEN] = { 0 }, hash[AUDIT_HASH_LEN];

	CHECK(!failed(digest_init(&d)));
	buf_put(&b, BYTES("{\"seq\":1"));
	CHECK(!failed(line_seal(&b, 0, &d, prev, hash)));
	CHECK(bytes_is(buf_bytes(&b), expected));
	digest_done(&d);
	buf_done(&b);
}

static void
test_a_sealed_line_parses_and_is_intact(void)
{
	struct buf b = { 0 };
	struct digest d;
	struct line l;
	uint8_t prev[AUDIT_HASH_LEN] = { 1, 2, 3 }, hash[AUDIT_HASH_LEN];

	CHECK(!failed(digest_init(&d)));
	buf_put(&b, BYTES("{\"seq\":18446744073709551615,\"a\":\"\xC3\xA9\""));
	CHECK(!failed(line_seal(&b, 0, &d, prev, hash)));
	CHECK(!failed(line_parse(bytes_slice(buf_bytes(&b), 0, b.len - 1), &l)));
	CHECK(l.sequence == UINT64_MAX && line_is_intact(&l, &d));
	CHECK(memcmp(l.prev, prev, sizeof prev) == 0 && memcmp(l.hash, hash, sizeof hash) == 0);
	prev[0] ^= 1;
	memcpy(l.prev, prev, sizeof prev);
	CHECK(!line_is_intact(&l, &d));
	digest_done(&d);
	buf_done(&b);
}

#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TAIL ",\"prev\":\"" H64 "\",\"hash\":\"" H64 "\"}"

static void
test_a_line_has_one_spelling(void)
{
	static const struct {
		const char *name, *text;
		bool is_line;
	} rows[] = {
		{ "shortest", "{\"seq\":1,\"a\":2" TAIL, true },
		{ "empty", "", false },
		{ "no sequence", "{\"seq\":,\"a\":2" TAIL, false },
		{ "leading zero", "{\"seq\":01,\"a\":2" TAIL, false },
		{ "space", "{\"seq\": 1,\"a\":2" TAIL, false },
		{ "space before", " {\"seq\":1,\"a\":2" TAIL, false },
		{ "space behind", "{\"seq\":1,\"a\":2" TAIL " ", false },
		{ "too large", "{\"seq\":18446744073709551616,\"a\":2" TAIL, false },
		{ "upper-case hash",
		  "{\"seq\":1,\"prev\":\"" H64 "\",\"hash\":\"A"
		  "123456789abcdef0123456789abcdef"
		  "0123456789abcdef0123456789abcdef\"}",
		  false },
		{ "no prev", "{\"seq\":1,\"hash\":\"" H64 "\"}", false },
		{ "no tail", "{\"seq\":1,\"prev\":\"" H64 "\",\"hash\":\"" H64 "\"", false },
	};
	struct line l;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(failed(line_parse(bytes_text(rows[i].text), &l)) != rows[i].is_line,
		          rows[i].name);
}

static int
text_file(size_t line_len, unsigned lines, const char *tail)
{
	char path[] = "/tmp/gatewarden-lines-XXXXXX";
	int fd = mkstemp(path);
	struct buf b = { 0 };

	for (unsigned i = 0; i < lines; i++) {
		for (size_t k = 0; k < line_len; k++)
			buf_put_u8(&b, (uint8_t)('a' + i % 26));
		buf_put_u8(&b, '\n');
	}
	buf_put_text(&b, tail);
	if (fd < 0 || write(fd, b.at, b.len) != (ssize_t)b.len)
		abort();
	unlink(path);
	buf_done(&b);
	return fd;
}

static void
test_lines_of_any_length_come_whole_and_in_order(void)
{
	static const size_t lengths[] = { 0, 1, 1000, 131071, 131072 };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		int fd = text_file(lengths[i], 30, "rest");
		struct lines l;
		enum lines_kind kind;
		struct bytes text;

		CHECK(!failed(lines_init(fd, 131072, &l)));
		for (unsigned n = 0; n < 30; n++) {
			CHECK(!failed(lines_next(&l, &kind, &text)) && kind == LINES_LINE &&
			      text.len == lengths[i]);
			CHECK(text.len == 0 || (text.at[0] == 'a' + n % 26 &&
			                        text.at[text.len - 1] == 'a' + n % 26));
		}
		CHECK(!failed(lines_next(&l, &kind, &text)) && kind == LINES_UNFINISHED &&
		      bytes_is(text, "rest"));
		CHECK(!failed(lines_next(&l, &kind, &text)) && kind == LINES_END);
		lines_done(&l);
		close(fd);
	}
}

static void
test_a_line_past_the_limit_is_refused_in_bounded_memory(void)
{
	int fd = text_file(5000000, 1, "");
	struct lines l;
	enum lines_kind kind;
	struct bytes text;

	CHECK(!failed(lines_init(fd, 1000, &l)));
	CHECK(!failed(lines_next(&l, &kind, &text)) && kind == LINES_TOO_LONG);
	CHECK(l.buf.room <= 1000 + (256 << 10));
	lines_done(&l);
	close(fd);
}

TESTS(TEST(test_hash_is_sha256_over_prev_and_the_bytes_before_it),
      TEST(test_a_sealed_line_parses_and_is_intact), TEST(test_a_line_has_one_spelling),
      TEST(test_lines_of_any_length_come_whole_and_in_order),
      TEST(test_a_line_past_the_limit_is_refused_in_bounded_memory))
