/* sqlite.h - the parts of the SQLite backend, for its own files and their tests.
 *
 * Threads. This is the one place where a worker uses libuv's pool threads. A job is one struct on
 * the heap: while it runs, the thread alone touches it and its connection, but for the flag in the
 * connection's watch that says stop (atomic, written by the loop) and `stream` (loop only). It
 * holds copies of all it needs from the request, so a request may end while its job still runs; the
 * job then ends unseen and is freed on the loop. Nothing else is shared: no lock exists here. libuv
 * orders memory between the two sides when it queues work and when it reports the end of it.
 *
 * Three readers and one writer: as many as libuv has threads, so slow reads cannot starve a write.
 */
#ifndef BACKEND_SQLITE_H
#define BACKEND_SQLITE_H

#include <uv.h>

#include "backend/backend.h"
#include "backend/batch.h"
#include "backend/sqlite_connection.h"

enum {
	READERS = 3,
	QUEUE_MAX = 256, /* jobs waiting for a reader; the same for the writer */
	LOOP_BUDGET_US = 2000,
	HOLD_MAX_MS = 10000, /* a connection held for a consumer that does not come back */
	LOOK_EVERY_MS = 1000,
};

struct read_job;
struct write_job;

struct readers {
	struct connection connections[READERS];
	struct list free;    /* connections */
	struct list waiting; /* read jobs without a connection */
	struct list held;    /* read jobs whose batch waits for its consumer */
	size_t waiting_count;
};

struct writer {
	struct connection connection;
	struct write_job *current; /* owns the connection */
	struct list waiting;       /* write jobs */
	size_t waiting_count;
	uv_timer_t retry; /* of `current`, while another process holds the lock */
};

/* Kinds of damage, each told to the log once a minute at most. */
enum damage { DAMAGE_CORRUPT, DAMAGE_NOT_A_DATABASE, DAMAGE_IO, DAMAGE_KINDS };

/* What is known of the file. Of the loop. */
struct health {
	bool is_gone; /* moved, deleted or replaced; what is open is no longer what has the name */
	uint64_t look_every_ms, next_look_ms;
	uint64_t quiet_until_ms[DAMAGE_KINDS];
};

struct backend {
	const struct backend_settings *settings;
	uv_loop_t *loop;
	struct connection direct; /* the loop's own */
	unsigned direct_rows; /* streams that hold a row of it, and with it an old view of the data
	                       */
	uv_prepare_t
		turn; /* runs while a turn's transaction is open; ends it before the loop sleeps */
	bool is_in_turn;
	struct readers readers;
	struct writer writer;
	uv_timer_t sweep; /* runs while a connection is held for a consumer */
	struct health health;
	uint64_t hold_max_us;
	uint64_t loop_budget_us;
	bool is_closing;
};

/* A statement's text and values. */
struct statement {
	struct bytes text;
	const struct value *values;
	size_t value_count;
};

/* The finished statement moved into the arena. */
struct err sqlite_statement_keep(const struct sql *sql, struct arena *arena, struct statement *ret);
/* A deep copy. */
struct err sqlite_statement_copy(const struct statement *from, struct arena *arena,
                                 struct statement *ret);
/* Prepares and binds. An SQLite result code. */
int sqlite_statement_start(const struct statement *st, struct connection *c, struct prepared **ret);
/* The columns of `set` in table order, behind them those of op->order where op->with_order says so,
 * and room for a row of their values. */
struct err sqlite_rows_init(struct rows *rows, const struct operation *op,
                            const struct column_set *set, struct arena *arena,
                            struct value **ret_row);
/* All reads of one turn of the loop share one read transaction on the direct connection: its locks
 * are most of what a read by key costs. They see the data as it was at the turn's first read or
 * later, and always what this worker has committed: a commit ends the turn's transaction too. */
void sqlite_turn_begin(struct backend *b);
void sqlite_turn_end(struct backend *b);
/* ERR_UPSTREAM while the file is not where it was opened; goes by itself when it is back. Looks
 * once a second at most: it is a system call. Both changes are logged. */
struct err sqlite_look(struct backend *b);
/* The same without the wait. */
struct err sqlite_look_now(struct backend *b);
/* Takes the error of an operation to the log where the operator must know: a damaged file, one that
 * is gone. For any error; each once in a while. */
void sqlite_report(struct backend *b, struct err e);
/* On any thread that may use `db`. */
bool sqlite_has_moved(sqlite3 *db);

/* Sees to it that sqlite_*_sweep() run. */
void sqlite_sweep_soon(struct backend *b);

struct err sqlite_read_start(struct backend *b, const struct operation *op, struct arena *arena,
                             struct rows **ret, struct bytes *sql_text);
/* Ends what is held since before `before_us`. Answers whether anything is still held. */
bool sqlite_read_sweep(struct backend *b, uint64_t before_us);

struct err sqlite_write_start(struct backend *b, const struct operation *op, struct arena *arena,
                              struct rows **ret, struct operation_fault *fault,
                              struct bytes *sql_text);
bool sqlite_write_sweep(struct backend *b, uint64_t before_us);

#endif
