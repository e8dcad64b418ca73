/* sqlite_write_work.c - the half of a write that runs on a pool thread. */
#include "backend/sqlite_write.h"

#include "backend/sqlite_error.h"
#include "backend/sqlite_value.h"
#include "base/macros.h"

static void
roll_back(struct write_job *j)
{
	struct connection *c = &j->backend->writer.connection;

	/* Some errors end the transaction by themselves. */
	if (sqlite3_get_autocommit(c->db) == 0)
		(void)connection_run(
			c,
			"ROLLBACK"); /* what is left open is rolled back before the next begins */
}

static int
begin(struct write_job *j)
{
	struct connection *c = &j->backend->writer.connection;

	roll_back(j);
	return connection_run(c, "BEGIN IMMEDIATE");
}

/* Runs to its end; the first row goes into `batch`. `types` may be NULL when the row does not
 * matter. */
static int
run_for_row(struct write_job *j, const struct statement *st, const enum value_type *types,
            size_t count, struct batch *batch, bool *ret_found)
{
	struct connection *c = &j->backend->writer.connection;
	struct prepared *p;
	char digits[DIGITS_ROOM];
	int result = sqlite_statement_start(st, c, &p);

	*ret_found = false;
	if (result != SQLITE_OK)
		return result;
	while ((result = sqlite3_step(p->statement)) == SQLITE_ROW) {
		for (size_t i = 0; i < count && !*ret_found; i++) {
			struct value v = sqlite_value_column(p->statement, (int)i, types[i],
			                                     &j->scratch, digits);
			batch_put(batch, &v);
		}
		*ret_found = true;
	}
	/* The message is read before the reset of another statement can replace it. */
	if (result != SQLITE_DONE) {
		j->error = sqlite_error(c->db, result);
		j->fault_column = sqlite_error_column(c->db, j->table);
	}
	connection_give(c, p);
	if (result != SQLITE_DONE) {
		j->error = sqlite_foreign_explain(j, j->error);
		return result;
	}
	return failed(buf_check(&batch->bytes)) ? SQLITE_TOOBIG : SQLITE_OK;
}

static struct err
job_error(struct write_job *j, int result)
{
	return failed(j->error) ? j->error : sqlite_error(j->backend->writer.connection.db, result);
}

static struct err
work_change(struct write_job *j)
{
	bool found;
	int result = begin(j);

	if ((result & 0xff) == SQLITE_BUSY) {
		j->is_busy = true;
		return OK;
	}
	/* Every time: writing into a file that no longer has the name would be lost without a word.
	 */
	if (result == SQLITE_OK && sqlite_has_moved(j->backend->writer.connection.db))
		return sqlite_error(NULL, SQLITE_READONLY_DBMOVED);
	if (result == SQLITE_OK)
		result = run_for_row(j, &j->change, j->key_types, j->key_count, &j->key, &found);
	if (result != SQLITE_OK)
		return job_error(j, result);
	return found ? OK : fail(ERR_NOT_FOUND, "no such row");
}

static struct err
work_check(struct write_job *j)
{
	bool found;
	int result = SQLITE_OK;

	if (j->check.text.len > 0) {
		result = run_for_row(j, &j->check, NULL, 0, &j->row, &found);
		if (result == SQLITE_OK && !found)
			return fail(ERR_DENIED, "the row would break the condition of the grant");
	}
	if (result == SQLITE_OK && j->read.text.len > 0)
		result = run_for_row(j, &j->read, j->row_types, j->row_count, &j->row, &found);
	return result == SQLITE_OK ? OK : job_error(j, result);
}

static struct err
work_commit(struct write_job *j)
{
	struct connection *c = &j->backend->writer.connection;
	int result = connection_run(c, "COMMIT");

	if ((result & 0xff) == SQLITE_BUSY) {
		j->is_busy = true;
		return OK;
	}
	/* A deferred foreign key is looked at only now. */
	return result == SQLITE_OK ? OK : sqlite_foreign_explain(j, sqlite_error(c->db, result));
}

void
write_work(uv_work_t *work)
{
	struct write_job *j = container_of(work, struct write_job, work);
	struct err e = OK;

	switch (j->phase) {
	case WRITE_CHANGE:
		e = work_change(j);
		break;
	case WRITE_CHECK:
		e = work_check(j);
		break;
	case WRITE_COMMIT:
		e = work_commit(j);
		break;
	case WRITE_ROLLBACK:
		roll_back(j);
		return;
	}
	j->error = e;
	if (failed(e))
		roll_back(j);
}
