/* keeper.c - the process that holds every secret: users, passwords, signing keys, refresh tokens.
 * It talks to workers only, in the messages of identity/ask.h. */
#include "process/keeper.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "process/sandbox.h"

enum {
	ROTATE_MS = 30000,
	POLL_MS = 200,        /* how soon a change by the command line is seen */
	UNREAD_MAX = 1 << 20, /* bytes of answers; a worker that goes on asking waits then */
};

int64_t
keeper_now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* What every worker is told */

static struct err
tell_shared_keys(struct keeper *k, struct asker *a)
{
	CLEANUP(buf_wipe) struct buf body = { 0 };
	const struct shared_keys keys = { secret_bytes(&k->cursor_key),
		                          secret_bytes(&k->fingerprint_key),
		                          secret_bytes(&k->ticket_key) };

	shared_keys_put(&body, &keys);
	TRY(buf_check(&body));
	return channel_send(a->channel, KEEPER_SHARED_KEYS, 0, buf_bytes(&body));
}

static struct err
tell_issuer_jwks(struct keeper *k, struct asker *a)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	if (k->issuer == NULL || a->issuer == ISSUER_NONE)
		return OK;
	issuer_put_jwks(k->issuer, &body);
	TRY(buf_check(&body));
	return channel_send(a->channel, KEEPER_JWKS, a->issuer, buf_bytes(&body));
}

static struct err
tell_assertion_jwks(struct keeper *k, struct asker *a)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	if (k->assertions == NULL)
		return OK;
	assertion_signer_put_jwks(k->assertions, &body);
	TRY(buf_check(&body));
	return channel_send(a->channel, KEEPER_ASSERTION_JWKS, 0, buf_bytes(&body));
}

static struct err
tell_jwks(struct keeper *k, struct asker *a)
{
	TRY(tell_issuer_jwks(k, a));
	return tell_assertion_jwks(k, a);
}

static void
tell_all_jwks(struct keeper *k)
{
	for (struct list *node = k->askers.next; node != &k->askers; node = node->next) {
		struct asker *a = container_of(node, struct asker, node);
		struct err e = a->is_new ? OK : tell_jwks(k, a);
		if (failed(e))
			log_err(LOG_ERROR, "a worker did not get the new keys", e);
	}
}

/* Workers */

static void
free_asker(struct asker *a)
{
	list_remove(&a->node);
	login_forget(a->keeper, a);
	free(a);
}

static void
drop_asker(struct asker *a)
{
	channel_close(a->channel);
	free_asker(a);
}

void
keeper_welcome(struct asker *a)
{
	struct err e = tell_shared_keys(a->keeper, a);

	a->is_new = false;
	if (!failed(e))
		e = tell_jwks(a->keeper, a);
	if (!failed(e))
		return;
	log_err(LOG_ERROR, "a worker did not get the keys: it is cut off", e);
	drop_asker(a);
}

static void
on_asker_closed(void *of, struct channel *c)
{
	(void)c;
	free_asker(of);
}

static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct asker *a = of;
	struct ask ask;
	const char *why = NULL;

	(void)c;
	if (m->fd >= 0) {
		close(m->fd); /* it has nothing to hand over, and could use up our descriptors */
		why = "a descriptor";
	} else if (m->type != KEEPER_ASK || failed(ask_read(m->body, &ask))) {
		why = "malformed";
	}
	if (why != NULL) {
		LOG(LOG_ERROR, "a worker asks what it must not: its channel is closed",
		    { "why", bytes_text(why) });
		drop_asker(a);
		return;
	}
	keeper_ask(a->keeper, a, m->id, &ask);
	/* The read buffer keeps it until the next packet, which may be hours away. It is ours to
	 * write. */
	OPENSSL_cleanse((uint8_t *)(uintptr_t)m->body.at, m->body.len);
}

/* Settings */

static struct err
open_issuer(struct keeper *k, const struct settings *settings, struct issuer **ret)
{
	unsigned index = role_local_issuer(settings);

	*ret = NULL;
	return index == ISSUER_NONE ? OK
	                            : issuer_open(settings, index, k->store, keeper_now_s(), ret);
}

/* Also for workers that begin with the next configuration, or end with the one before. */
static struct err
open_assertions(struct keeper *k, const struct settings *settings, struct assertion_signer **ret)
{
	bool is_needed = assertion_signer_is_needed(settings);

	for (struct list *node = k->askers.next; node != &k->askers; node = node->next)
		is_needed |= container_of(node, struct asker, node)->has_services;
	*ret = NULL;
	return is_needed ? assertion_signer_open(settings, k->store, keeper_now_s(), ret) : OK;
}

/* What the supervisor says */

static struct err
add_asker(struct keeper *k, const struct message *m)
{
	struct reader r = reader_of(m->body);
	uint32_t issuer;
	uint8_t has_services;

	TRY(read_u32le(&r, &issuer));
	TRY(read_u8(&r, &has_services));
	struct asker *a = calloc(1, sizeof *a);
	if (a == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	a->keeper = k;
	a->issuer = issuer;
	a->has_services = has_services != 0;
	struct err e =
		channel_open(k->start->loop, m->fd, on_question, on_asker_closed, a, &a->channel);
	if (failed(e)) {
		close(m->fd);
		free(a);
		return e;
	}
	channel_wipe_sent(a->channel);
	channel_read_behind(a->channel, UNREAD_MAX);
	list_append(&k->askers, &a->node);
	a->is_new = true;
	if (k->assertions == NULL)
		TRY(open_assertions(k, k->start->settings, &k->assertions));
	return tell_revoked(k, a);
}

/* A reload: the new settings are in use from here on, for logins under way too. */
static struct err
take_config(struct keeper *k, const struct message *m)
{
	const struct settings *settings;
	struct arena arena = { 0 };
	struct issuer *issuer = NULL;
	struct assertion_signer *assertions = NULL;
	struct err e = role_read_config(m->fd, k->start->config_file, &arena, &settings);

	close(m->fd);
	if (!failed(e))
		e = open_issuer(k, settings, &issuer);
	if (!failed(e))
		e = open_assertions(k, settings, &assertions);
	if (failed(e)) {
		issuer_close(issuer);
		arena_done(&arena);
		loop_stop(k->start->loop); /* the supervisor starts it again, with the configuration
		                              in use */
		return e;
	}
	issuer_close(k->issuer);
	assertion_signer_close(k->assertions);
	arena_done(&k->start->arena);
	k->start->arena = arena;
	k->start->settings = settings;
	k->issuer = issuer;
	k->assertions = assertions;
	tell_all_jwks(k);
	return OK;
}

static void
on_control(void *of, struct channel *c, const struct message *m)
{
	struct keeper *k = of;
	struct err e = OK;

	if (m->type == CONTROL_WORKER)
		e = add_asker(k, m);
	else if (m->type == CONTROL_LEDGER)
		ledger_attach(k, m->fd);
	else if (m->type == CONTROL_CONFIG)
		e = take_config(k, m);
	else if (m->type == CONTROL_PING)
		e = channel_send(c, CONTROL_PONG, 0, (struct bytes){ 0 });
	else if (m->type == CONTROL_STOP)
		loop_stop(k->start->loop);
	if (failed(e))
		log_err(LOG_ERROR, "a message of the supervisor failed", e);
}

static void
on_control_closed(void *of, struct channel *c)
{
	struct keeper *k = of;

	(void)c;
	loop_stop(k->start->loop);
}

static void
rotate(struct keeper *k)
{
	bool is_new_issuer = false, is_new_assertion = false;
	struct err e = OK;

	if (k->issuer != NULL)
		e = issuer_rotate(k->issuer, keeper_now_s(), &is_new_issuer);
	if (!failed(e) && k->assertions != NULL)
		e = assertion_signer_rotate(k->assertions, keeper_now_s(), &is_new_assertion);
	if (failed(e))
		log_err(LOG_ERROR, "signing keys cannot be rotated", e);
	if (!is_new_issuer && !is_new_assertion)
		return;
	LOG(LOG_INFO, "the signing keys have changed by their schedule");
	tell_all_jwks(k);
}

static void
on_rotate(uv_timer_t *timer)
{
	struct keeper *k = container_of(timer, struct keeper, timer);
	struct err e = issuer_store_purge(k->store, keeper_now_s());

	if (failed(e))
		log_err(LOG_ERROR, "what has ended cannot be dropped from the state store", e);
	rotate(k);
}

static void
on_poll(uv_timer_t *timer)
{
	tell_news(container_of(timer, struct keeper, poll));
}

static void
on_news(struct deferred *d)
{
	tell_news(container_of(d, struct keeper, news));
}

static struct err
start_timer(struct keeper *k, uv_timer_t *timer, uv_timer_cb run, unsigned every_ms)
{
	int status = uv_timer_init(&k->start->loop->uv, timer);

	if (status == 0)
		status = uv_timer_start(timer, run, every_ms, every_ms);
	return status == 0 ? OK : loop_err(status, "no timer");
}

static struct err
open_secrets(struct keeper *k)
{
	secret_heap_init();
	TRY(issuer_store_open(k->start->settings->state_path, &k->store));
	TRY(issuer_store_shared_key(k->store, "cursor", &k->cursor_key));
	TRY(issuer_store_shared_key(k->store, "fingerprint", &k->fingerprint_key));
	TRY(issuer_store_shared_key(k->store, "ticket", &k->ticket_key));
	TRY(throttle_new(&k->throttle));
	TRY(proofs_new(&k->proofs));
	TRY(open_issuer(k, k->start->settings, &k->issuer));
	return open_assertions(k, k->start->settings, &k->assertions);
}

static struct err
start(struct keeper *k)
{
	struct start *s = k->start;
	struct sandbox sandbox = { .role = ROLE_KEEPER,
		                   .paths = { s->settings->state_path },
		                   .path_count = 1,
		                   .is_required = s->settings->sandbox_required };
	const char *missing;

	TRY(open_secrets(k));
	TRY(sandbox_enter_files(&sandbox, &missing));
	TRY(loop_start_threads(s->loop, s->settings->login.hash_workers));
	TRY(sandbox_enter_calls(&sandbox, &missing));
	TRY(channel_open(s->loop, FD_CONTROL, on_control, on_control_closed, k, &s->control));
	TRY(start_timer(k, &k->timer, on_rotate, ROTATE_MS));
	TRY(start_timer(k, &k->poll, on_poll, POLL_MS));
	return channel_send(s->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

int
keeper_main(struct start *s)
{
	struct keeper k = { .start = s, .news.run = on_news };

	list_init(&k.askers);
	list_init(&k.waiting);
	list_init(&k.running);
	struct err e = start(&k);
	if (failed(e)) {
		LOG(LOG_ERROR, "the keeper cannot start",
		    { "state", bytes_text(s->settings->state_path) }, { "why", bytes_text(e.why) },
		    { "errno", bytes_text(e.sys != 0 ? strerrordesc_np(e.sys) : "") });
		return 2;
	}
	loop_run(s->loop);
	issuer_close(k.issuer);
	assertion_signer_close(k.assertions);
	issuer_store_close(k.store);
	throttle_free(k.throttle);
	proofs_free(k.proofs);
	secret_done(&k.cursor_key);
	secret_done(&k.fingerprint_key);
	secret_done(&k.ticket_key);
	return 0;
}
