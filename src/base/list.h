/* list.h - intrusive doubly linked list. A zeroed node is on no list. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_append(struct list *l, struct list *node)
{
	node->prev = l->prev, node->next = l;
	l->prev->next = node, l->prev = node;
}

/* Safe on a zeroed node and when called twice. */
static inline void
list_remove(struct list *node)
{
	if (node->next == NULL)
		return;
	node->prev->next = node->next, node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

#endif
