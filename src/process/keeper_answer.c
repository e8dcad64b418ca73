/* keeper_answer.c - a worker's question answered, but for those with a password (login.c). */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "process/keeper.h"

void
keeper_send(const struct asker *a, uint64_t id, const struct answer *answer)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	if (a == NULL)
		return;
	answer_put(&body, answer);
	struct err e = buf_check(&body);
	if (!failed(e))
		e = channel_send(a->channel, KEEPER_ANSWER, id, buf_bytes(&body));
	if (failed(e))
		log_err(LOG_ERROR, "a question could not be answered", e);
}

void
keeper_send_wait(const struct asker *a, uint64_t id, unsigned wait_s, const char *reason)
{
	keeper_send(a, id,
	            &(struct answer){ .result = ANSWER_WAIT,
	                              .wait_s = wait_s,
	                              .fields[ANSWER_REASON] = bytes_text(reason) });
}

void
keeper_send_failed(const struct asker *a, uint64_t id, const char *reason)
{
	keeper_send(a, id,
	            &(struct answer){ .result = ANSWER_FAILED,
	                              .wait_s = 1,
	                              .fields[ANSWER_REASON] = bytes_text(reason) });
}

static enum answer_result
result_of(struct err e)
{
	switch (e.kind) {
	case ERR_OK:
		return ANSWER_GRANTED;
	case ERR_PEER:
	case ERR_IDENTITY:
	case ERR_INVALID:
	case ERR_NOT_FOUND:
		return ANSWER_REFUSED;
	case ERR_LIMIT:
		return ANSWER_WAIT;
	case ERR_DENIED:
	case ERR_CONFLICT:
	case ERR_UPSTREAM:
	case ERR_CONFIG:
	case ERR_SYSTEM:
		break;
	}
	return ANSWER_FAILED;
}

void
keeper_send_reply(const struct asker *a, uint64_t id, struct err e, const struct reply *r)
{
	struct answer answer = { .result = result_of(e),
		                 .error = r->error,
		                 .expires_in_s = r->expires_in_s };

	for (size_t i = 0; i < ANSWER_FIELD_COUNT; i++)
		answer.fields[i] = buf_bytes(&r->fields[i]);
	if (failed(e) && answer.fields[ANSWER_REASON].len == 0)
		answer.fields[ANSWER_REASON] = bytes_text(e.why);
	if (answer.result == ANSWER_WAIT || answer.result == ANSWER_FAILED) {
		log_err(LOG_ERROR, "a question could not be answered", e);
		answer.wait_s = 1;
	}
	keeper_send(a, id, &answer);
}

/* Answers, or leaves it to login.c when a password is to be looked at (the kinds with one). */
static bool
is_password_next(const struct ask *ask)
{
	return ask->kind == ASK_PASSWORD || ask->kind == ASK_LOGIN ||
	       ask->kind == ASK_SESSION_LOGIN;
}

static void
ask_issuer(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	CLEANUP(reply_done) struct reply reply = { 0 };
	struct err e;

	if (k->issuer == NULL) {
		keeper_send_failed(a, id, "no local issuer");
		return;
	}
	/* Clients are not slowed down as users are: nobody guesses 256 random bits or a key, and
	 * whoever tried would keep the true client out. */
	e = issuer_answer(k->issuer, ask, keeper_now_s(), &reply);
	if (!failed(e) && is_password_next(ask))
		login_ask(k, a, id, ask);
	else
		keeper_send_reply(a, id, e, &reply);
}

static void
ask_session(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	CLEANUP(reply_done) struct reply reply = { 0 };
	struct err e = session_answer(k->store, k->start->settings, ask, keeper_now_s(), &reply);

	keeper_send_reply(a, id, e, &reply);
}

static void
ask_assertion(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	CLEANUP(reply_done) struct reply reply = { 0 };

	if (k->assertions == NULL) {
		keeper_send_failed(a, id, "no services are configured");
		return;
	}
	struct err e = assertion_signer_answer(k->assertions, ask, keeper_now_s(), &reply);
	keeper_send_reply(a, id, e, &reply);
}

static void
ask_proof(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	const struct reply none = { 0 };
	struct err e = proofs_add(k->proofs, ask->fields[ASK_PROOF_ID], clock_monotonic_us());

	/* Not logged, for a flood of them is not. */
	if (e.kind == ERR_LIMIT)
		keeper_send_wait(a, id, 1, e.why);
	else
		keeper_send_reply(a, id, e, &none);
}

typedef void ask_fn(struct keeper *, struct asker *, uint64_t, const struct ask *);

void
keeper_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	static ask_fn *const kinds[ASK_KIND_COUNT] = {
		[ASK_PASSWORD] = ask_issuer,      [ASK_REFRESH] = ask_issuer,
		[ASK_CLIENT] = ask_issuer,        [ASK_CODE] = ask_issuer,
		[ASK_EXCHANGE] = ask_issuer,      [ASK_AUTHORIZE] = ask_issuer,
		[ASK_LOGIN] = ask_issuer,         [ASK_REVOKE] = ask_issuer,
		[ASK_INTROSPECT] = ask_issuer,    [ASK_SESSION_LOGIN] = ask_issuer,
		[ASK_PROOF] = ask_proof,          [ASK_SESSION_BEGIN] = ask_session,
		[ASK_SESSION_FIND] = ask_session, [ASK_SESSION_END] = ask_session,
		[ASK_ASSERTION] = ask_assertion,
	};

	kinds[ask->kind](k, a, id, ask);
	/* It may have revoked something: workers are told in this round, not with the next poll. */
	loop_defer(k->start->loop, &k->news);
}
