/* test_sqlite_lock.c - another process holds the write lock of the database. */
#include "fixture.h"

static const char schema[] =
	"PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT);"
	"INSERT INTO t VALUES (1, 'one'), (2, 'two');";

static bool
update_title(struct fixture *f, int64_t id, const char *title)
{
	static const uint16_t column = 1;
	const struct value key = int_value(id), value = text_value(title);

	return run(f, (struct operation){ .kind = OPERATION_UPDATE,
	                                  .key = &key,
	                                  .set_columns = &column,
	                                  .set_values = &value,
	                                  .set_count = 1 });
}

/* A process of its own that takes and gives back the lock of the database when told to. */
struct holder {
	pid_t pid;
	int to, from;
};

static void
hold(const char *path, int in, int out)
{
	sqlite3 *db = NULL;
	char command;

	while (read(in, &command, 1) == 1) {
		if (db == NULL)
			(void)sqlite3_open(path, &db);
		const char *sql = command == 'l'   ? "BEGIN IMMEDIATE"
		                  : command == 'x' ? "BEGIN EXCLUSIVE"
		                                   : "COMMIT";
		char answer = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 'y' : 'n';
		if (write(out, &answer, 1) != 1)
			break;
	}
	_exit(0);
}

/* Before any connection of ours exists: SQLite's locks do not survive a fork. */
static void
holder_start(struct holder *h, const char *path)
{
	int to[2], from[2];

	if (pipe(to) != 0 || pipe(from) != 0)
		abort();
	h->pid = fork();
	if (h->pid == 0) {
		close(to[1]);
		hold(path, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	h->to = to[1], h->from = from[0];
}

static bool
holder_tell(struct holder *h, char command)
{
	char answer = 'n';

	return write(h->to, &command, 1) == 1 && read(h->from, &answer, 1) == 1 && answer == 'y';
}

static void
holder_stop(struct holder *h)
{
	close(h->to);
	close(h->from);
	CHECK(waitpid(h->pid, NULL, 0) == h->pid);
}

static void
locked_start(struct fixture *f, struct holder *h)
{
	fixture_init(f);
	CHECK(sql_run(f->path, schema));
	holder_start(h, f->path);
	CHECK(!failed(fixture_open(f)));
	CHECK(!failed(fixture_table(f, "t")));
	CHECK(holder_tell(h, 'l'));
}

static void
on_tick(uv_timer_t *timer)
{
	++*(unsigned *)timer->data;
}

static void
test_lock_of_another_process_is_waited_for_then_reported(void)
{
	struct fixture f;
	struct holder h;
	uv_timer_t timer;
	unsigned ticks = 0;
	const struct value key = int_value(1);

	locked_start(&f, &h);
	f.own.lock_timeout_ms = 150;
	uv_timer_init(&f.loop, &timer);
	timer.data = &ticks;
	uv_timer_start(&timer, on_tick, 1, 1);
	CHECK(!update_title(&f, 1, "x"));
	CHECK(error_is(&f, ERR_UPSTREAM, "locked by another writer"));
	CHECK(ticks > 5);
	CHECK(run(&f, read_of(&key)) && f.count == 1); /* reads pass the writer */
	CHECK(holder_tell(&h, 'u'));
	CHECK(update_title(&f, 1, "x"));
	uv_close((uv_handle_t *)&timer, NULL);
	holder_stop(&h);
	fixture_done(&f);
}

static void
on_release(uv_timer_t *timer)
{
	CHECK(holder_tell(timer->data, 'u'));
	uv_close((uv_handle_t *)timer, NULL);
}

static void
test_lock_given_back_lets_the_write_through(void)
{
	struct fixture f;
	struct holder h;
	uv_timer_t timer;

	locked_start(&f, &h);
	uv_timer_init(&f.loop, &timer);
	timer.data = &h;
	uv_timer_start(&timer, on_release, 60, 0);
	CHECK(update_title(&f, 1, "through"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = 'through'") == 1);
	holder_stop(&h);
	fixture_done(&f);
}

static void
test_write_closed_while_it_waits_for_the_lock_is_dropped(void)
{
	struct fixture f;
	struct holder h;
	static const uint16_t column = 1;
	const struct value key = int_value(1), value = text_value("lost");
	struct rows *rows = NULL;
	const struct value *row;
	enum step step;

	locked_start(&f, &h);
	struct operation op = { .kind = OPERATION_UPDATE,
		                .key = &key,
		                .set_columns = &column,
		                .set_values = &value,
		                .set_count = 1 };
	CHECK(!failed(start_rows(&f, &op, &rows, NULL)));
	for (int i = 0; i < 20; i++) {
		CHECK(!failed(rows_next(rows, &step, &row)) && step == STEP_MORE);
		usleep(1000);
		uv_run(&f.loop, UV_RUN_NOWAIT);
	}
	rows_close(rows);
	arena_reset(&f.request);
	CHECK(holder_tell(&h, 'u'));
	CHECK(update_title(&f, 2, "kept"));
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE title = 'lost'") == 0);
	holder_stop(&h);
	fixture_done(&f);
}

/* In a database that cannot be in WAL mode a reader can meet the writer's lock. It waits on a
 * thread. */
static void
test_read_waits_for_a_lock_that_wal_would_not_have(void)
{
	struct fixture f;
	struct holder h;
	uv_timer_t timer;
	unsigned ticks = 0;
	const struct value key = int_value(1);

	fixture_init(&f);
	CHECK(sql_run(f.path, "CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO t "
	                      "VALUES (1, 'one')"));
	holder_start(&h, f.path);
	CHECK(holder_tell(&h, 'l')); /* so that it cannot be switched */
	CHECK(!failed(fixture_open(&f)));
	CHECK(!failed(fixture_table(&f, "t")));
	CHECK(holder_tell(&h, 'u'));
	f.own.statement_timeout_ms = 100;
	uv_timer_init(&f.loop, &timer);
	timer.data = &ticks;
	uv_timer_start(&timer, on_tick, 1, 1);
	CHECK(holder_tell(&h, 'x'));
	CHECK(!run(&f, read_of(&key)) && error_is(&f, ERR_UPSTREAM, "locked"));
	CHECK(ticks > 5);
	CHECK(holder_tell(&h, 'u'));
	CHECK(run(&f, read_of(&key)) && text_is(&f, "i:1 t:one\n"));
	uv_close((uv_handle_t *)&timer, NULL);
	holder_stop(&h);
	fixture_done(&f);
}

TESTS(TEST(test_lock_of_another_process_is_waited_for_then_reported),
      TEST(test_lock_given_back_lets_the_write_through),
      TEST(test_write_closed_while_it_waits_for_the_lock_is_dropped),
      TEST(test_read_waits_for_a_lock_that_wal_would_not_have))
