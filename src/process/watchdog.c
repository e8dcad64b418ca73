/* watchdog.c - see watchdog.h. Silence is counted in our own ticks, not in time: when the whole
 * machine was suspended, or we were, nobody else was silent. */
#include "process/watchdog.h"

#include <signal.h>

#include "base/log.h"
#include "base/macros.h"
#include "process/children.h"

enum { TICK_MS = 1000 };

static void
look_at(struct child *c)
{
	bool is_asked = c->state == CHILD_READY || c->state == CHILD_DRAINING;

	if (!is_asked || c->control == NULL || c->pid <= 0)
		return;
	if (c->silent_ticks++ < WATCHDOG_SILENCE_S) {
		tell(c, CONTROL_PING, 0);
		return;
	}
	LOG(LOG_ERROR, "a process does not answer and is killed",
	    { "process", bytes_text(role_name(c->role)) });
	c->silent_ticks = 0;
	(void)kill(c->pid, SIGKILL); /* gone already: reaped next */
}

static void
on_tick(uv_timer_t *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, watchdog);

	for (struct list *node = s->children.next; node != &s->children; node = node->next)
		look_at(container_of(node, struct child, node));
}

struct err
watchdog_start(struct supervisor *s)
{
	int status = uv_timer_init(&s->loop.uv, &s->watchdog);

	if (status == 0)
		status = uv_timer_start(&s->watchdog, on_tick, TICK_MS, TICK_MS);
	return status == 0 ? OK : loop_err(status, "no timer");
}

void
watchdog_heard(struct child *c)
{
	c->silent_ticks = 0;
}
