/* sqlite_write.c - INSERT, UPDATE, DELETE: one write at a time on the worker's one writing
 * connection. This is the half that runs on the loop: the queue, the phases, the stream. */
#include "backend/sqlite_write.h"

#include <stdlib.h>

#include "backend/sqlite_error.h"
#include "backend/statement.h"
#include "base/clock.h"
#include "base/macros.h"

enum { RETRY_FIRST_MS = 1, RETRY_MOST_MS = 50 };

enum write_state {
	WRITE_NEW,
	WRITE_WAITING, /* for its job */
	WRITE_HELD,    /* done, not committed */
	WRITE_COMMITTED,
	WRITE_FAILED,
};

struct write_stream {
	struct rows rows;
	struct backend *backend;
	struct arena *arena; /* the request's */
	struct operation op; /* a copy; what it points to is the request's */
	struct statement change;
	struct value *row;
	struct batch batch; /* owned: the row to return */
	enum write_state state;
	bool was_read; /* the end was seen */
	struct write_job *job;
	struct operation_fault *fault;
	struct err error;
};

static void job_after(uv_work_t *work, int status);

static void
job_free(struct write_job *j)
{
	if (j == NULL)
		return;
	list_remove(&j->node);
	batch_done(&j->key);
	batch_done(&j->row);
	arena_done(&j->scratch);
	arena_done(&j->memory);
	free(j);
}

static void
job_run(struct write_job *j, enum write_phase phase)
{
	struct backend *b = j->backend;
	/* A commit is never stopped half-way: its outcome would be unknown. */
	bool is_limited = phase == WRITE_CHANGE || phase == WRITE_CHECK;

	j->phase = phase;
	j->is_running = true;
	j->is_busy = false;
	atomic_store(&b->writer.connection.watch.is_cancelled, false);
	connection_watch(&b->writer.connection,
	                 is_limited ? b->settings->statement_timeout_ms * UINT64_C(1000) : 0);
	(void)uv_queue_work(b->loop, &j->work, write_work,
	                    job_after); /* fails only without a function */
}

static void
writer_next(struct backend *b)
{
	struct writer *w = &b->writer;

	w->current = NULL;
	if (b->is_closing) {
		connection_close(&w->connection);
		return;
	}
	if (list_is_empty(&w->waiting))
		return;
	w->current = container_of(w->waiting.next, struct write_job, node);
	list_remove(&w->current->node);
	w->waiting_count--;
	job_run(w->current, WRITE_CHANGE);
}

/* Only a column that the caller knows anyway is named. */
static bool
is_known(const struct operation *op, size_t column)
{
	for (size_t i = 0; i < op->set_count; i++)
		if (op->set_columns[i] == column)
			return true;
	for (size_t i = 0; op->read != NULL && i < op->read->view_count; i++)
		if (column_set_has(&op->read->views[i].columns, column))
			return true;
	for (size_t i = 0; i < op->grant->view_count; i++)
		if (column_set_has(&op->grant->views[i].columns, column))
			return true;
	return false;
}

static void
stream_wake(struct write_stream *s)
{
	if (s->rows.wake != NULL)
		s->rows.wake(s->rows.wake_of);
}

/* The transaction is over, either way. */
static void
job_finish(struct write_job *j)
{
	struct backend *b = j->backend;
	struct write_stream *s = j->stream;

	sqlite_report(b, j->error);
	if (s != NULL) {
		s->job = NULL;
		s->error = j->error;
		s->state = failed(j->error) ? WRITE_FAILED : WRITE_COMMITTED;
		if (j->fault_column >= 0 && s->fault != NULL &&
		    is_known(&s->op, (size_t)j->fault_column))
			s->fault->column = j->table->columns[j->fault_column].name;
	}
	job_free(j);
	writer_next(b);
	if (s != NULL)
		stream_wake(s);
}

static void
job_hold(struct write_job *j)
{
	struct write_stream *s = j->stream;

	s->batch = j->row;
	j->row = (struct batch){ 0 };
	s->state = WRITE_HELD;
	j->held_us = clock_monotonic_us();
	sqlite_sweep_soon(j->backend);
	stream_wake(s);
}

static void
job_fail(struct write_job *j, struct err e)
{
	j->error = e;
	job_run(j, WRITE_ROLLBACK);
}

static void
on_retry(uv_timer_t *timer)
{
	struct write_job *j = ((struct backend *)timer->data)->writer.current;

	job_run(j, j->phase);
}

static void
job_wait_for_lock(struct write_job *j)
{
	static const struct err locked = { .kind = ERR_UPSTREAM,
		                           .code = SQLITE_BUSY,
		                           .why = "the database is locked by another writer" };
	struct backend *b = j->backend;
	uint64_t waited_ms = (clock_monotonic_us() - j->asked_us) / 1000,
		 most_ms = b->settings->lock_timeout_ms;

	if (j->stream == NULL || waited_ms >= most_ms) {
		job_fail(j, locked);
		return;
	}
	j->wait_ms = j->wait_ms == 0 ? RETRY_FIRST_MS : j->wait_ms * 2;
	if (j->wait_ms > RETRY_MOST_MS)
		j->wait_ms = RETRY_MOST_MS;
	if (j->wait_ms > most_ms - waited_ms)
		j->wait_ms = (unsigned)(most_ms - waited_ms);
	(void)uv_timer_start(&b->writer.retry, on_retry, j->wait_ms,
	                     0); /* fails only while closing */
}

static struct err
build_check(struct write_job *j, const struct value *key)
{
	const struct operation *op = &j->stream->op;
	CLEANUP(sql_done) struct sql sql = { 0 };

	if (!statement_is_conditional(op->grant))
		return OK;
	sql_init(&sql, DIALECT_SQLITE, &j->memory);
	TRY(statement_visible(op->grant, key, &sql));
	return sqlite_statement_keep(&sql, &j->memory, &j->check);
}

static struct err
build_read(struct write_job *j, const struct value *key)
{
	const struct operation *op = &j->stream->op;
	CLEANUP(sql_done) struct sql sql = { 0 };

	if (j->row_count == 0)
		return OK;
	sql_init(&sql, DIALECT_SQLITE, &j->memory);
	TRY(statement_read(op, op->read, key, &sql));
	return sqlite_statement_keep(&sql, &j->memory, &j->read);
}

/* The row was changed: what else is to be asked about it? */
static void
job_changed(struct write_job *j)
{
	struct value key[TABLE_KEY_MAX];
	struct err e = OK;

	if (j->stream->op.kind != OPERATION_DELETE && j->table->key_count > 0 &&
	    batch_next(&j->key, key, j->key_count)) {
		e = build_check(j, key);
		if (!failed(e))
			e = build_read(j, key);
	}
	if (failed(e))
		job_fail(j, e);
	else if (j->check.text.len > 0 || j->read.text.len > 0)
		job_run(j, WRITE_CHECK);
	else
		job_hold(j);
}

static void
job_after(uv_work_t *work, int status)
{
	struct write_job *j = container_of(work, struct write_job, work);

	(void)status;                /* other than 0 only after uv_cancel(), which nobody calls */
	sqlite_turn_end(j->backend); /* whoever reads from here on sees this change */
	j->is_running = false;
	if (j->is_busy) {
		job_wait_for_lock(j);
		return;
	}
	if (failed(j->error) || j->phase == WRITE_COMMIT || j->phase == WRITE_ROLLBACK)
		job_finish(j);
	else if (j->stream == NULL)
		job_run(j, WRITE_ROLLBACK);
	else if (j->phase == WRITE_CHANGE)
		job_changed(j);
	else
		job_hold(j);
}

/* The stream is closed: whatever is not committed is undone. */
static void
job_abandon(struct write_job *j)
{
	struct writer *w = &j->backend->writer;

	j->stream = NULL;
	if (w->current != j) {
		w->waiting_count--;
		job_free(j);
		return;
	}
	if (j->is_running) {
		if (j->phase != WRITE_COMMIT)
			atomic_store(&w->connection.watch.is_cancelled, true);
		return;
	}
	(void)uv_timer_stop(&w->retry); /* always 0 */
	job_run(j, WRITE_ROLLBACK);
}

bool
sqlite_write_sweep(struct backend *b, uint64_t before_us)
{
	struct write_job *j = b->writer.current;

	if (j == NULL || j->stream == NULL || j->stream->state != WRITE_HELD)
		return false;
	if (j->held_us < before_us) {
		j->stream->state = WRITE_WAITING;
		job_fail(j, fail(ERR_UPSTREAM, "the write was not committed in time"));
	}
	return true;
}

/* --- the stream
 * ----------------------------------------------------------------------------------- */

static struct err
job_fill(struct write_job *j, const struct write_stream *s)
{
	const struct table *t = j->table;

	/* A table without a key answers the number 1. */
	j->key_count = t->key_count > 0 ? t->key_count : 1;
	j->key_types[0] = VALUE_INT64;
	for (size_t i = 0; i < t->key_count; i++)
		j->key_types[i] = t->columns[t->key[i]].type;
	j->kind = s->op.kind;
	j->set_count = s->op.kind == OPERATION_DELETE ? 0 : s->op.set_count;
	uint16_t *set_columns = arena_array(&j->memory, j->set_count, sizeof *set_columns);
	if (set_columns == NULL && j->set_count > 0)
		return fail(ERR_LIMIT, "no memory for the request");
	if (j->set_count > 0)
		memcpy(set_columns, s->op.set_columns, j->set_count * sizeof *set_columns);
	j->set_columns = set_columns;
	j->row_count = s->rows.column_count;
	j->row_types = arena_array(&j->memory, j->row_count, sizeof *j->row_types);
	if (j->row_types == NULL && j->row_count > 0)
		return fail(ERR_LIMIT, "no memory for the request");
	for (size_t i = 0; i < j->row_count; i++)
		j->row_types[i] = s->rows.columns[i].type;
	return sqlite_statement_copy(&s->change, &j->memory, &j->change);
}

static struct err
job_start(struct write_stream *s)
{
	struct backend *b = s->backend;
	struct writer *w = &b->writer;

	TRY(sqlite_look(b));
	if (w->waiting_count >= QUEUE_MAX)
		return fail(ERR_LIMIT, "too many writes are waiting");

	struct write_job *j = calloc(1, sizeof *j);
	if (j == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	j->memory.limit = BUF_LIMIT_DEFAULT; /* a body of any size that was let in, and its copy */
	j->backend = b, j->stream = s, j->table = s->op.grant->table, j->fault_column = -1;
	j->asked_us = clock_monotonic_us();
	struct err e = job_fill(j, s);
	if (failed(e)) {
		job_free(j);
		return e;
	}
	s->job = j;
	s->state = WRITE_WAITING;
	list_append(&w->waiting, &j->node);
	w->waiting_count++;
	if (w->current == NULL)
		writer_next(b);
	return OK;
}

static struct err
write_fail(struct write_stream *s, struct err e)
{
	s->state = WRITE_FAILED;
	s->error = e;
	return e;
}

static struct err
write_next(struct rows *rows, enum step *step, const struct value **row)
{
	struct write_stream *s = container_of(rows, struct write_stream, rows);
	struct err e;

	*step = STEP_MORE;
	switch (s->state) {
	case WRITE_NEW:
		e = job_start(s);
		return failed(e) ? write_fail(s, e) : OK;
	case WRITE_WAITING:
		return OK;
	case WRITE_HELD:
	case WRITE_COMMITTED:
		*step = STEP_DONE;
		*row = batch_next(&s->batch, s->row, s->rows.column_count) ? s->row : NULL;
		s->was_read |= *row == NULL;
		return OK;
	case WRITE_FAILED:
		break;
	}
	return s->error;
}

static struct err
write_commit(struct rows *rows, enum step *step)
{
	struct write_stream *s = container_of(rows, struct write_stream, rows);

	*step = STEP_MORE;
	switch (s->state) {
	case WRITE_HELD:
		if (!s->was_read)
			break;
		s->state = WRITE_WAITING;
		job_run(s->job, WRITE_COMMIT);
		return OK;
	case WRITE_WAITING:
		return OK;
	case WRITE_COMMITTED:
		*step = STEP_DONE;
		return OK;
	case WRITE_FAILED:
		return s->error;
	case WRITE_NEW:
		break;
	}
	return fail(ERR_SYSTEM, "commit before the end of the rows");
}

static void
write_close(struct rows *rows)
{
	struct write_stream *s = container_of(rows, struct write_stream, rows);

	if (s->job != NULL)
		job_abandon(s->job);
	s->job = NULL;
	s->state = WRITE_FAILED;
	s->error = fail(ERR_SYSTEM, "the stream is closed");
	batch_done(&s->batch);
}

static struct err
build_change(const struct operation *op, struct arena *arena, struct statement *ret)
{
	CLEANUP(sql_done) struct sql sql = { 0 };

	sql_init(&sql, DIALECT_SQLITE, arena);
	if (op->kind == OPERATION_INSERT)
		TRY(statement_insert(op, &sql));
	else if (op->kind == OPERATION_UPDATE)
		TRY(statement_update(op, &sql));
	else
		TRY(statement_delete(op, &sql));
	return sqlite_statement_keep(&sql, arena, ret);
}

/* The operation outlives the call that brought it: the check after the change is built from it. */
static struct err
keep_operation(struct write_stream *s, const struct operation *op)
{
	static const struct column_set none = { 0 };
	bool returns = op->kind != OPERATION_DELETE && op->read != NULL && op->columns != NULL &&
	               op->grant->table->key_count > 0;
	struct column_set *columns = arena_alloc(s->arena, sizeof *columns);

	if (columns == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	*columns = returns ? *op->columns : none;
	s->op = *op;
	s->op.columns = columns;
	return sqlite_rows_init(&s->rows, op, columns, s->arena, &s->row);
}

struct err
sqlite_write_start(struct backend *b, const struct operation *op, struct arena *arena,
                   struct rows **ret, struct operation_fault *fault, struct bytes *sql_text)
{
	static const struct rows_ops ops = { write_next, write_commit, write_close };
	struct write_stream *s = arena_alloc(arena, sizeof *s);

	if (s == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	/* A trigger may do anything or nothing instead: what was written could not be told. */
	if (op->grant->table->is_view)
		return fail(ERR_INVALID, "a view is read only");
	/* Without a key the new row could not be found again to be checked. */
	if (op->grant->table->key_count == 0 && statement_is_conditional(op->grant))
		return fail(ERR_INVALID, "a table without a key takes no rows under a condition");
	s->rows.ops = &ops;
	s->backend = b;
	s->arena = arena;
	s->fault = fault;
	TRY(keep_operation(s, op));
	TRY(build_change(op, arena, &s->change));
	*sql_text = s->change.text;
	*ret = &s->rows;
	return OK;
}
