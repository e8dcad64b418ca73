/* test_sqlite_mix.c - many streams at once in random order: each ends, nothing is lost, nothing
 * leaks. The same seed gives the same choices; which of them meet a running thread does not repeat.
 */
#include "fixture.h"

enum { SLOTS = 24, TURNS = 12000, PARTS = 40 };

struct slot {
	struct arena arena; /* of the request: dropped with the stream */
	struct rows *rows;
	struct value key, values[2];
	bool is_insert, has_ended, is_committing;
};

struct mix {
	struct fixture f;
	struct slot slots[SLOTS];
	uint32_t random;
	size_t inserted, listed, refused;
};

static uint32_t
pick(struct mix *m, uint32_t below)
{
	m->random = m->random * 1664525 + 1013904223;
	return (m->random >> 8) % below;
}

static void
close_slot(struct slot *s)
{
	rows_close(s->rows);
	s->rows = NULL;
	arena_done(&s->arena);
}

static void
open_slot(struct mix *m, struct slot *s)
{
	static const uint16_t columns[] = { 1, 2 };
	static char text[4000];
	struct bytes sql;
	struct operation op = { .grant = &m->f.grant, .columns = &m->f.all, .limit = 100000 };
	uint32_t kind = pick(m, 10);

	memset(text, 'z', sizeof text);
	*s = (struct slot){ .is_insert = kind < 3 };
	s->key = int_value(pick(m, 400) + 1);
	s->values[0] = int_value(pick(m, PARTS));
	s->values[1] = (struct value){ .type = VALUE_TEXT,
		                       .bytes = { (uint8_t *)text, pick(m, sizeof text) } };
	op.kind = kind < 3   ? OPERATION_INSERT
	          : kind < 5 ? OPERATION_UPDATE
	          : kind < 7 ? OPERATION_LIST
	                     : OPERATION_READ;
	op.key = &s->key;
	op.set_columns = columns, op.set_values = s->values, op.set_count = 2;
	op.read = pick(m, 2) ? &m->f.grant : NULL;
	CHECK(!failed(backend_start(m->f.backend, &op, &s->arena, &s->rows, NULL, &sql)));
	s->rows->wake = on_wake;
	s->rows->wake_of = &m->f;
}

static void
pull_slot(struct mix *m, struct slot *s)
{
	const struct value *row = NULL;
	enum step step;
	struct err e;

	if (!s->has_ended) {
		e = rows_next(s->rows, &step, &row);
		s->has_ended = !failed(e) && step == STEP_DONE && row == NULL;
		m->listed += row != NULL;
		if (row != NULL) /* the bytes are there to be read */
			CHECK(bytes_find(row[2].bytes, 'a') == row[2].bytes.len);
	} else {
		e = rows_commit(s->rows, &step);
		s->is_committing = true;
		if (!failed(e) && step == STEP_DONE) {
			m->inserted += s->is_insert;
			close_slot(s);
			return;
		}
	}
	if (failed(e)) {
		CHECK(e.kind == ERR_NOT_FOUND);
		m->refused++;
		close_slot(s);
	}
}

static void
test_random_streams_end_well(void)
{
	static struct mix m;

	m.random = 20261122;
	fixture_start(
		&m.f,
		"CREATE TABLE t (id INTEGER PRIMARY KEY, part INT, name TEXT);"
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)"
		"INSERT INTO t SELECT n, n % 7, printf('%.*c', 1000, 'b') FROM c;",
		"t");
	m.f.backend->loop_budget_us = 100;
	for (int turn = 0; turn < TURNS; turn++) {
		struct slot *s = &m.slots[pick(&m, SLOTS)];
		if (s->rows == NULL)
			open_slot(&m, s);
		else if (pick(&m, 30) == 0 &&
		         !s->is_committing) /* a commit under way may win or lose */
			close_slot(s);
		else
			for (uint32_t i = pick(&m, 100) + 1; i > 0 && s->rows != NULL; i--)
				pull_slot(&m, s);
		if (turn % 10 == 0)
			usleep(1000); /* the threads want to write, too */
		uv_run(&m.f.loop, UV_RUN_NOWAIT);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		while (m.slots[i].is_committing && m.slots[i].rows != NULL) {
			pull_slot(&m, &m.slots[i]);
			uv_run(&m.f.loop, UV_RUN_NOWAIT);
		}
		close_slot(&m.slots[i]);
	}
	backend_close(m.f.backend);
	m.f.backend = NULL;
	uv_run(&m.f.loop, UV_RUN_DEFAULT);
	printf("# %zu inserted, %zu listed, %zu refused\n", m.inserted, m.listed, m.refused);
	CHECK(m.inserted > 10 && m.listed > 1000 && m.refused > 3);
	CHECK(sql_number(m.f.path, "SELECT count(*) FROM t") == 300 + (long long)m.inserted);
	CHECK(sql_number(
		      m.f.path,
		      "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") ==
	      1);
	fixture_done(&m.f);
}

TESTS(TEST(test_random_streams_end_well))
