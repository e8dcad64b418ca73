/* The facts of a review, from accounts and a log that were made up, and that its two forms tell the
 * same. */
#include "main/review.h"

#include "base/macros.h"
#include "format/json.h"
#include "test.h"

enum { NOW = 1760000000, DAYS = 90 };
#define DAY_MS INT64_C(86400000)
#define NOW_MS (INT64_C(1000) * NOW)

static const struct issuer_settings issuers[] = { { .name = "own", .type = ISSUER_LOCAL },
	                                          { .name = "corp", .type = ISSUER_OIDC } };
static const struct grant_source reader_by[] = { { 0, "r" }, { 1, "readers" } };
static const struct grant_source writer_by[] = { { 0, "w" }, { 1, "writers" } };
static const struct role_settings roles[] = {
	{ .name = "reader", .granted_by = reader_by, .granted_by_count = 2 },
	{ .name = "writer", .granted_by = writer_by, .granted_by_count = 2 },
};
static const char *const hidden[] = { "cost" };
static const struct rule_settings allow[] = {
	{ .role = 0,
	  .action = ACTION_READ,
	  .exclude = hidden,
	  .exclude_count = 1,
	  .where = "owner eq @claims.sub" },
	{ .role = 1, .action = ACTION_READ },
	{ .role = 1, .action = ACTION_UPDATE },
};
static const struct resource_settings resources[] = {
	{ .name = "books", .allow = allow, .allow_count = ARRAY_LEN(allow) },
};
static const struct settings settings = { .issuers = issuers,
	                                  .issuer_count = 2,
	                                  .roles = roles,
	                                  .role_count = 2,
	                                  .resources = resources,
	                                  .resource_count = 1 };

static void
add(struct review *r, enum account_kind kind, const char *name, const char *subject,
    const char *held, bool is_disabled, int64_t age_days)
{
	review_add_account(r, &(struct account){ .kind = kind,
	                                         .name = bytes_text(name),
	                                         .subject = bytes_text(subject),
	                                         .roles = bytes_text(held),
	                                         .is_disabled = is_disabled,
	                                         .created_s = NOW - age_days * 86400 });
}

static void
take(struct review *r, const char *issuer, const char *subject, const char *role, const char *rule,
     int64_t days_ago)
{
	char line[1024];
	struct arena arena = { 0 };
	const struct json *record = NULL;

	snprintf(line, sizeof line,
	         "{\"class_uid\":6005,\"status_code\":\"200\",\"time\":%lld,\"actor\":{\"user\":{"
	         "\"uid\":"
	         "\"%s\",\"name\":\"\",\"groups\":[{\"name\":\"%s\"}]},\"idp\":{\"name\":\"%s\"}},"
	         "\"unmapped\":{\"outcome\":\"allowed\",\"rule\":\"%s\",\"agent\":\"\"}}",
	         (long long)(NOW_MS - days_ago * DAY_MS), subject, role, issuer, rule);
	CHECK(!failed(json_parse(bytes_text(line), &arena, &record, NULL)));
	usage_take(r->usage, record);
	arena_done(&arena);
}

/* alice reads, bob was made long ago and never came, carol is new, dave is disabled, the bot holds
 * a value nobody knows, and somebody of corp writes. */
static void
open_review(struct review *r)
{
	review_init(r, &settings, DAYS, NOW);
	add(r, ACCOUNT_USER, "alice", "s-alice", "r", false, 400);
	add(r, ACCOUNT_USER, "bob", "s-bob", "w r", false, 400);
	add(r, ACCOUNT_USER, "carol", "s-carol", "r", false, 3);
	add(r, ACCOUNT_USER, "dave", "s-dave", "w", true, 400);
	add(r, ACCOUNT_CLIENT, "bot", "s-bot", "r gone", false, 400);
	CHECK(!failed(usage_new(&settings, NOW_MS - DAYS * DAY_MS, &r->usage)));
	for (size_t i = 0; i < r->account_count; i++)
		CHECK(usage_expect(r->usage, BYTES("own"), r->accounts[i].subject));
	take(r, "corp", "u-9", "writer", "resources.books.allow.writer.update", 200);
	take(r, "own", "s-bot", "reader", "resources.books.allow.reader.read", 120);
	take(r, "own", "s-alice", "reader", "resources.books.allow.reader.read", 1);
	take(r, "own", "s-gone", "reader", "", 1);
	take(r, "forgotten", "u-1", "reader", "", 1);
	take(r, "corp", "u-9", "writer", "resources.books.allow.writer.read", 2);
}

static char *
print(const struct review *r, void (*form)(const struct review *, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	form(r, out);
	fclose(out);

	char *copy = strdup(text);

	free(text);
	return copy;
}

/* Rows of a part, each as `name=value;` of its members. */
struct told {
	struct arena arena;
	const struct json *document;
	struct buf text;
};

static void
put_value(struct buf *out, const struct json *v)
{
	struct bytes text;

	if (json_string(v, &text))
		buf_put(out, text);
	else
		json_put_value(out, v);
}

static const char *
rows_of(struct told *t, const char *part)
{
	const struct json *rows = json_member(t->document, part);

	buf_clear(&t->text);
	CHECK_ROW(rows != NULL && rows->type == JSON_ARRAY, part);
	for (const struct json *i = json_first(rows); i != NULL; i = json_next(rows, i)) {
		for (const struct json *n = json_first(i); n != NULL; n = json_next(i, n)) {
			buf_put(&t->text, n->text);
			buf_put_u8(&t->text, '=');
			put_value(&t->text, n + 1);
			buf_put_u8(&t->text, ';');
		}
		buf_put_u8(&t->text, '\n');
	}
	buf_put_u8(&t->text, '\0');
	return (const char *)t->text.at;
}

static void
tell(const struct review *r, struct told *t, char **ret_json)
{
	*t = (struct told){ 0 };
	*ret_json = print(r, review_print_json);
	CHECK(!failed(json_parse(bytes_text(*ret_json), &t->arena, &t->document, NULL)));
}

static void
told_done(struct told *t, char *json)
{
	buf_done(&t->text);
	arena_done(&t->arena);
	free(json);
}

#define SAYS(part, row) CHECK_ROW(strstr(rows_of(&t, part), row) != NULL, rows_of(&t, part))
#define SAYS_NOT(part, row) CHECK_ROW(strstr(rows_of(&t, part), row) == NULL, rows_of(&t, part))

static void
test_who_reaches_what_through_which_role_with_its_limits(void)
{
	struct review r;
	struct told t;
	char *json;

	open_review(&r);
	tell(&r, &t, &json);
	SAYS("access",
	     "principal=own:alice;kind=user;name=alice;last_seen=2025-10-08T08:53:20.000000Z;role="
	     "reader;resource=books;actions=[\"read\"];some_rows=[\"read\"];some_columns=["
	     "\"read\"];\n");
	SAYS("access", "principal=own:bob;kind=user;name=bob;last_seen=null;role=reader;");
	SAYS("access", "principal=own:bob;kind=user;name=bob;last_seen=null;role=writer;resource="
	               "books;actions="
	               "[\"read\",\"update\"];some_rows=[];some_columns=[];\n");
	SAYS("access", "principal=own:bot;kind=client;");
	SAYS("access", "principal=corp:u-9;kind=seen;name=;last_seen=2025-10-07T08:53:20.000000Z;"
	               "role=writer;");
	/* Who is disabled, or gone, or of an issuer that is gone, reaches nothing. */
	SAYS_NOT("access", "dave");
	SAYS_NOT("access", "s-gone");
	SAYS_NOT("access", "forgotten");
	told_done(&t, json);
	review_done(&r);
}

static void
test_what_nobody_used_is_listed_and_what_is_new_is_not(void)
{
	struct review r;
	struct told t;
	char *json;

	open_review(&r);
	tell(&r, &t, &json);
	CHECK(strcmp(rows_of(&t, "unused_roles"), "") == 0); /* both have a rule that was used */
	SAYS("unused_accounts",
	     "principal=own:bob;kind=user;roles=[\"w\",\"r\"];last_seen=null;\n");
	SAYS("unused_accounts",
	     "principal=own:bot;kind=client;roles=[\"r\",\"gone\"];last_seen=2025-06-11T");
	SAYS_NOT("unused_accounts", "alice");
	SAYS_NOT("unused_accounts", "carol"); /* three days old */
	CHECK(strcmp(rows_of(&t, "unused_grants"), "role=writer;resource=books;action=update;last_"
	                                           "used=2025-03-23T08:53:20.000000Z;\n") == 0);
	told_done(&t, json);
	/* Looked at over fewer days more is unused. */
	r.days = 1;
	r.now_s = NOW + 86400;
	tell(&r, &t, &json);
	SAYS("unused_roles", "role=reader;last_used=2025-10-08T");
	SAYS("unused_roles", "role=writer;last_used=2025-10-07T");
	told_done(&t, json);
	review_done(&r);
}

static void
test_what_is_left_over_is_listed(void)
{
	struct review r;
	struct told t;
	char *json;

	open_review(&r);
	tell(&r, &t, &json);
	CHECK(strcmp(rows_of(&t, "disabled_with_roles"),
	             "principal=own:dave;kind=user;roles=[\"w\"];\n") == 0);
	CHECK(strcmp(rows_of(&t, "unknown_roles"), "principal=own:bot;kind=client;value=gone;\n") ==
	      0);
	/* `r` was brought by alice, `writers` by u-9; nobody of corp read, and no holder of `w`
	 * came. */
	CHECK(strcmp(rows_of(&t, "unpresented"), "role=reader;issuer=corp;value=readers;\n"
	                                         "role=writer;issuer=own;value=w;\n") == 0);
	SAYS("about", "days=90;log_from=2025-03-23T08:53:20.000000Z;log_to=2025-10-07T08:53:20."
	              "000000Z;records=6;"
	              "left_out=0;damage=none seen;\n");
	told_done(&t, json);
	review_done(&r);
}

/* From character `from` on, `count` of them, without spaces. */
static void
put_characters(struct buf *out, const char *line, size_t len, size_t from, size_t count)
{
	size_t character = 0;

	for (size_t i = 0; i < len; i++) {
		character += i > 0 && (line[i] & 0xC0) != 0x80;
		if (character >= from && character < from + count && line[i] != ' ')
			buf_put_u8(out, (uint8_t)line[i]);
	}
}

static size_t
characters(const char *line, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += (line[i] & 0xC0) != 0x80;
	return count;
}

/* Columns of the table joined again: what was folded is one text, without the spaces it was folded
 * at. */
static void
unfold(const char *table, const char *title, struct buf *out)
{
	const struct review_layout *layout = NULL;
	const char *at = strstr(table, title), *end;
	struct buf cells[REVIEW_COLUMNS_MAX] = { { 0 } };

	for (unsigned part = 0; part < REVIEW_PART_COUNT; part++)
		if (strncmp(review_layout((enum review_part)part)->title, title, 12) == 0)
			layout = review_layout((enum review_part)part);
	CHECK_ROW(at != NULL && layout != NULL, title);
	if (at == NULL || layout == NULL)
		return;
	end = strstr(at, "\n\n");
	for (at = strchr(at, '\n') + 1; at < end; at = strchr(at, '\n') + 1) {
		size_t len = strcspn(at, "\n"), from = 0;
		bool is_new = len > 0 && at[0] != ' ';

		CHECK_ROW(characters(at, len) <= 100, at);
		for (size_t i = 0; i < layout->column_count; i++) {
			size_t width = layout->columns[i].width;

			if (is_new) {
				buf_put(out, buf_bytes(&cells[i]));
				buf_put_text(out, i + 1 == layout->column_count ? "\n" : ";");
				buf_clear(&cells[i]);
			}
			put_characters(&cells[i], at, len, from, width);
			from += width + 2;
		}
	}
	for (size_t i = 0; i < layout->column_count; i++) {
		buf_put(out, buf_bytes(&cells[i]));
		buf_put_text(out, i + 1 == layout->column_count ? "\n" : ";");
		buf_done(&cells[i]);
	}
}

/* One cell of the table, without spaces, from the members of a row of the JSON. */
static void
put_expected(struct buf *out, const struct review_column *column, const struct json *row)
{
	const struct json *v = json_member(row, column->name);
	struct buf whole = { 0 };
	struct bytes text;

	if (column->type == CELL_TIME && !json_string(v, &text)) {
		buf_put_text(&whole, "never");
	} else if (column->type == CELL_TIME) {
		buf_put(&whole, bytes_slice(text, 0, column->width < 19 ? 10 : 19));
	} else if (v != NULL && v->type == JSON_ARRAY) {
		for (const struct json *i = json_first(v); i != NULL; i = json_next(v, i)) {
			struct buf mark = { 0 };

			buf_put(&whole, i->text);
			json_put_value(&mark, i);
			buf_put_u8(&mark, 0);
			for (unsigned limit = 0; column->type == CELL_ACTIONS && limit < 2;
			     limit++) {
				struct buf set = { 0 };

				json_put_value(&set, json_member(row, limit == 0 ? "some_rows"
				                                                 : "some_columns"));
				buf_put_u8(&set, 0);
				if (strstr((const char *)set.at, (const char *)mark.at) != NULL)
					buf_put_text(&whole, limit == 0 ? "*" : "+");
				buf_done(&set);
			}
			buf_done(&mark);
		}
	} else {
		put_value(&whole, v);
	}
	if (whole.len == 0)
		buf_put_u8(&whole, '-');
	for (size_t i = 0; i < whole.len; i++)
		if (whole.at[i] != ' ')
			buf_put_u8(out, whole.at[i]);
	buf_done(&whole);
}

/* Row by row and cell by cell, in the same order, nothing more and nothing less. */
static void
compare_forms(const struct review *r)
{
	char *table = print(r, review_print_table), *json;
	struct told t;

	tell(r, &t, &json);
	for (unsigned part = 0; part < REVIEW_PART_COUNT; part++) {
		const struct review_layout *layout = review_layout((enum review_part)part);
		const struct json *rows = json_member(t.document, layout->name);
		struct buf expected = { 0 }, got = { 0 };
		char title[64];

		snprintf(title, sizeof title, "%.*s", (int)strcspn(layout->title, "%"),
		         layout->title);
		unfold(table, title, &got);
		/* Before the first row stand an empty one and the headings. */
		for (size_t i = 0; i + 1 < layout->column_count; i++)
			buf_put_u8(&expected, ';');
		buf_put_u8(&expected, '\n');
		if (rows->count == 0) {
			buf_put_text(&expected, "none");
			for (size_t i = 0; i + 1 < layout->column_count; i++)
				buf_put_u8(&expected, ';');
			buf_put_u8(&expected, '\n');
		}
		for (size_t i = 0; rows->count > 0 && i < layout->column_count; i++) {
			for (const char *c = layout->columns[i].heading; *c != '\0'; c++)
				if (*c != ' ')
					buf_put_u8(&expected, (uint8_t)*c);
			buf_put_text(&expected, i + 1 == layout->column_count ? "\n" : ";");
		}
		for (const struct json *row = json_first(rows); row != NULL;
		     row = json_next(rows, row))
			for (size_t i = 0; i < layout->column_count; i++) {
				put_expected(&expected, &layout->columns[i], row);
				buf_put_text(&expected, i + 1 == layout->column_count ? "\n" : ";");
			}
		/* The legend below the table of access is no row. */
		if (part == REVIEW_ACCESS && rows->count > 0)
			got.len -= got.len -
			           (size_t)((const uint8_t *)memmem(got.at, got.len, "\n*onlyrows",
			                                            10) -
			                    got.at) -
			           1;
		CHECK_ROW(bytes_equal(buf_bytes(&got), buf_bytes(&expected)), layout->name);
		if (!bytes_equal(buf_bytes(&got), buf_bytes(&expected)))
			printf("# table:\n%.*s# json:\n%.*s", (int)got.len, (const char *)got.at,
			       (int)expected.len, (const char *)expected.at);
		buf_done(&expected);
		buf_done(&got);
	}
	told_done(&t, json);
	free(table);
}

static void
test_table_and_json_hold_the_same_facts(void)
{
	struct review r;

	open_review(&r);
	compare_forms(&r);
	/* Names that must be folded, and more of everything. */
	for (unsigned i = 0; i < 40; i++) {
		char name[160], subject[32];

		snprintf(name, sizeof name, "%0*u with a long name and umläut %u", (int)(i * 2 + 1),
		         i, i);
		snprintf(subject, sizeof subject, "s-%u", i);
		add(&r, i % 3 == 0 ? ACCOUNT_CLIENT : ACCOUNT_USER, name, subject,
		    i % 2 == 0 ? "r w gone-a gone-b" : "w", i % 5 == 0, 400);
		CHECK(usage_expect(r.usage, BYTES("own"), bytes_text(subject)));
		take(&r, i % 4 == 0 ? "corp" : "own", subject, i % 2 == 0 ? "reader" : "writer", "",
		     i * 4);
	}
	compare_forms(&r);
	review_done(&r);
}

static void
test_what_is_not_complete_says_so(void)
{
	struct review r;
	char *table;

	open_review(&r);
	r.accounts_left_out = 7;
	r.is_log_damaged = true;
	table = print(&r, review_print_table);
	CHECK(strstr(table, "Not complete") != NULL && strstr(table, "audit verify") != NULL);
	free(table);

	struct told t;
	char *json;

	tell(&r, &t, &json);
	SAYS("about", "left_out=7;damage=some lines are no records;");
	told_done(&t, json);
	review_done(&r);

	review_init(&r, &settings, DAYS, NOW);
	CHECK(!failed(usage_new(&settings, 0, &r.usage)));
	table = print(&r, review_print_table);
	CHECK(strstr(table, "The log is empty") != NULL);
	free(table);
	take(&r, "corp", "u", "reader", "", 5);
	table = print(&r, review_print_table);
	CHECK(strstr(table, "The log begins inside these days") != NULL);
	free(table);
	review_done(&r);
}

TESTS(TEST(test_who_reaches_what_through_which_role_with_its_limits),
      TEST(test_what_nobody_used_is_listed_and_what_is_new_is_not),
      TEST(test_what_is_left_over_is_listed), TEST(test_table_and_json_hold_the_same_facts),
      TEST(test_what_is_not_complete_says_so))
