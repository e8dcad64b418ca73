/* statement.c - see store.h: SQLite results as errors, statements that remember their first
 * failure, and transactions that roll back unless committed. */
#include "issuer/store.h"

/* Errors */

struct err
store_error(struct issuer_store *s, int rc)
{
	struct err e;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fail(ERR_UPSTREAM, "the state store is busy: another process holds it");
	case SQLITE_FULL:
		return fail(ERR_UPSTREAM, "the disk of the state store is full");
	case SQLITE_NOMEM:
		return fail(ERR_SYSTEM, "out of memory in the state store");
	case SQLITE_CONSTRAINT:
		return fail(ERR_CONFLICT, "the state store has such an entry already");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail(ERR_CONFIG,
		            "the state store (state.db) is damaged: restore it from a backup");
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		e = fail(ERR_CONFIG, "the state store (state.db) cannot be opened or written");
		break;
	case SQLITE_IOERR:
		e = fail(ERR_UPSTREAM, "the state store cannot be read or written");
		break;
	default:
		e = fail(ERR_SYSTEM, "the state store does not work");
		break;
	}
	e.code = (unsigned)rc & 0xffffff;
	e.sys = s->db != NULL ? sqlite3_system_errno(s->db) : 0;
	return e;
}

struct err
store_damaged(void)
{
	return fail(ERR_CONFIG, "the state store (state.db) is damaged: restore it from a backup");
}

/* Statements */

struct err
store_run(struct issuer_store *s, const char *sql)
{
	return store_error(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

void
statement_start(struct statement *q, struct issuer_store *s, const char *sql)
{
	*q = (struct statement){ .store = s };
	q->rc = sqlite3_prepare_v2(s->db, sql, -1, &q->at, NULL);
}

void
statement_done(struct statement *q)
{
	(void)sqlite3_finalize(q->at); /* repeats the error of the last step, which was reported */
	*q = (struct statement){ 0 };
}

static void
statement_bound(struct statement *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

/* An empty slice may have no address, which SQLite would take for NULL. */
static const void *
bound_address(struct bytes value)
{
	return value.at == NULL ? (const void *)"" : value.at;
}

void
statement_text(struct statement *q, int n, struct bytes value)
{
	statement_bound(q, sqlite3_bind_text64(q->at, n, bound_address(value), value.len,
	                                       SQLITE_STATIC, SQLITE_UTF8));
}

void
statement_blob(struct statement *q, int n, struct bytes value)
{
	statement_bound(
		q, sqlite3_bind_blob64(q->at, n, bound_address(value), value.len, SQLITE_STATIC));
}

void
statement_int(struct statement *q, int n, int64_t value)
{
	statement_bound(q, sqlite3_bind_int64(q->at, n, value));
}

struct err
statement_row(struct statement *q, bool *ret_row)
{
	if (q->rc != SQLITE_OK)
		return store_error(q->store, q->rc);

	int rc = sqlite3_step(q->at);

	TRY(store_error(q->store, rc));
	*ret_row = rc == SQLITE_ROW;
	return OK;
}

struct err
statement_run(struct statement *q)
{
	for (bool row = true; row;)
		TRY(statement_row(q, &row));
	return OK;
}

struct bytes
statement_column(struct statement *q, int column)
{
	/* The address first: it may convert, and the length is of what it returned. */
	const void *at = sqlite3_column_blob(q->at, column);

	return (struct bytes){ at, (size_t)sqlite3_column_bytes(q->at, column) };
}

int64_t
statement_column_int(struct statement *q, int column)
{
	return sqlite3_column_int64(q->at, column);
}

struct err
statement_column_exact(struct statement *q, int column, uint8_t *ret, size_t len)
{
	struct bytes value = statement_column(q, column);

	if (value.len != len)
		return store_damaged();
	memcpy(ret, value.at, len);
	return OK;
}

struct err
bytes_keep(struct arena *arena, struct bytes *const *each)
{
	for (; *each != NULL; each++) {
		struct bytes copy = arena_copy(arena, **each);

		if (copy.len != (*each)->len)
			return fail(ERR_LIMIT, "out of memory for an entry of the state store");
		**each = copy;
	}
	return OK;
}

int64_t
store_changes(const struct issuer_store *s)
{
	return sqlite3_changes64(s->db);
}

struct err
transaction_begin(struct transaction *t, struct issuer_store *s)
{
	TRY(store_run(s, "BEGIN IMMEDIATE"));
	t->store = s;
	return OK;
}

struct err
transaction_commit(struct transaction *t)
{
	/* After a failed COMMIT the transaction is still open, so transaction_done() rolls it back.
	 */
	TRY(store_run(t->store, "COMMIT"));
	t->store = NULL;
	return OK;
}

void
transaction_done(struct transaction *t)
{
	if (t->store != NULL && !sqlite3_get_autocommit(t->store->db))
		(void)store_run(t->store,
		                "ROLLBACK"); /* SQLite rolls back itself when this fails */
	t->store = NULL;
}
