/* fetcher_question.c - questions of workers that a provider has to answer: of each issuer a bounded
 * number at a time, others in a queue that none stays in for long. What is asked stands in the
 * files of the three kinds. */
#include "process/fetcher_question.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "format/base64.h"
#include "format/url.h"

enum { RUNNING_MAX = 32, QUEUED_MAX = 512, RETRY_S = 1 };

/* The questions for one issuer: strangers can have us ask one that reads opaque tokens as often as
 * they like, and while it is slow the others must be as fast as ever. */
struct queue {
	struct list node;
	struct buf issuer; /* owned: its name */
	struct list running, waiting;
	unsigned running_count, waiting_count;
	const char *why; /* it last failed, literal: said once, not for each token; NULL: it answers
	                  */
};

/* Building requests */

void
form_put(struct buf *form, const char *name, struct bytes value)
{
	buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
	url_put_encoded(form, value);
}

struct err
basic_put(struct buf *out, const char *client, const struct secret_ref *ref)
{
	CLEANUP(secret_done) struct secret secret = { 0 };
	CLEANUP(buf_wipe) struct buf pair = { 0 };

	TRY(files_secret(ref, &secret));
	url_put_encoded(&pair, bytes_text(client));
	buf_put_u8(&pair, ':');
	url_put_encoded(&pair, secret_bytes(&secret));
	TRY(buf_check(&pair));
	buf_put_text(out, "Basic ");
	base64_put(out, buf_bytes(&pair), true);
	return buf_check(out);
}

struct err
question_post(struct question *q, struct http_request r, http_done_fn *done)
{
	if (r.content_type == NULL)
		r.content_type = "application/x-www-form-urlencoded";
	return http_start(q->fetcher->http, &r, done, q, &q->exchange);
}

/* What is logged */

/* NULL: it answered. */
static void
note(const struct question *q, const char *why)
{
	if (q->queue->why == why)
		return;
	if (why != NULL)
		LOG(LOG_WARN, "an issuer does not answer what it is asked",
		    { "issuer", q->ask.issuer }, { "why", bytes_text(why) });
	else
		LOG(LOG_INFO, "an issuer answers again", { "issuer", q->ask.issuer });
	q->queue->why = why;
}

/* Ending */

static void
question_free(struct question *q)
{
	list_remove(&q->node);
	http_cancel(q->exchange);
	buf_wipe(&q->message);
	free(q);
}

void
question_answer(struct question *q, const struct fetch_answer *a)
{
	struct fetcher *f = q->fetcher;

	if (a->result != FETCH_FAILED)
		note(q, NULL);
	if (q->from != NULL)
		fetcher_answer(q->from, q->id, a);
	q->queue->running_count--;
	question_free(q);
	loop_defer(f->start->loop, &f->next);
}

void
question_fail(struct question *q, struct err e, const struct http_response *r)
{
	uint32_t retry_s =
		r != NULL ? retry_after_seconds(r->retry_after, clock_wall_us() / 1000000) : 0;

	note(q, e.why);
	fetcher_check_files(q->fetcher);
	question_answer(q, &(struct fetch_answer){ .result = FETCH_FAILED,
	                                           .retry_s = retry_s > 0 ? retry_s : RETRY_S,
	                                           .why = bytes_text(e.why) });
}

void
question_refuse(struct question *q, const char *why)
{
	question_answer(q,
	                &(struct fetch_answer){ .result = FETCH_REFUSED, .why = bytes_text(why) });
}

struct err
question_read(struct err e, const struct http_response *r, struct arena *arena,
              const struct json **ret)
{
	const struct json *object;

	if (failed(e))
		return e;
	if (r->status == 401 || r->status == 403)
		return fail(ERR_UPSTREAM, "the provider refuses our credentials");
	if (r->status == 429)
		return fail(ERR_UPSTREAM, "the provider is asked too often");
	if (r->status != 200)
		return fail(ERR_UPSTREAM, "the provider answers with an error");
	if (!r->is_json)
		return fail(ERR_PEER, "the answer is not of a JSON type");
	if (failed(json_parse(r->body, arena, &object, NULL)) || object->type != JSON_OBJECT)
		return fail(ERR_PEER, "the answer is no JSON object");
	*ret = object;
	return OK;
}

const struct issuer_settings *
question_issuer(const struct question *q)
{
	const struct settings *settings = q->fetcher->start->settings;

	for (size_t i = 0; i < settings->issuer_count; i++)
		if (bytes_is(q->ask.issuer, settings->issuers[i].name))
			return &settings->issuers[i];
	return NULL;
}

/* Beginning */

static void
begin(struct question *q)
{
	struct fetcher *f = q->fetcher;
	uint64_t waited_ms = (clock_monotonic_us() - q->asked_us) / 1000;
	const struct issuer_settings *s = question_issuer(q);
	struct err e;

	list_remove(&q->node);
	q->queue->waiting_count--;
	list_append(&q->queue->running, &q->node);
	q->queue->running_count++;
	if (s == NULL)
		e = fail(ERR_UPSTREAM, "no such issuer");
	else if (waited_ms > f->start->settings->outbound.timeout_ms)
		e = fail(ERR_UPSTREAM, "too much is asked of providers that are slow");
	else
		e = q->begin(q, s);
	if (failed(e))
		question_fail(q, e, NULL);
}

static void
begin_next(struct deferred *d)
{
	struct fetcher *f = container_of(d, struct fetcher, next);

	for (struct list *node = f->queues.next; node != &f->queues; node = node->next) {
		struct queue *to = container_of(node, struct queue, node);

		while (to->running_count < RUNNING_MAX && !list_is_empty(&to->waiting))
			begin(container_of(to->waiting.next, struct question, node));
	}
}

static struct err
queue_for(struct fetcher *f, struct bytes issuer, struct queue **ret)
{
	for (struct list *node = f->queues.next; node != &f->queues; node = node->next) {
		*ret = container_of(node, struct queue, node);
		if (bytes_equal(buf_bytes(&(*ret)->issuer), issuer))
			return OK;
	}
	struct queue *new = calloc(1, sizeof *new);
	if (new == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	buf_put(&new->issuer, issuer);
	if (failed(buf_check(&new->issuer))) {
		free(new);
		return fail(ERR_SYSTEM, "out of memory");
	}
	list_init(&new->running);
	list_init(&new->waiting);
	list_append(&f->queues, &new->node);
	*ret = new;
	return OK;
}

/* Its message is here. */
static struct err
take(struct question *q)
{
	TRY(buf_check(&q->message));
	TRY(fetch_ask_read(buf_bytes(&q->message), &q->ask));
	/* A worker may invent names; each would be kept. */
	if (question_issuer(q) == NULL)
		return fail(ERR_UPSTREAM, "no such issuer");
	TRY(queue_for(q->fetcher, q->ask.issuer, &q->queue));
	return q->queue->waiting_count < QUEUED_MAX
	               ? OK
	               : fail(ERR_LIMIT, "too much is asked of providers that are slow");
}

static struct err
enqueue(struct fetcher *f, struct follower *w, const struct message *m)
{
	static question_begin_fn *const kinds[] = { [FETCH_INTROSPECT] = introspect_begin,
		                                    [FETCH_GROUPS] = groups_begin,
		                                    [FETCH_CODE] = code_begin };
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*q = (struct question){ .fetcher = f,
		                .from = w,
		                .id = m->id,
		                .begin = kinds[m->type],
		                .asked_us = clock_monotonic_us() };
	buf_put(&q->message, m->body);
	struct err e = take(q);
	if (failed(e)) {
		question_free(q);
		return e;
	}
	list_append(&q->queue->waiting, &q->node);
	q->queue->waiting_count++;
	loop_defer(f->start->loop, &f->next);
	return OK;
}

bool
questions_ask(struct fetcher *f, struct follower *w, const struct message *m)
{
	struct err e = enqueue(f, w, m);

	if (failed(e) && e.kind != ERR_PEER)
		fetcher_answer(w, m->id,
		               &(struct fetch_answer){ .result = FETCH_FAILED,
		                                       .retry_s = RETRY_S,
		                                       .why = bytes_text(e.why) });
	return e.kind != ERR_PEER;
}

void
questions_init(struct fetcher *f)
{
	list_init(&f->queues);
	list_init(&f->graph_tokens);
	f->next.run = begin_next;
}

static void
forget_in(struct list *questions, const struct follower *w)
{
	for (struct list *node = questions->next; node != questions; node = node->next) {
		struct question *q = container_of(node, struct question, node);
		if (q->from == w)
			q->from = NULL;
	}
}

/* What was asked is asked all the same: a worker that is lost may come again at once. */
void
questions_forget(struct fetcher *f, const struct follower *w)
{
	for (struct list *node = f->queues.next; node != &f->queues; node = node->next) {
		struct queue *of = container_of(node, struct queue, node);

		forget_in(&of->running, w);
		forget_in(&of->waiting, w);
	}
}

static void
free_all(struct list *questions)
{
	while (!list_is_empty(questions))
		question_free(container_of(questions->next, struct question, node));
}

void
questions_done(struct fetcher *f)
{
	while (!list_is_empty(&f->queues)) {
		struct queue *one = container_of(f->queues.next, struct queue, node);

		free_all(&one->running);
		free_all(&one->waiting);
		list_remove(&one->node);
		buf_done(&one->issuer);
		free(one);
	}
	graph_tokens_drop(f);
}
