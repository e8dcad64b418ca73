/* Statements and their grants, judged by SQLite: what each role sees, may change and may not infer.
 */
#include "backend/statement.h"

#include "unit/policy/rules.h"
#include "unit/query/judge.h"
#include "test.h"

struct scene {
	struct rules rules;
	struct judge judge;
	const struct principal *who;
	struct sql out;
	bool built;
};

static void
scene_open(struct scene *s, uint64_t roles, const char *claims)
{
	*s = (struct scene){ 0 };
	rules_open(&s->rules);
	judge_open(&s->judge, books_setup);
	s->who = who_is(roles, claims);
	sql_init(&s->out, DIALECT_SQLITE, &s->rules.arena);
}

static void
scene_close(struct scene *s)
{
	sql_done(&s->out);
	principal_release(s->who);
	judge_close(&s->judge);
	rules_close(&s->rules);
}

/* A fresh statement. */
static struct sql *
scene_sql(struct scene *s)
{
	sql_done(&s->out);
	sql_init(&s->out, DIALECT_SQLITE, &s->rules.arena);
	return &s->out;
}

static const struct grant *
scene_grant(struct scene *s, enum action action, const struct column_set *needed)
{
	const struct grant *grant = NULL;
	struct decision decision;

	CHECK(!failed(policy_decide(s->rules.policy, s->who, BYTES("books"), action, needed,
	                            &s->rules.arena, &grant, &decision)));
	if (grant == NULL)
		abort();
	return grant;
}

static const struct filter *
scene_filter(struct scene *s, const char *text)
{
	const struct filter *f = NULL;
	struct filter_error at;

	CHECK(!failed(filter_parse(bytes_text(text), &books, false, &s->rules.arena, &f, &at)));
	return f;
}

static const struct order_term by_id[] = { { ID, false } };

/* The rows of a list of `columns` as "1|Emma|NULL;..." */
static const char *
list(struct scene *s, const struct grant *grant, const struct column_set *columns,
     const struct filter *filter, char *room, size_t len)
{
	const struct operation op = { .kind = OPERATION_LIST,
		                      .grant = grant,
		                      .columns = columns,
		                      .filter = filter,
		                      .order = by_id,
		                      .order_count = 1,
		                      .limit = 100 };
	struct sql *out = scene_sql(s);
	struct err e = statement_list(&op, out);
	size_t at = 0;

	snprintf(room, len, "%s", failed(e) ? e.why : "");
	sqlite3_stmt *st = failed(e) ? NULL
	                             : judge_prepare(&s->judge, buf_bytes(&out->text), out->values,
	                                             out->value_count);
	while (st != NULL && sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st) && at < len; i++) {
			const char *text = (const char *)sqlite3_column_text(st, i);
			at += (size_t)snprintf(room + at, len - at, "%s%s",
			                       i == 0 ? at == 0 ? "" : ";" : "|",
			                       text == NULL ? "NULL" : text);
		}
	}
	sqlite3_finalize(st);
	return room;
}

static struct column_set
set_of(const uint16_t *columns, size_t count)
{
	struct column_set s = { { 0 } };

	for (size_t i = 0; i < count; i++)
		column_set_add(&s, columns[i]);
	return s;
}

#define SET(...)                                                                                   \
	set_of((const uint16_t[]){ __VA_ARGS__ },                                                  \
	       sizeof((const uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t))

static void
test_row_condition_stands_in_every_list(void)
{
	struct column_set id = SET(ID);
	struct scene s;
	char room[512];

	scene_open(&s, ROLE(READER), "{}");
	const struct grant *grant = scene_grant(&s, ACTION_READ, &id);
	CHECK(strcmp(list(&s, grant, &id, NULL, room, sizeof room), "1;3;5;7;9") == 0);
	CHECK(strcmp(list(&s, grant, &id, scene_filter(&s, "id gt 4 or published eq false"), room,
	                  sizeof room),
	             "5;7;9") == 0);
	CHECK(strcmp(list(&s, grant, &id, scene_filter(&s, "not (id in (1, 3))"), room,
	                  sizeof room),
	             "5;7;9") == 0);
	scene_close(&s);
}

/* Reader: published books without the price. Owner: id, price and owner of one's own. Together
 * every row that either sees, and in each the columns of those that see it. */
static void
test_columns_follow_the_view_that_sees_the_row(void)
{
	struct column_set some = SET(ID, TITLE, PRICE);
	struct scene s;
	char room[512];

	scene_open(&s, ROLE(READER) | ROLE(OWNER_ROLE), "{\"sub\":\"bob\"}");
	const struct grant *grant = scene_grant(&s, ACTION_READ, NULL);
	list(&s, grant, &some, NULL, room, sizeof room);
	CHECK_ROW(strcmp(room, "1|Emma|NULL;2|NULL|10;3|100% "
	                       "Emma|NULL;5|NULL|0;7|a_b|NULL;9|Ünïcode|NULL;10|NULL|9.5") == 0,
	          room);
	scene_close(&s);
}

static void
test_view_without_condition_shows_every_row(void)
{
	struct column_set some = SET(ID, TITLE, PRICE);
	struct scene s;
	char room[512];

	scene_open(&s, ROLE(CLERK) | ROLE(OWNER_ROLE), "{\"sub\":\"bob\"}");
	const struct grant *grant = scene_grant(&s, ACTION_READ, NULL);
	CHECK(!statement_is_conditional(grant));
	list(&s, grant, &some, NULL, room, sizeof room);
	CHECK_ROW(strcmp(room, "1|Emma|NULL;2|emma|10;3|100% "
	                       "Emma|NULL;4|it's|NULL;5|NULL|0;6||NULL;7|a_b|NULL;8|aXb|NULL;"
	                       "9|Ünïcode|NULL;10|tail Emma|9.5") == 0,
	          room);
	scene_close(&s);
}

static void
test_missing_claim_shows_no_row(void)
{
	static const char *const claims[] = { "{}",
		                              "{\"sub\":null}",
		                              "{\"sub\":5}",
		                              "{\"sub\":[]}",
		                              "{\"sub\":{\"a\":1}}",
		                              "{\"sub\":[\"ann\",[\"bob\"]]}",
		                              "{\"sub\":true}" };
	struct column_set id = SET(ID);
	char room[512];

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct scene s;

		scene_open(&s, ROLE(OWNER_ROLE), claims[i]);
		/* explain gives a principal without `sub` a subject, but no claim. */
		CHECK_ROW(strcmp(list(&s, scene_grant(&s, ACTION_READ, &id), &id, NULL, room,
		                      sizeof room),
		                 "") == 0,
		          claims[i]);
		scene_close(&s);
	}
}

/* Case 80: a caller of statement_list that did not ask policy about a column gets no statement. */
static void
test_case_80_column_policy_was_not_asked_about_is_refused(void)
{
	static const char *const filters[] = { "price gt 5", "price eq null",
		                               "id eq 1 or price lt 3", "not (price eq 1)" };
	const struct order_term by_price[] = { { PRICE, false }, { ID, false } };
	struct column_set id = SET(ID), price = SET(PRICE);
	struct scene s;

	scene_open(&s, ROLE(READER), "{}");
	const struct grant *grant = scene_grant(&s, ACTION_READ, &id);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const struct operation op = { .grant = grant,
			                      .columns = &id,
			                      .filter = scene_filter(&s, filters[i]),
			                      .order = by_id,
			                      .order_count = 1,
			                      .limit = 1 };
		CHECK_ROW(statement_list(&op, scene_sql(&s)).kind == ERR_DENIED, filters[i]);
	}
	const struct operation ordered = {
		.grant = grant, .columns = &id, .order = by_price, .order_count = 2, .limit = 1
	};
	CHECK(statement_list(&ordered, scene_sql(&s)).kind == ERR_DENIED);
	const struct operation selected = {
		.grant = grant, .columns = &price, .order = by_id, .order_count = 1, .limit = 1
	};
	CHECK(statement_list(&selected, scene_sql(&s)).kind == ERR_DENIED);
	scene_close(&s);
}

static struct value
number(int64_t n)
{
	return (struct value){ .type = VALUE_INT64, .int64 = n };
}

static struct value
text(const char *t)
{
	return (struct value){ .type = VALUE_TEXT, .bytes = bytes_text(t) };
}

static void
test_row_by_key_is_hidden_by_the_condition(void)
{
	struct column_set id = SET(ID);
	const struct operation op = { .kind = OPERATION_READ, .columns = &id };
	struct scene s;

	scene_open(&s, ROLE(READER), "{}");
	const struct grant *grant = scene_grant(&s, ACTION_READ, &id);
	for (int64_t i = 0; i < 12; i++) {
		struct value key = number(i);
		int expected = i < 10 && i % 2 == 1;

		CHECK(!failed(statement_read(&op, grant, &key, scene_sql(&s))));
		CHECK(judge_run(&s.judge, &s.out) == expected);
		CHECK(!failed(statement_visible(grant, &key, scene_sql(&s))));
		CHECK(judge_run(&s.judge, &s.out) == expected);
	}
	scene_close(&s);
}

/* Rows whose owner is `ann` only, whichever statement changes them. */
static void
test_writes_reach_only_rows_of_the_condition(void)
{
	const uint16_t set_columns[] = { PAGES };
	struct column_set pages = SET(PAGES);
	struct value value = number(777);
	struct scene s;

	scene_open(&s, ROLE(OWNER_ROLE), "{\"sub\":\"ann\"}");
	const struct grant *update = scene_grant(&s, ACTION_UPDATE, &pages);
	const struct grant *erase = scene_grant(&s, ACTION_DELETE, NULL);
	for (int64_t i = 0; i < 12; i++) {
		struct value key = number(i);
		const struct operation op = { .grant = update,
			                      .key = &key,
			                      .set_columns = set_columns,
			                      .set_values = &value,
			                      .set_count = 1 };
		int expected = i == 1 || i == 3 || i == 8;

		CHECK(!failed(statement_update(&op, scene_sql(&s))));
		CHECK(judge_run(&s.judge, &s.out) == expected &&
		      (!expected || s.judge.first[0] == i));
		const struct operation delete = { .grant = erase, .key = &key };
		CHECK(!failed(statement_delete(&delete, scene_sql(&s))));
		CHECK(judge_run(&s.judge, &s.out) == expected);
	}
	CHECK(judge_run_text(&s.judge, BYTES("SELECT count(*) FROM books"), NULL, 0) == 1 &&
	      s.judge.first[0] == 7);
	CHECK(judge_run_text(&s.judge, BYTES("SELECT id FROM books WHERE pages = 777"), NULL, 0) ==
	      0);
	scene_close(&s);
}

/* Giving a row away: the update itself passes, the check after it does not. */
static void
test_condition_guards_what_a_row_becomes(void)
{
	const uint16_t set_columns[] = { OWNER };
	struct column_set owner = SET(OWNER);
	struct value value = text("bob"), key = number(1);
	struct scene s;

	scene_open(&s, ROLE(OWNER_ROLE), "{\"sub\":\"ann\"}");
	const struct operation op = { .grant = scene_grant(&s, ACTION_UPDATE, &owner),
		                      .key = &key,
		                      .set_columns = set_columns,
		                      .set_values = &value,
		                      .set_count = 1 };
	CHECK(statement_is_conditional(op.grant));
	CHECK(!failed(statement_update(&op, scene_sql(&s))) && judge_run(&s.judge, &s.out) == 1);
	CHECK(!failed(statement_visible(op.grant, &key, scene_sql(&s))) &&
	      judge_run(&s.judge, &s.out) == 0);
	scene_close(&s);
}

static void
test_condition_guards_what_is_created(void)
{
	static const char *const owners[] = { "ann", "bob" };
	const uint16_t set_columns[] = { TITLE, OWNER };
	struct column_set columns = SET(TITLE, OWNER);
	struct scene s;

	scene_open(&s, ROLE(OWNER_ROLE), "{\"sub\":\"ann\"}");
	const struct grant *grant = scene_grant(&s, ACTION_CREATE, &columns);
	for (int i = 0; i < 2; i++) {
		struct value values[] = { text("new"), text(owners[i]) };
		const struct operation op = { .grant = grant,
			                      .set_columns = set_columns,
			                      .set_values = values,
			                      .set_count = 2 };

		CHECK(!failed(statement_insert(&op, scene_sql(&s))) &&
		      judge_run(&s.judge, &s.out) == 1);
		struct value key = number(s.judge.first[0]);
		CHECK(key.int64 == 11 + i);
		CHECK(!failed(statement_visible(grant, &key, scene_sql(&s))));
		CHECK(judge_run(&s.judge, &s.out) == (i == 0));
	}
	const struct operation empty = { .grant = grant };
	CHECK(!failed(statement_insert(&empty, scene_sql(&s))) && judge_run(&s.judge, &s.out) == 1);
	scene_close(&s);
}

static void
test_only_granted_columns_are_written(void)
{
	const uint16_t price_column[] = { PRICE }, title_column[] = { TITLE };
	struct value value = number(1), title = text("x"), key = number(1);
	struct column_set needed = SET(TITLE);
	struct scene s;

	scene_open(&s, ROLE(CLERK), "{}");
	const struct grant *grant = scene_grant(&s, ACTION_UPDATE, &needed);
	const struct operation bad = { .grant = grant,
		                       .key = &key,
		                       .set_columns = price_column,
		                       .set_values = &value,
		                       .set_count = 1 };
	CHECK(statement_update(&bad, scene_sql(&s)).kind == ERR_DENIED);
	CHECK(statement_insert(&bad, scene_sql(&s)).kind == ERR_DENIED);
	const struct operation good = { .grant = grant,
		                        .key = &key,
		                        .set_columns = title_column,
		                        .set_values = &title,
		                        .set_count = 1 };
	CHECK(!failed(statement_update(&good, scene_sql(&s))) && judge_run(&s.judge, &s.out) == 1);
	const struct operation none = { .grant = grant, .key = &key };
	CHECK(statement_update(&none, scene_sql(&s)).kind == ERR_INVALID);
	scene_close(&s);
}

static void
test_grant_without_views_and_tables_without_key_give_no_statement(void)
{
	const struct table keyless = { .name = BYTES("books"),
		                       .columns = books.columns,
		                       .column_count = books.column_count };
	struct column_set id = SET(ID);
	struct value key = number(1);
	struct grant_view view = { .columns = id };
	const struct grant empty = { .table = &books },
			   no_key = { .table = &keyless, .views = &view, .view_count = 1 };
	const struct operation op = { .grant = &empty, .columns = &id, .key = &key, .limit = 1 };
	struct scene s;

	scene_open(&s, ROLE(READER), "{}");
	CHECK(statement_list(&op, scene_sql(&s)).kind == ERR_DENIED);
	CHECK(statement_delete(&op, scene_sql(&s)).kind == ERR_DENIED);
	CHECK(statement_visible(&empty, &key, scene_sql(&s)).kind == ERR_DENIED);
	CHECK(statement_insert(&op, scene_sql(&s)).kind == ERR_DENIED);
	CHECK(statement_visible(&no_key, &key, scene_sql(&s)).kind == ERR_INVALID);
	CHECK(statement_read(&op, &no_key, &key, scene_sql(&s)).kind == ERR_INVALID);
	const struct operation list_none = { .grant = &no_key,
		                             .columns = &(struct column_set){ { 0 } },
		                             .limit = 1 };
	CHECK(statement_list(&list_none, scene_sql(&s)).kind == ERR_DENIED);
	scene_close(&s);
}

/* The values a cursor needs come behind the columns, also those of a key that nobody may read. */
static void
test_order_values_come_only_when_asked_for(void)
{
	const struct order_term order[] = { { PAGES, true }, { ID, false } };
	struct column_set title = SET(TITLE), pages = SET(TITLE, PAGES);
	struct operation op = { .columns = &title, .order = order, .order_count = 2, .limit = 1 };
	struct scene s;

	scene_open(&s, ROLE(READER), "{}");
	op.grant = scene_grant(&s, ACTION_READ, &pages);
	for (int i = 0; i < 2; i++) {
		op.with_order = i == 1;
		CHECK(!failed(statement_list(&op, scene_sql(&s))));
		sqlite3_stmt *st = judge_prepare(&s.judge, buf_bytes(&s.out.text), s.out.values,
		                                 s.out.value_count);
		CHECK(st != NULL && sqlite3_step(st) == SQLITE_ROW &&
		      sqlite3_column_count(st) == 1 + 2 * i);
		if (st != NULL && i == 1)
			CHECK(sqlite3_column_int(st, 1) == 300 && sqlite3_column_int(st, 2) == 9);
		sqlite3_finalize(st);
	}
	scene_close(&s);
}

static void
test_postgres_statement(void)
{
	const struct order_term order[] = { { TITLE, true }, { ID, false } };
	const struct value after[] = { text("m"), number(3) };
	struct column_set some = SET(ID, TITLE);
	struct scene s;

	scene_open(&s, ROLE(READER), "{}");
	const struct operation op = { .grant = scene_grant(&s, ACTION_READ, &some),
		                      .columns = &some,
		                      .order = order,
		                      .order_count = 2,
		                      .after = after,
		                      .limit = 10 };
	struct sql out;

	sql_init(&out, DIALECT_POSTGRES, &s.rules.arena);
	CHECK(!failed(statement_list(&op, &out)));
	CHECK(bytes_is(buf_bytes(&out.text), "SELECT \"id\", \"title\" FROM \"books\" WHERE 1 = 1 "
	                                     "AND ((\"published\" = $1)) AND "
	                                     "((\"title\" <= $2 OR \"title\" IS NULL) AND "
	                                     "((\"title\" < $3 OR \"title\" IS NULL) OR "
	                                     "(\"title\" = $4 AND (\"id\" > $5)))) ORDER BY "
	                                     "\"title\" DESC NULLS LAST, \"id\" LIMIT $6"));
	sql_done(&out);
	sql_init(&out, DIALECT_TSQL, &s.rules.arena);
	CHECK(statement_list(&op, &out).kind == ERR_CONFIG);
	sql_done(&out);
	scene_close(&s);
}

TESTS(TEST(test_row_condition_stands_in_every_list),
      TEST(test_columns_follow_the_view_that_sees_the_row),
      TEST(test_view_without_condition_shows_every_row), TEST(test_missing_claim_shows_no_row),
      TEST(test_case_80_column_policy_was_not_asked_about_is_refused),
      TEST(test_row_by_key_is_hidden_by_the_condition),
      TEST(test_writes_reach_only_rows_of_the_condition),
      TEST(test_condition_guards_what_a_row_becomes), TEST(test_condition_guards_what_is_created),
      TEST(test_only_granted_columns_are_written),
      TEST(test_grant_without_views_and_tables_without_key_give_no_statement),
      TEST(test_order_values_come_only_when_asked_for), TEST(test_postgres_statement))
