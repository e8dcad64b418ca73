/* sqlite.c - the SQLite backend as backend.h wants it: its connections, and what reads and writes
 * share. */
#include "backend/sqlite.h"

#include "backend/sqlite_error.h"
#include "backend/sqlite_schema.h"
#include "backend/sqlite_value.h"
#include "base/clock.h"
#include "base/macros.h"

enum { SWEEP_MS = 1000 };

static struct err
no_memory(void)
{
	return fail(ERR_LIMIT, "no memory for the request");
}

struct err
sqlite_statement_keep(const struct sql *sql, struct arena *arena, struct statement *ret)
{
	struct bytes text = arena_copy(arena, buf_bytes(&sql->text));

	if (text.at == NULL)
		return no_memory();
	*ret = (struct statement){ text, sql->values, sql->value_count };
	return OK;
}

struct err
sqlite_statement_copy(const struct statement *from, struct arena *arena, struct statement *ret)
{
	struct bytes text = arena_copy(arena, from->text);
	struct value *values = arena_array(arena, from->value_count, sizeof *values);

	if (text.at == NULL || (values == NULL && from->value_count > 0))
		return no_memory();
	for (size_t i = 0; i < from->value_count; i++)
		TRY(value_copy(from->values[i], arena, &values[i]));
	*ret = (struct statement){ text, values, from->value_count };
	return OK;
}

int
sqlite_statement_start(const struct statement *st, struct connection *c, struct prepared **ret)
{
	struct prepared *p;
	int result = connection_prepare(c, st->text, &p);

	if (result != SQLITE_OK)
		return result;
	result = sqlite_value_bind(p->statement, st->values, st->value_count);
	if (result != SQLITE_OK) {
		connection_give(c, p);
		return result;
	}
	*ret = p;
	return SQLITE_OK;
}

struct err
sqlite_rows_init(struct rows *rows, const struct operation *op, const struct column_set *set,
                 struct arena *arena, struct value **ret_row)
{
	const struct table *table = op->grant->table;
	size_t order_count = op->with_order ? op->order_count : 0;
	struct rows_column *columns =
		arena_array(arena, table->column_count + order_count, sizeof *columns);
	size_t count = 0;

	if (columns == NULL)
		return no_memory();
	for (size_t i = 0; i < table->column_count; i++)
		if (column_set_has(set, i))
			columns[count++] = (struct rows_column){ table->columns[i].name,
				                                 table->columns[i].type };
	for (size_t i = 0; i < order_count; i++) {
		const struct column *c = &table->columns[op->order[i].column];
		columns[count++] = (struct rows_column){ c->name, c->type };
	}
	*ret_row = arena_array(arena, count, sizeof **ret_row);
	if (*ret_row == NULL && count > 0)
		return no_memory();
	rows->columns = columns;
	rows->column_count = count;
	return OK;
}

static void
on_sweep(uv_timer_t *timer)
{
	struct backend *b = timer->data;
	uint64_t now = clock_monotonic_us(),
		 before = now > b->hold_max_us ? now - b->hold_max_us : 0;
	bool reads = sqlite_read_sweep(b, before), writes = sqlite_write_sweep(b, before);

	if (!reads && !writes)
		(void)uv_timer_stop(timer); /* always 0 */
}

void
sqlite_sweep_soon(struct backend *b)
{
	uint64_t every = b->hold_max_us / 1000 < SWEEP_MS ? b->hold_max_us / 1000 : SWEEP_MS;

	if (!uv_is_active((uv_handle_t *)&b->sweep) && !b->is_closing)
		(void)uv_timer_start(&b->sweep, on_sweep, every,
		                     every); /* fails only while closing */
}

/* A statement of ours without values, kept prepared. */
static void
turn_run(struct backend *b, struct bytes text)
{
	struct prepared *p;

	if (connection_prepare(&b->direct, text, &p) != SQLITE_OK)
		return;                   /* without a transaction each read has its own */
	(void)sqlite3_step(p->statement); /* likewise */
	connection_give(&b->direct, p);
}

static void
on_turn_end(uv_prepare_t *handle)
{
	sqlite_turn_end(handle->data);
}

void
sqlite_turn_begin(struct backend *b)
{
	if (b->is_in_turn || b->is_closing)
		return;
	turn_run(b, BYTES("BEGIN"));
	b->is_in_turn = true;
	(void)uv_prepare_start(&b->turn, on_turn_end); /* cannot fail with a callback */
}

void
sqlite_turn_end(struct backend *b)
{
	if (!b->is_in_turn)
		return;
	b->is_in_turn = false;
	(void)uv_prepare_stop(&b->turn); /* never fails */
	/* An error may have ended it already. */
	if (b->direct.db != NULL && sqlite3_get_autocommit(b->direct.db) == 0)
		turn_run(b, BYTES("COMMIT"));
}

/* No thread is started here: one from before the sandbox would stand outside of it. */
static struct err
open_all(struct backend *b)
{
	uint8_t byte;

	sqlite3_randomness(sizeof byte,
	                   &byte); /* seeds it from a device that the sandbox will hide */
	TRY(connection_open(&b->direct, b->settings->path));
	connection_use_wal(&b->direct); /* before the others look: it asks for the database alone */
	for (size_t i = 0; i < READERS; i++) {
		struct connection *c = &b->readers.connections[i];
		TRY(connection_open(c, b->settings->path));
		connection_may_sleep(c);
		list_append(&b->readers.free, &c->node);
	}
	return connection_open(&b->writer.connection, b->settings->path);
}

static void
close_free(struct backend *b)
{
	connection_close(&b->direct);
	while (!list_is_empty(&b->readers.free))
		connection_close(container_of(b->readers.free.next, struct connection, node));
	if (b->writer.current == NULL)
		connection_close(&b->writer.connection);
}

struct err
backend_open(const struct settings *settings, unsigned index, uv_loop_t *loop, struct arena *arena,
             struct backend **ret)
{
	struct backend *b = arena_alloc(arena, sizeof *b);

	if (b == NULL)
		return no_memory();
	b->settings = &settings->backends[index];
	b->loop = loop != NULL ? loop : uv_default_loop();
	b->hold_max_us = HOLD_MAX_MS * UINT64_C(1000);
	b->loop_budget_us = LOOP_BUDGET_US;
	b->health.look_every_ms = LOOK_EVERY_MS;
	list_init(&b->readers.free);
	list_init(&b->readers.waiting);
	list_init(&b->readers.held);
	list_init(&b->writer.waiting);

	struct err e = open_all(b);
	if (failed(e)) {
		close_free(b);
		return e;
	}
	/* None of these can fail. */
	(void)uv_prepare_init(b->loop, &b->turn);
	(void)uv_timer_init(b->loop, &b->sweep);
	(void)uv_timer_init(b->loop, &b->writer.retry);
	b->turn.data = b->sweep.data = b->writer.retry.data = b;
	*ret = b;
	return OK;
}

void
backend_close(struct backend *b)
{
	if (b == NULL || b->is_closing)
		return;
	sqlite_turn_end(b);
	b->is_closing = true;
	uv_close((uv_handle_t *)&b->turn, NULL);
	uv_close((uv_handle_t *)&b->sweep, NULL);
	uv_close((uv_handle_t *)&b->writer.retry, NULL);
	close_free(b); /* what a job still uses is closed at the job's end */
}

struct err
backend_table(struct backend *b, const char *name, struct arena *arena, const struct table **ret)
{
	return sqlite_schema_read(b->direct.db, name, arena, ret);
}

struct err
backend_start(struct backend *b, const struct operation *op, struct arena *arena, struct rows **ret,
              struct operation_fault *fault, struct bytes *sql_text)
{
	switch (op->kind) {
	case OPERATION_LIST:
	case OPERATION_READ:
		return sqlite_read_start(b, op, arena, ret, sql_text);
	case OPERATION_INSERT:
	case OPERATION_UPDATE:
	case OPERATION_DELETE:
		return sqlite_write_start(b, op, arena, ret, fault, sql_text);
	}
	return fail(ERR_PEER, "unknown operation");
}

struct err
backend_probe(struct backend *b)
{
	TRY(sqlite_look_now(b));
	connection_watch(&b->direct, b->loop_budget_us);
	int result = connection_run(&b->direct, "SELECT 1 FROM sqlite_schema LIMIT 1");
	/* Another's lock is a sign of life. */
	if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY)
		return OK;
	struct err e = sqlite_error(b->direct.db, result);
	sqlite_report(b, e);
	return e;
}
