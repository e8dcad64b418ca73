/* What a filter means, judged by a real SQLite: by hand-made rows and by thousands of random
 * filters whose three-valued answer the test works out itself. */
#include "query/filter.h"

#include "unit/query/books.h"
#include "unit/query/judge.h"
#include "test.h"

struct claim {
	const char *path;
	struct value values[4];
	size_t count;
};

#define TEXT_VALUE(text)                                                                           \
	{                                                                                          \
		.type = VALUE_TEXT, .bytes = {(const uint8_t *)(text), sizeof(text) - 1 }          \
	}
#define INT_VALUE(number)                                                                          \
	{                                                                                          \
		.type = VALUE_INT64, .int64 = (number)                                             \
	}

static const struct claim claims[] = {
	{ "sub", { TEXT_VALUE("ann") }, 1 },
	{ "many", { TEXT_VALUE("ann"), TEXT_VALUE("bob") }, 2 },
	{ "mixed", { TEXT_VALUE("ann"), INT_VALUE(5) }, 2 },
	{ "number", { INT_VALUE(100) }, 1 },
	{ "numbers", { INT_VALUE(100), INT_VALUE(200) }, 2 },
	{ "real", { { .type = VALUE_DOUBLE, .real = 2.5 } }, 1 },
	{ "digits", { TEXT_VALUE("100") }, 1 },
	{ "yes", { { .type = VALUE_BOOL, .boolean = true } }, 1 },
	{ "empty", { TEXT_VALUE("") }, 1 },
	{ "date", { TEXT_VALUE("2026-11-22") }, 1 },
	{ "code", { TEXT_VALUE("00000000-0000-0000-0000-00000000000A") }, 1 },
	{ "one", { TEXT_VALUE("a") }, 1 },
	{ "both", { TEXT_VALUE("a"), TEXT_VALUE("b") }, 2 },
};

static size_t
claim_values(const void *of, struct bytes path, struct value *ret, size_t max)
{
	const struct claim *known = of;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		if (!bytes_is(path, known[i].path))
			continue;
		size_t count = known[i].count < max ? known[i].count : max;
		memcpy(ret, known[i].values, count * sizeof *ret);
		return count;
	}
	return 0;
}

static const struct claim_source source = { claim_values, claims };

/* Runs SELECT id with the filter as its condition. */
static const char *
rows_of(struct judge *j, struct bytes filter, const struct claim_source *with, char *room,
        size_t len)
{
	struct arena arena = { 0 };
	struct sql out;
	struct filter_error at;
	const struct filter *f;
	struct err e = filter_parse(filter, &books, true, &arena, &f, &at);

	j->count = -1;
	sql_init(&out, DIALECT_SQLITE, &arena);
	if (failed(e)) {
		snprintf(room, len, "%s", e.why);
	} else {
		sql_put(&out, "SELECT id FROM books WHERE ");
		filter_put_sql(f, &books, with, &out);
		sql_put(&out, " ORDER BY id");
		judge_run(j, &out);
		judge_text(j, room, len);
	}
	sql_done(&out);
	arena_done(&arena);
	return room;
}

static void
check_rows(const char *const (*rows)[2], size_t count)
{
	struct judge j;
	char room[256];

	judge_open(&j, books_setup);
	for (size_t i = 0; i < count; i++) {
		const char *got = rows_of(&j, bytes_text(rows[i][0]), &source, room, sizeof room);

		CHECK_ROW(strcmp(got, rows[i][1]) == 0, rows[i][0]);
		if (strcmp(got, rows[i][1]) != 0)
			printf("# got %s\n", got);
	}
	judge_close(&j);
}

static void
test_comparisons_find_their_rows(void)
{
	static const char *const rows[][2] = {
		{ "id ge 9", "9 10" },
		{ "pages eq 100", "1 10" },
		{ "pages ne 100", "2 4 5 6 7 8 9" },
		{ "not (pages eq 100)", "2 4 5 6 7 8 9" },
		{ "pages eq null", "3" },
		{ "not (pages ne null)", "3" },
		{ "pages gt 2.5 and pages lt 1e3", "1 2 8 9 10" },
		{ "pages eq 2.0", "7" },
		{ "pages eq 9223372036854775807", "6" },
		{ "pages lt 9223372036854775808 and pages gt 300", "6" },
		{ "pages lt -4", "4" },
		{ "pages in (1, 2, 3, 300)", "7 8 9" },
		{ "not (pages in (100, 200))", "4 5 6 7 8 9" },
		{ "price eq 9.50", "1 10" },
		{ "price in (9.5, 10.250)", "1 3 10" },
		{ "price gt 10 and price lt 1e2", "3 7 8" },
		{ "price eq -1.5", "4" },
		{ "rating eq 2.5", "7 8" },
		{ "rating gt 5", "6" },
		{ "published eq true", "1 3 5 7 9" },
		{ "published ne true", "2 6 8 10" },
		{ "published in (true, false)", "1 2 3 5 6 7 8 9 10" },
		{ "born ge 2000-02-29", "4 7 8" },
		{ "born eq '1815-12-23'", "1 10" },
		{ "opens gt '09:00:00'", "2" },
		{ "code eq 00000000-0000-0000-0000-00000000000A", "1" },
		{ "blob eq null", "2 4 5 6 7 8 9 10" },
		{ "extra ne null", "1 4" },
	};

	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_text_is_compared_as_it_is(void)
{
	static const char *const rows[][2] = {
		{ "title eq 'Emma'", "1" },
		{ "title eq 'it''s'", "4" },
		{ "title eq ''", "6" },
		{ "title gt 'a'", "2 4 7 8 9 10" },
		{ "contains(title, 'Emma')", "1 3 10" },
		{ "contains(title, '%')", "3" },
		{ "contains(title, '_')", "7" },
		{ "contains(title, '\\')", "" },
		{ "contains(title, '')", "1 2 3 4 6 7 8 9 10" },
		{ "not contains(title, 'mm')", "4 6 7 8 9" },
		{ "startswith(title, 'E')", "1" },
		{ "startswith(title, 'Ün')", "9" },
		{ "startswith(title, '100%')", "3" },
		{ "startswith(title, 'Emma and more')", "" },
		{ "startswith(title, '')", "1 2 3 4 6 7 8 9 10" },
		{ "endswith(title, 'Emma')", "1 3 10" },
		{ "endswith(title, 'xEmma')", "" },
		{ "endswith(title, 'code')", "9" },
		{ "endswith(title, 'longer than any of them by far')", "" },
		{ "endswith(title, '')", "1 2 3 4 6 7 8 9 10" },
	};

	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_timestamps_are_compared_as_moments(void)
{
	static const char *const rows[][2] = {
		{ "seen eq 2026-01-01T00:00:00Z", "1 2 3" },
		{ "seen eq 2026-01-01", "1 2 3" },
		{ "seen eq '2026-01-01T01:00:00+01:00'", "1 2 3" },
		{ "seen gt 2026-01-01T00:00:00Z", "4 7 8" },
		{ "seen ge 2026-11-22T10:00:00.5Z", "8" },
		{ "seen in (2026-01-01, 2026-11-22T10:00:00Z)", "1 2 3 7" },
		{ "seen eq null", "5 9 10" },
		{ "not (seen gt 2026-01-01)", "1 2 3" },
	};

	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_claims_match_any_of_their_values(void)
{
	static const char *const rows[][2] = {
		{ "owner eq @claims.sub", "1 3 8" },
		{ "owner ne @claims.sub", "2 5 6 7 9 10" },
		{ "owner eq @claims.many", "1 2 3 5 8 10" },
		{ "owner ne @claims.many", "6 7 9" },
		{ "not (owner eq @claims.many)", "6 7 9" },
		{ "owner in (@claims.sub, 'carl')", "1 3 8 9" },
		{ "pages eq @claims.number", "1 10" },
		{ "pages lt @claims.numbers", "1 4 5 7 8 10" },
		{ "rating eq @claims.real", "7 8" },
		{ "price gt @claims.number", "" },
		{ "published eq @claims.yes", "1 3 5 7 9" },
		{ "born eq @claims.date", "7 8" },
		{ "seen ge @claims.date", "7 8" },
		{ "code eq @claims.code", "1" },
		{ "startswith(title, @claims.one)", "7 8" },
	};

	check_rows(rows, ARRAY_LEN(rows));
}

/* A claim that is not there, is of another type or is too long never lets a row in, by no detour.
 */
static void
test_missing_claim_matches_nothing_also_negated(void)
{
	static const char *const rows[][2] = {
		{ "owner eq @claims.none", "" },
		{ "not (owner eq @claims.none)", "" },
		{ "owner ne @claims.none", "" },
		{ "not (owner ne @claims.none)", "" },
		{ "not (not (owner eq @claims.none))", "" },
		{ "owner in (@claims.none)", "" },
		{ "not (owner in (@claims.none))", "" },
		{ "owner in (@claims.none, 'carl')", "9" },
		{ "not (owner in (@claims.none, 'carl'))", "" },
		{ "pages gt @claims.none", "" },
		{ "not (pages gt @claims.none)", "" },
		{ "contains(title, @claims.none)", "" },
		{ "not contains(title, @claims.none)", "" },
		{ "contains(title, @claims.empty)", "" },
		{ "not startswith(title, @claims.empty)", "" },
		{ "pages eq @claims.digits", "" },
		{ "not (pages eq @claims.digits)", "" },
		{ "pages ne @claims.yes", "" },
		{ "owner eq @claims.number", "" },
		{ "owner eq @claims.mixed", "1 3 8" },
		{ "not (owner eq @claims.mixed)", "" },
		{ "owner ne @claims.mixed", "" },
		{ "blob eq null and owner eq @claims.none", "" },
		{ "owner eq @claims.none or id eq 1", "1" },
		{ "not (owner eq @claims.none and id eq 1)", "2 3 4 5 6 7 8 9 10" },
	};
	struct judge j;
	char room[256];

	check_rows(rows, ARRAY_LEN(rows));
	judge_open(&j, books_setup);
	CHECK(strcmp(rows_of(&j, BYTES("owner eq @claims.sub"), NULL, room, sizeof room), "") == 0);
	CHECK(strcmp(rows_of(&j, BYTES("not (owner eq @claims.sub)"), NULL, room, sizeof room),
	             "") == 0);
	judge_close(&j);
}

/* More values than we take: those we took may match, and nothing may be excluded by them. */
static size_t
crowd_values(const void *of, struct bytes path, struct value *ret, size_t max)
{
	const size_t *count = of;

	(void)path;
	for (size_t i = 0; i < max && i < *count; i++)
		ret[i] = (struct value){ .type = VALUE_INT64, .int64 = (int64_t)i };
	return *count < max ? *count : max;
}

static void
test_claim_with_too_many_values_fails_closed(void)
{
	const size_t some = FILTER_CLAIM_MAX, more = FILTER_CLAIM_MAX + 1;
	const struct claim_source whole = { crowd_values, &some }, cut = { crowd_values, &more };
	struct judge j;
	char room[256];

	judge_open(&j, books_setup);
	CHECK(strcmp(rows_of(&j, BYTES("pages eq @claims.x"), &cut, room, sizeof room),
	             "1 5 7 8 10") == 0);
	CHECK(strcmp(rows_of(&j, BYTES("not (pages eq @claims.x)"), &cut, room, sizeof room), "") ==
	      0);
	CHECK(strcmp(rows_of(&j, BYTES("not (pages eq @claims.x)"), &whole, room, sizeof room),
	             "2 4 6 9") == 0);
	judge_close(&j);
}

static void
test_too_many_values_in_all_is_an_error(void)
{
	const size_t some = FILTER_CLAIM_MAX;
	const struct claim_source crowd = { crowd_values, &some };
	struct arena arena = { 0 };
	const struct filter *f;
	struct filter_error at;
	struct sql out;

	CHECK(!failed(filter_parse(
		BYTES("pages eq @claims.a or pages eq @claims.b or pages eq @claims.c"), &books,
		true, &arena, &f, &at)));
	sql_init(&out, DIALECT_SQLITE, &arena);
	filter_put_sql(f, &books, &crowd, &out);
	CHECK(sql_check(&out).kind == ERR_LIMIT);
	sql_done(&out);
	arena_done(&arena);
}

/* Random filters over every combination of NULL and two values in three columns. */

enum { COMBINATIONS = 27 };
enum truth { NO, YES, UNKNOWN };

struct generator {
	struct buf text;
	uint64_t state;
};

/* Constants of Knuth's MMIX generator. */
static unsigned
pick(struct generator *g, unsigned below)
{
	g->state = g->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(g->state >> 33) % below;
}

static enum truth
truth_not(enum truth a)
{
	return a == UNKNOWN ? UNKNOWN : a == YES ? NO : YES;
}

static enum truth
truth_and(enum truth a, enum truth b)
{
	return a == NO || b == NO ? NO : a == YES && b == YES ? YES : UNKNOWN;
}

static enum truth
truth_or(enum truth a, enum truth b)
{
	return truth_not(truth_and(truth_not(a), truth_not(b)));
}

/* Row r: pages is NULL, 1 or 2; title NULL, a or b; published NULL, 0 or 1. */
static unsigned
digit(unsigned row, unsigned column)
{
	return column == 0 ? row % 3 : column == 1 ? row / 3 % 3 : row / 9;
}

static void
generate_test(struct generator *g, enum truth ret[COMBINATIONS])
{
	static const struct {
		const char *text;
		unsigned column;
		enum truth by_value[3]; /* NULL, first, second */
	} tests[] = {
		{ "pages eq 1", 0, { UNKNOWN, YES, NO } },
		{ "pages ne 1", 0, { UNKNOWN, NO, YES } },
		{ "pages gt 1", 0, { UNKNOWN, NO, YES } },
		{ "pages le 1", 0, { UNKNOWN, YES, NO } },
		{ "pages ge 1.5", 0, { UNKNOWN, NO, YES } },
		{ "pages eq null", 0, { YES, NO, NO } },
		{ "pages ne null", 0, { NO, YES, YES } },
		{ "pages in (2, 3)", 0, { UNKNOWN, NO, YES } },
		{ "pages lt @claims.none", 0, { UNKNOWN, UNKNOWN, UNKNOWN } },
		{ "title eq 'b'", 1, { UNKNOWN, NO, YES } },
		{ "title ne @claims.one", 1, { UNKNOWN, NO, YES } },
		{ "title eq @claims.both", 1, { UNKNOWN, YES, YES } },
		{ "title ne @claims.both", 1, { UNKNOWN, NO, NO } },
		{ "title eq @claims.none", 1, { UNKNOWN, UNKNOWN, UNKNOWN } },
		{ "contains(title, 'a')", 1, { UNKNOWN, YES, NO } },
		{ "startswith(title, 'b')", 1, { UNKNOWN, NO, YES } },
		{ "endswith(title, '')", 1, { UNKNOWN, YES, YES } },
		{ "published eq true", 2, { UNKNOWN, NO, YES } },
		{ "published ne true", 2, { UNKNOWN, YES, NO } },
		{ "published eq null", 2, { YES, NO, NO } },
	};
	unsigned i = pick(g, ARRAY_LEN(tests));

	buf_put_text(&g->text, tests[i].text);
	for (unsigned row = 0; row < COMBINATIONS; row++)
		ret[row] = tests[i].by_value[digit(row, tests[i].column)];
}

static void generate_or(struct generator *g, unsigned depth, enum truth ret[COMBINATIONS]);

static void
generate_unary(struct generator *g, unsigned depth, enum truth ret[COMBINATIONS])
{
	unsigned kind = depth == 0 ? 0 : pick(g, 4);

	if (kind < 2) {
		generate_test(g, ret);
		return;
	}
	buf_put_text(&g->text, kind == 2 ? "(" : "not (");
	generate_or(g, depth - 1, ret);
	buf_put_text(&g->text, ")");
	for (unsigned row = 0; kind == 3 && row < COMBINATIONS; row++)
		ret[row] = truth_not(ret[row]);
}

static void
generate_chain(struct generator *g, unsigned depth, bool is_or, enum truth ret[COMBINATIONS])
{
	unsigned count = 1 + pick(g, 3);
	enum truth next[COMBINATIONS];

	for (unsigned i = 0; i < count; i++) {
		enum truth *into = i == 0 ? ret : next;

		buf_put_text(&g->text, i == 0 ? "" : is_or ? " or " : " and ");
		if (is_or)
			generate_chain(g, depth, false, into);
		else
			generate_unary(g, depth, into);
		for (unsigned row = 0; i > 0 && row < COMBINATIONS; row++)
			ret[row] = is_or ? truth_or(ret[row], next[row])
			                 : truth_and(ret[row], next[row]);
	}
}

static void
generate_or(struct generator *g, unsigned depth, enum truth ret[COMBINATIONS])
{
	generate_chain(g, depth, true, ret);
}

static void
fill_combinations(struct judge *j)
{
	judge_open(j, "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, pages INTEGER, "
	              "published BOOLEAN)");
	for (unsigned row = 0; row < COMBINATIONS; row++) {
		static const char *const pages[] = { "NULL", "1", "2" },
					 *const titles[] = { "NULL", "'a'", "'b'" },
					 *const bools[] = { "NULL", "0", "1" };
		char sql[128];

		snprintf(sql, sizeof sql, "INSERT INTO books VALUES (%u, %s, %s, %s)", row + 1,
		         titles[digit(row, 1)], pages[digit(row, 0)], bools[digit(row, 2)]);
		CHECK(sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK);
	}
}

static void
test_random_filters_agree_with_three_valued_logic(void)
{
	struct generator g = { .state = 20261122 };
	struct judge j;
	char got[512], expected[512];
	unsigned ran = 0;

	fill_combinations(&j);
	for (unsigned i = 0; i < 4000 && !test_failed; i++) {
		enum truth truth[COMBINATIONS];
		size_t at = 0;

		buf_clear(&g.text);
		generate_or(&g, 3, truth);
		expected[0] = '\0';
		for (unsigned row = 0; row < COMBINATIONS; row++)
			if (truth[row] == YES)
				at += (size_t)snprintf(expected + at, sizeof expected - at, "%s%u",
				                       at == 0 ? "" : " ", row + 1);
		rows_of(&j, buf_bytes(&g.text), &source, got, sizeof got);
		if (strncmp(got, "the filter", 10) == 0) /* too many parts or too deep */
			continue;
		ran++;
		CHECK(strcmp(got, expected) == 0);
		if (test_failed)
			printf("# %.*s: got %s, expected %s\n", (int)g.text.len,
			       (const char *)g.text.at, got, expected);
	}
	CHECK(ran > 3000);
	buf_done(&g.text);
	judge_close(&j);
}

/* The worst nesting we let through must still fit the parser of the database, inside a statement
 * that itself has a few things open. */
static void
test_deepest_filter_fits_the_database(void)
{
	static const char *const heads[] = { "(", "not (", "id eq 1 or (",
		                             "id eq 1 or id eq 2 and (",
		                             "id eq 1 or id eq 2 and not (" };
	struct judge j;

	judge_open(&j, books_setup);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct arena arena = { 0 };
		struct buf text = { 0 };
		struct filter_error at;
		const struct filter *f = NULL;
		struct sql out;

		for (size_t depth = FILTER_DEPTH_MAX; depth > 0 && f == NULL; depth--) {
			buf_clear(&text);
			for (size_t k = 0; k < depth; k++)
				buf_put_text(&text, heads[i]);
			buf_put_text(&text, "id eq 1 or id eq 2 and not (id in (1, 2))");
			for (size_t k = 0; k < depth; k++)
				buf_put_text(&text, ")");
			if (failed(filter_parse(buf_bytes(&text), &books, false, &arena, &f, &at)))
				f = NULL;
		}
		CHECK(f != NULL);
		sql_init(&out, DIALECT_SQLITE, &arena);
		sql_put(&out, "SELECT id, CASE WHEN ((1 = 0) OR ");
		filter_put_sql(f, &books, NULL, &out);
		sql_put(&out, ") THEN id END FROM books WHERE 1 = 1 AND ((1 = 0) OR ");
		filter_put_sql(f, &books, NULL, &out);
		sql_put(&out, ")");
		CHECK_ROW(judge_run(&j, &out) >= 0, heads[i]);
		sql_done(&out);
		buf_done(&text);
		arena_done(&arena);
	}
	judge_close(&j);
}

static void
test_postgres_gets_its_own_words(void)
{
	static const char *const rows[][2] = {
		{ "pages gt 2.5", "(\"pages\" > CAST($1 AS numeric))" },
		{ "pages gt 1e3", "(\"pages\" > CAST($1 AS double precision))" },
		{ "pages gt 2 and rating gt 2", "(\"pages\" > $1 AND \"rating\" > $2)" },
		{ "seen gt 2026-01-01", "(\"seen\" > $1)" },
		{ "contains(title, 'x')", "(strpos(\"title\", CAST($1 AS text)) > 0)" },
		{ "startswith(title, 'x')",
		  "(left(\"title\", length(CAST($1 AS text))) = CAST($2 AS text))" },
		{ "endswith(title, 'x')",
		  "(right(\"title\", length(CAST($1 AS text))) = CAST($2 AS text))" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct filter_error at;
		const struct filter *f;
		struct sql out;

		CHECK(!failed(
			filter_parse(bytes_text(rows[i][0]), &books, false, &arena, &f, &at)));
		sql_init(&out, DIALECT_POSTGRES, &arena);
		filter_put_sql(f, &books, NULL, &out);
		CHECK_ROW(bytes_is(buf_bytes(&out.text), rows[i][1]), rows[i][0]);
		sql_done(&out);
		arena_done(&arena);
	}
}

TESTS(TEST(test_comparisons_find_their_rows), TEST(test_text_is_compared_as_it_is),
      TEST(test_timestamps_are_compared_as_moments), TEST(test_claims_match_any_of_their_values),
      TEST(test_missing_claim_matches_nothing_also_negated),
      TEST(test_claim_with_too_many_values_fails_closed),
      TEST(test_too_many_values_in_all_is_an_error),
      TEST(test_random_filters_agree_with_three_valued_logic),
      TEST(test_deepest_filter_fits_the_database), TEST(test_postgres_gets_its_own_words))
