/* Service accounts, and how a client proves who it is: secret, signed assertion, certificate. */
#include "issuer/authenticate.h"
#include "play.h"

/* One question of the service account. */
static struct ask
credentials(struct bytes id, struct bytes secret)
{
	return (struct ask){ .kind = ASK_CLIENT,
		             .fields[ASK_CLIENT_ID] = id,
		             .fields[ASK_CLIENT_SECRET] = secret };
}

static void
test_service_account_gets_a_token_of_its_own(void)
{
	struct play p;
	struct client c;

	play_open(&p);
	struct bytes secret = play_bot(&p);

	CHECK(!failed(play_ask(&p, NOW, credentials(BYTES("bot"), secret))));

	const struct json *claims = play_access(&p);

	CHECK(!failed(client_find(p.scene.store, BYTES("bot"), &p.arena, &c)));
	CHECK(bytes_equal(claim_text(claims, "sub"), c.subject));
	CHECK(bytes_is(claim_text(claims, "client_id"), "bot"));
	CHECK(bytes_is(claim_text(claims, "scope"), "reader auditor"));
	CHECK(bytes_is(claim_text(claims, "preferred_username"), "The bot"));
	CHECK(bytes_is(claim_text(claims, "idtyp"), "app"));
	CHECK(claim_number(claims, "gen") == 1 && json_member(claims, "auth_time") == NULL);
	CHECK(p.reply.fields[ANSWER_REFRESH_TOKEN].len == 0);
	CHECK(p.reply.fields[ANSWER_ID_TOKEN].len == 0);
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_TOKEN_TYPE]), "bearer"));
	CHECK(bytes_equal(buf_bytes(&p.reply.fields[ANSWER_SUBJECT]), c.subject));
	play_done(&p);
}

static void
test_its_scope_only_narrows(void)
{
	struct play p;
	struct ask ask;

	play_open(&p);
	ask = credentials(BYTES("bot"), play_bot(&p));
	ask.fields[ASK_SCOPE] = BYTES("auditor admin openid");
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(bytes_is(claim_text(play_access(&p), "scope"), "auditor"));
	CHECK(p.reply.fields[ANSWER_ID_TOKEN].len == 0);
	ask.fields[ASK_SCOPE] = BYTES("admin");
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_SCOPE, SCOPE_NONE));
	play_done(&p);
}

/* Same error, same text: nobody learns which clients there are. */
static void
test_case_28_all_failures_of_clients_read_the_same(void)
{
	static const struct {
		const char *what;
		struct bytes id, secret;
		enum refusal code;
	} rows[] = {
		{ "unknown", BYTES("nobody"), BYTES("x"), CLIENT_UNKNOWN },
		{ "unknown without secret", BYTES("nobody"), { NULL, 0 }, CLIENT_UNKNOWN },
		{ "wrong secret", BYTES("bot"), BYTES("x"), CLIENT_UNPROVEN },
		{ "no secret", BYTES("bot"), { NULL, 0 }, CLIENT_UNPROVEN },
		{ "public with a secret", BYTES("spa"), BYTES("x"), CLIENT_UNPROVEN },
		{ "an audience", BYTES("api://books"), BYTES("x"), CLIENT_UNKNOWN },
		{ "disabled", BYTES("old"), BYTES("x"), CLIENT_DISABLED },
	};
	struct play p;
	const char *why = refuse(CLIENT_UNKNOWN).why;

	play_open(&p);
	(void)play_bot(&p);
	(void)play_client(&p, (struct client){ .id = BYTES("spa"), .is_public = true });
	(void)play_client(&p, (struct client){ .id = BYTES("old") });
	CHECK(!failed(client_set_disabled(p.scene.store, BYTES("old"), true)));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)play_ask(&p, NOW, credentials(rows[i].id, rows[i].secret));
		CHECK_ROW(play_refused(&p, OAUTH_INVALID_CLIENT, rows[i].code), rows[i].what);
		CHECK_ROW(bytes_is(buf_bytes(&p.reply.fields[ANSWER_DETAIL]), why), rows[i].what);
	}
	play_done(&p);
}

static void
test_client_without_the_grant_is_refused(void)
{
	struct play p;
	struct bytes secret;

	play_open(&p);
	secret = play_client(&p, (struct client){ .id = BYTES("web") });
	(void)play_ask(&p, NOW, credentials(BYTES("web"), secret));
	CHECK(play_refused(&p, OAUTH_UNAUTHORIZED_CLIENT, CLIENT_GRANT));
	play_done(&p);
}

static void
test_rotated_secret_ends_the_old_one(void)
{
	struct play p;
	struct buf next = { 0 };
	struct client c;

	play_open(&p);
	struct bytes secret = play_bot(&p);

	CHECK(!failed(play_ask(&p, NOW, credentials(BYTES("bot"), secret))));
	CHECK(!failed(client_set_secret(p.scene.store, BYTES("bot"), &next)));
	(void)play_ask(&p, NOW, credentials(BYTES("bot"), secret));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	CHECK(!failed(play_ask(&p, NOW, credentials(BYTES("bot"), buf_bytes(&next)))));
	CHECK(claim_number(play_access(&p), "gen") == 2);
	CHECK(!failed(client_find(p.scene.store, BYTES("bot"), &p.arena, &c)));
	CHECK(play_is_revoked(&p, REVOKED_SUBJECT, c.subject));
	buf_wipe(&next);
	play_done(&p);
}

static void
test_client_that_must_show_a_key(void)
{
	struct play p;
	struct ask ask;

	play_open(&p);
	struct bytes secret = play_client(&p, (struct client){ .id = BYTES("app"),
	                                                       .grants = CLIENT_CREDENTIALS,
	                                                       .is_dpop_required = true });

	ask = credentials(BYTES("app"), secret);
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_REQUEST, CLIENT_KEY));
	ask.fields[ASK_KEY] = BYTES("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(bytes_equal(claim_text(json_member(play_access(&p), "cnf"), "jkt"),
	                  ask.fields[ASK_KEY]));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_TOKEN_TYPE]), "DPoP"));
	play_done(&p);
}

static void
test_certificate_proves_and_binds(void)
{
	static const struct bytes thumbprint = BYTES("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
	struct play p;
	struct ask ask = credentials(BYTES("tls"), (struct bytes){ 0 });

	play_open(&p);
	CHECK(play_client(&p, (struct client){ .id = BYTES("tls"),
	                                       .grants = CLIENT_CREDENTIALS,
	                                       .certificate = thumbprint })
	              .len == 0);
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	ask.fields[ASK_CERTIFICATE] = BYTES("B4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	ask.fields[ASK_CERTIFICATE] = thumbprint;
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(bytes_equal(claim_text(json_member(play_access(&p), "cnf"), "x5t#S256"), thumbprint));
	play_done(&p);
}

/* private_key_jwt */

/* Claims with what a row changes put in the place of `%s`-free members. */
struct assertion {
	const char *what;
	const char *typ, *iss, *sub, *aud;
	int64_t exp, nbf, iat;
	const char *jti;
};

static const struct assertion good = {
	.typ = "JWT",
	.iss = "signer",
	.sub = "signer",
	.aud = "\"http://127.0.0.1:8080\"",
	.exp = NOW + 60,
	.jti = "a",
};

static struct bytes
sign(struct play *p, const struct signing_key *key, const struct assertion *a)
{
	struct buf claims = { 0 }, out = { 0 };
	struct bytes kept;

	buf_printf(&claims, "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":%s,\"exp\":%lld", a->iss,
	           a->sub, a->aud, (long long)a->exp);
	if (a->nbf != 0)
		buf_printf(&claims, ",\"nbf\":%lld", (long long)a->nbf);
	if (a->iat != 0)
		buf_printf(&claims, ",\"iat\":%lld", (long long)a->iat);
	if (a->jti != NULL)
		buf_printf(&claims, ",\"jti\":\"%s\"", a->jti);
	buf_put_u8(&claims, '}');
	CHECK(!failed(signing_key_sign(key, a->typ, buf_bytes(&claims), &out)));
	kept = arena_copy(&p->arena, buf_bytes(&out));
	buf_done(&claims);
	buf_done(&out);
	return kept;
}

static struct signing_key *
signer(struct play *p)
{
	struct signing_key *key = NULL;
	struct buf keys = { 0 };

	CHECK(!failed(signing_key_generate(ALG_ES256, &key)));
	buf_put_text(&keys, "{\"keys\":[");
	signing_key_put_jwk(key, &keys);
	buf_put_text(&keys, "]}");
	CHECK(play_client(p, (struct client){ .id = BYTES("signer"),
	                                      .grants = CLIENT_CREDENTIALS,
	                                      .roles = BYTES("reader"),
	                                      .jwks = buf_bytes(&keys) })
	              .len == 0);
	buf_done(&keys);
	return key;
}

static struct ask
asserting(struct bytes assertion)
{
	return (struct ask){ .kind = ASK_CLIENT, .fields[ASK_CLIENT_ASSERTION] = assertion };
}

static void
test_assertion_proves_a_client_once(void)
{
	struct play p;

	play_open(&p);

	struct signing_key *key = signer(&p);
	struct bytes text = sign(&p, key, &good);
	struct assertion second = good;

	CHECK(!failed(play_ask(&p, NOW, asserting(text))));
	CHECK(bytes_is(claim_text(play_access(&p), "client_id"), "signer"));
	(void)play_ask(&p, NOW, asserting(text));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION_USED));
	/* The same name in another signature is still the same assertion. */
	(void)play_ask(&p, NOW, asserting(sign(&p, key, &good)));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION_USED));
	second.jti = "b";
	second.aud = "[\"https://other.test.invalid\",\"http://127.0.0.1:8080/token\"]";
	CHECK(!failed(play_ask(&p, NOW, asserting(sign(&p, key, &second)))));
	/* Written for an hour: good for minutes, and once. */
	second.jti = "c";
	second.exp = NOW + 3600;
	second.iat = NOW - 60;
	CHECK(!failed(play_ask(&p, NOW, asserting(sign(&p, key, &second)))));
	(void)play_ask(&p, NOW + 200, asserting(sign(&p, key, &second)));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION_USED));
	(void)play_ask(&p, NOW + 271, asserting(sign(&p, key, &second)));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION));
	/* Forgotten when it has expired, and refused for that. */
	CHECK(!failed(issuer_store_purge(p.scene.store, NOW + 3600)));
	(void)play_ask(&p, NOW + 3600, asserting(text));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION));
	signing_key_free(key);
	play_done(&p);
}

static void
test_unfit_assertions_are_refused(void)
{
	static const struct assertion rows[] = {
		{ .what = "of another", .iss = "other" },
		{ .what = "for another", .sub = "bot" },
		{ .what = "another audience", .aud = "\"https://other.test.invalid\"" },
		{ .what = "an audience that begins like ours",
		  .aud = "\"http://127.0.0.1:8080.evil.invalid\"" },
		{ .what = "our URL with a slash", .aud = "\"http://127.0.0.1:8080/\"" },
		{ .what = "no audience", .aud = "[]" },
		{ .what = "a number as audience", .aud = "1" },
		{ .what = "expired", .exp = NOW - 31 },
		{ .what = "lives too long", .exp = NOW + 331 },
		{ .what = "was made too long ago", .exp = NOW + 3600, .iat = NOW - 331 },
		{ .what = "made in the future", .iat = NOW + 31 },
		{ .what = "made before time began", .iat = INT64_MIN / 2 },
		{ .what = "not yet", .nbf = NOW + 31 },
		{ .what = "no name", .jti = "" },
		{ .what = "an access token", .typ = "at+jwt" },
		{ .what = "a DPoP proof", .typ = "dpop+jwt" },
	};
	struct play p;
	struct signing_key *other = NULL;

	play_open(&p);

	struct signing_key *key = signer(&p);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct assertion a = good;

		if (rows[i].iss != NULL)
			a.iss = rows[i].iss;
		if (rows[i].sub != NULL)
			a.sub = rows[i].sub;
		if (rows[i].aud != NULL)
			a.aud = rows[i].aud;
		if (rows[i].typ != NULL)
			a.typ = rows[i].typ;
		if (rows[i].exp != 0)
			a.exp = rows[i].exp;
		if (rows[i].jti != NULL)
			a.jti = rows[i].jti;
		a.nbf = rows[i].nbf;
		a.iat = rows[i].iat;

		struct ask ask = asserting(sign(&p, key, &a));

		ask.fields[ASK_CLIENT_ID] = BYTES("signer");
		(void)play_ask(&p, NOW, ask);
		CHECK_ROW(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION), rows[i].what);
	}
	CHECK(!failed(signing_key_generate(ALG_ES256, &other)));
	(void)play_ask(&p, NOW, asserting(sign(&p, other, &good)));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_ASSERTION));
	/* None of the refused was used up. */
	CHECK(!failed(play_ask(&p, NOW, asserting(sign(&p, key, &good)))));
	signing_key_free(other);
	signing_key_free(key);
	play_done(&p);
}

static void
test_one_way_to_prove_at_a_time(void)
{
	struct play p;

	play_open(&p);

	struct signing_key *key = signer(&p);
	struct ask ask = asserting(sign(&p, key, &good));

	ask.fields[ASK_CLIENT_SECRET] = BYTES("x");
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_REQUEST, CLIENT_PROOFS));
	/* A client with keys has no secret, also not the empty one. */
	(void)play_ask(&p, NOW, credentials(BYTES("signer"), BYTES("x")));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	signing_key_free(key);
	play_done(&p);
}

static void
test_secret_is_not_in_the_store(void)
{
	struct play p;
	char path[128], *file = calloc(1, 1 << 20);

	play_open(&p);

	struct bytes secret = play_bot(&p);

	for (int n = 0; n < 2; n++) {
		snprintf(path, sizeof path, "%s%s", p.scene.file, n == 0 ? "" : "-wal");
		FILE *f = fopen(path, "rb");
		size_t got = f != NULL ? fread(file, 1, 1 << 20, f) : 0;

		CHECK(got > 0);
		CHECK(memmem(file, got, secret.at, secret.len) == NULL);
		if (f != NULL)
			fclose(f);
	}
	free(file);
	play_done(&p);
}

TESTS(TEST(test_service_account_gets_a_token_of_its_own), TEST(test_its_scope_only_narrows),
      TEST(test_case_28_all_failures_of_clients_read_the_same),
      TEST(test_client_without_the_grant_is_refused), TEST(test_rotated_secret_ends_the_old_one),
      TEST(test_client_that_must_show_a_key), TEST(test_certificate_proves_and_binds),
      TEST(test_assertion_proves_a_client_once), TEST(test_unfit_assertions_are_refused),
      TEST(test_one_way_to_prove_at_a_time), TEST(test_secret_is_not_in_the_store))
