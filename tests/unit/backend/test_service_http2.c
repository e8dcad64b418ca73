/* test_service_http2.c - exchanges with a service over HTTP/2: many on one connection, flow
 * control, refusals, GOAWAY. The service is the engine's other end, in the test's own loop. */
#include "http2_origin.h"

/* ---- requests ---- */

static void
test_a_request_is_answered(void)
{
	static struct stage t;

	stage_start(&t);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(strcmp(t.h2.answers[0].head, "gate.example [host:gate.example][x-mine:1]") == 0);
	TOLD(&t.scene, request_get("/empty"), "head 204; end");
	TOLD(&t.scene, request_get("/interim"), "interim 103; head 200; end");
	TOLD(&t.scene, request_get("/trailers"), "head 200; data; end x-sum: 1\r\n");
	CHECK(t.h2.connections == 1);
	struct service_stats stats = service_stats(t.scene.service);
	CHECK(stats.connections == 1 && stats.exchanges == 0 && stats.reused == 3);
	stage_stop(&t);
}

static void
test_many_share_a_connection(void)
{
	static struct stage t;
	enum { COUNT = 90 };
	static struct told told[COUNT];

	stage_start(&t);
	for (int i = 0; i < COUNT; i++) {
		struct exchange_request r = request_get(i % 2 == 0 ? "/hello" : "/never");

		tell(&t.scene, &told[i], &r);
	}
	for (int i = 0; i < COUNT; i += 2)
		WAIT(&t.scene, told[i].is_over);
	CHECK(t.h2.connections == 1);
	CHECK(service_stats(t.scene.service).exchanges == COUNT / 2);
	for (int i = 0; i < COUNT; i++) {
		CHECK(i % 2 == 0 ? told_is(&told[i], "head 200; data; end") : !told[i].is_over);
		tell_done(&told[i]);
	}
	/* Those that were given up are reset, and the connection goes on. */
	WAIT(&t.scene, t.h2.answers[1].is_closed && t.h2.answers[89].is_closed);
	CHECK(t.h2.answers[1].code == 8);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 1);
	stage_stop(&t);
}

static void
test_more_than_one_connection_holds_are_given_another(void)
{
	static struct stage t;
	enum { COUNT = 150 };
	static struct told told[COUNT];

	stage_start(&t);
	t.scene.backend.service.queue = 1000;
	for (int i = 0; i < COUNT; i++) {
		struct exchange_request r = request_get("/never");

		tell(&t.scene, &told[i], &r);
	}
	WAIT(&t.scene, t.h2.count == COUNT);
	CHECK(t.h2.connections == 2);
	for (int i = 0; i < COUNT; i++)
		tell_done(&told[i]);
	stage_stop(&t);
}

static void
test_bodies_are_sent(void)
{
	static struct stage t;
	struct told told;
	struct exchange_request r = request_get("/echo");

	stage_start(&t);
	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 10;
	tell(&t.scene, &told, &r);
	CHECK(!failed(exchange_send(told.x, BYTES("hello"))));
	WAIT(&t.scene, told.drained > 0);
	CHECK(!failed(exchange_send(told.x, BYTES("world"))));
	CHECK(!failed(exchange_send_end(told.x, (struct bytes){ 0 })));
	WAIT(&t.scene, told.is_over);
	CHECK(told_is(&told, "head 200; data; end") && told.body.len == 10);
	CHECK(bytes_is(buf_bytes(&t.h2.answers[0].body), "helloworld"));
	CHECK(strcmp(t.h2.answers[0].head,
	             "gate.example [host:gate.example][x-mine:1][content-length:10]") == 0);
	tell_done(&told);

	r.framing = HTTP_BODY_CHUNKED;
	tell(&t.scene, &told, &r);
	CHECK(!failed(exchange_send(told.x, BYTES("abc"))));
	CHECK(!failed(exchange_send_end(told.x, BYTES("X-Sum: 1\r\n"))));
	WAIT(&t.scene, told.is_over);
	CHECK(bytes_is(buf_bytes(&t.h2.answers[1].body), "abcx-sum: 1\r\n"));
	tell_done(&told);
	stage_stop(&t);
}

static void
test_an_early_answer_is_told(void)
{
	static struct stage t;
	struct told told;
	struct exchange_request r = request_get("/early");

	stage_start(&t);
	r.method = HTTP_POST;
	r.framing = HTTP_BODY_LENGTH;
	r.length = 1000000;
	tell(&t.scene, &told, &r);
	CHECK(!failed(exchange_send(told.x, BYTES("hello"))));
	WAIT(&t.scene, told.is_over);
	CHECK(told_is(&told, "head 413; end"));
	tell_done(&told);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 1);
	stage_stop(&t);
}

/* ---- flow control ---- */

static void
test_what_is_not_read_is_not_taken(void)
{
	static struct stage t;
	struct told told;
	struct exchange_request r = request_get("/big");

	stage_start(&t);
	tell(&t.scene, &told, &r);
	told.pauses = true;
	WAIT(&t.scene, told.has_head);
	for (int i = 0; i < 200; i++)
		uv_run(&t.scene.loop.uv, UV_RUN_NOWAIT);
	CHECK(told.body.len <= HTTP2_ANSWER_WINDOW && !told.is_over);
	/* Others are not held up by it. */
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	exchange_read(told.x, true);
	WAIT(&t.scene, told.is_over);
	CHECK(told.body.len == 4 << 20);
	tell_done(&told);
	stage_stop(&t);
}

/* Callers that read nothing hold up their own streams, however many they are: others of the same
 * connection get all of theirs. */
static void
test_callers_that_do_not_read_are_in_nobodys_way(void)
{
	static struct stage t;
	enum { COUNT = 60 };
	static struct told slow[COUNT];
	struct told told;
	struct exchange_request r = request_get("/big");

	stage_start(&t);
	for (int i = 0; i < COUNT; i++) {
		tell(&t.scene, &slow[i], &r);
		slow[i].pauses = true;
	}
	for (int i = 0; i < COUNT; i++)
		WAIT(&t.scene, slow[i].body.len > HTTP2_ANSWER_WINDOW / 2);
	tell(&t.scene, &told, &r);
	WAIT(&t.scene, told.is_over);
	CHECK(told.body.len == 4 << 20 && t.h2.connections == 1);
	tell_done(&told);
	for (int i = 0; i < COUNT; i++) {
		CHECK(slow[i].body.len <= HTTP2_ANSWER_WINDOW && !slow[i].is_over);
		tell_done(&slow[i]);
	}
	stage_stop(&t);
}

static void
test_what_the_service_does_not_take_is_counted(void)
{
	static struct stage t;
	static uint8_t part[65536];
	struct told told;
	struct exchange_request r = request_get("/echo");
	size_t given = 0;

	stage_start(&t);
	t.h2.is_slow = true;
	r.method = HTTP_POST;
	r.framing = HTTP_BODY_CHUNKED;
	tell(&t.scene, &told, &r);
	for (int i = 0; i < 500; i++) {
		if (exchange_unsent(told.x) < 262144) {
			CHECK(!failed(exchange_send(told.x, (struct bytes){ part, sizeof part })));
			given += sizeof part;
		}
		uv_run(&t.scene.loop.uv, UV_RUN_NOWAIT);
	}
	CHECK(given <= HTTP2_WINDOW + 262144 + 2 * sizeof part);
	t.h2.is_slow = false;
	http2_consume(t.h2.peers[0].http2, t.h2.answers[0].id, t.h2.answers[0].body.len);
	h2_write(&t.h2.peers[0]);
	CHECK(!failed(exchange_send_end(told.x, (struct bytes){ 0 })));
	WAIT(&t.scene, told.is_over);
	CHECK(told.body.len == given && t.h2.answers[0].body.len == given);
	tell_done(&told);
	stage_stop(&t);
}

/* ---- what goes wrong ---- */

static void
test_what_was_refused_is_tried_again(void)
{
	static struct stage t;
	struct exchange_request r = request_get("/hello");

	stage_start(&t);
	t.h2.refuse = 2;
	r.method = HTTP_POST; /* the service says that it has not begun with it */
	TOLD(&t.scene, r, "head 200; data; end");
	CHECK(t.h2.refusals == 2);
	/* But not for ever. */
	t.h2.refuse = 1000;
	TOLD(&t.scene, r, "failed 502");
	CHECK(t.h2.refusals < 10);
	stage_stop(&t);
}

static void
test_a_reset_is_told(void)
{
	static struct stage t;
	struct told told;
	struct exchange_request r = request_get("/cut");

	stage_start(&t);
	TOLD(&t.scene, request_get("/reset"), "failed 502");
	TOLD(&t.scene, request_get("/endless"),
	     "interim 103; interim 103; interim 103; interim 103; "
	     "interim 103; interim 103; interim 103; interim 103; "
	     "interim 103; interim 103; interim 103; interim 103; "
	     "interim 103; interim 103; interim 103; interim 103; "
	     "failed 502");
	tell(&t.scene, &told, &r);
	WAIT(&t.scene, told.body.len == 5);
	http2_reset(t.h2.peers[0].http2, t.h2.answers[2].id, 2);
	h2_write(&t.h2.peers[0]);
	WAIT(&t.scene, told.is_over);
	CHECK(told_is(&told, "head 200; data; failed 502"));
	tell_done(&told);
	CHECK(t.h2.connections == 1);
	stage_stop(&t);
}

static void
test_goaway_moves_on(void)
{
	static struct stage t;
	struct told told;
	struct exchange_request r = request_get("/cut");

	stage_start(&t);
	tell(&t.scene, &told, &r);
	WAIT(&t.scene, told.body.len == 5);
	http2_drain(t.h2.peers[0].http2);
	h2_write(&t.h2.peers[0]);
	for (int i = 0; i < 20; i++)
		uv_run(&t.scene.loop.uv, UV_RUN_NOWAIT);
	/* What is under way goes on; what is new goes elsewhere. */
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 2 && !told.is_over);
	t.h2.answers[0].left = 0;
	strcpy(t.h2.answers[0].path, "/done");
	http2_resume(t.h2.peers[0].http2, t.h2.answers[0].id);
	h2_write(&t.h2.peers[0]);
	WAIT(&t.scene, told.is_over);
	CHECK(told_is(&told, "head 200; data; end"));
	tell_done(&told);
	WAIT(&t.scene, !t.h2.peers[0].is_open);
	stage_stop(&t);
}

static void
test_a_lost_connection_fails_or_repeats_what_it_carried(void)
{
	static struct stage t;
	struct told get, post, begun;
	struct exchange_request r = request_get("/never");

	stage_start(&t);
	tell(&t.scene, &get, &r);
	r.method = HTTP_POST;
	tell(&t.scene, &post, &r);
	r = request_get("/cut");
	tell(&t.scene, &begun, &r);
	WAIT(&t.scene, begun.body.len == 5 && t.h2.count == 3);
	h2_drop(&t.h2.peers[0]);
	WAIT(&t.scene, post.is_over && begun.is_over);
	CHECK(told_is(&post, "failed 502") && told_is(&begun, "head 200; data; failed 502"));
	WAIT(&t.scene, t.h2.count == 4);
	CHECK(!get.is_over && t.h2.connections == 2);
	tell_done(&get);
	tell_done(&post);
	tell_done(&begun);
	stage_stop(&t);
}

static void
test_a_deadline_resets_the_stream_only(void)
{
	static struct stage t;
	struct exchange_request r = request_get("/never");

	stage_start(&t);
	r.response_timeout_ms = 100;
	TOLD(&t.scene, r, "failed 504");
	WAIT(&t.scene, t.h2.answers[0].is_closed);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 1);
	stage_stop(&t);
}

/* No answer, and no other sign of life: the peer is gone, and nobody else is sent there. */
static void
test_a_peer_that_vanished_is_given_up(void)
{
	static struct stage t;
	struct exchange_request r = request_get("/never");

	stage_start(&t);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	uv_read_stop((uv_stream_t *)&t.h2.peers[0].tcp);
	r.response_timeout_ms = 100;
	TOLD(&t.scene, r, "failed 504");
	CHECK(service_stats(t.scene.service).connections == 0);
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 2);
	stage_stop(&t);
}

/* A caller of something slow ends nobody else's stream, in which nothing happens at the moment. */
static void
test_a_silent_peer_keeps_what_it_has(void)
{
	static struct stage t;
	struct exchange_request r = request_get("/never"), quiet = request_get("/cut");
	struct told told;

	stage_start(&t);
	tell(&t.scene, &told, &quiet);
	WAIT(&t.scene, told.body.len == 5);
	r.response_timeout_ms = 100;
	TOLD(&t.scene, r, "failed 504");
	CHECK(!told.is_over);
	/* Who comes now is not sent there; when it says something, all are. */
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	CHECK(t.h2.connections == 2);
	tell_done(&told);
	stage_stop(&t);
}

/* Before a turn of the loop, unsent, sent, answered. */
static void
test_an_exchange_may_end_at_any_moment(void)
{
	static struct stage t;

	for (int turns = 0; turns < 10; turns++) {
		struct told told;
		struct exchange_request r = request_get(turns % 2 == 0 ? "/big" : "/hello");

		stage_start(&t);
		tell(&t.scene, &told, &r);
		for (int i = 0; i < turns; i++)
			uv_run(&t.scene.loop.uv, UV_RUN_NOWAIT);
		tell_done(&told);
		CHECK(service_stats(t.scene.service).exchanges == 0);
		TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
		stage_stop(&t);
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
	static struct stage t;
	struct exchange_ops ops = told_ops;
	static const char *const paths[] = { "/hello", "/empty", "/big" };

	ops.head = end_in_head;
	stage_start(&t);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct exchange_request r = request_get(paths[i]);
		struct told told = { 0 };

		CHECK(!failed(exchange_start(t.scene.service, &r, &ops, &told, &told.x)));
		WAIT(&t.scene, told.is_over);
		TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	}
	CHECK(t.h2.connections == 1);
	stage_stop(&t);
}

static void
test_an_upgrade_is_refused(void)
{
	static struct stage t;
	struct exchange_request r = request_get("/hello");
	struct exchange *x = NULL;
	struct told told = { 0 };

	stage_start(&t);
	r.upgrade = BYTES("websocket");
	struct err e = exchange_start(t.scene.service, &r, &told_ops, &told, &x);
	CHECK(e.kind == ERR_UPSTREAM && e.code == 502 && x == NULL);
	stage_stop(&t);
}

/* A service that does not speak it says something else. */
static void
test_what_is_not_http2_is_refused(void)
{
	static const struct act acts[] = { { .say = "HTTP/1.1 400 Bad Request\r\n\r\n" } };
	struct scene s;

	scene_init(&s, 1, acts, 1);
	s.backend.service.protocol = SERVICE_HTTP2;
	scene_open(&s);
	TOLD(&s, request_get("/"), "failed 502");
	scene_stop(&s);
}

TESTS(TEST(test_a_request_is_answered), TEST(test_many_share_a_connection),
      TEST(test_more_than_one_connection_holds_are_given_another), TEST(test_bodies_are_sent),
      TEST(test_an_early_answer_is_told), TEST(test_what_is_not_read_is_not_taken),
      TEST(test_callers_that_do_not_read_are_in_nobodys_way),
      TEST(test_what_the_service_does_not_take_is_counted),
      TEST(test_what_was_refused_is_tried_again), TEST(test_a_reset_is_told),
      TEST(test_goaway_moves_on), TEST(test_a_lost_connection_fails_or_repeats_what_it_carried),
      TEST(test_a_deadline_resets_the_stream_only), TEST(test_a_peer_that_vanished_is_given_up),
      TEST(test_a_silent_peer_keeps_what_it_has), TEST(test_an_exchange_may_end_at_any_moment),
      TEST(test_an_exchange_may_end_in_its_own_head), TEST(test_an_upgrade_is_refused),
      TEST(test_what_is_not_http2_is_refused))
