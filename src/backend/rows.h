/* rows.h - the row stream: what every backend produces and every frontend consumes.
 *
 * Pull: the consumer asks for the next row, so back-pressure is simply not asking. One stream is
 * used by one request; rows_close() at any moment cancels what still runs. */
#ifndef BACKEND_ROWS_H
#define BACKEND_ROWS_H

#include "base/step.h"
#include "query/value.h"

struct rows;

struct rows_column {
	struct bytes name;
	enum value_type type; /* declared; a value may also be VALUE_NULL */
};

/* Called when a stream that answered STEP_MORE may be asked again. Never called from inside
 * rows_next(). */
typedef void rows_wake_fn(void *of);

struct rows_ops {
	/* STEP_DONE with *row != NULL: a row of column_count values, valid until the next call.
	 * STEP_DONE with *row == NULL: the end. STEP_MORE: wait for the wake. */
	struct err (*next)(struct rows *r, enum step *step, const struct value **row);
	/* Makes a write last; called after the end was seen. Does nothing for reads. STEP_MORE:
	 * wait for the wake, then ask again. */
	struct err (*commit)(struct rows *r, enum step *step);
	/* Without a commit before it, a write is rolled back. */
	void (*close)(struct rows *r);
};

/* First member of each backend's own stream. */
struct rows {
	const struct rows_ops *ops;
	const struct rows_column *columns;
	size_t column_count;
	rows_wake_fn *wake; /* set by the consumer before the first next */
	void *wake_of;
};

static inline struct err
rows_next(struct rows *r, enum step *step, const struct value **row)
{
	return r->ops->next(r, step, row);
}

static inline struct err
rows_commit(struct rows *r, enum step *step)
{
	return r->ops->commit(r, step);
}

/* Takes NULL. */
static inline void
rows_close(struct rows *r)
{
	if (r != NULL)
		r->ops->close(r);
}

#endif
