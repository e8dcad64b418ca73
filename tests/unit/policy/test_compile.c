/* Rules that name what does not exist are errors with their place; nothing half-compiled comes out. */
#include "policy/policy.h"

#include "unit/policy/rules.h"
#include "test.h"

/* Compiles one rule on one resource; the error text is in `room`. */
static struct err
compile_one(const struct rule_settings *allow, const struct rule_settings *deny, const struct table *table, char *room,
            size_t len)
{
	const struct resource_settings resource = { .name = "books", .allow = allow, .allow_count = allow != NULL,
		                                    .deny = deny, .deny_count = deny != NULL };
	const struct settings settings = { .file = "g.yaml", .roles = test_roles, .role_count = ROLE_COUNT,
		                           .resources = &resource, .resource_count = 1 };
	const struct table *const tables[] = { table };
	struct rules r = { 0 };
	struct err e = policy_compile(&settings, tables, 1, &r.arena, &r.policy, &r.errors);

	CHECK(failed(e) == (r.policy == NULL));
	snprintf(room, len, "%.*s", (int)r.errors.text.len, r.errors.text.len == 0 ? "" : (const char *)r.errors.text.at);
	rules_close(&r);
	return e;
}

static void
check_where(const char *where, const char *starts, const char *holds)
{
	const struct rule_settings rule = { .role = READER, .place = { 3, 1 }, .where = where, .where_place = { 4, 12 } };
	char room[512];
	struct err e = compile_one(&rule, NULL, &books, room, sizeof room);

	CHECK_ROW(e.kind == ERR_CONFIG && strncmp(room, starts, strlen(starts)) == 0 && strstr(room, holds) != NULL, where);
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
test_unknown_columns_are_named_with_their_rule(void)
{
	static const char *const names[] = { "title", "nope" };
	const struct rule_settings include = { .role = READER, .place = { 6, 9 }, .has_include = true, .include = names,
		                               .include_count = 2 };
	const struct rule_settings exclude = { .role = READER, .place = { 7, 9 }, .exclude = names, .exclude_count = 2 };
	char room[512];

	CHECK(compile_one(&include, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "g.yaml:6:9:") != NULL && strstr(room, "nope") != NULL && strstr(room, "title") == NULL);
	CHECK(compile_one(&exclude, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "g.yaml:7:9:") != NULL && strstr(room, "nope") != NULL);
	CHECK(compile_one(NULL, &include, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(compile_one(&include, NULL, NULL, room, sizeof room).kind == ERR_CONFIG);
}

/* A deny rule with a condition would deny less than it seems to. */
static void
test_deny_takes_no_condition(void)
{
	const struct rule_settings where = { .role = READER, .place = { 8, 9 }, .where = "published eq true" };
	const struct rule_settings exclude = { .role = READER, .place = { 9, 9 }, .exclude = hide_price,
		                               .exclude_count = 1 };
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
	const struct rule_settings rule = { .role = READER, .has_include = true, .include = names, .include_count = 2,
		                            .where = "missing eq 1" };
	char room[1024];

	CHECK(compile_one(&rule, NULL, &books, room, sizeof room).kind == ERR_CONFIG);
	CHECK(strstr(room, "nope") != NULL && strstr(room, "neither") != NULL && strstr(room, "missing") != NULL);
}

static void
test_resources_are_found_by_exact_name(void)
{
	struct rules r;

	rules_open(&r);
	CHECK(policy_resource(r.policy, BYTES("books")) == 0 && policy_resource(r.policy, BYTES("archive")) == 1 &&
	      policy_resource(r.policy, BYTES("authors")) == 2);
	CHECK(policy_resource(r.policy, BYTES("book")) == -1 && policy_resource(r.policy, BYTES("bookss")) == -1 &&
	      policy_resource(r.policy, BYTES("")) == -1 && policy_resource(r.policy, BYTES("zzz")) == -1 &&
	      policy_resource(r.policy, BYTES("books\0")) == -1);
	CHECK(policy_table(r.policy, 0) == &books && policy_generation(r.policy) == 7 &&
	      policy_settings(r.policy) == &test_settings);
	CHECK(strcmp(action_name(ACTION_EXECUTE), "execute") == 0);
	rules_close(&r);
}

TESTS(TEST(test_bad_condition_is_placed_inside_its_text), TEST(test_unknown_columns_are_named_with_their_rule),
      TEST(test_deny_takes_no_condition), TEST(test_role_that_does_not_exist_is_an_error),
      TEST(test_every_error_comes_at_once), TEST(test_resources_are_found_by_exact_name))
