/* source.c - see source.h. */
#include "frontend/source.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "jose/jwk.h"

static struct source *
find(struct gate *g, struct bytes url)
{
	for (size_t i = 0; i < g->source_count; i++)
		if (bytes_equal(g->sources[i].url, url))
			return &g->sources[i];
	return NULL;
}

struct err
sources_init(struct gate *g)
{
	g->sources = calloc(g->settings->issuer_count + 1, sizeof *g->sources);
	if (g->sources == NULL)
		return fail(ERR_SYSTEM, "out of memory for the issuers");
	for (size_t i = 0; i < g->settings->issuer_count; i++) {
		struct bytes url = issuer_source(&g->settings->issuers[i]);

		if (url.len == 0 || find(g, url) != NULL)
			continue;
		struct source *s = &g->sources[g->source_count++];
		s->gate = g;
		s->url = url;
		s->parts.limit = JWKS_BYTES_MAX;
		list_init(&s->waiters);
	}
	return OK;
}

void
sources_done(struct gate *g)
{
	for (size_t i = 0; i < g->source_count; i++) {
		buf_done(&g->sources[i].parts);
		buf_done(&g->sources[i].keys);
		buf_done(&g->sources[i].told);
	}
	free(g->sources);
	g->sources = NULL;
	g->source_count = 0;
}

void
sources_forget_parts(struct gate *g)
{
	for (size_t i = 0; i < g->source_count; i++)
		buf_clear(&g->sources[i].parts);
}

struct source *
source_of(struct gate *g, unsigned issuer)
{
	struct bytes url = issuer_source(&g->settings->issuers[issuer]);

	return url.len == 0 ? NULL : find(g, url);
}

bool
source_has_keys(const struct source *s, int64_t now_s)
{
	return now_s < s->stale_until_s;
}

struct bytes
source_why(const struct source *s)
{
	if (s->state.why.len != 0)
		return s->state.why;
	return s->gate->fetcher == NULL ? BYTES("the fetcher process is not there")
	                                : BYTES("its keys have not been fetched yet");
}

/* Messages */

/* Mostly nothing has changed; whoever invents names of keys must not have all tokens verified, and
 * groups asked for, again. Unless they end earlier (the clock was set): then so do cached tokens.
 */
static bool
is_same(const struct source *s, int64_t stale_until_s)
{
	return s->parts.len != 0 && bytes_equal(buf_bytes(&s->parts), buf_bytes(&s->keys)) &&
	       stale_until_s >= s->stale_until_s;
}

static struct err
use_keys(struct source *s, int64_t stale_until_s)
{
	struct jwks *keys = NULL;

	if (is_same(s, stale_until_s)) {
		issuers_extend_source(s->gate->issuers, s->url, stale_until_s);
		s->stale_until_s = stale_until_s;
		return OK;
	}
	/* A set without any text: the keys that were there are too old. */
	if (s->parts.len != 0)
		TRY(jwks_parse(buf_bytes(&s->parts), &keys, NULL));
	issuers_set_source(s->gate->issuers, s->url, keys, stale_until_s);
	s->stale_until_s = keys == NULL ? 0 : stale_until_s;
	buf_clear(&s->keys);
	buf_put(&s->keys, buf_bytes(&s->parts));
	if (failed(buf_check(&s->keys)))
		buf_clear(&s->keys); /* the next set is another */
	return OK;
}

struct err
source_take_keys(struct gate *g, struct bytes body)
{
	struct fetched_keys keys;

	TRY(fetched_keys_read(body, &keys));

	struct source *s = find(g, keys.source);
	if (s == NULL)
		return OK; /* of a source that this configuration does not have */
	buf_put(&s->parts, keys.part);
	if (!keys.is_last)
		return OK;
	struct err e = buf_check(&s->parts);
	if (!failed(e))
		e = use_keys(s, keys.stale_until_s);
	buf_clear(&s->parts);
	return e;
}

struct err
source_take_state(struct gate *g, struct bytes body)
{
	struct fetched_state state;

	TRY(fetched_state_read(body, &state));

	struct source *s = find(g, state.source);
	if (s == NULL)
		return OK;
	s->state = (struct fetched_state){ 0 };
	buf_clear(&s->told);
	buf_put(&s->told, body);
	TRY(buf_check(&s->told));
	TRY(fetched_state_read(buf_bytes(&s->told), &s->state));
	issuers_set_retry(g->issuers, s->url, clock_wall_us() / 1000000 + s->state.retry_s);
	return OK;
}

/* Asking */

static void
on_answer(struct waiter *w, const struct message *answer, struct err e)
{
	struct source *s = container_of(w, struct source, question);
	struct list waiting;

	/* Who is woken may ask again: that is another question. */
	list_init(&waiting);
	while (!list_is_empty(&s->waiters)) {
		struct list *node = s->waiters.next;
		list_remove(node);
		list_append(&waiting, node);
	}
	while (!list_is_empty(&waiting)) {
		struct waiter *one = container_of(waiting.next, struct waiter, node);
		list_remove(&one->node);
		one->wake(one, answer, e);
	}
}

struct err
source_refresh(struct source *s, struct waiter *w)
{
	if (s->question.node.next == NULL) {
		s->question.wake = on_answer;
		TRY(gate_ask_fetcher(s->gate, FETCH_REFRESH, s->url, &s->question));
	}
	list_append(&s->waiters, &w->node);
	return OK;
}
