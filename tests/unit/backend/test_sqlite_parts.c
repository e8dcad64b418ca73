/* test_sqlite_parts.c - the pieces by themselves: statement cache, batches, declared types, blame.
 */
#include "fixture.h"

#include <math.h>

#include "backend/sqlite_error.h"
#include "backend/sqlite_value.h"

/* --- prepared statements
 * --------------------------------------------------------------------------- */

static void
put_select(char *to, size_t room, int n)
{
	snprintf(to, room, "SELECT %d", n);
}

static void
test_statement_cache_is_bounded_and_keeps_the_latest(void)
{
	struct fixture f;
	struct prepared *p, *again;
	char sql[32];

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	struct connection *c = &f.backend->direct;
	for (int i = 0; i < 1000; i++) {
		put_select(sql, sizeof sql, i);
		CHECK(connection_prepare(c, bytes_text(sql), &p) == SQLITE_OK);
		connection_give(c, p);
		CHECK(c->statement_count <= STATEMENTS_MAX);
	}
	CHECK(connection_prepare(c, bytes_text(sql), &again) == SQLITE_OK && again == p);
	connection_give(c, again);

	size_t open = 0;
	for (sqlite3_stmt *st = sqlite3_next_stmt(c->db, NULL); st != NULL;
	     st = sqlite3_next_stmt(c->db, st))
		open++;
	CHECK(open == STATEMENTS_MAX);
	fixture_done(&f);
}

static void
test_taken_statement_is_not_shared(void)
{
	struct fixture f;
	struct prepared *taken[STATEMENTS_MAX + 8];
	const size_t count = sizeof taken / sizeof *taken;

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	struct connection *c = &f.backend->direct;
	for (size_t i = 0; i < count; i++) {
		CHECK(connection_prepare(c, BYTES("SELECT 1"), &taken[i]) == SQLITE_OK);
		CHECK(sqlite3_step(taken[i]->statement) == SQLITE_ROW);
		CHECK(i == 0 || taken[i] != taken[i - 1]);
	}
	for (size_t i = 0; i < count; i++)
		connection_give(c, taken[i]);
	CHECK(c->statement_count == STATEMENTS_MAX);
	fixture_done(&f);
}

static void
test_given_statement_keeps_no_values(void)
{
	struct fixture f;
	struct prepared *p;
	const struct value value = text_value("secret");

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	struct connection *c = &f.backend->direct;
	CHECK(connection_prepare(c, BYTES("SELECT ?1"), &p) == SQLITE_OK);
	CHECK(sqlite_value_bind(p->statement, &value, 1) == SQLITE_OK);
	connection_give(c, p);
	CHECK(connection_prepare(c, BYTES("SELECT ?1"), &p) == SQLITE_OK);
	CHECK(sqlite3_step(p->statement) == SQLITE_ROW &&
	      sqlite3_column_type(p->statement, 0) == SQLITE_NULL);
	CHECK(sqlite_value_bind(p->statement, &value, 0) ==
	      SQLITE_MISUSE); /* every parameter or none runs */
	connection_give(c, p);
	fixture_done(&f);
}

/* --- batches
 * ---------------------------------------------------------------------------------------- */

static void
test_batch_gives_back_what_was_put(void)
{
	const struct value in[] = {
		{ .type = VALUE_NULL },  { .type = VALUE_BOOL, .boolean = true },
		int_value(INT64_MIN),    { .type = VALUE_DOUBLE, .real = -0.0 },
		text_value("h\xc3\xa9"), { .type = VALUE_BYTES, .bytes = { NULL, 0 } },
	};
	const size_t count = sizeof in / sizeof *in;
	struct value out[6];
	struct batch b = { 0 };

	for (int row = 0; row < 3; row++)
		for (size_t i = 0; i < count; i++)
			batch_put(&b, &in[i]);
	for (int row = 0; row < 3; row++) {
		CHECK(batch_next(&b, out, count));
		CHECK(out[0].type == VALUE_NULL && out[1].boolean && out[2].int64 == INT64_MIN);
		CHECK(out[3].type == VALUE_DOUBLE && signbit(out[3].real) && out[3].real == 0);
		CHECK(out[4].type == VALUE_TEXT && bytes_is(out[4].bytes, "h\xc3\xa9"));
		CHECK(out[5].type == VALUE_BYTES && out[5].bytes.len == 0);
	}
	CHECK(!batch_next(&b, out, count));
	batch_clear(&b);
	CHECK(!batch_next(&b, out, count));
	batch_done(&b);
}

/* --- types
 * ------------------------------------------------------------------------------------------ */

static void
test_declarations_mean_types(void)
{
	static const struct {
		const char *declaration;
		enum value_type type;
	} rows[] = {
		{ "INTEGER", VALUE_INT64 },
		{ "bigint unsigned", VALUE_INT64 },
		{ "TINYINT(1)", VALUE_INT64 },
		{ "boolean", VALUE_BOOL },
		{ "BOOL", VALUE_BOOL },
		{ "DECIMAL(10,5)", VALUE_DECIMAL },
		{ "numeric", VALUE_DECIMAL },
		{ "NUMBER", VALUE_DECIMAL },
		{ "REAL", VALUE_DOUBLE },
		{ "FLOAT", VALUE_DOUBLE },
		{ "DOUBLE PRECISION", VALUE_DOUBLE },
		{ "VARCHAR(255)", VALUE_TEXT },
		{ "NATIVE CHARACTER(70)", VALUE_TEXT },
		{ "CLOB", VALUE_TEXT },
		{ "BLOB", VALUE_BYTES },
		{ "VARBINARY(16)", VALUE_BYTES },
		{ "DATE", VALUE_DATE },
		{ "DATETIME", VALUE_TIMESTAMP },
		{ "TIMESTAMP WITH TIME ZONE", VALUE_TIMESTAMP },
		{ "TIME", VALUE_TIME },
		{ "UUID", VALUE_UUID },
		{ "GUID", VALUE_UUID },
		{ "JSON", VALUE_JSON },
		{ "JSONB", VALUE_JSON },
		{ "", VALUE_TEXT },
		{ "ANY", VALUE_TEXT },
		{ "CANDIDATE", VALUE_TEXT },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(sqlite_value_type(rows[i].declaration) == rows[i].type,
		          rows[i].declaration);
}

/* --- errors
 * ----------------------------------------------------------------------------------------- */

static void
test_blame_is_exact(void)
{
	static const char schema[] = "CREATE TABLE \"a.b\" (id INTEGER PRIMARY KEY, \"b\" INT, "
				     "\"a.b.b\" INT, name INT UNIQUE,"
				     " \"name, id\" INT UNIQUE, low INT, high INT, CHECK (LOW < "
				     "high), CHECK (HIGH < 90), CONSTRAINT short CHECK "
				     "(high < 10),"
				     " UNIQUE (low, high));"
				     "INSERT INTO \"a.b\" VALUES (1, 1, 1, 1, 1, 1, 2);"
				     "CREATE UNIQUE INDEX both ON \"a.b\" (b + 1)";
	static const struct {
		const char *sql, *column;
	} rows[] = {
		{ "INSERT INTO \"a.b\" (id) VALUES (1)", "id" },
		{ "INSERT INTO \"a.b\" (name) VALUES (1)", "name" },
		{ "INSERT INTO \"a.b\" (low, high) VALUES (1, 2)", "low" },
		{ "INSERT INTO \"a.b\" (low, high) VALUES (3, 2)",
		  NULL }, /* two columns in the check */
		{ "INSERT INTO \"a.b\" (low, high) VALUES (3, 20)",
		  NULL }, /* the check has a name only */
		{ "INSERT INTO \"a.b\" (high) VALUES (95)", "high" },
		{ "INSERT INTO \"a.b\" (b) VALUES (1)", NULL }, /* an index over an expression */
		{ "SELECT * FROM gone", NULL },
	};
	struct fixture f;

	fixture_start(&f, schema, "a.b");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sqlite3 *db = f.backend->writer.connection.db;
		CHECK_ROW(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL) != SQLITE_OK,
		          rows[i].sql);
		int column = sqlite_error_column(db, f.table);
		if (rows[i].column == NULL)
			CHECK_ROW(column == -1, rows[i].sql);
		else
			CHECK_ROW(column >= 0 &&
			                  bytes_is(f.table->columns[column].name, rows[i].column),
			          rows[i].sql);
	}
	fixture_done(&f);
}

static void
test_results_become_errors(void)
{
	static const struct {
		int result;
		enum err_kind kind;
	} rows[] = {
		{ SQLITE_CONSTRAINT_UNIQUE, ERR_CONFLICT },
		{ SQLITE_CONSTRAINT_PRIMARYKEY, ERR_CONFLICT },
		{ SQLITE_CONSTRAINT_FOREIGNKEY, ERR_CONFLICT },
		{ SQLITE_CONSTRAINT_NOTNULL, ERR_INVALID },
		{ SQLITE_CONSTRAINT_CHECK, ERR_INVALID },
		{ SQLITE_CONSTRAINT_DATATYPE, ERR_INVALID },
		{ SQLITE_CONSTRAINT_VTAB, ERR_INVALID },
		{ SQLITE_MISMATCH, ERR_INVALID },
		{ SQLITE_TOOBIG, ERR_INVALID },
		{ SQLITE_FULL, ERR_UPSTREAM },
		{ SQLITE_IOERR_READ, ERR_UPSTREAM },
		{ SQLITE_CORRUPT_INDEX, ERR_UPSTREAM },
		{ SQLITE_READONLY_DBMOVED, ERR_UPSTREAM },
		{ SQLITE_BUSY_SNAPSHOT, ERR_UPSTREAM },
		{ SQLITE_SCHEMA, ERR_UPSTREAM },
		{ SQLITE_INTERRUPT, ERR_UPSTREAM },
		{ SQLITE_NOMEM, ERR_UPSTREAM },
		{ SQLITE_ERROR, ERR_UPSTREAM },
		{ 12345, ERR_UPSTREAM },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = sqlite_error(NULL, rows[i].result);
		CHECK_ROW(e.kind == rows[i].kind && e.code == (unsigned)rows[i].result,
		          sqlite3_errstr(rows[i].result));
	}
}

TESTS(TEST(test_statement_cache_is_bounded_and_keeps_the_latest),
      TEST(test_taken_statement_is_not_shared), TEST(test_given_statement_keeps_no_values),
      TEST(test_batch_gives_back_what_was_put), TEST(test_declarations_mean_types),
      TEST(test_blame_is_exact), TEST(test_results_become_errors))
