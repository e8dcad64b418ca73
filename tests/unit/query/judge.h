/* judge.h - what SQL means is said by a real SQLite database in memory, what a filter should mean
 * by the test itself. For the tests of query, policy and statements. */
#ifndef TEST_QUERY_JUDGE_H
#define TEST_QUERY_JUDGE_H

#include <sqlite3.h>

#include "query/sql.h"
#include "test.h"

enum { JUDGE_ROWS_MAX = 4096 };

struct judge {
	sqlite3 *db;
	int count;                           /* rows of the last statement, -1 when it failed */
	sqlite3_int64 first[JUDGE_ROWS_MAX]; /* first column of each */
};

static inline bool
judge_open(struct judge *j, const char *setup)
{
	*j = (struct judge){ 0 };
	if (sqlite3_open(":memory:", &j->db) != SQLITE_OK ||
	    sqlite3_exec(j->db, setup, NULL, NULL, NULL) != SQLITE_OK) {
		printf("# %s\n", sqlite3_errmsg(j->db));
		abort();
	}
	return true;
}

static inline void
judge_close(struct judge *j)
{
	sqlite3_close(j->db);
}

static inline int
judge_bind(sqlite3_stmt *st, int n, struct value v)
{
	switch (v.type) {
	case VALUE_NULL:
		return sqlite3_bind_null(st, n);
	case VALUE_BOOL:
		return sqlite3_bind_int(st, n, v.boolean);
	case VALUE_INT64:
		return sqlite3_bind_int64(st, n, v.int64);
	case VALUE_DOUBLE:
		return sqlite3_bind_double(st, n, v.real);
	default:
		return sqlite3_bind_text(st, n, v.bytes.len == 0 ? "" : (const char *)v.bytes.at,
		                         (int)v.bytes.len, SQLITE_TRANSIENT);
	}
}

/* Prepares the one statement of `text` and binds; NULL and a line of complaint when it cannot. A
 * second statement behind the first is a failure too: that is what an injection would make. */
static inline sqlite3_stmt *
judge_prepare(struct judge *j, struct bytes text, const struct value *values, size_t count)
{
	sqlite3_stmt *st = NULL;
	const char *tail = NULL;
	bool good = sqlite3_prepare_v2(j->db, (const char *)text.at, (int)text.len, &st, &tail) ==
	                    SQLITE_OK &&
	            tail == (const char *)text.at + text.len &&
	            sqlite3_bind_parameter_count(st) == (int)count;

	for (size_t i = 0; good && i < count; i++)
		good = judge_bind(st, (int)i + 1, values[i]) == SQLITE_OK;
	if (!good) {
		printf("# %s in %.*s\n", sqlite3_errmsg(j->db), (int)text.len,
		       (const char *)text.at);
		sqlite3_finalize(st);
		return NULL;
	}
	return st;
}

/* Runs it and keeps the first column of each row. */
static inline int
judge_run_text(struct judge *j, struct bytes text, const struct value *values, size_t count)
{
	sqlite3_stmt *st = judge_prepare(j, text, values, count);
	int result = SQLITE_ERROR;

	j->count = -1;
	if (st == NULL)
		return -1;
	j->count = 0;
	while ((result = sqlite3_step(st)) == SQLITE_ROW && j->count < JUDGE_ROWS_MAX)
		j->first[j->count++] = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (result != SQLITE_DONE) {
		printf("# %s\n", sqlite3_errmsg(j->db));
		j->count = -1;
	}
	return j->count;
}

static inline int
judge_run(struct judge *j, const struct sql *s)
{
	if (failed(sql_check(s))) {
		printf("# %s\n", sql_check(s).why);
		return j->count = -1;
	}
	return judge_run_text(j, buf_bytes(&s->text), s->values, s->value_count);
}

/* The rows as "1 2 5". */
static inline const char *
judge_text(const struct judge *j, char *room, size_t len)
{
	size_t at = 0;

	room[0] = '\0';
	if (j->count < 0)
		return "error";
	for (int i = 0; i < j->count && at + 24 < len; i++)
		at += (size_t)snprintf(room + at, len - at, "%s%lld", i == 0 ? "" : " ",
		                       (long long)j->first[i]);
	return room;
}

#endif
