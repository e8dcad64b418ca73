/* test_service_origins.c - which origin is asked, and what becomes of one that fails: the pool, the
 * queue, retries, deadlines, names. */
#include <sys/socket.h>

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct act hello[] = { { .say = HELLO } };
static const struct act silent[] = { { .say = NULL } };

static unsigned
requests(const struct scene *s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s->fake_count; i++)
		sum += s->fakes[i].requests;
	return sum;
}

/* ---- choice ---- */

static void
test_equals_have_their_turn(void)
{
	struct scene s;

	scene_init(&s, 3, hello, 1);
	scene_open(&s);
	for (int i = 0; i < 12; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	for (int i = 0; i < 3; i++)
		CHECK(s.fakes[i].requests == 4 && s.fakes[i].connections == 1);
	scene_stop(&s);
}

static void
test_the_one_with_least_to_do_is_asked(void)
{
	struct scene s;
	struct told t[9];

	scene_init(&s, 3, hello, 1);
	s.fakes[0].acts = silent;
	scene_open(&s);
	/* The first one keeps what it gets: all that follows goes to the others in turn. */
	for (int i = 0; i < 9; i++) {
		struct exchange_request r = request_get("/");

		tell(&s, &t[i], &r);
		WAIT(&s, requests(&s) == (unsigned)i + 1 &&
		                 service_stats(s.service).exchanges == s.fakes[0].requests);
	}
	CHECK(s.fakes[0].requests == 1);
	CHECK(s.fakes[1].requests == 4 && s.fakes[2].requests == 4);
	for (int i = 0; i < 9; i++)
		tell_done(&t[i]);
	scene_stop(&s);
}

static void
test_no_more_connections_than_allowed(void)
{
	struct scene s;
	struct told t[5];

	scene_init(&s, 2, silent, 1);
	s.backend.service.connections = 2;
	scene_open(&s);
	for (int i = 0; i < 5; i++) {
		struct exchange_request r = request_get("/");

		tell(&s, &t[i], &r);
	}
	WAIT(&s, requests(&s) == 4);
	CHECK(s.fakes[0].connections == 2 && s.fakes[1].connections == 2);
	CHECK(service_stats(s.service).waiting == 1);
	/* One is answered: the one that waits takes its connection. */
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (s.fakes[0].peers[i] != NULL) {
			fake_put(s.fakes[0].peers[i], HELLO, strlen(HELLO));
			break;
		}
	WAIT(&s, requests(&s) == 5);
	CHECK(s.fakes[0].connections == 2 && service_stats(s.service).waiting == 0);
	for (int i = 0; i < 5; i++)
		tell_done(&t[i]);
	scene_stop(&s);
}

static void
test_a_full_queue_refuses(void)
{
	struct scene s;
	struct told t[3], u;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, silent, 1);
	s.backend.service.connections = 1;
	s.backend.service.queue = 2;
	s.backend.service.connect_timeout_ms = 300;
	scene_open(&s);
	for (int i = 0; i < 3; i++)
		tell(&s, &t[i], &r);
	WAIT(&s, requests(&s) == 1 && service_stats(s.service).waiting == 2);
	struct exchange *x = NULL;
	struct err e = exchange_start(s.service, &r, &told_ops, &u, &x);
	CHECK(e.kind == ERR_LIMIT && e.code == 503 && x == NULL);
	CHECK(service_retry_s(s.service) >= 1);
	/* Those that wait do not wait for ever. */
	WAIT(&s, t[1].is_over && t[2].is_over);
	CHECK(t[1].e.code == 503 && t[2].e.code == 503 && !t[0].is_over);
	CHECK(service_stats(s.service).waiting == 0);
	for (int i = 0; i < 3; i++)
		tell_done(&t[i]);
	scene_stop(&s);
}

static void
test_without_a_queue_nobody_waits(void)
{
	struct scene s;
	struct told t[3];
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, silent, 1);
	s.backend.service.connections = 2;
	s.backend.service.queue = 0;
	scene_open(&s);
	for (int i = 0; i < 3; i++)
		tell(&s, &t[i], &r);
	WAIT(&s, t[2].is_over && requests(&s) == 2);
	CHECK(t[2].e.code == 503 && !t[0].is_over && !t[1].is_over);
	for (int i = 0; i < 3; i++)
		tell_done(&t[i]);
	scene_stop(&s);
}

static void
test_an_idle_connection_ends(void)
{
	struct scene s;

	scene_init(&s, 1, hello, 1);
	s.backend.service.idle_timeout_ms = 150;
	scene_open(&s);
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(service_stats(s.service).idle == 1);
	WAIT(&s, s.fakes[0].open == 0);
	CHECK(service_stats(s.service).connections == 0);
	scene_stop(&s);
}

/* ---- deadlines ---- */

static void
test_a_silent_service_is_too_late(void)
{
	static const struct act slow_head[] = {
		{ .say = "HTTP/1.1 200 OK\r\nX-Long: "
		         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		         "aa"
		         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		         "aa"
		         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		         "aa"
		         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		         "aa",
		  .drip = true }
	};
	const struct act *const rows[] = { silent, slow_head };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;

		scene_init(&s, 1, rows[i], 1);
		s.backend.service.response_timeout_ms = 200;
		scene_open(&s);
		TOLD(&s, request_get("/"), "failed 504");
		CHECK(s.fakes[0].requests == 1 && service_stats(s.service).connections == 0);
		scene_stop(&s);
	}
}

static void
test_a_request_has_a_deadline_of_its_own(void)
{
	struct scene s;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, silent, 1);
	scene_open(&s);
	r.response_timeout_ms = 100;
	uint64_t start = clock_monotonic_us();
	TOLD(&s, r, "failed 504");
	CHECK(clock_monotonic_us() - start < 4000000);
	scene_stop(&s);
}

/* While the caller is slow with its body, it is not the service that is late. */
static void
test_a_slow_caller_is_not_the_service(void)
{
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, hello, 1);
	s.backend.service.response_timeout_ms = 200;
	s.fakes[0].acts = silent;
	scene_open(&s);
	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 2;
	tell(&s, &t, &r);
	CHECK(!failed(exchange_send(t.x, BYTES("a"))));
	uint64_t start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 600000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	CHECK(!t.is_over);
	if (!t.is_over) {
		CHECK(!failed(exchange_send(t.x, BYTES("b"))));
		CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
		WAIT(&s, t.is_over);
		CHECK(t.e.code == 504);
	}
	tell_done(&t);
	scene_stop(&s);
}

/* A socket that listens and whose queue is full: connecting to it takes for ever. */
static void
fill_queue(struct origin_settings *o, int fds[8])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fds[0], (struct sockaddr *)&at, sizeof at) != 0 || listen(fds[0], 0) != 0 ||
	    getsockname(fds[0], (struct sockaddr *)&at, &len) != 0)
		abort();
	for (int i = 1; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&at, sizeof at);
	}
	*o = (struct origin_settings){ .host = "127.0.0.1", .port = ntohs(at.sin_port) };
}

static void
test_a_connection_that_is_not_made_is_too_late(void)
{
	struct scene s;
	int fds[8];

	scene_init(&s, 1, hello, 1);
	fill_queue(&s.origins[0], fds);
	s.backend.service.connect_timeout_ms = 200;
	scene_open(&s);
	TOLD(&s, request_get("/"), "failed 504");
	CHECK(service_stats(s.service).connections == 0);
	scene_stop(&s);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

static void
test_an_exchange_may_end_while_it_is_connected(void)
{
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");
	int fds[8];

	scene_init(&s, 1, hello, 1);
	fill_queue(&s.origins[0], fds);
	scene_open(&s);
	tell(&s, &t, &r);
	for (int i = 0; i < 3; i++)
		uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	CHECK(service_stats(s.service).connections == 1);
	tell_done(&t);
	CHECK(service_stats(s.service).exchanges == 0);
	uv_run(&s.loop.uv, UV_RUN_ONCE);
	scene_stop(&s);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

static void
test_another_is_asked_where_one_does_not_answer_the_call(void)
{
	struct scene s;
	struct exchange_request r = request_get("/");
	int fds[8];

	scene_init(&s, 2, hello, 1);
	fill_queue(&s.origins[0], fds);
	s.backend.service.connect_timeout_ms = 200;
	s.backend.service.retries = 0;
	scene_open(&s);
	r.method = HTTP_POST; /* nothing of it was sent */
	TOLD(&s, r, "head 200; data; end");
	CHECK(s.fakes[1].requests == 1);
	scene_stop(&s);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

/* ---- retries ---- */

static void
test_a_service_that_is_down_is_503(void)
{
	struct scene s;
	const char *why = NULL;

	scene_init(&s, 2, hello, 1);
	s.backend.service.breaker.failures = 1;
	scene_open(&s);
	fake_stop(&s.fakes[0]);
	fake_stop(&s.fakes[1]);
	uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	TOLD(&s, request_get("/"), "failed 503");
	CHECK(!service_is_up(s.service, &why) && why != NULL);
	CHECK(service_retry_s(s.service) >= 9);
	scene_stop(&s);
}

static void
test_what_is_safe_to_repeat_is_tried_again(void)
{
	static const struct {
		enum http_method method;
		enum http_framing framing;
		unsigned retries;
		const char *told;
	} rows[] = {
		{ HTTP_GET, HTTP_BODY_NONE, 1, "head 200; data; end" },
		{ HTTP_PUT, HTTP_BODY_NONE, 1, "head 200; data; end" },
		{ HTTP_DELETE, HTTP_BODY_NONE, 1, "head 200; data; end" },
		{ HTTP_GET, HTTP_BODY_NONE, 0, "failed 502" },
		{ HTTP_POST, HTTP_BODY_NONE, 1, "failed 502" },
		{ HTTP_PATCH, HTTP_BODY_NONE, 1, "failed 502" },
		{ HTTP_PUT, HTTP_BODY_LENGTH, 1, "failed 502" },
	};
	static const struct act once[] = { { .reset = true }, { .say = HELLO } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;
		struct told t;
		struct exchange_request r = request_get("/");

		scene_init(&s, 1, once, 2);
		s.backend.service.retries = rows[i].retries;
		scene_open(&s);
		r.method = rows[i].method;
		r.framing = rows[i].framing;
		r.length = 1;
		tell(&s, &t, &r);
		if (r.framing == HTTP_BODY_LENGTH) {
			CHECK(!failed(exchange_send(t.x, BYTES("a"))));
			CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
		}
		WAIT(&s, t.is_over);
		CHECK(told_is(&t, rows[i].told));
		CHECK(s.fakes[0].requests == (t.e.code == 502 ? 1 : 2));
		tell_done(&t);
		scene_stop(&s);
	}
}

static void
test_it_is_tried_no_more_than_allowed(void)
{
	static const struct act never[] = { { .reset = true } };
	struct scene s;

	scene_init(&s, 1, never, 1);
	s.backend.service.retries = 2;
	scene_open(&s);
	TOLD(&s, request_get("/"), "failed 502");
	CHECK(s.fakes[0].requests == 3);
	CHECK(service_stats(s.service).retried == 2);
	scene_stop(&s);
}

/* Also where it was not yet a head. */
static void
test_after_half_a_head_nothing_is_repeated(void)
{
	static const struct act acts[] = { { .say = "HTTP/1.1 200 OK\r\nConte", .close = true },
		                           { .say = HELLO } };
	struct scene s;

	scene_init(&s, 1, acts, 2);
	scene_open(&s);
	TOLD(&s, request_get("/"), "failed 502");
	CHECK(s.fakes[0].requests == 1);
	scene_stop(&s);
}

static void
test_an_upgrade_has_a_deadline(void)
{
	struct scene s;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, silent, 1);
	scene_open(&s);
	r.upgrade = BYTES("websocket");
	r.response_timeout_ms = 200;
	TOLD(&s, r, "failed 504");
	scene_stop(&s);
}

/* A service that does not know Expect waits for the body, and the caller for it. */
static void
test_who_waits_to_continue_does_not_wait_for_ever(void)
{
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, silent, 1);
	scene_open(&s);
	r.method = HTTP_PUT;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 4;
	r.expects_continue = true;
	tell(&s, &t, &r);
	WAIT(&s, t.text.len > 0);
	CHECK(told_is(&t, "interim 100"));
	CHECK(!failed(exchange_send(t.x, BYTES("body"))));
	CHECK(!failed(exchange_send_end(t.x, (struct bytes){ 0 })));
	WAIT(&s, exchange_unsent(t.x) == 0);
	/* One that comes late is not told again. */
	fake_put(s.fakes[0].peers[0], "HTTP/1.1 100 Continue\r\n\r\n" HELLO,
	         strlen("HTTP/1.1 100 Continue\r\n\r\n" HELLO));
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "interim 100; head 200; data; end"));
	tell_done(&t);
	scene_stop(&s);
}

/* Each byte of a response is a sign that the request was begun. */
static void
test_after_a_byte_of_the_answer_nothing_is_repeated(void)
{
	static const struct act acts[] = {
		{ .say = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", .close = true },
		{ .say = HELLO }
	};
	struct scene s;

	scene_init(&s, 1, acts, 2);
	scene_open(&s);
	TOLD(&s, request_get("/"), "head 200; data; failed 502");
	CHECK(s.fakes[0].requests == 1);
	scene_stop(&s);
}

static void
test_one_that_dies_and_comes_back_fails_nobody(void)
{
	struct scene s;

	scene_init(&s, 3, hello, 1);
	scene_open(&s);
	for (int i = 0; i < 9; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	fake_stop(&s.fakes[1]);
	for (int i = 0; i < 30; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	unsigned before = s.fakes[1].requests;
	uv_run(&s.loop.uv, UV_RUN_NOWAIT);
	fake_listen(&s.fakes[1], &s.loop.uv, s.fakes[1].port);
	uint64_t start = clock_monotonic_us();
	while (s.fakes[1].requests == before && clock_monotonic_us() - start < 5000000)
		TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[1].requests > before);
	scene_stop(&s);
}

/* ---- names ---- */

static void
test_a_name_is_looked_up(void)
{
	struct scene s;

	scene_init(&s, 1, hello, 1);
	s.origins[0].host = "localhost";
	s.backend.service.host = SERVICE_HOST_OWN;
	scene_open(&s);
	/* It may mean ::1 too, where nothing listens: the other address is asked. */
	for (int i = 0; i < 4; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	buf_put_u8(&s.fakes[0].got, 0);
	CHECK(strstr((const char *)s.fakes[0].got.at, "\r\nHost: localhost:") != NULL);
	scene_stop(&s);
}

static void
test_a_name_that_is_not_known_is_503(void)
{
	struct scene s;
	const char *why = NULL;

	scene_init(&s, 1, hello, 1);
	s.origins[0].host = "no-such-host.invalid";
	scene_open(&s);
	CHECK(!service_is_up(s.service, &why) && why != NULL);
	TOLD(&s, request_get("/"), "failed 503");
	scene_stop(&s);
}

TESTS(TEST(test_equals_have_their_turn), TEST(test_the_one_with_least_to_do_is_asked),
      TEST(test_no_more_connections_than_allowed), TEST(test_a_full_queue_refuses),
      TEST(test_without_a_queue_nobody_waits), TEST(test_an_idle_connection_ends),
      TEST(test_a_silent_service_is_too_late), TEST(test_a_request_has_a_deadline_of_its_own),
      TEST(test_a_slow_caller_is_not_the_service),
      TEST(test_a_connection_that_is_not_made_is_too_late),
      TEST(test_an_exchange_may_end_while_it_is_connected),
      TEST(test_another_is_asked_where_one_does_not_answer_the_call),
      TEST(test_a_service_that_is_down_is_503), TEST(test_what_is_safe_to_repeat_is_tried_again),
      TEST(test_it_is_tried_no_more_than_allowed), TEST(test_after_half_a_head_nothing_is_repeated),
      TEST(test_an_upgrade_has_a_deadline), TEST(test_who_waits_to_continue_does_not_wait_for_ever),
      TEST(test_after_a_byte_of_the_answer_nothing_is_repeated),
      TEST(test_one_that_dies_and_comes_back_fails_nobody), TEST(test_a_name_is_looked_up),
      TEST(test_a_name_that_is_not_known_is_503))
