/* test_configured.c - all kinds of issuer side by side, as a configuration file says it: what
 * config makes of each kind and what is checked here must fit together. */
#include "gate.h"

#define TENANT "11111111-1111-1111-1111-111111111111"
#define SECOND "22222222-2222-2222-2222-222222222222"
#define API "33333333-3333-3333-3333-333333333333"
#define DATES "\"iat\":1760000000,\"exp\":1760003600,\"sub\":\"u\""
#define LOGIN "https://login.microsoftonline.com/"

static const char file[] =
	"listen: {http: 127.0.0.1:8080}\n"
	"public_url: http://127.0.0.1:8080\n"
	"issuers:\n"
	"  local: {type: local, audience: 'api://books'}\n"
	"  corp: {type: entra, tenant: [" TENANT ", " SECOND "], audience: [" API "],\n"
	"         roles_claim: [roles, scp], guests: refuse}\n"
	"  okta: {type: okta, issuer: 'https://dev.okta.com/oauth2/default', audience: "
	"'api://books',\n"
	"         roles_claim: groups, callers: users}\n"
	"  shop: {type: cognito, region: eu-west-1, user_pool: eu-west-1_abc, client_id: [web],\n"
	"         roles_claim: 'cognito:groups'}\n"
	"  lab: {type: oidc, issuer: 'https://kc.test/realms/books', audience: 'api://books',\n"
	"        roles_claim: [realm_access.roles], required_claims: {amr: [mfa]}}\n"
	"  bound: {type: oidc, issuer: 'https://bound.test/', audience: 'api://books',\n"
	"          bindings: [dpop]}\n"
	"  opaque: {type: introspection, endpoint: 'https://opaque.test/introspect', client_id: "
	"us,\n"
	"           client_secret: {env: S}, audience: 'api://books', roles_claim: scope}\n"
	"roles:\n"
	"  reader: {granted_by: [local:reader, corp:Books.Read, okta:readers, shop:readers,\n"
	"                        lab:reader, bound:reader, opaque:read]}\n";

struct scene {
	struct gate gate;
	struct arena arena; /* of the settings */
	const struct settings *settings;
};

static void
scene_done(struct scene *s)
{
	gate_done(&s->gate);
	arena_done(&s->arena);
}

static void
scene_init(struct scene *s)
{
	struct config_errors errors = { 0 };
	struct gate *g = &s->gate;

	*s = (struct scene){ 0 };
	if (failed(config_parse(bytes_text(file), "gatewarden.yaml", &s->arena, &s->settings,
	                        &errors)))
		printf("# %.*s\n", (int)errors.text.len, (const char *)errors.text.at);
	config_errors_done(&errors);
	CHECK(s->settings != NULL);
	if (s->settings == NULL)
		exit(1);
	CHECK(!failed(signing_key_generate(ALG_ES256, &g->es256)));
	CHECK(!failed(signing_key_generate(ALG_RS256, &g->rs256)));
	g->es256_raw = raw_key(g->es256);
	CHECK(!failed(issuers_new(s->settings, &g->list)));
	for (unsigned i = 0; i < s->settings->issuer_count; i++) {
		struct bytes source = issuer_source(&s->settings->issuers[i]);

		if (source.len != 0)
			issuers_set_source(g->list, source, gate_keys(g, true), NOW + 86400);
		else if (s->settings->issuers[i].type == ISSUER_LOCAL)
			issuers_set_keys(g->list, i, gate_keys(g, true));
	}
}

static const struct row {
	const char *issuer; /* name of who is meant; NULL: nobody */
	const char *claims;
	enum jwt_check failed; /* JWT_CHECK_COUNT: let in, as reader */
} rows[] = {
	{ "local",
	  "\"iss\":\"http://127.0.0.1:8080\",\"aud\":\"api://books\"," DATES
	  ",\"jti\":\"j\",\"sid\":\"s\",\"gen\":1,\"client_id\":\"c\",\"scope\":\"reader\","
	  "\"roles\":"
	  "[\"reader\"]",
	  JWT_CHECK_COUNT },
	{ "corp",
	  "\"iss\":\"" LOGIN TENANT "/v2.0\",\"tid\":\"" TENANT "\",\"aud\":\"" API
	  "\",\"azp\":\"c\",\"scp\":\"Books.Read\"," DATES,
	  JWT_CHECK_COUNT },
	{ "corp",
	  "\"iss\":\"https://sts.windows.net/" SECOND "/\",\"tid\":\"" SECOND "\",\"aud\":\"" API
	  "\",\"appid\":\"c\",\"roles\":[\"Books.Read\"],\"idp\":\"https://sts.windows.net/" SECOND
	  "/\"," DATES,
	  JWT_CHECK_COUNT },
	{ "corp",
	  "\"iss\":\"https://sts.windows.net/" SECOND "/\",\"tid\":\"" SECOND "\",\"aud\":\"" API
	  "\",\"appid\":\"c\",\"roles\":[\"Books.Read\"],\"idp\":\"https://sts.windows.net/" TENANT
	  "/\"," DATES,
	  JWT_CLAIMS },
	{ "corp",
	  "\"iss\":\"" LOGIN TENANT "/v2.0\",\"tid\":\"" SECOND "\",\"aud\":\"" API
	  "\",\"azp\":\"c\"," DATES,
	  JWT_ISSUER },
	{ "corp",
	  "\"iss\":\"" LOGIN TENANT "/v2.0\",\"tid\":\"" TENANT "\",\"aud\":\"" API "\"," DATES,
	  JWT_CLAIMS },
	{ NULL,
	  "\"iss\":\"" LOGIN "33333333-3333-3333-3333-333333333333/v2.0\",\"aud\":\"" API
	  "\"," DATES,
	  JWT_ISSUER },
	{ "okta",
	  "\"iss\":\"https://dev.okta.com/oauth2/default\",\"aud\":\"api://books\",\"cid\":\"c\","
	  "\"uid\":\"x\",\"scp\":[\"openid\"],\"groups\":[\"readers\"]," DATES,
	  JWT_CHECK_COUNT },
	{ "okta",
	  "\"iss\":\"https://dev.okta.com/oauth2/default\",\"aud\":\"api://books\",\"cid\":\"u\","
	  "\"scp\":[\"x\"]," DATES,
	  JWT_CLAIMS },
	{ "shop",
	  "\"iss\":\"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc\",\"client_id\":"
	  "\"web\",\"token_use\":\"access\",\"cognito:groups\":[\"readers\"]," DATES,
	  JWT_CHECK_COUNT },
	{ "shop",
	  "\"iss\":\"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc\",\"client_id\":"
	  "\"app\",\"token_use\":\"access\"," DATES,
	  JWT_CLAIMS },
	{ "shop",
	  "\"iss\":\"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc\",\"aud\":\"web\","
	  "\"token_use\":\"id\"," DATES,
	  JWT_TYPE },
	{ "lab",
	  "\"iss\":\"https://kc.test/realms/books\",\"aud\":[\"api://books\"],\"azp\":\"spa\","
	  "\"amr\":[\"mfa\"],\"realm_access\":{\"roles\":[\"reader\"]}," DATES,
	  JWT_CHECK_COUNT },
	{ "lab", "\"iss\":\"https://kc.test/realms/books\",\"aud\":\"api://books\"," DATES,
	  JWT_CLAIMS },
	{ "bound", "\"iss\":\"https://bound.test/\",\"aud\":\"api://books\"," DATES, JWT_BINDING },
};

static void
test_every_kind_serves_beside_the_others(void)
{
	struct scene s CLEANUP(scene_done);

	scene_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		bool accepted = row->failed == JWT_CHECK_COUNT;
		bool is_local = row->issuer != NULL && strcmp(row->issuer, "local") == 0;
		struct buf token CLEANUP(buf_done) = { 0 };
		char claims[1024];

		snprintf(claims, sizeof claims, "{%s}", row->claims);
		if (is_local) {
			put_unsigned_token(&token, HEADER, claims);
			sign_es256(&token, s.gate.es256_raw, false);
		} else { /* Entra and Cognito sign with RS256 only */
			CHECK(!failed(
				signing_key_sign(s.gate.rs256, "JWT", bytes_text(claims), &token)));
		}
		CHECK_ROW(gate_identify(&s.gate, buf_bytes(&token), NOW, false) == accepted,
		          claims);
		CHECK_ROW(s.gate.report.failed == row->failed, claims);
		CHECK_ROW(s.gate.got_roles == (accepted ? 1 : 0), claims);
		CHECK_ROW(row->issuer == NULL
		                  ? s.gate.found.issuer == -1
		                  : s.gate.found.issuer >= 0 &&
		                            strcmp(s.settings->issuers[s.gate.found.issuer].name,
		                                   row->issuer) == 0,
		          claims);
	}
}

static void
test_opaque_tokens_have_their_issuer_among_the_others(void)
{
	struct scene s CLEANUP(scene_done);
	struct presented shown = { .token = BYTES("kZ3-opaque") };

	scene_init(&s);
	CHECK(!gate_examine(&s.gate, &shown, NOW, false));
	CHECK(s.gate.found.missing == MISSING_INTROSPECTION);
	CHECK(strcmp(s.settings->issuers[s.gate.found.issuer].name, "opaque") == 0);
	shown.has_asked = true;
	shown.learned = BYTES("{\"active\":true,\"sub\":\"u\",\"aud\":\"api://books\",\"scope\":"
	                      "\"read\"}");
	CHECK(gate_examine(&s.gate, &shown, NOW, false) && s.gate.got_roles == 1);
}

/* One provider that is gone takes only its own tokens with it. */
static void
test_missing_keys_of_one_issuer_are_nothing_to_the_others(void)
{
	struct scene s CLEANUP(scene_done);

	scene_init(&s);
	for (unsigned i = 0; i < s.settings->issuer_count; i++)
		if (strcmp(s.settings->issuers[i].name, "lab") == 0)
			issuers_set_source(s.gate.list, issuer_source(&s.settings->issuers[i]),
			                   NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf token CLEANUP(buf_done) = { 0 };
		char claims[1024];

		if (rows[i].failed != JWT_CHECK_COUNT || strcmp(rows[i].issuer, "local") == 0)
			continue;
		snprintf(claims, sizeof claims, "{%s}", rows[i].claims);
		CHECK(!failed(signing_key_sign(s.gate.rs256, "JWT", bytes_text(claims), &token)));
		CHECK_ROW(gate_identify(&s.gate, buf_bytes(&token), NOW, false) ==
		                  (strcmp(rows[i].issuer, "lab") != 0),
		          claims);
	}
}

TESTS(TEST(test_every_kind_serves_beside_the_others),
      TEST(test_opaque_tokens_have_their_issuer_among_the_others),
      TEST(test_missing_keys_of_one_issuer_are_nothing_to_the_others))
