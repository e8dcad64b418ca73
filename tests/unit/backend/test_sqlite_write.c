/* test_sqlite_write.c - INSERT, UPDATE, DELETE: what they return, when they last, how they fail. */
#include "fixture.h"

#include "identity/issuers.h"
#include "identity/principal_make.h"

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
	"CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT NOT NULL, isbn TEXT UNIQUE, year INT "
	"CHECK (year "
	"> 0),"
	" price NUMERIC(10,2), cover BLOB, lent BOOLEAN NOT NULL DEFAULT 0, author INT REFERENCES "
	"author(id));"
	"INSERT INTO author VALUES (1, 'Mary Shelley');"
	"INSERT INTO t (id, title, isbn, year, author) VALUES (1, 'Frankenstein', 'x1', 1818, 1),"
	" (2, 'The Last Man', 'x2', 1826, 1);";

enum { ID, TITLE, ISBN, YEAR, PRICE, COVER, LENT, AUTHOR };

static struct operation
insert_of(const struct fixture *f, const uint16_t *columns, const struct value *values,
          size_t count)
{
	return (struct operation){ .kind = OPERATION_INSERT,
		                   .read = &f->grant,
		                   .set_columns = columns,
		                   .set_values = values,
		                   .set_count = count };
}

static struct operation
update_of(const struct fixture *f, const struct value *key, const uint16_t *column,
          const struct value *value)
{
	return (struct operation){ .kind = OPERATION_UPDATE,
		                   .read = &f->grant,
		                   .key = key,
		                   .set_columns = column,
		                   .set_values = value,
		                   .set_count = 1 };
}

static bool
update_title(struct fixture *f, int64_t id, const char *title)
{
	static const uint16_t column = TITLE;
	const struct value key = int_value(id), value = text_value(title);

	return run(f, update_of(f, &key, &column, &value));
}

/* --- what is done
 * ---------------------------------------------------------------------------------- */

static void
test_inserted_row_is_returned_and_lasts(void)
{
	struct fixture f;
	static const uint16_t columns[] = { TITLE, YEAR, PRICE, COVER, LENT };
	const struct value values[] = { text_value("Mathilda"),
		                        int_value(1959),
		                        { .type = VALUE_DECIMAL, .bytes = BYTES("12.50") },
		                        { .type = VALUE_BYTES, .bytes = BYTES("\x00\xff") },
		                        { .type = VALUE_BOOL, .boolean = true } };

	fixture_start(&f, schema, "t");
	CHECK(run(&f, insert_of(&f, columns, values, 5)));
	CHECK(text_is(&f, "i:3 t:Mathilda n i:1959 d:12.5 x:00ff b:true n\n"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE id = 3 AND price = 12.5 AND "
	                         "typeof(price) = 'real'"
	                         " AND cover = x'00ff' AND lent = 1") == 1);
	fixture_done(&f);
}

static void
test_values_of_every_type_come_back_as_they_went_in(void)
{
	struct fixture f;
	static const uint16_t columns[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	const struct value values[] = {
		{ .type = VALUE_BOOL, .boolean = true },
		int_value(INT64_MIN),
		int_value(INT64_MAX),
		{ .type = VALUE_DECIMAL, .bytes = BYTES("-0.05") },
		{ .type = VALUE_DOUBLE, .real = 0.1 },
		text_value(""),
		{ .type = VALUE_BYTES, .bytes = { NULL, 0 } },
		{ .type = VALUE_DATE, .bytes = BYTES("2026-11-22") },
		{ .type = VALUE_TIMESTAMP, .bytes = BYTES("2026-11-22T10:00:00Z") },
		{ .type = VALUE_UUID, .bytes = BYTES("123e4567-e89b-12d3-a456-426614174000") },
		{ .type = VALUE_JSON, .bytes = BYTES("[1,null]") },
	};

	fixture_start(&f,
	              "CREATE TABLE t (id INTEGER PRIMARY KEY, a BOOLEAN, b INT, c INT, d DECIMAL, "
	              "e REAL, f TEXT,"
	              " g BLOB, h DATE, i DATETIME, j UUID, k JSON, l TIME)",
	              "t");
	CHECK(run(&f, insert_of(&f, columns, values, 11)));
	CHECK(text_is(
		&f,
		"i:1 b:true i:-9223372036854775808 i:9223372036854775807 d:-0.05 "
		"f:0.10000000000000001"
		" t: x: D:2026-11-22 S:2026-11-22T10:00:00Z u:123e4567-e89b-12d3-a456-426614174000"
		" j:[1,null] n\n"));
	fixture_done(&f);
}

static void
test_injection_text_is_a_value(void)
{
	struct fixture f;

	fixture_start(&f, schema, "t");
	CHECK(update_title(&f, 1, "'); DROP TABLE t; --") && f.count == 1);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 2);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = '''); DROP TABLE t; --'") ==
	      1);
	fixture_done(&f);
}

static void
test_megabyte_is_written(void)
{
	struct fixture f;
	char *text = malloc((1 << 20) + 1);

	memset(text, 'y', 1 << 20);
	text[1 << 20] = 0;
	fixture_start(&f, schema, "t");
	CHECK(update_title(&f, 1, text));
	CHECK(sql_number(f.path, "SELECT length(title) FROM t WHERE id = 1") == 1 << 20);
	fixture_done(&f);
	free(text);
}

static void
test_update_returns_the_row_as_it_is_now(void)
{
	struct fixture f;

	fixture_start(&f, schema, "t");
	CHECK(update_title(&f, 1, "The Modern Prometheus"));
	CHECK(text_is(&f, "i:1 t:The Modern Prometheus t:x1 i:1818 n n b:false i:1\n"));
	fixture_done(&f);
}

static void
test_update_may_change_the_key(void)
{
	struct fixture f;
	static const uint16_t column = ID;
	const struct value key = int_value(1), value = int_value(77);

	fixture_start(&f, schema, "t");
	CHECK(run(&f, update_of(&f, &key, &column, &value)));
	CHECK(text_is(&f, "i:77 t:Frankenstein t:x1 i:1818 n n b:false i:1\n"));
	fixture_done(&f);
}

static void
test_delete_removes_one_row_and_returns_none(void)
{
	struct fixture f;
	const struct value key = int_value(2);

	fixture_start(&f, schema, "t");
	CHECK(run(&f, (struct operation){ .kind = OPERATION_DELETE, .key = &key }) && f.count == 0);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 1);
	CHECK(sql_number(f.path, "SELECT id FROM t") == 1);
	fixture_done(&f);
}

static void
test_missing_row_cannot_be_changed(void)
{
	struct fixture f;
	const struct value key = int_value(9);

	fixture_start(&f, schema, "t");
	CHECK(!update_title(&f, 9, "x") && error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_DELETE, .key = &key }));
	CHECK(error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(update_title(&f, 1, "still works"));
	fixture_done(&f);
}

static void
test_table_without_key_takes_rows(void)
{
	struct fixture f;
	static const uint16_t column = 0;
	const struct value value = int_value(5);

	fixture_start(&f, "CREATE TABLE t (n INT)", "t");
	CHECK(run(&f, insert_of(&f, &column, &value, 1)) && f.count == 0);
	CHECK(sql_number(f.path, "SELECT n FROM t") == 5);
	fixture_done(&f);
}

static void
test_write_without_read_grant_returns_nothing(void)
{
	struct fixture f;
	static const uint16_t column = TITLE;
	const struct value value = text_value("Lodore");
	struct operation op;

	fixture_start(&f, schema, "t");
	op = insert_of(&f, &column, &value, 1);
	op.read = NULL;
	CHECK(run(&f, op) && f.count == 0);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 3);
	fixture_done(&f);
}

/* --- transactions
 * ----------------------------------------------------------------------------------- */

static void
test_close_without_commit_rolls_back(void)
{
	struct fixture f;
	static const uint16_t column = TITLE;
	const struct value key = int_value(1), value = text_value("lost");
	struct rows *rows = NULL;

	fixture_start(&f, schema, "t");
	struct operation op = update_of(&f, &key, &column, &value);
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	CHECK(!failed(drain(&f, rows)) && f.count == 1);
	rows_close(rows);
	arena_reset(&f.request);
	CHECK(update_title(&f, 2, "kept"));
	CHECK(sql_number(f.path,
	                 "SELECT count(*) FROM t WHERE title IN ('Frankenstein', 'kept')") == 2);
	fixture_done(&f);
}

static void
test_close_at_any_moment_rolls_back(void)
{
	for (int turns = 0; turns < 40; turns++) {
		struct fixture f;
		static const uint16_t column = TITLE;
		const struct value key = int_value(1), value = text_value("lost");
		struct rows *rows = NULL;
		const struct value *row;
		enum step step = STEP_MORE;

		fixture_start(&f, schema, "t");
		struct operation op = update_of(&f, &key, &column, &value);
		CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
		for (int i = 0; i < turns; i++) {
			CHECK(!failed(rows_next(rows, &step, &row)));
			if (step == STEP_MORE)
				uv_run(&f.loop, UV_RUN_NOWAIT);
		}
		rows_close(rows);
		arena_done(&f.request);
		if (turns % 2 == 0)
			CHECK(update_title(&f, 2, "kept"));
		backend_close(f.backend);
		uv_run(&f.loop, UV_RUN_DEFAULT);
		CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = 'Frankenstein'") ==
		      1);
		f.backend = NULL;
		fixture_done(&f);
	}
}

static void
test_commit_before_the_end_is_refused(void)
{
	struct fixture f;
	static const uint16_t column = TITLE;
	const struct value key = int_value(1), value = text_value("early");
	struct rows *rows = NULL;
	const struct value *row;

	fixture_start(&f, schema, "t");
	struct operation op = update_of(&f, &key, &column, &value);
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	CHECK(failed(commit_rows(&f, rows)));
	CHECK(!failed(next_row(&f, rows, &row)) && row != NULL);
	CHECK(failed(commit_rows(&f, rows)));
	CHECK(!failed(next_row(&f, rows, &row)) && row == NULL);
	CHECK(!failed(commit_rows(&f, rows)));
	CHECK(!failed(commit_rows(&f, rows)));
	rows_close(rows);
	fixture_done(&f);
}

static void
test_write_that_is_never_committed_is_undone_in_time(void)
{
	struct fixture f;
	static const uint16_t column = TITLE;
	const struct value key = int_value(1), value = text_value("lost");
	struct rows *rows = NULL;

	fixture_start(&f, schema, "t");
	f.backend->hold_max_us = 200000;
	struct operation op = update_of(&f, &key, &column, &value);
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	CHECK(!failed(drain(&f, rows)));
	struct arena mine = f.request;
	f.request = (struct arena){ 0 };
	CHECK(update_title(&f, 2, "kept")); /* queued behind the other until that is undone */
	f.error = commit_rows(&f, rows);
	CHECK(error_is(&f, ERR_UPSTREAM, "not committed in time"));
	rows_close(rows);
	arena_done(&mine);
	CHECK(sql_number(f.path,
	                 "SELECT count(*) FROM t WHERE title IN ('Frankenstein', 'kept')") == 2);
	fixture_done(&f);
}

static void
test_writes_queue_and_the_queue_is_bounded(void)
{
	struct fixture f;
	enum { COUNT = QUEUE_MAX + 2 };
	static const uint16_t column = TITLE;
	const struct value value = text_value("one of many");
	struct rows *rows[COUNT];
	const struct value *row;
	enum step step;

	fixture_start(&f, schema, "t");
	struct operation op = insert_of(&f, &column, &value, 1);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(!failed(start_rows(&f, &op, &rows[i], NULL)));
		f.error = rows_next(rows[i], &step, &row);
		CHECK(failed(f.error) == (i == COUNT - 1));
	}
	CHECK(error_is(&f, ERR_LIMIT, "too many writes"));
	for (size_t i = 0; i < 3; i++) {
		CHECK(!failed(drain(&f, rows[i])));
		CHECK(!failed(commit_rows(&f, rows[i])));
	}
	for (size_t i = 0; i < COUNT; i++)
		rows_close(rows[COUNT - 1 - i]);
	uv_run(&f.loop, UV_RUN_NOWAIT);
	CHECK(update_title(&f, 1, "last"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = 'one of many'") == 3);
	fixture_done(&f);
}

/* --- rules of the data
 * ------------------------------------------------------------------------------- */

static void
test_broken_constraint_names_its_column(void)
{
	static const struct {
		uint16_t column;
		struct value value;
		enum err_kind kind;
		const char *why, *name;
	} rows[] = {
		{ ISBN,
		  { .type = VALUE_TEXT, .bytes = { (const uint8_t *)"x2", 2 } },
		  ERR_CONFLICT,
		  "exists already",
		  "isbn" },
		{ ID, { .type = VALUE_INT64, .int64 = 2 }, ERR_CONFLICT, "exists already", "id" },
		{ AUTHOR,
		  { .type = VALUE_INT64, .int64 = 9 },
		  ERR_CONFLICT,
		  "a row this one refers to is missing",
		  "author" },
		{ TITLE, { .type = VALUE_NULL }, ERR_INVALID, "needs a value", "title" },
		{ YEAR,
		  { .type = VALUE_INT64, .int64 = -5 },
		  ERR_INVALID,
		  "breaks a check",
		  "year" },
		{ ID,
		  { .type = VALUE_TEXT, .bytes = { (const uint8_t *)"abc", 3 } },
		  ERR_INVALID,
		  "type of its column",
		  "" },
	};
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f, schema, "t");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK_ROW(!run(&f, update_of(&f, &key, &rows[i].column, &rows[i].value)),
		          rows[i].why);
		CHECK_ROW(error_is(&f, rows[i].kind, rows[i].why), rows[i].why);
		CHECK_ROW(strcmp(f.column, rows[i].name) == 0, f.column);
	}
	CHECK(update_title(&f, 1, "still works"));
	fixture_done(&f);
}

static void
test_constraint_on_a_hidden_column_is_not_named(void)
{
	struct fixture f;
	static const uint16_t columns[] = { 0 };
	const struct value values[] = { int_value(2) };

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, cost INT NOT NULL)", "t");
	column_set_remove(&f.view.columns, 1);
	struct operation op = insert_of(&f, columns, values, 1);
	op.read = NULL;
	CHECK(!run(&f, op));
	CHECK(error_is(&f, ERR_INVALID, "needs a value") && f.column[0] == 0);
	fixture_done(&f);
}

static void
test_strict_table_and_trigger_refuse(void)
{
	struct fixture f;
	static const uint16_t column = 1;
	const struct value key = int_value(1), text = text_value("abc"), number = int_value(13);

	fixture_start(&f,
	              "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT; INSERT INTO t "
	              "VALUES (1, 1);"
	              "CREATE TRIGGER no BEFORE UPDATE ON t WHEN new.n = 13 BEGIN SELECT "
	              "RAISE(ABORT, 'secret'); "
	              "END;",
	              "t");
	CHECK(!run(&f, update_of(&f, &key, &column, &text)));
	CHECK(error_is(&f, ERR_INVALID, "type of its column") && strcmp(f.column, "n") == 0);
	CHECK(!run(&f, update_of(&f, &key, &column, &number)));
	CHECK(error_is(&f, ERR_INVALID, "trigger") && f.column[0] == 0);
	fixture_done(&f);
}

static void
test_deferred_foreign_key_fails_the_commit(void)
{
	struct fixture f;
	static const uint16_t column = 1;
	const struct value key = int_value(1), gone = int_value(9), fine = int_value(1);

	fixture_start(&f,
	              "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"
	              "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT REFERENCES a(id) DEFERRABLE "
	              "INITIALLY "
	              "DEFERRED);"
	              "INSERT INTO t VALUES (1, 1)",
	              "t");
	CHECK(!run(&f, update_of(&f, &key, &column, &gone)));
	CHECK(f.count == 1 && error_is(&f, ERR_CONFLICT, "a row this one refers to is missing"));
	CHECK(strcmp(f.column, "a") == 0);
	CHECK(run(&f, update_of(&f, &key, &column, &fine)));
	CHECK(sql_number(f.path, "SELECT a FROM t") == 1);
	fixture_done(&f);
}

static void
test_change_that_leaves_the_condition_is_denied(void)
{
	struct fixture f;
	static const uint16_t year = YEAR, columns[] = { TITLE, YEAR };
	const struct value key = int_value(1), other = int_value(2), late = int_value(1999),
			   early = int_value(1800);
	const struct value outside[] = { text_value("new"), int_value(2000) };
	const struct value inside[] = { text_value("old"), int_value(1700) };
	const struct filter *where;
	const struct principal *who;
	struct filter_error error;

	fixture_start(&f, schema, "t");
	CHECK(!failed(principal_new(&(struct principal_parts){ .issuer = "local" }, &who)));
	CHECK(!failed(
		filter_parse(BYTES("year lt 1820"), f.table, true, &f.arena, &where, &error)));
	f.view.where = where;
	f.grant.who = who;
	CHECK(!run(&f, update_of(&f, &key, &year, &late)) && error_is(&f, ERR_DENIED, "condition"));
	CHECK(!run(&f, insert_of(&f, columns, outside, 2)) &&
	      error_is(&f, ERR_DENIED, "condition"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE year > 1826") == 0);
	CHECK(!run(&f, update_of(&f, &other, &year, &early)) &&
	      error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_DELETE, .key = &other }));
	CHECK(error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(run(&f, update_of(&f, &key, &year, &early)) && f.count == 1);
	CHECK(run(&f, insert_of(&f, columns, inside, 2)) && f.count == 1);
	CHECK(run(&f, (struct operation){ .kind = OPERATION_DELETE, .key = &key }));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 2);
	principal_release(who);
	fixture_done(&f);
}

static void
test_conditional_insert_without_key_is_refused(void)
{
	struct fixture f;
	static const uint16_t column = 0;
	const struct value value = int_value(5);
	const struct filter *where;
	struct filter_error error;

	fixture_start(&f, "CREATE TABLE t (n INT)", "t");
	CHECK(!failed(filter_parse(BYTES("n gt 3"), f.table, true, &f.arena, &where, &error)));
	f.view.where = where;
	CHECK(!run(&f, insert_of(&f, &column, &value, 1)) &&
	      error_is(&f, ERR_INVALID, "without a key"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 0);
	fixture_done(&f);
}

/* --- trouble
 * ------------------------------------------------------------------------------------------ */

static void
test_full_disk_fails_the_write_and_leaves_the_database_usable(void)
{
	struct fixture f;
	char *text = malloc((1 << 20) + 1);

	memset(text, 'y', 1 << 20);
	text[1 << 20] = 0;
	fixture_start(&f, schema, "t");
	CHECK(sqlite3_exec(f.backend->writer.connection.db, "PRAGMA max_page_count = 20", NULL,
	                   NULL, NULL) == SQLITE_OK);
	CHECK(!update_title(&f, 1, text) && error_is(&f, ERR_UPSTREAM, "no space left"));
	CHECK(update_title(&f, 1, "short"));
	CHECK(text_is(&f, "i:1 t:short t:x1 i:1818 n n b:false i:1\n"));
	fixture_done(&f);
	free(text);
}

static void
test_slow_write_is_stopped_and_undone(void)
{
	struct fixture f;

	fixture_start(&f,
	              "CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO t VALUES "
	              "(1, 'a');"
	              "CREATE TRIGGER slow AFTER UPDATE ON t WHEN new.title = 'slow' BEGIN SELECT "
	              "count(*) FROM"
	              " (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n "
	              "FROM c); END;",
	              "t");
	f.own.statement_timeout_ms = 60;
	CHECK(!update_title(&f, 1, "slow") && error_is(&f, ERR_UPSTREAM, "took too long"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = 'a'") == 1);
	CHECK(update_title(&f, 1, "fast"));
	fixture_done(&f);
}

static void
test_dropped_table_fails_the_write(void)
{
	struct fixture f;

	fixture_start(&f, schema, "t");
	CHECK(update_title(&f, 1, "before"));
	CHECK(sql_run(f.path, "DROP TABLE t"));
	CHECK(!update_title(&f, 1, "after") &&
	      error_is(&f, ERR_UPSTREAM, "the table changed since start"));
	fixture_done(&f);
}

static void
test_view_is_read_only(void)
{
	static const uint16_t column = 0;
	const struct value value = text_value("Mathilda");
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t (title TEXT); CREATE VIEW v AS SELECT title FROM t", "v");
	CHECK(!run(&f, insert_of(&f, &column, &value, 1)) &&
	      error_is(&f, ERR_INVALID, "a view is read only"));
	fixture_done(&f);
}

TESTS(TEST(test_view_is_read_only), TEST(test_inserted_row_is_returned_and_lasts),
      TEST(test_values_of_every_type_come_back_as_they_went_in),
      TEST(test_injection_text_is_a_value), TEST(test_megabyte_is_written),
      TEST(test_update_returns_the_row_as_it_is_now), TEST(test_update_may_change_the_key),
      TEST(test_delete_removes_one_row_and_returns_none), TEST(test_missing_row_cannot_be_changed),
      TEST(test_table_without_key_takes_rows), TEST(test_write_without_read_grant_returns_nothing),
      TEST(test_close_without_commit_rolls_back), TEST(test_close_at_any_moment_rolls_back),
      TEST(test_commit_before_the_end_is_refused),
      TEST(test_write_that_is_never_committed_is_undone_in_time),
      TEST(test_writes_queue_and_the_queue_is_bounded),
      TEST(test_broken_constraint_names_its_column),
      TEST(test_constraint_on_a_hidden_column_is_not_named),
      TEST(test_strict_table_and_trigger_refuse), TEST(test_deferred_foreign_key_fails_the_commit),
      TEST(test_change_that_leaves_the_condition_is_denied),
      TEST(test_conditional_insert_without_key_is_refused),
      TEST(test_full_disk_fails_the_write_and_leaves_the_database_usable),
      TEST(test_slow_write_is_stopped_and_undone), TEST(test_dropped_table_fails_the_write))
