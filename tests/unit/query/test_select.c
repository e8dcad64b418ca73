/* Keyset paging, judged by SQLite: in every direction, over NULLs and duplicates, each row comes
 * once and in order. And what the small parts (values, names, sets) promise. */
#include "query/select.h"

#include "query/filter.h"
#include "query/literal.h"
#include "unit/query/books.h"
#include "unit/query/judge.h"
#include "test.h"

static const struct column pair_columns[] = {
	{ .name = { (const uint8_t *)"id", 2 }, .type = VALUE_INT64 },
	{ .name = { (const uint8_t *)"a", 1 }, .type = VALUE_INT64, .nullable = true },
	{ .name = { (const uint8_t *)"b", 1 }, .type = VALUE_TEXT, .nullable = true },
};
static const struct table pairs = { .name = { (const uint8_t *)"pairs", 5 },
	                            .columns = pair_columns,
	                            .column_count = 3,
	                            .key = { 0 },
	                            .key_count = 1 };
enum { PAIRS = 60 };

static void
fill_pairs(struct judge *j)
{
	judge_open(
		j,
		"CREATE TABLE pairs (id INTEGER PRIMARY KEY, a INTEGER, b TEXT);"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
		"INSERT INTO pairs SELECT i, CASE i % 5 WHEN 0 THEN NULL ELSE i % 5 - 3 END,"
		" CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'x' ELSE 'y' END FROM n");
}

static struct value
column_value(sqlite3_stmt *st, int column)
{
	switch (sqlite3_column_type(st, column)) {
	case SQLITE_INTEGER:
		return (struct value){ .type = VALUE_INT64,
			               .int64 = sqlite3_column_int64(st, column) };
	case SQLITE_TEXT:
		return (struct value){ .type = VALUE_TEXT,
			               .bytes = { sqlite3_column_text(st, column),
			                          (size_t)sqlite3_column_bytes(st, column) } };
	}
	return (struct value){ .type = VALUE_NULL };
}

/* One page after `after` (NULL: the first); the ids go to `ids`, the last row's values to `last`.
 */
static int
read_page(struct judge *j, const struct order_term *order, size_t count, const struct value *after,
          int limit, sqlite3_int64 *ids, struct arena *arena, struct value *last)
{
	struct sql out;
	int rows = 0;

	sql_init(&out, DIALECT_SQLITE, arena);
	sql_put(&out, "SELECT id, a, b FROM pairs WHERE ");
	if (after != NULL)
		select_put_after(&out, &pairs, order, count, after);
	else
		sql_put(&out, "1 = 1");
	sql_put(&out, " ORDER BY ");
	select_put_order(&out, &pairs, order, count);
	sql_put(&out, " LIMIT ");
	sql_bind(&out, (struct value){ .type = VALUE_INT64, .int64 = limit });
	CHECK(!failed(sql_check(&out)));

	sqlite3_stmt *st = judge_prepare(j, buf_bytes(&out.text), out.values, out.value_count);
	for (; st != NULL && sqlite3_step(st) == SQLITE_ROW; rows++) {
		ids[rows] = sqlite3_column_int64(st, 0);
		for (size_t i = 0; i < count; i++)
			CHECK(!failed(
				value_copy(column_value(st, order[i].column), arena, &last[i])));
	}
	sqlite3_finalize(st);
	sql_done(&out);
	return rows;
}

static void
check_paging(struct judge *j, const struct order_term *order, size_t count, int limit)
{
	struct arena arena = { 0 };
	sqlite3_int64 all[PAIRS + 1], page[PAIRS + 1];
	struct value last[ORDER_MAX], after[ORDER_MAX];
	int seen = 0, rows;

	CHECK(read_page(j, order, count, NULL, PAIRS + 1, all, &arena, last) == PAIRS);
	for (bool first = true;; first = false) {
		rows = read_page(j, order, count, first ? NULL : after, limit, page, &arena, last);
		for (int i = 0; i < rows && seen + i < PAIRS; i++)
			CHECK(page[i] == all[seen + i]);
		seen += rows;
		memcpy(after, last, sizeof after);
		if (rows < limit || test_failed)
			break;
	}
	CHECK(seen == PAIRS);
	arena_done(&arena);
}

static void
test_keyset_visits_each_row_once_in_every_direction(void)
{
	struct judge j;

	fill_pairs(&j);
	for (unsigned way = 0; way < 8; way++)
		for (unsigned swap = 0; swap < 2; swap++)
			for (int limit = 1; limit < 9; limit += 3) {
				const struct order_term order[] = {
					{ (uint16_t)(1 + swap), way & 1 },
					{ (uint16_t)(2 - swap), way & 2 },
					{ 0, way & 4 }
				};

				check_paging(&j, order, 3, limit);
				check_paging(&j, order + 1, 2, limit);
				check_paging(&j, order + 2, 1, limit);
			}
	judge_close(&j);
}

static void
test_order_puts_null_first_everywhere(void)
{
	const struct order_term order[] = { { 1, false }, { 2, true }, { 0, false } };
	struct arena arena = { 0 };
	struct sql out;

	sql_init(&out, DIALECT_POSTGRES, &arena);
	select_put_order(&out, &pairs, order, 3);
	CHECK(bytes_is(buf_bytes(&out.text), "\"a\" NULLS FIRST, \"b\" DESC NULLS LAST, \"id\""));
	sql_done(&out);
	sql_init(&out, DIALECT_SQLITE, &arena);
	select_put_order(&out, &pairs, order, 3);
	CHECK(bytes_is(buf_bytes(&out.text), "`a`, `b` DESC, `id`"));
	sql_done(&out);
	arena_done(&arena);
}

static void
test_keyset_seeks_in_an_index(void)
{
	const struct order_term order[] = { { 1, false }, { 0, false } };
	const struct value after[] = { { .type = VALUE_INT64, .int64 = 1 },
		                       { .type = VALUE_INT64, .int64 = 9 } };
	struct arena arena = { 0 };
	struct judge j;
	struct sql out;

	fill_pairs(&j);
	sqlite3_exec(j.db, "CREATE INDEX by_a ON pairs (a, id)", NULL, NULL, NULL);
	sql_init(&out, DIALECT_SQLITE, &arena);
	sql_put(&out, "EXPLAIN QUERY PLAN SELECT id FROM pairs WHERE ");
	select_put_after(&out, &pairs, order, 2, after);
	sql_put(&out, " ORDER BY ");
	select_put_order(&out, &pairs, order, 2);

	sqlite3_stmt *st = judge_prepare(&j, buf_bytes(&out.text), out.values, out.value_count);
	CHECK(st != NULL && sqlite3_step(st) == SQLITE_ROW);
	const char *plan = (const char *)sqlite3_column_text(st, 3);
	CHECK(plan != NULL && strstr(plan, "SEARCH") != NULL && strstr(plan, "by_a (a>?)") != NULL);
	sqlite3_finalize(st);
	sql_done(&out);
	arena_done(&arena);
	judge_close(&j);
}

static void
test_bad_clauses_are_errors(void)
{
	const struct table keyless = { .name = BYTES("t"),
		                       .columns = pair_columns,
		                       .column_count = 3 };
	const struct order_term outside = { 3, false };
	const struct value one = { .type = VALUE_INT64, .int64 = 1 };
	struct arena arena = { 0 };
	struct sql out;

	sql_init(&out, DIALECT_SQLITE, &arena);
	select_put_key(&out, &keyless, &one);
	CHECK(sql_check(&out).kind == ERR_INVALID);
	sql_done(&out);
	sql_init(&out, DIALECT_SQLITE, &arena);
	select_put_order(&out, &pairs, &outside, 1);
	CHECK(sql_check(&out).kind == ERR_INVALID);
	sql_done(&out);
	sql_init(&out, DIALECT_SQLITE, &arena);
	select_put_after(&out, &pairs, &outside, 0, &one);
	CHECK(sql_check(&out).kind == ERR_INVALID);
	sql_done(&out);
	sql_init(&out, DIALECT_SQLITE, &arena);
	sql_put_name(&out, BYTES("a\0b"));
	CHECK(sql_check(&out).kind == ERR_INVALID);
	sql_done(&out);
	arena_done(&arena);
}

/* Names, parameters, values */

static void
test_names_are_quoted_in_every_dialect(void)
{
	static const struct {
		enum dialect dialect;
		const char *text;
	} rows[] = { { DIALECT_SQLITE, "`a``b]\"c`?1" },
		     { DIALECT_TSQL, "[a`b]]\"c]@p1" },
		     { DIALECT_POSTGRES, "\"a`b]\"\"c\"$1" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct sql out;

		sql_init(&out, rows[i].dialect, &arena);
		sql_put_name(&out, BYTES("a`b]\"c"));
		sql_bind(&out, (struct value){ .type = VALUE_BOOL, .boolean = true });
		CHECK_ROW(bytes_is(buf_bytes(&out.text), rows[i].text), rows[i].text);
		sql_done(&out);
		arena_done(&arena);
	}
}

static void
test_parameters_are_bounded_and_copied(void)
{
	struct arena arena = { 0 };
	struct sql out;
	char text[] = "abc";

	sql_init(&out, DIALECT_SQLITE, &arena);
	for (size_t i = 0; i < SQL_PARAMETERS_MAX; i++)
		sql_bind(&out, (struct value){ .type = VALUE_TEXT, .bytes = bytes_text(text) });
	memset(text, 'x', 3);
	CHECK(!failed(sql_check(&out)) && out.value_count == SQL_PARAMETERS_MAX);
	for (size_t i = 0; i < out.value_count; i++)
		CHECK(bytes_is(out.values[i].bytes, "abc"));
	sql_bind(&out, (struct value){ .type = VALUE_NULL });
	CHECK(sql_check(&out).kind == ERR_LIMIT && out.value_count == SQL_PARAMETERS_MAX);
	sql_done(&out);
	arena_done(&arena);
}

static void
test_first_error_of_a_statement_stays(void)
{
	struct arena arena = { 0 };
	struct sql out;

	sql_init(&out, DIALECT_SQLITE, &arena);
	sql_put(&out, "a");
	sql_fail(&out, fail(ERR_DENIED, "first"));
	sql_fail(&out, fail(ERR_INVALID, "second"));
	sql_put(&out, "b");
	sql_bind(&out, (struct value){ .type = VALUE_NULL });
	CHECK(sql_check(&out).kind == ERR_DENIED && bytes_is(buf_bytes(&out.text), "a"));
	sql_done(&out);
	arena_done(&arena);
}

static void
test_full_arena_fails_the_statement(void)
{
	struct arena arena = { .limit = 4096 };
	static const uint8_t big[8192];
	struct sql out;

	sql_init(&out, DIALECT_SQLITE, &arena);
	sql_bind(&out, (struct value){ .type = VALUE_BYTES, .bytes = { big, sizeof big } });
	CHECK(sql_check(&out).kind == ERR_LIMIT);
	sql_done(&out);
	arena_done(&arena);
}

static void
test_column_sets_do_set_arithmetic(void)
{
	struct column_set all = { { 0 } }, some = { { 0 } }, none = { { 0 } };

	column_set_add_all(&all, &books);
	column_set_add(&some, 2);
	column_set_add(&some, 255);
	CHECK(column_set_is_empty(&none) && !column_set_is_empty(&some));
	CHECK(!column_set_covers(&all, &some) && column_set_covers(&all, &none));
	column_set_remove(&some, 255);
	CHECK(column_set_covers(&all, &some) && !column_set_covers(&some, &all));
	column_set_remove(&all, 2);
	CHECK(!column_set_covers(&all, &some));
	column_set_unite(&all, &some);
	CHECK(column_set_covers(&all, &some) && column_set_has(&all, 2));
	CHECK(table_column(&books, BYTES("price")) == PRICE &&
	      table_column(&books, BYTES("PRICE")) == -1);
	CHECK(table_column(&books, BYTES("")) == -1);
}

static void
test_literals_fit_exactly_or_not_at_all(void)
{
	static const struct {
		enum value_type column;
		const char *text;
		bool fits;
		enum value_type type;
	} rows[] = {
		{ VALUE_INT64, "-9223372036854775808", true, VALUE_INT64 },
		{ VALUE_INT64, "9223372036854775807", true, VALUE_INT64 },
		{ VALUE_INT64, "9223372036854775808", true, VALUE_DECIMAL },
		{ VALUE_INT64, "-9223372036854775809", true, VALUE_DECIMAL },
		{ VALUE_INT64, "1.0", true, VALUE_DECIMAL },
		{ VALUE_INT64, "1e2", true, VALUE_DOUBLE },
		{ VALUE_INT64, "-", false, 0 },
		{ VALUE_INT64, "", false, 0 },
		{ VALUE_INT64, " 1", false, 0 },
		{ VALUE_INT64, "1_0", false, 0 },
		{ VALUE_DECIMAL, "12", true, VALUE_DECIMAL },
		{ VALUE_DECIMAL, "1e2", true, VALUE_DOUBLE },
		{ VALUE_DOUBLE, "12", true, VALUE_DOUBLE },
		{ VALUE_DOUBLE, "-1.5E-3", true, VALUE_DOUBLE },
		{ VALUE_DOUBLE, "1e309", false, 0 },
		{ VALUE_DOUBLE, "inf", false, 0 },
		{ VALUE_DOUBLE, "11111111111111111111111111111111111111111111111111111111111111111",
		  false, 0 },
		{ VALUE_TEXT, "42", true, VALUE_TEXT },
		{ VALUE_BOOL, "true", true, VALUE_BOOL },
		{ VALUE_BOOL, "True", false, 0 },
		{ VALUE_TIMESTAMP, "2026-11-22", true, VALUE_TIMESTAMP },
		{ VALUE_TIMESTAMP, "2026-13-22", false, 0 },
		{ VALUE_UUID, "00000000-0000-0000-0000-00000000000A", true, VALUE_UUID },
		{ VALUE_UUID, "00000000-0000-0000-0000-00000000000g", false, 0 },
		{ VALUE_BYTES, "x", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct value v = { .type = VALUE_NULL };
		bool fits = literal_fit(rows[i].column, bytes_text(rows[i].text), LITERAL_ANY,
		                        &arena, &v);

		CHECK_ROW(fits == rows[i].fits && (!fits || v.type == rows[i].type), rows[i].text);
		CHECK(rows[i].type != VALUE_UUID ||
		      bytes_is(v.bytes, "00000000-0000-0000-0000-00000000000a"));
		arena_done(&arena);
	}
}

TESTS(TEST(test_keyset_visits_each_row_once_in_every_direction),
      TEST(test_order_puts_null_first_everywhere), TEST(test_keyset_seeks_in_an_index),
      TEST(test_bad_clauses_are_errors), TEST(test_names_are_quoted_in_every_dialect),
      TEST(test_parameters_are_bounded_and_copied), TEST(test_first_error_of_a_statement_stays),
      TEST(test_full_arena_fails_the_statement), TEST(test_column_sets_do_set_arithmetic),
      TEST(test_literals_fit_exactly_or_not_at_all))
