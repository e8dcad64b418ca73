/* fetcher_question.h - one question of a worker that a provider has to answer; for the files that
 * put it to one. */
#ifndef PROCESS_FETCHER_QUESTION_H
#define PROCESS_FETCHER_QUESTION_H

#include "format/json.h"
#include "process/fetcher.h"

struct question;

/* Puts it to the provider; what fails is the answer. `s` is its issuer, valid for the call only: by
 * the answer the configuration may be another. */
typedef struct err question_begin_fn(struct question *q, const struct issuer_settings *s);

struct question {
	struct list node;
	struct fetcher *fetcher;
	struct queue *queue;   /* of its issuer */
	struct follower *from; /* NULL: gone, nobody wants the answer */
	uint64_t id;
	question_begin_fn *begin;
	struct buf message; /* owned, wiped: the ask borrows it */
	struct fetch_ask ask;
	uint64_t asked_us;
	struct http_exchange *exchange;
};

question_begin_fn introspect_begin, groups_begin, code_begin;

/* A form in the making; wiped when done. */
void form_put(struct buf *form, const char *name, struct bytes value);
/* The value of an Authorization field: RFC 6749 section 2.3.1. */
struct err basic_put(struct buf *out, const char *client, const struct secret_ref *secret);

/* The next request of this question: a POST, of a form unless it says otherwise. */
struct err question_post(struct question *q, struct http_request r, http_done_fn *done);
/* Each ends the question: it is gone. */
void question_answer(struct question *q, const struct fetch_answer *a);
void question_fail(struct question *q, struct err e, const struct http_response *r);
void question_refuse(struct question *q, const char *why);

/* What every answer must be: there, of this status, JSON, an object. *ret in the arena. */
struct err question_read(struct err e, const struct http_response *r, struct arena *arena,
                         const struct json **ret);
/* The issuer as it is configured now; NULL: not any more. */
const struct issuer_settings *question_issuer(const struct question *q);

/* fetcher_groups.c */
void graph_tokens_drop(struct fetcher *f);

#endif
