/* rules.h - a small configuration written as C, for the tests of policy and of statements. */
#ifndef TEST_POLICY_RULES_H
#define TEST_POLICY_RULES_H

#include "base/macros.h"
#include "identity/issuers.h"
#include "policy/policy.h"
#include "test.h"
#include "unit/query/books.h"

enum role { READER, CLERK, OWNER_ROLE, INTERN, ADMIN, GUEST, ROLE_COUNT };

#define ROLE(role) (UINT64_C(1) << (role))

static const struct role_settings test_roles[] = {
	[READER] = { .name = "reader" },    [CLERK] = { .name = "clerk" },
	[OWNER_ROLE] = { .name = "owner" }, [INTERN] = { .name = "intern" },
	[ADMIN] = { .name = "admin" },      [GUEST] = { .name = "guest" },
};

static const char *const hide_price[] = { "price" };
static const char *const only_names[] = { "id", "title" };
static const char *const owner_sees[] = { "id", "price", "owner" };
static const char *const only_title[] = { "title" };

static const struct rule_settings books_allow[] = {
	{ .role = READER,
	  .action = ACTION_READ,
	  .place = { 10, 5 },
	  .exclude = hide_price,
	  .exclude_count = 1,
	  .where = "published eq true",
	  .where_place = { 10, 40 } },
	{ .role = CLERK,
	  .action = ACTION_READ,
	  .place = { 11, 5 },
	  .has_include = true,
	  .include = only_names,
	  .include_count = 2 },
	{ .role = OWNER_ROLE,
	  .action = ACTION_READ,
	  .place = { 12, 5 },
	  .has_include = true,
	  .include = owner_sees,
	  .include_count = 3,
	  .where = "owner eq @claims.sub" },
	{ .role = OWNER_ROLE,
	  .action = ACTION_CREATE,
	  .place = { 13, 5 },
	  .where = "owner eq @claims.sub" },
	{ .role = OWNER_ROLE,
	  .action = ACTION_UPDATE,
	  .place = { 14, 5 },
	  .where = "owner eq @claims.sub" },
	{ .role = OWNER_ROLE,
	  .action = ACTION_DELETE,
	  .place = { 15, 5 },
	  .where = "owner eq @claims.sub" },
	{ .role = ADMIN, .action = ACTION_READ, .place = { 16, 5 } },
	{ .role = ADMIN, .action = ACTION_CREATE, .place = { 16, 5 } },
	{ .role = ADMIN, .action = ACTION_UPDATE, .place = { 16, 5 } },
	{ .role = ADMIN, .action = ACTION_DELETE, .place = { 16, 5 } },
	{ .role = CLERK,
	  .action = ACTION_UPDATE,
	  .place = { 17, 5 },
	  .has_include = true,
	  .include = only_title,
	  .include_count = 1 },
	{ .role = READER, .action = ACTION_EXECUTE, .place = { 18, 5 } },
};
static const struct rule_settings books_deny[] = {
	{ .role = INTERN, .action = ACTION_DELETE, .place = { 20, 5 } },
	{ .role = INTERN,
	  .action = ACTION_READ,
	  .place = { 21, 5 },
	  .has_include = true,
	  .include = hide_price,
	  .include_count = 1 },
	{ .role = GUEST, .action = ACTION_READ, .place = { 22, 5 } },
};
static const struct resource_settings test_resources[] = {
	{ .name = "books",
	  .table = "books",
	  .allow = books_allow,
	  .allow_count = ARRAY_LEN(books_allow),
	  .deny = books_deny,
	  .deny_count = ARRAY_LEN(books_deny) },
	{ .name = "archive", .table = "books" },
	{ .name = "authors", .table = "books", .allow = books_allow, .allow_count = 1 },
};
static const struct settings test_settings = { .file = "gatewarden.yaml",
	                                       .roles = test_roles,
	                                       .role_count = ROLE_COUNT,
	                                       .resources = test_resources,
	                                       .resource_count = ARRAY_LEN(test_resources) };

struct rules {
	struct arena arena;
	struct config_errors errors;
	const struct policy *policy;
};

static inline struct err
rules_compile(struct rules *r, const struct settings *settings)
{
	static const struct table *const tables[] = { &books, &books, &books };

	*r = (struct rules){ 0 };
	return policy_compile(settings, tables, 7, &r->arena, &r->policy, &r->errors);
}

static inline void
rules_open(struct rules *r)
{
	struct err e = rules_compile(r, &test_settings);

	if (failed(e)) {
		printf("# %s\n", e.why);
		abort();
	}
}

static inline void
rules_close(struct rules *r)
{
	config_errors_done(&r->errors);
	arena_done(&r->arena);
}

static inline const struct principal *
who_is(uint64_t roles, const char *claims)
{
	const struct principal *who = NULL;

	if (failed(principal_for_explain(roles, bytes_text(claims), &who)))
		abort();
	return who;
}

#endif
