/* test_service_http2.c - exchanges with a service over HTTP/2: many on one connection, flow
 * control, refusals, GOAWAY. The service is the engine's other end, in the test's own loop. */
#include "http/http2.h"

#include "origin.h"

enum { ANSWERS_MAX = 256 };

struct answer {
	struct h2_peer *peer;
	int32_t id;
	char path[32];
	char head[1024]; /* of the request, its fields */
	struct buf body; /* what came */
	size_t left;     /* to be sent */
	bool is_used, is_closed;
	uint32_t code;
};

struct h2_peer {
	struct fake_peer *socket;
	struct h2 *of;
	struct http2 *http2;
	uv_tcp_t tcp;
	bool is_open;
};

/* A service that speaks HTTP/2; what it does is in the path. */
struct h2 {
	uv_tcp_t listener;
	uv_loop_t *loop;
	uint16_t port;
	struct h2_peer peers[16];
	unsigned connections, refusals;
	struct answer answers[ANSWERS_MAX];
	unsigned count;
	unsigned refuse; /* so many requests more */
	bool is_slow;    /* consumes nothing */
};

static void
h2_write(struct h2_peer *p)
{
	struct buf out = { 0 };

	if (!p->is_open)
		return;
	for (;;) {
		CHECK(!failed(http2_pull(p->http2, &out, 65536)));
		if (out.len == 0)
			break;
		while (out.len > 0 && p->is_open) {
			uv_buf_t b = uv_buf_init((char *)out.at, (unsigned)out.len);
			int sent = uv_try_write((uv_stream_t *)&p->tcp, &b, 1);

			if (sent == UV_EAGAIN) {
				/* The reader is in this very loop. */
				uv_run(p->of->loop, UV_RUN_NOWAIT);
				continue;
			}
			if (sent < 0)
				break;
			buf_consume(&out, (size_t)sent);
		}
		buf_clear(&out);
	}
	buf_done(&out);
}

static void
h2_drop(struct h2_peer *p)
{
	if (!p->is_open)
		return;
	p->is_open = false;
	uv_close((uv_handle_t *)&p->tcp, NULL);
}

static void
h2_answer(struct answer *a, unsigned status, const char *lines, bool is_last)
{
	CHECK(!failed(http2_respond(a->peer->http2, a->id, status, bytes_text(lines), is_last)));
}

static void
h2_act(struct answer *a)
{
	if (strcmp(a->path, "/hello") == 0) {
		a->left = 5;
		h2_answer(a, 200, "Content-Length: 5\r\n", false);
	} else if (strcmp(a->path, "/empty") == 0) {
		h2_answer(a, 204, "", true);
	} else if (strcmp(a->path, "/interim") == 0) {
		h2_answer(a, 103, "Link: </a>\r\n", false);
		h2_answer(a, 200, "", true);
	} else if (strcmp(a->path, "/endless") == 0) {
		for (int i = 0; i < 40; i++)
			h2_answer(a, 103, "Link: </a>\r\n", false);
	} else if (strcmp(a->path, "/trailers") == 0) {
		a->left = 3;
		h2_answer(a, 200, "", false);
		CHECK(!failed(http2_trailers(a->peer->http2, a->id, BYTES("X-Sum: 1\r\n"))));
	} else if (strcmp(a->path, "/big") == 0) {
		a->left = 4 << 20;
		h2_answer(a, 200, "", false);
	} else if (strcmp(a->path, "/reset") == 0) {
		http2_reset(a->peer->http2, a->id, 2);
	} else if (strcmp(a->path, "/cut") == 0) {
		a->left = SIZE_MAX;
		h2_answer(a, 200, "", false);
	} else if (strcmp(a->path, "/early") == 0) {
		h2_answer(a, 413, "", true);
	}
}

static void
h2_on_request(void *of, int32_t id, struct http_head *head, struct buf *text, bool is_last,
              void **ret_stream)
{
	struct h2_peer *p = of;
	struct h2 *h = p->of;
	struct answer *a = &h->answers[h->count++ % ANSWERS_MAX];
	struct buf fields = { .at = (uint8_t *)a->head, .room = sizeof a->head, .limit = 1000 };

	(void)text, (void)is_last;
	*a = (struct answer){ .peer = p, .id = id, .is_used = true };
	snprintf(a->path, sizeof a->path, "%.*s", (int)head->target.len,
	         (const char *)head->target.at);
	buf_printf(&fields, "%.*s ", (int)head->host.len, (const char *)head->host.at);
	for (size_t i = 0; i < head->field_count; i++)
		buf_printf(&fields, "[%.*s:%.*s]", (int)head->fields[i].name.len,
		           (const char *)head->fields[i].name.at, (int)head->fields[i].value.len,
		           (const char *)head->fields[i].value.at);
	a->head[fields.len] = '\0';
	if (h->refuse > 0) {
		h->refuse--;
		h->refusals++;
		*ret_stream = NULL;
		return;
	}
	*ret_stream = a;
	h2_act(a);
}

static void
h2_on_refused(void *of, int32_t id, struct err e)
{
	(void)of, (void)id;
	printf("# refused: %s\n", e.why);
	CHECK(false);
}

static void
h2_on_data(void *of, void *stream, struct bytes part)
{
	struct h2_peer *p = of;
	struct answer *a = stream;

	buf_put(&a->body, part);
	if (!p->of->is_slow)
		http2_consume(p->http2, a->id, part.len);
}

static void
h2_on_end(void *of, void *stream, struct bytes trailers)
{
	struct answer *a = stream;

	(void)of;
	buf_put(&a->body, trailers);
	if (strcmp(a->path, "/echo") == 0) {
		a->left = a->body.len;
		h2_answer(a, 200, "", false);
	}
}

static void
h2_on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	struct answer *a = stream;
	size_t len = a->left < room ? a->left : room;

	(void)of;
	if (strcmp(a->path, "/cut") == 0) {
		/* A few bytes, then nothing. */
		len = a->left == SIZE_MAX ? 5 : 0;
		a->left = 1;
	} else {
		a->left -= len;
	}
	memset(at, 'x', len);
	*ret_len = len;
	*ret_end = a->left == 0;
}

static void
h2_on_closed(void *of, void *stream, uint32_t code)
{
	struct answer *a = stream;

	(void)of;
	a->is_closed = true;
	a->code = code;
}

static void
h2_on_read(uv_stream_t *s, ssize_t len, const uv_buf_t *b)
{
	struct h2_peer *p = s->data;

	if (len < 0) {
		h2_drop(p);
		return;
	}
	struct err e = http2_feed(p->http2, (struct bytes){ (const uint8_t *)b->base, (size_t)len },
	                          clock_monotonic_us());
	h2_write(p);
	if (failed(e) || http2_is_done(p->http2))
		h2_drop(p);
}

static void
h2_on_connection(uv_stream_t *listener, int status)
{
	static const struct http2_ops ops = {
		.request = h2_on_request,
		.refused = h2_on_refused,
		.data = h2_on_data,
		.end = h2_on_end,
		.pull = h2_on_pull,
		.closed = h2_on_closed,
	};
	struct h2 *h = listener->data;
	struct h2_peer *p = &h->peers[h->connections++ % 16];

	p->of = h;
	p->is_open = true;
	if (status != 0 || uv_tcp_init(h->loop, &p->tcp) != 0 ||
	    uv_accept(listener, (uv_stream_t *)&p->tcp) != 0 ||
	    failed(http2_new(false, &ops, p, &p->http2)))
		abort();
	p->tcp.data = p;
	uv_tcp_nodelay(&p->tcp, 1);
	uv_read_start((uv_stream_t *)&p->tcp, fake_alloc, h2_on_read);
	h2_write(p);
}

struct stage {
	struct scene scene;
	struct h2 h2;
};

static void
stage_start(struct stage *t)
{
	struct sockaddr_in at;
	int len = sizeof at;

	scene_init(&t->scene, 0, NULL, 0);
	t->h2 = (struct h2){ .loop = &t->scene.loop.uv };
	if (uv_ip4_addr("127.0.0.1", 0, &at) != 0 ||
	    uv_tcp_init(t->h2.loop, &t->h2.listener) != 0 ||
	    uv_tcp_bind(&t->h2.listener, (struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&t->h2.listener, 16, h2_on_connection) != 0 ||
	    uv_tcp_getsockname(&t->h2.listener, (struct sockaddr *)&at, &len) != 0)
		abort();
	t->h2.listener.data = &t->h2;
	t->h2.port = ntohs(at.sin_port);
	t->scene.origins[0] = (struct origin_settings){ .host = "127.0.0.1", .port = t->h2.port };
	t->scene.backend.service.origin_count = 1;
	t->scene.backend.service.protocol = SERVICE_HTTP2;
	scene_open(&t->scene);
}

static void
stage_stop(struct stage *t)
{
	uv_close((uv_handle_t *)&t->h2.listener, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t->h2.peers); i++)
		h2_drop(&t->h2.peers[i]);
	scene_stop(&t->scene);
	for (size_t i = 0; i < ARRAY_LEN(t->h2.peers); i++)
		http2_free(t->h2.peers[i].http2);
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		buf_done(&t->h2.answers[i].body);
}

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
	CHECK(told.body.len <= HTTP2_WINDOW && !told.is_over);
	/* Others are not held up by it. */
	TOLD(&t.scene, request_get("/hello"), "head 200; data; end");
	exchange_read(told.x, true);
	WAIT(&t.scene, told.is_over);
	CHECK(told.body.len == 4 << 20);
	tell_done(&told);
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
      TEST(test_what_the_service_does_not_take_is_counted),
      TEST(test_what_was_refused_is_tried_again), TEST(test_a_reset_is_told),
      TEST(test_goaway_moves_on), TEST(test_a_lost_connection_fails_or_repeats_what_it_carried),
      TEST(test_a_deadline_resets_the_stream_only), TEST(test_a_peer_that_vanished_is_given_up),
      TEST(test_an_exchange_may_end_at_any_moment), TEST(test_an_exchange_may_end_in_its_own_head),
      TEST(test_an_upgrade_is_refused), TEST(test_what_is_not_http2_is_refused))
