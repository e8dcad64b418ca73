/* fetcher_question.c - questions of workers that a provider has to answer: a bounded number at a
 * time, others in a queue that none stays in for long. What is asked stands in the files of the
 * three kinds. */
#include "process/fetcher_question.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "format/base64.h"
#include "format/url.h"

enum { RUNNING_MAX = 64, QUEUED_MAX = 1024, RETRY_S = 1 };

/* What was last logged of an issuer: a failure is said once, not for each token. */
struct complaint {
	struct list node;
	struct buf issuer; /* owned */
	const char *why;   /* literal; NULL: it answers */
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

static struct complaint *
complaint_of(struct fetcher *f, struct bytes issuer)
{
	for (struct list *node = f->complaints.next; node != &f->complaints; node = node->next) {
		struct complaint *c = container_of(node, struct complaint, node);
		if (bytes_equal(buf_bytes(&c->issuer), issuer))
			return c;
	}
	struct complaint *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	buf_put(&c->issuer, issuer);
	list_append(&f->complaints, &c->node);
	return c;
}

/* NULL: it answered. */
static void
note(const struct question *q, const char *why)
{
	/* Names that are not configured are a worker's invention. */
	struct complaint *c =
		question_issuer(q) == NULL ? NULL : complaint_of(q->fetcher, q->ask.issuer);

	if (c == NULL || c->why == why)
		return;
	if (why != NULL)
		LOG(LOG_WARN, "an issuer does not answer what it is asked",
		    { "issuer", q->ask.issuer }, { "why", bytes_text(why) });
	else
		LOG(LOG_INFO, "an issuer answers again", { "issuer", q->ask.issuer });
	c->why = why;
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
	question_free(q);
	f->running_count--;
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
	list_append(&f->running, &q->node);
	f->running_count++;
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

	while (f->running_count < RUNNING_MAX && !list_is_empty(&f->queued)) {
		f->queued_count--;
		begin(container_of(f->queued.next, struct question, node));
	}
}

static struct err
enqueue(struct fetcher *f, struct follower *w, const struct message *m)
{
	static question_begin_fn *const kinds[] = { [FETCH_INTROSPECT] = introspect_begin,
		                                    [FETCH_GROUPS] = groups_begin,
		                                    [FETCH_CODE] = code_begin };

	if (f->queued_count == QUEUED_MAX)
		return fail(ERR_LIMIT, "too much is asked of providers that are slow");
	struct question *q = calloc(1, sizeof *q);
	if (q == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*q = (struct question){ .fetcher = f,
		                .from = w,
		                .id = m->id,
		                .begin = kinds[m->type],
		                .asked_us = clock_monotonic_us() };
	buf_put(&q->message, m->body);
	struct err e = buf_check(&q->message);
	if (!failed(e))
		e = fetch_ask_read(buf_bytes(&q->message), &q->ask);
	if (failed(e)) {
		question_free(q);
		return e;
	}
	list_append(&f->queued, &q->node);
	f->queued_count++;
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
	list_init(&f->running);
	list_init(&f->queued);
	list_init(&f->complaints);
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
	forget_in(&f->running, w);
	forget_in(&f->queued, w);
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
	free_all(&f->running);
	free_all(&f->queued);
	while (!list_is_empty(&f->complaints)) {
		struct complaint *c = container_of(f->complaints.next, struct complaint, node);

		list_remove(&c->node);
		buf_done(&c->issuer);
		free(c);
	}
	graph_tokens_drop(f);
}
