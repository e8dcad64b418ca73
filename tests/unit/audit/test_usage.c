/* What a review learns from records: who came, with which roles, by which rules. */
#include "audit/usage.h"

#include "base/macros.h"
#include "log.h"

static const struct issuer_settings issuers[] = { { .name = "local", .type = ISSUER_LOCAL },
	                                          { .name = "corp", .type = ISSUER_OIDC } };
static const struct role_settings roles[] = { { .name = "reader" }, { .name = "writer" } };
static const struct rule_settings allow[] = { { .role = 0, .action = ACTION_READ },
	                                      { .role = 1, .action = ACTION_READ },
	                                      { .role = 1, .action = ACTION_DELETE } };
static const struct resource_settings resources[] = {
	{ .name = "books", .allow = allow, .allow_count = ARRAY_LEN(allow) },
	{ .name = "authors.all", .allow = allow, .allow_count = 1 },
};
static const struct route_rule methods[] = { { .role = 0, .methods = 3 },
	                                     { .role = 1, .methods = 4 } };
static const struct route_settings routes[] = {
	{ .path = "/app/x", .allow = methods, .allow_count = ARRAY_LEN(methods) },
};
static const struct settings settings = { .issuers = issuers,
	                                  .issuer_count = ARRAY_LEN(issuers),
	                                  .roles = roles,
	                                  .role_count = ARRAY_LEN(roles),
	                                  .resources = resources,
	                                  .resource_count = ARRAY_LEN(resources),
	                                  .routes = routes,
	                                  .route_count = ARRAY_LEN(routes) };

enum { FROM_MS = 1000000 };

/* The record as the ledger writes it, then read again: both sides are the real ones. */
static void
take(struct usage *u, const struct audit_record *r, int64_t ms)
{
	struct buf line = { 0 };
	struct arena arena = { 0 };
	const struct json *record = NULL;

	audit_record_put_json(&line, r, 1, ms * 1000, 0);
	buf_put_u8(&line, '}');
	CHECK(!failed(json_parse(buf_bytes(&line), &arena, &record, NULL)));
	usage_take(u, record);
	arena_done(&arena);
	buf_done(&line);
}

static struct usage *
usage_open(void)
{
	struct usage *u = NULL;

	if (failed(usage_new(&settings, FROM_MS, &u)))
		abort();
	return u;
}

static struct audit_record
record_of(const char *subject, const char *role)
{
	static struct bytes held;
	struct audit_record r = log_record();

	held = bytes_text(role);
	r.subject = bytes_text(subject);
	r.name = (struct bytes){ 0 };
	r.roles = &held;
	r.role_count = held.len > 0;
	return r;
}

static const struct usage_principal *
find(const struct usage *u, const char *subject)
{
	return usage_find(u, BYTES("corp"), bytes_text(subject));
}

static void
test_a_principal_is_known_by_issuer_and_subject_with_its_roles(void)
{
	struct usage *u = usage_open();
	struct audit_record r = record_of("ada", "reader");

	take(u, &r, FROM_MS - 10);
	CHECK(find(u, "ada") != NULL && find(u, "ada")->roles == 1 &&
	      find(u, "ada")->last_ms == FROM_MS - 10);
	/* Before the window the last ones count; inside it all. */
	r = record_of("ada", "writer");
	take(u, &r, FROM_MS - 5);
	CHECK(find(u, "ada")->roles == 2);
	r = record_of("ada", "");
	take(u, &r, FROM_MS - 4);
	CHECK(find(u, "ada")->roles == 0);
	r = record_of("ada", "reader");
	take(u, &r, FROM_MS + 1);
	r = record_of("ada", "writer");
	take(u, &r, FROM_MS + 2);
	r = record_of("ada", "of another configuration");
	take(u, &r, FROM_MS + 3);
	CHECK(find(u, "ada")->roles == 3 && find(u, "ada")->last_ms == FROM_MS + 3);
	CHECK(usage_role_ms(u, 1, 0) == FROM_MS + 1 && usage_role_ms(u, 0, 0) == 0);
	r = record_of("ada", "reader");
	r.issuer = BYTES("local");
	take(u, &r, FROM_MS + 4);
	CHECK(usage_count(u) == 2 && find(u, "ada")->last_ms == FROM_MS + 3);
	usage_free(u);
}

/* A guessed name is not a visit. */
static void
test_who_did_not_prove_to_be_somebody_was_not_there(void)
{
	struct usage *u = usage_open();
	struct audit_record r = record_of("ada", "reader");

	r.class = AUDIT_AUTHENTICATION;
	r.outcome = AUDIT_DENIED;
	take(u, &r, FROM_MS);
	r = record_of("ada", "reader");
	r.outcome = AUDIT_DENIED;
	r.status = 401;
	take(u, &r, FROM_MS);
	r = record_of("ada", "reader");
	r.class = AUDIT_ACCOUNT;
	r.agent = BYTES("uid 0");
	take(u, &r, FROM_MS);
	r = record_of("", "");
	take(u, &r, FROM_MS);
	r = record_of("ada", "reader");
	r.class = AUDIT_API;
	r.status = 0; /* not a request: a key was rotated */
	take(u, &r, FROM_MS);
	r = record_of("ada", "reader");
	r.issuer = (struct bytes){ 0 };
	take(u, &r, FROM_MS);
	CHECK(usage_count(u) == 0 && usage_totals(u).records == 6 && usage_totals(u).left_out == 0);
	/* Denied by policy is proven all the same; so is a login that succeeded, which has no
	 * roles. */
	r = record_of("ada", "reader");
	r.outcome = AUDIT_DENIED;
	r.status = 403;
	take(u, &r, FROM_MS);
	r = record_of("bob", "writer");
	r.class = AUDIT_AUTHENTICATION;
	take(u, &r, FROM_MS);
	CHECK(usage_count(u) == 2 && find(u, "ada")->roles == 1 && find(u, "bob")->roles == 0 &&
	      find(u, "bob")->last_ms == FROM_MS);
	usage_free(u);
}

static void
test_rules_that_let_somebody_through_are_used(void)
{
	struct usage *u = usage_open();
	struct audit_record r = record_of("ada", "reader");

	r.rule = BYTES("resources.books.allow.reader.read");
	take(u, &r, 5);
	CHECK(usage_rule_ms(u, 0, 0) == 5 && usage_rule_ms(u, 0, 1) == 0);
	r.rule = BYTES("resources.books.allow.reader.read, resources.books.allow.writer.read");
	take(u, &r, 7);
	CHECK(usage_rule_ms(u, 0, 0) == 7 && usage_rule_ms(u, 0, 1) == 7 &&
	      usage_rule_ms(u, 0, 2) == 0);
	r.rule = BYTES("resources.authors.all.allow.reader.read");
	take(u, &r, 8);
	CHECK(usage_rule_ms(u, 1, 0) == 8);
	/* A denial names the rule that fell short. */
	r.rule = BYTES("resources.books.allow.writer.delete");
	r.outcome = AUDIT_DENIED;
	take(u, &r, 9);
	r.outcome = AUDIT_ALLOWED;
	r.rule = BYTES("resources.gone.allow.writer.delete");
	take(u, &r, 9);
	CHECK(usage_rule_ms(u, 0, 2) == 0);
	r.rule = BYTES("resources.books.allow.writer.delete");
	r.outcome = AUDIT_FAILED; /* it was let through, and then the data failed */
	take(u, &r, 10);
	CHECK(usage_rule_ms(u, 0, 2) == 10);
	CHECK(usage_totals(u).first_ms == 5 && usage_totals(u).last_ms == 10);
	usage_free(u);
}

static void
test_an_agent_was_there_too(void)
{
	struct usage *u = usage_open();
	struct audit_record r = record_of("ada", "reader");

	r.agent = BYTES("bot");
	take(u, &r, FROM_MS);
	CHECK(usage_count(u) == 2 && find(u, "bot") != NULL && find(u, "bot")->last_ms == FROM_MS &&
	      find(u, "bot")->roles == 0);
	usage_free(u);
}

static void
test_what_does_not_fit_is_counted_and_accounts_keep_their_place(void)
{
	struct usage *u = usage_open();
	char subject[32];

	CHECK(usage_expect(u, BYTES("corp"), BYTES("late")));
	for (unsigned i = 0; i + 1 < USAGE_PRINCIPALS_MAX; i++) {
		snprintf(subject, sizeof subject, "u%u", i);
		CHECK(usage_expect(u, BYTES("corp"), bytes_text(subject)));
	}
	CHECK(!usage_expect(u, BYTES("corp"), BYTES("too many")));
	CHECK(usage_expect(u, BYTES("corp"), BYTES("u7"))); /* is there already */

	struct audit_record r = record_of("too many", "reader");

	r.rule = BYTES("resources.books.allow.reader.read");
	take(u, &r, FROM_MS);
	CHECK(usage_totals(u).left_out == 1 && find(u, "too many") == NULL);
	CHECK(usage_rule_ms(u, 0, 0) == FROM_MS); /* rules are known whoever used them */
	r = record_of("late", "reader");
	take(u, &r, FROM_MS);
	CHECK(usage_totals(u).left_out == 1 && find(u, "late")->last_ms == FROM_MS);
	CHECK(find(u, "u99998") != NULL && find(u, "u99998")->last_ms == 0);
	usage_free(u);
}

static void
test_rules_of_routes_are_used_by_method(void)
{
	struct usage *u = usage_open();
	struct audit_record r = record_of("ada", "reader");

	r.class = AUDIT_API;
	r.resource = BYTES("/app/x");
	r.rule = BYTES("routes./app/x.allow.reader.GET");
	take(u, &r, FROM_MS + 5);
	r.rule = BYTES("routes./app/x.public");
	take(u, &r, FROM_MS + 6);
	r.rule = BYTES("routes./app/y.allow.reader.GET");
	take(u, &r, FROM_MS + 7);
	CHECK(usage_route_rule_ms(u, 0, 0, 0) == FROM_MS + 5);
	CHECK(usage_route_rule_ms(u, 0, 0, 1) == 0 && usage_route_rule_ms(u, 0, 1, 2) == 0);
	CHECK(usage_rule_ms(u, 0, 0) == 0);
	usage_free(u);
}

TESTS(TEST(test_rules_of_routes_are_used_by_method),
      TEST(test_a_principal_is_known_by_issuer_and_subject_with_its_roles),
      TEST(test_who_did_not_prove_to_be_somebody_was_not_there),
      TEST(test_rules_that_let_somebody_through_are_used), TEST(test_an_agent_was_there_too),
      TEST(test_what_does_not_fit_is_counted_and_accounts_keep_their_place))
