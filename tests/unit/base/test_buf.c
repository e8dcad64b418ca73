/* test_buf.c - owned bytes: what is written, and that nothing half-written counts. */
#include "base/buf.h"

#include "base/macros.h"
#include "test.h"

static void
test_numbers_and_words_are_written(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	buf_put_u8(&out, 'x');
	buf_put_u16le(&out, 0x4241);
	buf_put_u32le(&out, 0x64636261);
	CHECK(bytes_is(buf_bytes(&out), "xABabcd"));
	buf_clear(&out);
	buf_put_decimal(&out, INT64_MIN);
	buf_put_u8(&out, ' ');
	buf_put_decimal(&out, INT64_MAX);
	buf_put_u8(&out, ' ');
	buf_put_unsigned(&out, UINT64_MAX);
	buf_put_u8(&out, ' ');
	buf_put_decimal(&out, 0);
	CHECK(bytes_is(buf_bytes(&out),
	               "-9223372036854775808 9223372036854775807 18446744073709551615 0"));
	buf_clear(&out);
	buf_put_hex(&out, BYTES("\x00\xff\x1a"));
	buf_printf(&out, "|%s|%d", "a", -5);
	CHECK(bytes_is(buf_bytes(&out), "00ff1a|a|-5") && !failed(buf_check(&out)));
}

static void
test_the_limit_is_exact_and_overflow_sticks(void)
{
	CLEANUP(buf_done) struct buf out = { .limit = 4 };

	buf_put_text(&out, "abcd");
	CHECK(!failed(buf_check(&out)) && out.len == 4 && out.room <= 4);
	buf_put_u8(&out, 'e');
	CHECK(buf_check(&out).kind == ERR_LIMIT && out.len == 4);
	buf_clear(&out);
	CHECK(!failed(buf_check(&out)) && out.len == 0);
	buf_put_text(&out, "abcde");
	/* Nothing of a write that does not fit, and nothing after it. */
	CHECK(failed(buf_check(&out)) && out.len == 0);
	buf_put_u8(&out, 'a');
	CHECK(out.len == 0);
}

static void
test_every_writer_respects_the_limit(void)
{
	for (size_t limit = 1; limit < 12; limit++) {
		struct buf b[] = { { .limit = limit },
			           { .limit = limit },
			           { .limit = limit },
			           { .limit = limit },
			           { .limit = limit } };

		for (size_t i = 0; i < 13; i++) {
			buf_put_decimal(&b[0], -12345);
			buf_put_hex(&b[1], BYTES("abc"));
			buf_put_counted(&b[2], BYTES("abc"));
			buf_put_u32le(&b[3], 1);
			buf_printf(&b[4], "%d", 123);
		}
		for (size_t i = 0; i < ARRAY_LEN(b); i++) {
			CHECK(b[i].len <= limit && failed(buf_check(&b[i])));
			buf_done(&b[i]);
		}
	}
}

static void
test_reserve_cannot_wrap(void)
{
	CLEANUP(buf_done) struct buf out = { .limit = SIZE_MAX };

	buf_put_text(&out, "abc");
	CHECK(buf_reserve(&out, SIZE_MAX) == NULL && failed(buf_check(&out)) && out.len == 3);
	CHECK(buf_reserve(&out, 1) == NULL);
}

static void
test_the_default_limit_holds(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	CHECK(buf_reserve(&out, BUF_LIMIT_DEFAULT + 1) == NULL && failed(buf_check(&out)));
}

static void
test_consume_keeps_the_rest(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	buf_put_text(&out, "hello world");
	buf_consume(&out, 6);
	CHECK(bytes_is(buf_bytes(&out), "world"));
	buf_consume(&out, 0);
	CHECK(bytes_is(buf_bytes(&out), "world"));
	buf_consume(&out, 99);
	CHECK(out.len == 0);
	buf_put_text(&out, "x");
	CHECK(bytes_is(buf_bytes(&out), "x"));
}

static void
test_growth_keeps_the_bytes(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	for (unsigned i = 0; i < 100000; i++)
		buf_put_u8(&out, (uint8_t)(i * 31));
	CHECK(out.len == 100000);
	for (unsigned i = 0; i < 100000; i++)
		if (out.at[i] != (uint8_t)(i * 31)) {
			CHECK_ROW(false, "a byte changed");
			return;
		}
	buf_wipe(&out);
	CHECK(out.at == NULL && out.len == 0 && out.room == 0);
	buf_put_text(&out, "usable");
	CHECK(bytes_is(buf_bytes(&out), "usable"));
}

TESTS(TEST(test_numbers_and_words_are_written), TEST(test_the_limit_is_exact_and_overflow_sticks),
      TEST(test_every_writer_respects_the_limit), TEST(test_reserve_cannot_wrap),
      TEST(test_the_default_limit_holds), TEST(test_consume_keeps_the_rest),
      TEST(test_growth_keeps_the_bytes))
