/* test_field.c - the byte classes against the sets that RFC 9110 names, and the fast scan of
 * values. */
#include "http/http_field.h"

#include "test.h"

static bool
is_alnum(unsigned c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
in_set(unsigned c, const char *set)
{
	return c != 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

static void
test_classes_match_the_rfc(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t c = (uint8_t)i;
		bool token = is_alnum(i) || in_set(i, "!#$%&'*+-.^_`|~");

		CHECK(http_byte_is(c, HTTP_BYTE_TOKEN) == token);
		CHECK(http_byte_is(c, HTTP_BYTE_NAME) == (token && c != '_'));
		CHECK(http_byte_is(c, HTTP_BYTE_VALUE) == (i == 9 || (i >= 32 && i != 127)));
		CHECK(http_byte_is(c, HTTP_BYTE_TARGET) == (i > 32 && i < 127 && i != '#'));
		CHECK(http_byte_is(c, HTTP_BYTE_HEX) == in_set(i, "0123456789abcdefABCDEF"));
		CHECK(http_byte_is(c, HTTP_BYTE_HOST) == (is_alnum(i) || in_set(i, "-._")));
	}
}

static void
test_the_fast_scan_sees_every_byte_at_every_place(void)
{
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 40; at++) {
			uint8_t text[40];

			memset(text, at % 2 ? 'a' : 0xe9, sizeof text);
			text[at] = (uint8_t)c;
			CHECK(http_value_is_clean((struct bytes){ text, sizeof text }) ==
			      http_byte_is((uint8_t)c, HTTP_BYTE_VALUE));
		}
	CHECK(http_value_is_clean((struct bytes){ 0 }));
}

TESTS(TEST(test_classes_match_the_rfc), TEST(test_the_fast_scan_sees_every_byte_at_every_place))
