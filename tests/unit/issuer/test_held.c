/* Giving tokens back (RFC 7009) and asking about them (RFC 7662). */
#include "issuer/revoke.h"
#include "play.h"

static struct ask
about(enum ask_kind kind, struct bytes id, struct bytes secret, struct bytes token)
{
	return (struct ask){ .kind = kind,
		             .fields[ASK_CLIENT_ID] = id,
		             .fields[ASK_CLIENT_SECRET] = secret,
		             .fields[ASK_TOKEN] = token };
}

static const struct json *
answer_of(struct play *p, struct bytes secret, struct bytes token, int64_t now_s)
{
	const struct json *claims = NULL;

	CHECK(!failed(play_ask(p, now_s, about(ASK_INTROSPECT, BYTES("bot"), secret, token))));
	CHECK(!failed(json_parse(play_field(p, ANSWER_CLAIMS), &p->arena, &claims, NULL)));
	return claims;
}

static bool
is_active(struct play *p, struct bytes secret, struct bytes token, int64_t now_s)
{
	const struct json *claims = answer_of(p, secret, token, now_s);
	bool active = false;

	CHECK(json_bool(json_member(claims, "active"), &active));
	CHECK(active || claims->count == 1); /* it says nothing else */
	return active;
}

static void
test_access_token_is_introspected(void)
{
	struct play p;

	play_open(&p);

	struct bytes secret = play_bot(&p);

	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);
	const struct json *claims = answer_of(&p, secret, token, NOW);

	CHECK(bytes_is(claim_text(claims, "username"), "alice"));
	CHECK(bytes_is(claim_text(claims, "token_type"), "Bearer"));
	CHECK(bytes_is(claim_text(claims, "scope"), "reader editor"));
	CHECK(bytes_is(claim_text(claims, "iss"), "http://127.0.0.1:8080"));
	CHECK(claim_number(claims, "exp") == NOW + 900);
	CHECK(is_active(&p, secret, token, NOW + 899) && !is_active(&p, secret, token, NOW + 900));
	CHECK(!failed(user_set_disabled(p.scene.store, BYTES("alice"), true)));
	CHECK(!is_active(&p, secret, token, NOW));
	play_done(&p);
}

static void
test_refresh_token_is_introspected_by_its_client_only(void)
{
	struct play p;
	struct ask login = { .kind = ASK_PASSWORD, .fields[ASK_CLIENT_ID] = BYTES("bot") };

	play_open(&p);

	struct bytes secret = login.fields[ASK_CLIENT_SECRET] = play_bot(&p);

	CHECK(!failed(play_login(&p, NOW, login)));
	struct bytes mine = play_field(&p, ANSWER_REFRESH_TOKEN);

	CHECK(bytes_is(claim_text(answer_of(&p, secret, mine, NOW), "token_type"),
	               "refresh_token"));
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	CHECK(!is_active(&p, secret, play_field(&p, ANSWER_REFRESH_TOKEN), NOW));
	/* One that was used up is not active. */
	CHECK(!failed(play_ask(&p, NOW,
	                       (struct ask){ .kind = ASK_REFRESH,
	                                     .fields[ASK_CLIENT_ID] = BYTES("bot"),
	                                     .fields[ASK_CLIENT_SECRET] = secret,
	                                     .fields[ASK_REFRESH_TOKEN] = mine })));
	CHECK(!is_active(&p, secret, mine, NOW + 60));
	play_done(&p);
}

static void
test_what_is_no_token_is_not_active(void)
{
	static const char *const rows[] = {
		"", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	};
	struct play p;

	play_open(&p);

	struct bytes secret = play_bot(&p);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(!is_active(&p, secret, bytes_text(rows[i]), NOW), rows[i]);
	play_done(&p);
}

static void
test_only_a_confidential_client_asks(void)
{
	struct play p;

	play_open(&p);
	(void)play_bot(&p);
	(void)play_client(&p, (struct client){ .id = BYTES("spa"), .is_public = true });
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);

	(void)play_ask(&p, NOW, about(ASK_INTROSPECT, BYTES("spa"), BYTES(""), token));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	(void)play_ask(&p, NOW, about(ASK_INTROSPECT, BYTES(""), BYTES(""), token));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	(void)play_ask(&p, NOW, about(ASK_INTROSPECT, BYTES("bot"), BYTES("x"), token));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	play_done(&p);
}

static void
test_refresh_token_given_back_ends_its_login(void)
{
	struct play p;

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);
	struct bytes sid = claim_text(play_access(&p), "sid");

	CHECK(!failed(play_ask(&p, NOW, about(ASK_REVOKE, BYTES(""), BYTES(""), refresh))));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_NAME]), "alice"));
	CHECK(play_is_revoked(&p, REVOKED_SESSION, sid));
	(void)play_ask(&p, NOW,
	               (struct ask){ .kind = ASK_REFRESH, .fields[ASK_REFRESH_TOKEN] = refresh });
	CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_UNKNOWN));
	/* Again: it is gone, as was wanted. */
	CHECK(!failed(play_ask(&p, NOW, about(ASK_REVOKE, BYTES(""), BYTES(""), refresh))));
	play_done(&p);
}

static void
test_access_token_given_back_ends_alone(void)
{
	struct play p;

	play_open(&p);
	struct bytes secret = play_bot(&p);

	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);
	struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);

	CHECK(!failed(play_ask(&p, NOW, about(ASK_REVOKE, BYTES(""), BYTES(""), token))));
	CHECK(play_is_revoked(&p, REVOKED_TOKEN, claim_text(play_claims(&p, token), "jti")));
	CHECK(!is_active(&p, secret, token, NOW));
	CHECK(!failed(play_ask(
		&p, NOW,
		(struct ask){ .kind = ASK_REFRESH, .fields[ASK_REFRESH_TOKEN] = refresh })));
	CHECK(is_active(&p, secret, play_field(&p, ANSWER_ACCESS_TOKEN), NOW));
	play_done(&p);
}

static int64_t
rows_of(struct play *p, const char *table)
{
	struct buf sql = { 0 };
	struct statement q;
	bool row = false;

	buf_printf(&sql, "SELECT count(*) FROM %s", table);
	buf_put_u8(&sql, 0);
	statement_start(&q, p->scene.store, (const char *)sql.at);
	CHECK(!failed(statement_row(&q, &row)) && row);
	int64_t count = statement_column_int(&q, 0);

	statement_done(&q);
	buf_done(&sql);
	return count;
}

/* Anyone who has it could make the store grow. */
static void
test_what_has_ended_is_not_written_down_again(void)
{
	struct play p;

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);
	struct ask ask = about(ASK_REVOKE, BYTES(""), BYTES(""), token);
	int64_t rows = rows_of(&p, "revocation"), events = rows_of(&p, "event");

	CHECK(!failed(play_ask(&p, NOW + 900, ask))); /* it has expired */
	CHECK(rows_of(&p, "revocation") == rows && rows_of(&p, "event") == events);
	for (int i = 0; i < 3; i++)
		CHECK(!failed(play_ask(&p, NOW, ask)));
	CHECK(rows_of(&p, "revocation") == rows + 1 && rows_of(&p, "event") == events + 1);
	play_done(&p);
}

static void
fill(struct play *p, unsigned count)
{
	struct transaction t;

	CHECK(!failed(transaction_begin(&t, p->scene.store)));
	for (unsigned i = 0; i < count; i++) {
		struct revocation r = { .kind = REVOKED_TOKEN,
			                .issuer = BYTES("local"),
			                .value = { (const uint8_t *)&i, sizeof i },
			                .until_s = NOW + 900 };
		CHECK(!failed(revocation_add(p->scene.store, &r)));
	}
	CHECK(!failed(transaction_commit(&t)));
}

/* A worker that has no more room for revocations refuses everybody's tokens: one user who makes
 * tokens and gives them back must not get it there. */
static void
test_flood_of_tokens_given_back_ends_what_their_subject_has(void)
{
	struct play p;

	play_open(&p);
	fill(&p, 16384);
	for (int i = 0; i < 5; i++) {
		int64_t rows = rows_of(&p, "revocation");

		CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
		struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);
		struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);

		CHECK(!failed(play_ask(&p, NOW, about(ASK_REVOKE, BYTES(""), BYTES(""), token))));
		CHECK(play_is_revoked(&p, REVOKED_SUBJECT,
		                      claim_text(play_claims(&p, token), "sub")));
		CHECK(rows_of(&p, "revocation") == rows + (i == 0)); /* and no more, ever */
		(void)play_ask(
			&p, NOW,
			(struct ask){ .kind = ASK_REFRESH, .fields[ASK_REFRESH_TOKEN] = refresh });
		CHECK(play_refused(&p, OAUTH_INVALID_GRANT, REFRESH_UNKNOWN));
	}
	play_done(&p);
}

static void
test_nobody_gives_back_what_is_anothers(void)
{
	struct play p;

	play_open(&p);
	struct bytes secret = play_bot(&p);

	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	struct bytes refresh = play_field(&p, ANSWER_REFRESH_TOKEN);
	struct bytes token = play_field(&p, ANSWER_ACCESS_TOKEN);

	(void)play_ask(&p, NOW, about(ASK_REVOKE, BYTES("bot"), secret, token));
	CHECK(play_refused(&p, OAUTH_UNAUTHORIZED_CLIENT, TOKEN_CLIENT));
	(void)play_ask(&p, NOW, about(ASK_REVOKE, BYTES("bot"), secret, refresh));
	CHECK(play_refused(&p, OAUTH_UNAUTHORIZED_CLIENT, TOKEN_CLIENT));
	(void)play_ask(&p, NOW, about(ASK_REVOKE, BYTES("bot"), BYTES("x"), token));
	CHECK(play_refused(&p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	CHECK(is_active(&p, secret, token, NOW));
	/* What is unknown is granted, and says nothing. */
	CHECK(!failed(play_ask(&p, NOW, about(ASK_REVOKE, BYTES("bot"), secret, BYTES("x")))));
	CHECK(p.reply.fields[ANSWER_CLAIMS].len == 0);
	play_done(&p);
}

TESTS(TEST(test_access_token_is_introspected),
      TEST(test_refresh_token_is_introspected_by_its_client_only),
      TEST(test_what_is_no_token_is_not_active), TEST(test_only_a_confidential_client_asks),
      TEST(test_refresh_token_given_back_ends_its_login),
      TEST(test_access_token_given_back_ends_alone),
      TEST(test_what_has_ended_is_not_written_down_again),
      TEST(test_flood_of_tokens_given_back_ends_what_their_subject_has),
      TEST(test_nobody_gives_back_what_is_anothers))
