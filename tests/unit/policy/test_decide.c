/* Who may do what: each way to a yes and each way to a no, with the rule that is named for it. */
#include "policy/policy.h"

#include "identity/principal_make.h"
#include "unit/policy/rules.h"
#include "test.h"

struct outcome {
	struct err error;
	const struct grant *grant;
	struct decision decision;
};

static struct outcome
ask_as(struct rules *r, const struct principal *who, const char *resource, enum action action,
       const struct column_set *needed)
{
	struct outcome a = { 0 };

	a.error = policy_decide(r->policy, who, bytes_text(resource), action, needed, &r->arena,
	                        &a.grant, &a.decision);
	CHECK(failed(a.error) == (a.grant == NULL));
	CHECK(a.decision.rule.len != 0 && a.decision.why != NULL);
	return a;
}

/* The principal lives as long as the process: the test does not look at its claims. */
static struct outcome
ask(struct rules *r, uint64_t roles, enum action action, const struct column_set *needed)
{
	const struct principal *who = who_is(roles, "{}");
	struct outcome a = ask_as(r, who, "books", action, needed);

	principal_release(who);
	return a;
}

static struct column_set
columns(unsigned a, unsigned b)
{
	struct column_set s = { { 0 } };

	column_set_add(&s, a);
	column_set_add(&s, b);
	return s;
}

static void
test_nothing_granted_means_denied(void)
{
	struct rules r;

	rules_open(&r);
	for (enum action action = ACTION_READ; action < ACTION_COUNT; action++) {
		struct outcome a = ask(&r, 0, action, NULL);

		CHECK(a.error.kind == ERR_DENIED && bytes_is(a.decision.rule, "default deny") &&
		      a.decision.place.line == 0);
	}
	CHECK(ask(&r, ROLE(READER), ACTION_DELETE, NULL).error.kind == ERR_DENIED);
	CHECK(ask(&r, ROLE(INTERN), ACTION_READ, NULL).error.kind == ERR_DENIED);
	CHECK(ask(&r, ~(uint64_t)0 << ROLE_COUNT, ACTION_READ, NULL).error.kind == ERR_DENIED);
	rules_close(&r);
}

static void
test_unknown_and_forbidden_resources_are_told_apart_by_nobody(void)
{
	static const char *const names[] = { "archive", "no-such-thing", "",      "Books",
		                             "books ",  "books\n",       "author" };
	const struct principal *who = who_is(ROLE(READER), "{}");
	struct rules r;

	rules_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct outcome a = ask_as(&r, who, names[i], ACTION_READ, NULL);
		struct outcome forbidden = ask_as(&r, who, "archive", ACTION_READ, NULL);

		CHECK_ROW(a.error.kind == ERR_DENIED, names[i]);
		CHECK_ROW(memcmp(&a.error, &forbidden.error, sizeof a.error) == 0, names[i]);
		CHECK_ROW(bytes_is(a.decision.rule, "default deny"), names[i]);
	}
	principal_release(who);
	rules_close(&r);
}

static void
test_grant_carries_what_the_rule_says(void)
{
	const struct principal *who = who_is(ROLE(READER), "{}");
	struct rules r;

	rules_open(&r);
	struct outcome a = ask_as(&r, who, "books", ACTION_READ, NULL);
	CHECK(!failed(a.error) && a.grant->view_count == 1 && a.grant->table == &books &&
	      a.grant->resource == 0);
	CHECK(a.grant->who == who && a.grant->action == ACTION_READ);
	CHECK(!column_set_has(&a.grant->views[0].columns, PRICE) &&
	      column_set_has(&a.grant->views[0].columns, TITLE));
	CHECK(a.grant->views[0].where != NULL && strcmp(a.grant->views[0].role, "reader") == 0);
	CHECK(bytes_is(a.decision.rule, "resources.books.allow.reader.read") &&
	      a.decision.place.line == 10);
	principal_release(who);
	rules_close(&r);
}

static void
test_all_roles_hold_at_once(void)
{
	struct rules r;

	rules_open(&r);
	struct outcome a = ask(&r, ROLE(READER) | ROLE(OWNER_ROLE), ACTION_READ, NULL);
	CHECK(!failed(a.error) && a.grant->view_count == 2);
	CHECK(bytes_is(a.decision.rule,
	               "resources.books.allow.reader.read, resources.books.allow.owner.read"));
	/* A role without a condition decides alone. */
	a = ask(&r, ROLE(READER) | ROLE(CLERK) | ROLE(OWNER_ROLE), ACTION_READ, NULL);
	CHECK(!failed(a.error) && a.grant->view_count == 3);
	CHECK(bytes_is(a.decision.rule, "resources.books.allow.clerk.read"));
	rules_close(&r);
}

static void
test_deny_beats_every_allow(void)
{
	struct rules r;

	rules_open(&r);
	struct outcome a = ask(&r, ROLE(ADMIN) | ROLE(INTERN), ACTION_DELETE, NULL);
	CHECK(a.error.kind == ERR_DENIED &&
	      bytes_is(a.decision.rule, "resources.books.deny.intern.delete"));
	CHECK(a.decision.place.line == 20);
	a = ask(&r, ROLE(ADMIN) | ROLE(GUEST) | ROLE(READER), ACTION_READ, NULL);
	CHECK(a.error.kind == ERR_DENIED &&
	      bytes_is(a.decision.rule, "resources.books.deny.guest.read"));
	/* It denies its own action only. */
	CHECK(!failed(ask(&r, ROLE(ADMIN) | ROLE(INTERN), ACTION_UPDATE, NULL).error));
	rules_close(&r);
}

static void
test_denied_columns_leave_every_view(void)
{
	struct column_set price = columns(ID, PRICE), title = columns(ID, TITLE);
	struct rules r;

	rules_open(&r);
	struct outcome a =
		ask(&r, ROLE(ADMIN) | ROLE(OWNER_ROLE) | ROLE(INTERN), ACTION_READ, NULL);
	CHECK(!failed(a.error) && a.grant->view_count == 2);
	for (size_t i = 0; i < a.grant->view_count; i++)
		CHECK(!column_set_has(&a.grant->views[i].columns, PRICE) &&
		      column_set_has(&a.grant->views[i].columns, ID));
	a = ask(&r, ROLE(ADMIN) | ROLE(INTERN), ACTION_READ, &price);
	CHECK(a.error.kind == ERR_DENIED &&
	      bytes_is(a.decision.rule, "resources.books.deny.intern.read"));
	CHECK(!failed(ask(&r, ROLE(ADMIN) | ROLE(INTERN), ACTION_READ, &title).error));
	CHECK(!failed(ask(&r, ROLE(ADMIN), ACTION_READ, &price).error));
	rules_close(&r);
}

/* Case 80: filter, order and select on a column that may not be read are one and the same 403. */
static void
test_case_80_hidden_column_is_the_same_denial_as_a_hidden_resource(void)
{
	struct column_set price = columns(PRICE, PRICE), both = columns(TITLE, PRICE),
			  beyond = columns(TITLE, 200);
	const struct principal *who = who_is(ROLE(READER), "{}");
	struct rules r;

	rules_open(&r);
	struct outcome hidden = ask_as(&r, who, "books", ACTION_READ, &price);
	struct outcome mixed = ask_as(&r, who, "books", ACTION_READ, &both);
	struct outcome no_column = ask_as(&r, who, "books", ACTION_READ, &beyond);
	struct outcome no_resource = ask_as(&r, who, "no-such-thing", ACTION_READ, &price);
	CHECK(hidden.error.kind == ERR_DENIED);
	CHECK(memcmp(&hidden.error, &mixed.error, sizeof mixed.error) == 0);
	CHECK(memcmp(&hidden.error, &no_column.error, sizeof mixed.error) == 0);
	CHECK(memcmp(&hidden.error, &no_resource.error, sizeof mixed.error) == 0);
	/* The record, not the caller, learns which rule fell short. */
	CHECK(bytes_is(hidden.decision.rule, "resources.books.allow.reader.read"));
	principal_release(who);
	rules_close(&r);
}

static void
test_views_that_lack_a_needed_column_do_not_count(void)
{
	struct column_set price = columns(ID, PRICE), apart = columns(TITLE, PRICE);
	struct rules r;

	rules_open(&r);
	struct outcome a = ask(&r, ROLE(CLERK) | ROLE(OWNER_ROLE), ACTION_READ, &price);
	CHECK(!failed(a.error) && a.grant->view_count == 1 &&
	      strcmp(a.grant->views[0].role, "owner") == 0);
	CHECK(bytes_is(a.decision.rule, "resources.books.allow.owner.read"));
	/* No single role has both: two halves do not make a whole. */
	CHECK(ask(&r, ROLE(CLERK) | ROLE(OWNER_ROLE), ACTION_READ, &apart).error.kind ==
	      ERR_DENIED);
	rules_close(&r);
}

/* Case 78: roles come from the principal; nothing in a request can add one. */
static void
test_case_78_only_roles_of_the_token_count(void)
{
	const struct principal *who = who_is(
		ROLE(READER), "{\"role\":\"admin\",\"roles\":[\"admin\"],\"scope\":\"admin\"}");
	struct rules r;

	rules_open(&r);
	CHECK(ask_as(&r, who, "books", ACTION_DELETE, NULL).error.kind == ERR_DENIED);
	CHECK(ask_as(&r, who, "books", ACTION_UPDATE, NULL).error.kind == ERR_DENIED);
	principal_release(who);
	rules_close(&r);
}

/* More roles never mean less, unless a deny rule says so; a deny role never gives anything. */
static void
test_roles_only_add_and_denies_only_take(void)
{
	struct rules r;

	rules_open(&r);
	for (uint64_t roles = 0; roles < ROLE(ROLE_COUNT); roles++)
		for (enum action action = ACTION_READ; action < ACTION_COUNT; action++) {
			bool may = !failed(ask(&r, roles, action, NULL).error);

			for (unsigned role = 0; role < ROLE_COUNT; role++) {
				bool more =
					!failed(ask(&r, roles | ROLE(role), action, NULL).error);
				CHECK(role == INTERN || role == GUEST ? may || !more
				                                      : more || !may);
			}
		}
	rules_close(&r);
}

/* A token of our own, narrowed. */
static const struct principal *
who_for(uint64_t roles, const char *claims)
{
	struct principal_parts parts = {
		.issuer = "local", .is_local = true, .subject = BYTES("x"), .roles = roles
	};
	struct arena arena = { 0 };
	const struct principal *who = NULL;

	if (failed(json_parse(bytes_text(claims), &arena, &parts.claims, NULL)) ||
	    failed(principal_new(&parts, &who)))
		abort();
	arena_done(&arena);
	return who;
}

/* Token exchange narrows a token to one resource: it reaches that one, and no more than before. */
static void
test_a_narrowed_token_reaches_its_resource_only(void)
{
	const struct principal *books_only =
		who_for(ROLE(READER) | ROLE(ADMIN), "{\"resource\":\"books\"}");
	const struct principal *elsewhere =
		who_for(ROLE(READER) | ROLE(ADMIN), "{\"resource\":\"no-such-thing\"}");
	/* The claim means nothing in a token of somebody else. */
	const struct principal *foreign = who_is(ROLE(READER), "{\"resource\":\"authors\"}");
	const struct principal *weak = who_for(ROLE(READER), "{\"resource\":\"books\"}");
	struct rules r;

	rules_open(&r);
	CHECK(!failed(ask_as(&r, books_only, "books", ACTION_READ, NULL).error));

	struct outcome a = ask_as(&r, books_only, "authors", ACTION_READ, NULL),
		       unknown = ask_as(&r, books_only, "nothing", ACTION_READ, NULL);

	CHECK(a.error.kind == ERR_DENIED && bytes_is(a.decision.rule, "token.resource"));
	CHECK(strcmp(a.decision.why, "the token is narrowed to another resource") == 0);
	CHECK(memcmp(&a.error, &unknown.error, sizeof a.error) == 0);
	for (enum action action = ACTION_READ; action < ACTION_COUNT; action++)
		CHECK(bytes_is(ask_as(&r, elsewhere, "books", action, NULL).decision.rule,
		               "token.resource"));
	CHECK(bytes_is(ask_as(&r, weak, "books", ACTION_DELETE, NULL).decision.rule,
	               "default deny"));
	CHECK(!failed(ask_as(&r, foreign, "books", ACTION_READ, NULL).error));
	principal_release(foreign);
	principal_release(weak);
	principal_release(elsewhere);
	principal_release(books_only);
	rules_close(&r);
}

static void
test_full_arena_grants_nothing(void)
{
	const struct principal *who = who_is(ROLE(READER) | ROLE(OWNER_ROLE), "{}");
	struct arena small = { .limit = 1 };
	const struct grant *grant = NULL;
	struct decision decision;
	struct rules r;

	rules_open(&r);
	CHECK(policy_decide(r.policy, who, BYTES("books"), ACTION_READ, NULL, &small, &grant,
	                    &decision)
	              .kind == ERR_LIMIT);
	CHECK(grant == NULL);
	principal_release(who);
	arena_done(&small);
	rules_close(&r);
}

TESTS(TEST(test_nothing_granted_means_denied),
      TEST(test_unknown_and_forbidden_resources_are_told_apart_by_nobody),
      TEST(test_grant_carries_what_the_rule_says), TEST(test_all_roles_hold_at_once),
      TEST(test_deny_beats_every_allow), TEST(test_denied_columns_leave_every_view),
      TEST(test_case_80_hidden_column_is_the_same_denial_as_a_hidden_resource),
      TEST(test_views_that_lack_a_needed_column_do_not_count),
      TEST(test_case_78_only_roles_of_the_token_count),
      TEST(test_roles_only_add_and_denies_only_take), TEST(test_full_arena_grants_nothing),
      TEST(test_a_narrowed_token_reaches_its_resource_only))
