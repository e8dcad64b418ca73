/* What a review says somebody reaches is what policy decides, for every set of roles. */
#include "policy/review.h"

#include "unit/policy/rules.h"
#include "test.h"

/* The reach of one set of roles on one resource, all its roles together. */
struct reached {
	unsigned resource, actions, some_rows, some_columns, all_rows, all_columns;
	uint64_t through;
};

static void
take(void *of, const struct reach *r)
{
	struct reached *to = of;

	CHECK(r->actions != 0 && (r->some_rows & ~r->actions) == 0 &&
	      (r->some_columns & ~r->actions) == 0);
	if (r->resource != to->resource)
		return;
	to->actions |= r->actions;
	to->some_rows |= r->some_rows;
	to->some_columns |= r->some_columns;
	to->all_rows |= r->actions & ~r->some_rows;
	to->all_columns |= r->actions & ~r->some_columns;
	to->through |= ROLE(r->role);
}

static struct reached
reach_of(uint64_t roles, unsigned resource)
{
	struct reached r = { .resource = resource };

	policy_review(&test_settings, roles, take, &r);
	return r;
}

static const struct grant *
decide(struct rules *r, const struct principal *who, unsigned resource, enum action action)
{
	const struct grant *grant = NULL;
	struct decision decision;

	(void)policy_decide(r->policy, who, bytes_text(test_resources[resource].name), action, NULL,
	                    &r->arena, &grant, &decision);
	return grant;
}

/* Marks: a view without a condition, and one with every column, are there or not. */
static void
compare(const struct grant *grant, const struct reached *reached, unsigned bit)
{
	bool all_rows = false, all_columns = false;
	struct column_set whole = { { 0 } };

	column_set_add_all(&whole, grant->table);
	for (size_t i = 0; i < grant->view_count; i++) {
		all_rows |= grant->views[i].where == NULL;
		all_columns |= column_set_covers(&grant->views[i].columns, &whole);
	}
	CHECK(all_rows == ((reached->all_rows & bit) != 0));
	if (grant->action <= ACTION_UPDATE)
		CHECK(all_columns == ((reached->all_columns & bit) != 0));
}

static void
test_a_review_says_what_policy_decides_for_every_set_of_roles(void)
{
	unsigned allowed = 0;
	struct rules r;

	rules_open(&r);
	for (uint64_t roles = 0; roles < ROLE(ROLE_COUNT); roles++) {
		const struct principal *who = who_is(roles, "{}");

		for (unsigned resource = 0; resource < ARRAY_LEN(test_resources); resource++) {
			struct reached reached = reach_of(roles, resource);

			CHECK((reached.through & ~roles) == 0);
			for (enum action a = ACTION_READ; a < ACTION_COUNT; a++) {
				const struct grant *grant = decide(&r, who, resource, a);

				CHECK((grant != NULL) == ((reached.actions >> a & 1) != 0));
				if (grant == NULL)
					continue;
				compare(grant, &reached, 1u << a);
				allowed++;
			}
		}
		principal_release(who);
	}
	CHECK(allowed > 100);
	rules_close(&r);
}

static void
test_limits_are_marked(void)
{
	struct reached reader = reach_of(ROLE(READER), 0), admin = reach_of(ROLE(ADMIN), 0),
		       intern = reach_of(ROLE(ADMIN) | ROLE(INTERN), 0);

	CHECK((reader.some_rows & 1u << ACTION_READ) != 0 &&
	      (reader.some_columns & 1u << ACTION_READ) != 0);
	CHECK(admin.some_rows == 0 && admin.some_columns == 0 && admin.through == ROLE(ADMIN));
	/* The deny rule of one role takes from what another gives. */
	CHECK((intern.some_columns & 1u << ACTION_READ) != 0 &&
	      (intern.actions & 1u << ACTION_DELETE) == 0);
	CHECK(reach_of(ROLE(READER), 1).actions == 0);
}

/* A rule that names columns, all of which are denied, gives nothing. */
static void
test_a_rule_emptied_of_its_columns_gives_nothing(void)
{
	static const struct rule_settings allow[] = { { .role = CLERK,
		                                        .action = ACTION_READ,
		                                        .has_include = true,
		                                        .include = hide_price,
		                                        .include_count = 1 } };
	static const struct resource_settings resource = { .name = "books",
		                                           .table = "books",
		                                           .allow = allow,
		                                           .allow_count = 1,
		                                           .deny = books_deny,
		                                           .deny_count = ARRAY_LEN(books_deny) };
	const struct settings s = { .roles = test_roles,
		                    .role_count = ROLE_COUNT,
		                    .resources = &resource,
		                    .resource_count = 1 };
	struct reached r = { 0 };

	policy_review(&s, ROLE(CLERK), take, &r);
	CHECK(r.actions == 1u << ACTION_READ);
	r = (struct reached){ 0 };
	policy_review(&s, ROLE(CLERK) | ROLE(INTERN), take, &r);
	CHECK(r.actions == 0);
}

/* Against policy itself: each role and method of a route, for every set of roles. */
static void
test_a_route_is_reached_by_the_methods_that_policy_allows(void)
{
	static const struct route_rule allow[] = { { .role = READER, .methods = 3 },
		                                   { .role = ADMIN, .methods = ROUTE_METHODS_ALL },
		                                   { .role = INTERN, .methods = 5 } };
	static const struct route_rule deny[] = { { .role = INTERN, .methods = 1 << 5 } };
	static const struct route_settings routes[] = {
		{ .path = "/a", .allow = allow, .allow_count = 3, .deny = deny, .deny_count = 1 },
	};
	struct settings s = test_settings;
	struct rules r;

	s.resource_count = 0;
	s.routes = routes;
	s.route_count = 1;
	CHECK(!failed(rules_compile(&r, &s)));
	for (uint64_t roles = 0; roles < 1u << ROLE_COUNT; roles++) {
		struct reached reached = { 0 };
		const struct principal *who = who_is(roles, "{}");
		unsigned allowed = 0;

		policy_review(&s, roles, take, &reached);
		for (unsigned m = 0; m < ROUTE_METHOD_COUNT; m++) {
			struct arena arena = { 0 };
			const struct grant *grant = NULL;
			struct decision d;
			if (!failed(policy_decide_route(r.policy, who, 0, m, &arena, &grant, &d)))
				allowed |= 1u << m;
			arena_done(&arena);
		}
		CHECK(reached.actions == allowed && (reached.through & ~roles) == 0);
		principal_release(who);
	}
	rules_close(&r);
}

TESTS(TEST(test_a_route_is_reached_by_the_methods_that_policy_allows),
      TEST(test_a_review_says_what_policy_decides_for_every_set_of_roles),
      TEST(test_limits_are_marked), TEST(test_a_rule_emptied_of_its_columns_gives_nothing))
