/* test_assertion.c - an assertion is asked for once, used while it is young, and asked for again
 * before anybody waits. Keeper is played by the test, over a channel. */
#include "frontend/assertion.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "identity/issuers.h"
#include "identity/principal_make.h"
#include "test.h"

static struct err run(struct request *r, enum step *step);

static const struct role_settings roles[] = { { .name = "reader" }, { .name = "admin" } };
static const struct backend_settings backends[] = {
	{ .name = "app",
	  .type = BACKEND_HTTP,
	  .service = { .audience = "app", .assertion_s = 300 } },
	{ .name = "other",
	  .type = BACKEND_HTTP,
	  .service = { .audience = "other", .assertion_s = 60 } },
	{ .name = "brief",
	  .type = BACKEND_HTTP,
	  .service = { .audience = "app", .assertion_s = 60 } },
};
static const struct route_settings routes[] = { { .path = "/app/*" } };
static const struct settings settings = { .roles = roles,
	                                  .role_count = ARRAY_LEN(roles),
	                                  .backends = backends,
	                                  .backend_count = ARRAY_LEN(backends),
	                                  .routes = routes,
	                                  .route_count = 1,
	                                  .sessions = { .issuer = -1 } };
static const struct endpoint endpoint = { .path = "/", .execute = run };
static struct metrics metrics;

/* What became of a request: its lines, or its error. */
struct outcome {
	int backend; /* that is asked */
	unsigned ends;
	struct err error;
	struct buf lines;
};

struct scene {
	struct loop loop;
	struct gate gate;
	struct channel *keeper; /* the other end */
	uint64_t ids[16];       /* of the questions that are not answered yet */
	size_t asked, answered;
	struct buf question; /* DATA and LIFE of the last one */
	unsigned expires_in_s;
};

static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct scene *s = of;
	struct ask ask;

	(void)c;
	CHECK(m->type == KEEPER_ASK && !failed(ask_read(m->body, &ask)));
	CHECK(ask.kind == ASK_ASSERTION);
	buf_clear(&s->question);
	buf_put(&s->question, ask.fields[ASK_DATA]);
	buf_put_u8(&s->question, ' ');
	buf_put(&s->question, ask.fields[ASK_LIFE]);
	s->ids[s->asked++ % ARRAY_LEN(s->ids)] = m->id;
}

static void
on_closed(void *of, struct channel *c)
{
	(void)of;
	(void)c;
}

static void
turn(struct scene *s)
{
	for (int i = 0; i < 20; i++)
		uv_run(&s->loop.uv, UV_RUN_NOWAIT);
}

static void
begin(struct scene *s)
{
	int pair[2];

	*s = (struct scene){ .expires_in_s = 300 };
	CHECK(!failed(loop_init(&s->loop)));
	s->gate = (struct gate){ .loop = &s->loop,
		                 .settings = &settings,
		                 .counters = metrics.workers };
	CHECK(!failed(gate_init(&s->gate)));
	CHECK(!failed(channel_pair(pair)));
	CHECK(!failed(gate_set_keeper(&s->gate, pair[0])));
	CHECK(!failed(channel_open(&s->loop, pair[1], on_question, on_closed, s, &s->keeper)));
}

static void
end(struct scene *s)
{
	channel_close(s->keeper);
	gate_done(&s->gate);
	buf_done(&s->question);
	turn(s);
}

static void
answer(struct scene *s, enum answer_result result, const char *token)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct answer a = { .result = result, .expires_in_s = s->expires_in_s };

	a.fields[ANSWER_ACCESS_TOKEN] = bytes_text(token);
	answer_put(&body, &a);
	CHECK(s->answered < s->asked);
	CHECK(!failed(channel_send(s->keeper, KEEPER_ANSWER,
	                           s->ids[s->answered++ % ARRAY_LEN(s->ids)], buf_bytes(&body))));
	turn(s);
}

static struct err
run(struct request *r, enum step *step)
{
	struct outcome *o = r->state;
	struct err e =
		identity_fields_put(r, o->backend, IDENTITY_ASSERTION, &r->reply.fields, step);

	if (failed(e) || *step == STEP_DONE) {
		o->ends++;
		o->error = e;
		buf_clear(&o->lines);
		buf_put(&o->lines, buf_bytes(&r->reply.fields));
	}
	return e;
}

static const struct principal *
person(const char *subject, uint64_t held)
{
	const struct principal *who = NULL;
	const struct principal_parts parts = { .issuer = "lab",
		                               .subject = bytes_text(subject),
		                               .roles = held,
		                               .expires_s = INT64_MAX };

	CHECK(!failed(principal_new(&parts, &who)));
	return who;
}

/* One request of that person; it frees itself when it ends. */
static struct request *
start(struct scene *s, const struct principal *who, struct outcome *o)
{
	static struct carrier nobody = { .address = "" };
	struct request *r = request_new(&s->gate, &nobody);

	*o = (struct outcome){ .backend = o->backend, .lines = o->lines };
	r->carrier = NULL;
	r->endpoint = &endpoint;
	r->stage = STAGE_EXECUTE;
	r->who = who == NULL ? NULL : principal_hold(who);
	r->state = o;
	if (request_run(r) == STEP_DONE)
		request_free(r);
	return r;
}

static bool
has(const struct outcome *o, const char *token)
{
	CLEANUP(buf_done) struct buf line = { 0 };

	buf_printf(&line, "X-Gatewarden-Assertion: %s\r\n", token);
	return bytes_equal(buf_bytes(&line), buf_bytes(&o->lines));
}

static void
test_it_is_asked_for_once_however_many_wait(void)
{
	static struct scene s;
	const struct principal *who = person("u1", 1), *again = person("u1", 1);
	struct outcome o[5] = { 0 };

	begin(&s);
	for (size_t i = 0; i < 4; i++)
		(void)start(&s, i % 2 == 0 ? who : again, &o[i]);
	turn(&s);
	CHECK(s.asked == 1);
	CHECK(bytes_equal(buf_bytes(&s.question),
	                  BYTES("{\"aud\":\"app\",\"sub\":\"u1\",\"roles\":[\"reader\"],"
	                        "\"idp\":\"lab\"} 300")));
	answer(&s, ANSWER_GRANTED, "a.b.c");
	for (size_t i = 0; i < 4; i++)
		CHECK(o[i].ends == 1 && has(&o[i], "a.b.c"));
	(void)start(&s, again, &o[4]); /* another token of the same person */
	CHECK(o[4].ends == 1 && has(&o[4], "a.b.c") && s.asked == 1);
	for (size_t i = 0; i < 5; i++)
		buf_done(&o[i].lines);
	principal_release(who);
	principal_release(again);
	end(&s);
}

static void
test_who_is_not_the_same_is_not_told_as_the_same(void)
{
	static struct scene s;
	const struct principal *people[] = { person("u1", 1), person("u1", 3), person("u2", 1) };
	struct outcome o = { 0 };

	begin(&s);
	for (size_t i = 0; i < ARRAY_LEN(people); i++) {
		(void)start(&s, people[i], &o);
		turn(&s);
		CHECK(o.ends == 0 && s.asked == i + 1);
		answer(&s, ANSWER_GRANTED, i == 0 ? "t0" : i == 1 ? "t1" : "t2");
		CHECK(o.ends == 1 && has(&o, i == 0 ? "t0" : i == 1 ? "t1" : "t2"));
	}
	(void)start(&s, people[1], &o);
	CHECK(has(&o, "t1") && s.asked == 3);
	buf_done(&o.lines);
	for (size_t i = 0; i < ARRAY_LEN(people); i++)
		principal_release(people[i]);
	end(&s);
}

static void
test_one_that_lives_longer_is_not_for_a_service_that_wants_it_short(void)
{
	static struct scene s;
	const struct principal *who = person("u1", 1);
	struct outcome long_one = { 0 }, short_one = { .backend = 2 };

	begin(&s);
	(void)start(&s, who, &long_one);
	turn(&s);
	answer(&s, ANSWER_GRANTED, "long");
	(void)start(&s, who, &short_one);
	turn(&s);
	CHECK(short_one.ends == 0 && s.asked == 2);
	CHECK(bytes_equal(bytes_slice(buf_bytes(&s.question), s.question.len - 3, s.question.len),
	                  BYTES(" 60")));
	answer(&s, ANSWER_GRANTED, "short");
	CHECK(has(&short_one, "short"));
	(void)start(&s, who, &long_one);
	CHECK(has(&long_one, "long") && s.asked == 2);
	buf_done(&long_one.lines);
	buf_done(&short_one.lines);
	principal_release(who);
	end(&s);
}

static void
test_nobody_is_told_of_nobody(void)
{
	static struct scene s;
	struct outcome o = { 0 };

	begin(&s);
	(void)start(&s, NULL, &o);
	CHECK(o.ends == 1 && !failed(o.error) && o.lines.len == 0 && s.asked == 0);
	buf_done(&o.lines);
	end(&s);
}

static void
test_it_is_renewed_before_anybody_waits(void)
{
	static struct scene s;
	const struct principal *who = person("u1", 1);
	struct outcome o = { 0 };

	begin(&s);
	s.expires_in_s =
		1; /* half a second until it is renewed, two thirds until it is not shown */
	uint64_t asked_us = clock_monotonic_us();
	(void)start(&s, who, &o);
	turn(&s);
	answer(&s, ANSWER_GRANTED, "old");
	CHECK(has(&o, "old"));
	usleep(520000);
	(void)start(&s, who, &o);
	if (clock_monotonic_us() - asked_us < 600000) { /* else the machine slept too long */
		CHECK(o.ends == 1 && has(&o, "old"));
		turn(&s);
		CHECK(s.asked == 2); /* behind its back */
		(void)start(&s, who, &o);
		turn(&s);
		CHECK(s.asked == 2);
	}
	turn(&s);
	answer(&s, ANSWER_GRANTED, "new");
	(void)start(&s, who, &o);
	CHECK(o.ends == 1 && has(&o, "new"));
	usleep(1100000);
	(void)start(&s, who, &o);
	CHECK(o.ends == 0); /* what is too old is not shown */
	turn(&s);
	answer(&s, ANSWER_GRANTED, "newest");
	CHECK(o.ends == 1 && has(&o, "newest"));
	buf_done(&o.lines);
	principal_release(who);
	end(&s);
}

static void
test_without_keeper_the_young_ones_serve_on(void)
{
	static struct scene s;
	const struct principal *who = person("u1", 1), *stranger = person("u2", 1);
	struct outcome o = { 0 }, waiting = { 0 };

	begin(&s);
	(void)start(&s, who, &o);
	turn(&s);
	answer(&s, ANSWER_GRANTED, "kept");
	(void)start(&s, stranger, &waiting);
	turn(&s);
	CHECK(s.asked == 2 && waiting.ends == 0);
	channel_close(s.keeper);
	s.keeper = NULL;
	turn(&s);
	CHECK(waiting.ends == 1 && waiting.error.kind == ERR_UPSTREAM);
	(void)start(&s, who, &o);
	CHECK(o.ends == 1 && has(&o, "kept"));
	(void)start(&s, stranger, &waiting);
	CHECK(waiting.ends == 1 && waiting.error.kind == ERR_UPSTREAM);
	buf_done(&o.lines);
	buf_done(&waiting.lines);
	principal_release(who);
	principal_release(stranger);
	end(&s);
}

static void
test_a_refusal_is_not_remembered(void)
{
	static const struct {
		enum answer_result result;
		const char *token;
	} rows[] = { { ANSWER_REFUSED, "" },
		     { ANSWER_FAILED, "" },
		     { ANSWER_WAIT, "" },
		     { ANSWER_GRANTED, "" },
		     { ANSWER_GRANTED, "a\r\nX: y" } };
	static struct scene s;
	const struct principal *who = person("u1", 1);
	struct outcome o = { 0 };

	begin(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)start(&s, who, &o);
		turn(&s);
		CHECK(s.asked == i + 1);
		answer(&s, rows[i].result, rows[i].token);
		CHECK(o.ends == 1 && o.error.kind == ERR_UPSTREAM && o.lines.len == 0);
	}
	buf_done(&o.lines);
	principal_release(who);
	end(&s);
}

static void
test_who_goes_while_waiting_leaves_nothing_behind(void)
{
	static struct scene s;
	const struct principal *who = person("u1", 1);
	struct outcome gone = { 0 }, stays = { 0 };

	begin(&s);
	struct request *r = start(&s, who, &gone);
	(void)start(&s, who, &stays);
	turn(&s);
	gate_forget(&r->waiter);
	r->stage = STAGE_COUNT;
	request_resume(r);
	answer(&s, ANSWER_GRANTED, "t");
	CHECK(gone.ends == 0 && stays.ends == 1 && has(&stays, "t"));
	buf_done(&stays.lines);
	principal_release(who);
	end(&s);
}

static void
test_what_is_too_long_to_be_told_is_refused(void)
{
	static char name[5000];
	static struct scene s;
	struct outcome o = { 0 };

	memset(name, 'n', sizeof name - 1);
	const struct principal *who = person(name, 1);
	begin(&s);
	(void)start(&s, who, &o);
	turn(&s);
	CHECK(o.ends == 1 && o.error.kind == ERR_UPSTREAM && s.asked == 0);
	buf_done(&o.lines);
	principal_release(who);
	end(&s);
}

static void
test_those_longest_not_used_make_room(void)
{
	static struct scene s;
	struct outcome o = { 0 };
	char name[16];

	begin(&s);
	for (unsigned i = 0; i < 4096 + 10; i++) {
		snprintf(name, sizeof name, "u%u", i);
		const struct principal *who = person(name, 1);
		(void)start(&s, who, &o);
		turn(&s);
		answer(&s, ANSWER_GRANTED, name);
		CHECK(o.ends == 1);
		principal_release(who);
	}
	CHECK(s.asked == 4106);
	const struct principal *last = person("u4105", 1), *first = person("u0", 1);
	(void)start(&s, last, &o);
	CHECK(o.ends == 1 && has(&o, "u4105"));
	(void)start(&s, first, &o);
	CHECK(o.ends == 0);
	turn(&s);
	CHECK(s.asked == 4107);
	answer(&s, ANSWER_GRANTED, "again");
	buf_done(&o.lines);
	principal_release(first);
	principal_release(last);
	end(&s);
}

/* Not a test of time: printed for docs/performance.md. */
static void
test_finding_one_again_is_cheap(void)
{
	enum { TIMES = 200000 };
	static struct scene s;
	const struct principal *who = person("bb946ba2-b66a-420d-ae64-1ba7e38c3e5a", 3);
	struct outcome o = { 0 };
	struct buf lines = { 0 };

	begin(&s);
	(void)start(&s, who, &o);
	turn(&s);
	answer(&s, ANSWER_GRANTED, "a.b.c");
	struct request r = { .gate = &s.gate, .who = who };
	uint64_t from_us = clock_monotonic_us();
	for (unsigned i = 0; i < TIMES; i++) {
		enum step step = STEP_DONE;

		buf_clear(&lines);
		CHECK(!failed(identity_fields_put(&r, 0, IDENTITY_ASSERTION, &lines, &step)));
	}
	printf("# %.0f ns\n", (double)(clock_monotonic_us() - from_us) * 1000 / TIMES);
	CHECK(s.asked == 1);
	buf_done(&lines);
	buf_done(&o.lines);
	principal_release(who);
	end(&s);
}

TESTS(TEST(test_it_is_asked_for_once_however_many_wait),
      TEST(test_who_is_not_the_same_is_not_told_as_the_same),
      TEST(test_one_that_lives_longer_is_not_for_a_service_that_wants_it_short),
      TEST(test_nobody_is_told_of_nobody), TEST(test_it_is_renewed_before_anybody_waits),
      TEST(test_without_keeper_the_young_ones_serve_on), TEST(test_a_refusal_is_not_remembered),
      TEST(test_who_goes_while_waiting_leaves_nothing_behind),
      TEST(test_what_is_too_long_to_be_told_is_refused),
      TEST(test_those_longest_not_used_make_room), TEST(test_finding_one_again_is_cheap))
