/* test_sqlite_open.c - opening, the schema, and databases that are not what they should be. */
#include "fixture.h"

#include <fcntl.h>

static void
write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	CHECK(file != NULL && fwrite(bytes, 1, len, file) == len);
	if (file != NULL)
		fclose(file);
}

static void
check_open_fails(struct fixture *f, enum err_kind kind, const char *why)
{
	f->error = fixture_open(f);
	CHECK(error_is(f, kind, why));
	CHECK(f->backend == NULL);
}

static void
test_missing_database_is_refused_and_not_created(void)
{
	struct fixture f;

	fixture_init(&f);
	check_open_fails(&f, ERR_CONFIG, "does not exist");
	CHECK(access(f.path, F_OK) != 0);
	fixture_done(&f);
}

static void
test_folder_as_database_is_refused(void)
{
	struct fixture f;

	fixture_init(&f);
	f.own.path = f.folder;
	check_open_fails(&f, ERR_CONFIG, "directory");
	fixture_done(&f);
}

static void
test_relative_path_is_refused(void)
{
	struct fixture f;

	fixture_init(&f);
	f.own.path = "file:data.db?mode=memory";
	check_open_fails(&f, ERR_CONFIG, "absolute");
	fixture_done(&f);
}

static void
test_file_that_is_no_database_is_refused(void)
{
	static const char text[4096] = "This is a letter to my aunt, and not a database at all.";
	struct fixture f;

	fixture_init(&f);
	write_file(f.path, text, sizeof text);
	check_open_fails(&f, ERR_CONFIG, "not an SQLite database");
	fixture_done(&f);
}

static void
test_damaged_schema_is_refused(void)
{
	struct fixture f;

	fixture_init(&f);
	CHECK(sql_run(f.path, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"));
	FILE *file = fopen(f.path, "r+b");
	CHECK(file != NULL);
	if (file != NULL) {
		/* The b-tree page of the schema starts behind the 100 bytes of the file header. */
		CHECK(fseek(file, 100, SEEK_SET) == 0);
		for (int i = 0; i < 3000; i++)
			fputc(0xa5, file);
		fclose(file);
	}
	check_open_fails(&f, ERR_CONFIG, "damaged");
	fixture_done(&f);
}

static void
test_damage_found_later_fails_the_read_only(void)
{
	struct fixture f;
	const struct value key = int_value(150);

	fixture_init(&f);
	CHECK(sql_run(
		f.path,
		"PRAGMA page_size = 4096; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)"
		"INSERT INTO t SELECT n, hex(randomblob(200)) FROM c"));
	FILE *file = fopen(f.path, "r+b");
	CHECK(file != NULL && fseek(file, 3 * 4096, SEEK_SET) == 0);
	for (int i = 0; file != NULL && i < 20 * 4096; i++)
		fputc(0xa5, file);
	if (file != NULL)
		fclose(file);
	CHECK(!failed(fixture_open(&f)));
	CHECK(!failed(fixture_table(&f, "t")));
	CHECK(!run(&f, read_of(&key)));
	CHECK(error_is(&f, ERR_UPSTREAM, "damaged"));
	fixture_done(&f);
}

/* Somebody copies another file over the database while it is in use. */
static void
test_database_cut_short_under_us_fails_and_does_not_crash(void)
{
	struct fixture f;
	const struct value key = int_value(900);
	const struct operation list = { .kind = OPERATION_LIST };

	fixture_start(
		&f,
		"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000)"
		"INSERT INTO t SELECT n, hex(randomblob(20)) FROM c",
		"t");
	CHECK(run(&f, read_of(&key)));
	CHECK(truncate(f.path, 8192) == 0);
	CHECK(!run(&f, list) && f.error.kind == ERR_UPSTREAM);
	CHECK(truncate(f.path, 0) == 0);
	CHECK(!run(&f, list) && f.error.kind == ERR_UPSTREAM);
	fixture_done(&f);
}

static void
test_empty_file_has_no_tables(void)
{
	struct fixture f;

	fixture_init(&f);
	write_file(f.path, "", 0);
	CHECK(!failed(fixture_open(&f)));
	f.error = fixture_table(&f, "t");
	CHECK(error_is(&f, ERR_CONFIG, "no such table"));
	fixture_done(&f);
}

static void
test_unknown_table_and_broken_view_are_refused(void)
{
	struct fixture f;

	fixture_start(
		&f, "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT * FROM gone",
		"t");
	f.error = fixture_table(&f, "u");
	CHECK(error_is(&f, ERR_CONFIG, "no such table"));
	f.error = fixture_table(&f, "t'; DROP TABLE t; --");
	CHECK(error_is(&f, ERR_CONFIG, "no such table"));
	f.error = fixture_table(&f, "v");
	CHECK(failed(f.error));
	fixture_done(&f);
}

static void
test_database_is_switched_to_wal(void)
{
	struct fixture f;
	char name[128];

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	snprintf(name, sizeof name, "%s-wal", f.path);
	CHECK(access(name, F_OK) == 0);
	CHECK(!failed(backend_probe(f.backend)));
	fixture_done(&f);
}

static void
test_connection_is_hardened(void)
{
	struct fixture f;
	int value = -1;

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	sqlite3 *db = f.backend->direct.db;
	CHECK(sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1, &value) == SQLITE_OK &&
	      value == 0);
	CHECK(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, -1, &value) == SQLITE_OK &&
	      value == 1);
	CHECK(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &value) == SQLITE_OK &&
	      value == 1);
	CHECK(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1, &value) ==
	              SQLITE_OK &&
	      value == 0);
	CHECK(sqlite3_exec(db, "ATTACH ':memory:' AS x", NULL, NULL, NULL) != SQLITE_OK);
	CHECK(sqlite3_exec(db, "SELECT \"gone\"", NULL, NULL, NULL) != SQLITE_OK);
	fixture_done(&f);
}

/* Root reads and writes what it likes, so the test becomes nobody. */
static void
test_readonly_database_serves_reads_and_refuses_writes(void)
{
	struct fixture f;
	const struct value key = int_value(1), name = text_value("x");
	const uint16_t column = 1;
	bool was_root = geteuid() == 0;

	fixture_init(&f);
	CHECK(sql_run(f.path, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t "
	                      "VALUES (1, 'a')"));
	CHECK(chmod(f.path, 0444) == 0 && chmod(f.folder, 0755) == 0);
	if (was_root)
		CHECK(seteuid(65534) == 0);
	CHECK(!failed(fixture_open(&f)));
	CHECK(!failed(fixture_table(&f, "t")));
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:a\n"));
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_UPDATE,
	                                   .key = &key,
	                                   .set_columns = &column,
	                                   .set_values = &name,
	                                   .set_count = 1 }));
	CHECK(error_is(&f, ERR_UPSTREAM, "read-only"));
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:a\n"));
	if (was_root)
		CHECK(seteuid(0) == 0);
	fixture_done(&f);
}

static void
test_database_that_may_not_be_read_is_refused(void)
{
	struct fixture f;

	if (geteuid() != 0)
		SKIP("only root can become another user");
	fixture_init(&f);
	CHECK(sql_run(f.path, "CREATE TABLE t (id INTEGER PRIMARY KEY)"));
	CHECK(chmod(f.path, 0600) == 0 && chmod(f.folder, 0755) == 0);
	CHECK(seteuid(65534) == 0);
	check_open_fails(&f, ERR_CONFIG, "may not be read");
	CHECK(seteuid(0) == 0);
	fixture_done(&f);
}

static void
test_moved_database_is_noticed(void)
{
	struct fixture f;
	char old[96];
	const struct value id = int_value(2);
	const uint16_t column = 0;

	fixture_start(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "t");
	snprintf(old, sizeof old, "%s/old.db", f.folder);
	CHECK(rename(f.path, old) == 0);
	f.error = backend_probe(f.backend);
	CHECK(error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_INSERT,
	                                   .set_columns = &column,
	                                   .set_values = &id,
	                                   .set_count = 1 }));
	CHECK(error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	fixture_done(&f);
}

/* --- schema
 * --------------------------------------------------------------------------------------- */

static bool
column_is(const struct table *t, size_t i, const char *name, enum value_type type)
{
	return i < t->column_count && bytes_is(t->columns[i].name, name) &&
	       t->columns[i].type == type;
}

static void
test_schema_gives_types_defaults_and_generated_columns(void)
{
	struct fixture f;

	fixture_start(&f,
	              "CREATE TABLE \"odd \"\" name\" (id INTEGER PRIMARY KEY, \"a \"\"b\" "
	              "VARCHAR(20) NOT NULL,"
	              " n NUMERIC(10,2) DEFAULT 0, r REAL, b BLOB, f BOOLEAN, d DATE, t TIME, s "
	              "DATETIME, u UUID,"
	              " j JSON, g INT GENERATED ALWAYS AS (n * 2) STORED, h AS (n * 3), none)",
	              "ODD \" name");
	const struct table *t = f.table;
	CHECK(bytes_is(t->name, "odd \" name"));
	CHECK(t->column_count == 14);
	CHECK(column_is(t, 0, "id", VALUE_INT64) && !t->columns[0].nullable &&
	      t->columns[0].has_default);
	CHECK(column_is(t, 1, "a \"b", VALUE_TEXT) && !t->columns[1].nullable &&
	      !t->columns[1].has_default);
	CHECK(column_is(t, 2, "n", VALUE_DECIMAL) && t->columns[2].nullable &&
	      t->columns[2].has_default);
	CHECK(column_is(t, 3, "r", VALUE_DOUBLE) && column_is(t, 4, "b", VALUE_BYTES));
	CHECK(column_is(t, 5, "f", VALUE_BOOL) && column_is(t, 6, "d", VALUE_DATE));
	CHECK(column_is(t, 7, "t", VALUE_TIME) && column_is(t, 8, "s", VALUE_TIMESTAMP));
	CHECK(column_is(t, 9, "u", VALUE_UUID) && column_is(t, 10, "j", VALUE_JSON));
	CHECK(column_is(t, 11, "g", VALUE_INT64) && t->columns[11].is_generated);
	CHECK(t->columns[12].is_generated && !t->columns[10].is_generated);
	CHECK(column_is(t, 13, "none", VALUE_TEXT));
	CHECK(t->key_count == 1 && t->key[0] == 0);
	fixture_done(&f);
}

static void
test_schema_gives_the_key_in_its_own_order(void)
{
	struct fixture f;

	fixture_start(&f,
	              "CREATE TABLE c (x INT, y TEXT, z INT, PRIMARY KEY (z, x)) WITHOUT ROWID;"
	              "CREATE TABLE w (id INTEGER PRIMARY KEY, n INT) WITHOUT ROWID;"
	              "CREATE TABLE k (n INT); CREATE VIEW v AS SELECT * FROM c;"
	              "CREATE TABLE i (id INT PRIMARY KEY)",
	              "c");
	CHECK(f.table->key_count == 2 && f.table->key[0] == 2 && f.table->key[1] == 0);
	CHECK(!failed(fixture_table(&f, "w")));
	CHECK(f.table->key_count == 1 && !f.table->columns[0].has_default &&
	      !f.table->columns[0].nullable);
	CHECK(!failed(fixture_table(&f, "k")));
	CHECK(f.table->key_count == 0);
	CHECK(!failed(fixture_table(&f, "v")));
	CHECK(f.table->key_count == 0 && f.table->column_count == 3 &&
	      column_is(f.table, 1, "y", VALUE_TEXT));
	CHECK(!failed(fixture_table(&f, "i")));
	CHECK(f.table->key_count == 1 && !f.table->columns[0].has_default);
	fixture_done(&f);
}

static void
test_tables_beyond_the_limits_are_refused(void)
{
	struct fixture f;
	struct buf wide = { 0 };

	buf_put_text(&wide, "CREATE TABLE t (id INTEGER PRIMARY KEY);"
	                    "CREATE TABLE k (a, b, c, d, e, f, g, h, i, PRIMARY KEY (a, b, c, d, "
	                    "e, f, g, h, i));"
	                    "CREATE TABLE w (c0");
	for (int i = 1; i < 257; i++)
		buf_printf(&wide, ", c%d", i);
	buf_put_text(&wide, ")");
	buf_put_u8(&wide, 0);
	fixture_start(&f, (const char *)wide.at, "t");
	f.error = fixture_table(&f, "w");
	CHECK(error_is(&f, ERR_CONFIG, "256 columns"));
	f.error = fixture_table(&f, "k");
	CHECK(error_is(&f, ERR_CONFIG, "8 columns"));
	fixture_done(&f);
	buf_done(&wide);
}

TESTS(TEST(test_missing_database_is_refused_and_not_created),
      TEST(test_folder_as_database_is_refused), TEST(test_relative_path_is_refused),
      TEST(test_file_that_is_no_database_is_refused), TEST(test_damaged_schema_is_refused),
      TEST(test_damage_found_later_fails_the_read_only),
      TEST(test_database_cut_short_under_us_fails_and_does_not_crash),
      TEST(test_empty_file_has_no_tables), TEST(test_unknown_table_and_broken_view_are_refused),
      TEST(test_database_is_switched_to_wal), TEST(test_connection_is_hardened),
      TEST(test_readonly_database_serves_reads_and_refuses_writes),
      TEST(test_database_that_may_not_be_read_is_refused), TEST(test_moved_database_is_noticed),
      TEST(test_schema_gives_types_defaults_and_generated_columns),
      TEST(test_schema_gives_the_key_in_its_own_order),
      TEST(test_tables_beyond_the_limits_are_refused))
