/* test_reply.c - what is sent, to the byte; and what can never be sent. */
#include "http/http_reply.h"

#include <time.h>

#include "base/macros.h"
#include "test.h"

static void
test_a_reply_is_written_to_the_byte(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	http_reply_begin(&out, 200, BYTES("Sun, 06 Nov 1994 08:49:37 GMT"));
	http_reply_field(&out, "Content-Type", BYTES("application/json"));
	http_reply_length(&out, 2);
	http_reply_close(&out);
	http_reply_end(&out);
	CHECK(!failed(buf_check(&out)));
	CHECK(bytes_is(buf_bytes(&out), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	                                "Content-Type: application/json\r\nContent-Length: "
	                                "2\r\nConnection: close\r\n\r\n"));
}

static void
test_chunks_are_framed_and_empty_data_does_not_end_the_body(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	http_reply_begin(&out, 100, (struct bytes){ 0 });
	http_reply_chunked(&out);
	http_reply_end(&out);
	http_reply_chunk(&out, BYTES("0123456789abcdefX"));
	http_reply_chunk(&out, (struct bytes){ 0 });
	http_reply_chunk(&out, BYTES("y"));
	http_reply_last_chunk(&out, (struct bytes){ 0 });
	CHECK(bytes_is(buf_bytes(&out),
	               "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"
	               "11\r\n0123456789abcdefX\r\n1\r\ny\r\n0\r\n\r\n"));
}

static bool
field_is_refused(const char *name, struct bytes value)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	http_reply_field(&out, name, value);
	return failed(buf_check(&out)) && out.len == 0;
}

static void
test_case_48_response_splitting_is_refused(void)
{
	CHECK(field_is_refused("X", BYTES("a\r\nSet-Cookie: x")) &&
	      field_is_refused("X", BYTES("a\rb")));
	CHECK(field_is_refused("X", BYTES("a\nb")) && field_is_refused("X", BYTES("a\0b")));
	CHECK(field_is_refused("X", BYTES("a\x7f")) && field_is_refused("X", BYTES("\x1b[0m")));
	CHECK(field_is_refused("X\r\nY", BYTES("a")) && field_is_refused("X:", BYTES("a")));
	CHECK(field_is_refused("", BYTES("a")) && field_is_refused("X Y", BYTES("a")));
	CHECK(!field_is_refused("X", BYTES("caf\xc3\xa9\tb")) && !field_is_refused("X", BYTES("")));

	CLEANUP(buf_done) struct buf out = { 0 };
	http_reply_begin(&out, 200, BYTES("x\r\ny"));
	CHECK(failed(buf_check(&out)));
}

static void
test_a_status_has_three_digits(void)
{
	CLEANUP(buf_done) struct buf out = { 0 }, low = { 0 }, high = { 0 };

	http_reply_begin(&out, 299, (struct bytes){ 0 });
	CHECK(bytes_is(buf_bytes(&out), "HTTP/1.1 299 \r\n"));
	http_reply_begin(&low, 99, (struct bytes){ 0 });
	http_reply_begin(&high, 1000, (struct bytes){ 0 });
	CHECK(failed(buf_check(&low)) && failed(buf_check(&high)));
	CHECK(strcmp(http_reason(404), "Not Found") == 0 && strcmp(http_reason(599), "") == 0);
}

static void
test_dates_agree_with_the_c_library(void)
{
	CLEANUP(buf_done) struct buf first = { 0 };

	http_date_put(&first, 784111777);
	CHECK(bytes_is(buf_bytes(&first), "Sun, 06 Nov 1994 08:49:37 GMT"));
	for (int64_t at = -62135596800; at <= 253402300799; at += 86400 * 13 + 3607) {
		CLEANUP(buf_done) struct buf out = { 0 };
		time_t seconds = (time_t)at;
		struct tm tm;
		char date[32], wanted[128];

		http_date_put(&out, at);
		gmtime_r(&seconds, &tm);
		/* The year by hand: strftime() does not pad it. */
		strftime(date, sizeof date, "%a, %d %b", &tm);
		snprintf(wanted, sizeof wanted, "%s %04d %02d:%02d:%02d GMT", date,
		         tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		CHECK_ROW(bytes_is(buf_bytes(&out), wanted), wanted);
	}
}

TESTS(TEST(test_a_reply_is_written_to_the_byte),
      TEST(test_chunks_are_framed_and_empty_data_does_not_end_the_body),
      TEST(test_case_48_response_splitting_is_refused), TEST(test_a_status_has_three_digits),
      TEST(test_dates_agree_with_the_c_library))
