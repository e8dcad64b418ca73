/* test_sqlite_health.c - a file that goes, comes back, or breaks while it is served; and what the
 * log says. */
#include "fixture.h"

#include "backend/sqlite_error.h"

static const char schema[] =
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'mine')";

/* Standard error goes into a file without a name. */
struct log_catcher {
	FILE *file;
	int saved;
};

static struct log_catcher
catch_start(void)
{
	struct log_catcher c = { .file = tmpfile(), .saved = dup(STDERR_FILENO) };

	if (c.file == NULL || c.saved < 0 || dup2(fileno(c.file), STDERR_FILENO) < 0)
		abort();
	return c;
}

static void
catch_end(struct log_catcher *c)
{
	CHECK(dup2(c->saved, STDERR_FILENO) >= 0);
	close(c->saved);
	fclose(c->file);
}

/* How often `text` was logged so far. */
static size_t
logged(const struct log_catcher *c, const char *text)
{
	char all[8192];
	ssize_t len = pread(fileno(c->file), all, sizeof all - 1, 0);
	size_t count = 0;

	all[len > 0 ? len : 0] = 0;
	for (const char *hit = all; (hit = strstr(hit, text)) != NULL; hit++)
		count++;
	return count;
}

static bool
read_one(struct fixture *f)
{
	const struct value key = int_value(1);

	return run(f, read_of(&key));
}

static bool
insert_one(struct fixture *f)
{
	static const uint16_t column = 1;
	const struct value name = text_value("new");

	return run(f, (struct operation){ .kind = OPERATION_INSERT,
	                                  .set_columns = &column,
	                                  .set_values = &name,
	                                  .set_count = 1 });
}

static void
old_path(const struct fixture *f, char *ret, size_t len)
{
	snprintf(ret, len, "%s/old.db", f->folder);
}

static void
test_moved_database_stops_reads_and_writes_until_it_is_back(void)
{
	struct fixture f;
	char old[96];
	const struct operation list = { .kind = OPERATION_LIST };

	fixture_start(&f, schema, "t");
	struct log_catcher log = catch_start();
	old_path(&f, old, sizeof old);
	f.backend->health.look_every_ms = 0;
	CHECK(read_one(&f) && logged(&log, "\n") == 0);
	CHECK(rename(f.path, old) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(!read_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
		CHECK(!run(&f, list) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
		CHECK(!insert_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
		CHECK(failed(backend_probe(f.backend)));
	}
	CHECK(logged(&log, "was moved or deleted") == 1 && logged(&log, "backend=\"data\"") == 1);
	CHECK(rename(old, f.path) == 0);
	CHECK(read_one(&f) && text_is(&f, "i:1 t:mine\n"));
	CHECK(insert_one(&f) && !failed(backend_probe(f.backend)));
	CHECK(logged(&log, "file is back") == 1 && logged(&log, "\n") == 2);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 2);
	catch_end(&log);
	fixture_done(&f);
}

/* What has the name now is another file. */
static void
test_replaced_database_is_not_served_from_the_deleted_file(void)
{
	struct fixture f;
	char other[96];

	fixture_start(&f, schema, "t");
	struct log_catcher log = catch_start();
	old_path(&f, other, sizeof other);
	CHECK(sql_run(other, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t "
	                     "VALUES (1, 'other')"));
	f.backend->health.look_every_ms = 0;
	CHECK(read_one(&f));
	CHECK(rename(other, f.path) == 0);
	CHECK(!read_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	CHECK(!insert_one(&f));
	CHECK(logged(&log, "was moved or deleted") == 1);
	catch_end(&log);
	fixture_done(&f);
}

/* Looking is a system call: not for each read. */
static void
test_file_is_looked_at_once_a_second(void)
{
	struct fixture f;
	char old[96];

	fixture_start(&f, schema, "t");
	struct log_catcher log = catch_start();
	old_path(&f, old, sizeof old);
	CHECK(read_one(&f));
	CHECK(f.backend->health.next_look_ms == uv_now(&f.loop) + LOOK_EVERY_MS);
	CHECK(rename(f.path, old) == 0);
	CHECK(read_one(&f)); /* its time has not come */
	f.backend->health.next_look_ms = uv_now(&f.loop);
	CHECK(!read_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	CHECK(rename(old, f.path) == 0);
	CHECK(!read_one(&f));
	CHECK(!failed(backend_probe(f.backend))); /* looks at once, for all */
	CHECK(read_one(&f));
	catch_end(&log);
	fixture_done(&f);
}

/* A write looks each time, and what it finds holds for the reads after it. */
static void
test_write_that_finds_the_file_gone_tells_the_reads(void)
{
	struct fixture f;
	char old[96];

	fixture_start(&f, schema, "t");
	struct log_catcher log = catch_start();
	old_path(&f, old, sizeof old);
	CHECK(read_one(&f));
	CHECK(rename(f.path, old) == 0);
	f.backend->health.next_look_ms = UINT64_MAX;
	CHECK(read_one(&f));
	CHECK(!insert_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	CHECK(!read_one(&f) && error_is(&f, ERR_UPSTREAM, "moved or deleted"));
	CHECK(logged(&log, "was moved or deleted") == 1);
	CHECK(rename(old, f.path) == 0);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 1);
	catch_end(&log);
	fixture_done(&f);
}

static void
test_damage_is_logged_once_a_minute_without_sql(void)
{
	struct fixture f;
	const struct operation list = { .kind = OPERATION_LIST };

	fixture_start(
		&f,
		"PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)"
		"INSERT INTO t SELECT n, hex(randomblob(50)) FROM c; PRAGMA "
		"wal_checkpoint(TRUNCATE)",
		"t");
	struct log_catcher log = catch_start();
	CHECK(truncate(f.path, 8192) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(!run(&f, list) && f.error.kind == ERR_UPSTREAM);
	size_t first = logged(&log, "damaged or cannot be read");
	CHECK(first == 1);
	memset(f.backend->health.quiet_until_ms, 0,
	       sizeof f.backend->health.quiet_until_ms); /* a minute later */
	CHECK(!run(&f, list) && logged(&log, "damaged or cannot be read") == first + 1);
	CHECK(logged(&log, "SELECT") == 0 && logged(&log, "name") == 0);
	catch_end(&log);
	fixture_done(&f);
}

static void
test_each_kind_of_damage_is_logged_and_nothing_else(void)
{
	static const struct {
		int result;
		size_t lines;
	} rows[] = { { SQLITE_CORRUPT_INDEX, 1 },
		     { SQLITE_CORRUPT, 0 },
		     { SQLITE_NOTADB, 1 },
		     { SQLITE_IOERR_READ, 1 },
		     { SQLITE_IOERR_SHORT_READ, 0 },
		     { SQLITE_BUSY, 0 },
		     { SQLITE_FULL, 0 },
		     { SQLITE_CONSTRAINT_UNIQUE, 0 },
		     { SQLITE_INTERRUPT, 0 } };
	struct fixture f;
	size_t before = 0;

	fixture_start(&f, schema, "t");
	struct log_catcher log = catch_start();
	sqlite_report(f.backend, OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sqlite_report(f.backend, sqlite_error(NULL, rows[i].result));
		CHECK_ROW(logged(&log, "\n") == before + rows[i].lines,
		          sqlite3_errstr(rows[i].result));
		before += rows[i].lines;
	}
	CHECK(before == 3);
	catch_end(&log);
	fixture_done(&f);
}

TESTS(TEST(test_moved_database_stops_reads_and_writes_until_it_is_back),
      TEST(test_replaced_database_is_not_served_from_the_deleted_file),
      TEST(test_file_is_looked_at_once_a_second),
      TEST(test_write_that_finds_the_file_gone_tells_the_reads),
      TEST(test_damage_is_logged_once_a_minute_without_sql),
      TEST(test_each_kind_of_damage_is_logged_and_nothing_else))
