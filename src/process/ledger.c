/* ledger.c - the process that keeps the audit chain. All records that arrive in one round of the
 * loop are one group: written together, then answered together. */
#include "process/role.h"

#include <stdlib.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/message.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "process/sandbox.h"

enum { TICK_MS = 250 };

struct ledger;

/* A worker, as the ledger sees it. */
struct writer {
	struct list node;
	struct ledger *ledger;
	struct channel *channel;
	unsigned worker;
	uint64_t pending; /* id of its last record in the group; 0: none */
};

struct ledger {
	struct start *start;
	struct chain *chain;
	struct list writers;
	struct deferred commit;
	uv_timer_t timer;
	bool has_group;               /* there are records to commit */
	bool is_failing, is_unsynced; /* logged once, until it works again */
};

static void
note(struct ledger *l, struct err e)
{
	if (failed(e) && !l->is_failing)
		log_err(LOG_ERROR, "audit records cannot be kept: requests are refused", e);
	if (!failed(e) && l->is_failing)
		LOG(LOG_INFO, "audit records are kept again");
	l->is_failing = failed(e);
}

/* Writes the group and tells every worker how it went. */
static void
commit(struct ledger *l)
{
	if (!l->has_group)
		return;
	struct err e = chain_commit(l->chain, clock_wall_us());
	enum ledger_message type = failed(e) ? LEDGER_REFUSED : LEDGER_KEPT;

	l->has_group = false;
	note(l, e);
	for (struct list *node = l->writers.next; node != &l->writers; node = node->next) {
		struct writer *w = container_of(node, struct writer, node);

		if (w->pending == 0)
			continue;
		/* A worker that does not read is lost on its channel. */
		(void)channel_send(w->channel, (uint16_t)type, w->pending, (struct bytes){ 0 });
		w->pending = 0;
	}
}

static void
on_commit(struct deferred *d)
{
	commit(container_of(d, struct ledger, commit));
}

static void
drop_writer(struct writer *w)
{
	list_remove(&w->node);
	free(w);
}

static void
on_writer_closed(void *of, struct channel *c)
{
	(void)c;
	drop_writer(of);
}

static void
on_record(void *of, struct channel *c, const struct message *m)
{
	struct writer *w = of;
	struct ledger *l = w->ledger;
	struct bytes roles[AUDIT_ROLES_MAX] __attribute__((uninitialized)); /* they are counted */
	struct audit_record record;

	if (m->type != LEDGER_RECORD || m->id == 0 || m->fd >= 0 ||
	    failed(audit_record_read(m->body, &record, roles))) {
		LOG(LOG_ERROR, "a worker sent a malformed record: its channel is closed");
		if (m->fd >= 0)
			close(m->fd); /* it could use up our descriptors */
		channel_close(c);
		drop_writer(w);
		return;
	}
	struct err e = chain_append(l->chain, &record, clock_wall_us(), w->worker);
	if (failed(e)) {
		/* What is in the group before it can still be kept; this one cannot. */
		commit(l);
		note(l, e);
		(void)channel_send(c, LEDGER_REFUSED, m->id,
		                   (struct bytes){ 0 }); /* as in commit() */
		return;
	}
	w->pending = m->id;
	l->has_group = true;
	loop_defer(l->start->loop, &l->commit);
}

static struct err
add_writer(struct ledger *l, const struct message *m)
{
	struct writer *w = calloc(1, sizeof *w);

	if (w == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	w->ledger = l;
	w->worker = (unsigned)m->id;
	struct err e =
		channel_open(l->start->loop, m->fd, on_record, on_writer_closed, w, &w->channel);
	if (failed(e)) {
		close(m->fd);
		free(w);
		return e;
	}
	list_append(&l->writers, &w->node);
	return OK;
}

static void
on_control(void *of, struct channel *c, const struct message *m)
{
	struct ledger *l = of;
	struct err e = OK;

	if (m->type == CONTROL_WORKER)
		e = add_writer(l, m);
	else if (m->type == CONTROL_PING)
		e = channel_send(c, CONTROL_PONG, 0, (struct bytes){ 0 });
	else if (m->type == CONTROL_STOP)
		loop_stop(l->start->loop);
	if (failed(e))
		log_err(LOG_ERROR, "a worker cannot be taken on", e);
}

static void
on_control_closed(void *of, struct channel *c)
{
	struct ledger *l = of;

	(void)c;
	loop_stop(l->start->loop);
}

static void
on_tick(uv_timer_t *timer)
{
	struct ledger *l = container_of(timer, struct ledger, timer);
	struct err e = chain_tick(l->chain, clock_wall_us());

	/* It refuses no record. */
	if (failed(e) && !l->is_unsynced)
		log_err(LOG_ERROR, "the audit log cannot be synced or signed", e);
	l->is_unsynced = failed(e);
}

static struct err
start(struct ledger *l)
{
	struct start *s = l->start;
	struct sandbox sandbox = { .role = ROLE_LEDGER,
		                   .paths = { s->settings->audit.path },
		                   .path_count = 1,
		                   .is_required = s->settings->sandbox_required };
	const char *missing;

	TRY(chain_open(&s->settings->audit, clock_wall_us(), &l->chain));
	TRY(sandbox_enter_files(&sandbox, &missing));
	TRY(sandbox_enter_calls(&sandbox, &missing));
	TRY(channel_open(s->loop, FD_CONTROL, on_control, on_control_closed, l, &s->control));
	int status = uv_timer_init(&s->loop->uv, &l->timer);
	if (status == 0)
		status = uv_timer_start(&l->timer, on_tick, TICK_MS, TICK_MS);
	if (status != 0)
		return loop_err(status, "no timer");
	return channel_send(s->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

int
ledger_main(struct start *s)
{
	struct ledger l = { .start = s, .commit.run = on_commit };

	list_init(&l.writers);
	struct err e = start(&l);
	if (failed(e)) {
		LOG(LOG_ERROR, "the audit log cannot be opened",
		    { "path", bytes_text(s->settings->audit.path) }, { "why", bytes_text(e.why) },
		    { "errno", bytes_text(e.sys != 0 ? strerrordesc_np(e.sys) : "") });
		return 2;
	}
	loop_run(s->loop);
	commit(&l);
	chain_close(l.chain);
	return 0;
}
