/* `gatewarden token`: every check with what was expected and got, and never the token itself. */
#include "main/cmd_token.h"

#include "jose/jwt.h"
#include "jose/sign.h"
#include "main/cmd_user.h"
#include "stage.h"

static void
open_with_alice(struct stage *s)
{
	stage_open(s);
	RUN(s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");
	CHECK(s->status == 0);
}

static void
test_good_token_is_accepted_and_its_roles_explained(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");

	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 0 && said(&s, "ok    signature") && said(&s, "accepted: issuer local"));
	CHECK(said(&s, "role  reader  by local:guest through roles\n"));
	CHECK(strstr(s.out, "FAIL") == NULL && strstr(s.out, token) == NULL);
	free(token);
	stage_done(&s);
}

static void
test_token_from_standard_input_with_white_space_around(void)
{
	struct stage s;
	char input[4096];

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");

	snprintf(input, sizeof input, "\n  %s \r\n", token);
	RUN(&s, cmd_token, input, "token", "-c", "gatewarden.yaml", "-");
	CHECK(s.status == 0 && said(&s, "accepted"));
	CHECK(strstr(s.out, strrchr(token, '.')) == NULL);
	free(token);
	stage_done(&s);
}

static void
test_changed_token_fails_its_signature_and_only_that(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice"), *signature = strrchr(token, '.') + 1;

	signature[10] = signature[10] == 'A' ? 'B' : 'A';
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 1 && said(&s, "FAIL  signature") && said(&s, "ok    expires") &&
	      said(&s, "refused: "));
	CHECK(strstr(s.out, "accepted") == NULL && strstr(s.out, "role  ") == NULL);
	free(token);
	stage_done(&s);
}

static void
test_what_is_no_token_is_refused(void)
{
	struct stage s;
	static char huge[40000];

	open_with_alice(&s);
	free(stage_token(&s, "alice")); /* the keys are there */
	RUN(&s, cmd_token, "", "token", "nonsense");
	CHECK(s.status == 1 && said(&s, "FAIL  form") && said(&s, "-     signature"));
	RUN(&s, cmd_token, "", "token", "");
	CHECK(s.status == 1);
	memset(huge, 'a', sizeof huge - 1);
	RUN(&s, cmd_token, "", "token", huge);
	CHECK(s.status == 1 && said(&s, "longer"));
	stage_done(&s);
}

/* {"alg":"ES256"}.{"iss":"https://evil.test/"}: nobody's keys are asked for. */
static void
test_unknown_issuer_is_named(void)
{
	struct stage s;

	open_with_alice(&s);
	RUN(&s, cmd_token, "", "token",
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V2aWwudGVzdC8ifQ.AAAA");
	CHECK(s.status == 1 && said(&s, "FAIL  issuer") && said(&s, "https://evil.test/"));
	stage_done(&s);
}

static void
test_state_that_cannot_be_read_is_said(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");
	char path[256];

	snprintf(path, sizeof path, "%s/state/state.db", s.directory);
	CHECK(unlink(path) == 0);
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 2 && said(&s, "local: ") && said(&s, "state store") &&
	      said(&s, "not here"));
	free(token);
	stage_done(&s);
}

/* Issuers of other kinds: keys from a file, fetched keys, opaque tokens. */
static const char corp_config[] =
	"listen: {http: 127.0.0.1:8080}\n"
	"issuers:\n"
	"  lab: {type: oidc, issuer: \"https://idp.test.invalid/\", audience: \"api://books\", "
	"jwks: "
	"{file: jwks.json}, roles_claim: [realm.roles, groups]}\n"
	"  corp: {type: oidc, issuer: \"https://corp.test.invalid/\", audience: \"api://books\"}\n"
	"backends:\n"
	"  books: {type: sqlite, path: books.db}\n"
	"roles:\n"
	"  reader: {granted_by: [lab:r, corp:r]}\n"
	"  admin: {granted_by: [lab:boss]}\n"
	"resources:\n"
	"  books: {backend: books, table: books, allow: {reader: [read]}}\n"
	"audit: {path: audit/}\n"
	"state: {path: state/}\n";

struct signer {
	struct signing_key *key;
	char token[4096];
};

static void
signer_open(struct signer *k, struct stage *s)
{
	struct buf set = { 0 };

	stage_open(s);
	stage_write(s, "gatewarden.yaml", corp_config);
	CHECK(!failed(signing_key_generate(ALG_ES256, &k->key)));
	buf_put_text(&set, "{\"keys\":[");
	signing_key_put_jwk(k->key, &set);
	buf_put_text(&set, "]}");
	buf_put_u8(&set, 0);
	stage_write(s, "jwks.json", (const char *)set.at);
	stage_write(s, "keys.json", (const char *)set.at);
	buf_done(&set);
}

static void
signer_done(struct signer *k, struct stage *s)
{
	char path[256];

	signing_key_free(k->key);
	snprintf(path, sizeof path, "%s/keys.json", s->directory);
	(void)remove(path);
	stage_done(s);
}

/* Good for ten minutes, but for what `more` says: members that begin with a comma. */
static char *
sign(struct signer *k, const char *issuer, const char *audience, int ends_in_s, const char *more)
{
	struct buf out = { 0 };
	char claims[2048];
	long long now_s = clock_wall_us() / 1000000;

	snprintf(claims, sizeof claims,
	         "{\"iss\":\"%s\",\"sub\":\"u-1\",\"aud\":\"%s\",\"iat\":%lld,\"exp\":%lld%s}",
	         issuer, audience, now_s - 1200, now_s + ends_in_s, more);
	CHECK(!failed(signing_key_sign(k->key, "at+jwt", bytes_text(claims), &out)));
	snprintf(k->token, sizeof k->token, "%.*s", (int)out.len, (const char *)out.at);
	buf_done(&out);
	return k->token;
}

static void
test_each_failed_check_is_followed_by_what_to_change(void)
{
	struct stage s;
	struct signer k;

	signer_open(&k, &s);
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid/", "api://x", -3600, ""));
	CHECK(s.status == 1 && said(&s, "FAIL  audience") && said(&s, "FAIL  expires"));
	CHECK(said(&s,
	           "this token is for api://x; issuer lab accepts api://books: ask for a token for "
	           "api://books, or add api://x to issuers.lab.audience\n"));
	CHECK(said(&s, "it expired 1 h ago") && said(&s, "refused: expires: the token expired\n"));
	CHECK(strstr(s.out, k.token) == NULL);
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid", "api://books", 600, ""));
	CHECK(s.status == 1 && said(&s, "refused: issuer: ") && said(&s, "same to the byte"));
	signer_done(&k, &s);
}

static void
test_roles_name_the_grant_and_the_claim(void)
{
	struct stage s;
	struct signer k;

	signer_open(&k, &s);
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600,
	         ",\"realm\":{\"roles\":[\"x\",\"boss\"]},\"groups\":[\"r\"]"));
	CHECK(s.status == 0 && said(&s, "role  reader  by lab:r through groups\n") &&
	      said(&s, "role  admin  by lab:boss through realm.roles\n"));
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600,
	         ",\"groups\":[\"R\",\"\\u001b[2Jevil\"]"));
	CHECK(s.status == 0 && said(&s, "role  none: ") &&
	      said(&s, "claim realm.roles: the token has none") &&
	      said(&s, "claim groups: R, ?[2Jevil\n") &&
	      said(&s, "would give one: r (reader) boss (admin)\n"));
	/* A lone text is not taken for a list of one. */
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600,
	         ",\"groups\":\"r\",\"realm\":{\"roles\":[\"boss\",1]}"));
	CHECK(s.status == 0 &&
	      said(&s, "claim groups: no array of texts, so it grants nothing: r\n") &&
	      said(&s,
	           "claim realm.roles: no array of texts, so it grants nothing: [\"boss\",1]\n"));
	signer_done(&k, &s);
}

/* Nobody is asked: without keys a token is not proven, whatever else is right. */
static void
test_keys_that_are_fetched_come_by_jwks_or_the_token_is_not_proven(void)
{
	struct stage s;
	struct signer k;

	signer_open(&k, &s);

	char *token =
		sign(&k, "https://corp.test.invalid/", "api://books", 600, ",\"roles\":[\"r\"]");

	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 1 &&
	      said(&s, "not proven: not looked at: the keys of issuer corp are fetched by the "
	               "running service; give them by --jwks FILE\n"));
	CHECK(said(&s, "role  reader  by corp:r through roles\n"));
	CHECK(said(&s, "-     signature  not looked at\n") && said(&s, "ok    audience") &&
	      strstr(s.out, "accepted") == NULL);
	RUN(&s, cmd_token, "", "token", "--jwks", "keys.json", token);
	CHECK(s.status == 0 && said(&s, "ok    signature") &&
	      said(&s, "role  reader  by corp:r through roles\n"));
	stage_write(&s, "keys.json", stage_jwks); /* somebody else's */
	RUN(&s, cmd_token, "", "token", "--jwks=keys.json", token);
	CHECK(s.status == 1 && said(&s, "FAIL  key") && said(&s, "issuer corp has no key"));
	/* What fails here fails for certain. */
	RUN(&s, cmd_token, "", "token", sign(&k, "https://corp.test.invalid/", "api://x", 600, ""));
	CHECK(s.status == 1 && said(&s, "refused: audience"));
	stage_write(&s, "keys.json", "nonsense");
	RUN(&s, cmd_token, "", "token", "--jwks", "keys.json", token);
	CHECK(s.status == 2 && said(&s, "keys.json"));
	RUN(&s, cmd_token, "", "token", "--jwks", "missing.json", token);
	CHECK(s.status == 2 && said(&s, "missing.json"));
	/* Its own keys are here: nothing else counts. */
	RUN(&s, cmd_token, "", "token", "--jwks", "missing.json",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600, ""));
	CHECK(s.status == 0 && said(&s, "--jwks is not used"));
	signer_done(&k, &s);
}

static const struct json *
find_check(const struct json *report, const char *name)
{
	const struct json *checks = json_member(report, "checks");
	struct bytes text;

	for (const struct json *i = json_first(checks); i != NULL; i = json_next(checks, i))
		if (json_string(json_member(i, "check"), &text) && bytes_is(text, name))
			return i;
	return NULL;
}

static bool
has_text(const struct json *object, const char *name, const char *value)
{
	struct bytes text;

	return json_string(json_member(object, name), &text) && bytes_is(text, value);
}

static void
test_json_has_the_same_facts(void)
{
	struct arena arena = { 0 };
	const struct json *j = NULL, *roles, *by;
	struct stage s;
	struct signer k;

	signer_open(&k, &s);
	RUN(&s, cmd_token, "", "token", "--json",
	    sign(&k, "https://idp.test.invalid/", "api://x", 600, ",\"groups\":[\"r\"]"));
	CHECK(s.status == 1 && !failed(json_parse(bytes_text(s.out), &arena, &j, NULL)));
	CHECK(has_text(j, "verdict", "refused") && has_text(j, "reason", "audience") &&
	      has_text(j, "issuer", "lab"));
	CHECK(has_text(find_check(j, "audience"), "result", "failed") &&
	      has_text(find_check(j, "audience"), "advice",
	               "this token is for api://x; issuer lab accepts api://books: ask for a token "
	               "for "
	               "api://books, or add api://x to issuers.lab.audience"));
	CHECK(has_text(find_check(j, "signature"), "result", "ok"));
	CHECK(json_member(j, "checks")->count == JWT_CHECK_COUNT);
	RUN(&s, cmd_token, "", "token", "--json",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600, ",\"groups\":[\"r\"]"));
	CHECK(s.status == 0 && !failed(json_parse(bytes_text(s.out), &arena, &j, NULL)));
	roles = json_member(j, "roles");
	CHECK(has_text(j, "verdict", "accepted") && has_text(j, "subject", "u-1") &&
	      roles->count == 1 && has_text(json_first(roles), "role", "reader"));
	by = json_first(json_member(json_first(roles), "by"));
	CHECK(has_text(by, "value", "r") && has_text(by, "claim", "groups"));
	CHECK(strstr(s.out, k.token) == NULL && strstr(s.out, strrchr(k.token, '.') + 1) == NULL);
	RUN(&s, cmd_token, "", "token", "--json",
	    sign(&k, "https://corp.test.invalid/", "api://books", 600, ""));
	CHECK(s.status == 1 && !failed(json_parse(bytes_text(s.out), &arena, &j, NULL)));
	CHECK(has_text(j, "verdict", "not proven") && has_text(j, "reason", "") &&
	      has_text(find_check(j, "signature"), "result", "not looked at"));
	signer_done(&k, &s);
	arena_done(&arena);
}

/* The doctor sees no request: whether the key is proven it cannot say, only that it must be. */
static void
test_a_bound_token_says_to_what(void)
{
	struct stage s;
	struct signer k;

	signer_open(&k, &s);
	RUN(&s, cmd_token, "", "token",
	    sign(&k, "https://idp.test.invalid/", "api://books", 600,
	         ",\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}"));
	CHECK(s.status == 0 && said(&s, "bound to a DPoP key"));
	signer_done(&k, &s);
}

static void
test_a_revoked_token_is_told_as_such(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");

	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 0 && said(&s, "ok    revoked"));
	RUN(&s, cmd_user, "", "user", "roles", "alice", "--role", "reader");
	CHECK(s.status == 0);
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 1 && said(&s, "FAIL  revoked") && said(&s, "log in again"));
	free(token);
	stage_done(&s);
}

static void
test_wrong_usage_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_token, "", "token");
	CHECK(s.status == 2 && said(&s, "token is missing"));
	RUN(&s, cmd_token, "", "token", "a", "b");
	CHECK(s.status == 2 && said(&s, "one token"));
	RUN(&s, cmd_token, "", "token", "--verbose", "a");
	CHECK(s.status == 2 && said(&s, "no such option"));
	RUN(&s, cmd_token, "", "token", "a", "-c");
	CHECK(s.status == 2 && said(&s, "needs a value"));
	RUN(&s, cmd_token, "", "token", "a", "--jwks");
	CHECK(s.status == 2 && said(&s, "needs a value"));
	stage_write(&s, "jwks.json", "nonsense");
	RUN(&s, cmd_token, "", "token", "a");
	CHECK(s.status == 2 && said(&s, "jwks.json"));
	stage_done(&s);
}

TESTS(TEST(test_good_token_is_accepted_and_its_roles_explained),
      TEST(test_token_from_standard_input_with_white_space_around),
      TEST(test_changed_token_fails_its_signature_and_only_that),
      TEST(test_what_is_no_token_is_refused), TEST(test_unknown_issuer_is_named),
      TEST(test_state_that_cannot_be_read_is_said),
      TEST(test_each_failed_check_is_followed_by_what_to_change),
      TEST(test_roles_name_the_grant_and_the_claim),
      TEST(test_keys_that_are_fetched_come_by_jwks_or_the_token_is_not_proven),
      TEST(test_json_has_the_same_facts), TEST(test_a_bound_token_says_to_what),
      TEST(test_a_revoked_token_is_told_as_such), TEST(test_wrong_usage_is_status_2))
