/* The password grant beside clients, scopes, resources and keys; what a change does to sessions. */
#include "play.h"

static void
test_scope_narrows_a_login(void)
{
	static const struct {
		const char *scope, *roles, *answer;
	} rows[] = {
		{ "", "reader editor", "reader editor" },
		{ "reader", "reader", "reader" },
		{ "  editor  reader ", "reader editor", "reader editor" },
		{ "reader reader", "reader", "reader" },
		{ "reader admin", "reader", "reader" },
		{ "openid", "reader editor", "reader editor openid" },
		{ "offline_access reader email", "reader", "reader offline_access" },
	};
	struct play p;

	play_open(&p);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK_ROW(!failed(play_login(
				  &p, NOW,
				  (struct ask){ .kind = ASK_PASSWORD,
		                                .fields[ASK_SCOPE] = bytes_text(rows[i].scope) })),
		          rows[i].scope);
		CHECK_ROW(bytes_is(claim_text(play_access(&p), "scope"), rows[i].roles),
		          rows[i].scope);
		CHECK_ROW(bytes_is(buf_bytes(&p.reply.fields[ANSWER_SCOPE]), rows[i].answer),
		          rows[i].scope);
		CHECK_ROW(p.reply.fields[ANSWER_REFRESH_TOKEN].len == 64, rows[i].scope);
	}
	(void)play_login(&p, NOW,
	                 (struct ask){ .kind = ASK_PASSWORD, .fields[ASK_SCOPE] = BYTES("admin") });
	CHECK(play_refused(&p, OAUTH_INVALID_SCOPE, SCOPE_NONE));
	play_done(&p);
}

static void
test_resource_narrows_a_login_and_its_refreshes(void)
{
	struct play p;
	struct ask ask = { .kind = ASK_PASSWORD, .fields[ASK_RESOURCE] = BYTES("books") };

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, ask)));
	CHECK(bytes_is(claim_text(play_access(&p), "resource"), "books"));
	ask = (struct ask){ .kind = ASK_REFRESH,
		            .fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN),
		            .fields[ASK_RESOURCE] = BYTES("films") };
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_TARGET, TARGET_BEYOND));
	ask.fields[ASK_RESOURCE] = BYTES("");
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(bytes_is(claim_text(play_access(&p), "resource"), "books"));
	(void)play_login(
		&p, NOW,
		(struct ask){ .kind = ASK_PASSWORD, .fields[ASK_RESOURCE] = BYTES("nowhere") });
	CHECK(play_refused(&p, OAUTH_INVALID_TARGET, TARGET_UNKNOWN));
	play_done(&p);
}

/* Before any password is looked at. */
static void
test_client_is_proven_before_the_password(void)
{
	static const struct {
		const char *what;
		struct bytes id, secret;
		enum refusal code;
	} rows[] = {
		{ "confidential without secret", BYTES("bot"), { NULL, 0 }, CLIENT_UNPROVEN },
		{ "confidential, wrong secret", BYTES("bot"), BYTES("x"), CLIENT_UNPROVEN },
		{ "unknown with a secret", BYTES("nobody"), BYTES("x"), CLIENT_UNKNOWN },
		{ "a secret of nobody", { NULL, 0 }, BYTES("x"), CLIENT_UNKNOWN },
		{ "an audience", BYTES("api://books"), { NULL, 0 }, CLIENT_UNKNOWN },
	};
	struct play p;
	struct ask ask = { .kind = ASK_PASSWORD };

	play_open(&p);
	struct bytes secret = play_bot(&p);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ask.fields[ASK_CLIENT_ID] = rows[i].id;
		ask.fields[ASK_CLIENT_SECRET] = rows[i].secret;
		(void)play_ask(&p, NOW, ask);
		CHECK_ROW(play_refused(&p, OAUTH_INVALID_CLIENT, rows[i].code), rows[i].what);
	}
	ask.fields[ASK_CLIENT_ID] = BYTES("bot");
	ask.fields[ASK_CLIENT_SECRET] = secret;
	CHECK(!failed(play_login(&p, NOW, ask)));
	CHECK(bytes_is(claim_text(play_access(&p), "client_id"), "bot"));
	/* Its own client, and proven: else its refresh token is nobody's. */
	ask.kind = ASK_REFRESH;
	ask.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	ask.fields[ASK_CLIENT_SECRET] = BYTES("");
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	ask.fields[ASK_CLIENT_ID] = BYTES("");
	(void)play_ask(&p, NOW, ask);
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_CLIENT));
	play_done(&p);
}

/* The password took a while: meanwhile the client was disabled. */
static void
test_client_disabled_while_the_password_is_hashed(void)
{
	struct play p;
	struct ask ask = { .kind = ASK_PASSWORD, .fields[ASK_CLIENT_ID] = BYTES("spa") };

	play_open(&p);
	(void)play_client(&p, (struct client){ .id = BYTES("spa"), .is_public = true });
	CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(!failed(client_set_disabled(p.scene.store, BYTES("spa"), true)));

	struct user u = scene_user(&p.scene, "alice");

	p.verdict = issuer_login(p.issuer, &u, &ask, NOW, &p.reply);
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_DISABLED));
	play_done(&p);
}

static void
test_tokens_are_bound_to_all_that_is_proven(void)
{
	struct play p;

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW,
	                         (struct ask){ .kind = ASK_PASSWORD,
	                                       .fields[ASK_KEY] = BYTES("k"),
	                                       .fields[ASK_CERTIFICATE] = BYTES("c") })));
	const struct json *cnf = json_member(play_access(&p), "cnf");

	CHECK(cnf != NULL && cnf->count == 2);
	CHECK(bytes_is(claim_text(cnf, "jkt"), "k") && bytes_is(claim_text(cnf, "x5t#S256"), "c"));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_TOKEN_TYPE]), "DPoP"));
	play_done(&p);
}

static void
test_refresh_after_new_roles_gives_them(void)
{
	struct play p;
	struct ask again = { .kind = ASK_REFRESH };

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));

	const struct json *before = play_access(&p);

	again.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	CHECK(!failed(user_set_roles(p.scene.store, BYTES("alice"), BYTES("auditor"))));
	CHECK(play_is_revoked(&p, REVOKED_SUBJECT, claim_text(before, "sub")));
	CHECK(!failed(play_ask(&p, NOW, again)));

	const struct json *after = play_access(&p);

	CHECK(bytes_is(claim_text(after, "scope"), "auditor"));
	CHECK(claim_number(after, "gen") == claim_number(before, "gen") + 1);
	CHECK(bytes_equal(claim_text(after, "sid"), claim_text(before, "sid")));
	play_done(&p);
}

static void
test_reused_refresh_token_revokes_its_login(void)
{
	struct play p;
	struct ask again = { .kind = ASK_REFRESH };

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes sid = claim_text(play_access(&p), "sid");

	again.fields[ASK_REFRESH_TOKEN] = play_field(&p, ANSWER_REFRESH_TOKEN);
	CHECK(!failed(play_ask(&p, NOW, again)));
	CHECK(!play_is_revoked(&p, REVOKED_SESSION, sid));
	(void)play_ask(&p, NOW + 60, again);
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_REUSED));
	CHECK(play_is_revoked(&p, REVOKED_SESSION, sid));
	play_done(&p);
}

static void
test_every_refusal_has_its_words(void)
{
	for (unsigned n = 0; n < REFUSAL_COUNT; n++) {
		struct err e = refuse((enum refusal)n);

		CHECK(e.kind == ERR_IDENTITY && e.code == n && e.why != NULL && e.why[0] != 0);
		CHECK(refusal_error(e) != OAUTH_NONE && refusal_reason(e)[0] != 0);
		/* They stand in a quoted string of RFC 6749 section 5.2. */
		for (const char *at = e.why; *at != 0; at++)
			CHECK(*at >= 0x20 && *at <= 0x7e && *at != '"' && *at != '\\');
	}
}

TESTS(TEST(test_scope_narrows_a_login), TEST(test_resource_narrows_a_login_and_its_refreshes),
      TEST(test_client_is_proven_before_the_password),
      TEST(test_client_disabled_while_the_password_is_hashed),
      TEST(test_tokens_are_bound_to_all_that_is_proven),
      TEST(test_refresh_after_new_roles_gives_them),
      TEST(test_reused_refresh_token_revokes_its_login), TEST(test_every_refusal_has_its_words))
