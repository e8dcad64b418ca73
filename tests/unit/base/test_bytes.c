/* test_bytes.c - slices, numbers, UTF-8 and the cursor. */
#include "base/bytes.h"

#include "base/buf.h"
#include "base/macros.h"
#include "test.h"

static void
test_comparisons(void)
{
	struct bytes none = { 0 };

	CHECK(bytes_equal(none, BYTES("")) && !bytes_equal(BYTES("a"), none) &&
	      bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
	CHECK(!bytes_equal(BYTES("a\0b"), BYTES("a\0c")) && bytes_is(BYTES("ab"), "ab") &&
	      !bytes_is(BYTES("ab"), "abc"));
	CHECK(bytes_equal_nocase(BYTES("aZ-09"), BYTES("Az-09")) &&
	      !bytes_equal_nocase(BYTES("a"), BYTES("b")));
	/* Only letters fold: '@' and '`', '[' and '{' differ by the same bit as letters do. */
	CHECK(!bytes_equal_nocase(BYTES("@["), BYTES("`{")) &&
	      !bytes_equal_nocase(BYTES("\xc9"), BYTES("\xe9")));
	CHECK(bytes_starts(BYTES("abc"), BYTES("ab")) && bytes_starts(BYTES("abc"), none) &&
	      !bytes_starts(BYTES("a"), BYTES("ab")));
	CHECK(bytes_compare(BYTES("a"), BYTES("b")) < 0 &&
	      bytes_compare(BYTES("b"), BYTES("a")) > 0);
	CHECK(bytes_compare(BYTES("a"), BYTES("ab")) < 0 &&
	      bytes_compare(BYTES("ab"), BYTES("a")) > 0);
	CHECK(bytes_compare(BYTES("\xff"), BYTES("a")) > 0 && bytes_compare(none, BYTES("")) == 0);
	CHECK(bytes_equal_secret(BYTES("ab"), BYTES("ab")) &&
	      !bytes_equal_secret(BYTES("ab"), BYTES("ac")));
	CHECK(!bytes_equal_secret(BYTES("ab"), BYTES("abc")) && bytes_equal_secret(none, none));
}

static void
test_slices_are_clamped(void)
{
	struct bytes text = BYTES("hello"), none = { 0 };

	CHECK(bytes_is(bytes_slice(text, 1, 3), "el") && bytes_is(bytes_slice(text, 3, 99), "lo"));
	CHECK(bytes_slice(text, 9, 99).len == 0 && bytes_slice(text, 4, 2).len == 0 &&
	      bytes_slice(none, 0, 5).len == 0);
	CHECK(bytes_slice(text, SIZE_MAX, SIZE_MAX).len == 0 &&
	      bytes_slice(text, 0, SIZE_MAX).len == 5);
	CHECK(bytes_find(text, 'l') == 2 && bytes_find(text, 'x') == 5 &&
	      bytes_find(none, 'x') == 0);
}

static void
test_numbers_are_plain_digits(void)
{
	static const char *const bad[] = { "",
		                           "+1",
		                           "-1",
		                           " 1",
		                           "1 ",
		                           "0x1",
		                           "1_0",
		                           "1.0",
		                           "18446744073709551616",
		                           "99999999999999999999",
		                           "\xd9\xa1",
		                           "1e3" };
	uint64_t value = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(failed(bytes_to_u64(bytes_text(bad[i]), &value)), bad[i]);
	CHECK(failed(bytes_to_u64(BYTES("1\0"), &value)) && value == 7);
	CHECK(!failed(bytes_to_u64(BYTES("18446744073709551615"), &value)) && value == UINT64_MAX);
	CHECK(!failed(bytes_to_u64(BYTES("000"), &value)) && value == 0);
}

static size_t
encode(uint32_t point, uint8_t to[4])
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (uint8_t)(0xc0 | point >> 6), to[1] = (uint8_t)(0x80 | (point & 63));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (uint8_t)(0xe0 | point >> 12), to[1] = (uint8_t)(0x80 | (point >> 6 & 63));
		to[2] = (uint8_t)(0x80 | (point & 63));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | point >> 18), to[1] = (uint8_t)(0x80 | (point >> 12 & 63));
	to[2] = (uint8_t)(0x80 | (point >> 6 & 63)), to[3] = (uint8_t)(0x80 | (point & 63));
	return 4;
}

/* Every code point, beyond the last one too. */
static void
test_utf8_is_every_code_point_but_surrogates(void)
{
	for (uint32_t point = 0; point < 0x120000; point++) {
		uint8_t text[4];
		size_t len = encode(point, text);
		bool wanted = (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;

		if (bytes_is_utf8((struct bytes){ text, len }) != wanted) {
			CHECK_ROW(false, "a code point is judged wrongly");
			return;
		}
		for (size_t cut = 1; cut < len; cut++)
			CHECK(!bytes_is_utf8((struct bytes){ text, cut }));
	}
}

static void
test_utf8_has_one_form_for_each(void)
{
	size_t two = 0, three = 0;

	for (unsigned i = 0; i < 1u << 24; i++) {
		const uint8_t text[3] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		if (text[0] < 0x80)
			continue;
		three += bytes_is_utf8((struct bytes){ text, 3 }) && text[0] >= 0xe0;
		two += text[2] == 0 && bytes_is_utf8((struct bytes){ text, 2 });
	}
	/* As many as there are code points of that length: no overlong form counts. */
	CHECK(two == 0x800 - 0x80 && three == 0x10000 - 0x800 - 0x800);
}

static void
test_reads_are_checked_and_leave_the_cursor_on_failure(void)
{
	struct reader r =
		reader_of(BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));
	struct bytes run;
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	CHECK(!failed(read_u8(&r, &u8)) && u8 == 1);
	CHECK(!failed(read_u16le(&r, &u16)) && u16 == 0x0302);
	CHECK(!failed(read_u16le(&r, &u16)) && u16 == 0x0504);
	CHECK(!failed(read_u32le(&r, &u32)) && u32 == 0x09080706);
	CHECK(!failed(read_u32le(&r, &u32)) && u32 == 0x0d0c0b0a);
	CHECK(failed(read_u64le(&r, &u64)) && failed(read_u32le(&r, &u32)));
	CHECK(reader_left(&r) == 2 && u64 == 0 && u32 == 0x0d0c0b0a);
	CHECK(failed(read_bytes(&r, 3, &run)) && failed(read_bytes(&r, SIZE_MAX, &run)) &&
	      reader_left(&r) == 2);
	CHECK(!failed(read_bytes(&r, 2, &run)) && bytes_is(run, "\x0e\x0f") &&
	      failed(read_u8(&r, &u8)));
	CHECK(failed(read_u16le(&r, &u16)) && !failed(read_bytes(&r, 0, &run)));
}

static void
test_counted_fields_read_what_was_put(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct bytes run;
	uint64_t u64;

	buf_put_counted(&out, BYTES("abc"));
	buf_put_u64le(&out, 0x0102030405060708u);
	for (size_t len = 0; len < 7; len++) {
		struct reader r = reader_of(bytes_slice(buf_bytes(&out), 0, len));

		CHECK(failed(read_counted(&r, 10, &run)) && reader_left(&r) == len);
	}
	struct reader r = reader_of(buf_bytes(&out));
	CHECK(failed(read_counted(&r, 2, &run)) && reader_left(&r) == out.len);
	CHECK(!failed(read_counted(&r, 3, &run)) && bytes_is(run, "abc"));
	CHECK(!failed(read_u64le(&r, &u64)) && u64 == 0x0102030405060708u);
}

static void
test_control_characters_are_c0_del_and_c1(void)
{
	static const char *const without[] = { "", "ada", "Zo\xc3\xab", "\xc2\xa0",
		                               "\xe2\x82\xac" };
	static const char *const with[] = { "\n", "a\x1b[2J", "a\x7f", "\xc2\x80", "a\xc2\x9f" };

	for (size_t i = 0; i < sizeof without / sizeof *without; i++)
		CHECK_ROW(!bytes_has_control(bytes_text(without[i])), without[i]);
	for (size_t i = 0; i < sizeof with / sizeof *with; i++)
		CHECK_ROW(bytes_has_control(bytes_text(with[i])), with[i]);
	CHECK(bytes_has_control(BYTES("a\0b")));
}

/* That it takes the same time wherever the difference is, is CRYPTO_memcmp()'s promise. */
static void
test_case_25_secrets_are_equal_by_length_and_every_bit(void)
{
	uint8_t a[32], b[32];

	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (uint8_t)(i * 7);
	CHECK(bytes_equal_secret((struct bytes){ a, 32 }, (struct bytes){ b, 32 }));
	for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(!bytes_equal_secret((struct bytes){ a, 32 }, (struct bytes){ b, 32 }));
		b[bit / 8] = a[bit / 8];
	}
	CHECK(!bytes_equal_secret((struct bytes){ a, 31 }, (struct bytes){ a, 32 }));
	CHECK(!bytes_equal_secret((struct bytes){ NULL, 0 }, (struct bytes){ a, 32 }));
	CHECK(bytes_equal_secret((struct bytes){ NULL, 0 }, (struct bytes){ a, 0 }));
}

TESTS(TEST(test_case_25_secrets_are_equal_by_length_and_every_bit), TEST(test_comparisons),
      TEST(test_control_characters_are_c0_del_and_c1), TEST(test_slices_are_clamped),
      TEST(test_numbers_are_plain_digits), TEST(test_utf8_is_every_code_point_but_surrogates),
      TEST(test_utf8_has_one_form_for_each),
      TEST(test_reads_are_checked_and_leave_the_cursor_on_failure),
      TEST(test_counted_fields_read_what_was_put))
