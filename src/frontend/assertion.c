/* assertion.c - see assertion.h: the assertion, made by keeper and used again.
 *
 * What is remembered is found by the very claims that were signed: nothing a service is told can
 * outlive a change of what is known of the caller, whichever token it came with. Questions about
 * the same claims are asked once (a page loads twenty things at once), and asked again in good
 * time, so that nobody who keeps calling ever waits.
 *
 * Who calls again with the same token is the same principal, which never changes: its claims need
 * not be written anew to find them. */
#include "frontend/assertion.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/random.h"
#include "frontend/identity_form.h"

enum {
	ASSERTIONS_MAX = 4096, /* of about 2 KiB */
	BUCKETS = 4096,
	FOUND = 1024,
	DEFAULT_LIFE_S = 300,
	RENEW_RETRY_US = 1000000,
};

struct assertion {
	struct assertion *next; /* in its bucket */
	struct list used;       /* in assertions.used */
	struct assertions *all;
	struct waiter question; /* to keeper; its node is on a list while that is asked */
	struct list waiting;    /* requests that cannot go on without it */
	uint64_t hash;
	struct buf claims; /* owned: by which it is found */
	unsigned life_s;   /* likewise: services of one audience may want it for less long */
	struct buf token;  /* owned; empty: none was made yet */
	/* Of the token, monotonic: from here on a new one is asked for, and from here on it is not
	 * shown any more. */
	uint64_t renew_us, end_us;
	uint64_t asked_us;
};

/* What was last found for a principal and a service. */
struct found {
	const struct principal *who; /* one reference: its address is nobody else's meanwhile */
	int backend;
	struct assertion *assertion;
};

struct assertions {
	uint8_t key[16];
	struct assertion *buckets[BUCKETS];
	struct found found[FOUND];
	struct list used; /* the one that was longest not used first */
	size_t count;
	struct buf claims; /* owned: of the request at hand */
};

struct err
assertions_new(struct assertions **ret)
{
	struct assertions *a = calloc(1, sizeof *a);

	if (a == NULL)
		return fail(ERR_SYSTEM, "out of memory for assertions");
	random_fill(a->key, sizeof a->key);
	list_init(&a->used);
	*ret = a;
	return OK;
}

static void
forget(struct found *f)
{
	if (f->who != NULL)
		principal_release(f->who);
	*f = (struct found){ 0 };
}

static void
assertion_free(struct assertion *a)
{
	for (size_t i = 0; i < FOUND; i++)
		if (a->all->found[i].assertion == a)
			forget(&a->all->found[i]);

	struct assertion **at = &a->all->buckets[a->hash % BUCKETS];

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->all->count--;
	list_remove(&a->used);
	gate_forget(&a->question);
	buf_wipe(&a->token);
	buf_done(&a->claims);
	free(a);
}

void
assertions_free(struct assertions *a)
{
	if (a == NULL)
		return;
	while (!list_is_empty(&a->used))
		assertion_free(container_of(a->used.next, struct assertion, used));
	buf_done(&a->claims);
	free(a);
}

/* Finding */

static struct assertion *
find_claims(struct assertions *all, uint64_t hash, unsigned life_s)
{
	struct assertion *a = all->buckets[hash % BUCKETS];

	while (a != NULL && (a->hash != hash || a->life_s != life_s ||
	                     !bytes_equal(buf_bytes(&a->claims), buf_bytes(&all->claims))))
		a = a->next;
	return a;
}

/* The one that was longest not used goes; one that is being asked for has somebody waiting. */
static struct err
make_room(struct assertions *all)
{
	struct list *node = all->used.next;

	if (all->count < ASSERTIONS_MAX)
		return OK;
	while (node != &all->used) {
		struct assertion *a = container_of(node, struct assertion, used);

		if (a->question.node.next == NULL) {
			assertion_free(a);
			return OK;
		}
		node = node->next;
	}
	return fail(ERR_UPSTREAM, "too many assertions are being made");
}

static struct err
add(struct assertions *all, uint64_t hash, unsigned life_s, struct assertion **ret)
{
	TRY(make_room(all));

	struct assertion *a = calloc(1, sizeof *a);
	if (a == NULL)
		return fail(ERR_SYSTEM, "out of memory for an assertion");
	a->all = all;
	a->hash = hash;
	a->life_s = life_s;
	list_init(&a->waiting);
	buf_put(&a->claims, buf_bytes(&all->claims));
	if (failed(buf_check(&a->claims))) {
		free(a);
		return fail(ERR_SYSTEM, "out of memory for an assertion");
	}
	a->next = all->buckets[hash % BUCKETS];
	all->buckets[hash % BUCKETS] = a;
	all->count++;
	list_append(&all->used, &a->used);
	*ret = a;
	return OK;
}

/* Asking */

static struct err
take_answer(struct assertion *a, struct bytes message)
{
	struct answer answer;

	TRY(answer_read(message, &answer));
	if (answer.result != ANSWER_GRANTED)
		return fail(ERR_UPSTREAM, "keeper signs no assertion right now");

	uint64_t life_us = (uint64_t)answer.expires_in_s * 1000000;

	struct bytes token = answer.fields[ANSWER_ACCESS_TOKEN];

	if (token.len == 0 || http_run(token, HTTP_BYTE_TARGET) != token.len)
		return fail(ERR_UPSTREAM, "keeper signed what fits in no header field");
	buf_wipe(&a->token);
	buf_put(&a->token, token);
	TRY(buf_check(&a->token));
	a->end_us = a->asked_us + life_us / 3 * 2;
	a->renew_us = a->asked_us + life_us / 2;
	return OK;
}

static void
on_answer(struct waiter *w, const struct message *answer, struct err e)
{
	struct assertion *a = container_of(w, struct assertion, question);
	struct list waiting;

	if (!failed(e))
		e = take_answer(a, answer->body);
	if (failed(e))
		a->renew_us = clock_monotonic_us() + RENEW_RETRY_US;
	list_init(&waiting);
	while (!list_is_empty(&a->waiting)) {
		struct list *node = a->waiting.next;

		list_remove(node);
		list_append(&waiting, node);
	}
	if (failed(e) && a->token.len == 0)
		assertion_free(a); /* who asks again is not told of this failure */
	while (!list_is_empty(&waiting)) {
		struct waiter *one = container_of(waiting.next, struct waiter, node);

		list_remove(&one->node);
		one->wake(one, answer, e);
	}
}

static struct err
ask(struct gate *g, struct assertion *a)
{
	uint8_t text[16];
	struct buf life = { .at = text, .room = sizeof text, .limit = sizeof text };
	struct ask question = { .kind = ASK_ASSERTION };

	if (a->question.node.next != NULL)
		return OK;
	buf_put_unsigned(&life, a->life_s);
	question.fields[ASK_DATA] = buf_bytes(&a->claims);
	question.fields[ASK_LIFE] = buf_bytes(&life);
	a->asked_us = clock_monotonic_us();
	a->question.wake = on_answer;
	return gate_ask_keeper(g, &question, &a->question);
}

static void
on_made(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	(void)answer;
	r->is_woken = true;
	r->wake_error = e;
	request_resume(r);
}

static struct err
wait_for(struct request *r, struct assertion *a, enum step *step)
{
	struct err e = ask(r->gate, a);

	if (failed(e)) {
		if (a->token.len == 0)
			assertion_free(a);
		return e.kind == ERR_LIMIT ? fail(ERR_UPSTREAM, "keeper has too much to do") : e;
	}
	r->waiter.wake = on_made;
	list_append(&a->waiting, &r->waiter.node);
	*step = STEP_MORE;
	return OK;
}

/* By its claims, which are written for that. */
static struct err
find_or_add(struct request *r, const struct service_settings *service, struct assertion **ret)
{
	struct assertions *all = r->gate->assertions;

	buf_clear(&all->claims);
	assertion_put_claims(r, service, &all->claims);
	TRY(buf_check(&all->claims));
	if (all->claims.len > ASK_ASSERTION_MAX)
		return fail(ERR_UPSTREAM, "the caller's assertion would be too long");

	uint64_t hash = bytes_hash(buf_bytes(&all->claims), all->key);
	unsigned life_s = service == NULL ? DEFAULT_LIFE_S : service->assertion_s;
	*ret = find_claims(all, hash, life_s);
	return *ret != NULL ? OK : add(all, hash, life_s, ret);
}

/* Without a service its route is among the claims: that is not remembered. */
static struct err
find(struct request *r, int backend, struct assertion **ret)
{
	const struct settings *settings = r->gate->settings;
	size_t at = ((uintptr_t)r->who / 64 + (size_t)(unsigned)backend) % FOUND;
	struct found *f = &r->gate->assertions->found[at];

	if (backend < 0)
		return find_or_add(r, NULL, ret);
	if (f->who == r->who && f->backend == backend) {
		*ret = f->assertion;
		return OK;
	}
	TRY(find_or_add(r, &settings->backends[backend].service, ret));
	forget(f);
	*f = (struct found){ principal_hold(r->who), backend, *ret };
	return OK;
}

/* The one for this caller and service; *ret is valid until the next question. */
static struct err
assertion_take(struct request *r, int backend, struct bytes *ret, enum step *step)
{
	struct assertions *all = r->gate->assertions;
	uint64_t now_us = clock_monotonic_us();
	struct assertion *a;

	TRY(find(r, backend, &a));
	list_remove(&a->used);
	list_append(&all->used, &a->used);
	if (a->token.len == 0 || now_us >= a->end_us)
		return wait_for(r, a, step);
	if (now_us >= a->renew_us && failed(ask(r->gate, a)))
		a->renew_us = now_us + RENEW_RETRY_US; /* it is good for a while yet */
	*ret = buf_bytes(&a->token);
	return OK;
}

/* Looked through when it was made. */
static void
put_token(struct buf *lines, struct bytes name, struct bytes token)
{
	buf_put(lines, name);
	buf_put(lines, token);
	buf_put(lines, BYTES("\r\n"));
}

struct err
identity_fields_put(struct request *r, int backend, unsigned forms, struct buf *lines,
                    enum step *step)
{
	struct bytes token = { 0 };

	if (r->who == NULL)
		return OK;
	if (r->is_woken) {
		r->is_woken = false;
		TRY(r->wake_error);
	}
	if ((forms & (IDENTITY_ASSERTION | IDENTITY_POMERIUM)) != 0) {
		TRY(assertion_take(r, backend, &token, step));
		if (*step == STEP_MORE)
			return OK;
	}
	if ((forms & IDENTITY_ASSERTION) != 0)
		put_token(lines, BYTES("X-Gatewarden-Assertion: "), token);
	if ((forms & IDENTITY_POMERIUM) != 0)
		put_token(lines, BYTES("X-Pomerium-Jwt-Assertion: "), token);
	identity_form_put(r, forms, lines);
	return buf_check(lines);
}
