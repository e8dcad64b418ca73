/* keeper_tell.c - what keeper says unasked: revocations to every worker, and events to the ledger.
 *
 * The state store is what both are read from, for the command line writes there too. Whoever wrote,
 * it is seen within POLL_MS (keeper.c) and told at once. */
#include <unistd.h>

#include "audit/message.h"
#include "audit/record.h"
#include "base/log.h"
#include "base/macros.h"
#include "issuer/event.h"
#include "process/keeper.h"

enum {
	EVENTS_AT_ONCE = 64,
	UNREAD_MAX = 4 << 20, /* bytes of revocations that wait for a worker; the rest follows with
	                         the next poll */
};

/* Revocations */

static struct err
tell_one(void *of, const struct revocation *r)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct asker *a = of;

	if (channel_queued(a->channel) > UNREAD_MAX)
		return fail(ERR_LIMIT, "the rest follows");
	revocation_put(&body, r);
	TRY(buf_check(&body));
	if (body.len > CHANNEL_BODY_MAX)
		return OK; /* no token names so much, and those behind it must be told */
	return channel_send(a->channel, KEEPER_REVOKED, 0, buf_bytes(&body));
}

struct err
tell_revoked(struct keeper *k, struct asker *a)
{
	struct err e = revocation_read_after(k->store, keeper_now_s(), &a->told, tell_one, a);

	a->is_behind = failed(e);
	if (!failed(e) && a->is_new)
		keeper_welcome(a);
	return e.kind == ERR_LIMIT ? OK : e;
}

static struct err
tell_each(void *of, const struct revocation *r)
{
	struct keeper *k = of;

	for (struct list *node = k->askers.next; node != &k->askers; node = node->next) {
		struct asker *a = container_of(node, struct asker, node);

		if (a->is_behind || !failed(tell_one(a, r)))
			continue;
		a->is_behind = true; /* for want of room or memory: from here on by itself */
		a->told = k->told;
	}
	return OK;
}

static struct err
tell_those_behind(struct keeper *k)
{
	for (struct list *node = k->askers.next, *next; node != &k->askers; node = next) {
		struct asker *a = container_of(node, struct asker, node);

		next = node->next;
		if (a->is_behind)
			TRY(tell_revoked(k, a));
	}
	return OK;
}

/* Events */

/* About a user or client; else about a key or a token, which is nobody. */
static bool
is_about_account(const struct event *e)
{
	return bytes_starts(e->action, BYTES("user.")) ||
	       bytes_starts(e->action, BYTES("client.")) ||
	       bytes_starts(e->action, BYTES("subject."));
}

static void
put_event(struct buf *out, const struct event *e)
{
	bool is_account = is_about_account(e);
	struct bytes none = { 0 };

	audit_record_put(out,
	                 &(struct audit_record){ .decision = e->decision,
	                                         .class = is_account ? AUDIT_ACCOUNT : AUDIT_API,
	                                         .outcome = AUDIT_ALLOWED,
	                                         .issuer = e->issuer,
	                                         .subject = e->subject,
	                                         .name = is_account ? e->name : none,
	                                         .resource = is_account ? none : e->name,
	                                         .action = e->action,
	                                         .reason = e->reason,
	                                         .rows = -1 });
}

static void
send_event(void *of, const struct event *e)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct event_sender *sender = of;

	put_event(&body, e);
	if (failed(buf_check(&body)) ||
	    failed(channel_send(sender->channel, LEDGER_RECORD, sender->sequence + 1,
	                        buf_bytes(&body)))) {
		sender->is_refused = true; /* the batch is sent again as a whole */
		return;
	}
	sender->sequence++;
	sender->batch_end = sender->sequence;
	sender->batch_event = e->id;
}

/* The oldest that the ledger does not have yet; the next batch follows its answer. */
static void
send_events(struct keeper *k)
{
	struct event_sender *sender = &k->events;

	if (sender->channel == NULL || sender->batch_end != 0)
		return;
	sender->is_refused = false;
	struct err e = event_read_after(k->store, 0, EVENTS_AT_ONCE, send_event, sender);
	if (failed(e))
		log_err(LOG_ERROR, "events cannot be read for the audit log", e);
}

static void
on_ledger(void *of, struct channel *c, const struct message *m)
{
	struct keeper *k = of;
	struct event_sender *sender = &k->events;

	(void)c;
	if (m->fd >= 0)
		close(m->fd);
	if (m->type == LEDGER_REFUSED)
		sender->is_refused = true;
	if (m->id < sender->batch_end)
		return;
	sender->batch_end = 0;
	/* Refused: the poll timer tries again. */
	if (sender->is_refused)
		return;
	struct err e = event_delete_to(k->store, sender->batch_event);
	if (failed(e))
		log_err(LOG_ERROR, "an event that is in the audit log cannot be deleted", e);
	else
		send_events(k);
}

static void
on_ledger_closed(void *of, struct channel *c)
{
	struct keeper *k = of;

	(void)c;
	k->events = (struct event_sender){ 0 };
}

void
ledger_attach(struct keeper *k, int fd)
{
	if (k->events.channel != NULL)
		channel_close(k->events.channel);
	k->events = (struct event_sender){ 0 };
	struct err e = channel_open(k->start->loop, fd, on_ledger, on_ledger_closed, k,
	                            &k->events.channel);
	if (failed(e)) {
		k->events.channel = NULL;
		close(fd);
		log_err(LOG_ERROR, "the ledger cannot be reached", e);
		return;
	}
	send_events(k);
}

/* Both */

void
tell_news(struct keeper *k)
{
	bool changed = false;
	struct err e = issuer_store_changed(k->store, &k->mark, &changed);

	if (!failed(e) && changed)
		e = revocation_read_after(k->store, keeper_now_s(), &k->told, tell_each, k);
	if (!failed(e))
		e = tell_those_behind(k);
	if (failed(e)) {
		log_err(LOG_ERROR, "the state store cannot be asked what is revoked", e);
		k->mark = (struct store_mark){ 0 }; /* again with the next tick */
	}
	if (changed || k->events.is_refused)
		send_events(k);
}
