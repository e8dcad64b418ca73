/* deadline.h - many timers of one duration for the price of a list: entries stand in the order they
 * end. */
#ifndef IO_DEADLINE_H
#define IO_DEADLINE_H

#include "base/list.h"
#include "base/clock.h"

struct deadline {
	struct list node; /* zeroed: not running */
	uint64_t at_us;   /* monotonic */
};

struct deadline_list {
	struct list entries;
	uint64_t duration_us;
};

static inline void
deadline_list_init(struct deadline_list *l, uint64_t duration_ms)
{
	list_init(&l->entries);
	l->duration_us = duration_ms * 1000;
}

/* Also moves an entry from another list, and starts it again. */
static inline void
deadline_start(struct deadline_list *l, struct deadline *d, uint64_t now_us)
{
	list_remove(&d->node);
	d->at_us = now_us + l->duration_us;
	list_append(&l->entries, &d->node);
}

static inline void
deadline_stop(struct deadline *d)
{
	list_remove(&d->node);
}

/* The next one that has ended, taken off the list; NULL when none has. */
static inline struct deadline *
deadline_next(struct deadline_list *l, uint64_t now_us)
{
	struct deadline *first = (struct deadline *)(void *)l->entries.next;

	if (list_is_empty(&l->entries) || first->at_us > now_us)
		return NULL;
	list_remove(&first->node);
	return first;
}

#endif
