/* Token exchange: each thing it gives is cut from what there was. */
#include "base/random.h"
#include "issuer/words.h"
#include "play.h"

#define KEY "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

struct agent {
	struct play play;
	struct bytes secret;  /* of the client "bot" */
	struct bytes subject; /* a token of alice's */
};

static void
open_agent(struct agent *a, struct ask login)
{
	play_open(&a->play);
	a->secret = play_bot(&a->play);
	login.kind = ASK_PASSWORD;
	CHECK(!failed(play_login(&a->play, NOW, login)));
	a->subject = play_field(&a->play, ANSWER_ACCESS_TOKEN);
}

static struct ask
exchange(const struct agent *a, struct bytes token)
{
	return (struct ask){ .kind = ASK_EXCHANGE,
		             .fields[ASK_CLIENT_ID] = BYTES("bot"),
		             .fields[ASK_CLIENT_SECRET] = a->secret,
		             .fields[ASK_SUBJECT_TOKEN] = token };
}

static struct ask
exchange_for(const struct agent *a, struct bytes token, struct bytes scope, struct bytes resource)
{
	struct ask ask = exchange(a, token);

	ask.fields[ASK_SCOPE] = scope;
	ask.fields[ASK_RESOURCE] = resource;
	return ask;
}

static void
test_exchanged_token_says_who_acts_and_does_less(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	CHECK(!failed(play_ask(p, NOW + 600,
	                       exchange_for(&a, a.subject, BYTES("reader"), BYTES("books")))));

	const struct json *before = play_claims(p, a.subject), *after = play_access(p);

	CHECK(bytes_equal(claim_text(after, "sub"), claim_text(before, "sub")));
	CHECK(bytes_equal(claim_text(after, "sid"), claim_text(before, "sid")));
	CHECK(!bytes_equal(claim_text(after, "jti"), claim_text(before, "jti")));
	CHECK(claim_number(after, "gen") == claim_number(before, "gen"));
	CHECK(bytes_is(claim_text(after, "scope"), "reader"));
	CHECK(bytes_is(claim_text(after, "resource"), "books"));
	CHECK(bytes_is(claim_text(after, "client_id"), "bot"));
	CHECK(bytes_is(claim_text(json_member(after, "act"), "sub"), "bot"));
	CHECK(json_member(json_member(after, "act"), "act") == NULL);
	/* It ends with the token it was made of. */
	CHECK(claim_number(after, "exp") == NOW + 900);
	CHECK(p->reply.expires_in_s == 300);
	CHECK(p->reply.fields[ANSWER_REFRESH_TOKEN].len == 0);
	CHECK(p->reply.fields[ANSWER_ID_TOKEN].len == 0);
	CHECK(bytes_is(buf_bytes(&p->reply.fields[ANSWER_AGENT]), "bot"));
	CHECK(bytes_is(buf_bytes(&p->reply.fields[ANSWER_NAME]), "alice"));
	play_done(p);
}

static void
test_exchanged_token_lives_shorter_than_one_just_given(void)
{
	struct agent a;
	struct play *p = &a.play;

	open_agent(&a, (struct ask){ 0 });
	CHECK(!failed(play_ask(p, NOW + 1, exchange_for(&a, a.subject, BYTES(""), BYTES("")))));
	CHECK(p->reply.expires_in_s == 400);
	CHECK(claim_number(play_access(p), "exp") == NOW + 401);
	play_done(p);
}

/* Who takes tokens of people only must still see that nobody logged in. */
static void
test_exchanged_token_of_a_service_account_is_still_one(void)
{
	struct agent a;
	struct play *p = &a.play;

	open_agent(&a, (struct ask){ 0 });
	CHECK(!failed(play_ask(p, NOW,
	                       (struct ask){ .kind = ASK_CLIENT,
	                                     .fields[ASK_CLIENT_ID] = BYTES("bot"),
	                                     .fields[ASK_CLIENT_SECRET] = a.secret })));
	struct bytes own = play_field(p, ANSWER_ACCESS_TOKEN);

	CHECK(!failed(play_ask(p, NOW, exchange(&a, own))));
	CHECK(bytes_is(claim_text(play_access(p), "idtyp"), "app"));
	CHECK(!failed(play_ask(p, NOW, exchange(&a, a.subject))));
	CHECK(json_member(play_access(p), "idtyp") == NULL);
	play_done(p);
}

static void
test_exchange_that_asks_for_more_is_refused(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ .fields[ASK_SCOPE] = BYTES("reader") });
	struct play *p = &a.play;

	/* Alice's, but not of this token; the agent's own; nobody's. */
	static const char *const scopes[] = { "editor", "reader editor", "auditor", "admin" };

	for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
		(void)play_ask(p, NOW,
		               exchange_for(&a, a.subject, bytes_text(scopes[i]), BYTES("")));
		CHECK_ROW(play_refused(p, OAUTH_INVALID_SCOPE, SCOPE_BEYOND), scopes[i]);
	}
	(void)play_ask(p, NOW, exchange_for(&a, a.subject, BYTES(""), BYTES("secrets")));
	CHECK(play_refused(p, OAUTH_INVALID_TARGET, TARGET_UNKNOWN));
	(void)play_ask(
		p, NOW,
		exchange_for(&a, a.subject, BYTES(""), BYTES("http://127.0.0.1:8080/api/secrets")));
	CHECK(play_refused(p, OAUTH_INVALID_TARGET, TARGET_UNKNOWN));
	(void)play_ask(p, NOW,
	               exchange_for(&a, a.subject, BYTES(""), BYTES("http://127.0.0.1:80801")));
	CHECK(play_refused(p, OAUTH_INVALID_TARGET, TARGET_UNKNOWN));
	play_done(p);
}

static void
test_exchanging_again_cuts_again(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	CHECK(!failed(play_ask(p, NOW,
	                       exchange_for(&a, a.subject, BYTES("reader"),
	                                    BYTES("http://127.0.0.1:8080/api/books")))));
	struct bytes narrow = play_field(p, ANSWER_ACCESS_TOKEN);

	(void)play_ask(p, NOW, exchange_for(&a, narrow, BYTES(""), BYTES("films")));
	CHECK(play_refused(p, OAUTH_INVALID_TARGET, TARGET_BEYOND));
	(void)play_ask(p, NOW, exchange_for(&a, narrow, BYTES("editor"), BYTES("")));
	CHECK(play_refused(p, OAUTH_INVALID_SCOPE, SCOPE_BEYOND));
	/* Neither saying nothing nor naming all of it takes the resource away. */
	CHECK(!failed(play_ask(p, NOW, exchange_for(&a, narrow, BYTES(""), BYTES("")))));
	CHECK(bytes_is(claim_text(play_access(p), "resource"), "books"));
	CHECK(!failed(play_ask(p, NOW, exchange_for(&a, narrow, BYTES(""), BYTES("api://books")))));
	const struct json *claims = play_access(p);

	CHECK(bytes_is(claim_text(claims, "resource"), "books"));
	CHECK(json_member(json_member(claims, "act"), "act") != NULL);
	CHECK(bytes_is(claim_text(claims, "scope"), "reader"));
	play_done(p);
}

static void
test_chain_of_actors_ends(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;
	struct bytes token = a.subject;

	for (int n = 0; n < 4; n++) {
		CHECK(!failed(play_ask(p, NOW, exchange(&a, token))));
		token = play_field(p, ANSWER_ACCESS_TOKEN);
	}
	(void)play_ask(p, NOW, exchange(&a, token));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_CHAIN));
	play_done(p);
}

static struct bytes
words(struct play *p, const char *const *all, size_t count)
{
	struct buf text = { 0 };
	uint8_t bits[2];

	random_fill(bits, sizeof bits);
	for (size_t i = 0; i < count; i++)
		if ((bits[i / 8] >> (i % 8) & 1) != 0)
			words_put(&text, bytes_text(all[i]));
	struct bytes kept = arena_copy(&p->arena, buf_bytes(&text));

	buf_done(&text);
	return kept;
}

static bool
is_part(struct bytes part, struct bytes whole)
{
	struct bytes word;

	while (words_next(&part, &word))
		if (!words_have(whole, word))
			return false;
	return true;
}

/* Whatever is asked for, along any chain of exchanges: roles, resource and life only shrink. */
static void
test_property_nothing_ever_widens(void)
{
	static const char *const roles[] = { "a", "b", "c", "d", "reader", "openid", "Books.Read" };
	static const char *const targets[] = { "",      "books",
		                               "films", "api://books",
		                               "other", "http://127.0.0.1:8080/api/films" };
	struct agent a;
	unsigned granted = 0, refused = 0;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	for (int round = 0; round < 60; round++) {
		int64_t now_s = NOW;

		CHECK(!failed(user_set_roles(p->scene.store, BYTES("alice"),
		                             words(p, roles, sizeof roles / sizeof *roles))));
		CHECK(!failed(play_login(p, now_s, (struct ask){ .kind = ASK_PASSWORD })));

		struct bytes token = play_field(p, ANSWER_ACCESS_TOKEN);

		for (int n = 0; n < 4; n++) {
			const struct json *before = play_claims(p, token), *after;
			uint8_t choice;

			random_fill(&choice, 1);
			now_s += choice % 100;
			if (failed(play_ask(
				    p, now_s,
				    exchange_for(&a, token,
			                         words(p, roles, sizeof roles / sizeof *roles),
			                         bytes_text(targets[choice % 6]))))) {
				refused++;
				CHECK(p->verdict.code == SCOPE_BEYOND ||
				      p->verdict.code == SCOPE_NONE ||
				      p->verdict.code == TARGET_BEYOND ||
				      p->verdict.code == TARGET_UNKNOWN);
				continue;
			}
			granted++;
			after = play_access(p);
			CHECK(is_part(claim_text(after, "scope"), claim_text(before, "scope")));
			CHECK(json_member(after, "roles")->count ==
			      words_count(claim_text(after, "scope")));
			CHECK(claim_number(after, "exp") <= claim_number(before, "exp"));
			CHECK(claim_text(before, "resource").len == 0 ||
			      bytes_equal(claim_text(after, "resource"),
			                  claim_text(before, "resource")));
			CHECK(bytes_equal(claim_text(after, "sub"), claim_text(before, "sub")));
			token = play_field(p, ANSWER_ACCESS_TOKEN);
		}
	}
	CHECK(granted > 10 && refused > 10);
	play_done(p);
}

/* What is no token of ours that counts. */
static void
test_subject_tokens_that_do_not_count(void)
{
	struct agent a;
	struct buf changed = { 0 };

	open_agent(&a, (struct ask){ .fields[ASK_SCOPE] = BYTES("openid"),
	                             .fields[ASK_CLIENT_ID] = BYTES("web") });
	struct play *p = &a.play;
	struct bytes id = play_field(p, ANSWER_ID_TOKEN);
	struct bytes refresh = play_field(p, ANSWER_REFRESH_TOKEN);

	CHECK(id.len > 0);
	(void)play_ask(p, NOW, exchange(&a, id));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_TOKEN));
	(void)play_ask(p, NOW, exchange(&a, refresh));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_TOKEN));
	(void)play_ask(p, NOW, exchange(&a, BYTES("")));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_TOKEN));
	buf_put(&changed, a.subject);
	changed.at[changed.len - 3] ^= 1;
	(void)play_ask(p, NOW, exchange(&a, buf_bytes(&changed)));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_TOKEN));
	(void)play_ask(p, NOW + 900, exchange(&a, a.subject));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_TOKEN));
	CHECK(!failed(play_ask(p, NOW + 899, exchange(&a, a.subject))));
	buf_done(&changed);
	play_done(p);
}

static void
test_revoked_subject_token_is_refused(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;
	struct bytes jti = claim_text(play_claims(p, a.subject), "jti");

	CHECK(!failed(play_ask(p, NOW, exchange(&a, a.subject))));
	CHECK(!failed(revoke_token(p->scene.store, "local", jti, NOW + 900)));
	(void)play_ask(p, NOW, exchange(&a, a.subject));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_REVOKED));

	CHECK(!failed(play_login(p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	a.subject = play_field(p, ANSWER_ACCESS_TOKEN);
	CHECK(!failed(user_set_roles(p->scene.store, BYTES("alice"), BYTES("reader"))));
	(void)play_ask(p, NOW, exchange(&a, a.subject));
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_REVOKED));
	/* One of right after the change is good at once. */
	CHECK(!failed(play_login(p, NOW, (struct ask){ .kind = ASK_PASSWORD })));
	CHECK(!failed(play_ask(p, NOW, exchange(&a, play_field(p, ANSWER_ACCESS_TOKEN)))));
	play_done(p);
}

static void
test_bound_subject_token_needs_its_key(void)
{
	struct agent a;
	struct ask ask;

	open_agent(&a, (struct ask){ .fields[ASK_KEY] = BYTES(KEY) });
	struct play *p = &a.play;

	ask = exchange(&a, a.subject);
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_UNPROVEN));
	ask.fields[ASK_KEY] = BYTES("another");
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, SUBJECT_UNPROVEN));
	ask.fields[ASK_KEY] = BYTES(KEY);
	CHECK(!failed(play_ask(p, NOW, ask)));
	CHECK(bytes_is(claim_text(json_member(play_access(p), "cnf"), "jkt"), KEY));
	play_done(p);
}

static void
test_actor_token_is_the_clients_own(void)
{
	struct agent a;
	struct ask ask;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	ask = exchange(&a, a.subject);
	ask.fields[ASK_ACTOR_TOKEN] = a.subject;
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_INVALID_REQUEST, ACTOR_TOKEN));
	CHECK(!failed(play_ask(p, NOW,
	                       (struct ask){ .kind = ASK_CLIENT,
	                                     .fields[ASK_CLIENT_ID] = BYTES("bot"),
	                                     .fields[ASK_CLIENT_SECRET] = a.secret })));
	ask.fields[ASK_ACTOR_TOKEN] = play_field(p, ANSWER_ACCESS_TOKEN);
	CHECK(!failed(play_ask(p, NOW, ask)));
	play_done(p);
}

static void
test_only_a_client_with_the_grant_exchanges(void)
{
	struct agent a;
	struct ask ask;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	ask = exchange(&a, a.subject);
	ask.fields[ASK_CLIENT_SECRET] = BYTES("");
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_INVALID_CLIENT, CLIENT_UNPROVEN));
	ask.fields[ASK_CLIENT_ID] = BYTES("");
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_INVALID_CLIENT, CLIENT_UNKNOWN));
	ask.fields[ASK_CLIENT_SECRET] = play_client(p, (struct client){ .id = BYTES("web") });
	ask.fields[ASK_CLIENT_ID] = BYTES("web");
	(void)play_ask(p, NOW, ask);
	CHECK(play_refused(p, OAUTH_UNAUTHORIZED_CLIENT, CLIENT_GRANT));
	play_done(p);
}

static void
test_what_an_agent_exchanged_ends_with_it(void)
{
	struct agent a;

	open_agent(&a, (struct ask){ 0 });
	struct play *p = &a.play;

	CHECK(!failed(play_ask(p, NOW, exchange(&a, a.subject))));
	struct bytes jti = claim_text(play_access(p), "jti");

	CHECK(!play_is_revoked(p, REVOKED_TOKEN, jti));
	CHECK(!failed(client_set_disabled(p->scene.store, BYTES("bot"), true)));
	CHECK(play_is_revoked(p, REVOKED_TOKEN, jti));
	play_done(p);
}

TESTS(TEST(test_exchanged_token_says_who_acts_and_does_less),
      TEST(test_exchanged_token_lives_shorter_than_one_just_given),
      TEST(test_exchanged_token_of_a_service_account_is_still_one),
      TEST(test_exchange_that_asks_for_more_is_refused), TEST(test_exchanging_again_cuts_again),
      TEST(test_chain_of_actors_ends), TEST(test_property_nothing_ever_widens),
      TEST(test_subject_tokens_that_do_not_count), TEST(test_revoked_subject_token_is_refused),
      TEST(test_bound_subject_token_needs_its_key), TEST(test_actor_token_is_the_clients_own),
      TEST(test_only_a_client_with_the_grant_exchanges),
      TEST(test_what_an_agent_exchanged_ends_with_it))
