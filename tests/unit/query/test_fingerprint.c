/* Fingerprints: what must be the same statement and what must not, by dialect; libpg_query's own
 * data as the judge where its definition and ours agree. */
#include "query/fingerprint.h"

#include "base/macros.h"
#include "format/json.h"
#include "query/lexeme.h"
#include "test.h"

static const struct bytes key = { (const uint8_t *)"0123456789abcdef", 16 };

static const char *
normal(const char *text, enum dialect dialect, char *room, size_t len)
{
	struct buf out = { 0 };

	if (sql_normalise(bytes_text(text), dialect, &out))
		snprintf(room, len, "%.*s", (int)out.len, out.len == 0 ? "" : (const char *)out.at);
	else
		snprintf(room, len, "refused");
	buf_done(&out);
	return room;
}

struct row {
	enum dialect dialect;
	const char *text, *normal;
};

static const struct row normal_rows[] = {
	{ DIALECT_SQLITE, "SELECT  a,b FROM T\tWHERE c=1;", "select a , b from t where c = ?" },
	{ DIALECT_SQLITE, "select * from t where c IN (1, 'x',?3 )",
	  "select * from t where c in (?)" },
	{ DIALECT_SQLITE, "insert into t values (1,2),(3,-4) , (5,6);;",
	  "insert into t values (?)" },
	{ DIALECT_SQLITE, "select f(1), (2)", "select f (?) , (?)" },
	{ DIALECT_SQLITE, "select (1, a)", "select ( ? , a )" },
	{ DIALECT_SQLITE, "f(1) - 1 and (a) +2 and b[1] -1",
	  "f (?) - ? and ( a ) + ? and b \"1\" - ?" },
	{ DIALECT_POSTGRES, "a[1] -1", "a [ ? ] - ?" },
	{ DIALECT_SQLITE, "select ()", "select ( )" },
	{ DIALECT_SQLITE, "a = -1 and b = - 1.5e-3 and c - 1", "a = ? and b = ? and c - ?" },
	{ DIALECT_SQLITE, "a=x'00' or `B`=\"C\" or [d]=:p or @q or $r",
	  "a = ? or \"B\" = \"C\" or \"d\" = ? or ? or ?" },
	{ DIALECT_SQLITE, "a -- it's\n b /* ' /* */ c", "a b c" },
	{ DIALECT_SQLITE, "'it''s' 0x1F .5 5. 1e5", "? ? ? ? ?" },
	{ DIALECT_SQLITE, "[a]]b]", "\"a\" ] b ]" },
	{ DIALECT_TSQL, "SELECT N'x', [a]]b], \"c\", @p1, @@rowcount, #t, $5.0",
	  "select ? , \"a]]b\" , \"c\" , ? , @@rowcount , #t , ?" },
	{ DIALECT_TSQL, "a /* 1 /* 2 */ 'x */ b", "a b" },
	{ DIALECT_TSQL, "select 1union select 2", "select ? union select ?" },
	{ DIALECT_TSQL, "exec p @a = N'it''s', @b = 0xFF", "exec p ? = ? , ? = ?" },
	{ DIALECT_POSTGRES,
	  "select E'\\'' , $1 , $$it's$$, $a$ $$ $b$ $a$, U&'x', U&\"y\", b'1', X'1'",
	  "select ? , ? , ? , ? , ? , u&\"y\" , ? , ?" },
	{ DIALECT_POSTGRES, "a::int[1] ->> 'k' @> b", "a :: int [ ? ] ->> ? @> b" },
	{ DIALECT_POSTGRES, "/* a /* b */ c */ x 'a\\' y", "x ? y" },
	{ DIALECT_POSTGRES, "1_000 0b11 0o17 a$b", "? ? ? a$b" },
	{ DIALECT_SQLITE, "", "" },
	{ DIALECT_SQLITE, " ; ", "" },
	/* what does not end or has no place in SQL */
	{ DIALECT_SQLITE, "select 'x", "refused" },
	{ DIALECT_SQLITE, "select \"x", "refused" },
	{ DIALECT_SQLITE, "select `x", "refused" },
	{ DIALECT_SQLITE, "select [x", "refused" },
	{ DIALECT_SQLITE, "select /* x", "refused" },
	{ DIALECT_SQLITE, "select 'a\\'b'", "refused" },
	{ DIALECT_SQLITE, "a \x01", "refused" },
	{ DIALECT_TSQL, "/* /* */ a", "refused" },
	{ DIALECT_TSQL, "N'x", "refused" },
	{ DIALECT_TSQL, "[a]]", "refused" },
	{ DIALECT_POSTGRES, "/* /* */ a", "refused" },
	{ DIALECT_POSTGRES, "E'\\'", "refused" },
	{ DIALECT_POSTGRES, "$a$ x $b$", "refused" },
	{ DIALECT_POSTGRES, "$$", "refused" },
};

static void
test_normal_form_by_dialect(void)
{
	char room[512];

	for (size_t i = 0; i < ARRAY_LEN(normal_rows); i++) {
		const struct row *row = &normal_rows[i];
		const char *got = normal(row->text, row->dialect, room, sizeof room);

		CHECK_ROW(strcmp(got, row->normal) == 0, row->text);
		if (strcmp(got, row->normal) != 0)
			printf("# got %s\n", got);
	}
}

static bool
same(const char *a, const char *b, enum dialect dialect)
{
	uint8_t left[FINGERPRINT_LEN], right[FINGERPRINT_LEN];

	sql_fingerprint(bytes_text(a), dialect, key, left);
	sql_fingerprint(bytes_text(b), dialect, key, right);
	return memcmp(left, right, sizeof left) == 0;
}

static void
test_case_70_what_differs_in_structure_differs(void)
{
	static const char *const pairs[][2] = {
		{ "select a from t", "select b from t" },
		{ "select a from t", "select a from t where 1 = 1" },
		{ "select a from t where b = 1", "select a from t where b = c" },
		{ "select a from t where b = 1", "select a from t where b = 1 or 1 = 1" },
		{ "select a from t where b = 1", "select a from t where b >= 1" },
		{ "select a from t where b = 'x'", "select a from t where b = 'x' -- ';drop" },
		{ "select 'a' , 'b'", "select 'a'' , ''b'" },
		{ "select a", "select \"a\"" },
		{ "select a b", "select \"a b\"" },
		{ "select ab", "select a b" },
		{ "select a in (1)", "select a in ((1))" },
		{ "select a in (1,2)", "select a in (1,b)" },
		{ "insert into t values (1),(2)", "insert into t values (1),(a)" },
		{ "select f(1), g(2)", "select f(1)" },
		{ "select 1; select 2", "select 1" },
		{ "select a - 1", "select a" },
		{ "select null", "select 1" },
		{ "select 'x", "select 'y" },
		{ "select 'x", "select 'x'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		bool alike = same(pairs[i][0], pairs[i][1], DIALECT_SQLITE);
		/* A comment that only looks like more is no difference. */
		CHECK_ROW(alike == (strstr(pairs[i][1], "-- ") != NULL), pairs[i][1]);
	}
	/* One text, another reading: SQLite sees one statement where T-SQL sees a comment that does
	 * not end. */
	CHECK(same("/* /* */ a", "a", DIALECT_SQLITE) && !same("/* /* */ a", "a", DIALECT_TSQL));
}

static void
test_fingerprint_depends_on_the_key(void)
{
	uint8_t a[FINGERPRINT_LEN], b[FINGERPRINT_LEN], c[FINGERPRINT_LEN],
		zero[FINGERPRINT_LEN] = { 0 };

	sql_fingerprint(BYTES("select 1"), DIALECT_SQLITE, key, a);
	sql_fingerprint(BYTES("select 1"), DIALECT_SQLITE, BYTES("another key"), b);
	sql_fingerprint(BYTES("select 1"), DIALECT_SQLITE, (struct bytes){ NULL, 0 }, c);
	CHECK(memcmp(a, b, sizeof a) != 0 && memcmp(a, c, sizeof a) != 0 &&
	      memcmp(c, zero, sizeof a) != 0);
}

/* Unreadable text must not be made to collide with a readable one by writing its normal form. */
static void
test_raw_text_has_its_own_prefix(void)
{
	uint8_t raw[FINGERPRINT_LEN], readable[FINGERPRINT_LEN], again[FINGERPRINT_LEN];

	sql_fingerprint(BYTES("select 'x"), DIALECT_SQLITE, key, raw);
	sql_fingerprint(BYTES("select 'x"), DIALECT_SQLITE, key, again);
	sql_fingerprint(BYTES("select ?"), DIALECT_SQLITE, key, readable);
	CHECK(memcmp(raw, again, sizeof raw) == 0 && memcmp(raw, readable, sizeof raw) != 0);
	/* A subscript in PostgreSQL, a name without an end in T-SQL. */
	sql_fingerprint(BYTES("a[1"), DIALECT_POSTGRES, key, readable);
	sql_fingerprint(BYTES("a [ ?"), DIALECT_TSQL, key, raw);
	CHECK(memcmp(raw, readable, sizeof raw) != 0);
}

static void
test_normal_form_is_stable_under_itself(void)
{
	char once[512], twice[512];

	for (size_t i = 0; i < ARRAY_LEN(normal_rows); i++) {
		/* In PostgreSQL and T-SQL `?` is an operator or ODBC's; it stays what it is all the
		 * same. */
		if (strcmp(normal_rows[i].normal, "refused") == 0)
			continue;
		normal(normal_rows[i].text, normal_rows[i].dialect, once, sizeof once);
		normal(once, normal_rows[i].dialect, twice, sizeof twice);
		CHECK_ROW(normal_rows[i].dialect == DIALECT_POSTGRES || strcmp(once, twice) == 0,
		          once);
	}
}

static void
test_long_input_takes_linear_time(void)
{
	static const char *const parts[] = { "/*", "*/", "$a", "- ", "(",    "'",
		                             "$$", "[",  "a$", "?,", "(1),", "--" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct buf text = { 0 }, out = { 0 };

		buf_put_text(&text, "values ");
		for (size_t k = 0; k < 200000; k++)
			buf_put_text(&text, parts[i]);
		for (enum dialect d = DIALECT_SQLITE; d <= DIALECT_POSTGRES; d++) {
			buf_clear(&out);
			(void)sql_normalise(buf_bytes(&text), d, &out); /* the time is the test */
			CHECK(out.len <= 2 * text.len);
		}
		buf_done(&text), buf_done(&out);
	}
}

/* libpg_query */

struct corpus {
	struct arena arena;
	const struct json *rows[128];
	size_t count;
	struct buf text;
};

static bool
corpus_read(struct corpus *c, const char *name)
{
	char *path = test_corpus(name);
	FILE *f = path == NULL ? NULL : fopen(path, "rb");
	char *line = NULL;
	size_t room = 0;

	*c = (struct corpus){ 0 };
	free(path);
	while (f != NULL && c->count < ARRAY_LEN(c->rows) && getline(&line, &room, f) > 0) {
		struct bytes copy = arena_copy(&c->arena, bytes_text(line));

		CHECK(copy.len != 0 &&
		      !failed(json_parse(copy, &c->arena, &c->rows[c->count], NULL)));
		c->count++;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return f != NULL;
}

static struct bytes
member(const struct json *row, const char *name)
{
	struct bytes text = { 0 };

	CHECK(json_string(json_member(row, name), &text));
	return text;
}

static bool
same_normal(struct bytes a, struct bytes b)
{
	struct buf left = { 0 }, right = { 0 };
	bool both = sql_normalise(a, DIALECT_POSTGRES, &left) &&
	            sql_normalise(b, DIALECT_POSTGRES, &right) &&
	            bytes_equal(buf_bytes(&left), buf_bytes(&right));

	buf_done(&left), buf_done(&right);
	return both;
}

static void
check_normalised(const char *name)
{
	struct corpus c;

	if (!corpus_read(&c, name))
		SKIP("no corpus");
	CHECK(c.count > 20);
	for (size_t i = 0; i < c.count; i++) {
		struct bytes sql = member(c.rows[i], "sql"),
			     expected = member(c.rows[i], "expected");

		CHECK(same_normal(sql, expected));
		if (!same_normal(sql, expected))
			printf("# %.*s\n", (int)sql.len, (const char *)sql.at);
	}
	arena_done(&c.arena);
}

/* Its normal form replaces literals by $1, $2: to us the same statement as the original. */
static void
test_agrees_with_libpg_query_on_literals(void)
{
	check_normalised("sql-fingerprint-libpg_query/normalize.jsonl");
}

static void
test_agrees_with_libpg_query_on_utility_statements(void)
{
	check_normalised("sql-fingerprint-libpg_query/normalize_utility.jsonl");
}

/* Statements it tells apart we must tell apart. (The reverse does not hold: it forgets the order of
 * columns, aliases, casts and names of cursors; we keep them, because an audit should.) */
static void
test_tells_apart_what_libpg_query_tells_apart(void)
{
	struct corpus c;
	size_t compared = 0;

	if (!corpus_read(&c, "sql-fingerprint-libpg_query/fingerprint.jsonl"))
		SKIP("no corpus");
	CHECK(c.count > 70);
	for (size_t i = 0; i < c.count; i++)
		for (size_t k = 0; k < i; k++) {
			struct bytes a = member(c.rows[i], "sql"), b = member(c.rows[k], "sql");

			if (a.len > 20000 || b.len > 20000 ||
			    bytes_equal(member(c.rows[i], "expected"),
			                member(c.rows[k], "expected")))
				continue;
			compared++;
			CHECK(!same_normal(a, b));
			if (same_normal(a, b))
				printf("# %.*s | %.*s\n", (int)a.len, (const char *)a.at,
				       (int)b.len, (const char *)b.at);
		}
	CHECK(compared > 2000);
	arena_done(&c.arena);
}

static void
test_same_as_libpg_query_where_only_literals_differ(void)
{
	static const char *const pairs[][2] = {
		{ "SELECT 1", "SELECT 2" },
		{ "SELECT 1", "SELECT $1" },
		{ "SELECT INTERVAL (0) $2", "SELECT INTERVAL (2) $2" },
		{ "SELECT * FROM x WHERE y IN ($1)", "SELECT * FROM x WHERE y IN ($1, $2, $3)" },
		{ "SELECT -1", "SELECT 1" },
		{ "INSERT INTO t VALUES (1, 2), (3, 4)", "INSERT INTO t VALUES ($1, $2)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		CHECK_ROW(same(pairs[i][0], pairs[i][1], DIALECT_POSTGRES), pairs[i][1]);
}

/* Its scanner names each token: as many constants as there are ? of ours, lists unfolded. */
static void
test_finds_the_constants_libpg_query_finds(void)
{
	static const char *const kinds[] = { " = ICONST", " = FCONST",  " = SCONST", " = BCONST",
		                             " = XCONST", " = USCONST", " = PARAM" };
	struct corpus c;

	if (!corpus_read(&c, "sql-fingerprint-libpg_query/scan.jsonl"))
		SKIP("no corpus");
	for (size_t i = 0; i < c.count; i++) {
		struct bytes sql = member(c.rows[i], "sql"),
			     expected = member(c.rows[i], "expected");
		char *tokens = arena_text(&c.arena, expected);
		size_t theirs = 0, ours = 0;

		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			for (const char *at = tokens; (at = strstr(at, kinds[k])) != NULL; at++)
				theirs++;
		for (struct bytes rest = sql;;) {
			struct lexeme taken = lexeme_take(&rest, DIALECT_POSTGRES);
			CHECK(taken.kind != LEXEME_BAD);
			if (taken.kind == LEXEME_END || taken.kind == LEXEME_BAD)
				break;
			ours += taken.kind == LEXEME_VALUE;
		}
		CHECK(ours == theirs);
		if (ours != theirs)
			printf("# %zu %zu %.*s\n", ours, theirs, (int)sql.len,
			       (const char *)sql.at);
	}
	CHECK(c.count > 8);
	arena_done(&c.arena);
}

TESTS(TEST(test_normal_form_by_dialect), TEST(test_case_70_what_differs_in_structure_differs),
      TEST(test_fingerprint_depends_on_the_key), TEST(test_raw_text_has_its_own_prefix),
      TEST(test_normal_form_is_stable_under_itself), TEST(test_long_input_takes_linear_time),
      TEST(test_agrees_with_libpg_query_on_literals),
      TEST(test_agrees_with_libpg_query_on_utility_statements),
      TEST(test_tells_apart_what_libpg_query_tells_apart),
      TEST(test_same_as_libpg_query_where_only_literals_differ),
      TEST(test_finds_the_constants_libpg_query_finds))
