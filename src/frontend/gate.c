/* gate.c - see gate.h: channels to keeper, ledger and fetcher, and who waits for what. */
#include "frontend/gate.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include "audit/message.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/random.h"
#include "frontend/assertion.h"
#include "frontend/session_cache.h"
#include "frontend/source.h"
#include "http/http_reply.h"

enum { WAITERS_MAX = 16384 };

static void on_keeper_message(void *of, struct channel *c, const struct message *m);
static void on_ledger_message(void *of, struct channel *c, const struct message *m);
static void on_fetcher_message(void *of, struct channel *c, const struct message *m);

struct err
gate_init(struct gate *g)
{
	list_init(&g->keeper_waiters);
	list_init(&g->ledger_waiters);
	list_init(&g->fetcher_waiters);
	g->keeper_next = g->ledger_next = g->fetcher_next = 1;
	if (g->settings->sessions.issuer >= 0)
		TRY(session_cache_new(&g->sessions));
	TRY(assertions_new(&g->assertions));
	return sources_init(g);
}

void
gate_done(struct gate *g)
{
	channel_close(g->keeper);
	channel_close(g->ledger);
	channel_close(g->fetcher);
	session_cache_free(g->sessions);
	assertions_free(g->assertions);
	sources_done(g);
	buf_done(&g->date);
	buf_done(&g->record);
	buf_done(&g->jwks);
	buf_done(&g->assertion_jwks);
	for (size_t i = 0; i < FINGERPRINTS; i++)
		buf_done(&g->seen[i].sql);
	gate_free_spares(g);
	OPENSSL_cleanse(g->cursor_key, sizeof g->cursor_key);
	OPENSSL_cleanse(g->fingerprint_key, sizeof g->fingerprint_key);
	OPENSSL_cleanse(g->ticket_key, sizeof g->ticket_key);
}

/* Waiting */

static void
wake_all(struct list *waiters, struct err e)
{
	/* A woken request may wait again, on a new channel: only those that wait now are woken. */
	struct list lost;

	list_init(&lost);
	while (!list_is_empty(waiters)) {
		struct list *node = waiters->next;
		list_remove(node);
		list_append(&lost, node);
	}
	while (!list_is_empty(&lost)) {
		struct waiter *w = container_of(lost.next, struct waiter, node);
		list_remove(&w->node);
		w->wake(w, NULL, e);
	}
}

static void
lose_keeper(struct gate *g)
{
	g->keeper = NULL;
	g->keeper_count = 0;
	wake_all(&g->keeper_waiters, fail(ERR_UPSTREAM, "the keeper process is being restarted"));
}

static void
lose_ledger(struct gate *g)
{
	g->ledger = NULL;
	g->ledger_count = 0;
	wake_all(&g->ledger_waiters, fail(ERR_UPSTREAM, "the audit ledger is being restarted"));
}

static void
lose_fetcher(struct gate *g)
{
	g->fetcher = NULL;
	g->fetcher_count = 0;
	sources_forget_parts(g);
	wake_all(&g->fetcher_waiters, fail(ERR_UPSTREAM, "the fetcher process is being restarted"));
}

static void
on_keeper_closed(void *of, struct channel *c)
{
	(void)c;
	lose_keeper(of);
}

static void
on_ledger_closed(void *of, struct channel *c)
{
	(void)c;
	lose_ledger(of);
}

static void
on_fetcher_closed(void *of, struct channel *c)
{
	(void)c;
	lose_fetcher(of);
}

static struct err
open_channel(struct gate *g, int fd, channel_message_fn *message, channel_closed_fn *closed,
             struct channel **ret)
{
	struct err e = channel_open(g->loop, fd, message, closed, g, ret);

	if (failed(e))
		close(fd);
	return e;
}

struct err
gate_set_keeper(struct gate *g, int fd)
{
	channel_close(g->keeper);
	lose_keeper(g);
	TRY(open_channel(g, fd, on_keeper_message, on_keeper_closed, &g->keeper));
	channel_wipe_sent(g->keeper);
	return OK;
}

struct err
gate_set_ledger(struct gate *g, int fd)
{
	channel_close(g->ledger);
	lose_ledger(g);
	g->ledger_next = 1;
	return open_channel(g, fd, on_ledger_message, on_ledger_closed, &g->ledger);
}

struct err
gate_set_fetcher(struct gate *g, int fd)
{
	channel_close(g->fetcher);
	lose_fetcher(g);
	TRY(open_channel(g, fd, on_fetcher_message, on_fetcher_closed, &g->fetcher));
	channel_wipe_sent(g->fetcher);
	return OK;
}

/* Whom keeper has keys for: services, and those that ask /auth. */
static bool
has_assertion_keys(const struct gate *g)
{
	return g->settings->route_count == 0 || g->assertion_jwks.len != 0;
}

static bool
has_own_keys(const struct gate *g)
{
	for (size_t i = 0; i < g->settings->issuer_count; i++)
		if (g->settings->issuers[i].type == ISSUER_LOCAL && g->jwks.len == 0)
			return false;
	return true;
}

bool
gate_is_ready(struct gate *g, const char **why)
{
	if (g->ledger == NULL)
		*why = "the audit ledger is not there";
	else if (g->keeper == NULL || !g->has_shared_keys)
		*why = "the keeper process is not there";
	else if (!has_own_keys(g))
		*why = "the keys of our own issuer are not there";
	else if (!has_assertion_keys(g))
		*why = "the keys of our assertions are not there";
	else {
		for (size_t i = 0; i < g->settings->backend_count; i++) {
			struct err e = g->backends[i] != NULL ? backend_probe(g->backends[i]) : OK;
			if (failed(e)) {
				*why = e.why;
				return false;
			}
		}
		return true;
	}
	return false;
}

bool
gate_issuer_missing(struct gate *g, size_t *i, struct bytes *ret_why)
{
	int64_t now_s = clock_wall_us() / 1000000;

	for (; *i < g->settings->issuer_count; ++*i) {
		const struct source *s = source_of(g, (unsigned)*i);

		if (s == NULL || source_has_keys(s, now_s))
			continue;
		*ret_why = source_why(s);
		return true;
	}
	return false;
}

void
gate_forget(struct waiter *w)
{
	list_remove(&w->node);
}

/* Keeper */

static struct err
take_shared_keys(struct gate *g, struct bytes body)
{
	struct shared_keys keys;

	TRY(shared_keys_read(body, &keys));
	memcpy(g->cursor_key, keys.cursor.at, SHARED_KEY_LEN);
	memcpy(g->fingerprint_key, keys.fingerprint.at, SHARED_KEY_LEN);
	memcpy(g->ticket_key, keys.ticket.at, SHARED_KEY_LEN);
	g->has_shared_keys = true;
	return OK;
}

static struct err
take_jwks(struct gate *g, const struct message *m)
{
	struct jwks *keys;

	if (m->id >= g->settings->issuer_count || g->settings->issuers[m->id].type != ISSUER_LOCAL)
		return OK; /* of an issuer that this generation does not have */
	TRY(jwks_parse(m->body, &keys, NULL));
	issuers_set_keys(g->issuers, (unsigned)m->id, keys);
	buf_clear(&g->jwks);
	buf_put(&g->jwks, m->body);
	return buf_check(&g->jwks);
}

static struct err
take_revocation(struct gate *g, struct bytes body)
{
	struct revocation revocation;

	TRY(revocation_read(body, &revocation));
	issuers_revoke(g->issuers, &revocation, clock_wall_us() / 1000000);
	session_cache_revoke(g->sessions, &revocation);
	counter_add(&g->counters->revocations, 1);
	return OK;
}

static void
wake_by_id(struct list *waiters, const struct message *m)
{
	for (struct list *node = waiters->next; node != waiters; node = node->next) {
		struct waiter *w = container_of(node, struct waiter, node);

		if (w->id != m->id)
			continue;
		list_remove(node);
		w->wake(w, m, OK);
		return;
	}
}

static void
on_keeper_message(void *of, struct channel *c, const struct message *m)
{
	struct gate *g = of;
	struct err e = OK;

	(void)c;
	if (m->fd >= 0)
		close(m->fd); /* none is expected */
	switch ((enum keeper_message)m->type) {
	case KEEPER_SHARED_KEYS:
		e = take_shared_keys(g, m->body);
		break;
	case KEEPER_JWKS:
		e = take_jwks(g, m);
		break;
	case KEEPER_ASSERTION_JWKS:
		buf_clear(&g->assertion_jwks);
		buf_put(&g->assertion_jwks, m->body);
		break;
	case KEEPER_ANSWER:
		/* Counted until it is answered, also when nobody waits any more: it is work for
		 * keeper all the same. */
		if (g->keeper_count > 0)
			g->keeper_count--;
		wake_by_id(&g->keeper_waiters, m);
		break;
	case KEEPER_REVOKED:
		e = take_revocation(g, m->body);
		break;
	case KEEPER_ASK:
		break;
	}
	if (failed(e))
		log_err(LOG_ERROR, "keeper sent what cannot be used", e);
}

/* Keeper cuts off who sends it what it must not, and whoever calls us must not get us there. */
static bool
is_too_long(const struct ask *ask)
{
	for (size_t i = 0; i < ASK_FIELD_COUNT; i++)
		if (ask->fields[i].len > ASK_TEXT_MAX)
			return true;
	return false;
}

struct err
gate_ask_keeper(struct gate *g, const struct ask *ask, struct waiter *w)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	if (is_too_long(ask))
		return fail(ERR_PEER, "a parameter is too long");
	if (g->keeper == NULL)
		return fail(ERR_UPSTREAM, "the keeper process is being restarted");
	if (g->keeper_count >= WAITERS_MAX)
		return fail(ERR_LIMIT, "too many logins are waiting");
	ask_put(&body, ask);
	TRY(buf_check(&body));
	w->id = g->keeper_next++;
	TRY(channel_send(g->keeper, KEEPER_ASK, w->id, buf_bytes(&body)));
	list_append(&g->keeper_waiters, &w->node);
	g->keeper_count++;
	return OK;
}

/* Fetcher */

static void
on_fetcher_message(void *of, struct channel *c, const struct message *m)
{
	struct gate *g = of;
	struct err e = OK;

	(void)c;
	if (m->fd >= 0)
		close(m->fd); /* none is expected */
	switch ((enum fetch_message)m->type) {
	case FETCH_KEYS:
		e = source_take_keys(g, m->body);
		break;
	case FETCH_STATE:
		e = source_take_state(g, m->body);
		break;
	case FETCH_ANSWER:
		if (g->fetcher_count > 0)
			g->fetcher_count--;
		wake_by_id(&g->fetcher_waiters, m);
		break;
	case FETCH_REFRESH:
	case FETCH_INTROSPECT:
	case FETCH_GROUPS:
	case FETCH_CODE:
	case FETCH_SPANS:
		break;
	}
	if (failed(e))
		log_err(LOG_ERROR, "fetcher sent what cannot be used", e);
}

struct err
gate_ask_fetcher(struct gate *g, enum fetch_message type, struct bytes body, struct waiter *w)
{
	if (g->fetcher == NULL)
		return fail(ERR_UPSTREAM, "the fetcher process is being restarted");
	if (g->fetcher_count >= WAITERS_MAX)
		return fail(ERR_UPSTREAM, "too many questions to identity providers are waiting");
	w->id = g->fetcher_next++;
	TRY(channel_send(g->fetcher, (uint16_t)type, w->id, body));
	list_append(&g->fetcher_waiters, &w->node);
	g->fetcher_count++;
	return OK;
}

/* Ledger */

/* Records are answered in the order they were sent. */
static void
wake_through(struct gate *g, uint64_t id, struct err e)
{
	while (!list_is_empty(&g->ledger_waiters)) {
		struct waiter *w = container_of(g->ledger_waiters.next, struct waiter, node);

		if (w->id > id)
			return;
		list_remove(&w->node);
		g->ledger_count--;
		w->wake(w, NULL, e);
	}
}

static void
on_ledger_message(void *of, struct channel *c, const struct message *m)
{
	struct gate *g = of;

	(void)c;
	if (m->fd >= 0)
		close(m->fd); /* none is expected */
	if (m->type == LEDGER_KEPT)
		wake_through(g, m->id, OK);
	else if (m->type == LEDGER_REFUSED)
		wake_through(g, m->id, fail(ERR_UPSTREAM, "the audit record could not be kept"));
}

struct err
gate_record(struct gate *g, const struct audit_record *record, struct waiter *w)
{
	struct buf *body = &g->record;

	if (g->ledger == NULL)
		return fail(ERR_UPSTREAM, "the audit ledger is being restarted");
	if (g->ledger_count >= WAITERS_MAX)
		return fail(ERR_UPSTREAM, "the audit ledger does not keep up");
	buf_clear(body);
	body->limit = AUDIT_MESSAGE_MAX;
	audit_record_put(body, record);
	TRY(buf_check(body));
	w->id = g->ledger_next++;
	if (failed(channel_send(g->ledger, LEDGER_RECORD, w->id, buf_bytes(body))))
		return fail(ERR_UPSTREAM, "the audit ledger does not keep up");
	list_append(&g->ledger_waiters, &w->node);
	g->ledger_count++;
	return OK;
}

/* Small things every answer needs */

static void
count_services(struct gate *g)
{
	for (size_t i = 0; i < g->settings->backend_count && i < METRICS_SERVICES_MAX; i++) {
		struct metrics_service *c = &g->counters->services[i];

		if (g->services == NULL || g->services[i] == NULL)
			continue;
		struct service_stats stats = service_stats(g->services[i]);
		const struct {
			counter *to;
			uint64_t value;
		} all[] = {
			{ &c->origins, stats.origins },
			{ &c->origins_up, stats.origins_up },
			{ &c->connections, stats.connections },
			{ &c->idle, stats.idle },
			{ &c->exchanges, stats.exchanges },
			{ &c->waiting, stats.waiting },
			{ &c->opened, stats.opened },
			{ &c->reused, stats.reused },
			{ &c->failed, stats.failed },
			{ &c->retried, stats.retried },
			{ &c->refused, stats.refused },
		};
		for (size_t n = 0; n < ARRAY_LEN(all); n++)
			counter_set(all[n].to, all[n].value);
	}
}

void
gate_count(struct gate *g)
{
	struct issuers_stats stats = issuers_stats(g->issuers);

	counter_set(&g->counters->token_hits, stats.hits);
	counter_set(&g->counters->token_misses, stats.misses);
	counter_set(&g->counters->token_entries, stats.entries);
	counter_set(&g->counters->audit_waiting, g->ledger_count);
	counter_set(&g->counters->keeper_waiting, g->keeper_count);
	counter_set(&g->counters->fetcher_waiting, g->fetcher_count);
	count_services(g);
}

struct bytes
gate_date(struct gate *g)
{
	int64_t now = clock_wall_us() / 1000000;

	if (now != g->date_s || g->date.len == 0) {
		buf_clear(&g->date);
		http_date_put(&g->date, now);
		g->date_s = now;
	}
	return buf_bytes(&g->date);
}

void
gate_fingerprint(struct gate *g, struct bytes sql, uint8_t ret[FINGERPRINT_LEN])
{
	size_t at = bytes_hash(sql, g->fingerprint_key) % FINGERPRINTS;

	if (!bytes_equal(buf_bytes(&g->seen[at].sql), sql)) {
		buf_clear(&g->seen[at].sql);
		buf_put(&g->seen[at].sql, sql);
		sql_fingerprint(sql, DIALECT_SQLITE,
		                (struct bytes){ g->fingerprint_key, SHARED_KEY_LEN },
		                g->seen[at].fingerprint);
	}
	memcpy(ret, g->seen[at].fingerprint, FINGERPRINT_LEN);
}

void
gate_random(struct gate *g, uint8_t *ret, size_t len)
{
	if (g->random_left < len) {
		random_fill(g->random, sizeof g->random);
		g->random_left = sizeof g->random;
	}
	memcpy(ret, g->random + sizeof g->random - g->random_left, len);
	g->random_left -= len;
}
