/* store.h - the SQLite state store as the files of this folder see it: statements and transactions.
 *
 * A statement remembers its first failure, so binding needs no checks of its own: the error comes
 * out where the row is asked for. One connection, one thread. */
#ifndef ISSUER_STORE_H
#define ISSUER_STORE_H

#include <sqlite3.h>

#include "base/macros.h"
#include "issuer/issuer.h"

struct issuer_store {
	sqlite3 *db; /* owned */
};

/* The meaning of an SQLite result code; OK for SQLITE_OK, _ROW and _DONE. */
struct err store_error(struct issuer_store *s, int rc);
/* The operator must bring a backup. */
struct err store_damaged(void);
/* SQL text of our own without values. */
struct err store_run(struct issuer_store *s, const char *sql);

struct statement {
	struct issuer_store *store; /* borrowed */
	sqlite3_stmt *at;           /* owned */
	int rc;                     /* first failure, or SQLITE_OK */
};

void statement_start(struct statement *q, struct issuer_store *s, const char *sql);
void statement_done(struct statement *q);
/* Parameter n, from 1. The bytes must stay until statement_done(). */
void statement_text(struct statement *q, int n, struct bytes value);
void statement_blob(struct statement *q, int n, struct bytes value);
void statement_int(struct statement *q, int n, int64_t value);
/* The next row, if there is one; its columns are valid until the next call. */
struct err statement_row(struct statement *q, bool *ret_row);
/* To the end; rows are not looked at. */
struct err statement_run(struct statement *q);
struct bytes statement_column(struct statement *q, int column);
int64_t statement_column_int(struct statement *q, int column);
/* A BLOB of exactly `len` bytes; otherwise the store is damaged. */
struct err statement_column_exact(struct statement *q, int column, uint8_t *ret, size_t len);

/* Copies what a row gave into the arena, each slice in its place; the list ends with NULL. */
struct err bytes_keep(struct arena *arena, struct bytes *const *each);

/* BEGIN IMMEDIATE: readers inside see what no other writer can change. Rolled back by CLEANUP
 * unless committed. */
struct transaction {
	struct issuer_store *store; /* NULL: over, or never begun */
};
struct err transaction_begin(struct transaction *t, struct issuer_store *s);
struct err transaction_commit(struct transaction *t);
void transaction_done(struct transaction *t);

enum { ROLES_TEXT_MAX = 4096 };
/* ERR_INVALID: too long, or no text. Which roles make sense is the caller's to say. */
struct err roles_check(struct bytes roles);

/* Rows the last statement changed. */
int64_t store_changes(const struct issuer_store *s);

#endif
