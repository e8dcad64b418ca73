/* fetcher.c - the process that talks to identity providers, and the only one that connects to
 * anybody. It hears from workers in the messages of identity/fetch.h. */
#include "process/fetcher.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "process/sandbox.h"

enum { UNREAD_MAX = 1 << 20 /* bytes of answers that wait for a worker that goes on asking */ };

/* Workers */

static void
drop_follower(struct follower *w)
{
	list_remove(&w->node);
	free(w);
}

static void
on_follower_closed(void *of, struct channel *c)
{
	(void)c;
	drop_follower(of);
}

void
fetcher_answer(struct follower *w, uint64_t id, const struct fetch_answer *answer)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };

	fetch_answer_put(&body, answer);
	struct err e = buf_check(&body);
	if (!failed(e))
		e = channel_send(w->channel, FETCH_ANSWER, id, buf_bytes(&body));
	if (failed(e))
		log_err(LOG_ERROR, "a worker did not get its answer", e);
}

static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct follower *w = of;
	const char *why = NULL;

	if (m->fd >= 0) {
		close(m->fd); /* it has nothing to hand over, and could use up our descriptors */
		why = "a descriptor";
	} else if (m->type < FETCH_REFRESH || m->type > FETCH_CODE) {
		why = "malformed";
	} else if (channel_queued(c) > UNREAD_MAX) {
		why = "answers are not read";
	}
	if (why != NULL) {
		LOG(LOG_ERROR, "a worker asks what it must not: its channel is closed",
		    { "why", bytes_text(why) });
		channel_close(c);
		drop_follower(w);
		return;
	}
	fetcher_answer(w, m->id,
	               &(struct fetch_answer){ .result = FETCH_FAILED,
	                                       .retry_s = 1,
	                                       .why = BYTES("nothing can be fetched yet") });
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
	list_append(&f->followers, &w->node);
	return OK;
}

/* The supervisor */

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
	arena_done(&f->start->arena);
	f->start->arena = arena;
	f->start->settings = settings;
	return OK;
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
	struct sandbox sandbox = { .role = ROLE_FETCHER,
		                   .is_required = s->settings->sandbox_required };
	const char *missing;

	TRY(sandbox_enter_files(&sandbox, &missing));
	TRY(sandbox_enter_calls(&sandbox, &missing));
	TRY(channel_open(s->loop, FD_CONTROL, on_control, on_control_closed, f, &s->control));
	return channel_send(s->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

int
fetcher_main(struct start *s)
{
	struct fetcher f = { .start = s };

	list_init(&f.followers);
	struct err e = start(&f);
	if (failed(e)) {
		log_err(LOG_ERROR, "the fetcher cannot start", e);
		return 2;
	}
	loop_run(s->loop);
	return 0;
}
