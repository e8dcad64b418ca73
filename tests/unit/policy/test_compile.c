/* Rules that name what does not exist are errors with their place; nothing half-compiled comes out.
 */
#include "policy/policy.h"

#include "unit/policy/rules.h"
#include "test.h"

/* Compiles one rule on one resource; the error text is in `room`. */
static struct err
compile_one(const struct rule_settings *allow, const struct rule_settings *deny,
            const struct table *table, char *room, size_t len)
{
	const struct resource_settings resource = { .name = "books",
		                                    .allow = allow,
		                                    .allow_count = allow != NULL,
		                                    .deny = deny,
		                                    .deny_count = deny != NULL };
	const struct settings settings = { .file = "g.yaml",
		                           .roles = test_roles,
		                           .role_count = ROLE_COUNT,
		                           .resources = &resource,
		                           .resource_count = 1 };
	const struct table *const tables[] = { table };
	struct rules r = { 0 };
	struct err e = policy_compile(&settings, tables, 1, &r.arena, &r.policy, &r.errors);

	CHECK(failed(e) == (r.policy == NULL));
	snprintf(room, len, "%.*s", (int)r.errors.text.len,
	         r.errors.text.len == 0 ? "" : (const char *)r.errors.text.at);
	rules_close(&r);
	return e;
}

static void
check_where(const char *where, const char *starts, const char *holds)
{
	const struct rule_settings rule = {
		.role = READER, .place = { 3, 1 }, .where = where, .where_place = { 4, 12 }
	};
	char room[512];
	struct err e = compile_one(&rule, NULL, &books, room, sizeof room);

	CHECK_ROW(e.kind == ERR_CONFIG && strncmp(room, starts, strlen(starts)) == 0 &&
	                  strstr(room, holds) != NULL,
	          where);
	if (test_failed)
		printf("# %s\n", room);
}

static void
test_bad_condition_is_placed_inside_its_text(void)
{
	check_where("cost gt 5", "g.yaml:4:12:", "cost");
	check_where("published eq 1", "g.yaml:4:25:", "true or false");
	check_where("published eq true and", "g.yaml:4:33:", "column");
	check_where("published eq true\n  and nothing eq 1", "g.yaml:5:7:", "nothing");
	check_where("owner eq @claims.", "g.yaml:4:21:", "@claims.");
	check_where("", "g.yaml:4:12:", "column");
}

static void
test_what_was_expected_is_told(void)
{
	static const char *const near[] = { "titel" }, *const far[] = { "warehouse_number" };
	const struct rule_settings close = {
		.role = READER, .has_include = true, .include = near, .include_count = 1
	};
	const struct rule_settings distant = { .role = READER, .exclude = far, .exclude_count = 1 };
	char room[1024];

	CHECK(compile_one(&close, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "no column `titel` (did you mean \"title\"?)") != NULL);
	CHECK(compile_one(&distant, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "`warehouse_number`; expected one of id, ") != NULL &&
	      strstr(room, "title") != NULL);
	check_where("ownr eq 'x'", "g.yaml:4:12:",
	            "at `ownr`: there is no column of this name (did you mean \"owner\"?)");
	check_where("published eq", "g.yaml:4:24:", "`books`, at the end: ");
	check_where("", "g.yaml:4:12:", "`books`, at the end: ");
}

/* What is wrong with one table hides nothing of the others, and lets nothing through. */
static void
test_an_unknown_table_hides_no_other_error(void)
{
	const struct rule_settings rules[] = {
		{ .role = READER,
		  .place = { 3, 1 },
		  .exclude = hide_price,
		  .exclude_count = 1,
		  .where = "x eq",
		  .where_place = { 3, 9 } },
		{ .role = READER,
		  .place = { 4, 1 },
		  .where = "nope eq 1",
		  .where_place = { 4, 9 } },
	};
	const struct resource_settings resources[] = {
		{ .name = "lost",
		  .table = "lost",
		  .allow = &rules[0],
		  .allow_count = 1,
		  .deny = &rules[0],
		  .deny_count = 1 },
		{ .name = "books", .table = "books", .allow = &rules[1], .allow_count = 1 },
	};
	const struct settings both = { .file = "g.yaml",
		                       .roles = test_roles,
		                       .role_count = ROLE_COUNT,
		                       .resources = resources,
		                       .resource_count = 2 };
	const struct settings one = { .file = "g.yaml",
		                      .roles = test_roles,
		                      .role_count = ROLE_COUNT,
		                      .resources = &(struct resource_settings){ .name = "lost",
		                                                                .table = "lost" },
		                      .resource_count = 1 };
	const struct table *const tables[] = { NULL, &books };
	struct rules r = { 0 };

	CHECK(policy_compile(&both, tables, 1, &r.arena, &r.policy, &r.errors).kind == ERR_CONFIG &&
	      r.policy == NULL);
	CHECK(r.errors.count == 2); /* the deny rule with a condition, and the unknown column */
	buf_put_u8(&r.errors.text, 0);
	CHECK(strstr((char *)r.errors.text.at, "g.yaml:3:1: a deny rule takes no") != NULL);
	CHECK(strstr((char *)r.errors.text.at, "g.yaml:4:9: ") != NULL);
	rules_close(&r);
	r = (struct rules){ 0 };
	CHECK(policy_compile(&one, tables, 1, &r.arena, &r.policy, &r.errors).kind == ERR_CONFIG &&
	      r.policy == NULL);
	CHECK(r.errors.count == 0);
	rules_close(&r);
}

static void
test_unknown_columns_are_named_with_their_rule(void)
{
	static const char *const names[] = { "title", "nope" };
	const struct rule_settings include = { .role = READER,
		                               .place = { 6, 9 },
		                               .has_include = true,
		                               .include = names,
		                               .include_count = 2 };
	const struct rule_settings exclude = {
		.role = READER, .place = { 7, 9 }, .exclude = names, .exclude_count = 2
	};
	char room[512];

	CHECK(compile_one(&include, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "g.yaml:6:9:") != NULL && strstr(room, "nope") != NULL &&
	      strstr(room, "title") == NULL);
	CHECK(compile_one(&exclude, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "g.yaml:7:9:") != NULL && strstr(room, "nope") != NULL);
	CHECK(compile_one(NULL, &include, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(compile_one(&include, NULL, NULL, room, sizeof room).kind == ERR_CONFIG);
}

/* A deny rule with a condition would deny less than it seems to. */
static void
test_deny_takes_no_condition(void)
{
	const struct rule_settings where = { .role = READER,
		                             .place = { 8, 9 },
		                             .where = "published eq true" };
	const struct rule_settings exclude = {
		.role = READER, .place = { 9, 9 }, .exclude = hide_price, .exclude_count = 1
	};
	char room[512];

	CHECK(compile_one(NULL, &where, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "g.yaml:8:9:") != NULL);
	CHECK(compile_one(NULL, &exclude, &books, room, sizeof room).kind == ERR_CONFIG);
}

static void
test_role_that_does_not_exist_is_an_error(void)
{
	const struct rule_settings rule = { .role = ROLE_COUNT };
	char room[512];

	CHECK(compile_one(&rule, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
}

static void
test_every_error_comes_at_once(void)
{
	static const char *const names[] = { "nope", "neither" };
	const struct rule_settings rule = { .role = READER,
		                            .has_include = true,
		                            .include = names,
		                            .include_count = 2,
		                            .where = "missing eq 1" };
	char room[1024];

	CHECK(compile_one(&rule, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "nope") != NULL && strstr(room, "neither") != NULL &&
	      strstr(room, "missing") != NULL);
}

static void
test_resources_are_found_by_exact_name(void)
{
	struct rules r;

	rules_open(&r);
	CHECK(policy_resource(r.policy, BYTES("books")) == 0 &&
	      policy_resource(r.policy, BYTES("archive")) == 1 &&
	      policy_resource(r.policy, BYTES("authors")) == 2);
	CHECK(policy_resource(r.policy, BYTES("book")) == -1 &&
	      policy_resource(r.policy, BYTES("bookss")) == -1 &&
	      policy_resource(r.policy, BYTES("")) == -1 &&
	      policy_resource(r.policy, BYTES("zzz")) == -1 &&
	      policy_resource(r.policy, BYTES("books\0")) == -1);
	CHECK(policy_table(r.policy, 0) == &books);
	CHECK(strcmp(action_name(ACTION_EXECUTE), "execute") == 0);
	rules_close(&r);
}

TESTS(TEST(test_bad_condition_is_placed_inside_its_text),
      TEST(test_unknown_columns_are_named_with_their_rule), TEST(test_what_was_expected_is_told),
      TEST(test_an_unknown_table_hides_no_other_error), TEST(test_deny_takes_no_condition),
      TEST(test_role_that_does_not_exist_is_an_error), TEST(test_every_error_comes_at_once),
      TEST(test_resources_are_found_by_exact_name))
