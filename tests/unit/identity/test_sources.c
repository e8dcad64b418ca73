/* test_sources.c - what a token waits for: keys that are fetched, an issuer that is asked, groups.
 */
#include "gate.h"

#define SOURCE "https://idp.test/keys"

enum { STALE_S = NOW + 600, COOLDOWN_S = 30 };

static const struct bytes source = { (const uint8_t *)SOURCE, sizeof SOURCE - 1 };

/* `idp` and `other` fetch their keys, and nothing is here yet. */
static void
start_fetched(struct gate *g, const char *other_url)
{
	*g = (struct gate){ 0 };
	gate_settings(g);
	g->issuers[0].metadata_url = SOURCE;
	g->issuers[0].keys_cooldown_s = COOLDOWN_S;
	g->issuers[1].jwks_url = other_url;
	g->issuers[1].keys_cooldown_s = COOLDOWN_S;
	CHECK(!failed(signing_key_generate(ALG_ES256, &g->es256)));
	g->es256_raw = raw_key(g->es256);
	CHECK(!failed(issuers_new(&g->settings, &g->list)));
}

/* A token of our key with this kid; 0: its own. */
static void
put_token(struct gate *g, struct buf *token, unsigned kid, const char *claims)
{
	char header[128];

	if (kid == 0)
		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%.43s\"}",
		         (const char *)signing_key_id(g->es256).at);
	else
		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"random-%u\"}", kid);
	put_unsigned_token(token, header, claims);
	sign_es256(token, g->es256_raw, false);
}

enum outcome { ACCEPTED, REFUSED, ASK, WAIT };

static enum outcome
examine(struct gate *g, unsigned kid, int64_t now_s, bool has_asked)
{
	struct buf token CLEANUP(buf_done) = { 0 };

	put_token(g, &token, kid, CLAIMS(""));
	if (gate_examine(g,
	                 &(struct presented){ .token = buf_bytes(&token), .has_asked = has_asked },
	                 now_s, false))
		return ACCEPTED;
	if (g->error.kind == ERR_IDENTITY) {
		CHECK(g->found.missing == MISSING_NOTHING);
		return REFUSED;
	}
	CHECK(g->error.kind == ERR_UPSTREAM && g->report.failed == JWT_CHECK_COUNT);
	if (g->found.missing == MISSING_NOTHING)
		return WAIT;
	CHECK(g->found.missing == MISSING_KEYS && g->found.issuer == 0);
	return ASK;
}

static void
test_token_waits_for_the_first_keys_and_then_comes_again(void)
{
	struct gate g CLEANUP(gate_done);

	start_fetched(&g, NULL);
	CHECK(examine(&g, 0, NOW, false) == ASK);
	CHECK(examine(&g, 0, NOW, false) == ASK); /* waits with the first */
	issuers_set_retry(g.list, source, NOW + 12);
	CHECK(examine(&g, 0, NOW, true) == WAIT && g.found.retry_s == 12);
	CHECK(examine(&g, 0, NOW + 1, false) == WAIT && g.found.retry_s == 11);
	CHECK(examine(&g, 0, NOW + 20, false) == WAIT && g.found.retry_s == 1);
	CHECK(examine(&g, 0, NOW + COOLDOWN_S, false) == ASK);
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S);
	CHECK(examine(&g, 0, NOW + COOLDOWN_S, true) == ACCEPTED);
	CHECK(examine(&g, 0, NOW + COOLDOWN_S, false) == ACCEPTED);
}

/* A flood of random kids asks once in each cool-down; good tokens do not notice. */
static void
test_unknown_kid_is_asked_for_once_in_a_cool_down(void)
{
	struct gate g CLEANUP(gate_done);
	unsigned asked = 0;

	start_fetched(&g, NULL);
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S);
	CHECK(examine(&g, 1, NOW, false) == ASK);
	CHECK(examine(&g, 2, NOW, false) == ASK); /* no answer yet: it may be in what comes */
	CHECK(examine(&g, 1, NOW, true) == REFUSED && g.report.failed == JWT_KEY);
	CHECK(strcmp(g.report.why, "the key of the token is not known") == 0);
	for (unsigned i = 0; i < 1000; i++) {
		enum outcome o = examine(&g, 10 + i, NOW + 1 + i / 100, false);

		asked += o == ASK;
		CHECK(o == ASK || o == REFUSED);
		CHECK(examine(&g, 0, NOW + 1, false) == ACCEPTED);
	}
	CHECK(asked == 0);
	CHECK(examine(&g, 1, NOW + COOLDOWN_S - 1, false) == REFUSED);
	CHECK(examine(&g, 1, NOW + COOLDOWN_S, false) == ASK);
}

/* Rotation: the token of the new key waits, and then is accepted; the old key's no longer. */
static void
test_rotated_key_is_found_by_asking(void)
{
	struct gate g CLEANUP(gate_done);
	struct gate old CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	start_fetched(&g, NULL);
	start_fetched(&old, NULL);
	issuers_set_source(g.list, source, gate_keys(&old, false), STALE_S);
	put_token(&old, &token, 0, CLAIMS(""));
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false));
	CHECK(examine(&g, 0, NOW, false) == ASK);
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S);
	CHECK(examine(&g, 0, NOW, true) == ACCEPTED);
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false));
	CHECK(g.report.failed == JWT_KEY && g.error.kind == ERR_IDENTITY);
}

static void
test_stale_keys_are_not_used_not_even_for_remembered_tokens(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	start_fetched(&g, NULL);
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S);
	put_token(&g, &token, 0, CLAIMS(""));
	CHECK(gate_identify(&g, buf_bytes(&token), STALE_S - 1, false));
	CHECK(gate_identify(&g, buf_bytes(&token), STALE_S - 1, false));
	CHECK(issuers_stats(g.list).hits == 1);
	CHECK(!gate_identify(&g, buf_bytes(&token), STALE_S, false));
	CHECK(g.error.kind == ERR_UPSTREAM && g.found.missing == MISSING_KEYS);
	CHECK(examine(&g, 0, STALE_S, true) == WAIT);
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S + 100);
	CHECK(gate_identify(&g, buf_bytes(&token), STALE_S, false));
	issuers_set_source(g.list, source, NULL, 0);
	CHECK(!gate_identify(&g, buf_bytes(&token), STALE_S, false));
	CHECK(g.error.kind == ERR_UPSTREAM);
}

static void
test_issuers_of_one_source_share_its_keys(void)
{
	static const char other[] =
		"{\"iss\":\"https://other.test/\",\"aud\":\"api://books\",\"sub\":\"u\","
		"\"exp\":1760000900}";
	struct gate g CLEANUP(gate_done);

	start_fetched(&g, SOURCE);
	CHECK(!gate_has_keys(&g, 0) && !gate_has_keys(&g, 1));
	issuers_set_source(g.list, BYTES("https://nobody.test/"), gate_keys(&g, false), STALE_S);
	CHECK(!gate_has_keys(&g, 0) && !gate_has_keys(&g, 1));
	issuers_set_source(g.list, source, gate_keys(&g, false), STALE_S);
	CHECK(gate_has_keys(&g, 0) && gate_has_keys(&g, 1));

	struct buf token CLEANUP(buf_done) = { 0 };
	put_token(&g, &token, 0, other);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && g.found.issuer == 1);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && g.found.issuer == 1);
	CHECK(issuers_stats(g.list).hits == 1);
	/* The same keys once more are nothing new, but serve longer. */
	issuers_extend_source(g.list, BYTES("https://nobody.test/"), STALE_S);
	issuers_extend_source(g.list, source, STALE_S + 100);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && g.found.issuer == 1);
	CHECK(issuers_stats(g.list).hits == 2);
	/* New keys of the source are new for both. */
	issuers_set_source(g.list, source, set_of_text("{\"keys\":[]}"), STALE_S);
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false));
}

static void
test_keys_of_a_file_are_never_asked_for(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!gate_accepts(&g, "{\"alg\":\"ES256\",\"kid\":\"x\"}", CLAIMS("")));
	CHECK(g.error.kind == ERR_IDENTITY && g.report.failed == JWT_KEY);
}

static bool
knowing(struct gate *g, struct bytes token, const char *learned, int64_t now_s)
{
	const struct presented shown = { .token = token,
		                         .has_asked = learned != NULL,
		                         .learned = bytes_text(learned == NULL ? "" : learned) };

	return gate_examine(g, &shown, now_s, false);
}

/* Introspection (RFC 7662) */

static void
start_opaque(struct gate *g, unsigned cache_s)
{
	*g = (struct gate){ 0 };
	gate_settings(g);
	g->issuers[1].type = ISSUER_INTROSPECTION;
	g->issuers[1].introspection_url = "https://other.test/introspect";
	g->issuers[1].introspection_cache_s = cache_s;
	g->issuers[1].roles_claim = "scope";
	gate_start(g);
}

#define ACTIVE(more)                                                                               \
	"{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://books\",\"exp\":1760000900" more "}"

static void
test_opaque_token_is_asked_about(void)
{
	struct gate g CLEANUP(gate_done);

	start_opaque(&g, 30);
	CHECK(!knowing(&g, BYTES("opaque"), NULL, NOW));
	CHECK(g.error.kind == ERR_UPSTREAM && g.found.missing == MISSING_INTROSPECTION);
	CHECK(g.found.issuer == 1 && g.report.failed == JWT_CHECK_COUNT);
	CHECK(knowing(&g, BYTES("opaque"), ACTIVE(",\"scope\":\"openid book-readers\""), NOW));
	CHECK(g.got_roles == ROLE_READER && g.found.issuer == 1);
	/* Remembered for 30 s, then asked about again. */
	CHECK(knowing(&g, BYTES("opaque"), NULL, NOW + 29) && g.got_roles == ROLE_READER);
	CHECK(!knowing(&g, BYTES("opaque"), NULL, NOW + 30));
	CHECK(g.found.missing == MISSING_INTROSPECTION);
}

static void
test_answers_about_a_token_are_checked(void)
{
	static const struct {
		const char *answer;
		enum jwt_check failed; /* JWT_CHECK_COUNT: let in */
	} rows[] = {
		{ ACTIVE(""), JWT_CHECK_COUNT },
		{ "", JWT_ACTIVE },
		{ "{\"active\":false}", JWT_ACTIVE },
		{ "{\"active\":\"true\",\"sub\":\"ann\",\"aud\":\"api://books\"}", JWT_ACTIVE },
		{ "{\"sub\":\"ann\",\"aud\":\"api://books\"}", JWT_ACTIVE },
		{ "{}", JWT_ACTIVE },
		{ "{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://books\"}", JWT_CHECK_COUNT },
		{ "{\"active\":true,\"sub\":\"ann\"}", JWT_AUDIENCE },
		{ "{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://shop\"}", JWT_AUDIENCE },
		{ "{\"active\":true,\"aud\":\"api://books\"}", JWT_SUBJECT },
		{ "{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://books\",\"exp\":1759999000}",
		  JWT_EXPIRES },
		{ "{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://books\",\"exp\":\"x\"}",
		  JWT_EXPIRES },
		{ "{\"active\":true,\"sub\":\"ann\",\"aud\":\"api://books\",\"nbf\":1760009000}",
		  JWT_NOT_BEFORE },
		{ ACTIVE(",\"iss\":\"https://other.test/\""), JWT_CHECK_COUNT },
		{ ACTIVE(",\"iss\":\"https://idp.test/\""), JWT_ISSUER },
		{ ACTIVE(",\"token_type\":\"bearer\""), JWT_CHECK_COUNT },
		{ ACTIVE(",\"token_type\":\"refresh_token\""), JWT_TYPE },
		{ ACTIVE(",\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}"),
		  JWT_BINDING },
		{ ACTIVE(",\"cnf\":{\"kid\":\"x\"}"), JWT_BINDING },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gate g CLEANUP(gate_done);

		start_opaque(&g, 30);
		CHECK_ROW(knowing(&g, BYTES("opaque"), rows[i].answer, NOW) ==
		                  (rows[i].failed == JWT_CHECK_COUNT),
		          rows[i].answer);
		CHECK_ROW(g.report.failed == rows[i].failed, rows[i].answer);
		if (rows[i].failed != JWT_CHECK_COUNT)
			CHECK_ROW(g.error.kind == ERR_IDENTITY &&
			                  issuers_stats(g.list).entries == 0,
			          rows[i].answer);
	}
}

static void
test_answer_that_is_no_object_is_a_failure_of_the_issuer(void)
{
	struct gate g CLEANUP(gate_done);

	start_opaque(&g, 30);
	CHECK(!knowing(&g, BYTES("opaque"), "[]", NOW) && g.error.kind == ERR_UPSTREAM);
	CHECK(!knowing(&g, BYTES("opaque"), "{", NOW) && g.error.kind == ERR_UPSTREAM);
	CHECK(g.found.missing == MISSING_NOTHING);
}

static void
test_answer_is_not_remembered_where_that_is_off(void)
{
	struct gate g CLEANUP(gate_done);

	start_opaque(&g, 0);
	CHECK(knowing(&g, BYTES("opaque"), ACTIVE(""), NOW));
	CHECK(!knowing(&g, BYTES("opaque"), NULL, NOW) && g.found.missing == MISSING_INTROSPECTION);
}

/* What has a form we know goes by its `iss`; what cannot be a token goes nowhere. */
static void
test_opaque_token_goes_to_the_issuer_without_a_name(void)
{
	struct gate g CLEANUP(gate_done) = { 0 };

	gate_settings(&g);
	for (size_t i = 0; i < 2; i++) {
		g.issuers[i].type = ISSUER_INTROSPECTION;
		g.issuers[i].introspection_url = "https://idp.test/introspect";
	}
	g.issuers[1].issuer = NULL;
	gate_start(&g);
	CHECK(!knowing(&g, BYTES("opaque"), NULL, NOW) && g.found.issuer == 1);
	CHECK(g.found.missing == MISSING_INTROSPECTION);
	CHECK(!gate_accepts(&g, HEADER, CLAIMS("")) && g.found.issuer == 0);
	CHECK(g.found.missing == MISSING_INTROSPECTION);
}

static void
test_only_tokens_of_that_issuer_are_asked_about(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	start_opaque(&g, 30);
	put_unsigned_token(&token, HEADER, "{\"iss\":\"https://other.test/\",\"sub\":\"u\"}");
	buf_put_text(&token, ".AAAA");
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false));
	CHECK(g.found.missing == MISSING_INTROSPECTION && g.found.issuer == 1);
	CHECK(gate_accepts(&g, HEADER, CLAIMS("")) && g.found.issuer == 0);
	CHECK(!gate_accepts(&g, "{\"alg\":\"none\"}", CLAIMS("")));
	CHECK(g.report.failed == JWT_ALGORITHM);

	/* Another issuer's token, spelt wrongly, is not shown to this one. */
	struct buf harmed CLEANUP(buf_done) = { 0 };
	put_unsigned_token(&harmed, HEADER, CLAIMS(""));
	sign_es256(&harmed, g.es256_raw, false);
	buf_put_u8(&harmed, '=');
	CHECK(!gate_identify(&g, buf_bytes(&harmed), NOW, false));
	CHECK(g.report.failed == JWT_FORM && g.found.missing == MISSING_NOTHING);
	CHECK(!gate_identify(&g, BYTES("a.b.c"), NOW, false));
	CHECK(g.found.missing == MISSING_INTROSPECTION);
	CHECK(!gate_identify(&g, BYTES("two words"), NOW, false));
	CHECK(g.report.failed == JWT_FORM && g.error.kind == ERR_IDENTITY);
	CHECK(!gate_identify(&g, BYTES("a\nb"), NOW, false) && g.report.failed == JWT_FORM);
	CHECK(!gate_identify(&g, BYTES(""), NOW, false) && g.report.failed == JWT_FORM);

	struct buf longer CLEANUP(buf_done) = { 0 };
	for (size_t i = 0; i <= JWS_BYTES_MAX; i++)
		buf_put_u8(&longer, 'A');
	CHECK(!gate_identify(&g, buf_bytes(&longer), NOW, false) && g.report.failed == JWT_FORM);
}

/* Groups that do not fit (Entra) */

#define TENANT "11111111-1111-1111-1111-111111111111"
#define OBJECT "55555555-5555-5555-5555-55555555555a"
#define OVERAGE                                                                                    \
	",\"_claim_names\":{\"groups\":\"src1\"},\"_claim_sources\":{\"src1\":{\"endpoint\":"      \
	"\"https://evil.test/\"}}"

static void
start_groups(struct gate *g, bool graph)
{
	static const char *const claims[] = { "roles", "groups" };

	*g = (struct gate){ 0 };
	gate_settings(g);
	g->issuers[0].roles_claims = claims;
	g->issuers[0].roles_claim_count = 2;
	if (graph)
		g->issuers[0].graph_secret.env = "SECRET";
	gate_start(g);
}

static bool
with_groups(struct gate *g, const char *claims, const char *learned, int64_t now_s)
{
	struct buf token CLEANUP(buf_done) = { 0 };

	put_token(g, &token, 0, claims);
	return knowing(g, buf_bytes(&token), learned, now_s);
}

static void
test_groups_that_do_not_fit_are_asked_for(void)
{
	static const char claims[] =
		CLAIMS(OVERAGE ",\"tid\":\"" TENANT "\",\"oid\":\"" OBJECT "\",\"scp\":\"x\"");
	struct gate g CLEANUP(gate_done);

	start_groups(&g, true);
	CHECK(!with_groups(&g, claims, NULL, NOW) && g.error.kind == ERR_UPSTREAM);
	CHECK(g.found.missing == MISSING_GROUPS && !g.found.is_app);
	CHECK(bytes_is(g.found.tenant, TENANT) && bytes_is(g.found.object, OBJECT));

	struct buf token CLEANUP(buf_done) = { 0 };
	put_token(&g, &token, 0, claims);
	CHECK(knowing(&g, buf_bytes(&token), "{\"groups\":[\"x\",\"reader\"]}", NOW));
	CHECK(g.got_roles == ROLE_READER);
	CHECK(knowing(&g, buf_bytes(&token), NULL, NOW + 299) && g.got_roles == ROLE_READER);
	CHECK(!knowing(&g, buf_bytes(&token), NULL, NOW + 300)); /* they may have changed */
	CHECK(g.found.missing == MISSING_GROUPS);
	CHECK(!with_groups(&g, claims, "{}", NOW + 300));
	CHECK(g.report.failed == JWT_CLAIMS && g.error.kind == ERR_IDENTITY);
	CHECK(!with_groups(&g, claims, "{\"groups\":\"reader\"}", NOW + 300));
	CHECK(g.report.failed == JWT_CLAIMS);
	CHECK(!with_groups(&g, claims, "{", NOW + 300) && g.error.kind == ERR_UPSTREAM);
}

/* What is learned of one token is nothing to another that says its groups itself. */
static void
test_learned_groups_never_replace_those_of_the_token(void)
{
	struct gate g CLEANUP(gate_done);

	start_groups(&g, true);
	CHECK(with_groups(&g, CLAIMS(",\"groups\":[]"), "{\"groups\":[\"reader\"]}", NOW));
	CHECK(g.got_roles == 0);
	CHECK(with_groups(&g, CLAIMS(",\"iat\":1"), "{\"groups\":[\"reader\"]}", NOW));
	CHECK(g.got_roles == 0);
}

static void
test_groups_are_asked_for_by_proven_names_only(void)
{
	static const char *const rows[] = {
		CLAIMS(OVERAGE),
		CLAIMS(OVERAGE ",\"tid\":\"" TENANT "\""),
		CLAIMS(OVERAGE ",\"oid\":\"" OBJECT "\""),
		CLAIMS(OVERAGE ",\"tid\":\"" TENANT "\",\"oid\":\"../users/x\""),
		CLAIMS(OVERAGE ",\"tid\":\"" TENANT "\",\"oid\":\"" OBJECT "0\""),
		CLAIMS(OVERAGE ",\"tid\":\"" TENANT "\",\"oid\":[\"" OBJECT "\"]"),
		CLAIMS(OVERAGE ",\"tid\":\"11111111-1111-1111-1111-11111111111/\",\"oid\":\"" OBJECT
		               "\""),
	};
	struct gate g CLEANUP(gate_done);

	start_groups(&g, true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW(!with_groups(&g, rows[i], NULL, NOW), rows[i]);
		CHECK_ROW(g.error.kind == ERR_IDENTITY && g.report.failed == JWT_CLAIMS, rows[i]);
		CHECK_ROW(g.found.missing == MISSING_NOTHING, rows[i]);
	}
	CHECK(!with_groups(
		&g,
		"{\"iss\":\"https://idp.test/\",\"aud\":\"api://books\",\"sub\":\"" OBJECT
		"\",\"exp\":1760000900" OVERAGE ",\"tid\":\"" TENANT "\",\"oid\":\"" OBJECT "\"}",
		NULL, NOW));
	CHECK(g.found.missing == MISSING_GROUPS && g.found.is_app);
}

/* Who only looks at a token asks nobody, and still sees everything. */
static void
test_full_report_asks_nobody(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	start_groups(&g, true);
	put_token(&g, &token, 0,
	          CLAIMS(OVERAGE
	                 ",\"tid\":\"" TENANT "\",\"oid\":\"" OBJECT
	                 "\",\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}"));
	/* Graph may not know who it is of: that is not accepted. */
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, true));
	CHECK(g.error.kind == ERR_UPSTREAM && g.found.missing == MISSING_GROUPS);
	CHECK(g.report.failed == JWT_CHECK_COUNT);
	CHECK(strstr((const char *)g.report.findings[JWT_CLAIMS].got.at, "Graph") != NULL);
	CHECK(g.report.findings[JWT_BINDING].passed);
	CHECK(bytes_is(g.report.findings[JWT_BINDING].got,
	               "bound to a DPoP key; a proof cannot be looked at here"));
}

TESTS(TEST(test_token_waits_for_the_first_keys_and_then_comes_again),
      TEST(test_unknown_kid_is_asked_for_once_in_a_cool_down),
      TEST(test_rotated_key_is_found_by_asking),
      TEST(test_stale_keys_are_not_used_not_even_for_remembered_tokens),
      TEST(test_issuers_of_one_source_share_its_keys),
      TEST(test_keys_of_a_file_are_never_asked_for), TEST(test_opaque_token_is_asked_about),
      TEST(test_answers_about_a_token_are_checked),
      TEST(test_answer_that_is_no_object_is_a_failure_of_the_issuer),
      TEST(test_answer_is_not_remembered_where_that_is_off),
      TEST(test_opaque_token_goes_to_the_issuer_without_a_name),
      TEST(test_only_tokens_of_that_issuer_are_asked_about),
      TEST(test_groups_that_do_not_fit_are_asked_for),
      TEST(test_learned_groups_never_replace_those_of_the_token),
      TEST(test_groups_are_asked_for_by_proven_names_only), TEST(test_full_report_asks_nobody))
