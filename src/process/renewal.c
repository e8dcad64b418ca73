/* renewal.c - see renewal.h. A certificate and its key are two files: one that has changed is given
 * a moment, so that both are there. */
#include "process/renewal.h"

#include "base/log.h"
#include "base/macros.h"
#include "process/certificates.h"
#include "process/reload.h"

enum { LOOK_MS = 5000, SETTLE_MS = 300 };

static void on_look(uv_timer_t *timer);

static void
look_in(struct supervisor *s, uint64_t ms)
{
	(void)uv_timer_start(&s->renewal, on_look, ms, 0); /* never fails on a live handle */
}

static void
on_look(uv_timer_t *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, renewal);
	uint64_t seen = certificates_seen(s->current->settings);
	bool is_settled = seen == s->certificates_changed;

	s->certificates_changed = seen;
	if (s->is_stopping)
		return;
	if (seen == s->certificates_tried || s->next != NULL) {
		look_in(s, LOOK_MS);
		return;
	}
	if (!is_settled) {
		look_in(s, SETTLE_MS);
		return;
	}
	look_in(s, LOOK_MS);
	LOG(LOG_INFO, "a file of a certificate has changed");
	reload(s);
}

void
renewal_tried(struct supervisor *s, uint64_t seen)
{
	s->certificates_tried = seen;
}

struct err
renewal_start(struct supervisor *s)
{
	int status = uv_timer_init(&s->loop.uv, &s->renewal);

	if (status != 0)
		return loop_err(status, "no timer");
	renewal_tried(s, s->current->certificates);
	look_in(s, LOOK_MS);
	return OK;
}
