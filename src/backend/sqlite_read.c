/* sqlite_read.c - LIST and READ.
 *
 * A read first runs on the loop, where most end within microseconds. One row by key is stepped once
 * and its values borrowed from SQLite: nothing is copied. A list is gathered into a batch, so no
 * statement stays open on the loop's connection between two turns (an open one would pin an old
 * view of the data for all that come after). What exceeds its budget of time or bytes there is
 * dropped before anything was given out, and starts over as a job on a pool thread: it fills a
 * batch, hands it to the loop, and goes on when the consumer has read it. */
#include "backend/sqlite.h"

#include <stdlib.h>

#include "backend/sqlite_error.h"
#include "backend/sqlite_value.h"
#include "backend/statement.h"
#include "base/clock.h"
#include "base/macros.h"

enum {
	LOOP_BATCH_BYTES = 256 << 10,
	JOB_BATCH_BYTES = 64 << 10,
	SLOW_RUNS =
		16, /* this often a statement that was slow on the loop is not tried there again */
};

enum read_state {
	READ_NEW,
	READ_ROW,   /* by key: the row given out is still SQLite's */
	READ_BATCH, /* all rows are in `batch` */
	READ_JOB,
	READ_END,
	READ_FAILED,
};

struct read_stream {
	struct rows rows;
	struct backend *backend;
	struct statement statement; /* in the request's arena */
	struct value *row;
	enum value_type *types; /* of the columns */
	char *digits;           /* DIGITS_ROOM for each value of a row by key */
	enum read_state state;
	bool is_single;
	bool has_row;              /* one was given out */
	struct prepared *prepared; /* READ_ROW */
	struct batch batch;        /* owned */
	struct read_job *job;      /* READ_JOB */
	struct arena scratch;
	struct err error;
};

struct read_job {
	uv_work_t work;
	struct backend *backend;
	struct read_stream *stream;    /* NULL: closed; nobody wants the rows */
	struct connection *connection; /* NULL: waits for one, or has given it back */
	struct prepared *prepared;
	struct arena memory; /* of the statement */
	struct statement statement;
	enum value_type *types;
	size_t column_count;
	struct batch batch;
	struct arena scratch;
	struct list node; /* in readers.waiting or readers.held */
	uint64_t used_us;
	uint64_t held_us; /* since when */
	bool is_running, is_waiting;
	bool has_ended; /* no rows after this batch, or `error` */
	struct err error;
};

/* Copies rows until `bytes` are there. SQLITE_ROW: there may be more; SQLITE_DONE: that was all. */
static int
gather(sqlite3_stmt *st, const enum value_type *types, size_t count, size_t bytes,
       struct arena *scratch, struct batch *batch)
{
	char digits[DIGITS_ROOM];

	for (;;) {
		if (batch->bytes.len >= bytes)
			return SQLITE_ROW;
		int result = sqlite3_step(st);
		if (result != SQLITE_ROW)
			return result;
		for (size_t i = 0; i < count; i++) {
			struct value v = sqlite_value_column(st, (int)i, types[i], scratch, digits);
			batch_put(batch, &v);
		}
		if (failed(buf_check(&batch->bytes)))
			return SQLITE_TOOBIG;
	}
}

/* A value too large is the caller's fault only where it was the caller's. */
static struct err
read_error(sqlite3 *db, int result)
{
	if ((result & 0xff) == SQLITE_TOOBIG)
		return fail(ERR_UPSTREAM, "a row is too large to be read");
	return sqlite_error(db, result);
}

/* --- the job
 * -------------------------------------------------------------------------------------- */

static void
job_free(struct read_job *j)
{
	if (j == NULL)
		return;
	list_remove(&j->node);
	batch_done(&j->batch);
	arena_done(&j->scratch);
	arena_done(&j->memory);
	free(j);
}

static uint64_t
job_limit_us(const struct read_job *j)
{
	uint64_t limit = j->backend->settings->statement_timeout_ms * UINT64_C(1000);

	if (limit == 0)
		return 0;
	return limit > j->used_us ? limit - j->used_us : 1;
}

/* On a pool thread. */
static void
job_work(uv_work_t *work)
{
	struct read_job *j = container_of(work, struct read_job, work);
	struct connection *c = j->connection;
	uint64_t start = clock_monotonic_us();
	int result = SQLITE_OK;

	if (j->prepared == NULL)
		result = sqlite_statement_start(&j->statement, c, &j->prepared);
	if (result == SQLITE_OK)
		result = gather(j->prepared->statement, j->types, j->column_count, JOB_BATCH_BYTES,
		                &j->scratch, &j->batch);
	j->used_us += clock_monotonic_us() - start;
	if (result == SQLITE_ROW)
		return;
	if (result != SQLITE_DONE)
		j->error = read_error(c->db, result);
	j->has_ended = true;
	connection_give(c, j->prepared);
	j->prepared = NULL;
}

static void job_run(struct read_job *j);

/* Gives the connection to the next that waits for one. */
static void
job_leave_connection(struct read_job *j)
{
	struct backend *b = j->backend;
	struct connection *c = j->connection;

	connection_give(c, j->prepared);
	j->prepared = NULL, j->connection = NULL;
	if (b->is_closing) {
		connection_close(c);
		return;
	}
	if (list_is_empty(&b->readers.waiting)) {
		list_append(&b->readers.free, &c->node);
		return;
	}

	struct read_job *next = container_of(b->readers.waiting.next, struct read_job, node);
	list_remove(&next->node);
	b->readers.waiting_count--;
	next->is_waiting = false;
	next->connection = c;
	job_run(next);
}

static void
job_after(uv_work_t *work, int status)
{
	struct read_job *j = container_of(work, struct read_job, work);
	struct read_stream *s = j->stream;

	(void)status; /* other than 0 only after uv_cancel(), which nobody calls */
	j->is_running = false;
	if (j->has_ended || s == NULL)
		job_leave_connection(j);
	if (s == NULL) {
		job_free(j);
		return;
	}
	if (!j->has_ended) {
		j->held_us = clock_monotonic_us();
		list_append(&j->backend->readers.held, &j->node);
		sqlite_sweep_soon(j->backend);
	}
	if (s->rows.wake != NULL)
		s->rows.wake(s->rows.wake_of);
}

static void
job_run(struct read_job *j)
{
	list_remove(&j->node);
	j->is_running = true;
	atomic_store(&j->connection->watch.is_cancelled, false);
	connection_watch(j->connection, job_limit_us(j));
	(void)uv_queue_work(j->backend->loop, &j->work, job_work,
	                    job_after); /* fails only without a function */
}

static struct err
job_fill(struct read_job *j, const struct read_stream *s)
{
	j->types = arena_array(&j->memory, s->rows.column_count, sizeof *j->types);
	if (j->types == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	j->column_count = s->rows.column_count;
	memcpy(j->types, s->types, j->column_count * sizeof *j->types);
	return sqlite_statement_copy(&s->statement, &j->memory, &j->statement);
}

static struct err
job_start(struct read_stream *s)
{
	struct backend *b = s->backend;

	if (b->readers.waiting_count >= QUEUE_MAX)
		return fail(ERR_LIMIT, "too many slow reads are waiting");

	struct read_job *j = calloc(1, sizeof *j);
	if (j == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	struct err e = job_fill(j, s);
	if (failed(e)) {
		job_free(j);
		return e;
	}
	j->backend = b, j->stream = s, s->job = j;
	s->state = READ_JOB;
	if (list_is_empty(&b->readers.free)) {
		j->is_waiting = true;
		list_append(&b->readers.waiting, &j->node);
		b->readers.waiting_count++;
		return OK;
	}
	j->connection = container_of(b->readers.free.next, struct connection, node);
	list_remove(&j->connection->node);
	job_run(j);
	return OK;
}

/* The stream is gone: what runs is told to stop and frees itself when it has. */
static void
job_abandon(struct read_job *j)
{
	j->stream = NULL;
	if (j->is_running) {
		atomic_store(&j->connection->watch.is_cancelled, true);
		return;
	}
	if (j->is_waiting)
		j->backend->readers.waiting_count--;
	list_remove(&j->node);
	if (j->connection != NULL)
		job_leave_connection(j);
	job_free(j);
}

bool
sqlite_read_sweep(struct backend *b, uint64_t before_us)
{
	struct list *l = b->readers.held.next;

	while (l != &b->readers.held) {
		struct read_job *j = container_of(l, struct read_job, node);
		l = l->next;
		if (j->held_us >= before_us)
			continue;
		list_remove(&j->node);
		j->error = fail(ERR_LIMIT, "the rows were not fetched in time");
		j->has_ended = true;
		job_leave_connection(j);
	}
	return !list_is_empty(&b->readers.held);
}

/* --- on the loop
 * ---------------------------------------------------------------------------------- */

static struct err
read_fail(struct read_stream *s, struct err e)
{
	s->state = READ_FAILED;
	s->error = e;
	sqlite_report(s->backend, e);
	return e;
}

static struct err
read_end(struct read_stream *s, enum step *step, const struct value **row)
{
	if (s->is_single && !s->has_row)
		return read_fail(s, fail(ERR_NOT_FOUND, "no such row"));
	s->state = READ_END;
	*step = STEP_DONE;
	*row = NULL;
	return OK;
}

static struct err
read_give(struct read_stream *s, enum step *step, const struct value **row)
{
	s->has_row = true;
	*step = STEP_DONE;
	*row = s->row;
	return OK;
}

static void
read_release_row(struct read_stream *s)
{
	connection_give(&s->backend->direct, s->prepared);
	s->prepared = NULL;
	s->backend->direct_rows--;
}

static struct err
next_of_batch(struct read_stream *s, enum step *step, const struct value **row)
{
	if (batch_next(&s->batch, s->row, s->rows.column_count))
		return read_give(s, step, row);
	return read_end(s, step, row);
}

static struct err
next_of_job(struct read_stream *s, enum step *step, const struct value **row)
{
	struct read_job *j = s->job;

	*step = STEP_MORE;
	if (j->is_running || j->is_waiting)
		return OK;
	if (batch_next(&j->batch, s->row, s->rows.column_count))
		return read_give(s, step, row);
	if (failed(j->error))
		return read_fail(s, j->error);
	if (j->has_ended)
		return read_end(s, step, row);
	batch_clear(&j->batch);
	job_run(j);
	return OK;
}

/* Moves to a thread. */
static struct err
read_move(struct read_stream *s, enum step *step)
{
	batch_done(&s->batch);
	struct err e = job_start(s);
	if (failed(e))
		return read_fail(s, e);
	*step = STEP_MORE;
	return OK;
}

static int
gather_direct(struct read_stream *s, sqlite3_stmt *st)
{
	return gather(st, s->types, s->rows.column_count, LOOP_BATCH_BYTES, &s->scratch, &s->batch);
}

static struct err
borrow_row(struct read_stream *s, struct prepared *p, enum step *step, const struct value **row)
{
	for (size_t i = 0; i < s->rows.column_count; i++)
		s->row[i] = sqlite_value_column(p->statement, (int)i, s->types[i], &s->scratch,
		                                s->digits + i * DIGITS_ROOM);
	s->prepared = p;
	s->backend->direct_rows++;
	s->state = READ_ROW;
	return read_give(s, step, row);
}

static bool
belongs_on_a_thread(int result)
{
	/* ROW: too many bytes. INTERRUPT: the budget is used up. BUSY: a lock, for which a thread
	 * may sleep.
	 */
	return result == SQLITE_ROW || result == SQLITE_INTERRUPT || (result & 0xff) == SQLITE_BUSY;
}

static struct err
next_direct(struct read_stream *s, enum step *step, const struct value **row)
{
	struct backend *b = s->backend;
	struct prepared *p;
	struct err e = sqlite_look(b);

	if (failed(e))
		return read_fail(s, e);
	if (b->direct_rows > 0)
		return read_move(s, step);
	sqlite_turn_begin(b);

	int result = sqlite_statement_start(&s->statement, &b->direct, &p);
	if (result != SQLITE_OK)
		return (result & 0xff) == SQLITE_BUSY
		               ? read_move(s, step)
		               : read_fail(s, read_error(b->direct.db, result));
	if (p->slow > 0) {
		p->slow--;
		connection_give(&b->direct, p);
		return read_move(s, step);
	}
	connection_watch(&b->direct, b->loop_budget_us);
	result = s->is_single ? sqlite3_step(p->statement) : gather_direct(s, p->statement);
	if (result == SQLITE_ROW && s->is_single)
		return borrow_row(s, p, step, row);

	e = result == SQLITE_DONE ? OK : read_error(b->direct.db, result);
	if (belongs_on_a_thread(result))
		p->slow = SLOW_RUNS;
	connection_give(&b->direct, p);
	if (belongs_on_a_thread(result))
		return read_move(s, step);
	if (failed(e))
		return read_fail(s, e);
	s->state = READ_BATCH;
	return next_of_batch(s, step, row);
}

static struct err
read_next(struct rows *rows, enum step *step, const struct value **row)
{
	struct read_stream *s = container_of(rows, struct read_stream, rows);

	switch (s->state) {
	case READ_NEW:
		return next_direct(s, step, row);
	case READ_ROW:
		read_release_row(s);
		return read_end(s, step, row);
	case READ_BATCH:
		return next_of_batch(s, step, row);
	case READ_JOB:
		return next_of_job(s, step, row);
	case READ_END:
		return read_end(s, step, row);
	case READ_FAILED:
		break;
	}
	return s->error;
}

static struct err
read_commit(struct rows *rows, enum step *step)
{
	(void)rows;
	*step = STEP_DONE;
	return OK;
}

static void
read_close(struct rows *rows)
{
	struct read_stream *s = container_of(rows, struct read_stream, rows);

	if (s->state == READ_ROW)
		read_release_row(s);
	if (s->job != NULL)
		job_abandon(s->job);
	s->job = NULL;
	s->state = READ_END;
	batch_done(&s->batch);
	arena_done(&s->scratch);
}

static struct err
build(const struct operation *op, struct arena *arena, struct statement *ret)
{
	CLEANUP(sql_done) struct sql sql = { 0 };

	sql_init(&sql, DIALECT_SQLITE, arena);
	TRY(op->kind == OPERATION_LIST ? statement_list(op, &sql)
	                               : statement_read(op, op->grant, op->key, &sql));
	return sqlite_statement_keep(&sql, arena, ret);
}

static struct err
make_room(struct read_stream *s, struct arena *arena)
{
	size_t count = s->rows.column_count;

	s->types = arena_array(arena, count, sizeof *s->types);
	s->digits = arena_alloc(arena, s->is_single ? count * DIGITS_ROOM : 1);
	if (s->types == NULL || s->digits == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	for (size_t i = 0; i < count; i++)
		s->types[i] = s->rows.columns[i].type;
	return OK;
}

struct err
sqlite_read_start(struct backend *b, const struct operation *op, struct arena *arena,
                  struct rows **ret, struct bytes *sql_text)
{
	static const struct rows_ops ops = { read_next, read_commit, read_close };
	struct read_stream *s = arena_alloc(arena, sizeof *s);

	if (s == NULL)
		return fail(ERR_LIMIT, "no memory for the request");
	s->rows.ops = &ops;
	s->backend = b;
	s->is_single = op->kind == OPERATION_READ;
	TRY(build(op, arena, &s->statement));
	TRY(sqlite_rows_init(&s->rows, op, op->columns, arena, &s->row));
	TRY(make_room(s, arena));
	*sql_text = s->statement.text;
	*ret = &s->rows;
	return OK;
}
