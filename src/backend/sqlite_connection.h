/* sqlite_connection.h - one connection: how it is opened, its prepared statements, its watch.
 *
 * A connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX): the loop, or the one job that
 * owns it while the job runs. */
#ifndef BACKEND_SQLITE_CONNECTION_H
#define BACKEND_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/list.h"

enum { STATEMENTS_MAX = 64 }; /* kept prepared, per connection */

/* A prepared statement of a connection. */
struct prepared {
	struct list node;
	sqlite3_stmt *statement; /* owned */
	size_t len;              /* of its text */
	bool is_taken;
	unsigned slow; /* how many more runs go to a thread at once, because it was slow on the loop
	                */
};

/* What stops a statement. Only `is_cancelled` is touched by another thread than the one that runs
 * it. */
struct watch {
	_Atomic bool is_cancelled;
	uint64_t limit_us; /* 0: none */
	uint64_t
		deadline_us; /* 0: counted from the first look, which a short statement never has */
};

struct connection {
	struct list node; /* in the pool, while it is free */
	sqlite3 *db;      /* owned */
	bool is_readonly;
	struct watch watch;
	struct list statements; /* of struct prepared, the last used first */
	size_t statement_count;
};

/* The database must exist. Errors: ERR_CONFIG (what the operator must change), ERR_UPSTREAM.
 * connection_close() is needed after a failure too. */
struct err connection_open(struct connection *c, const char *path);
/* Changes the database to WAL mode, in which readers and the writer pass each other. Where it is
 * read-only, or in use for two seconds, it stays what it is: slower, but right. For the start only.
 */
void connection_use_wal(struct connection *c);
/* Safe on a zeroed or half-opened one. */
void connection_close(struct connection *c);

/* Waits for a lock by sleeping, as long as the watch allows: for pool threads only. */
void connection_may_sleep(struct connection *c);
/* Starts to count `limit_us` (0: no limit). */
void connection_watch(struct connection *c, uint64_t limit_us);

/* The statement with this text, prepared now or earlier, with no values bound. An SQLite result
 * code. */
int connection_prepare(struct connection *c, struct bytes text, struct prepared **ret);
/* Resets it, drops its values and keeps it for the next. Takes NULL. */
void connection_give(struct connection *c, struct prepared *p);
/* Runs a statement of our own without values and rows. An SQLite result code. */
int connection_run(struct connection *c, const char *text);

#endif
