/* test_sqlite_read.c - LIST and READ: on the loop, on a thread, stopped half-way. */
#include "fixture.h"

#include "identity/issuers.h"
#include "identity/principal_make.h"

static const char people[] =
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, age INT, pay NUMERIC(10,2));"
	"INSERT INTO t VALUES (1, 'Ada', 36, 12.5), (2, 'Bob', NULL, 7), (3, '', 0, NULL);";

/* 10,000 rows of about 130 bytes: more than one batch. */
static const char many[] =
	"CREATE TABLE t (id INTEGER PRIMARY KEY, part INT, name TEXT);"
	"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000)"
	"INSERT INTO t SELECT n, n % 7, printf('row %d %0100d', n, n) FROM c;";

/* Takes a second or so, and gives one row. */
static const char slow[] = "CREATE TABLE t (id INTEGER PRIMARY KEY);"
			   "CREATE VIEW v AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + "
			   "1 FROM c WHERE n < 3000000)"
			   "SELECT max(n) AS n FROM c;";

/* Never ends. */
static const char endless[] =
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'a');"
	"CREATE VIEW v AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
	"SELECT n FROM c WHERE n < 0;";

static const struct operation list = { .kind = OPERATION_LIST };

static void
test_row_is_read_by_key(void)
{
	struct fixture f;
	const struct value one = int_value(1), two = int_value(2), three = int_value(3);

	fixture_start(&f, people, "t");
	CHECK(run(&f, read_of(&one)) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	CHECK(run(&f, read_of(&two)) && text_is(&f, "i:2 t:Bob n d:7\n"));
	CHECK(run(&f, read_of(&three)) && text_is(&f, "i:3 t: i:0 n\n"));
	CHECK(f.backend->direct_rows == 0);
	fixture_done(&f);
}

static void
test_missing_row_is_not_found(void)
{
	struct fixture f;
	const struct value key = int_value(4), odd = text_value("1 OR 1=1");

	fixture_start(&f, people, "t");
	CHECK(!run(&f, read_of(&key)) && error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(!run(&f, read_of(&odd)) && error_is(&f, ERR_NOT_FOUND, "no such row"));
	fixture_done(&f);
}

static void
test_rows_are_listed(void)
{
	struct fixture f;

	fixture_start(&f, people, "t");
	CHECK(run(&f, list) &&
	      text_is(&f, "i:1 t:Ada i:36 d:12.5\ni:2 t:Bob n d:7\ni:3 t: i:0 n\n"));
	CHECK(f.sql.len > 0);
	fixture_done(&f);
}

static void
test_empty_list_ends_at_once(void)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	CHECK(run(&f, list) && f.count == 0);
	fixture_done(&f);
}

static void
test_only_asked_columns_come(void)
{
	struct fixture f;
	const struct value key = int_value(1);
	struct column_set columns = { { 0 } };
	struct rows *rows = NULL;

	fixture_start(&f, people, "t");
	column_set_add(&columns, 3);
	column_set_add(&columns, 1);
	struct operation op = { .kind = OPERATION_READ, .key = &key, .columns = &columns };
	CHECK(run(&f, op) && text_is(&f, "t:Ada d:12.5\n"));
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	CHECK(rows->column_count == 2 && bytes_is(rows->columns[0].name, "name") &&
	      rows->columns[1].type == VALUE_DECIMAL);
	rows_close(rows);
	fixture_done(&f);
}

static void
test_row_hidden_by_a_condition_is_not_found(void)
{
	struct fixture f;
	const struct value ada = int_value(1), bob = int_value(2);
	const struct filter *where;
	const struct principal *who;
	struct filter_error error;

	fixture_start(&f, people, "t");
	CHECK(!failed(principal_new(&(struct principal_parts){ .issuer = "local" }, &who)));
	CHECK(!failed(filter_parse(BYTES("age gt 30"), f.table, true, &f.arena, &where, &error)));
	f.view.where = where;
	f.grant.who = who;
	CHECK(run(&f, read_of(&ada)) && f.count == 1);
	CHECK(!run(&f, read_of(&bob)) && error_is(&f, ERR_NOT_FOUND, "no such row"));
	CHECK(run(&f, list) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	principal_release(who);
	fixture_done(&f);
}

static void
test_composite_key_and_without_rowid(void)
{
	struct fixture f;
	const struct value key[] = { text_value("b"), int_value(1) };

	fixture_start(&f,
	              "CREATE TABLE t (x INT, y TEXT, z TEXT, PRIMARY KEY (y, x)) WITHOUT ROWID;"
	              "INSERT INTO t VALUES (1, 'a', 'no'), (1, 'b', 'yes'), (2, 'b', 'no')",
	              "t");
	CHECK(run(&f, read_of(key)) && text_is(&f, "i:1 t:b t:yes\n"));
	fixture_done(&f);
}

static void
test_values_come_by_declared_type_where_they_fit(void)
{
	static const struct {
		const char *type, *stored, *given;
	} rows[] = {
		{ "INT", "9223372036854775807", "i:9223372036854775807\n" },
		{ "INT", "(-9223372036854775807 - 1)", "i:-9223372036854775808\n" },
		{ "INT", "'abc'", "t:abc\n" },
		{ "INT", "1.5", "f:1.5\n" },
		{ "INT", "x'00ff'", "x:00ff\n" },
		{ "INT", "NULL", "n\n" },
		{ "BOOLEAN", "1", "b:true\n" },
		{ "BOOLEAN", "0", "b:false\n" },
		{ "BOOLEAN", "2", "i:2\n" },
		{ "DECIMAL(10,2)", "12", "d:12\n" },
		{ "DECIMAL(10,2)", "-0.25", "d:-0.25\n" },
		{ "DECIMAL(10,2)", "0.05", "d:0.05\n" },
		{ "DECIMAL(10,2)", "-1234567890.123456", "d:-1234567890.123456\n" },
		{ "DECIMAL(10,2)", "0.12345678901234", "d:0.12345678901234\n" },
		{ "DECIMAL(10,2)", "-9007199254740993", "d:-9007199254740993\n" },
		{ "DECIMAL(10,2)", "(-9223372036854775807 - 1)", "d:-9223372036854775808\n" },
		{ "DECIMAL(10,2)", "0", "d:0\n" },
		{ "DECIMAL(10,2)", "1e999", "f:inf\n" },
		{ "DECIMAL(10,2)", "1e30", "f:1.0000000000000000199e+30\n" },
		{ "DECIMAL(10,2)", "0.1 + 0.2", "f:0.30000000000000004\n" },
		{ "DECIMAL(10,2)", "'many'", "t:many\n" },
		{ "REAL", "2", "f:2\n" },
		{ "REAL", "1e308", "f:1.0000000000000000e+308\n" },
		{ "TEXT", "'h\xc3\xa9'", "t:h\xc3\xa9\n" },
		{ "TEXT", "CAST(x'ff61' AS TEXT)", "x:ff61\n" },
		{ "TEXT", "12", "t:12\n" },
		{ "TEXT", "x'61'", "x:61\n" },
		{ "BLOB", "x''", "x:\n" },
		{ "BLOB", "'text'", "t:text\n" },
		{ "DATE", "'2026-11-22'", "D:2026-11-22\n" },
		{ "DATE", "'2026-02-29'", "t:2026-02-29\n" },
		{ "DATE", "20261122", "i:20261122\n" },
		{ "TIME", "'13:04:05'", "T:13:04:05\n" },
		{ "DATETIME", "'2026-11-22T13:04:05Z'", "S:2026-11-22T13:04:05Z\n" },
		{ "TIMESTAMP", "'2026-11-22 13:04:05'", "t:2026-11-22 13:04:05\n" },
		{ "UUID", "'123e4567-e89b-12d3-a456-426614174000'",
		  "u:123e4567-e89b-12d3-a456-426614174000\n" },
		{ "UUID", "'123E4567-E89B-12D3-A456-426614174000'",
		  "t:123E4567-E89B-12D3-A456-426614174000\n" },
		{ "JSON", "'{\"a\": [1]}'", "j:{\"a\": [1]}\n" },
		{ "JSON", "'{\"a\": '", "t:{\"a\": \n" },
		{ "", "5", "i:5\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f;
		struct column_set columns = { { 2 } };
		const struct value key = int_value(1);
		char sql[300];
		snprintf(sql, sizeof sql,
		         "CREATE TABLE t (id INTEGER PRIMARY KEY, v %s); INSERT INTO t VALUES (1, "
		         "%s)",
		         rows[i].type, rows[i].stored);
		fixture_start(&f, sql, "t");
		CHECK_ROW(run(&f, (struct operation){ .kind = OPERATION_READ,
		                                      .key = &key,
		                                      .columns = &columns }),
		          sql);
		if (strncmp(rows[i].given, "f:1.0", 5) != 0)
			CHECK_ROW(text_is(&f, rows[i].given), sql);
		else
			CHECK_ROW(f.text.at[0] == 'f', sql);
		/* What was copied equals what was borrowed. */
		char *borrowed = strdup((const char *)f.text.at);
		CHECK_ROW(
			run(&f, (struct operation){ .kind = OPERATION_LIST, .columns = &columns }),
			sql);
		CHECK_ROW(text_is(&f, borrowed), sql);
		free(borrowed);
		fixture_done(&f);
	}
}

static void
test_pages_by_keyset_see_every_row_once(void)
{
	struct fixture f;
	const struct order_term order[] = { { .column = 1, .descending = true }, { .column = 0 } };
	struct value after[2] = { int_value(7), int_value(0) };
	size_t seen = 0, pages = 0;
	int64_t sum = 0;

	fixture_start(&f, many, "t");
	for (bool more = true; more; pages++) {
		struct rows *rows = NULL;
		const struct value *row;
		struct operation op = { .kind = OPERATION_LIST,
			                .limit = 137,
			                .order = order,
			                .order_count = 2,
			                .after = pages > 0 ? after : NULL };
		more = false;
		CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
		while (!failed(next_row(&f, rows, &row)) && row != NULL) {
			CHECK(row[1].int64 < after[0].int64 ||
			      (row[1].int64 == after[0].int64 && row[0].int64 > after[1].int64));
			after[0] = row[1], after[1] = row[0];
			sum += row[0].int64;
			seen++;
			more = true;
		}
		rows_close(rows);
		arena_reset(&f.request);
	}
	CHECK(seen == 10000 && sum == 50005000);
	CHECK(pages == 74); /* 73 with rows, one to see that there are no more */
	fixture_done(&f);
}

/* The widest table, all of it asked for, and the values of its order on top. */
static void
test_widest_list_has_room_for_its_order_values(void)
{
	struct fixture f;
	struct buf sql = { 0 };
	struct order_term order[ORDER_MAX];

	buf_put_text(&sql, "CREATE TABLE t (c0 INTEGER PRIMARY KEY");
	for (int i = 1; i < TABLE_COLUMNS_MAX; i++)
		buf_printf(&sql, ", c%d INT DEFAULT %d", i, i);
	buf_put_text(&sql, "); INSERT INTO t (c0) VALUES (1), (2);");
	buf_put_u8(&sql, 0);
	fixture_start(&f, (const char *)sql.at, "t");
	for (size_t i = 0; i < ORDER_MAX; i++)
		order[i] = (struct order_term){ .column = (uint16_t)(ORDER_MAX - 1 - i) };
	CHECK(run(&f, (struct operation){ .kind = OPERATION_LIST,
	                                  .order = order,
	                                  .order_count = ORDER_MAX,
	                                  .with_order = true }));
	CHECK(f.count == 2 &&
	      strstr((const char *)f.text.at, "i:255 i:7 i:6 i:5 i:4 i:3 i:2 i:1 i:2\n") != NULL);
	fixture_done(&f);
	buf_done(&sql);
}

static void
test_large_list_comes_in_batches_from_a_thread(void)
{
	struct fixture f;
	struct rows *rows = NULL;
	const struct value *row;
	enum step step;
	int64_t expected = 0;
	unsigned waits = 0;

	fixture_start(&f, many, "t");
	CHECK(!failed(start_rows(&f, &list, &rows, NULL)));
	for (;;) {
		if (failed(rows_next(rows, &step, &row))) {
			CHECK(false);
			break;
		}
		if (step == STEP_MORE) {
			waits++;
			wait_for_wake(&f);
			continue;
		}
		if (row == NULL)
			break;
		CHECK(row[0].int64 == ++expected && row[2].bytes.len > 100);
	}
	CHECK(expected == 10000);
	CHECK(waits > 10); /* 1.2 MB in pieces of 64 KiB */
	CHECK(!failed(rows_next(rows, &step, &row)) && step == STEP_DONE && row == NULL);
	rows_close(rows);
	fixture_done(&f);
}

static void
test_megabyte_of_text_comes_whole(void)
{
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f,
	              "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
	              "INSERT INTO t VALUES (1, printf('%.*c', 1048576, 'x'))",
	              "t");
	CHECK(run(&f, read_of(&key)) && f.text.len == 1048576 + 8);
	CHECK(run(&f, list) && f.text.len == 1048576 + 8);
	fixture_done(&f);
}

static void
on_tick(uv_timer_t *timer)
{
	++*(unsigned *)timer->data;
}

static void
test_slow_read_leaves_the_loop_free(void)
{
	struct fixture f;
	uv_timer_t timer;
	unsigned ticks = 0;

	fixture_start(&f, slow, "v");
	uv_timer_init(&f.loop, &timer);
	timer.data = &ticks;
	uv_timer_start(&timer, on_tick, 1, 1);
	CHECK(run(&f, list) && text_is(&f, "i:3000000\n"));
	CHECK(ticks > 5);
	CHECK(run(&f, list) && text_is(&f, "i:3000000\n")); /* straight to the thread this time */
	uv_close((uv_handle_t *)&timer, NULL);
	fixture_done(&f);
}

static void
test_statement_that_takes_too_long_is_stopped(void)
{
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f, endless, "v");
	f.own.statement_timeout_ms = 100;
	CHECK(!run(&f, list) && error_is(&f, ERR_UPSTREAM, "the statement took too long"));
	CHECK(!failed(fixture_table(&f, "t")));
	CHECK(run(&f, read_of(&key)) && f.count == 1);
	fixture_done(&f);
}

/* More endless reads than connections: those that run are cancelled, those that wait are dropped,
 * and the request's memory is gone before the threads have noticed. */
static void
test_closing_cancels_what_runs_and_what_waits(void)
{
	struct fixture f;
	struct rows *rows[READERS + 4];
	const struct value *row;
	enum step step;

	fixture_start(&f, endless, "v");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK(!failed(start_rows(&f, &list, &rows[i], NULL)));
		CHECK(!failed(rows_next(rows[i], &step, &row)) && step == STEP_MORE);
	}
	for (int i = 0; i < 5; i++)
		uv_run(&f.loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		rows_close(rows[sizeof rows / sizeof *rows - 1 - i]);
	arena_done(&f.request);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	CHECK(!f.is_woken);
	CHECK(!failed(fixture_table(&f, "t")));
	CHECK(run(&f, list) && text_is(&f, "i:1 t:a\n"));
	fixture_done(&f);
}

static void
test_backend_closes_while_a_cancelled_read_still_runs(void)
{
	struct fixture f;
	struct rows *rows;
	const struct value *row;
	enum step step;

	fixture_start(&f, endless, "v");
	CHECK(!failed(start_rows(&f, &list, &rows, NULL)));
	CHECK(!failed(rows_next(rows, &step, &row)) && step == STEP_MORE);
	rows_close(rows);
	fixture_done(&f);
}

static void
test_closing_between_batches_frees_the_connection(void)
{
	struct fixture f;
	struct rows *rows = NULL;
	const struct value *row;

	fixture_start(&f, many, "t");
	for (int i = 0; i < READERS + 2; i++) {
		CHECK(!failed(start_rows(&f, &list, &rows, NULL)));
		CHECK(!failed(next_row(&f, rows, &row)) && row != NULL);
		rows_close(rows);
	}
	CHECK(run(&f, list) && f.count == 10000);
	fixture_done(&f);
}

static void
test_stream_never_asked_is_closed_quietly(void)
{
	struct fixture f;
	struct rows *rows = NULL;

	fixture_start(&f, many, "t");
	CHECK(!failed(start_rows(&f, &list, &rows, NULL)));
	rows_close(rows);
	fixture_done(&f);
}

static void
test_consumer_that_does_not_come_back_loses_its_connection(void)
{
	struct fixture f;
	struct rows *rows[READERS];
	const struct value *row;

	fixture_start(&f, many, "t");
	f.backend->hold_max_us = 200000;
	for (size_t i = 0; i < READERS; i++) {
		CHECK(!failed(start_rows(&f, &list, &rows[i], NULL)));
		CHECK(!failed(next_row(&f, rows[i], &row)) && row != NULL);
	}
	CHECK(run(&f, list) && f.count == 10000); /* waits until the sweep has freed one */
	f.error = drain(&f, rows[0]);
	CHECK(error_is(&f, ERR_LIMIT, "not fetched in time"));
	for (size_t i = 0; i < READERS; i++)
		rows_close(rows[i]);
	fixture_done(&f);
}

/* A row in hand pins the view of the loop's connection: the next read must not share it. */
static void
test_read_beside_a_borrowed_row_is_fresh(void)
{
	struct fixture f;
	const struct value one = int_value(1), two = int_value(2);
	struct operation op = read_of(&one);
	struct rows *rows = NULL;
	const struct value *row;

	fixture_start(&f, people, "t");
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	CHECK(!failed(next_row(&f, rows, &row)) && row != NULL);
	CHECK(sql_run(f.path, "UPDATE t SET name = 'new' WHERE id = 2"));
	struct arena mine = f.request;
	f.request = (struct arena){ 0 };
	CHECK(run(&f, read_of(&two)) && text_is(&f, "i:2 t:new n d:7\n"));
	CHECK(bytes_is(row[1].bytes, "Ada"));
	rows_close(rows);
	arena_done(&mine);
	CHECK(f.backend->direct_rows == 0);
	fixture_done(&f);
}

/* Reads of one turn see one state of the data. */
static void
next_turn(struct fixture *f)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void
test_reads_of_one_turn_see_one_state_and_those_of_the_next_a_new_one(void)
{
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f, people, "t");
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	CHECK(sql_run(f.path, "UPDATE t SET name = 'Eve'"));
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	next_turn(&f);
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:Eve i:36 d:12.5\n"));
	next_turn(&f);
	CHECK(sqlite3_get_autocommit(f.backend->direct.db) != 0);
	fixture_done(&f);
}

static void
test_dropped_table_and_column_are_noticed(void)
{
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f, people, "t");
	CHECK(run(&f, read_of(&key)));
	CHECK(sql_run(f.path, "ALTER TABLE t ADD COLUMN more TEXT"));
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	CHECK(sql_run(f.path, "ALTER TABLE t DROP COLUMN pay"));
	next_turn(&f);
	CHECK(!run(&f, read_of(&key)) &&
	      error_is(&f, ERR_UPSTREAM, "the table changed since start"));
	CHECK(!run(&f, list) && error_is(&f, ERR_UPSTREAM, "the table changed since start"));
	CHECK(sql_run(f.path, "DROP TABLE t"));
	next_turn(&f);
	CHECK(!run(&f, read_of(&key)) &&
	      error_is(&f, ERR_UPSTREAM, "the table changed since start"));
	CHECK(sql_run(f.path, people));
	next_turn(&f);
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:Ada i:36 d:12.5\n"));
	fixture_done(&f);
}

static void
test_too_many_waiting_reads_are_refused(void)
{
	struct fixture f;
	enum { COUNT = READERS + QUEUE_MAX + 1 };
	struct rows *rows[COUNT];
	const struct value *row;
	enum step step;

	fixture_start(&f, endless, "v");
	f.backend->loop_budget_us = 100;
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(!failed(start_rows(&f, &list, &rows[i], NULL)));
		f.error = rows_next(rows[i], &step, &row);
		CHECK(failed(f.error) == (i == COUNT - 1));
	}
	CHECK(error_is(&f, ERR_LIMIT, "too many"));
	for (size_t i = 0; i < COUNT; i++)
		rows_close(rows[COUNT - 1 - i]);
	fixture_done(&f);
}

TESTS(TEST(test_row_is_read_by_key), TEST(test_missing_row_is_not_found),
      TEST(test_rows_are_listed), TEST(test_empty_list_ends_at_once),
      TEST(test_only_asked_columns_come), TEST(test_row_hidden_by_a_condition_is_not_found),
      TEST(test_composite_key_and_without_rowid),
      TEST(test_values_come_by_declared_type_where_they_fit),
      TEST(test_pages_by_keyset_see_every_row_once),
      TEST(test_widest_list_has_room_for_its_order_values),
      TEST(test_large_list_comes_in_batches_from_a_thread), TEST(test_megabyte_of_text_comes_whole),
      TEST(test_slow_read_leaves_the_loop_free),
      TEST(test_statement_that_takes_too_long_is_stopped),
      TEST(test_closing_cancels_what_runs_and_what_waits),
      TEST(test_backend_closes_while_a_cancelled_read_still_runs),
      TEST(test_closing_between_batches_frees_the_connection),
      TEST(test_stream_never_asked_is_closed_quietly),
      TEST(test_consumer_that_does_not_come_back_loses_its_connection),
      TEST(test_read_beside_a_borrowed_row_is_fresh),
      TEST(test_reads_of_one_turn_see_one_state_and_those_of_the_next_a_new_one),
      TEST(test_dropped_table_and_column_are_noticed),
      TEST(test_too_many_waiting_reads_are_refused))
