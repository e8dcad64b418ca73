/* login.c - logins in keeper: throttle, a bounded queue, and passwords checked on pool threads.
 *
 * A job owns copies of all it needs; while a thread works on it the loop does not look at it. That
 * is all the sharing there is. */
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "process/keeper.h"

struct job {
	uv_work_t work;
	struct list node; /* in keeper.waiting, or in keeper.running */
	struct keeper *keeper;
	const struct asker *asker; /* NULL: the worker is gone */
	uint64_t id;
	struct arena arena;
	struct ask ask; /* in the arena; the password is wiped */
	struct user user;
	bool is_known;
	struct err result;
	bool must_rehash;
	struct buf rehashed;
};

static void run_next(struct keeper *k);

static void
answer(const struct asker *a, uint64_t id, const struct answer *answer)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	if (a == NULL)
		return;
	answer_put(&body, answer);
	struct err e = buf_check(&body);
	if (!failed(e))
		e = channel_send(a->channel, KEEPER_ANSWER, id, buf_bytes(&body));
	if (failed(e))
		log_err(LOG_ERROR, "a login could not be answered", e);
}

static void
answer_granted(const struct asker *a, uint64_t id, const struct issued *t)
{
	answer(a, id,
	       &(struct answer){ .result = ANSWER_GRANTED,
	                         .expires_in_s = t->expires_in_s,
	                         .fields[ANSWER_ACCESS_TOKEN] = buf_bytes(&t->access_token),
	                         .fields[ANSWER_REFRESH_TOKEN] = buf_bytes(&t->refresh_token),
	                         .fields[ANSWER_SUBJECT] = buf_bytes(&t->subject),
	                         .fields[ANSWER_NAME] = buf_bytes(&t->name) });
}

/* One answer for all that is the caller's fault; the reason is for the audit record, and so is whom
 * it names. */
static void
answer_refused(const struct asker *a, uint64_t id, struct err e, struct answer refused)
{
	refused.result = ANSWER_REFUSED;
	if (e.kind != ERR_IDENTITY && e.kind != ERR_PEER && e.kind != ERR_NOT_FOUND) {
		log_err(LOG_ERROR, "a login failed", e);
		refused.result = e.kind == ERR_LIMIT ? ANSWER_WAIT : ANSWER_FAILED;
		refused.wait_s = 1;
	}
	answer(a, id, &refused);
}

static void
answer_wait(const struct asker *a, uint64_t id, unsigned wait_s)
{
	answer(a, id,
	       &(struct answer){ .result = ANSWER_WAIT,
	                         .wait_s = wait_s,
	                         .fields[ANSWER_REASON] = BYTES("too many logins") });
}

static struct err
no_issuer(void)
{
	return fail(ERR_UPSTREAM, "no local issuer");
}

/* Passwords */

static void
job_free(struct job *j)
{
	if (j->ask.fields[ASK_PASSWORD_TEXT].len != 0)
		OPENSSL_cleanse((uint8_t *)(uintptr_t)j->ask.fields[ASK_PASSWORD_TEXT].at,
		                j->ask.fields[ASK_PASSWORD_TEXT].len);
	buf_wipe(&j->rehashed);
	arena_done(&j->arena);
	free(j);
}

static void
finish(struct job *j)
{
	struct keeper *k = j->keeper;
	struct issued issued = { 0 };
	const char *reason =
		j->is_known ? j->user.is_disabled ? "the user is disabled" : "wrong password"
			    : "unknown user";
	/* The name of a known user only: others type their password there. */
	struct answer refused = { .fields[ANSWER_SUBJECT] = j->user.subject,
		                  .fields[ANSWER_NAME] = j->user.name,
		                  .fields[ANSWER_REASON] = bytes_text(reason) };

	if (failed(j->result)) {
		if (j->result.kind == ERR_IDENTITY)
			throttle_failed(k->throttle, j->ask.fields[ASK_USER],
			                j->ask.fields[ASK_ADDRESS], clock_monotonic_us());
		answer_refused(j->asker, j->id, j->result, refused);
		return;
	}
	throttle_succeeded(k->throttle, j->ask.fields[ASK_USER], j->ask.fields[ASK_ADDRESS]);
	if (j->rehashed.len != 0 &&
	    failed(user_rehash(k->store, &j->user, buf_bytes(&j->rehashed))))
		LOG(LOG_WARN, "a password could not be stored with its new parameters");
	/* A reload may have taken the issuer away while the password was with a thread. */
	struct err e = k->issuer == NULL
	                       ? no_issuer()
	                       : issuer_grant(k->issuer, &j->user, j->ask.fields[ASK_CLIENT_ID],
	                                      clock_wall_us() / 1000000, &issued);
	if (failed(e)) {
		refused.fields[ANSWER_REASON] = bytes_text(e.why);
		answer_refused(j->asker, j->id, e, refused);
	} else {
		answer_granted(j->asker, j->id, &issued);
	}
	issued_done(&issued);
}

/* On a pool thread. */
static void
check(uv_work_t *work)
{
	struct job *j = container_of(work, struct job, work);

	j->result = user_check_password(j->is_known ? &j->user : NULL,
	                                j->ask.fields[ASK_PASSWORD_TEXT], &j->must_rehash);
	if (!failed(j->result) && j->must_rehash &&
	    failed(password_hash(j->ask.fields[ASK_PASSWORD_TEXT], &j->rehashed)))
		buf_wipe(&j->rehashed);
}

static void
on_checked(uv_work_t *work, int status)
{
	struct job *j = container_of(work, struct job, work);
	struct keeper *k = j->keeper;

	(void)status; /* jobs are never cancelled */
	k->running_count--;
	list_remove(&j->node);
	finish(j);
	job_free(j);
	run_next(k);
}

static void
run(struct job *j)
{
	struct keeper *k = j->keeper;

	k->running_count++;
	list_append(&k->running, &j->node);
	(void)uv_queue_work(&k->start->loop->uv, &j->work, check,
	                    on_checked); /* fails only without a function */
}

/* The next login that is still worth its hash. Asked again, because those before it may have failed
 * since it came: else who sends many guesses at once would have them all looked at. */
static void
run_next(struct keeper *k)
{
	while (!list_is_empty(&k->waiting)) {
		struct job *j = container_of(k->waiting.next, struct job, node);
		unsigned wait_s = throttle_wait_s(k->throttle, j->ask.fields[ASK_USER],
		                                  j->ask.fields[ASK_ADDRESS], clock_monotonic_us());

		list_remove(&j->node);
		k->waiting_count--;
		if (j->asker != NULL && wait_s == 0) {
			run(j);
			return;
		}
		answer_wait(j->asker, j->id, wait_s);
		job_free(j);
	}
}

static struct err
job_fill(struct job *j, const struct ask *ask)
{
	j->ask.fields[ASK_USER] = arena_copy(&j->arena, ask->fields[ASK_USER]);
	j->ask.fields[ASK_PASSWORD_TEXT] = arena_copy(&j->arena, ask->fields[ASK_PASSWORD_TEXT]);
	j->ask.fields[ASK_CLIENT_ID] = arena_copy(&j->arena, ask->fields[ASK_CLIENT_ID]);
	j->ask.fields[ASK_ADDRESS] = arena_copy(&j->arena, ask->fields[ASK_ADDRESS]);
	if (j->ask.fields[ASK_USER].len != ask->fields[ASK_USER].len ||
	    j->ask.fields[ASK_PASSWORD_TEXT].len != ask->fields[ASK_PASSWORD_TEXT].len ||
	    j->ask.fields[ASK_CLIENT_ID].len != ask->fields[ASK_CLIENT_ID].len ||
	    j->ask.fields[ASK_ADDRESS].len != ask->fields[ASK_ADDRESS].len)
		return fail(ERR_LIMIT, "out of memory for a login");

	struct err e = user_find(j->keeper->store, j->ask.fields[ASK_USER], &j->arena, &j->user);
	j->is_known = !failed(e);
	return e.kind == ERR_NOT_FOUND || e.kind == ERR_INVALID ? OK : e;
}

void
login_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	unsigned wait_s = throttle_wait_s(k->throttle, ask->fields[ASK_USER],
	                                  ask->fields[ASK_ADDRESS], clock_monotonic_us());
	const struct login_settings *limits = &k->start->settings->login;

	if (wait_s == 0 && k->running_count >= limits->hash_workers &&
	    k->waiting_count >= limits->hash_queue)
		wait_s = 1;
	if (wait_s != 0) {
		answer_wait(a, id, wait_s);
		return;
	}
	struct job *j = k->issuer == NULL ? NULL : calloc(1, sizeof *j);
	if (j == NULL) {
		answer(a, id,
		       &(struct answer){ .result = ANSWER_FAILED,
		                         .wait_s = 1,
		                         .fields[ANSWER_REASON] = BYTES("no local issuer") });
		return;
	}
	*j = (struct job){ .keeper = k, .asker = a, .id = id };
	struct err e = job_fill(j, ask);
	if (failed(e)) {
		answer_refused(a, id, e,
		               (struct answer){ .fields[ANSWER_REASON] = bytes_text(e.why) });
		job_free(j);
	} else if (k->running_count < limits->hash_workers) {
		run(j);
	} else {
		list_append(&k->waiting, &j->node);
		k->waiting_count++;
	}
}

static void
forget_in(struct list *jobs, const struct asker *a)
{
	for (struct list *node = jobs->next; node != jobs; node = node->next) {
		struct job *j = container_of(node, struct job, node);
		if (j->asker == a)
			j->asker = NULL;
	}
}

void
login_forget(struct keeper *k, const struct asker *a)
{
	forget_in(&k->waiting, a);
	forget_in(&k->running, a);
}

/* Refresh tokens */

void
login_refresh(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	static const char *const reasons[] = {
		[0] = "refused",
		[REFRESH_UNKNOWN] = "unknown, expired or revoked",
		[REFRESH_REUSED] = "used again: the family is revoked",
		[REFRESH_DISABLED] = "the user is disabled",
		[REFRESH_CLIENT] = "of another client",
	};
	struct issued issued = { 0 };
	struct err e = k->issuer == NULL ? no_issuer()
	                                 : issuer_refresh(k->issuer, ask->fields[ASK_REFRESH_TOKEN],
	                                                  ask->fields[ASK_CLIENT_ID],
	                                                  clock_wall_us() / 1000000, &issued);

	const char *reason =
		e.code < ARRAY_LEN(reasons) && reasons[e.code] != NULL ? reasons[e.code] : e.why;
	if (failed(e))
		answer_refused(
			a, id, e,
			(struct answer){ .fields[ANSWER_SUBJECT] = buf_bytes(&issued.subject),
		                         .fields[ANSWER_NAME] = buf_bytes(&issued.name),
		                         .fields[ANSWER_REASON] = bytes_text(reason) });
	else
		answer_granted(a, id, &issued);
	issued_done(&issued);
}
