/* test_service.c - exchanges with a service over HTTP/1.1: what is sent, what is told, and when a
 * connection serves again. */
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void
test_a_request_is_answered(void)
{
	SCENE(s, { .say = HELLO });
	struct exchange_request r = request_get("/a?b=c");

	TOLD(&s, r, "head 200; data; end");
	CHECK(bytes_is(buf_bytes(&s.fakes[0].got), "GET /a?b=c HTTP/1.1\r\nHost: gate.example\r\n"
	                                           "X-Mine: 1\r\n\r\n"));
	scene_stop(&s);
}

static void
test_a_connection_serves_again(void)
{
	SCENE(s, { .say = HELLO });

	for (int i = 0; i < 10; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[0].connections == 1 && s.fakes[0].requests == 10);
	struct service_stats stats = service_stats(s.service);
	CHECK(stats.opened == 1 && stats.reused == 9 && stats.idle == 1 && stats.exchanges == 0);
	scene_stop(&s);
}

static void
test_each_framing_is_read(void)
{
	static const struct {
		const char *say;
		bool close;
		const char *body, *told;
		unsigned connections; /* for two requests */
	} rows[] = {
		{ "HTTP/1.1 204 No Content\r\n\r\n", false, "", "head 204; end", 1 },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, "",
		  "head 304; end", 1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "", "head 200; end", 1 },
		{ "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", false, "x", "head 200; data; end",
		  1 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		  false, "abcde", "head 200; data; end", 1 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: "
		  "1\r\n\r\n",
		  false, "a", "head 200; data; end X-Sum: 1\r\n", 1 },
		{ "HTTP/1.1 200 OK\r\n\r\nuntil the end", true, "until the end",
		  "head 200; data; end", 2 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, "x",
		  "head 200; data; end", 2 },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false,
		  "x", "head 200; data; end", 1 },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false, "x",
		  "head 200; data; end", 2 },
		{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No\r\n\r\n", false,
		  "", "interim 103; head 204; end", 1 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
		  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		  false, "ok", "interim 103; head 200; data; end", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* At once, and byte by byte: the same. */
		for (int drip = 0; drip < 2; drip++) {
			SCENE(s, { .say = rows[i].say, .close = rows[i].close, .drip = drip != 0 });
			for (int n = 0; n < 2; n++) {
				struct exchange_request r = request_get("/");
				struct told t;

				tell(&s, &t, &r);
				WAIT(&s, t.is_over);
				CHECK_ROW(told_is(&t, rows[i].told), rows[i].say);
				CHECK_ROW(bytes_is(buf_bytes(&t.body), rows[i].body), rows[i].say);
				tell_done(&t);
			}
			CHECK_ROW(s.fakes[0].connections == rows[i].connections, rows[i].say);
			scene_stop(&s);
		}
	}
}

static void
test_the_answer_to_head_has_no_body(void)
{
	SCENE(s, { .say = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" });
	struct exchange_request r = request_get("/");

	r.method = HTTP_HEAD;
	TOLD(&s, r, "head 200; end");
	TOLD(&s, r, "head 200; end");
	CHECK(s.fakes[0].connections == 1);
	scene_stop(&s);
}

/* What a service may not say, and what becomes of it. Never is the connection used again. */
static void
test_a_broken_answer_is_told(void)
{
	static const struct {
		const char *say;
		bool close, reset;
		const char *told;
	} rows[] = {
		{ "HTTP/2.0 200 OK\r\n\r\n", false, false, "failed 502" },
		{ "HELLO\r\n\r\n", false, false, "failed 502" },
		{ "HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, false, "failed 502" },
		{ "HTTP/1.1 200 OK\r\nA: 1\r\n B: 2\r\n\r\n", false, false, "failed 502" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", false,
		  false, "failed 502" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n0\r\n\r\n",
		  false, false, "failed 502" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, false,
		  "failed 502" },
		{ "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
		  false, false, "failed 502" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, false,
		  "head 200; failed 502" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", true, false,
		  "head 200; data; failed 502" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", true, false,
		  "head 200; data; failed 502" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", false, true,
		  "head 200; data; failed 502" },
		{ "HTTP/1.1 200 OK\r\nContent-Le", true, false, "failed 502" },
		{ NULL, true, false, "failed 502" },
		{ NULL, false, true, "failed 502" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SCENE(s, { .say = rows[i].say, .close = rows[i].close, .reset = rows[i].reset });
		struct exchange_request r = request_get("/");
		struct told t;

		tell(&s, &t, &r);
		WAIT(&s, t.is_over);
		CHECK_ROW(told_is(&t, rows[i].told), rows[i].say == NULL ? "" : rows[i].say);
		CHECK_ROW(t.e.kind == ERR_UPSTREAM && t.e.why != NULL, rows[i].told);
		tell_done(&t);
		struct service_stats stats = service_stats(s.service);
		CHECK(stats.idle == 0 && stats.connections == 0 && stats.exchanges == 0);
		scene_stop(&s);
	}
}

static void
test_endless_interim_responses_are_refused(void)
{
	CLEANUP(buf_done) struct buf say = { 0 };

	for (int i = 0; i < 100; i++)
		buf_put_text(&say, "HTTP/1.1 103 Early Hints\r\n\r\n");
	SCENE(s, { .say = (const char *)say.at, .len = say.len });
	struct exchange_request r = request_get("/");
	struct told t;
	tell(&s, &t, &r);
	WAIT(&s, t.is_over);
	CHECK(t.e.code == 502);
	tell_done(&t);
	scene_stop(&s);
}

static void
test_a_head_without_end_is_refused(void)
{
	CLEANUP(buf_done) struct buf say = { 0 };

	buf_put_text(&say, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 40000; i++)
		buf_put_u8(&say, 'a');
	SCENE(s, { .say = (const char *)say.at, .len = say.len });
	TOLD(&s, request_get("/"), "failed 502");
	scene_stop(&s);
}

/* Case 41 and its like: an answer nobody asked for would meet the next caller's request. */
static void
test_bytes_behind_an_answer_close_the_connection(void)
{
	SCENE(s, { .say = HELLO "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison" },
	      { .say = HELLO });

	TOLD(&s, request_get("/"), "head 200; data; end");
	for (int i = 0; i < 3; i++) {
		struct exchange_request r = request_get("/");
		struct told t;

		tell(&s, &t, &r);
		WAIT(&s, t.is_over);
		CHECK(bytes_is(buf_bytes(&t.body), "hello"));
		tell_done(&t);
	}
	CHECK(s.fakes[0].connections == 2);
	scene_stop(&s);
}

static void
test_bytes_on_an_idle_connection_close_it(void)
{
	SCENE(s, { .say = HELLO });

	TOLD(&s, request_get("/"), "head 200; data; end");
	fake_put(s.fakes[0].peers[0], HELLO, strlen(HELLO));
	/* With and without the loop having seen it. */
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[0].connections == 2);
	fake_put(s.fakes[0].peers[1], HELLO, strlen(HELLO));
	WAIT(&s, service_stats(s.service).connections == 0);
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[0].connections == 3);
	scene_stop(&s);
}

static void
test_an_answer_before_the_request_is_nobodys(void)
{
	SCENE(s, { .say = HELLO, .at_once = true });
	struct exchange_request r = request_get("/");
	struct told t;

	s.backend.service.retries = 0;
	tell(&s, &t, &r);
	WAIT(&s, t.is_over || t.has_head);
	/* It may have left before the answer came: that cannot be told from a quick service. */
	tell_done(&t);
	CHECK(service_stats(s.service).exchanges == 0);
	scene_stop(&s);
}

static void
send_text(struct told *t, const char *text)
{
	CHECK(!failed(exchange_send(t->x, bytes_text(text))));
}

static void
test_a_body_is_sent(void)
{
	SCENE(s, { .say = NULL });
	struct exchange_request r = request_get("/");
	struct told t, u;

	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 10;
	tell(&s, &t, &r);
	send_text(&t, "hello");
	send_text(&t, "world");
	CHECK(failed(exchange_send(t.x, BYTES("!"))));
	CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
	WAIT(&s, s.fakes[0].got.len >= 10 &&
	                 bytes_is(bytes_slice(buf_bytes(&s.fakes[0].got), s.fakes[0].got.len - 10,
	                                      s.fakes[0].got.len),
	                          "helloworld"));
	WAIT(&s, t.drained > 0 && exchange_unsent(t.x) == 0);
	tell_done(&t);
	buf_clear(&s.fakes[0].got);

	r.framing = HTTP_BODY_CHUNKED;
	tell(&s, &u, &r);
	send_text(&u, "hello");
	WAIT(&s, u.drained > 0);
	send_text(&u, "0123456789abcdef");
	CHECK(!failed(exchange_send_end(u.x, BYTES("X-Sum: 1\r\n"))));
	static const char wanted[] =
		"POST / HTTP/1.1\r\nHost: gate.example\r\nX-Mine: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n";
	WAIT(&s, s.fakes[0].got.len >= sizeof wanted - 1);
	CHECK(bytes_is(buf_bytes(&s.fakes[0].got), wanted));
	tell_done(&u);
	scene_stop(&s);
}

static void
test_an_empty_post_says_so(void)
{
	SCENE(s, { .say = HELLO });
	struct exchange_request r = request_get("/");

	r.method = HTTP_POST;
	r.lines = (struct bytes){ 0 };
	TOLD(&s, r, "head 200; data; end");
	CHECK(bytes_is(buf_bytes(&s.fakes[0].got),
	               "POST / HTTP/1.1\r\nHost: gate.example\r\nContent-Length: 0\r\n\r\n"));
	scene_stop(&s);
}

static void
test_the_service_can_have_its_own_host(void)
{
	char wanted[64];
	const struct act acts[] = { { .say = HELLO } };
	struct scene s;

	scene_init(&s, 1, acts, 1);
	s.backend.service.host = SERVICE_HOST_OWN;
	scene_open(&s);
	TOLD(&s, request_get("/"), "head 200; data; end");
	snprintf(wanted, sizeof wanted, "\r\nHost: 127.0.0.1:%u\r\n", s.fakes[0].port);
	buf_put_u8(&s.fakes[0].got, 0);
	CHECK(strstr((const char *)s.fakes[0].got.at, wanted) != NULL);
	scene_stop(&s);
}

/* An answer before the request was whole is given, and the connection is not used again. */
static void
test_an_early_answer_is_told(void)
{
	SCENE(s, { .say = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n" },
	      { .say = HELLO });
	struct exchange_request r = request_get("/");
	struct told t;

	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 1000;
	tell(&s, &t, &r);
	send_text(&t, "hello");
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "head 413; end"));
	tell_done(&t);
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[0].connections == 2);
	scene_stop(&s);
}

static void
test_continue_is_waited_for(void)
{
	SCENE(s, { .say = "HTTP/1.1 100 Continue\r\n\r\n" });
	struct exchange_request r = request_get("/");
	struct told t;

	r.method = HTTP_PUT;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 5;
	r.expects_continue = true;
	tell(&s, &t, &r);
	WAIT(&s, t.text.len > 0);
	CHECK(told_is(&t, "interim 100"));
	send_text(&t, "hello");
	CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
	WAIT(&s, exchange_unsent(t.x) == 0);
	fake_put(s.fakes[0].peers[0], HELLO, strlen(HELLO));
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "interim 100; head 200; data; end"));
	CHECK(service_stats(s.service).idle == 1);
	tell_done(&t);
	scene_stop(&s);
}

static void
test_a_tunnel_carries_both_ways(void)
{
	SCENE(s, { .say = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
	                  "Upgrade: websocket\r\n\r\nfirst" });
	struct exchange_request r = request_get("/");
	struct told t;

	r.upgrade = BYTES("websocket");
	tell(&s, &t, &r);
	WAIT(&s, t.body.len == 5);
	CHECK(told_is(&t, "head 101; data") && bytes_is(buf_bytes(&t.body), "first"));
	buf_put_u8(&s.fakes[0].got, 0);
	CHECK(strstr((const char *)s.fakes[0].got.at,
	             "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n") != NULL);
	buf_clear(&s.fakes[0].got);
	send_text(&t, "ping");
	WAIT(&s, s.fakes[0].got.len == 4);
	fake_put(s.fakes[0].peers[0], "pong", 4);
	WAIT(&s, t.body.len == 9);
	/* We send no more; the service still does. */
	CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
	WAIT(&s, s.fakes[0].open == 0 || t.is_over);
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "head 101; data; end"));
	tell_done(&t);
	CHECK(service_stats(s.service).connections == 0);
	scene_stop(&s);
}

/* A service that refuses a large body answers and closes, whatever is still under way. */
static void
test_an_answer_before_a_reset_is_told(void)
{
	SCENE(s, { .say = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", .close = true });
	struct exchange_request r = request_get("/");
	struct told t;
	static uint8_t part[65536];

	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 64 << 20;
	tell(&s, &t, &r);
	for (int i = 0; i < 500 && !t.is_over; i++) {
		if (exchange_unsent(t.x) < 262144)
			CHECK(!failed(exchange_send(t.x, (struct bytes){ part, sizeof part })));
		uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	}
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "head 413; end"));
	tell_done(&t);
	CHECK(service_stats(s.service).connections == 0);
	scene_stop(&s);
}

/* ---- back-pressure ---- */

static void
test_what_is_not_read_is_not_taken(void)
{
	enum { SIZE = 64 << 20 };
	SCENE(s, { .say = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n" });
	struct exchange_request r = request_get("/");
	struct told t;
	static char part[65536];
	size_t given = 0;

	tell(&s, &t, &r);
	t.pauses = true;
	WAIT(&s, t.has_head);
	/* As much as the sockets take, and no more. */
	for (int quiet = 0; quiet < 100 && given < SIZE; quiet++) {
		uv_buf_t b = uv_buf_init(part, sizeof part);
		int sent = uv_try_write((uv_stream_t *)&s.fakes[0].peers[0]->tcp, &b, 1);

		if (sent > 0)
			given += (size_t)sent, quiet = 0;
		uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	}
	CHECK(given < SIZE && t.body.len <= LOOP_SCRATCH);
	exchange_read(t.x, true);
	WAIT(&s, t.body.len == given);
	CHECK(!t.is_over);
	tell_done(&t);
	scene_stop(&s);
}

static void
test_what_the_service_does_not_take_is_counted(void)
{
	enum { LEN = 32 << 20 };
	const struct act acts[] = { { .say = NULL } };
	struct scene s;
	struct exchange_request r = request_get("/");
	struct told t;
	static uint8_t part[65536];
	size_t most = 0;

	scene_init(&s, 1, acts, 1);
	s.fakes[0].is_deaf = true;
	scene_open(&s);
	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = LEN;
	tell(&s, &t, &r);
	for (int i = 0; i < 2000; i++) {
		if (exchange_unsent(t.x) < 262144)
			CHECK(!failed(exchange_send(t.x, (struct bytes){ part, sizeof part })));
		if (exchange_unsent(t.x) > most)
			most = exchange_unsent(t.x);
		uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	}
	CHECK(most >= 262144 && most < 262144 + 2 * sizeof part);
	/* It reads again: it drains. */
	unsigned before = t.drained;
	WAIT(&s, s.fakes[0].peers[0] != NULL);
	uv_read_start((uv_stream_t *)&s.fakes[0].peers[0]->tcp, fake_alloc, fake_on_read);
	WAIT(&s, t.drained > before && exchange_unsent(t.x) == 0);
	tell_done(&t);
	scene_stop(&s);
}

/* ---- ends ---- */

static void
test_an_exchange_may_end_at_any_moment(void)
{
	/* Before a turn of the loop, while connecting, when sent, in the head, in the body. */
	for (int turns = 0; turns < 12; turns++) {
		SCENE(s, { .say = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc" },
		      { .say = HELLO });
		struct exchange_request r = request_get("/");
		struct told t;

		tell(&s, &t, &r);
		for (int i = 0; i < turns; i++)
			uv_run(&s.loop.uv, UV_RUN_NOWAIT);
		tell_done(&t);
		CHECK(service_stats(s.service).exchanges == 0);
		WAIT(&s, s.fakes[0].open == 0 || turns < 3);
		struct told u;
		tell(&s, &u, &r);
		WAIT(&s, u.is_over || u.body.len == 3);
		tell_done(&u);
		scene_stop(&s);
	}
}

static void
end_in_head(struct exchange *x, const struct http_response *head)
{
	struct told *t = exchange_of(x);

	(void)head;
	t->is_over = true;
	exchange_end(x);
	t->x = NULL;
}

static void
test_an_exchange_may_end_in_its_own_head(void)
{
	SCENE(s, { .say = HELLO });
	struct exchange_ops ops = told_ops;
	struct exchange_request r = request_get("/");
	struct told t = { 0 };

	ops.head = end_in_head;
	CHECK(!failed(exchange_start(s.service, &r, &ops, &t, &t.x)));
	WAIT(&s, t.is_over);
	/* The rest of the answer was not read: never again. */
	WAIT(&s, s.fakes[0].open == 0);
	CHECK(t.text.len == 0);
	TOLD(&s, r, "head 200; data; end");
	CHECK(s.fakes[0].connections == 2);
	scene_stop(&s);
}

TESTS(TEST(test_a_request_is_answered), TEST(test_a_connection_serves_again),
      TEST(test_each_framing_is_read), TEST(test_the_answer_to_head_has_no_body),
      TEST(test_a_broken_answer_is_told), TEST(test_endless_interim_responses_are_refused),
      TEST(test_a_head_without_end_is_refused),
      TEST(test_bytes_behind_an_answer_close_the_connection),
      TEST(test_bytes_on_an_idle_connection_close_it),
      TEST(test_an_answer_before_the_request_is_nobodys), TEST(test_a_body_is_sent),
      TEST(test_an_empty_post_says_so), TEST(test_the_service_can_have_its_own_host),
      TEST(test_an_early_answer_is_told), TEST(test_an_answer_before_a_reset_is_told),
      TEST(test_continue_is_waited_for), TEST(test_a_tunnel_carries_both_ways),
      TEST(test_what_is_not_read_is_not_taken),
      TEST(test_what_the_service_does_not_take_is_counted),
      TEST(test_an_exchange_may_end_at_any_moment), TEST(test_an_exchange_may_end_in_its_own_head))
