/* test_login.c - browser logins: ID tokens (OpenID Connect Core section 3.1.3.7), and principals
 * from what a session kept. */
#include "gate.h"

#define ID(more)                                                                                   \
	"{\"iss\":\"https://idp.test/\",\"sub\":\"u\",\"iat\":1760000000,\"exp\":1760000900,"      \
	"\"nonce\":\"n-0S6\"" more "}"
#define AUD ",\"aud\":\"web\""

static void
start_login(struct gate *g)
{
	static const char *const access_use[] = { "access" };
	static const struct required_claim required[] = { { "token_use", access_use, 1 },
		                                          { "sub", NULL, 0 } };

	*g = (struct gate){ 0 };
	gate_settings(g);
	g->issuers[0].login_client_id = "web";
	g->issuers[0].required = required;
	g->issuers[0].required_count = 2;
	gate_start(g);
}

static bool
logs_in(struct gate *g, const char *header, const char *claims, const char *nonce)
{
	struct buf token CLEANUP(buf_done) = { 0 };
	const struct json *found = NULL;

	put_unsigned_token(&token, header, claims);
	sign_es256(&token, g->es256_raw, false);
	arena_reset(&g->arena);
	g->error = issuers_check_id_token(g->list, 0, buf_bytes(&token), bytes_text(nonce), NOW,
	                                  &g->arena, &found, &g->report);
	CHECK((found != NULL) == !failed(g->error));
	return !failed(g->error);
}

static void
test_id_token_is_checked_as_the_standard_says(void)
{
	static const struct {
		const char *claims;
		enum jwt_check failed; /* JWT_CHECK_COUNT: logs in */
	} rows[] = {
		{ ID(AUD), JWT_CHECK_COUNT },
		{ ID(AUD ",\"token_use\":\"id\",\"at_hash\":\"x\",\"azp\":\"web\""),
		  JWT_CHECK_COUNT },
		{ ID(",\"aud\":[\"web\"]"), JWT_CHECK_COUNT },
		{ ID(",\"aud\":[\"web\",\"api\"],\"azp\":\"web\""), JWT_CHECK_COUNT },
		{ ID(",\"aud\":[\"web\",\"api\"]"), JWT_AUDIENCE },
		{ ID(",\"aud\":[\"web\",\"api\"],\"azp\":\"api\""), JWT_AUDIENCE },
		{ ID(AUD ",\"azp\":\"api\""), JWT_AUDIENCE },
		{ ID(AUD ",\"azp\":[\"web\"]"), JWT_AUDIENCE },
		{ ID(",\"aud\":\"api://books\""), JWT_AUDIENCE },
		{ ID(""), JWT_AUDIENCE },
		{ ID(AUD ",\"token_use\":\"access\""), JWT_TYPE },
		{ ID(AUD ",\"nbf\":1760009000"), JWT_NOT_BEFORE },
		{ "{\"iss\":\"https://idp.test/\",\"sub\":\"u\",\"exp\":1760000900" AUD "}",
		  JWT_CLAIMS }, /* no nonce */
		{ "{\"iss\":\"https://idp.test/\",\"sub\":\"u\",\"nonce\":\"n-0S6\"" AUD "}",
		  JWT_EXPIRES },
		{ "{\"iss\":\"https://idp.test/\",\"exp\":1760000900,\"nonce\":\"n-0S6\"" AUD "}",
		  JWT_SUBJECT },
		{ "{\"iss\":\"https://other.test/\",\"sub\":\"u\",\"exp\":1760000900,\"nonce\":"
		  "\"n-0S6\"" AUD "}",
		  JWT_ISSUER },
		{ "[]", JWT_ISSUER },
	};
	struct gate g CLEANUP(gate_done);

	start_login(&g);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW(logs_in(&g, HEADER, rows[i].claims, "n-0S6") ==
		                  (rows[i].failed == JWT_CHECK_COUNT),
		          rows[i].claims);
		CHECK_ROW(g.report.failed == rows[i].failed, rows[i].claims);
	}
}

static void
test_id_token_of_another_login_or_key_is_refused(void)
{
	struct gate g CLEANUP(gate_done);

	start_login(&g);
	CHECK(!logs_in(&g, HEADER, ID(AUD), "n-0S7") && g.report.failed == JWT_CLAIMS);
	CHECK(!logs_in(&g, HEADER, ID(AUD), "") && g.report.failed == JWT_CLAIMS);
	CHECK(!logs_in(&g, "{\"alg\":\"none\"}", ID(AUD), "n-0S6"));
	CHECK(g.report.failed == JWT_ALGORITHM);
	CHECK(!logs_in(&g, "{\"alg\":\"ES256\",\"kid\":\"x\"}", ID(AUD), "n-0S6"));
	CHECK(g.report.failed == JWT_KEY);
	CHECK(!logs_in(&g, "{\"alg\":\"RS256\"}", ID(AUD), "n-0S6"));
	CHECK(g.report.failed == JWT_KEY);
	CHECK(!logs_in(&g, "{\"alg\":\"ES384\"}", ID(AUD), "n-0S6"));
	CHECK(g.report.failed == JWT_ALGORITHM);
	CHECK(!logs_in(&g, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", ID(AUD), "n-0S6"));
	CHECK(g.report.failed == JWT_TYPE);

	struct gate other CLEANUP(gate_done);
	gate_init(&other);
	EVP_PKEY *own = g.es256_raw;
	g.es256_raw = other.es256_raw;
	CHECK(!logs_in(&g, HEADER, ID(AUD), "n-0S6") && g.report.failed == JWT_SIGNATURE);
	g.es256_raw = own;
	issuers_set_keys(g.list, 0, NULL);
	CHECK(!logs_in(&g, HEADER, ID(AUD), "n-0S6") && g.error.kind == ERR_UPSTREAM);
}

static void
test_issuer_without_login_logs_nobody_in(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!logs_in(&g, HEADER, ID(AUD), "n-0S6") && g.error.kind == ERR_CONFIG);
}

static void
test_login_with_too_many_groups_is_refused(void)
{
	struct gate g CLEANUP(gate_done) = { 0 };

	gate_settings(&g);
	g.issuers[0].login_client_id = "web";
	g.issuers[0].roles_claim = "groups";
	gate_start(&g);
	CHECK(!logs_in(&g, HEADER, ID(AUD ",\"hasgroups\":true"), "n-0S6"));
	CHECK(g.report.failed == JWT_CLAIMS);
	CHECK(!logs_in(&g, HEADER, ID(AUD ",\"_claim_names\":{\"groups\":\"src1\"}"), "n-0S6"));
	CHECK(logs_in(&g, HEADER, ID(AUD ",\"groups\":[]"), "n-0S6"));
}

/* Sessions */

static struct err
adopt(struct gate *g, const char *issuer, const char *claims, int64_t expires_s,
      const struct principal **ret)
{
	return issuers_adopt(g->list, bytes_text(issuer), bytes_text(claims), expires_s, NOW,
	                     &g->arena, ret);
}

static void
test_principal_of_a_session_is_as_its_claims_say(void)
{
	struct gate g CLEANUP(gate_done);
	const struct principal *p = NULL;

	gate_init(&g);
	CHECK(!failed(adopt(&g, "idp",
	                    "{\"sub\":\"u\",\"roles\":[\"admin\"],\"preferred_username\":\"ann\"}",
	                    NOW + 60, &p)));
	CHECK(principal_roles(p) == ROLE_ADMIN && principal_expires(p) == NOW + 60);
	CHECK(strcmp(principal_issuer(p), "idp") == 0 && bytes_is(principal_subject(p), "u"));
	CHECK(bytes_is(principal_name(p), "ann"));
	principal_release(p);
}

static void
test_session_ends_with_its_time_its_issuer_and_its_subject(void)
{
	static const char claims[] = "{\"sub\":\"u\",\"sid\":\"s1\",\"iat\":1759999000}";
	struct gate g CLEANUP(gate_done);
	const struct principal *p = NULL;

	gate_init(&g);
	CHECK(adopt(&g, "idp", claims, NOW, &p).kind == ERR_IDENTITY);
	CHECK(adopt(&g, "gone", claims, NOW + 60, &p).kind == ERR_IDENTITY);
	CHECK(adopt(&g, "idp", "{\"sub\":7}", NOW + 60, &p).kind == ERR_IDENTITY);
	CHECK(adopt(&g, "idp", "{}", NOW + 60, &p).kind == ERR_IDENTITY);
	CHECK(failed(adopt(&g, "idp", "{", NOW + 60, &p)));
	CHECK(p == NULL);
	CHECK(!failed(adopt(&g, "idp", claims, NOW + 60, &p)));
	principal_release(p);
	issuers_revoke(g.list,
	               &(struct revocation){ .kind = REVOKED_SUBJECT,
	                                     .issuer = BYTES("idp"),
	                                     .value = BYTES("u"),
	                                     .before = NOW,
	                                     .until_s = NOW + 900 },
	               NOW);
	CHECK(adopt(&g, "idp", claims, NOW + 60, &p).kind == ERR_IDENTITY);
}

/* Only our own tokens are narrowed by `resource`: with others the word has no such meaning. */
static void
test_agent_and_resource_are_taken_from_the_claims(void)
{
	static const char claims[] =
		"{\"sub\":\"u\",\"resource\":\"books\",\"act\":{\"sub\":\"bot\",\"act\":{\"sub\":"
		"\"x\"}}}";
	struct gate g CLEANUP(gate_done) = { 0 };
	const struct principal *p = NULL;

	gate_settings(&g);
	g.issuers[0].type = ISSUER_LOCAL;
	gate_start(&g);
	CHECK(!failed(adopt(&g, "idp", claims, NOW + 60, &p)));
	CHECK(bytes_is(principal_agent(p), "bot") && bytes_is(principal_resource(p), "books"));
	principal_release(p);
	CHECK(!failed(adopt(&g, "other", claims, NOW + 60, &p)));
	CHECK(bytes_is(principal_agent(p), "bot") && principal_resource(p).len == 0);
	principal_release(p);
}

TESTS(TEST(test_id_token_is_checked_as_the_standard_says),
      TEST(test_id_token_of_another_login_or_key_is_refused),
      TEST(test_issuer_without_login_logs_nobody_in),
      TEST(test_login_with_too_many_groups_is_refused),
      TEST(test_principal_of_a_session_is_as_its_claims_say),
      TEST(test_session_ends_with_its_time_its_issuer_and_its_subject),
      TEST(test_agent_and_resource_are_taken_from_the_claims))
