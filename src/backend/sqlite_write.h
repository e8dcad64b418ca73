/* sqlite_write.h - a write as a job: what the loop and the pool thread hand to each other.
 *
 * It goes through phases, each one trip to a thread:
 *
 *   CHANGE    BEGIN IMMEDIATE, the statement      -> the key of the row as it is now
 *   CHECK     may the grant see the changed row? the row to return
 *   (held)    the transaction is open; the caller hands over its audit record and asks for the
 *   COMMIT    or, when it closes the stream instead, for the
 *   ROLLBACK
 *
 * CHANGE and CHECK are apart because the second is built, on the loop, from the key that the first
 * made. A phase that fails has rolled back before it returns to the loop. A lock that another
 * process holds is waited for by a timer, never by sleeping. */
#ifndef BACKEND_SQLITE_WRITE_H
#define BACKEND_SQLITE_WRITE_H

#include "backend/sqlite.h"

enum write_phase { WRITE_CHANGE, WRITE_CHECK, WRITE_COMMIT, WRITE_ROLLBACK };

struct write_stream;

/* While is_running, of the thread alone, but for `stream` and `node`. */
struct write_job {
	uv_work_t work;
	struct backend *backend;
	struct write_stream *stream; /* NULL: closed; roll back */
	struct list node;            /* in writer.waiting */
	struct arena memory;         /* of all below */
	const struct table *table;   /* of the configuration generation: immutable */
	enum operation_kind kind;
	const uint16_t *set_columns; /* the first parameters of `change` are their values */
	size_t set_count;
	struct statement change, check, read; /* text.len 0: none */
	enum value_type key_types[TABLE_KEY_MAX];
	size_t key_count;
	enum value_type *row_types;
	size_t row_count;
	struct batch key, row;
	struct arena scratch;
	enum write_phase phase;
	bool is_running;
	bool is_busy; /* the phase could not begin: another holds the lock */
	uint64_t asked_us, held_us;
	unsigned wait_ms;
	struct err error;
	int fault_column; /* -1: none */
};

/* Does the phase, on a pool thread. Writes is_busy, error, fault_column, key, row. */
void write_work(uv_work_t *work);
/* A broken foreign key as the one of its two cases it is, where that can be found out: the row that
 * is referred to is missing (and fault_column names the column that refers), or others refer to
 * this one. Any other error as it is. On the thread, with the transaction of the failed statement
 * still open. */
struct err sqlite_foreign_explain(struct write_job *j, struct err e);

#endif
