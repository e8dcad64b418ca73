/* fetcher_origin.c - the keys of issuers: fetched when schedule.h says so, judged, written anew,
 * and handed to every worker. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/random.h"
#include "fetch/metadata.h"
#include "fetch/url_guard.h"
#include "jose/jwk.h"
#include "process/fetcher.h"

enum { LOOK_MS = 5000 /* at the wall clock, whether it was set */ };

/* A worker's question that waits for a fetch. */
struct waiting {
	struct list node;
	struct follower *from;
	uint64_t id;
};

static void begin_fetch(struct origin *o);
static void plan(struct fetcher *f);

static struct moment
now(void)
{
	return (struct moment){ clock_monotonic_us(), clock_wall_us() / 1000000 };
}

static struct bytes
url_of(const struct origin *o)
{
	return (struct bytes){ o->url.at, o->url.len - 1 };
}

struct origin *
origin_find(struct fetcher *f, struct bytes url)
{
	for (struct list *node = f->origins.next; node != &f->origins; node = node->next) {
		struct origin *o = container_of(node, struct origin, node);
		if (bytes_equal(url_of(o), url))
			return o;
	}
	return NULL;
}

/* What workers are told */

static void
tell_keys(struct origin *o, struct follower *w)
{
	struct bytes left = buf_bytes(&o->keys);
	struct fetched_keys keys = { .source = url_of(o),
		                     .stale_until_s = schedule_stale_s(&o->schedule, now()) };

	do {
		CLEANUP(buf_done) struct buf body = { .limit = CHANNEL_BODY_MAX };

		keys.part = bytes_slice(left, 0, FETCH_PART_MAX);
		left = bytes_slice(left, keys.part.len, left.len);
		keys.is_last = left.len == 0;
		fetched_keys_put(&body, &keys);
		fetcher_send(w, FETCH_KEYS, 0, &body);
	} while (!keys.is_last);
}

static void
tell_state(const struct origin *o, struct follower *w)
{
	CLEANUP(buf_done) struct buf body = { .limit = CHANNEL_BODY_MAX };
	const struct fetched_state state = {
		.source = url_of(o),
		.why = buf_bytes(&o->failure),
		.retry_s = schedule_retry_s(&o->schedule, now()),
		.authorization_endpoint = buf_bytes(&o->authorization_endpoint),
		.end_session_endpoint = buf_bytes(&o->end_session_endpoint),
	};

	fetched_state_put(&body, &state);
	fetcher_send(w, FETCH_STATE, 0, &body);
}

static void
tell_all(struct origin *o, bool with_keys)
{
	struct list *followers = &o->fetcher->followers;

	for (struct list *node = followers->next; node != followers; node = node->next) {
		struct follower *w = container_of(node, struct follower, node);

		if (with_keys)
			tell_keys(o, w);
		tell_state(o, w);
	}
}

void
origins_tell(struct fetcher *f, struct follower *w)
{
	for (struct list *node = f->origins.next; node != &f->origins; node = node->next) {
		struct origin *o = container_of(node, struct origin, node);

		if (o->schedule.has_keys)
			tell_keys(o, w);
		tell_state(o, w);
	}
}

static void
answer(const struct origin *o, struct follower *w, uint64_t id)
{
	const struct fetch_answer a = {
		.result = o->failure.len == 0 ? FETCH_DONE : FETCH_FAILED,
		.retry_s = schedule_retry_s(&o->schedule, now()),
		.why = buf_bytes(&o->failure),
	};

	fetcher_answer(w, id, &a);
}

static void
answer_all(struct origin *o)
{
	while (!list_is_empty(&o->waiters)) {
		struct waiting *w = container_of(o->waiters.next, struct waiting, node);

		list_remove(&w->node);
		answer(o, w->from, w->id);
		free(w);
	}
}

/* How a fetch ends */

static void
set_failure(struct origin *o, struct err e, unsigned status)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_put_text(&text, e.why);
	if (status != 0)
		buf_printf(&text, " (%u)", status);
	if (bytes_equal(buf_bytes(&text), buf_bytes(&o->failure)))
		return; /* said before */
	buf_clear(&o->failure);
	buf_put(&o->failure, buf_bytes(&text));
	LOG(LOG_WARN, "the keys of an issuer cannot be fetched", { "source", url_of(o) },
	    { "why", buf_bytes(&o->failure) },
	    { "keys", o->schedule.has_keys ? BYTES("the last ones are used") : BYTES("none") });
}

static void
end_badly(struct origin *o, struct err e, const struct http_response *r)
{
	unsigned status = r != NULL && r->status != 200 ? r->status : 0;
	unsigned wait_s = r != NULL ? retry_after_seconds(r->retry_after, now().wall_s) : 0;
	uint32_t random;

	random_fill(&random, sizeof random);
	schedule_fail(&o->schedule, wait_s, random, now());
	set_failure(o, e, status);
	tell_all(o, false);
	answer_all(o);
	plan(o->fetcher);
	fetcher_check_files(o->fetcher);
}

static void
end_well(struct origin *o, const struct http_response *r)
{
	if (!o->schedule.has_keys || o->failure.len > 0)
		LOG(LOG_INFO, "the keys of an issuer are here", { "source", url_of(o) });
	schedule_succeed(&o->schedule, freshness_seconds(&r->freshness, now().wall_s), now());
	buf_clear(&o->failure);
	tell_all(o, true);
	answer_all(o);
	plan(o->fetcher);
}

/* The two documents */

static struct err
check_response(struct err e, const struct http_response *r)
{
	if (failed(e))
		return e;
	if (r->status != 200)
		return fail(ERR_UPSTREAM, "the provider answers with an error");
	return r->is_json ? OK : fail(ERR_PEER, "the answer is not of a JSON type");
}

/* One line a key that was left out, when they are not the same as last time. */
static void
log_refused(struct origin *o, struct bytes lines)
{
	if (bytes_equal(lines, buf_bytes(&o->refused)))
		return;
	buf_clear(&o->refused);
	buf_put(&o->refused, lines);
	while (lines.len != 0) {
		size_t end = bytes_find(lines, '\n');

		LOG(LOG_WARN, "a key of an issuer was left out", { "source", url_of(o) },
		    { "why", bytes_slice(lines, 0, end) });
		lines = bytes_slice(lines, end + 1, lines.len);
	}
}

static struct err
take_keys(struct origin *o, struct bytes text)
{
	CLEANUP(buf_done) struct buf refused = { .limit = 1 << 16 };
	struct jwks *keys;

	TRY(jwks_parse(text, &keys, &refused));
	log_refused(o, buf_bytes(&refused));
	if (jwks_count(keys) == 0) {
		jwks_free(keys);
		return fail(ERR_PEER, "the key set holds no key that can be used");
	}
	CLEANUP(buf_done) struct buf anew = { .limit = JWKS_BYTES_MAX };
	jwks_put(keys, &anew);
	jwks_free(keys);
	TRY(buf_check(&anew));
	if (o->schedule.has_keys && !bytes_equal(buf_bytes(&anew), buf_bytes(&o->keys)))
		LOG(LOG_INFO, "the keys of an issuer have changed", { "source", url_of(o) });
	buf_clear(&o->keys);
	buf_put(&o->keys, buf_bytes(&anew));
	return buf_check(&o->keys);
}

static void
on_keys(void *of, struct err e, const struct http_response *r)
{
	struct origin *o = of;

	o->exchange = NULL;
	e = check_response(e, r);
	if (!failed(e))
		e = take_keys(o, r->body);
	if (failed(e))
		end_badly(o, e, r);
	else
		end_well(o, r);
}

static struct err
metadata_rules_of(struct origin *o, struct arena *arena, struct metadata_rules *ret)
{
	const struct settings *settings = o->fetcher->start->settings;
	const char **issuers = arena_array(arena, settings->issuer_count + 1, sizeof *issuers);
	struct guarded_url from;

	if (issuers == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	TRY(url_guard_parse(url_of(o), &settings->outbound, &from));
	*ret = (struct metadata_rules){ .issuers = issuers,
		                        .may_be_loopback = from.is_loopback,
		                        .outbound = &settings->outbound };
	for (size_t i = 0; i < settings->issuer_count; i++) {
		const struct issuer_settings *s = &settings->issuers[i];

		if (s->metadata_issuer != NULL && bytes_equal(issuer_source(s), url_of(o)))
			issuers[ret->issuer_count++] = s->metadata_issuer;
	}
	return OK;
}

static void
keep(struct buf *at, struct bytes text)
{
	buf_clear(at);
	buf_put(at, text); /* checked by who uses it: empty is none */
}

static struct err
take_metadata(struct origin *o, struct bytes text)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct metadata_rules rules;
	struct metadata m;

	TRY(metadata_rules_of(o, &arena, &rules));
	TRY(metadata_parse(text, &rules, &arena, &m));
	keep(&o->token_endpoint, m.token_endpoint);
	keep(&o->authorization_endpoint, m.authorization_endpoint);
	keep(&o->end_session_endpoint, m.end_session_endpoint);
	const struct http_request request = { .url = m.jwks_uri };
	return http_start(o->fetcher->http, &request, on_keys, o, &o->exchange);
}

static void
on_metadata(void *of, struct err e, const struct http_response *r)
{
	struct origin *o = of;

	o->exchange = NULL;
	e = check_response(e, r);
	if (!failed(e))
		e = take_metadata(o, r->body);
	if (failed(e))
		end_badly(o, e, r);
}

/* When */

static void
begin_fetch(struct origin *o)
{
	const struct http_request request = { .url = url_of(o) };
	struct err e = http_start(o->fetcher->http, &request,
	                          o->is_metadata ? on_metadata : on_keys, o, &o->exchange);

	if (failed(e))
		end_badly(o, e, NULL);
}

static void
pass(struct origin *o)
{
	bool has_jumped;

	switch (schedule_pass(&o->schedule, now(), &has_jumped)) {
	case SCHEDULE_REST:
		break;
	case SCHEDULE_FETCH:
		begin_fetch(o);
		break;
	case SCHEDULE_DROP:
		LOG(LOG_ERROR, "the keys of an issuer are too old and not used any more",
		    { "source", url_of(o) });
		buf_clear(&o->keys);
		tell_all(o, true);
		return;
	}
	if (has_jumped && o->schedule.has_keys)
		tell_all(o, true);
}

static void
on_time(uv_timer_t *timer)
{
	struct fetcher *f = container_of(timer, struct fetcher, timer);

	for (struct list *node = f->origins.next; node != &f->origins; node = node->next)
		pass(container_of(node, struct origin, node));
	plan(f);
}

static void
plan(struct fetcher *f)
{
	uint64_t now_us = clock_monotonic_us(), wait_ms = LOOK_MS;

	for (struct list *node = f->origins.next; node != &f->origins; node = node->next) {
		const struct origin *o = container_of(node, struct origin, node);
		uint64_t next_us = schedule_next_us(&o->schedule);
		uint64_t ms = next_us <= now_us ? 0 : (next_us - now_us) / 1000 + 1;

		wait_ms = ms < wait_ms ? ms : wait_ms;
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&f->timer, on_time, wait_ms, 0);
}

void
origins_refresh(struct fetcher *f, struct follower *w, uint64_t id, struct bytes url)
{
	struct origin *o = origin_find(f, url);
	enum schedule_asked asked =
		o == NULL ? SCHEDULE_NOTHING_NEWER : schedule_ask(&o->schedule, now());
	struct waiting *waiting = NULL;

	if (asked != SCHEDULE_NOTHING_NEWER)
		waiting = calloc(1, sizeof *waiting);
	if (waiting != NULL) {
		waiting->from = w;
		waiting->id = id;
		list_append(&o->waiters, &waiting->node);
	} else if (o != NULL) {
		answer(o, w, id);
	} else {
		fetcher_answer(w, id,
		               &(struct fetch_answer){ .result = FETCH_FAILED,
		                                       .retry_s = 1,
		                                       .why = BYTES("no such source") });
	}
	if (asked == SCHEDULE_BEGIN)
		begin_fetch(o);
}

void
origins_forget(struct fetcher *f, const struct follower *w)
{
	for (struct list *at = f->origins.next; at != &f->origins; at = at->next) {
		struct origin *o = container_of(at, struct origin, node);
		struct list *next;

		for (struct list *node = o->waiters.next; node != &o->waiters; node = next) {
			struct waiting *waiting = container_of(node, struct waiting, node);

			next = node->next;
			if (waiting->from != w)
				continue;
			list_remove(node);
			free(waiting);
		}
	}
}

/* Which there are */

static void
origin_free(struct origin *o)
{
	struct buf *const bufs[] = { &o->url,
		                     &o->keys,
		                     &o->token_endpoint,
		                     &o->authorization_endpoint,
		                     &o->end_session_endpoint,
		                     &o->refused,
		                     &o->failure };

	list_remove(&o->node);
	http_cancel(o->exchange);
	answer_all(o);
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_done(bufs[i]);
	free(o);
}

static struct err
origin_new(struct fetcher *f, struct bytes url, struct origin **ret)
{
	struct origin *o = calloc(1, sizeof *o);

	if (o == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	o->fetcher = f;
	list_init(&o->waiters);
	buf_put(&o->url, url);
	buf_put_u8(&o->url, '\0');
	if (failed(buf_check(&o->url))) {
		free(o);
		return fail(ERR_SYSTEM, "out of memory");
	}
	list_append(&f->origins, &o->node);
	*ret = o;
	return OK;
}

/* Of several issuers with one source the strictest says how long keys serve. */
static struct schedule_limits
stricter(struct schedule_limits a, const struct issuer_settings *s)
{
	return (struct schedule_limits){
		.cooldown_s = s->keys_cooldown_s < a.cooldown_s ? s->keys_cooldown_s : a.cooldown_s,
		.stale_s = s->keys_stale_s < a.stale_s ? s->keys_stale_s : a.stale_s,
	};
}

static struct err
use_origin(struct fetcher *f, const struct issuer_settings *s)
{
	struct bytes url = issuer_source(s);
	struct schedule_limits limits = { s->keys_cooldown_s, s->keys_stale_s };

	if (url.len == 0)
		return OK;
	struct origin *o = origin_find(f, url);
	bool is_new = o == NULL;
	if (is_new)
		TRY(origin_new(f, url, &o));
	o->is_metadata = s->jwks_url == NULL;
	if (is_new)
		schedule_init(&o->schedule, limits, now());
	else
		schedule_limit(&o->schedule, o->is_used ? stricter(o->schedule.limits, s) : limits);
	o->is_used = true;
	return OK;
}

struct err
origins_set(struct fetcher *f)
{
	const struct settings *settings = f->start->settings;
	struct list *next;

	for (struct list *node = f->origins.next; node != &f->origins; node = node->next)
		container_of(node, struct origin, node)->is_used = false;
	for (size_t i = 0; i < settings->issuer_count; i++)
		TRY(use_origin(f, &settings->issuers[i]));
	for (struct list *node = f->origins.next; node != &f->origins; node = next) {
		struct origin *o = container_of(node, struct origin, node);

		next = node->next;
		if (!o->is_used)
			origin_free(o);
	}
	plan(f);
	return OK;
}

struct err
origins_init(struct fetcher *f)
{
	int status = uv_timer_init(&f->start->loop->uv, &f->timer);

	return status == 0 ? origins_set(f) : loop_err(status, "no timer");
}

void
origins_done(struct fetcher *f)
{
	while (!list_is_empty(&f->origins))
		origin_free(container_of(f->origins.next, struct origin, node));
}
