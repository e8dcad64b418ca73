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
	UNREAD_MAX = 1 << 20, /* bytes of answers that wait for a worker that goes on asking */
};

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* What every worker is told */

static struct err
tell_shared_keys(struct keeper *k, struct asker *a)
{
	CLEANUP(buf_wipe) struct buf body = { 0 };
	const struct shared_keys keys = { secret_bytes(&k->cursor_key),
		                          secret_bytes(&k->fingerprint_key) };

	shared_keys_put(&body, &keys);
	TRY(buf_check(&body));
	return channel_send(a->channel, KEEPER_SHARED_KEYS, 0, buf_bytes(&body));
}

static struct err
tell_jwks(struct keeper *k, struct asker *a)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	if (k->issuer == NULL || a->issuer == ISSUER_NONE)
		return OK;
	issuer_put_jwks(k->issuer, &body);
	TRY(buf_check(&body));
	return channel_send(a->channel, KEEPER_JWKS, a->issuer, buf_bytes(&body));
}

static void
tell_all_jwks(struct keeper *k)
{
	for (struct list *node = k->askers.next; node != &k->askers; node = node->next) {
		struct err e = tell_jwks(k, container_of(node, struct asker, node));
		if (failed(e))
			log_err(LOG_ERROR, "a worker did not get the new keys", e);
	}
}

/* Workers */

static void
drop_asker(struct asker *a)
{
	list_remove(&a->node);
	login_forget(a->keeper, a);
	free(a);
}

static void
on_asker_closed(void *of, struct channel *c)
{
	(void)c;
	drop_asker(of);
}

static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct asker *a = of;
	struct ask ask;
	const char *why = NULL;

	if (m->fd >= 0) {
		close(m->fd); /* it has nothing to hand over, and could use up our descriptors */
		why = "a descriptor";
	} else if (m->type != KEEPER_ASK || failed(ask_read(m->body, &ask)) ||
	           (ask.kind != ASK_PASSWORD && ask.kind != ASK_REFRESH)) {
		why = "malformed";
	} else if (channel_queued(c) > UNREAD_MAX) {
		why = "answers are not read";
	}
	if (why != NULL) {
		LOG(LOG_ERROR, "a worker asks what it must not: its channel is closed",
		    { "why", bytes_text(why) });
		channel_close(c);
		drop_asker(a);
		return;
	}
	if (ask.kind == ASK_PASSWORD)
		login_ask(a->keeper, a, m->id, &ask);
	else
		login_refresh(a->keeper, a, m->id, &ask);
	/* The read buffer keeps it until the next packet, which may be hours away. It is ours to
	 * write. */
	OPENSSL_cleanse((uint8_t *)(uintptr_t)m->body.at, m->body.len);
}

static struct err
add_asker(struct keeper *k, const struct message *m)
{
	struct reader r = reader_of(m->body);
	uint32_t issuer;

	TRY(read_u32le(&r, &issuer));
	struct asker *a = calloc(1, sizeof *a);
	if (a == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	a->keeper = k;
	a->issuer = issuer;
	struct err e =
		channel_open(k->start->loop, m->fd, on_question, on_asker_closed, a, &a->channel);
	if (failed(e)) {
		close(m->fd);
		free(a);
		return e;
	}
	channel_wipe_sent(a->channel);
	list_append(&k->askers, &a->node);
	TRY(tell_shared_keys(k, a));
	return tell_jwks(k, a);
}

/* Settings */

static struct err
open_issuer(struct keeper *k, const struct settings *settings, struct issuer **ret)
{
	unsigned index = role_local_issuer(settings);

	*ret = NULL;
	return index == ISSUER_NONE ? OK : issuer_open(settings, index, k->store, now_s(), ret);
}

/* A reload: the new settings are in use from here on, for logins under way too. */
static struct err
take_config(struct keeper *k, const struct message *m)
{
	const struct settings *settings;
	struct arena arena = { 0 };
	struct issuer *issuer;
	struct err e = role_read_config(m->fd, k->start->config_file, &arena, &settings);

	close(m->fd);
	if (!failed(e))
		e = open_issuer(k, settings, &issuer);
	if (failed(e)) {
		arena_done(&arena);
		loop_stop(k->start->loop); /* the supervisor starts it again, with the configuration
		                              in use */
		return e;
	}
	issuer_close(k->issuer);
	arena_done(&k->start->arena);
	k->start->arena = arena;
	k->start->settings = settings;
	k->issuer = issuer;
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
on_rotate(uv_timer_t *timer)
{
	struct keeper *k = container_of(timer, struct keeper, timer);
	bool changed = false;

	if (k->issuer == NULL)
		return;
	struct err e = issuer_rotate(k->issuer, now_s(), &changed);
	if (failed(e))
		log_err(LOG_ERROR, "signing keys cannot be rotated", e);
	if (!changed)
		return;
	LOG(LOG_INFO, "the signing keys have changed by their schedule");
	tell_all_jwks(k);
}

static struct err
open_secrets(struct keeper *k)
{
	secret_heap_init();
	TRY(issuer_store_open(k->start->settings->state_path, &k->store));
	TRY(issuer_store_shared_key(k->store, "cursor", &k->cursor_key));
	TRY(issuer_store_shared_key(k->store, "fingerprint", &k->fingerprint_key));
	TRY(throttle_new(&k->throttle));
	return open_issuer(k, k->start->settings, &k->issuer);
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
	int status = uv_timer_init(&s->loop->uv, &k->timer);
	if (status == 0)
		status = uv_timer_start(&k->timer, on_rotate, ROTATE_MS, ROTATE_MS);
	if (status != 0)
		return loop_err(status, "no timer");
	return channel_send(s->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

int
keeper_main(struct start *s)
{
	struct keeper k = { .start = s };

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
	issuer_store_close(k.store);
	throttle_free(k.throttle);
	secret_done(&k.cursor_key);
	secret_done(&k.fingerprint_key);
	return 0;
}
