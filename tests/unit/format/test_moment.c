/* test_moment.c - dates and times at the edges of the calendar; ULIDs. */
#include "format/moment.h"

#include <time.h>

#include "base/macros.h"
#include "test.h"

static void
test_dates_follow_the_calendar(void)
{
	static const char *const good[] = { "2026-11-22", "2024-02-29", "2000-02-29", "0001-01-01",
		                            "9999-12-31" };
	static const char *const bad[] = {
		"2026-02-29", "1900-02-29",       "2026-04-31",  "2026-13-01", "2026-00-01",
		"2026-01-00", "0000-01-01",       "2026-1-01",   "2026-01-1",  "26-01-01",
		"2026/01/01", "2026-01-01 ",      " 2026-01-01", "",           "2026-01-01T",
		"+026-01-01", "2026-01-\xc2\xb2",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_ROW(moment_is_date(bytes_text(good[i])), good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(!moment_is_date(bytes_text(bad[i])), bad[i]);
}

static void
test_times_have_bounds(void)
{
	static const char *const good[] = { "00:00:00", "23:59:59", "13:04:05.1",
		                            "13:04:05.123456" };
	static const char *const bad[] = { "24:00:00", "23:60:00",  "23:59:60",         "1:04:05",
		                           "13:04",    "13:04:05.", "13:04:05.1234567", "13:04:05Z",
		                           "",         "13.04.05",  "-1:00:00" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_ROW(moment_is_time(bytes_text(good[i])), good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(!moment_is_time(bytes_text(bad[i])), bad[i]);
}

static void
test_timestamps_are_instants(void)
{
	static const struct {
		const char *text;
		int64_t us;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00", 0 },
		{ "1970-01-01 00:00:00", 0 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2026-11-22T13:04:05.5-05:30", 1795372445500000 },
		{ "0001-01-01T00:00:00Z", -62135596800000000 },
		{ "9999-12-31T23:59:59.999999Z", 253402300799999999 },
		{ "2000-02-29T12:00:00-00:00", 951825600000000 },
	};
	static const char *const bad[] = {
		"2026-11-22",
		"2026-11-22T13:04Z",
		"2026-11-22t13:04:05Z",
		"2026-11-22T13:04:05z",
		"2026-11-22T13:04:05+1",
		"2026-11-22T13:04:05+24:00",
		"2026-11-22T13:04:05+01:60",
		"2026-11-22T13:04:05+0100",
		"2026-11-22T13:04:05ZZ",
		"2026-11-22T23:59:60Z",
		"2026-11-22T13:04:05 Z",
		"",
	};
	int64_t us;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		us = 42;
		CHECK_ROW(moment_parse_timestamp(bytes_text(rows[i].text), &us), rows[i].text);
		CHECK_ROW(us == rows[i].us, rows[i].text);
	}
	us = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(!moment_parse_timestamp(bytes_text(bad[i]), &us), bad[i]);
	CHECK(us == 42);
}

/* Each day of ten thousand years, against the C library, and back. */
static void
test_every_day_agrees_with_the_c_library(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	for (int64_t day = -719162; day <= 2932896; day++) {
		int64_t us = day * 86400000000 + 86399999999, back;
		time_t seconds = (time_t)(day * 86400 + 86399);
		struct tm tm;
		char wanted[64];

		buf_clear(&out);
		moment_put_timestamp(&out, us);
		if (day % 7 == 0) {
			gmtime_r(&seconds, &tm);
			snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT%02d:%02d:%02d.999999Z",
			         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			         tm.tm_min, tm.tm_sec);
			if (!bytes_is(buf_bytes(&out), wanted)) {
				CHECK_ROW(false, wanted);
				return;
			}
		}
		if (!moment_parse_timestamp(buf_bytes(&out), &back) || back != us) {
			CHECK_ROW(false, "a day did not survive");
			return;
		}
	}
}

static void
test_instants_outside_four_digit_years_are_clamped(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	moment_put_timestamp(&out, INT64_MAX);
	moment_put_timestamp(&out, INT64_MIN);
	CHECK(bytes_is(buf_bytes(&out), "9999-12-31T23:59:59.999999Z0001-01-01T00:00:00.000000Z"));
	buf_clear(&out);
	moment_put_seconds(&out, INT64_MAX);
	moment_put_seconds(&out, INT64_MIN);
	moment_put_seconds(&out, 1760000000);
	CHECK(bytes_is(buf_bytes(&out),
	               "9999-12-31T23:59:59Z0001-01-01T00:00:00Z2025-10-09T08:53:20Z"));
}

static void
test_ulids(void)
{
	static const uint8_t zero[10],
		ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	static const uint8_t one[10] = { [4] = 1, [9] = 1 };
	CLEANUP(buf_done) struct buf out = { 0 };

	ulid_put(&out, 0, zero);
	CHECK(bytes_is(buf_bytes(&out), "00000000000000000000000000"));
	buf_clear(&out);
	ulid_put(&out, ((1LL << 48) - 1) * 1000, ones);
	CHECK(bytes_is(buf_bytes(&out), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
	buf_clear(&out);
	ulid_put(&out, 1469918176385000, one);
	CHECK(bytes_is(buf_bytes(&out), "01ARYZ6S410000000100000001"));
}

TESTS(TEST(test_dates_follow_the_calendar), TEST(test_times_have_bounds),
      TEST(test_timestamps_are_instants), TEST(test_every_day_agrees_with_the_c_library),
      TEST(test_instants_outside_four_digit_years_are_clamped), TEST(test_ulids))
