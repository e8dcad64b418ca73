/* backend.h - data, reached only with a grant. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "backend/rows.h"
#include "policy/policy.h"
#include "query/select.h"

struct backend; /* one per configured backend and worker */
struct uv_loop_s;

/* What to do, in terms of a table. Built by a frontend, turned into its dialect by the backend. */
enum operation_kind {
	OPERATION_LIST, /* rows by filter, order, keyset */
	OPERATION_READ, /* one row by key; no row: ERR_NOT_FOUND */
	OPERATION_INSERT,
	OPERATION_UPDATE, /* by key, the given columns; no visible row: ERR_NOT_FOUND */
	OPERATION_DELETE, /* by key; rows has no columns */
};

struct operation {
	enum operation_kind kind;
	const struct grant *grant;        /* must be for the matching action */
	const struct grant *read;         /* INSERT, UPDATE: what may be returned; NULL: nothing */
	const struct column_set *columns; /* to return; a subset of what grant (or read) allows */
	const struct filter *filter;      /* LIST; NULL: all */
	const struct order_term *order;   /* LIST; ends with the key, so it is total */
	size_t order_count;
	bool with_order; /* LIST: behind the columns, each row has the values of its order terms as
	                  * they are stored: for a cursor, never for the caller */
	const struct value *after;   /* LIST; order_count values of the last row seen, or NULL */
	size_t limit;                /* LIST */
	const struct value *key;     /* table->key_count values */
	const uint16_t *set_columns; /* INSERT, UPDATE */
	const struct value *set_values;
	size_t set_count;
};

/* Where in the data an error lies, for 409 and 422: written when the stream fails with ERR_CONFLICT
 * or ERR_INVALID, valid until rows_close(). */
struct operation_fault {
	struct bytes column; /* in the arena; may be empty */
};

/* Opens. Called once by each worker before the sandbox closes: all that can be opened early is. All
 * work happens on `loop` (NULL: the default one) and its pool threads, which start with the first
 * slow operation, so behind the sandbox: it must let threads be made. `settings` and `arena` must
 * outlive the backend. Errors: ERR_CONFIG where the operator must change something, ERR_UPSTREAM.
 */
struct err backend_open(const struct settings *settings, unsigned index, struct uv_loop_s *loop,
                        struct arena *arena, struct backend **ret);
/* Every stream must have been closed. What still runs is cancelled; `arena` must stay until the
 * loop has no handles left, or the process ends. Takes NULL. */
void backend_close(struct backend *b);
/* Reads the schema of a table or view: once, at start. Errors: ERR_CONFIG (no such table, …). */
struct err backend_table(struct backend *b, const char *name, struct arena *arena,
                         const struct table **ret);

/* Starts. A write is done inside a transaction that stays open until rows_commit(): the audit
 * record stands between the two. *sql_text borrows the arena: for the fingerprint only. */
struct err backend_start(struct backend *b, const struct operation *op, struct arena *arena,
                         struct rows **ret, struct operation_fault *fault, struct bytes *sql_text);
/* Is it answering? For readiness. */
struct err backend_probe(struct backend *b);

#endif
