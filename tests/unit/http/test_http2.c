/* test_http2.c - HTTP/2 engine against bytes made by hand, not by itself: each tape is fed whole,
 * cut at every byte and one byte at a time, and what the engine tells must be the same. Numbers are
 * cases of the project's list of attacks. */
#include "http2_tape.h"

/* Tests */

static void
test_a_request_is_told_and_answered(void)
{
	check_head(GET ";accept=x", true,
	           "request 1 GET /a?b @h.example [host|h.example] [accept|x] last\n" ANSWERED);
	check_head(":method=OPTIONS;:scheme=https;:path=*;:authority=h.example", true,
	           "request 1 OPTIONS * @h.example [host|h.example] last\n" ANSWERED);
}

/* The frames of a stream are told before its close in the order of the wire; here the close comes
 * last. */
static void
test_a_body_is_told_as_it_comes(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, false, POST);
	put_frame(&tape, DATA, 0, 1, BYTES("abc"));
	put_frame(&tape, DATA, PADDED, 1, BYTES("\2de\0\0"));
	put_frame(&tape, DATA, END_STREAM, 1, BYTES("f"));
	check_as(&plain, &tape,
	         "request 1 POST /p @h.example chunked [host|h.example] "
	         "[transfer-encoding|chunked]\ndata 1 abcdef>end 1 \n" ANSWERED,
	         "body");
}

static void
test_trailers_are_told_but_for_those_that_may_not_go_on(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	put_preface(&tape);
	put_head(&tape, 1, false, POST ";content-length=3");
	put_frame(&tape, DATA, 0, 1, BYTES("abc"));
	put_head(&tape, 1, true, "x-sum=3;authorization=b;cookie=c;x-more=4");
	check_as(&plain, &tape,
	         "request 1 POST /p @h.example length=3 [host|h.example] [content-length|3]\ndata "
	         "1 abc>end 1 x-sum: 3\r\nx-more: 4\r\n\n" ANSWERED,
	         "trailers");
}

static void
test_our_trailers_stand_behind_our_body(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	struct seen as = plain;

	as.trailers = BYTES("X-Sum: 5\r\n");
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	check_as(&as, &tape,
	         "request 1 GET /a?b @h.example [host|h.example] last\nclosed 1 0\n<HEADERS "
	         "1>\n<DATA 1 hello>\n<HEADERS 1 end>\n",
	         "trailers");
}

static void
test_a_head_may_come_in_pieces(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, block = { 0 };

	put_fields(&block, GET ";x=y");
	put_preface(&tape);
	put_frame(&tape, HEADERS, END_STREAM, 1, bytes_slice(buf_bytes(&block), 0, 5));
	put_frame(&tape, CONTINUATION, 0, 1, bytes_slice(buf_bytes(&block), 5, 20));
	put_frame(&tape, CONTINUATION, END_HEADERS, 1,
	          bytes_slice(buf_bytes(&block), 20, block.len));
	check_as(&plain, &tape,
	         "request 1 GET /a?b @h.example [host|h.example] [x|y] last\n" ANSWERED, "pieces");
}

static void
test_crumbs_of_a_cookie_are_one_field(void)
{
	check_head(GET ";cookie=a:1;x=y;cookie=b:2", true,
	           "request 1 GET /a?b @h.example [host|h.example] [x|y] [cookie|a:1; b:2] "
	           "last\n" ANSWERED);
}

static void
test_a_host_stands_for_an_authority(void)
{
	check_head(":method=GET;:scheme=http;:path=/;host=h.example", true,
	           "request 1 GET / @h.example [host|h.example] last\n" ANSWERED);
	check_head(GET ";host=H.example", true,
	           "request 1 GET /a?b @h.example [host|h.example] last\n" ANSWERED);
}

#define REFUSED(code) "refused 1 " code "\n<HEADERS 1>\n<DATA 1 no end>\n"
#define RESET "<RST 1 1>\n"

static void
test_58_heads_that_http_1_could_not_say_are_refused(void)
{
	static const struct {
		const char *fields, *wanted;
	} rows[] = {
		{ GET ";host=b.example", REFUSED("400") },
		{ GET ";host=h.example;host=h.example", RESET },
		{ GET ";a_b=c", REFUSED("400") },
		{ GET ";A=c", RESET },
		{ GET ";a:b=c", RESET },
		{ GET ";a b=c", RESET },
		{ GET ";=c", RESET },
		{ GET ";a=b\r\nx: y", RESET },
		{ GET ";a=b\nc", RESET },
		{ GET ";a=b\rc", RESET },
		{ GET ";a= b", RESET },
		{ GET ";a=b ", RESET },
		{ GET ";connection=close", RESET },
		{ GET ";transfer-encoding=chunked", RESET },
		{ GET ";upgrade=h2c", RESET },
		{ GET ";te=gzip", RESET },
		{ GET ";expect=200-ok", REFUSED("417") },
		{ GET ";:path=/b", RESET },
		{ GET ";a=b;:path=/b", RESET },
		{ GET ";:status=200", RESET },
		{ ":scheme=http;:path=/;:authority=h", RESET },
		{ ":method=GET;:path=/;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/", RESET },
		{ ":method=GET;:scheme=http;:path=x;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=http://h/;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=*;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/ HTTP/1.1\r\nx: y;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/ x;:authority=h", RESET },
		{ ":method=GET;:scheme=http;:path=/#x;:authority=h", REFUSED("400") },
		{ ":method=GET;:scheme=ftp;:path=/;:authority=h", REFUSED("400") },
		{ ":method=GET;:scheme=http;:path=/;:authority=u@h", REFUSED("400") },
		{ ":method=GET;:scheme=http;:path=/;:authority=h h", RESET },
		{ ":method=TRACE;:scheme=http;:path=/;:authority=h", REFUSED("501") },
		{ ":method=G T;:scheme=http;:path=/;:authority=h", RESET },
		{ ":method=CONNECT;:authority=h.example:443", REFUSED("501") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_head(rows[i].fields, true, rows[i].wanted);
}

static void
test_58_lengths_that_are_not_the_bodys_reset_the_stream(void)
{
	static const char *const lengths[] = { "2", "4", "0" };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		CLEANUP(buf_done) struct buf tape = { 0 }, fields = { 0 }, text = { 0 };

		buf_printf(&fields, "%s;content-length=%s%c", POST, lengths[i], '\0');
		put_preface(&tape);
		put_head(&tape, 1, false, (const char *)fields.at);
		put_frame(&tape, DATA, END_STREAM, 1, BYTES("abc"));
		run_server(&plain, buf_bytes(&tape), tape.len, 1, &text);
		buf_put_u8(&text, '\0');
		CHECK_ROW(strstr((const char *)text.at, "<RST 1 1>") != NULL, lengths[i]);
		CHECK_ROW(strstr((const char *)text.at, "end 1") == NULL, lengths[i]);
	}
	check_head(POST ";content-length=3", true, RESET);
	check_head(POST ";content-length=03;x=y", false, REFUSED("400") "<RST 1 0>\n");
}

static void
test_large_heads_are_refused_on_their_stream(void)
{
	CLEANUP(buf_done) struct buf many = { 0 }, path = { 0 };

	buf_put_text(&many, GET);
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		buf_printf(&many, ";x%d=y", i);
	buf_put_u8(&many, '\0');
	check_head((const char *)many.at, true, REFUSED("431"));

	buf_put_text(&path, ":method=GET;:scheme=http;:authority=h;:path=/");
	for (int i = 0; i < HTTP_TARGET_MAX; i++)
		buf_put_u8(&path, 'a');
	buf_put_u8(&path, '\0');
	check_head((const char *)path.at, true, REFUSED("414"));
}

static void
test_a_stream_that_is_not_taken_is_refused(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	struct seen as = plain;

	as.takes_none = true;
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	check_as(&as, &tape, "request 1 GET /a?b @h.example [host|h.example] last\n<RST 1 7>\n",
	         "not taken");
}

static void
test_what_is_not_http_2_is_broken_off(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 };

	buf_put_text(&tape, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nand so on");
	check_as(&plain, &tape, "broken\n<GOAWAY 0 1>\ndone\n", "preface");
}

static void
test_errors_of_the_protocol_end_the_connection(void)
{
	CLEANUP(buf_done) struct buf tape = { 0 }, even = { 0 };

	put_preface(&tape);
	put_frame(&tape, PING, 0, 0, BYTES("short"));
	check_as(&plain, &tape, "<GOAWAY 0 6>\ndone\n", "frame size");
	put_preface(&even);
	put_head(&even, 2, true, GET);
	check_as(&plain, &even, "<GOAWAY 0 1>\ndone\n", "even id");
}

static void
test_the_peer_waits_for_what_is_not_consumed(void)
{
	CLEANUP(seen_done) struct seen s = plain;
	CLEANUP(buf_done) struct buf tape = { 0 }, part = { 0 };

	s.eats = false;
	for (int i = 0; i < 16384; i++)
		buf_put_u8(&part, 'x');
	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	put_preface(&tape);
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_clear(&tape);
	put_frame(&tape, SETTINGS, ACK, 0,
	          (struct bytes){ 0 }); /* the window is known from now on */
	put_head(&tape, 1, false, POST);
	for (size_t i = 0; i < HTTP2_WINDOW / 16384; i++)
		put_frame(&tape, DATA, 0, 1, buf_bytes(&part));
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_put_u8(&s.text, '\0');
	CHECK(strstr((const char *)s.text.at, "<RST") == NULL);
	CHECK(strstr((const char *)s.text.at, "<GOAWAY") == NULL);

	/* One byte more than the window. */
	s.text.len--;
	buf_clear(&tape);
	put_frame(&tape, DATA, 0, 1, BYTES("x"));
	feed(&s, buf_bytes(&tape), tape.len, 1);
	buf_put_u8(&s.text, '\0');
	CHECK(strstr((const char *)s.text.at, " 3>\n") != NULL);
}

static void
test_leaving_names_the_last_stream(void)
{
	CLEANUP(seen_done) struct seen s = plain;
	CLEANUP(buf_done) struct buf tape = { 0 }, wire = { 0 };

	CHECK(!failed(http2_new(false, &ops, &s, &s.http2)));
	put_preface(&tape);
	put_head(&tape, 1, true, GET);
	feed(&s, buf_bytes(&tape), tape.len, 1);
	CHECK(!http2_is_done(s.http2));
	http2_leave(s.http2);
	CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
	CHECK(wire.len == 17 && wire.at[3] == GOAWAY && wire.at[12] == 1);
	CHECK(http2_is_done(s.http2));
}

/* A client, and what a service answers */

static void
check_answer(const char *method, const struct buf *answer, const char *wanted, const char *row)
{
	for (size_t cut = 0; cut <= answer->len; cut++) {
		CLEANUP(seen_done) struct seen s = plain;
		CLEANUP(buf_done) struct buf wire = { 0 }, settings = { 0 };
		int32_t id;

		s.answer = (struct bytes){ 0 };

		CHECK(!failed(http2_new(true, &ops, &s, &s.http2)));
		put_frame(&settings, SETTINGS, 0, 0, (struct bytes){ 0 });
		CHECK(!failed(http2_feed(s.http2, buf_bytes(&settings), s.now_us)));
		CHECK(!failed(http2_request(s.http2,
		                            &(struct http2_request){ .method = bytes_text(method),
		                                                     .scheme = BYTES("http"),
		                                                     .authority = BYTES("s"),
		                                                     .path = BYTES("/"),
		                                                     .lines = BYTES("A: b\r\n"),
		                                                     .is_last = true },
		                            (void *)(intptr_t)1, &id)));
		CHECK(id == 1);
		CHECK(!failed(http2_pull(s.http2, &wire, SIZE_MAX)));
		CHECK(bytes_starts(buf_bytes(&wire), BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
		feed(&s, buf_bytes(answer), cut == 0 ? 1 : cut, cut == 0 ? 1 : answer->len);
		if (!bytes_is(buf_bytes(&s.text), wanted)) {
			printf("# %s cut %zu: got\n%.*s", row, cut, (int)s.text.len,
			       (const char *)s.text.at);
			CHECK_ROW(false, row);
			return;
		}
	}
}

static void
test_a_client_reads_an_answer(void)
{
	CLEANUP(buf_done) struct buf answer = { 0 }, empty = { 0 };

	put_head(&answer, 1, false, ":status=103;link=x");
	put_head(&answer, 1, false, ":status=200;a_b=c");
	put_frame(&answer, DATA, 0, 1, BYTES("abc"));
	put_head(&answer, 1, true, "x-sum=3;content-length=3");
	check_answer("GET", &answer,
	             "response 1 103 [link|x] framing=0\nresponse 1 200 [a_b|c] framing=3\ndata 1 "
	             "abc>end 1 x-sum: 3\r\n\nclosed 1 0\n",
	             "answer");
	put_head(&empty, 1, true, ":status=200;content-length=9");
	check_answer("HEAD", &empty,
	             "response 1 200 [content-length|9] framing=0 last\nclosed 1 0\n", "head");
}

static void
test_a_client_refuses_what_could_be_read_two_ways(void)
{
	static const char *const heads[] = {
		":status=200;a=b\r\nc: d",
		":status=200;connection=close",
		":status=20",
		":status=101",
		":status=200;:status=200",
		":status=200;transfer-encoding=chunked",
		"a=b",
		":status=200;content-length=x",
		":status=200;content-length=1;content-length=1",
		":status=200;:path=/",
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		CLEANUP(buf_done) struct buf answer = { 0 };

		put_head(&answer, 1, true, heads[i]);
		check_answer("GET", &answer, "closed 1 1\n<RST 1 1>\n", heads[i]);
	}
}

TESTS(TEST(test_a_request_is_told_and_answered), TEST(test_a_body_is_told_as_it_comes),
      TEST(test_trailers_are_told_but_for_those_that_may_not_go_on),
      TEST(test_our_trailers_stand_behind_our_body), TEST(test_a_head_may_come_in_pieces),
      TEST(test_crumbs_of_a_cookie_are_one_field), TEST(test_a_host_stands_for_an_authority),
      TEST(test_58_heads_that_http_1_could_not_say_are_refused),
      TEST(test_58_lengths_that_are_not_the_bodys_reset_the_stream),
      TEST(test_large_heads_are_refused_on_their_stream),
      TEST(test_a_stream_that_is_not_taken_is_refused), TEST(test_what_is_not_http_2_is_broken_off),
      TEST(test_errors_of_the_protocol_end_the_connection),
      TEST(test_the_peer_waits_for_what_is_not_consumed), TEST(test_leaving_names_the_last_stream),
      TEST(test_a_client_reads_an_answer), TEST(test_a_client_refuses_what_could_be_read_two_ways))
