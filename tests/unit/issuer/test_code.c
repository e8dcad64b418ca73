/* Authorization codes: PKCE, one use, one client, one redirect_uri. */
#include "base/clock.h"
#include "play.h"

/* RFC 7636 appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define CALLBACK "https://spa.test.invalid/cb"

static void
open_with_spa(struct play *p)
{
	play_open(p);
	(void)play_client(
		p, (struct client){ .id = BYTES("spa"),
	                            .name = BYTES("The app"),
	                            .grants = CLIENT_CODE,
	                            .is_public = true,
	                            .redirect_uris = BYTES(CALLBACK " http://127.0.0.1:3000/cb") });
}

static struct ask
page(void)
{
	return (struct ask){ .kind = ASK_LOGIN,
		             .fields[ASK_CLIENT_ID] = BYTES("spa"),
		             .fields[ASK_REDIRECT_URI] = BYTES(CALLBACK),
		             .fields[ASK_CHALLENGE] = BYTES(CHALLENGE),
		             .fields[ASK_SCOPE] = BYTES("openid reader"),
		             .fields[ASK_NONCE] = BYTES("n-0S6_WzA2Mj") };
}

static struct bytes
code_for(struct play *p, struct ask ask, int64_t now_s)
{
	CHECK(!failed(play_login(p, now_s, ask)));
	return play_field(p, ANSWER_CODE);
}

static struct ask
use(struct bytes code)
{
	return (struct ask){ .kind = ASK_CODE,
		             .fields[ASK_CLIENT_ID] = BYTES("spa"),
		             .fields[ASK_REDIRECT_URI] = BYTES(CALLBACK),
		             .fields[ASK_VERIFIER] = BYTES(VERIFIER),
		             .fields[ASK_CODE_TEXT] = code };
}

static void
test_code_gives_tokens_by_the_vector_of_rfc_7636(void)
{
	struct play p;

	open_with_spa(&p);

	struct bytes code = code_for(&p, page(), NOW);

	CHECK(code.len == 43 && p.reply.fields[ANSWER_ACCESS_TOKEN].len == 0);
	CHECK(!failed(play_ask(&p, NOW + 59, use(code))));

	struct bytes subject = play_field(&p, ANSWER_SUBJECT);
	const struct json *access = play_access(&p);
	const struct json *id = play_claims(&p, play_field(&p, ANSWER_ID_TOKEN));

	CHECK(bytes_is(claim_text(access, "scope"), "reader"));
	CHECK(bytes_is(claim_text(access, "client_id"), "spa"));
	CHECK(claim_number(access, "auth_time") == NOW);
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_SCOPE]), "reader openid"));
	CHECK(p.reply.fields[ANSWER_REFRESH_TOKEN].len == 64);

	/* OpenID Connect Core section 2. */
	CHECK(bytes_is(claim_text(id, "iss"), "http://127.0.0.1:8080"));
	CHECK(bytes_equal(claim_text(id, "sub"), subject));
	CHECK(bytes_is(claim_text(id, "aud"), "spa") && bytes_is(claim_text(id, "azp"), "spa"));
	CHECK(bytes_is(claim_text(id, "nonce"), "n-0S6_WzA2Mj"));
	CHECK(bytes_is(claim_text(id, "preferred_username"), "alice"));
	CHECK(claim_number(id, "auth_time") == NOW && claim_number(id, "iat") == NOW + 59);
	CHECK(claim_number(id, "exp") == NOW + 59 + 900);
	CHECK(claim_text(id, "at_hash").len == 22);
	CHECK(bytes_equal(claim_text(id, "sid"), claim_text(access, "sid")));
	play_done(&p);
}

static void
test_without_openid_there_is_no_id_token(void)
{
	struct play p;
	struct ask ask = page();

	open_with_spa(&p);
	ask.fields[ASK_SCOPE] = BYTES("reader");
	CHECK(!failed(play_ask(&p, NOW, use(code_for(&p, ask, NOW)))));
	CHECK(p.reply.fields[ANSWER_ID_TOKEN].len == 0);
	/* Nor by asking for it later: the login did not. */
	CHECK(!failed(play_ask(&p, NOW,
	                       (struct ask){ .kind = ASK_REFRESH,
	                                     .fields[ASK_CLIENT_ID] = BYTES("spa"),
	                                     .fields[ASK_SCOPE] = BYTES("openid profile"),
	                                     .fields[ASK_REFRESH_TOKEN] =
	                                             play_field(&p, ANSWER_REFRESH_TOKEN) })));
	CHECK(p.reply.fields[ANSWER_ID_TOKEN].len == 0);
	CHECK(bytes_is(play_field(&p, ANSWER_SCOPE), "reader"));
	play_done(&p);
}

/* How often the store was written. */
static void
store_mark(struct play *p, struct store_mark *ret)
{
	bool changed;

	*ret = (struct store_mark){ 0 };
	CHECK(!failed(issuer_store_changed(p->scene.store, ret, &changed)));
}

static void
test_case_30_code_used_again_ends_what_it_gave(void)
{
	struct play p;

	open_with_spa(&p);

	struct bytes code = code_for(&p, page(), NOW);

	CHECK(!failed(play_ask(&p, NOW + 1, use(code))));

	struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);
	struct bytes sid = claim_text(play_access(&p), "sid");
	struct store_mark before, after;

	CHECK(!play_is_revoked(&p, REVOKED_SESSION, sid));
	/* Ten minutes later it is still known. */
	(void)play_ask(&p, NOW + 600, use(code));
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_REUSED));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_NAME]), "alice"));
	CHECK(play_is_revoked(&p, REVOKED_SESSION, sid));
	/* Once: who found it in a log cannot make the store grow. */
	store_mark(&p, &before);
	(void)play_ask(&p, NOW + 600, use(code));
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_REUSED));
	store_mark(&p, &after);
	CHECK(before.own == after.own);
	(void)play_ask(&p, NOW + 601,
	               (struct ask){ .kind = ASK_REFRESH,
	                             .fields[ASK_CLIENT_ID] = BYTES("spa"),
	                             .fields[ASK_REFRESH_TOKEN] = refresh });
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_UNKNOWN));
	play_done(&p);
}

static void
test_case_30_what_does_not_fit_a_code_is_refused(void)
{
	static const struct {
		const char *what;
		enum ask_field field;
		struct bytes value;
		enum refusal code;
	} rows[] = {
		{ "unknown", ASK_CODE_TEXT, BYTES("x"), CODE_UNKNOWN },
		{ "no code", ASK_CODE_TEXT, { NULL, 0 }, CODE_UNKNOWN },
		{ "other verifier", ASK_VERIFIER,
		  BYTES("eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), CODE_VERIFIER },
		{ "no verifier", ASK_VERIFIER, { NULL, 0 }, CODE_VERIFIER },
		{ "the challenge itself (plain)", ASK_VERIFIER, BYTES(CHALLENGE), CODE_VERIFIER },
		{ "another redirect_uri of the client", ASK_REDIRECT_URI,
		  BYTES("http://127.0.0.1:3000/cb"), CODE_REDIRECT },
		{ "a redirect_uri that begins the same", ASK_REDIRECT_URI, BYTES(CALLBACK "/x"),
		  CODE_REDIRECT },
		{ "no redirect_uri", ASK_REDIRECT_URI, { NULL, 0 }, CODE_REDIRECT },
		{ "another client", ASK_CLIENT_ID, BYTES("spa2"), CODE_CLIENT },
	};
	struct play p;
	const char *why = refuse(CODE_UNKNOWN).why;

	open_with_spa(&p);
	(void)play_client(&p, (struct client){ .id = BYTES("spa2"),
	                                       .grants = CLIENT_CODE,
	                                       .is_public = true,
	                                       .redirect_uris = BYTES(CALLBACK) });

	struct bytes code = code_for(&p, page(), NOW);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ask ask = use(code);

		ask.fields[rows[i].field] = rows[i].value;
		(void)play_ask(&p, NOW, ask);
		CHECK_ROW(play_refused(&p, OAUTH_INVALID_GRANT, rows[i].code), rows[i].what);
		CHECK_ROW(bytes_is(buf_bytes(&p.reply.fields[ANSWER_DETAIL]), why), rows[i].what);
	}
	/* None of it ended the code. */
	CHECK(!failed(play_ask(&p, NOW, use(code))));
	play_done(&p);
}

static void
test_code_lives_a_minute(void)
{
	struct play p;

	open_with_spa(&p);

	struct bytes code = code_for(&p, page(), NOW);

	(void)play_ask(&p, NOW + 60, use(code));
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_EXPIRED));
	(void)play_ask(&p, NOW - 1, use(code)); /* the clock jumped back */
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_EXPIRED));
	CHECK(!failed(issuer_store_purge(p.scene.store, NOW + 3600)));
	(void)play_ask(&p, NOW + 1, use(code));
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_UNKNOWN));
	play_done(&p);
}

static void
test_user_who_changed_meanwhile_gets_nothing(void)
{
	struct play p;

	open_with_spa(&p);

	struct bytes code = code_for(&p, page(), NOW);

	CHECK(!failed(user_set_disabled(p.scene.store, BYTES("alice"), true)));
	(void)play_ask(&p, NOW, use(code));
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, CODE_USER));
	play_done(&p);
}

static void
test_authorize_asks_for_client_and_redirect_uri(void)
{
	static const struct {
		const char *what;
		struct bytes id, uri;
		enum oauth_error error;
		enum refusal code;
	} rows[] = {
		{ "unknown", BYTES("nobody"), BYTES(CALLBACK), OAUTH_INVALID_CLIENT,
		  CLIENT_UNKNOWN },
		{ "not for codes", BYTES("machine"), BYTES(CALLBACK), OAUTH_UNAUTHORIZED_CLIENT,
		  CLIENT_GRANT },
		{ "longer", BYTES("spa"), BYTES(CALLBACK "?x=1"), OAUTH_INVALID_REQUEST,
		  CLIENT_REDIRECT },
		{ "other case", BYTES("spa"), BYTES("https://SPA.test.invalid/cb"),
		  OAUTH_INVALID_REQUEST, CLIENT_REDIRECT },
		{ "both", BYTES("spa"), BYTES(CALLBACK " http://127.0.0.1:3000/cb"),
		  OAUTH_INVALID_REQUEST, CLIENT_REDIRECT },
		{ "none", BYTES("spa"), { NULL, 0 }, OAUTH_INVALID_REQUEST, CLIENT_REDIRECT },
	};
	struct play p;
	struct ask ask = { .kind = ASK_AUTHORIZE,
		           .fields[ASK_CLIENT_ID] = BYTES("spa"),
		           .fields[ASK_REDIRECT_URI] = BYTES("http://127.0.0.1:3000/cb") };

	open_with_spa(&p);
	(void)play_client(&p, (struct client){ .id = BYTES("machine") });
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_CLIENT_NAME]), "The app"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ask.fields[ASK_CLIENT_ID] = rows[i].id;
		ask.fields[ASK_REDIRECT_URI] = rows[i].uri;
		(void)play_ask(&p, NOW, ask);
		CHECK_ROW(play_refused(&p, rows[i].error, rows[i].code), rows[i].what);
	}
	play_done(&p);
}

/* Case 30: no code without PKCE, nor with its weaker method. */
static void
test_case_30_pkce_cannot_be_left_out(void)
{
	static const struct {
		const char *what;
		struct bytes challenge;
	} rows[] = {
		{ "none", { NULL, 0 } },
		{ "short", BYTES("abc") },
		{ "not base64url", BYTES("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM") },
		{ "longer", BYTES(CHALLENGE "A") },
	};
	struct play p;

	open_with_spa(&p);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ask ask = page();

		ask.fields[ASK_CHALLENGE] = rows[i].challenge;
		(void)play_login(&p, NOW, ask);
		CHECK_ROW(play_refused(&p, OAUTH_INVALID_REQUEST, CODE_CHALLENGE), rows[i].what);
	}
	play_done(&p);
}

/* A confidential client must prove itself, whoever holds the code. */
static void
test_confidential_client_proves_itself_for_its_code(void)
{
	struct play p;
	struct ask ask = page(), using;

	play_open(&p);

	struct bytes secret = play_bot(&p);

	ask.fields[ASK_CLIENT_ID] = BYTES("bot");
	ask.fields[ASK_REDIRECT_URI] = BYTES("https://bot.test.invalid/cb");
	using = use(code_for(&p, ask, NOW));
	using.fields[ASK_CLIENT_ID] = BYTES("bot");
	using.fields[ASK_REDIRECT_URI] = BYTES("https://bot.test.invalid/cb");
	(void)play_ask(&p, NOW, using);
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	using.fields[ASK_CLIENT_SECRET] = secret;
	CHECK(!failed(play_ask(&p, NOW, using)));
	play_done(&p);
}

/* RFC 9449 section 5: the family of a public client goes on with the key it began with. */
static void
test_family_of_a_public_client_is_bound_to_its_key(void)
{
	struct play p;
	struct ask ask, again = { .kind = ASK_REFRESH, .fields[ASK_CLIENT_ID] = BYTES("spa") };

	open_with_spa(&p);
	ask = use(code_for(&p, page(), NOW));
	ask.fields[ASK_KEY] = BYTES("key-one");
	CHECK(!failed(play_ask(&p, NOW, ask)));
	again.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	(void)play_ask(&p, NOW, again);
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_KEY));
	again.fields[ASK_KEY] = BYTES("key-two");
	(void)play_ask(&p, NOW, again);
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_KEY));
	again.fields[ASK_KEY] = BYTES("key-one");
	CHECK(!failed(play_ask(&p, NOW, again)));
	CHECK(bytes_is(claim_text(json_member(play_access(&p), "cnf"), "jkt"), "key-one"));
	play_done(&p);
}

static void
test_refresh_only_narrows(void)
{
	struct play p;
	struct ask again = { .kind = ASK_REFRESH, .fields[ASK_CLIENT_ID] = BYTES("spa") };

	open_with_spa(&p);
	CHECK(!failed(play_ask(&p, NOW, use(code_for(&p, page(), NOW)))));
	again.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	again.fields[ASK_SCOPE] = BYTES("reader editor"); /* hers, but not of this login */
	(void)play_ask(&p, NOW, again);
	CHECK(play_refused(&p, OAUTH_INVALID_SCOPE, SCOPE_BEYOND));
	again.fields[ASK_SCOPE] = BYTES("reader");
	CHECK(!failed(play_ask(&p, NOW, again)));
	CHECK(p.reply.fields[ANSWER_ID_TOKEN].len == 0);
	/* What was left out is not lost for the next (RFC 6749 section 6). */
	again.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	again.fields[ASK_SCOPE] = BYTES("");
	CHECK(!failed(play_ask(&p, NOW, again)));
	CHECK(bytes_is(claim_text(play_access(&p), "scope"), "reader"));
	/* OpenID Connect Core section 12.2: an ID token of the same login, without nonce. */
	const struct json *id = play_claims(&p, play_field(&p, ANSWER_ID_TOKEN));

	CHECK(claim_number(id, "auth_time") == NOW && json_member(id, "nonce") == NULL);
	play_done(&p);
}

/* A login whose refresh token has ended has access tokens still. */
static void
test_disabled_client_has_no_token_left(void)
{
	struct play p;

	open_with_spa(&p);
	p.scene.own.refresh_idle_ttl_s = 60;
	CHECK(!failed(play_ask(&p, NOW, use(code_for(&p, page(), NOW)))));
	struct bytes ended = claim_text(play_access(&p), "sid");

	CHECK(!failed(play_ask(&p, NOW + 100, use(code_for(&p, page(), NOW + 100)))));
	struct bytes live = claim_text(play_access(&p), "sid");

	CHECK(!failed(client_set_disabled(p.scene.store, BYTES("spa"), true)));
	CHECK(play_is_revoked(&p, REVOKED_SESSION, ended));
	CHECK(play_is_revoked(&p, REVOKED_SESSION, live));
	play_done(&p);
}

static void
test_disabled_client_leaves_old_logins_alone(void)
{
	struct play p;
	int64_t now_s = clock_wall_us() / 1000000;

	open_with_spa(&p);
	CHECK(!failed(play_ask(&p, now_s - 2000, use(code_for(&p, page(), now_s - 2000)))));
	struct bytes sid = claim_text(play_access(&p), "sid");
	struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);

	CHECK(!failed(client_set_disabled(p.scene.store, BYTES("spa"), true)));
	CHECK(!play_is_revoked(&p, REVOKED_SESSION, sid)); /* none of its tokens lives */
	CHECK(!failed(client_set_disabled(p.scene.store, BYTES("spa"), false)));
	(void)play_ask(&p, now_s,
	               (struct ask){ .kind = ASK_REFRESH,
	                             .fields[ASK_CLIENT_ID] = BYTES("spa"),
	                             .fields[ASK_REFRESH_TOKEN] = refresh });
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_UNKNOWN));
	play_done(&p);
}

TESTS(TEST(test_code_gives_tokens_by_the_vector_of_rfc_7636),
      TEST(test_without_openid_there_is_no_id_token),
      TEST(test_case_30_code_used_again_ends_what_it_gave),
      TEST(test_case_30_what_does_not_fit_a_code_is_refused), TEST(test_code_lives_a_minute),
      TEST(test_user_who_changed_meanwhile_gets_nothing),
      TEST(test_authorize_asks_for_client_and_redirect_uri),
      TEST(test_case_30_pkce_cannot_be_left_out),
      TEST(test_confidential_client_proves_itself_for_its_code),
      TEST(test_family_of_a_public_client_is_bound_to_its_key), TEST(test_refresh_only_narrows),
      TEST(test_disabled_client_has_no_token_left),
      TEST(test_disabled_client_leaves_old_logins_alone))
