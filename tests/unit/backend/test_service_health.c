/* test_service_health.c - when an origin is left out: the circuit breaker, and its health path. */
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define BAD "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"

static const struct act hello[] = { { .say = HELLO } };
static const struct act silent[] = { { .say = NULL } };

/* ---- the breaker ---- */

static void
test_the_breaker_opens_and_closes(void)
{
	static const struct act acts[] = { { .reset = true },
		                           { .reset = true },
		                           { .reset = true },
		                           { .reset = true },
		                           { .say = HELLO } };
	struct scene s;
	struct told t[4];
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, acts, 5);
	s.backend.service.retries = 0;
	s.backend.service.breaker.failures = 3;
	s.backend.service.breaker.open_ms = 1000;
	scene_open(&s);
	for (int i = 0; i < 3; i++)
		TOLD(&s, r, "failed 502");
	/* Open: nobody is asked. */
	for (int i = 0; i < 3; i++)
		TOLD(&s, r, "failed 503");
	CHECK(s.fakes[0].requests == 3);
	uint64_t start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 1050000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	/* Half open: one asks, and it fails again. */
	for (int i = 0; i < 4; i++)
		tell(&s, &t[i], &r);
	for (int i = 0; i < 4; i++)
		WAIT(&s, t[i].is_over);
	CHECK(s.fakes[0].requests == 4);
	CHECK(t[0].e.code == 502 && t[1].e.code == 503 && t[3].e.code == 503);
	for (int i = 0; i < 4; i++)
		tell_done(&t[i]);
	TOLD(&s, r, "failed 503");
	start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 1050000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	/* And now it is well. */
	for (int i = 0; i < 4; i++)
		TOLD(&s, r, "head 200; data; end");
	scene_stop(&s);
}

static void
test_a_trial_that_is_given_up_leaves_it_open(void)
{
	static const struct act acts[] = { { .reset = true }, { .say = NULL }, { .say = HELLO } };
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");

	scene_init(&s, 1, acts, 3);
	s.backend.service.retries = 0;
	s.backend.service.breaker.failures = 1;
	s.backend.service.breaker.open_ms = 50;
	scene_open(&s);
	TOLD(&s, r, "failed 502");
	uint64_t start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 100000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	tell(&s, &t, &r);
	WAIT(&s, s.fakes[0].requests == 2);
	tell_done(&t); /* the caller has gone */
	TOLD(&s, r, "head 200; data; end");
	scene_stop(&s);
}

/* What an application answers is its own affair. */
/* Whose body comes slowly must not keep everybody else away. */
static void
test_a_trial_that_takes_long_is_not_waited_for(void)
{
	static const struct act acts[] = { { .reset = true }, { .say = NULL }, { .say = HELLO } };
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/"), slow = request_get("/");

	scene_init(&s, 1, acts, 3);
	s.backend.service.retries = 0;
	s.backend.service.breaker.failures = 1;
	s.backend.service.breaker.open_ms = 50;
	scene_open(&s);
	TOLD(&s, r, "failed 502");
	uint64_t start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 60000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	slow.method = HTTP_POST;
	slow.framing = HTTP_BODY_LENGTH;
	slow.length = 100;
	tell(&s, &t, &slow);
	WAIT(&s, s.fakes[0].requests == 2);
	start = clock_monotonic_us();
	while (clock_monotonic_us() - start < 60000)
		uv_run(&s.loop.uv, UV_RUN_ONCE);
	TOLD(&s, r, "head 200; data; end");
	TOLD(&s, r, "head 200; data; end");
	tell_done(&t);
	scene_stop(&s);
}

static void
test_errors_of_the_application_do_not_open_it(void)
{
	static const struct act acts[] = { { .say = BAD } };
	struct scene s;

	scene_init(&s, 1, acts, 1);
	s.backend.service.breaker.failures = 1;
	scene_open(&s);
	for (int i = 0; i < 5; i++)
		TOLD(&s, request_get("/"), "head 500; end");
	CHECK(s.fakes[0].requests == 5);
	scene_stop(&s);
}

/* ---- health ---- */

static void
test_the_health_path_decides(void)
{
	static const struct act acts[] = { { .say = HELLO }, { .say = HELLO }, { .say = BAD },
		                           { .say = BAD },   { .say = BAD },   { .say = HELLO } };
	struct scene s;
	const char *why = NULL;

	scene_init(&s, 2, hello, 1);
	s.fakes[0].acts = acts;
	s.fakes[0].act_count = 6;
	s.backend.service.health.path = "/healthz";
	s.backend.service.health.interval_ms = 100;
	s.backend.service.health.timeout_ms = 1000;
	s.backend.service.health.status = 200;
	s.backend.service.health.rise = 2;
	s.backend.service.health.fall = 3;
	scene_open(&s);
	WAIT(&s, service_stats(s.service).origins_up == 1);
	CHECK(s.fakes[0].requests == 5 && service_is_up(s.service, &why) && why != NULL);
	unsigned before = s.fakes[1].requests;
	TOLD(&s, request_get("/"), "head 200; data; end");
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[1].requests >= before + 2);
	WAIT(&s, service_stats(s.service).origins_up == 2);
	CHECK(s.fakes[0].requests >= 7);
	buf_put_u8(&s.fakes[0].got, 0);
	CHECK(strstr((const char *)s.fakes[0].got.at,
	             "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:") != NULL);
	scene_stop(&s);
}

static void
test_one_that_does_not_answer_its_health_path_is_down(void)
{
	struct scene s;
	const char *why = NULL;

	scene_init(&s, 1, silent, 1);
	s.backend.service.health.path = "/";
	s.backend.service.health.interval_ms = 100;
	s.backend.service.health.timeout_ms = 100;
	s.backend.service.health.status = 200;
	s.backend.service.health.rise = 1;
	s.backend.service.health.fall = 2;
	scene_open(&s);
	WAIT(&s, !service_is_up(s.service, &why));
	CHECK(why != NULL && strstr(why, "answer") != NULL);
	TOLD(&s, request_get("/"), "failed 503");
	s.fakes[0].acts = hello;
	WAIT(&s, service_is_up(s.service, &why));
	TOLD(&s, request_get("/"), "head 200; data; end");
	scene_stop(&s);
}

TESTS(TEST(test_the_breaker_opens_and_closes), TEST(test_a_trial_that_is_given_up_leaves_it_open),
      TEST(test_a_trial_that_takes_long_is_not_waited_for),
      TEST(test_errors_of_the_application_do_not_open_it), TEST(test_the_health_path_decides),
      TEST(test_one_that_does_not_answer_its_health_path_is_down))
