/* fetcher.c - the process that talks to identity providers, and the only one that connects to
 * anybody. It hears from workers in the messages of identity/fetch.h. */
#include "process/fetcher.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/resolve.h"
#include "process/fetcher_telemetry.h"

enum {
	UNREAD_MAX = 1 << 20,      /* bytes of answers; a worker that goes on asking waits then */
	RESOLVE_THREADS = 8,       /* half of them resolve at a time, as libuv has it */
	FILES_CHECK_US = 10000000, /* a life too short for them to have been replaced again */
};

/* Workers */

static void
drop_follower(struct follower *w)
{
	list_remove(&w->node);
	origins_forget(w->fetcher, w);
	questions_forget(w->fetcher, w);
	free(w);
}

static void
on_follower_closed(void *of, struct channel *c)
{
	(void)c;
	drop_follower(of);
}

void
fetcher_send(struct follower *w, enum fetch_message type, uint64_t id, const struct buf *body)
{
	struct err e = buf_check(body);

	if (!failed(e))
		e = channel_send(w->channel, (uint16_t)type, id, buf_bytes(body));
	if (failed(e))
		log_err(LOG_ERROR, "a worker did not get a message", e);
}

void
fetcher_answer(struct follower *w, uint64_t id, const struct fetch_answer *answer)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	fetch_answer_put(&body, answer);
	fetcher_send(w, FETCH_ANSWER, id, &body);
}

/* false: malformed. */
static bool
take_question(struct follower *w, const struct message *m)
{
	if (m->type == FETCH_REFRESH && m->body.len <= FETCH_URL_MAX) {
		origins_refresh(w->fetcher, w, m->id, m->body);
		return true;
	}
	if (m->type == FETCH_SPANS)
		return telemetry_take(w->fetcher, m->body);
	return m->type > FETCH_REFRESH && m->type <= FETCH_CODE && questions_ask(w->fetcher, w, m);
}

static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct follower *w = of;
	const char *why = NULL;

	if (m->fd >= 0) {
		close(m->fd); /* it has nothing to hand over, and could use up our descriptors */
		why = "a descriptor";
	} else if (!take_question(w, m)) {
		why = "malformed";
	}
	/* The read buffer keeps it until the next packet, which may be hours away. It is ours to
	 * write. */
	OPENSSL_cleanse((uint8_t *)(uintptr_t)m->body.at, m->body.len);
	if (why != NULL) {
		LOG(LOG_ERROR, "a worker asks what it must not: its channel is closed",
		    { "why", bytes_text(why) });
		channel_close(c);
		drop_follower(w);
	}
}

static struct err
add_follower(struct fetcher *f, const struct message *m)
{
	struct follower *w = calloc(1, sizeof *w);

	if (w == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	w->fetcher = f;
	struct err e = channel_open(f->start->loop, m->fd, on_question, on_follower_closed, w,
	                            &w->channel);
	if (failed(e)) {
		close(m->fd);
		free(w);
		return e;
	}
	channel_wipe_sent(w->channel);
	channel_read_behind(w->channel, UNREAD_MAX);
	list_append(&f->followers, &w->node);
	origins_tell(f, w);
	return OK;
}

/* Files */

/* Landlock was closed around the files that were there. What a name leads to now can be had only by
 * beginning again; workers keep the keys they have. */
static void
begin_again(struct fetcher *f, const char *why, const char *path)
{
	LOG(LOG_WARN, "fetcher ends, to be started again", { "why", bytes_text(why) },
	    { "path", bytes_text(path) });
	loop_stop(f->start->loop);
}

void
fetcher_check_files(struct fetcher *f)
{
	const char *path = files_replaced(&f->files);

	if (path != NULL && clock_monotonic_us() - f->started_us > FILES_CHECK_US)
		begin_again(f, "a file has been replaced", path);
}

static struct err
enter_sandbox(struct fetcher *f)
{
	struct sandbox sandbox = { .role = ROLE_FETCHER,
		                   .connects = true,
		                   .is_required = f->start->settings->sandbox_required };
	const char *missing;

	TRY(files_of(f->start->settings, &f->files));
	for (size_t i = 0; i < f->files.count; i++)
		if (access(f->files.at[i], R_OK) == 0)
			sandbox.readable[sandbox.readable_count++] = f->files.at[i];
	TRY(sandbox_enter_files(&sandbox, &missing));
	TRY(loop_start_threads(f->start->loop, RESOLVE_THREADS));
	return sandbox_enter_calls(&sandbox, &missing);
}

/* The supervisor */

/* Origins that stay keep their keys; questions under way are answered. */
static struct err
use_config(struct fetcher *f)
{
	struct files files;

	TRY(files_of(f->start->settings, &files));
	bool is_same = files_are_same(&files, &f->files);
	f->files = files; /* the former were of the former settings */
	http_client_set(f->http, &f->start->settings->outbound);
	TRY(origins_set(f));
	telemetry_set(f);
	if (!is_same)
		begin_again(f, "the configuration names other files", f->start->config_file);
	return OK;
}

static struct err
take_config(struct fetcher *f, const struct message *m)
{
	const struct settings *settings;
	struct arena arena = { 0 };
	struct err e = role_read_config(m->fd, f->start->config_file, &arena, &settings);

	close(m->fd);
	if (failed(e)) {
		arena_done(&arena);
		loop_stop(f->start->loop); /* the supervisor starts it again, with the configuration
		                              in use */
		return e;
	}
	struct arena former = f->start->arena;
	f->start->arena = arena;
	f->start->settings = settings;
	e = use_config(f);
	arena_done(&former);
	return e;
}

static void
on_control(void *of, struct channel *c, const struct message *m)
{
	struct fetcher *f = of;
	struct err e = OK;

	if (m->type == CONTROL_WORKER)
		e = add_follower(f, m);
	else if (m->type == CONTROL_CONFIG)
		e = take_config(f, m);
	else if (m->type == CONTROL_PING)
		e = channel_send(c, CONTROL_PONG, 0, (struct bytes){ 0 });
	else if (m->type == CONTROL_STOP)
		loop_stop(f->start->loop);
	if (failed(e))
		log_err(LOG_ERROR, "a message of the supervisor failed", e);
}

static void
on_control_closed(void *of, struct channel *c)
{
	struct fetcher *f = of;

	(void)c;
	loop_stop(f->start->loop);
}

static struct err
start(struct fetcher *f)
{
	struct start *s = f->start;

	secret_heap_init();
	resolve_init();
	TRY(http_client_new(s->loop, &s->settings->outbound, &f->http));
	TRY(enter_sandbox(f));
	TRY(origins_init(f));
	TRY(telemetry_start(f));
	TRY(channel_open(s->loop, FD_CONTROL, on_control, on_control_closed, f, &s->control));
	return channel_send(s->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

int
fetcher_main(struct start *s)
{
	struct fetcher f = { .start = s, .started_us = clock_monotonic_us() };

	list_init(&f.followers);
	list_init(&f.origins);
	questions_init(&f);
	struct err e = start(&f);
	if (failed(e)) {
		log_err(LOG_ERROR, "the fetcher cannot start", e);
		return 2;
	}
	loop_run(s->loop);
	telemetry_stop(&f);
	questions_done(&f);
	origins_done(&f);
	http_client_free(f.http);
	return 0;
}
