/* request.c - the stage table and the loop that runs it. See request.h. */
#include "frontend/request.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "frontend/endpoint.h"

enum { SPARE_MAX = 256 };

static stage_fn stage_decide, stage_receive, stage_execute, stage_answer, stage_record,
	stage_commit, stage_send;

static stage_fn *const stages[STAGE_COUNT] = {
	[STAGE_IDENTIFY] = request_identify, [STAGE_DECIDE] = stage_decide,
	[STAGE_RECEIVE] = stage_receive,     [STAGE_EXECUTE] = stage_execute,
	[STAGE_ANSWER] = stage_answer,       [STAGE_RECORD] = stage_record,
	[STAGE_COMMIT] = stage_commit,       [STAGE_SEND] = stage_send,
};

static void
release(struct request *r)
{
	if (r->endpoint != NULL && r->endpoint->done != NULL)
		r->endpoint->done(r);
}

/* What cannot be recorded does not happen, and its answer is replaced. */
static void
record_failed(struct request *r, struct err e)
{
	counter_add(&r->gate->counters->audit_unavailable, 1);
	r->stage = STAGE_SEND;
	if (r->reply.has_begun) {
		r->outcome = e; /* and what was begun is broken off */
		return;
	}
	release(r);
	r->records_end = false;
	if (!r->is_completion)
		r->outcome = e;
	r->detail = (struct bytes){ 0 };
	answer_error(r);
}

/* A route that only observes goes on, and its record says what was decided. What cannot be read as
 * one request goes nowhere. */
static bool
is_only_observed(struct request *r, struct err e)
{
	if (r->stage > STAGE_DECIDE || e.kind == ERR_PEER || r->route < 0 ||
	    !r->gate->settings->routes[r->route].is_observed)
		return false;
	if (!failed(r->refusal))
		r->refusal = e;
	r->is_observed = true;
	r->stage++;
	return true;
}

/* What was recorded but did not happen gets a second record. Everything else goes to its answer. */
static void
stage_failed(struct request *r, struct err e)
{
	enum stage stage = r->stage;

	/* What cannot be read one way only is answered, and nothing more is read behind it. */
	if (stage == STAGE_IDENTIFY && e.kind == ERR_PEER && (e.code == 0 || e.code == 400))
		r->must_close = true;
	if (stage == STAGE_RECORD) {
		record_failed(r, e);
		return;
	}
	if (is_only_observed(r, e))
		return;
	if (!failed(r->outcome))
		r->outcome = e;
	if (stage < STAGE_SEND) {
		r->is_completion = stage == STAGE_COMMIT;
		r->stage = STAGE_ANSWER;
	} else if ((r->reply.is_streamed || r->records_end) && !r->is_completion) {
		release(r);
		r->reply.is_partial = false;
		r->is_completion = true;
		r->stage = STAGE_RECORD;
	} else {
		r->stage = STAGE_COUNT;
	}
}

enum step
request_run(struct request *r)
{
	while (r->stage < STAGE_COUNT) {
		enum step step = STEP_DONE;
		struct err e = stages[r->stage](r, &step);

		if (failed(e))
			stage_failed(r, e);
		else if (step == STEP_MORE)
			return STEP_MORE;
		else
			timing_mark(r, r->stage++);
	}
	return STEP_DONE;
}

/* Stages */

/* Limits are for what needs a caller: the pages of a login, and who asks for a token, have their
 * own. */
static bool
is_limited(const struct request *r)
{
	return r->route >= 0 || r->endpoint->auth == AUTH_REQUIRED;
}

static struct err
stage_decide(struct request *r, enum step *step)
{
	(void)step;
	if (r->endpoint->decide != NULL)
		TRY(r->endpoint->decide(r));
	return is_limited(r) ? quota_enter(r, r->route, &r->held) : OK;
}

static struct err
stage_receive(struct request *r, enum step *step)
{
	if (r->has_body || r->endpoint->streams)
		return OK;
	/* A body nobody asked for is not read: carrier_answer() closes rather than search for
	 * its end. */
	if (r->endpoint->body_max == 0)
		return OK;
	if (r->carrier == NULL)
		return fail(ERR_PEER, "the caller went away");
	TRY(carrier_receive(r->carrier));
	*step = r->has_body ? STEP_DONE : STEP_MORE;
	return OK;
}

static struct err
stage_execute(struct request *r, enum step *step)
{
	return r->endpoint->execute(r, step);
}

static struct err
stage_answer(struct request *r, enum step *step)
{
	(void)step;
	if (failed(r->outcome))
		answer_error(r);
	return OK;
}

static void
on_kept(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	(void)answer;
	r->is_woken = true;
	r->wake_error = e;
	request_resume(r);
}

static void
count_denial(struct request *r)
{
	int resource = policy_resource(r->gate->policy, r->resource);
	size_t row = resource < 0 || resource >= METRICS_RESOURCES_MAX ? METRICS_RESOURCES_MAX
	                                                               : (size_t)resource;
	enum metrics_rule rule = METRICS_RULE_COLUMNS;
	size_t folder = strlen(r->route >= 0 ? "routes." : "resources.");

	if (r->decision.place.line == 0)
		rule = METRICS_RULE_DEFAULT;
	else if (bytes_starts(bytes_slice(r->decision.rule, folder + r->resource.len,
	                                  r->decision.rule.len),
	                      BYTES(".deny.")))
		rule = METRICS_RULE_DENY;
	else if (r->has_fingerprint) /* the statement ran: the row is what was refused */
		rule = METRICS_RULE_CONDITION;
	counter_add(&r->gate->counters->denials[row][r->action_kind][rule], 1);
}

bool
request_is_recorded(const struct request *r)
{
	return r->endpoint != NULL && (r->endpoint->is_recorded || request_refusal(r) != NULL);
}

static struct err
stage_record(struct request *r, enum step *step)
{
	struct bytes roles[AUDIT_ROLES_MAX] __attribute__((uninitialized)); /* they are counted */
	struct audit_record record;

	if (!request_is_recorded(r))
		return OK;
	if (r->is_woken) {
		r->is_woken = false;
		return r->wake_error;
	}
	request_audit(r, &record, roles);
	if (!r->is_completion)
		counter_add(&r->gate->counters->decisions[record.outcome], 1);
	if (r->outcome.kind == ERR_DENIED && !r->is_completion)
		count_denial(r);
	r->waiter.wake = on_kept;
	*step = STEP_MORE;
	return gate_record(r->gate, &record, &r->waiter);
}

static struct err
stage_commit(struct request *r, enum step *step)
{
	if (failed(r->outcome) || r->endpoint->commit == NULL)
		return OK;
	return r->endpoint->commit(r, step);
}

static void
count_route(struct request *r)
{
	struct metrics_worker *c = r->gate->counters;
	int backend = r->gate->settings->routes[r->route].backend;

	counter_add(&c->routes[r->route][r->reply.status / 100 % METRICS_CLASSES], 1);
	if (backend >= 0 && r->timing.answered_us != 0)
		metrics_observe_service(c, (unsigned)backend,
		                        r->timing.answered_us - r->timing.forwarded_us);
}

static void
count(struct request *r)
{
	struct metrics_worker *c = r->gate->counters;

	counter_add(&c->requests[r->reply.status / 100 % METRICS_CLASSES], 1);
	metrics_observe_latency(c, clock_monotonic_us() - r->started_us);
	if (r->route >= 0)
		count_route(r);
}

/* The whole of what was given in parts is known when the last one has left: recorded as the
 * decision's completion before the caller learns that it was the last. */
static struct err
stage_send(struct request *r, enum step *step)
{
	bool is_incomplete = (r->reply.is_streamed || r->records_end) && !r->is_completion;

	if (r->carrier == NULL)
		return is_incomplete ? fail(ERR_PEER, "the caller went away") : OK;
	if (!r->reply.has_begun)
		count(r);
	TRY(carrier_answer(r->carrier, step));
	if (*step == STEP_DONE && is_incomplete) {
		r->is_completion = true;
		r->stage = STAGE_ANSWER; /* behind it comes RECORD */
	}
	return OK;
}

/* Who is there */

bool
request_is_proxied(const struct request *r)
{
	static const struct bytes mapped = { (const uint8_t *)"::ffff:", 7 };
	const struct settings *settings = r->gate->settings;
	struct bytes address = r->client;

	if (bytes_starts(address, mapped))
		address = bytes_slice(address, mapped.len, address.len);
	for (size_t i = 0; i < settings->listen.proxy_count; i++)
		if (bytes_is(address, settings->listen.proxies[i]))
			return true;
	return false;
}

struct bytes
request_own_address(const struct request *r)
{
	return request_is_proxied(r) ? (struct bytes){ 0 } : r->client;
}

/* Life */

struct request *
request_new(struct gate *gate, struct carrier *carrier)
{
	struct request *r = gate->spare;

	if (r != NULL) {
		gate->spare = r->next_spare;
		gate->spare_count--;
		r->next_spare = NULL;
	} else {
		r = calloc(1, sizeof *r);
	}
	if (r == NULL)
		return NULL;
	r->gate = gate;
	r->carrier = carrier;
	r->client = bytes_text(carrier->address);
	return r;
}

void
request_begin(struct request *r)
{
	uint8_t random[10];

	r->started_us = clock_monotonic_us();
	r->rows = -1;
	r->reply.status = 200;
	r->identified.issuer = -1;
	r->route = -1;
	r->is_head = r->head.method == HTTP_HEAD;
	gate_random(r->gate, random, sizeof random);

	struct buf id = { .at = r->decision_id, .room = ULID_LEN, .limit = ULID_LEN };
	ulid_put(&id, clock_wall_us(), random);
	trace_begin(r);
}

static void
request_reset(struct request *r)
{
	if (r->started_us != 0) /* else there was no whole head */
		telemetry_ended(r);
	release(r);
	list_remove(&r->orphan);
	gate_forget(&r->waiter);
	quota_leave(r, &r->held);
	if (r->who != NULL)
		principal_release(r->who);
	if (r->identified.who != NULL)
		principal_release(r->identified.who);
	arena_reset(&r->arena);

	/* Keep what memory may serve again, wipe what was secret, forget the rest. */
	struct gate *gate = r->gate;
	struct arena arena = r->arena;
	struct buf body = r->reply.body;
	buf_wipe(&r->body);
	buf_wipe(&r->input); /* it held the token */
	buf_done(&r->reply.fields);
	buf_done(&r->reply.trailers);
	buf_done(&r->trailers);
	if (body.room > LOOP_SCRATCH)
		buf_done(&body);
	memset(r, 0, offsetof(struct request, segments));
	r->gate = gate;
	r->arena = arena;
	r->reply.body = body;
	buf_clear(&r->reply.body);
	r->reply.body.limit = 0;
}

static void
request_destroy(struct request *r)
{
	arena_done(&r->arena);
	buf_done(&r->reply.body);
	free(r);
}

void
request_free(struct request *r)
{
	struct gate *g = r->gate;

	request_reset(r);
	if (g->spare_count >= SPARE_MAX) {
		request_destroy(r);
		return;
	}
	r->next_spare = g->spare;
	g->spare = r;
	g->spare_count++;
}

void
gate_free_spares(struct gate *g)
{
	while (g->spare != NULL) {
		struct request *r = g->spare;
		g->spare = r->next_spare;
		request_destroy(r);
	}
	g->spare_count = 0;
}

void
request_resume(struct request *r)
{
	struct carrier *c = r->carrier;

	if (request_run(r) == STEP_MORE)
		return;
	if (c != NULL)
		carrier_finished(c);
	else
		request_free(r);
}

void
request_abandon(struct request *r)
{
	r->carrier = NULL;
	r->client = arena_copy(&r->arena, r->client); /* the connection and its text are going */
	/* What was decided is recorded and done. A service is not left to work for nobody. */
	bool is_forwarding = r->stage == STAGE_COMMIT && r->endpoint->streams;
	if (r->stage >= STAGE_ANSWER && r->stage < STAGE_SEND && !is_forwarding)
		return;
	/* Whatever it waits for is given up; the decision, if one was made, is still recorded. */
	gate_forget(&r->waiter);
	release(r);
	stage_failed(r, fail(ERR_PEER, "the caller went away"));
	request_resume(r);
}

bool
request_wants_body(const struct request *r)
{
	return r->stage == STAGE_RECEIVE && !r->has_body;
}

bool
request_awaits_service(const struct request *r)
{
	return r->endpoint != NULL && r->endpoint->streams &&
	       (r->stage == STAGE_EXECUTE || r->stage == STAGE_COMMIT ||
	        (r->stage == STAGE_SEND && r->reply.is_partial));
}

size_t
request_body_max(const struct request *r)
{
	if (r->endpoint->streams && r->route >= 0) {
		uint64_t max = r->gate->settings->routes[r->route].body_bytes;
		return max == 0 ? SIZE_MAX : (size_t)max;
	}

	size_t configured = (size_t)r->gate->settings->limits.body_bytes;

	return r->endpoint->body_max < configured ? r->endpoint->body_max : configured;
}
