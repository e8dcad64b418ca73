/* fixture.h - a database in a folder of its own, a backend on a loop of its own, hand-made grants,
 * and rows as text: "i:1 t:abc n f:1.5 b:true d:1.50 x:00ff" with one line a row. */
#ifndef TEST_BACKEND_FIXTURE_H
#define TEST_BACKEND_FIXTURE_H

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "backend/sqlite.h"
#include "test.h"

struct fixture {
	char folder[64], path[80];
	uv_loop_t loop;
	struct arena arena, request;
	struct backend_settings own;
	struct settings settings;
	struct backend *backend;
	const struct table *table;
	struct column_set all;
	struct grant_view view; /* all columns, all rows */
	struct grant grant;
	bool is_woken;
	/* of the last run */
	struct buf text;
	struct err error;
	size_t count;
	char column[64]; /* that the fault names */
	struct bytes sql;
};

static inline bool
sql_run(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	bool good = sqlite3_open(path, &db) == SQLITE_OK &&
	            sqlite3_busy_timeout(db, 5000) == SQLITE_OK &&
	            sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

	if (!good)
		printf("# %s\n", sqlite3_errmsg(db));
	sqlite3_close(db);
	return good;
}

/* The first column of the first row, as a number. */
static inline long long
sql_number(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	long long ret = -1;

	if (sqlite3_open(path, &db) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return ret;
}

/* A folder, and the settings of a backend in it; no file yet. */
static inline void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .folder = "/tmp/gatewarden-test-XXXXXX" };
	if (mkdtemp(f->folder) == NULL || uv_loop_init(&f->loop) != 0)
		abort();
	snprintf(f->path, sizeof f->path, "%s/data.db", f->folder);
	f->own = (struct backend_settings){ .name = "data",
		                            .type = BACKEND_SQLITE,
		                            .path = f->path,
		                            .statement_timeout_ms = 30000,
		                            .lock_timeout_ms = 5000 };
	f->settings = (struct settings){ .backends = &f->own, .backend_count = 1 };
}

static inline struct err
fixture_open(struct fixture *f)
{
	return backend_open(&f->settings, 0, &f->loop, &f->arena, &f->backend);
}

static inline struct err
fixture_table(struct fixture *f, const char *name)
{
	struct err e = backend_table(f->backend, name, &f->arena, &f->table);

	if (failed(e))
		return e;
	f->all = (struct column_set){ { 0 } };
	for (size_t i = 0; i < f->table->column_count; i++)
		column_set_add(&f->all, i);
	f->view = (struct grant_view){ .columns = f->all, .role = "any" };
	f->grant = (struct grant){ .table = f->table, .views = &f->view, .view_count = 1 };
	return OK;
}

/* All of it: create, open, read the schema of `table`. */
static inline void
fixture_start(struct fixture *f, const char *schema, const char *table)
{
	fixture_init(f);
	CHECK(sql_run(f->path, schema));
	struct err e = fixture_open(f);
	if (!failed(e))
		e = fixture_table(f, table);
	if (failed(e)) {
		printf("# %s (%d)\n", e.why, e.sys);
		abort();
	}
}

static inline void
fixture_remove(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	(void)unlink(path);
}

/* The loop must end by itself: what hangs here is a handle or a job that was lost. */
static inline void
fixture_done(struct fixture *f)
{
	static const char *const names[] = { "data.db", "data.db-wal", "data.db-shm",
		                             "data.db-journal", "old.db" };

	backend_close(f->backend);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&f->loop) == 0);
	buf_done(&f->text);
	arena_done(&f->request);
	arena_done(&f->arena);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		fixture_remove(f->folder, names[i]);
	CHECK(rmdir(f->folder) == 0);
}

static inline void
put_value(struct buf *out, const struct value *v)
{
	static const char marks[] = "nbidftxDTSuj"; /* by enum value_type */

	buf_put_u8(out, (uint8_t)marks[v->type]);
	if (v->type == VALUE_NULL)
		return;
	buf_put_u8(out, ':');
	if (v->type == VALUE_BOOL)
		buf_put_text(out, v->boolean ? "true" : "false");
	else if (v->type == VALUE_INT64)
		buf_put_decimal(out, v->int64);
	else if (v->type == VALUE_DOUBLE)
		buf_printf(out, "%.17g", v->real);
	else if (v->type == VALUE_BYTES)
		buf_put_hex(out, v->bytes);
	else
		buf_put(out, v->bytes);
}

static inline void
on_wake(void *of)
{
	((struct fixture *)of)->is_woken = true;
}

static inline void
wait_for_wake(struct fixture *f)
{
	while (!f->is_woken)
		uv_run(&f->loop, UV_RUN_ONCE);
	f->is_woken = false;
}

static inline struct err
next_row(struct fixture *f, struct rows *rows, const struct value **row)
{
	enum step step;

	for (;;) {
		struct err e = rows_next(rows, &step, row);
		if (failed(e) || step == STEP_DONE)
			return e;
		wait_for_wake(f);
	}
}

static inline struct err
commit_rows(struct fixture *f, struct rows *rows)
{
	enum step step;

	for (;;) {
		struct err e = rows_commit(rows, &step);
		if (failed(e) || step == STEP_DONE)
			return e;
		wait_for_wake(f);
	}
}

static inline struct err
start_rows(struct fixture *f, const struct operation *op, struct rows **rows,
           struct operation_fault *fault)
{
	struct operation full = *op;

	full.grant = op->grant != NULL ? op->grant : &f->grant;
	full.columns = op->columns != NULL ? op->columns : &f->all;
	full.limit = op->limit != 0 ? op->limit : 1000000;
	struct err e = backend_start(f->backend, &full, &f->request, rows, fault, &f->sql);
	if (failed(e))
		return e;
	(*rows)->wake = on_wake;
	(*rows)->wake_of = f;
	f->is_woken = false;
	return OK;
}

static inline struct err
drain(struct fixture *f, struct rows *rows)
{
	const struct value *row;

	for (;;) {
		struct err e = next_row(f, rows, &row);
		if (failed(e) || row == NULL)
			return e;
		f->count++;
		for (size_t i = 0; i < rows->column_count; i++) {
			if (i > 0)
				buf_put_u8(&f->text, ' ');
			put_value(&f->text, &row[i]);
		}
		buf_put_u8(&f->text, '\n');
	}
}

/* Runs to the end, commits, closes. What came is in f->text, f->count, f->error, f->column. A
 * column or grant not given means all; a write returns what `read` of the operation shows. */
static inline bool
run(struct fixture *f, struct operation op)
{
	struct rows *rows = NULL;
	struct operation_fault fault = { { NULL, 0 } };

	buf_clear(&f->text);
	f->count = 0;
	f->column[0] = 0;
	f->error = start_rows(f, &op, &rows, &fault);
	if (!failed(f->error))
		f->error = drain(f, rows);
	if (!failed(f->error))
		f->error = commit_rows(f, rows);
	snprintf(f->column, sizeof f->column, "%.*s", (int)fault.column.len,
	         (const char *)fault.column.at);
	rows_close(rows);
	buf_put_u8(&f->text, 0);
	arena_reset(&f->request);
	return !failed(f->error);
}

static inline bool
text_is(const struct fixture *f, const char *expected)
{
	bool same = strcmp((const char *)f->text.at, expected) == 0;

	if (!same)
		printf("# got: %.300s\n", (const char *)f->text.at);
	return same;
}

static inline bool
error_is(const struct fixture *f, enum err_kind kind, const char *why)
{
	bool same =
		f->error.kind == kind && f->error.why != NULL && strstr(f->error.why, why) != NULL;

	if (!same)
		printf("# got: kind %d, %s\n", f->error.kind,
		       f->error.why != NULL ? f->error.why : "nothing");
	return same;
}

static inline struct value
int_value(int64_t n)
{
	return (struct value){ .type = VALUE_INT64, .int64 = n };
}

static inline struct value
text_value(const char *text)
{
	return (struct value){ .type = VALUE_TEXT, .bytes = bytes_text(text) };
}

static inline struct operation
read_of(const struct value *key)
{
	return (struct operation){ .kind = OPERATION_READ, .key = key };
}

#endif
