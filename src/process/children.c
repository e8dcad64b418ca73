/* children.c - see children.h: starting processes, introducing them to each other, starting them
 * again. */
#include "process/children.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "issuer/assertion_signer.h"

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 2000 };

static void start_child(struct child *c);

/* By what they are */

struct child *
find_child(struct supervisor *s, enum role role)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role == role && c->state != CHILD_DRAINING)
			return c;
	}
	return NULL;
}

unsigned
count_workers(const struct supervisor *s, const struct generation *g, enum child_state state)
{
	unsigned count = 0;

	for (const struct list *node = s->children.next; node != &s->children; node = node->next) {
		const struct child *c = container_of(node, const struct child, node);
		count += c->role == ROLE_WORKER && c->state == state &&
		         (g == NULL || c->generation == g->number);
	}
	return count;
}

static bool
is_slot_used(const struct supervisor *s, unsigned slot)
{
	for (const struct list *node = s->children.next; node != &s->children; node = node->next) {
		const struct child *c = container_of(node, const struct child, node);
		if (c->role == ROLE_WORKER && c->slot == slot)
			return true;
	}
	return false;
}

/* Introductions: one that asks and one that answers get the two ends of a new channel */

static const struct introduction {
	enum role asks, answers;
	enum control_message to_asker;
} introductions[] = {
	{ ROLE_WORKER, ROLE_KEEPER, CONTROL_KEEPER },
	{ ROLE_WORKER, ROLE_LEDGER, CONTROL_LEDGER },
	{ ROLE_WORKER, ROLE_FETCHER, CONTROL_FETCHER },
	{ ROLE_KEEPER, ROLE_LEDGER, CONTROL_LEDGER },
};

static struct err
send_ends(struct child *asker, struct child *answerer, enum control_message to_asker)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	int pair[2];

	buf_put_u32le(&body, asker->local_issuer);
	buf_put_u8(&body, asker->has_services);
	TRY(buf_check(&body));
	TRY(channel_pair(pair));
	struct err e = channel_send_fd(answerer->control, CONTROL_WORKER,
	                               asker->role == ROLE_KEEPER ? SLOT_KEEPER : asker->slot,
	                               buf_bytes(&body), pair[0]);
	if (!failed(e))
		e = channel_send_fd(asker->control, (uint16_t)to_asker, 0, (struct bytes){ 0 },
		                    pair[1]);
	close(pair[0]);
	close(pair[1]);
	return e;
}

/* No effect for two that do not talk to each other. */
static void
introduce(struct child *a, struct child *b)
{
	if (a->control == NULL || b->control == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(introductions); i++) {
		const struct introduction *between = &introductions[i];

		if (between->asks != a->role || between->answers != b->role)
			continue;
		struct err e = send_ends(a, b, between->to_asker);
		if (failed(e))
			log_err(LOG_ERROR, "two processes could not be connected", e);
	}
}

static void
introduce_all(struct supervisor *s, struct child *c)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *other = container_of(node, struct child, node);

		introduce(c, other);
		introduce(other, c);
	}
}

void
tell(struct child *c, enum control_message type, uint64_t id)
{
	if (c->control == NULL)
		return;
	struct err e = channel_send(c->control, (uint16_t)type, id, (struct bytes){ 0 });
	if (failed(e))
		log_err(LOG_ERROR, "a process takes no messages", e);
}

/* Starting */

static void
on_control_closed(void *of, struct channel *channel)
{
	struct child *c = of;

	(void)channel;
	c->control = NULL;
	/* It ends, or broke the form of messages: then it must not stay out of our reach. */
	(void)kill(c->pid, SIGKILL); /* gone already: reaped next */
}

static void
on_retry(uv_timer_t *timer)
{
	start_child(container_of(timer, struct child, timer));
}

void
retry_later(struct child *c)
{
	unsigned wait_ms = RETRY_FIRST_MS;

	for (unsigned i = 1; i < c->failures && wait_ms < RETRY_MAX_MS; i++)
		wait_ms = wait_ms * 2 < RETRY_MAX_MS ? wait_ms * 2 : RETRY_MAX_MS;
	/* Never fails on a live handle. The first time in a while: at once. */
	(void)uv_timer_start(&c->timer, on_retry, c->failures == 0 ? 0 : wait_ms, 0);
}

static void
start_child(struct child *c)
{
	struct supervisor *s = c->supervisor;
	const struct generation *g =
		s->next != NULL && c->generation == s->next->number ? s->next : s->current;
	bool is_worker = c->role == ROLE_WORKER;
	const struct child_descriptors fds = { .config = g->config,
		                               .metrics = s->metrics_fd,
		                               .http = is_worker ? g->http[c->index] : -1,
		                               .admin = is_worker ? g->admin : -1 };
	int control = -1;
	struct err e = child_spawn(c, &fds, s->config_file, &control);

	c->started_us = clock_monotonic_us();
	c->silent_ticks = 0;
	if (!failed(e)) {
		c->state = CHILD_STARTING;
		e = channel_open(&s->loop, control, on_control, on_control_closed, c, &c->control);
		if (failed(e))
			close(control); /* the child sees it closed, and ends */
	}
	if (failed(e)) {
		log_err(LOG_ERROR, "a process cannot be started", e);
		if (c->state == CHILD_ENDED) {
			c->failures++;
			retry_later(c);
		}
		return;
	}
	introduce_all(s, c);
}

/* Its row in the shared page: the lowest that is free. */
static struct err
take_slot(const struct supervisor *s, unsigned *ret)
{
	unsigned slot = 0;

	while (is_slot_used(s, slot))
		slot++;
	if (slot >= METRICS_WORKERS_MAX)
		return fail(ERR_LIMIT,
		            "too many workers of former configurations have not ended yet");
	if (slot + 1 > counter_get(&s->metrics->worker_count))
		counter_set(&s->metrics->worker_count, slot + 1);
	*ret = slot;
	return OK;
}

struct err
add_child(struct supervisor *s, enum role role, const struct generation *g, unsigned index)
{
	unsigned slot = 0;

	if (role == ROLE_WORKER)
		TRY(take_slot(s, &slot));
	struct child *c = calloc(1, sizeof *c);
	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*c = (struct child){ .supervisor = s,
		             .role = role,
		             .state = CHILD_ENDED,
		             .slot = slot,
		             .generation = g->number,
		             .index = index,
		             .local_issuer = role_local_issuer(g->settings),
		             .has_services = assertion_signer_is_needed(g->settings) };
	int status = uv_timer_init(&s->loop.uv, &c->timer);
	if (status != 0) {
		free(c);
		return loop_err(status, "no timer");
	}
	list_append(&s->children, &c->node);
	start_child(c);
	return OK;
}

/* Ending */

static void
on_timer_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct child, timer));
}

static void
on_overdue(uv_timer_t *timer)
{
	struct child *c = container_of(timer, struct child, timer);

	LOG(LOG_WARN, "a process did not end in time and is killed",
	    { "process", bytes_text(role_name(c->role)) });
	(void)kill(c->pid, SIGKILL); /* gone already: reaped next */
}

void
drain_child(struct child *c, const struct generation *g, bool has_successor)
{
	if (c->role == ROLE_WORKER)
		tell(c, CONTROL_DRAIN, has_successor);
	else
		tell(c, CONTROL_STOP, 0);
	c->state = CHILD_DRAINING;
	/* Never fails on a live handle. */
	(void)uv_timer_start(&c->timer, on_overdue,
	                     g->settings->limits.drain_timeout_ms + KILL_GRACE_MS, 0);
}

void
free_child(struct child *c)
{
	list_remove(&c->node);
	channel_close(c->control);
	c->control = NULL;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}
