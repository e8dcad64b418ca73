/* test_http2_floods.c - what an HTTP/2 peer may not do for long, whatever it is: cases 53 to 57 of
 * the project's list of attacks. */
#include "http2_tape.h"

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

/* What callers give up costs the service nothing: the connection carries others. Frames without use
 * cost it as they cost all. */
static void
test_a_service_goes_on_with_what_nobody_wants_any_more(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, wire = { 0 }, flood = { 0 };
	CLEANUP(seen_done) struct seen s = plain;
	const struct http2_request request = { .method = BYTES("GET"),
		                               .scheme = BYTES("http"),
		                               .authority = BYTES("a"),
		                               .path = BYTES("/"),
		                               .is_last = true };
	int32_t id;

	CHECK(!failed(http2_new(true, &ops, &s, &s.http2)));
	CHECK(!failed(http2_request(s.http2, &request, &s, &id)));
	CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
	put_frame(&tape, SETTINGS, 0, 0, (struct bytes){ 0 });
	put_head(&tape, 1, false, ":status=200");
	CHECK(!failed(http2_feed(s.http2, buf_bytes(&tape), s.now_us)));
	http2_forget(s.http2, id);
	http2_reset(s.http2, id, 8);
	CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
	buf_clear(&tape);
	for (int i = 0; i < 3 * HTTP2_GLITCHES_OF_SERVICE; i++) {
		put_frame(&tape, DATA, 0, 1, BYTES("x"));
		put_frame(&flood, PING, ACK, 0, BYTES("12345678"));
	}
	CHECK(!failed(http2_feed(s.http2, buf_bytes(&tape), s.now_us)));
	CHECK(failed(http2_feed(s.http2, buf_bytes(&flood), s.now_us)));
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

TESTS(TEST(test_56_frames_without_use_are_counted), TEST(test_56_time_gives_back),
      TEST(test_a_service_goes_on_with_what_nobody_wants_any_more),
      TEST(test_53_rapid_resets_are_counted),
      TEST(test_54_resets_that_we_are_made_to_send_are_counted),
      TEST(test_55_continuations_are_bounded), TEST(test_57_fields_are_bounded_as_they_unfold),
      TEST(test_what_comes_for_an_ended_stream_ends_the_connection))
