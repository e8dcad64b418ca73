/* test_issuers.c - the corpus of attacks, several issuers, roles, reports, key files. */
#include "gate.h"

#include <unistd.h>

static void
config_errors_drop(struct config_errors *e)
{
	buf_done(&e->text);
}

/* The corpus, through every kind of issuer: the facts in which kinds differ, with the names of the
 * corpus. `expected` is the check that refuses also its good tokens, because a token of that kind
 * would say more than they do; what is to be refused is refused by an earlier check, or by more. */
static const char *corpus_audience[1];
static struct issuer_name corpus_name;
static const char *const corpus_clients[] = { "client" };
static const char *const roles_claim[] = { "roles" };
static const char *const access_use[] = { "access" };
static const struct required_claim token_use[] = { { "token_use", access_use, 1 } };

static const struct kind {
	const char *name;
	struct issuer_settings settings;
	enum jwt_check expected;
} kinds[] = {
	{ "oidc", { .type = ISSUER_OIDC }, JWT_CHECK_COUNT },
	{ "local", { .type = ISSUER_LOCAL }, JWT_CHECK_COUNT },
	{ "oidc, applications only",
	  { .type = ISSUER_OIDC, .client_claim = "azp client_id", .callers = CALLERS_APPS },
	  JWT_CLAIMS },
	{ "oidc, users only, no guests",
	  { .type = ISSUER_OIDC,
	    .client_claim = "azp client_id",
	    .callers = CALLERS_USERS,
	    .guests_refused = true },
	  JWT_CHECK_COUNT },
	{ "entra", { .type = ISSUER_ENTRA, .client_claim = "azp appid" }, JWT_CLAIMS },
	{ "okta", { .type = ISSUER_OKTA, .client_claim = "cid" }, JWT_CLAIMS },
	{ "cognito",
	  { .type = ISSUER_COGNITO,
	    .client_claim = "client_id",
	    .clients = corpus_clients,
	    .client_count = 1,
	    .required = token_use,
	    .required_count = 1 },
	  JWT_CLAIMS },
	{ "bound to a key", { .type = ISSUER_OIDC, .bindings = BINDING_DPOP }, JWT_BINDING },
	{ "introspection",
	  { .type = ISSUER_INTROSPECTION,
	    .introspection_url = "https://idp.test.invalid/introspect",
	    .introspection_cache_s = 30 },
	  JWT_CHECK_COUNT },
};

/* One issuer of that kind as context.json says. */
static bool
start_corpus_gate(struct gate *g, const struct kind *kind, struct vectors *context,
                  struct vectors *keys)
{
	struct jwks *set = NULL;

	*g = (struct gate){ 0 };
	if (!vectors_load("jwt-attacks/context.json", context) ||
	    !vectors_load("jwt-attacks/jwks.json", keys))
		return false;
	gate_settings(g);
	g->issuers[0] = kind->settings;
	g->issuers[0].name = "idp";
	corpus_name.iss = arena_text(&context->arena, member_text(context->root, "issuer"));
	corpus_name.tenant = arena_text(&context->arena, member_text(context->root, "tenant"));
	corpus_audience[0] = arena_text(&context->arena, member_text(context->root, "audience"));
	g->issuers[0].issuer = corpus_name.iss;
	g->issuers[0].names = &corpus_name;
	g->issuers[0].name_count = 1;
	if (kind->settings.type != ISSUER_COGNITO) { /* which has none */
		g->issuers[0].audience = corpus_audience;
		g->issuers[0].audience_count = 1;
	}
	g->issuers[0].roles_claims = roles_claim;
	g->issuers[0].roles_claim_count = 1;
	g->issuers[0].leeway_s = LEEWAY;
	g->issuers[0].algorithms = ALG_RS256 | ALG_RS384 | ALG_RS512 | ALG_PS256 | ALG_ES256 |
	                           ALG_ES384 | ALG_ES512 | ALG_EDDSA;
	g->settings.issuer_count = 1;
	CHECK(!failed(issuers_new(&g->settings, &g->list)));
	CHECK(!failed(jwks_parse(buf_bytes(&keys->text), &set, NULL)));
	issuers_set_keys(g->list, 0, set);
	return true;
}

/* A good token: accepted, or refused by what this kind asks for besides, and by nothing else. */
static void
check_good(struct gate *g, const struct kind *kind, const char *id, bool accepted)
{
	if (kind->expected == JWT_CHECK_COUNT)
		CHECK_ROW(accepted && g->got_roles == ROLE_READER, id);
	else
		CHECK_ROW(!accepted && g->report.failed == kind->expected, id);
	for (unsigned i = 0; g->report.full && i < JWT_CHECK_COUNT; i++)
		CHECK_ROW(g->report.findings[i].passed || i == kind->expected, id);
}

/* An attack: refused, and not only by what would refuse good ones as well. Of Cognito nobody looks
 * at the audience. */
static void
check_attack(struct gate *g, const struct kind *kind, const char *id, bool accepted)
{
	bool is_found = g->report.failed != kind->expected;

	CHECK_ROW(!accepted && g->error.kind == ERR_IDENTITY && g->report.why != NULL &&
	                  g->error.code == g->report.failed,
	          id);
	CHECK_ROW(is_found ||
	                  (kind->settings.type == ISSUER_COGNITO && strncmp(id, "aud-", 4) == 0),
	          id);
}

/* The issuer says of every token that it is not active: none that the gate asks about gets in. */
static bool
examine_case(struct gate *g, const struct kind *kind, struct bytes token, bool full)
{
	bool asks = kind->settings.introspection_url != NULL;
	const struct presented shown = { .token = token,
		                         .has_asked = asks,
		                         .learned = asks ? BYTES("{\"active\":false}")
		                                         : (struct bytes){ 0 } };

	return gate_examine(g, &shown, NOW, full);
}

static void
check_corpus_case(struct gate *g, const struct kind *kind, const struct json *row)
{
	struct bytes expect = member_text(row, "expect"), token = member_text(row, "token");
	char id[64];

	snprintf(id, sizeof id, "%.*s", (int)member_text(row, "id").len,
	         (const char *)member_text(row, "id").at);
	for (int again = 0; again < 3; again++) { /* again from the cache, and with a full report */
		bool accepted = examine_case(g, kind, token, again == 2);

		if (kind->settings.introspection_url != NULL)
			CHECK_ROW(!accepted && g->error.kind == ERR_IDENTITY, id);
		else if (bytes_is(expect, "accept") || bytes_is(expect, "accept-literal"))
			check_good(g, kind, id, accepted);
		else if (bytes_is(expect, "reject"))
			check_attack(g, kind, id, accepted);
		else if (bytes_is(expect, "no-admin"))
			CHECK_ROW((g->got_roles & ROLE_ADMIN) == 0, id);
		else
			CHECK_ROW(bytes_is(expect, "accept-literal-or-reject"), id);
	}
}

static void
check_corpus(const struct kind *kind)
{
	struct vectors context CLEANUP(vectors_done) = { 0 };
	struct vectors keys CLEANUP(vectors_done) = { 0 };
	struct buf file CLEANUP(buf_done) = { 0 };
	struct gate g CLEANUP(gate_done);
	unsigned count = 0;

	if (!start_corpus_gate(&g, kind, &context, &keys) ||
	    !vectors_read("jwt-attacks/cases.jsonl", &file))
		SKIP("no corpora");
	for (struct bytes rest = buf_bytes(&file); rest.len != 0; count++) {
		struct arena arena CLEANUP(arena_drop) = { .limit = 64 << 20 };
		const struct json *row;

		struct err parsed = json_parse(vectors_line(&rest), &arena, &row, NULL);
		CHECK(!failed(parsed));
		if (failed(parsed))
			return;
		check_corpus_case(&g, kind, row);
	}
	printf("# %u cases, %s\n", count, kind->name);
	CHECK(count == 160);
}

static void
test_attack_corpus_through_every_kind_of_issuer(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		check_corpus(&kinds[i]);
}

static void
test_roles_claim_of_another_shape_grants_nothing(void)
{
	static const struct {
		const char *roles;
		uint64_t expected;
	} rows[] = {
		{ "[\"reader\"]", ROLE_READER },
		{ "[\"reader\",\"admin\",\"reader\",\"x\"]", ROLE_READER | ROLE_ADMIN },
		{ "[\"read\"]", ROLE_READER }, /* a second source of the same role */
		{ "[\"book-admins\"]", 0 },    /* a source of another issuer */
		{ "[\"Admin\"]", 0 },
		{ "[\"admin \"]", 0 },
		{ "[]", 0 },
		{ "\"admin\"", 0 },
		{ "\"reader admin\"", 0 },
		{ "[\"admin\",1]", 0 },
		{ "[[\"admin\"]]", 0 },
		{ "{\"admin\":1}", 0 },
		{ "null", 0 },
		{ "1", 0 },
	};
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char claims[256];

		snprintf(claims, sizeof claims, CLAIMS(",\"roles\":%s"), rows[i].roles);
		CHECK_ROW(gate_accepts(&g, HEADER, claims) && g.got_roles == rows[i].expected,
		          rows[i].roles);
	}
	CHECK(gate_accepts(&g, HEADER, CLAIMS("")) && g.got_roles == 0);
}

static void
test_roles_claim_may_be_a_path_a_uri_or_a_scope(void)
{
	static const struct {
		const char *claim, *more;
		uint64_t expected;
	} rows[] = {
		{ "realm.roles", ",\"realm\":{\"roles\":[\"reader\"]}", ROLE_READER },
		{ "a.b.c", ",\"a\":{\"b\":{\"c\":[\"admin\"]}}", ROLE_ADMIN },
		{ "a.b.c", ",\"a\":{\"b\":[\"admin\"]}", 0 },
		{ "a.b", ",\"a.b\":[\"reader\"],\"a\":{\"b\":[\"admin\"]}",
		  ROLE_READER }, /* the literal name first */
		{ "https://ns.test/roles", ",\"https://ns.test/roles\":[\"admin\"]", ROLE_ADMIN },
		{ "scp", ",\"scp\":\"read write\"", ROLE_READER },
		{ "scope", ",\"scope\":\"openid admin\"", ROLE_ADMIN },
		{ "scope", ",\"scope\":\"openid  admin \"", ROLE_ADMIN },
		{ "scope", ",\"scope\":\"administrator\"", 0 },
		{ "scope", ",\"scope\":\"\"", 0 },
		{ "scp", ",\"scp\":[\"admin\"]", ROLE_ADMIN },
		{ "groups", ",\"groups\":\"reader admin\"", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gate g CLEANUP(gate_done) = { 0 };
		char claims[256];

		gate_settings(&g);
		g.issuers[0].roles_claim = rows[i].claim;
		gate_start(&g);
		snprintf(claims, sizeof claims, CLAIMS("%s"), rows[i].more);
		CHECK_ROW(gate_accepts(&g, HEADER, claims) && g.got_roles == rows[i].expected,
		          rows[i].more);
	}
}

/* Each issuer has its own keys, its own claim and its own values. */
static void
test_several_issuers_do_not_mix(void)
{
	static const char claims[] =
		"{\"iss\":\"https://other.test/\",\"aud\":\"api://books\",\"sub\":\"u\","
		"\"exp\":1760000900,\"roles\":[\"admin\"],\"realm\":{\"groups\":[\"book-readers\"]}"
		"}";
	struct gate g CLEANUP(gate_done);
	struct gate other CLEANUP(gate_done);

	gate_init(&g);
	gate_init(&other);
	CHECK(gate_has_keys(&g, 0) && !gate_has_keys(&g, 1));
	CHECK(!gate_accepts(&g, HEADER, claims));
	CHECK(g.error.kind == ERR_UPSTREAM && g.report.failed == JWT_CHECK_COUNT);

	issuers_set_keys(g.list, 1, gate_keys(&other, false));
	CHECK(gate_has_keys(&g, 1));
	CHECK(!gate_accepts(&g, HEADER, claims) &&
	      g.report.failed == JWT_SIGNATURE); /* signed by idp for other */

	struct buf token CLEANUP(buf_done) = { 0 };
	const struct principal *p;
	put_unsigned_token(&token, HEADER, claims);
	sign_es256(&token, other.es256_raw, false);
	p = gate_who(&g, buf_bytes(&token));
	CHECK(principal_roles(p) == ROLE_READER && strcmp(principal_issuer(p), "other") == 0);
	principal_release(p);
}

static void
test_first_of_two_issuers_with_one_name_is_meant(void)
{
	struct gate g CLEANUP(gate_done) = { 0 };

	gate_settings(&g);
	g.issuers[1].issuer = g.issuers[0].issuer;
	gate_start(&g);
	CHECK(gate_accepts(&g, HEADER, CLAIMS(",\"roles\":[\"reader\"]")) &&
	      g.got_roles == ROLE_READER);
}

static void
test_algorithm_of_the_key_is_not_enough(void)
{
	struct gate g CLEANUP(gate_done) = { 0 };

	gate_settings(&g);
	g.issuers[0].algorithms = ALG_RS256;
	gate_start(&g);
	CHECK(!gate_accepts(&g, HEADER, CLAIMS("")) && g.report.failed == JWT_ALGORITHM);
}

static void
test_who_is_refused_is_known_by_a_good_signature_only(void)
{
	static const char elsewhere[] = "{\"iss\":\"https://idp.test/\",\"aud\":\"api://x\","
					"\"sub\":\"u\",\"exp\":1760000900}";
	static const char odd[] = "{\"iss\":\"https://idp.test/\",\"aud\":\"api://books\","
				  "\"sub\":\"a\\nb\",\"exp\":1760000900}";
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	CHECK(!gate_accepts(&g, HEADER, elsewhere) && g.report.failed == JWT_AUDIENCE);
	CHECK(bytes_is(g.found.subject, "u"));
	CHECK(!gate_accepts(&g, HEADER, odd) && g.report.failed == JWT_SUBJECT);
	CHECK(g.found.subject.len == 0);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	token.at[token.len - 40] = token.at[token.len - 40] == 'A' ? 'B' : 'A';
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false));
	CHECK(g.report.failed == JWT_SIGNATURE && g.found.subject.len == 0);
}

static void
test_full_report_has_every_check(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, true));
	for (unsigned i = 0; i < JWT_CHECK_COUNT; i++)
		CHECK_ROW(g.report.findings[i].done && g.report.findings[i].passed &&
		                  g.report.findings[i].expected.len > 0 &&
		                  g.report.findings[i].got.len > 0,
		          jwt_check_name((enum jwt_check)i));
	CHECK(issuers_stats(g.list).entries == 0 &&
	      issuers_stats(g.list).misses == 0); /* past the cache */

	/* Two faults: the first is named, both are found. */
	token.at[token.len - 40] = token.at[token.len - 40] == 'A' ? 'B' : 'A';
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW + 7200, true));
	CHECK(g.report.failed == JWT_SIGNATURE && g.error.code == JWT_SIGNATURE);
	CHECK(g.report.findings[JWT_EXPIRES].done && !g.report.findings[JWT_EXPIRES].passed);
	CHECK(bytes_is(g.report.findings[JWT_EXPIRES].got,
	               "1760000900, 2025-10-09T09:08:20Z (6300 s ago)"));
	CHECK(g.report.findings[JWT_AUDIENCE].passed && g.report.findings[JWT_SUBJECT].passed);
}

static void
test_full_report_goes_on_after_an_unknown_algorithm(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, "{\"alg\":\"HS256\"}", CLAIMS(""));
	buf_put_text(&token, ".AAAA");
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, true));
	CHECK(g.report.failed == JWT_ALGORITHM &&
	      bytes_is(g.report.findings[JWT_ALGORITHM].got, "HS256"));
	CHECK(g.report.findings[JWT_ISSUER].passed && g.report.findings[JWT_EXPIRES].passed);
	CHECK(!g.report.findings[JWT_KEY].done && !g.report.findings[JWT_SIGNATURE].done);
}

/* Nobody may read a token, or a usable part of one, out of an error. */
static void
test_report_shows_nothing_of_the_signature(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);

	struct bytes tail = bytes_slice(buf_bytes(&token), token.len - 20, token.len);
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW + 7200, true));
	for (unsigned i = 0; i < JWT_CHECK_COUNT; i++) {
		struct bytes got = g.report.findings[i].got;

		CHECK(got.len == 0 || memmem(got.at, got.len, tail.at, tail.len) == NULL);
	}
}

/* A key file with these bytes -> the error, and whether keys are there afterwards. */
static struct err
load_key_file(const char *text, bool *ready, struct config_errors *errors)
{
	char path[] = "/tmp/gatewarden-jwks-XXXXXX";
	struct gate g CLEANUP(gate_done) = { 0 };
	int fd = mkstemp(path);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	gate_settings(&g);
	g.settings.issuer_count = 1;
	g.settings.file = "gatewarden.yaml";
	g.issuers[0].jwks_file = path;
	g.issuers[0].place = (struct place){ 3, 5 };
	CHECK(!failed(issuers_new(&g.settings, &g.list)));

	struct err e = issuers_load_files(g.list, errors);
	*ready = gate_has_keys(&g, 0);
	unlink(path);
	return e;
}

static void
test_key_file_is_read_or_the_place_is_named(void)
{
	static const char good[] =
		"{\"keys\":[{\"kty\":\"XYZ\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	static const char *const bad[] = { "", "{}", "no JSON", "{\"keys\":[]}",
		                           "{\"keys\":[{\"kty\":\"oct\"}]}" };
	struct config_errors errors CLEANUP(config_errors_drop) = { 0 };
	bool ready;

	CHECK(!failed(load_key_file(good, &ready, &errors)) && ready && errors.count == 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW(load_key_file(bad[i], &ready, &errors).kind == ERR_CONFIG && !ready,
		          bad[i]);
		CHECK_ROW(errors.count == i + 1, bad[i]);
	}
	CHECK(bytes_starts(buf_bytes(&errors.text), BYTES("gatewarden.yaml:3:5: ")));
}

TESTS(TEST(test_attack_corpus_through_every_kind_of_issuer),
      TEST(test_roles_claim_of_another_shape_grants_nothing),
      TEST(test_roles_claim_may_be_a_path_a_uri_or_a_scope), TEST(test_several_issuers_do_not_mix),
      TEST(test_first_of_two_issuers_with_one_name_is_meant),
      TEST(test_algorithm_of_the_key_is_not_enough),
      TEST(test_who_is_refused_is_known_by_a_good_signature_only),
      TEST(test_full_report_has_every_check),
      TEST(test_full_report_goes_on_after_an_unknown_algorithm),
      TEST(test_report_shows_nothing_of_the_signature),
      TEST(test_key_file_is_read_or_the_place_is_named))
