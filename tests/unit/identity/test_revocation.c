/* test_revocation.c - what was revoked is refused, remembered or not, and nothing else is. */
#include "gate.h"

#include <time.h>

#include "identity/revocation.h"

static void
revocations_drop(struct revocations **s)
{
	revocations_free(*s);
}

static struct revocation
revocation(enum revocation_kind kind, const char *value, int64_t before)
{
	return (struct revocation){ .kind = kind,
		                    .issuer = BYTES("idp"),
		                    .value = bytes_text(value),
		                    .before = before,
		                    .until_s = NOW + 900 };
}

#define NAMED ",\"jti\":\"t1\",\"sid\":\"s1\",\"gen\":3,\"iat\":1759999000"

/* A token with these claims, accepted once; then one thing is revoked. */
static bool
survives(enum issuer_type type, const char *claims, struct revocation r, int64_t now_s)
{
	struct gate g CLEANUP(gate_done) = { 0 };
	struct buf token CLEANUP(buf_done) = { 0 };
	bool accepted;

	gate_settings(&g);
	g.issuers[0].type = type;
	gate_start(&g);
	put_unsigned_token(&token, HEADER, claims);
	sign_es256(&token, g.es256_raw, false);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false));
	issuers_revoke(g.list, &r, NOW);
	accepted = gate_identify(&g, buf_bytes(&token), now_s, false);
	CHECK(issuers_stats(g.list).hits == 1);
	CHECK(accepted || bytes_is(g.found.subject, "u"));
	CHECK(accepted || (g.report.failed == JWT_REVOKED && g.error.kind == ERR_IDENTITY &&
	                   g.error.code == JWT_REVOKED));
	/* The same for one that is not remembered. */
	CHECK(gate_identify(&g, buf_bytes(&token), now_s, true) == accepted);
	CHECK(g.report.findings[JWT_REVOKED].done &&
	      g.report.findings[JWT_REVOKED].passed == accepted);
	return accepted;
}

static void
test_each_kind_of_revocation_reaches_its_tokens(void)
{
	static const struct {
		enum issuer_type type;
		enum revocation_kind kind;
		const char *value;
		int64_t before;
		bool survives;
	} rows[] = {
		{ ISSUER_OIDC, REVOKED_TOKEN, "t1", 0, false },
		{ ISSUER_OIDC, REVOKED_TOKEN, "t2", 0, true },
		{ ISSUER_OIDC, REVOKED_TOKEN, "s1", 0, true },
		{ ISSUER_OIDC, REVOKED_SESSION, "s1", 0, false },
		{ ISSUER_OIDC, REVOKED_SESSION, "t1", 0, true },
		{ ISSUER_OIDC, REVOKED_SUBJECT, "u", 1759999001, false },
		{ ISSUER_OIDC, REVOKED_SUBJECT, "u", 1759999000, true }, /* issued in it: later */
		{ ISSUER_OIDC, REVOKED_SUBJECT, "v", 1759999001, true },
		{ ISSUER_LOCAL, REVOKED_SUBJECT, "u", 4, false },
		{ ISSUER_LOCAL, REVOKED_SUBJECT, "u", 3, true },
		{ ISSUER_LOCAL, REVOKED_TOKEN, "t1", 0, false },
		{ ISSUER_OIDC, REVOKED_COOKIE, "t1", 0, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(survives(rows[i].type, CLAIMS(NAMED),
		                   revocation(rows[i].kind, rows[i].value, rows[i].before),
		                   NOW) == rows[i].survives,
		          rows[i].value);
}

static void
test_token_that_names_no_time_is_older_than_any_revocation(void)
{
	CHECK(!survives(ISSUER_OIDC, CLAIMS(""), revocation(REVOKED_SUBJECT, "u", 1), NOW));
	CHECK(!survives(ISSUER_LOCAL, CLAIMS(",\"iat\":1759999000"),
	                revocation(REVOKED_SUBJECT, "u", 1), NOW));
	CHECK(!survives(ISSUER_LOCAL, CLAIMS(",\"gen\":\"9\""), revocation(REVOKED_SUBJECT, "u", 4),
	                NOW));
}

static void
test_revocation_is_of_one_issuer_and_ends(void)
{
	struct revocation other = revocation(REVOKED_TOKEN, "t1", 0);
	struct revocation past = revocation(REVOKED_TOKEN, "t1", 0);

	other.issuer = BYTES("other");
	CHECK(survives(ISSUER_OIDC, CLAIMS(NAMED), other, NOW));
	CHECK(!survives(ISSUER_OIDC, CLAIMS(NAMED), past, NOW + 899));
	past.until_s = NOW + 100;
	CHECK(!survives(ISSUER_OIDC, CLAIMS(NAMED), past, NOW + 99));
	CHECK(survives(ISSUER_OIDC, CLAIMS(NAMED), past, NOW + 100));
	past.until_s = NOW;
	CHECK(survives(ISSUER_OIDC, CLAIMS(NAMED), past, NOW));
}

/* The set alone */

static bool
has_token(const struct revocations *s, const char *jti, int64_t now_s)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	const struct json *claims;
	char text[128];

	snprintf(text, sizeof text, "{\"jti\":\"%s\",\"iat\":%d}", jti, NOW - 1);
	CHECK(!failed(json_parse(bytes_text(text), &arena, &claims, NULL)));

	struct revocable r = revocable_of(s, "idp", false, claims);
	return revocations_have(s, &r, now_s);
}

static void
add_numbered(struct revocations *s, unsigned from, unsigned count, int64_t until_s, int64_t now_s)
{
	for (unsigned i = from; i < from + count; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%u", i);

		struct revocation r = revocation(REVOKED_TOKEN, name, 0);
		r.until_s = until_s;
		revocations_add(s, &r, now_s);
	}
}

static void
test_many_are_found_and_others_are_not(void)
{
	struct revocations *s CLEANUP(revocations_drop) = NULL;

	CHECK(!failed(revocations_new(&s)));
	CHECK(!has_token(s, "n1", NOW));
	add_numbered(s, 0, 5000, NOW + 900, NOW);
	for (unsigned i = 0; i < 10000; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%u", i);
		CHECK(has_token(s, name, NOW) == (i < 5000));
	}
	CHECK(!has_token(s, "n7", NOW + 900));
}

/* What is there twice is the wider of both, in any order. */
static void
test_second_revocation_of_a_name_widens_the_first(void)
{
	struct revocations *s CLEANUP(revocations_drop) = NULL;

	CHECK(!failed(revocations_new(&s)));
	add_numbered(s, 1, 1, NOW + 900, NOW);
	add_numbered(s, 1, 1, NOW + 100, NOW);
	CHECK(has_token(s, "n1", NOW + 899) && !has_token(s, "n1", NOW + 900));
}

/* Fail closed: what finds no place takes all that its issuer gave out until then. */
static void
test_full_set_revokes_the_issuer_and_spares_new_tokens(void)
{
	struct revocations *s CLEANUP(revocations_drop) = NULL;

	CHECK(!failed(revocations_new(&s)));
	add_numbered(s, 0, REVOCATIONS_MAX, NOW + 900, NOW);
	CHECK(!has_token(s, "innocent", NOW));
	add_numbered(s, REVOCATIONS_MAX, 1, NOW + 900, NOW - 2);
	CHECK(!has_token(s, "innocent", NOW)); /* issued after that one */
	add_numbered(s, REVOCATIONS_MAX + 1, 1, NOW + 900, NOW);
	CHECK(has_token(s, "innocent", NOW));
	CHECK(!has_token(s, "innocent", NOW + 900));

	/* Once the many have ended there is room again. */
	add_numbered(s, 2 * REVOCATIONS_MAX, 1, NOW + 2000, NOW + 901);
	CHECK(!has_token(s, "innocent", NOW + 901) && has_token(s, "n131072", NOW + 901));
}

/* Who starts behind a flood must be ready soon: what finds no place costs no walk through the rest.
 */
static void
test_flood_into_a_full_set_is_cheap(void)
{
	struct revocations *s CLEANUP(revocations_drop) = NULL;

	CHECK(!failed(revocations_new(&s)));
	add_numbered(s, 0, REVOCATIONS_MAX, NOW + 900, NOW);
	clock_t begun = clock();
	add_numbered(s, REVOCATIONS_MAX, 20000, NOW + 900, NOW);
	CHECK((clock() - begun) / CLOCKS_PER_SEC < 2);
	CHECK(has_token(s, "innocent", NOW));
	add_numbered(s, 2 * REVOCATIONS_MAX, 1, NOW + 2000, NOW + 900); /* they have just ended */
	CHECK(!has_token(s, "innocent", NOW + 901) && has_token(s, "n131072", NOW + 901));
}

TESTS(TEST(test_each_kind_of_revocation_reaches_its_tokens),
      TEST(test_token_that_names_no_time_is_older_than_any_revocation),
      TEST(test_revocation_is_of_one_issuer_and_ends), TEST(test_many_are_found_and_others_are_not),
      TEST(test_second_revocation_of_a_name_widens_the_first),
      TEST(test_full_set_revokes_the_issuer_and_spares_new_tokens),
      TEST(test_flood_into_a_full_set_is_cheap))
