/* The grammar and the types of the filter language: what is accepted, what is refused and where. */
#include "query/filter.h"

#include "unit/query/books.h"
#include "test.h"

struct outcome {
	struct err error;
	struct filter_error at;
	const struct filter *filter;
};

static struct outcome
parse(struct arena *arena, struct bytes text, bool claims)
{
	struct outcome o = { 0 };

	o.error = filter_parse(text, &books, claims, arena, &o.filter, &o.at);
	return o;
}

/* The condition as SQLite gets it, in `room`. */
static const char *
sql_of(const char *text, char *room, size_t len)
{
	struct arena arena = { 0 };
	struct outcome o = parse(&arena, bytes_text(text), true);
	struct sql out;

	sql_init(&out, DIALECT_SQLITE, &arena);
	if (failed(o.error)) {
		snprintf(room, len, "%s", o.error.why);
	} else {
		filter_put_sql(o.filter, &books, NULL, &out);
		snprintf(room, len, "%.*s", (int)out.text.len, (const char *)out.text.at);
	}
	sql_done(&out);
	arena_done(&arena);
	return room;
}

static void
test_good_filters_become_conditions(void)
{
	static const char *const rows[][2] = {
		{ "pages eq 12", "(`pages` = ?1)" },
		{ "  pages\teq\n12 ", "(`pages` = ?1)" },
		{ "pages ne -12", "(`pages` <> ?1)" },
		{ "pages gt 1 and pages ge 2 or pages lt 3 and pages le 4",
		  "(`pages` > ?1 AND `pages` >= ?2 OR `pages` < ?3 AND `pages` <= ?4)" },
		{ "not (pages eq 1)", "(NOT (`pages` = ?1))" },
		{ "not(pages eq 1)and(pages eq 2)", "(NOT (`pages` = ?1) AND (`pages` = ?2))" },
		{ "((pages eq 1))", "(((`pages` = ?1)))" },
		{ "pages in (1,2 , 3)", "(`pages` IN (?1, ?2, ?3))" },
		{ "title eq 'it''s'", "(`title` = ?1)" },
		{ "title eq null or title ne null", "(`title` IS NULL OR `title` IS NOT NULL)" },
		{ "blob eq null and extra ne null", "(`blob` IS NULL AND `extra` IS NOT NULL)" },
		{ "published eq true and published ne false",
		  "(`published` = ?1 AND `published` <> ?2)" },
		{ "born gt 2026-11-22 or born eq '2026-11-22'", "(`born` > ?1 OR `born` = ?2)" },
		{ "opens ge 09:30:00", "(`opens` >= ?1)" },
		{ "seen lt 2026-11-22T10:00:00+01:00",
		  "(strftime('%Y-%m-%dT%H:%M:%fZ', `seen`) < strftime('%Y-%m-%dT%H:%M:%fZ', ?1))" },
		{ "code eq deadBEEF-0000-0000-0000-00000000000a", "(`code` = ?1)" },
		{ "code in ('deadbeef-0000-0000-0000-00000000000a')", "(`code` = ?1)" },
		{ "price lt 1e3 and rating gt 1 and pages gt 2.5",
		  "(`price` < ?1 AND `rating` > ?2 AND `pages` > ?3)" },
		{ "contains(title, 'x')", "(instr(`title`, ?1) > 0)" },
		{ "startswith (title,'x')", "(substr(`title`, 1, length(?1)) = ?2)" },
		{ "not endswith(title,'x')",
		  "(NOT substr(`title`, length(`title`) - length(?1) + 1) = ?2)" },
		{ "owner eq @claims.sub", "(`owner` IN (NULL))" },
		{ "owner ne @claims.a.b-c:d", "(`owner` NOT IN (NULL))" },
		{ "pages gt @claims.level", "(((1 = NULL)))" },
	};
	char room[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(sql_of(rows[i][0], room, sizeof room), rows[i][1]) != 0) {
			printf("# got %s\n", room);
			CHECK_ROW(false, rows[i][0]);
		}
}

struct bad {
	const char *text;
	enum filter_code code;
	size_t offset;
	const char *near;
};

static const struct bad bad_filters[] = {
	{ "", FILTER_SYNTAX, 0, "" },
	{ "   ", FILTER_SYNTAX, 3, "" },
	{ "pages", FILTER_SYNTAX, 5, "" },
	{ "pages eq", FILTER_SYNTAX, 8, "" },
	{ "pages eq 1 and", FILTER_SYNTAX, 14, "" },
	{ "pages eq 1 pages eq 2", FILTER_SYNTAX, 11, "pages" },
	{ "and pages eq 1", FILTER_UNKNOWN_COLUMN, 0, "and" },
	{ "pages = 1", FILTER_SYNTAX, 6, "=" },
	{ "pages EQ 1", FILTER_SYNTAX, 6, "EQ" },
	{ "pages == 1", FILTER_SYNTAX, 6, "=" },
	{ "eq 1", FILTER_UNKNOWN_COLUMN, 0, "eq" },
	{ "1 eq pages", FILTER_SYNTAX, 0, "1" },
	{ "'a' eq title", FILTER_SYNTAX, 0, "'a'" },
	{ "title eq title", FILTER_SYNTAX, 9, "title" },
	{ "secret eq 1", FILTER_UNKNOWN_COLUMN, 0, "secret" },
	{ "Pages eq 1", FILTER_UNKNOWN_COLUMN, 0, "Pages" },
	{ "pages eq 1 or cost gt 2", FILTER_UNKNOWN_COLUMN, 14, "cost" },
	{ "(pages eq 1", FILTER_SYNTAX, 11, "" },
	{ "pages eq 1)", FILTER_SYNTAX, 10, ")" },
	{ "()", FILTER_SYNTAX, 1, ")" },
	{ "not pages eq 1", FILTER_SYNTAX, 4, "pages" },
	{ "not not (pages eq 1)", FILTER_SYNTAX, 4, "not" },
	{ "not", FILTER_SYNTAX, 3, "" },
	{ "pages in", FILTER_SYNTAX, 8, "" },
	{ "pages in ()", FILTER_SYNTAX, 10, ")" },
	{ "pages in (1,)", FILTER_SYNTAX, 12, ")" },
	{ "pages in (1 2)", FILTER_SYNTAX, 12, "2" },
	{ "pages in (1", FILTER_SYNTAX, 11, "" },
	{ "pages in 1", FILTER_SYNTAX, 9, "1" },
	{ "pages in (1, null)", FILTER_TYPE, 13, "null" },
	{ "pages gt null", FILTER_TYPE, 9, "null" },
	{ "contains(title, null)", FILTER_TYPE, 16, "null" },
	{ "contains(title)", FILTER_SYNTAX, 14, ")" },
	{ "contains(title 'x')", FILTER_SYNTAX, 15, "'x'" },
	{ "contains('x', title)", FILTER_SYNTAX, 9, "'x'" },
	{ "contains(title, 'x'", FILTER_SYNTAX, 19, "" },
	{ "contains(title, 'x') eq true", FILTER_SYNTAX, 21, "eq" },
	{ "contains(pages, '1')", FILTER_TYPE, 9, "pages" },
	{ "contains(title, 1)", FILTER_TYPE, 16, "1" },
	{ "contains eq 1", FILTER_UNKNOWN_COLUMN, 0, "contains" },
	{ "concat(title, 'x') eq 'y'", FILTER_UNKNOWN_COLUMN, 0, "concat" },
	{ "title eq 'open", FILTER_SYNTAX, 9, "'open" },
	{ "title eq 'it''s", FILTER_SYNTAX, 9, "'it''s" },
	{ "title eq \"x\"", FILTER_SYNTAX, 9, "\"" },
	{ "title eq x", FILTER_SYNTAX, 9, "x" },
	{ "title eq 5", FILTER_TYPE, 9, "5" },
	{ "title eq true", FILTER_TYPE, 9, "true" },
	{ "pages eq '5'", FILTER_TYPE, 9, "'5'" },
	{ "pages eq true", FILTER_TYPE, 9, "true" },
	{ "pages eq 1and", FILTER_TYPE, 9, "1and" },
	{ "pages eq 0x10", FILTER_TYPE, 9, "0x10" },
	{ "pages eq 1.", FILTER_TYPE, 9, "1." },
	{ "pages eq .5", FILTER_SYNTAX, 9, "." },
	{ "pages eq +5", FILTER_SYNTAX, 9, "+" },
	{ "pages eq --5", FILTER_SYNTAX, 9, "-" },
	{ "pages eq - 5", FILTER_SYNTAX, 9, "-" },
	{ "pages eq 1e", FILTER_TYPE, 9, "1e" },
	{ "pages eq 1e999", FILTER_TYPE, 9, "1e999" },
	{ "pages eq NaN", FILTER_SYNTAX, 9, "NaN" },
	{ "pages eq 1 + 1", FILTER_SYNTAX, 11, "+" },
	{ "pages eq 1;", FILTER_SYNTAX, 10, ";" },
	{ "pages eq 1 -- x", FILTER_SYNTAX, 11, "-" },
	{ "pages eq 1 /* x */", FILTER_SYNTAX, 11, "/" },
	{ "published eq 1", FILTER_TYPE, 13, "1" },
	{ "published eq 'true'", FILTER_TYPE, 13, "'true'" },
	{ "published gt true", FILTER_TYPE, 10, "gt" },
	{ "published", FILTER_SYNTAX, 9, "" },
	{ "born eq 2026-02-30", FILTER_TYPE, 8, "2026-02-30" },
	{ "born eq 2026-11-22T10:00:00Z", FILTER_TYPE, 8, "2026-11-22T10:00:00Z" },
	{ "seen gt 'yesterday'", FILTER_TYPE, 8, "'yesterday'" },
	{ "opens gt 25:00:00", FILTER_TYPE, 9, "25:00:00" },
	{ "code eq '123'", FILTER_TYPE, 8, "'123'" },
	{ "blob eq 'x'", FILTER_TYPE, 8, "'x'" },
	{ "blob gt null", FILTER_TYPE, 5, "gt" },
	{ "extra eq '{}'", FILTER_TYPE, 9, "'{}'" },
	{ "owner eq @claims.sub", FILTER_SYNTAX, 9, "@claims.sub" },
	{ "owner eq $1", FILTER_SYNTAX, 9, "$" },
	{ "a.b eq 1", FILTER_UNKNOWN_COLUMN, 0, "a" },
	{ "title/pages eq 1", FILTER_SYNTAX, 5, "/" },
};

static void
check_bad(const struct bad *row, bool claims)
{
	struct arena arena = { 0 };
	struct outcome o = parse(&arena, bytes_text(row->text), claims);

	CHECK_ROW(o.error.kind == ERR_PEER && o.error.code == row->code, row->text);
	CHECK_ROW(o.at.offset == row->offset, row->text);
	CHECK_ROW(bytes_is(o.at.near, row->near), row->text);
	CHECK_ROW(o.at.why != NULL && o.at.why[0] != '\0', row->text);
	if (test_failed)
		printf("# %s: code %u offset %zu near %.*s\n", row->text, o.error.code, o.at.offset,
		       (int)o.at.near.len, (const char *)o.at.near.at);
	arena_done(&arena);
}

static void
test_bad_filters_are_refused_at_their_place(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_filters); i++)
		check_bad(&bad_filters[i], false);
}

static void
test_bad_claims_are_refused_at_their_place(void)
{
	static const struct bad rows[] = {
		{ "owner eq @", FILTER_SYNTAX, 9, "@" },
		{ "owner eq @claims", FILTER_SYNTAX, 9, "@claims" },
		{ "owner eq @claims.", FILTER_SYNTAX, 9, "@claims." },
		{ "owner eq @claims.a.", FILTER_SYNTAX, 9, "@claims.a." },
		{ "owner eq @claims..a", FILTER_SYNTAX, 9, "@claims..a" },
		{ "owner eq @item.a", FILTER_SYNTAX, 9, "@item.a" },
		{ "@claims.sub eq owner", FILTER_SYNTAX, 0, "@claims.sub" },
		{ "owner eq @claims.sub'", FILTER_SYNTAX, 20, "'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_bad(&rows[i], true);
}

/* Case 80: an error about a type must not be told before policy was asked about the column. */
static void
test_case_80_error_lists_the_columns_named_so_far(void)
{
	struct arena arena = { 0 };
	struct outcome o =
		parse(&arena, BYTES("title eq 'x' and price eq 'y' and pages eq 1"), false);

	CHECK(o.error.code == FILTER_TYPE);
	CHECK(column_set_has(&o.at.columns, TITLE) && column_set_has(&o.at.columns, PRICE));
	CHECK(!column_set_has(&o.at.columns, PAGES));
	arena_done(&arena);
}

static void
test_filter_knows_its_columns(void)
{
	struct arena arena = { 0 };
	struct outcome o =
		parse(&arena, BYTES("not contains(title, 'x') or pages in (1, 2) or blob eq null"),
	              false);
	struct column_set wanted = { { 0 } }, got;

	column_set_add(&wanted, TITLE);
	column_set_add(&wanted, PAGES);
	column_set_add(&wanted, BLOB);
	CHECK(!failed(o.error));
	filter_columns(o.filter, &got);
	CHECK(column_set_covers(&wanted, &got) && column_set_covers(&got, &wanted));
	arena_done(&arena);
}

/* Limits */

static struct err
parse_built(const char *head, const char *middle, size_t times, const char *last, const char *tail)
{
	struct arena arena = { 0 };
	struct buf text = { 0 };

	for (size_t i = 0; i < times; i++)
		buf_put_text(&text, head);
	buf_put_text(&text, middle);
	for (size_t i = 0; i < times; i++)
		buf_put_text(&text, tail);
	buf_put_text(&text, last);

	struct outcome o = parse(&arena, buf_bytes(&text), false);
	buf_done(&text);
	arena_done(&arena);
	return o.error;
}

static void
test_depth_is_bounded(void)
{
	CHECK(!failed(parse_built("(", "pages eq 1", 32, "", ")")));
	CHECK(parse_built("(", "pages eq 1", 33, "", ")").code == FILTER_TOO_LARGE);
	CHECK(parse_built("(", "pages eq 1", 100000, "", ")").code == FILTER_TOO_LARGE);
	CHECK(parse_built("not (", "pages eq 1", 3000, "", ")").code == FILTER_TOO_LARGE);
	CHECK(parse_built("pages eq 1 or pages eq 2 and not (", "pages eq 1", 32, "", ")").code ==
	      FILTER_TOO_LARGE);
}

static void
test_size_is_bounded(void)
{
	CHECK(!failed(parse_built("", "pages eq 1", 80, "", " or pages eq 1")));
	CHECK(parse_built("", "pages eq 1", 300, "", " or pages eq 1").code == FILTER_TOO_LARGE);
	CHECK(!failed(parse_built("", "pages in (1", 99, ")", ",1")));
	CHECK(parse_built("", "pages in (1", 100, ")", ",1").code == FILTER_TOO_LARGE);
	CHECK(parse_built(" ", "pages eq 1", 8192, "", "").code == FILTER_TOO_LARGE);
	CHECK(parse_built("", "title eq '", 4000, "'", "''").kind == ERR_OK);
}

static void
test_text_must_be_utf8_without_nul(void)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = { { "title eq '\xff'", 12 }, { "title eq '\xc0\xa7'", 13 },
		     { "title eq 'a\0b'", 14 }, { "title eq '\xed\xa0\x80'", 14 },
		     { "title eq 'x'\0", 13 },  { "title eq '\xbf' or 1", 17 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct bytes text = { (const uint8_t *)rows[i].text, rows[i].len };

		CHECK_ROW(parse(&arena, text, false).error.code == FILTER_SYNTAX, rows[i].text);
		arena_done(&arena);
	}
}

/* Every prefix of a good filter is refused or good in its own right; nothing is read past the end.
 */
static void
test_truncated_filter_never_reads_past_its_end(void)
{
	static const char whole[] = "not (contains(title, 'a''b') and born ge 2026-11-22) or owner "
				    "in (@claims.sub, 'x')";

	for (size_t len = 0; len < sizeof whole; len++) {
		struct arena arena = { 0 };
		uint8_t *copy = malloc(len == 0 ? 1 : len);

		memcpy(copy, whole, len);
		struct outcome o = parse(&arena, (struct bytes){ copy, len }, true);
		CHECK(failed(o.error) ? o.at.offset + o.at.near.len <= len : o.filter != NULL);
		free(copy);
		arena_done(&arena);
	}
}

static void
test_full_arena_is_an_error(void)
{
	for (size_t limit = 5000; limit < 40000; limit += 5000) {
		struct arena arena = { .limit = limit };
		struct buf text = { 0 };

		buf_put_text(&text, "title eq '");
		for (int i = 0; i < 3000; i++)
			buf_put_text(&text, "''");
		buf_put_text(&text, "'");
		struct outcome o = parse(&arena, buf_bytes(&text), false);
		CHECK(limit > 10000 ? !failed(o.error) || o.error.kind == ERR_LIMIT
		                    : o.error.kind == ERR_LIMIT);
		buf_done(&text);
		arena_done(&arena);
	}
}

TESTS(TEST(test_good_filters_become_conditions), TEST(test_bad_filters_are_refused_at_their_place),
      TEST(test_bad_claims_are_refused_at_their_place),
      TEST(test_case_80_error_lists_the_columns_named_so_far), TEST(test_filter_knows_its_columns),
      TEST(test_depth_is_bounded), TEST(test_size_is_bounded),
      TEST(test_text_must_be_utf8_without_nul),
      TEST(test_truncated_filter_never_reads_past_its_end), TEST(test_full_arena_is_an_error))
