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
	struct ask ask; /* in the arena; wiped */
	struct user user;
	bool is_known;
	struct err result;
	bool must_rehash;
	struct buf rehashed;
};

static const char too_many[] = "too many logins";

static void run_next(struct keeper *k);

/* Passwords */

static void
job_free(struct job *j)
{
	for (size_t i = 0; i < ASK_FIELD_COUNT; i++)
		OPENSSL_cleanse((uint8_t *)(uintptr_t)j->ask.fields[i].at, j->ask.fields[i].len);
	buf_wipe(&j->rehashed);
	arena_done(&j->arena);
	free(j);
}

/* One answer for all that is the caller's fault; the reason is for the audit record, and so is whom
 * it names: the name of a known user only, for others type their password there. */
static void
refuse_login(const struct job *j)
{
	const char *reason = !j->is_known          ? "unknown user"
	                     : j->user.is_disabled ? "the user is disabled"
	                                           : "wrong password";

	keeper_send(j->asker, j->id,
	            &(struct answer){ .result = ANSWER_REFUSED,
	                              .error = OAUTH_INVALID_GRANT,
	                              .fields[ANSWER_SUBJECT] = j->user.subject,
	                              .fields[ANSWER_NAME] = j->user.name,
	                              .fields[ANSWER_REASON] = bytes_text(reason),
	                              .fields[ANSWER_DETAIL] = bytes_text(j->result.why) });
}

static void
finish(struct job *j)
{
	CLEANUP(reply_done) struct reply reply = { 0 };
	struct keeper *k = j->keeper;
	struct bytes name = j->ask.fields[ASK_USER], address = j->ask.fields[ASK_ADDRESS];

	if (j->result.kind == ERR_IDENTITY) {
		throttle_failed(k->throttle, name, address, clock_monotonic_us());
		refuse_login(j);
		return;
	}
	if (failed(j->result)) {
		keeper_send_reply(j->asker, j->id, j->result, &reply);
		return;
	}
	throttle_succeeded(k->throttle, name, address);
	if (j->rehashed.len != 0 &&
	    failed(user_rehash(k->store, &j->user, buf_bytes(&j->rehashed))))
		LOG(LOG_WARN, "a password could not be stored with its new parameters");
	/* A reload may have taken the issuer away while the password was with a thread. */
	if (k->issuer == NULL) {
		keeper_send_failed(j->asker, j->id, "no local issuer");
		return;
	}
	struct err e = issuer_login(k->issuer, &j->user, &j->ask, keeper_now_s(), &reply);
	keeper_send_reply(j->asker, j->id, e, &reply);
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
		keeper_send_wait(j->asker, j->id, wait_s, too_many);
		job_free(j);
	}
}

static struct err
job_fill(struct job *j, const struct ask *ask)
{
	j->ask.kind = ask->kind;
	for (size_t i = 0; i < ASK_FIELD_COUNT; i++) {
		j->ask.fields[i] = arena_copy(&j->arena, ask->fields[i]);
		if (j->ask.fields[i].len != ask->fields[i].len)
			return fail(ERR_LIMIT, "out of memory for a login");
	}

	struct err e = user_find(j->keeper->store, j->ask.fields[ASK_USER], &j->arena, &j->user);
	j->is_known = !failed(e);
	return e.kind == ERR_NOT_FOUND || e.kind == ERR_INVALID ? OK : e;
}

static void
queue(struct keeper *k, struct job *j)
{
	if (k->running_count < k->start->settings->login.hash_workers) {
		run(j);
		return;
	}
	list_append(&k->waiting, &j->node);
	k->waiting_count++;
}

void
login_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask)
{
	const struct login_settings *limits = &k->start->settings->login;
	const struct reply none = { 0 };
	unsigned wait_s = throttle_wait_s(k->throttle, ask->fields[ASK_USER],
	                                  ask->fields[ASK_ADDRESS], clock_monotonic_us());

	if (wait_s == 0 && k->running_count >= limits->hash_workers &&
	    k->waiting_count >= limits->hash_queue)
		wait_s = 1;
	if (wait_s != 0) {
		keeper_send_wait(a, id, wait_s, too_many);
		return;
	}
	struct job *j = calloc(1, sizeof *j);
	if (j == NULL) {
		keeper_send_failed(a, id, "out of memory for a login");
		return;
	}
	*j = (struct job){ .keeper = k, .asker = a, .id = id };
	struct err e = job_fill(j, ask);
	if (!failed(e)) {
		queue(k, j);
		return;
	}
	keeper_send_reply(a, id, e, &none);
	job_free(j);
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
