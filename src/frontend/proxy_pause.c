/* proxy_pause.c - the limits of bytes: what has passed is taken from them, and what they do not
 * have is a debt, during which neither side is read, and nothing goes to the caller: an answer that
 * came in one read would never be limited otherwise. */
#include <stdlib.h>

#include "base/macros.h"
#include "frontend/proxy.h"

/* Outlives its request by the turn of the loop in which its timer closes. */
struct proxy_pause {
	uv_timer_t timer;
	struct proxy *proxy; /* NULL: it has ended */
	uint64_t owed;
};

static void pay(struct proxy_pause *pause);

static void
on_timer(uv_timer_t *timer)
{
	struct proxy_pause *pause = container_of(timer, struct proxy_pause, timer);

	pay(pause);
	proxy_flow(pause->proxy);
	if (!pause->proxy->is_paused)
		proxy_wake(pause->proxy);
}

/* As much of the debt as the limits have now. */
static void
pay(struct proxy_pause *pause)
{
	struct request *r = pause->proxy->request;
	unsigned wait_ms = 0;

	while (pause->owed > 0 && wait_ms == 0)
		pause->owed -= quota_bytes(r, r->route, pause->owed, &wait_ms);
	pause->proxy->is_paused = pause->owed > 0;
	if (pause->owed > 0) /* cannot fail on a live handle */
		(void)uv_timer_start(&pause->timer, on_timer, wait_ms, 0);
}

static struct proxy_pause *
pause_new(struct proxy *p)
{
	struct proxy_pause *pause = calloc(1, sizeof *pause);

	if (pause == NULL)
		return NULL;
	(void)uv_timer_init(&p->request->gate->loop->uv, &pause->timer); /* never fails */
	pause->proxy = p;
	return pause;
}

void
proxy_pass(struct proxy *p, size_t len)
{
	struct request *r = p->request;
	unsigned wait_ms = 0;

	if (len == 0)
		return;
	uint64_t owed = len - quota_bytes(r, r->route, len, &wait_ms);
	if (owed == 0)
		return;
	if (p->pause == NULL)
		p->pause = pause_new(p);
	if (p->pause == NULL)
		return; /* a limit must not become an outage */
	p->pause->owed += owed;
	pay(p->pause);
}

static void
on_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct proxy_pause, timer));
}

void
proxy_pause_end(struct proxy *p)
{
	if (p->pause == NULL)
		return;
	uv_close((uv_handle_t *)&p->pause->timer, on_closed);
	p->pause = NULL;
	p->is_paused = false;
}
