/* How long a document keeps, by the fields of its answer. */
#include "fetch/freshness.h"

#include "base/macros.h"
#include "test.h"

#define DATE "Sun, 22 Nov 2026 06:00:00 GMT"
static const int64_t date_s = 1795327200;

static void
test_dates_are_read(void)
{
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {
		{ DATE, 1795327200 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Thu, 29 Feb 2024 23:59:60 GMT", 1709251200 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	};
	static const char *const bad[] = {
		"",
		"0",
		"-1",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Xyz, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1969 08:49:37 GMT",
		"Sun, +6 Nov 1994 08:49:37 GMT",
		"sun, 06 nov 1994 08:49:37 gmt",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t s = -1;

		CHECK_ROW(http_date_parse(bytes_text(rows[i].text), &s), rows[i].text);
		CHECK_ROW(s == rows[i].s, rows[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t s;
		CHECK_ROW(!http_date_parse(bytes_text(bad[i]), &s), bad[i]);
	}
}

static void
test_fields_say_how_long_within_our_bounds(void)
{
	static const struct {
		const char *control, *expires, *date, *age;
		unsigned s;
	} rows[] = {
		{ "", "", "", "", FRESH_DEFAULT_S },
		{ "public", "", "", "", FRESH_DEFAULT_S },
		{ "max-age=7200", "", "", "", 7200 },
		{ "public, Max-Age = 7200 ,must-revalidate", "", "", "", 7200 },
		{ "max-age=\"7200\"", "", "", "", 7200 },
		{ "max-age=7200", "", "", "1200", 6000 },
		{ "max-age=7200", "", "", "x", 7200 },
		{ "max-age=7200, max-age=3000", "", "", "", 3000 },
		{ "max-age=7200", DATE, DATE, "", 7200 },         /* before Expires */
		{ "s-maxage=9000", "", "", "", FRESH_DEFAULT_S }, /* for shared caches */
		{ "max-age=0", "", "", "", FRESH_MIN_S },
		{ "max-age=1", "", "", "", FRESH_MIN_S },
		{ "max-age=-5", "", "", "", FRESH_MIN_S },
		{ "max-age=", "", "", "", FRESH_MIN_S },
		{ "max-age", "", "", "", FRESH_MIN_S },
		{ "max-age=abc", "", "", "", FRESH_MIN_S },
		{ "max-age=99999999", "", "", "", FRESH_MAX_S },
		{ "max-age=99999999999999999999999", "", "", "", FRESH_MAX_S },
		{ "max-age=7200", "", "", "99999999999999999999999", FRESH_MIN_S },
		{ "no-store", "", "", "", FRESH_MIN_S },
		{ "max-age=7200, no-store", "", "", "", FRESH_MIN_S },
		{ "no-cache=\"x\", max-age=7200", "", "", "", FRESH_MIN_S },
		{ ",,,", "", "", "", FRESH_DEFAULT_S },
		{ "", "Sun, 22 Nov 2026 08:00:00 GMT", DATE, "", 7200 },
		{ "", "Sun, 22 Nov 2026 08:00:00 GMT", "", "", 7200 },
		{ "", "Sun, 22 Nov 2026 08:00:00 GMT", "Sun, 22 Nov 2026 07:00:00 GMT", "", 3600 },
		{ "", "Sun, 22 Nov 2026 08:00:00 GMT", DATE, "600", 6600 },
		{ "", "Sat, 21 Nov 2026 08:00:00 GMT", DATE, "", FRESH_MIN_S },
		{ "", "Fri, 31 Dec 9999 23:59:59 GMT", DATE, "", FRESH_MAX_S },
		{ "", "0", DATE, "", FRESH_MIN_S },
		{ "", "-1", "", "", FRESH_MIN_S },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct freshness f = { .cache_control = bytes_text(rows[i].control),
			                     .expires = bytes_text(rows[i].expires),
			                     .date = bytes_text(rows[i].date),
			                     .age = bytes_text(rows[i].age) };
		unsigned s = freshness_seconds(&f, date_s);

		if (s != rows[i].s)
			printf("# row %zu: got %u\n", i, s);
		CHECK_ROW(s == rows[i].s, rows[i].control);
	}
}

static void
test_retry_after_is_seconds_or_a_date(void)
{
	static const struct {
		const char *text;
		unsigned s;
	} rows[] = {
		{ "", 0 },
		{ "120", 120 },
		{ " 120 ", 120 },
		{ "0", 0 },
		{ "999999999999999999999", RETRY_AFTER_MAX_S },
		{ "-1", 0 },
		{ "soon", 0 },
		{ "Sun, 22 Nov 2026 06:02:00 GMT", 120 },
		{ "Sun, 22 Nov 2026 05:59:59 GMT", 0 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_MAX_S },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(retry_after_seconds(bytes_text(rows[i].text), date_s) == rows[i].s,
		          rows[i].text);
}

TESTS(TEST(test_dates_are_read), TEST(test_fields_say_how_long_within_our_bounds),
      TEST(test_retry_after_is_seconds_or_a_date))
