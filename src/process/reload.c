/* reload.c - see reload.h. Until the last worker of the next generation is ready nothing has
 * changed, so a configuration that does not work is simply given up. */
#include "process/reload.h"

#include <signal.h>

#include "base/log.h"
#include "base/macros.h"
#include "process/certificates.h"
#include "process/prepare.h"
#include "process/renewal.h"

enum { RELOAD_TIMEOUT_MS = 10000 };

struct err
need_fetcher(struct supervisor *s, const struct generation *g)
{
	if (!role_needs_fetcher(g->settings) || find_child(s, ROLE_FETCHER) != NULL)
		return OK;
	return add_child(s, ROLE_FETCHER, g, 0);
}

struct err
start_workers(struct supervisor *s, const struct generation *g)
{
	for (unsigned i = 0; i < g->settings->workers; i++)
		TRY(add_child(s, ROLE_WORKER, g, i));
	return OK;
}

void
drain_generation(struct supervisor *s, const struct generation *g)
{
	struct list *next;

	for (struct list *node = s->children.next; node != &s->children; node = next) {
		struct child *c = container_of(node, struct child, node);
		next = node->next;
		if (c->role != ROLE_WORKER || c->generation != g->number)
			continue;
		if (c->state == CHILD_ENDED) {
			free_child(
				c); /* it waits to be started again, which nobody wants any more */
			continue;
		}
		drain_child(c, g, !s->is_stopping);
	}
}

static void
accept_generation(struct supervisor *s, unsigned number)
{
	for (struct list *node = s->children.next; node != &s->children; node = node->next) {
		struct child *c = container_of(node, struct child, node);
		if (c->role == ROLE_WORKER && c->generation == number)
			tell(c, CONTROL_ACCEPT, 0);
	}
}

static void
configure(struct supervisor *s, enum role role, const struct generation *g)
{
	struct child *c = find_child(s, role);

	/* One that is being started again reads the configuration in use then. */
	if (c == NULL || c->control == NULL)
		return;
	struct err e =
		channel_send_fd(c->control, CONTROL_CONFIG, 0, (struct bytes){ 0 }, g->config);
	if (!failed(e))
		return;
	LOG(LOG_ERROR, "a process did not get the new configuration",
	    { "process", bytes_text(role_name(role)) }, { "why", bytes_text(e.why) });
}

/* The configuration in use may have nothing to fetch any more. */
static void
end_needless_fetcher(struct supervisor *s)
{
	struct child *c = find_child(s, ROLE_FETCHER);

	if (c == NULL || role_needs_fetcher(s->current->settings))
		return;
	if (c->state == CHILD_ENDED)
		free_child(c);
	else
		drain_child(c, s->current, false);
}

/* All of the new generation stand ready: from here on it serves. */
void
finish_reload(struct supervisor *s)
{
	struct generation *old = s->current;

	s->current = s->next;
	s->next = NULL;
	renewal_tried(s, s->current->certificates);
	(void)uv_timer_stop(&s->reload_timer); /* never fails */
	/* Fetcher first: the first request may need a key that it has to fetch. */
	end_needless_fetcher(s);
	configure(s, ROLE_FETCHER, s->current);
	accept_generation(s, s->current->number);
	drain_generation(s, old);
	configure(s, ROLE_KEEPER, s->current);
	counter_set(&s->metrics->generation, s->current->number);
	counter_add(&s->metrics->reloads, 1);
	LOG(LOG_INFO, "the new configuration is in use");
	notify_systemd("READY=1");
	generation_free(old);
}

void
end_reload(struct supervisor *s, const char *why)
{
	struct generation *g = s->next;
	struct list *next;

	if (g == NULL)
		return;
	s->next = NULL;
	(void)uv_timer_stop(&s->reload_timer); /* never fails */
	for (struct list *node = s->children.next; node != &s->children; node = next) {
		struct child *c = container_of(node, struct child, node);
		next = node->next;
		if (c->role != ROLE_WORKER || c->generation != g->number)
			continue;
		if (c->state == CHILD_ENDED) {
			free_child(c);
			continue;
		}
		c->state = CHILD_DRAINING;
		(void)kill(c->pid, SIGKILL); /* it serves nobody yet */
	}
	end_needless_fetcher(s);
	generation_free(g);
	counter_add(&s->metrics->reloads_failed, 1);
	LOG(LOG_ERROR, "the new configuration is not used", { "why", bytes_text(why) });
	notify_systemd("READY=1");
}

static void
on_reload_timer(uv_timer_t *timer)
{
	end_reload(container_of(timer, struct supervisor, reload_timer),
	           "its workers were not ready in time");
}

void
reload(struct supervisor *s)
{
	s->is_reload_wanted = !s->has_announced;
	if (s->is_stopping || s->is_reload_wanted)
		return;
	end_reload(s, "a newer one came before it was ready");
	renewal_tried(s, certificates_seen(s->current->settings));
	notify_systemd("RELOADING=1");
	struct err e = generation_open(s->config_file, ++s->generations, s->current, &s->next);
	if (failed(e)) {
		s->next = NULL;
		counter_add(&s->metrics->reloads_failed, 1);
		LOG(LOG_ERROR, "the new configuration is not used", { "why", bytes_text(e.why) });
		notify_systemd("READY=1");
		return;
	}
	/* Never fails on a live handle. */
	(void)uv_timer_start(&s->reload_timer, on_reload_timer, RELOAD_TIMEOUT_MS, 0);
	/* Workers are ready when they have the local issuer's keys. Where there was none, nobody
	 * minds that keeper has them early; otherwise it goes by the old configuration until the
	 * new one is in use. */
	if (role_local_issuer(s->current->settings) == ISSUER_NONE)
		configure(s, ROLE_KEEPER, s->next);
	e = need_fetcher(s, s->next);
	if (!failed(e))
		e = start_workers(s, s->next);
	if (failed(e))
		end_reload(s, e.why);
}
