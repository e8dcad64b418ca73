/* Browser sessions. */
#include <sqlite3.h>

#include "issuer/opaque.h"
#include "play.h"

#define ALICE "{\"issuer\":\"corp\",\"claims\":{\"sub\":\"alice-1\",\"sid\":\"s-1\",\"roles\":[]}}"

static struct err
keep(struct play *p, int64_t now_s, struct ask ask)
{
	reply_done(&p->reply);
	p->verdict = session_answer(p->scene.store, &p->scene.settings, &ask, now_s, &p->reply);
	return p->verdict;
}

static struct bytes
begin(struct play *p, const char *data, const char *life)
{
	CHECK(!failed(keep(p, NOW,
	                   (struct ask){ .kind = ASK_SESSION_BEGIN,
	                                 .fields[ASK_DATA] = bytes_text(data),
	                                 .fields[ASK_LIFE] = bytes_text(life) })));
	return play_field(p, ANSWER_SECRET);
}

static struct err
find(struct play *p, struct bytes secret, int64_t now_s)
{
	return keep(p, now_s,
	            (struct ask){ .kind = ASK_SESSION_FIND, .fields[ASK_SECRET] = secret });
}

static void
test_session_is_found_by_its_secret_until_it_ends(void)
{
	struct play p;

	play_open(&p);

	struct bytes secret = begin(&p, ALICE, "600");

	CHECK(secret.len == 43 && p.reply.expires_in_s == 600);
	CHECK(!failed(find(&p, secret, NOW + 100)));
	CHECK(bytes_is(buf_bytes(&p.reply.fields[ANSWER_DATA]), ALICE));
	CHECK(p.reply.expires_in_s == 500);
	CHECK(find(&p, secret, NOW + 600).kind == ERR_NOT_FOUND);
	CHECK(find(&p, BYTES("x"), NOW).kind == ERR_NOT_FOUND);
	CHECK(find(&p, BYTES(""), NOW).kind == ERR_NOT_FOUND);
	play_done(&p);
}

static void
test_session_lives_no_longer_than_configured(void)
{
	struct play p;

	play_open(&p);
	(void)begin(&p, ALICE, "999999");
	CHECK(p.reply.expires_in_s == 3600);
	play_done(&p);
}

static void
test_session_of_nobody_is_refused(void)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{}",
		"{\"issuer\":\"corp\"}",
		"{\"issuer\":\"corp\",\"claims\":{}}",
		"{\"issuer\":\"\",\"claims\":{\"sub\":\"a\"}}",
		"{\"claims\":{\"sub\":\"a\"}}",
	};
	struct play p;

	play_open(&p);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(keep(&p, NOW,
		               (struct ask){ .kind = ASK_SESSION_BEGIN,
		                             .fields[ASK_DATA] = bytes_text(rows[i]),
		                             .fields[ASK_LIFE] = BYTES("60") })
		                          .kind == ERR_PEER,
		          rows[i]);
	CHECK(keep(&p, NOW,
	           (struct ask){ .kind = ASK_SESSION_BEGIN,
	                         .fields[ASK_DATA] = BYTES(ALICE),
	                         .fields[ASK_LIFE] = BYTES("-1") })
	              .kind == ERR_PEER);
	play_done(&p);
}

/* The row that workers are told has the digest, as they have it in mind. */
static void
test_ended_session_is_told_to_all(void)
{
	struct play p;
	struct digest hash;

	play_open(&p);

	struct bytes secret = begin(&p, ALICE, "600"), other = begin(&p, ALICE, "600");

	CHECK(!failed(digest_of(secret, &hash)));
	CHECK(!failed(keep(&p, NOW,
	                   (struct ask){ .kind = ASK_SESSION_END, .fields[ASK_SECRET] = secret })));
	CHECK(find(&p, secret, NOW).kind == ERR_NOT_FOUND);
	CHECK(play_is_revoked(&p, REVOKED_COOKIE, digest_bytes(&hash)));
	CHECK(!failed(find(&p, other, NOW)));
	/* Ending it again is no fault. */
	CHECK(!failed(keep(&p, NOW,
	                   (struct ask){ .kind = ASK_SESSION_END, .fields[ASK_SECRET] = secret })));
	play_done(&p);
}

static void
test_revoked_subject_loses_its_sessions(void)
{
	struct play p;

	play_open(&p);

	struct bytes secret = begin(&p, ALICE, "600");
	struct bytes other =
		begin(&p, "{\"issuer\":\"okta\",\"claims\":{\"sub\":\"alice-1\"}}", "600");

	CHECK(!failed(revoke_subject(p.scene.store, "corp", false, BYTES("alice-1"), NOW)));
	CHECK(find(&p, secret, NOW).kind == ERR_NOT_FOUND);
	CHECK(!failed(find(&p, other, NOW))); /* another issuer's of the same name */
	play_done(&p);
}

static void
test_changed_local_user_loses_its_sessions(void)
{
	struct play p;
	struct buf data = { 0 };

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_SESSION_LOGIN })));

	const struct json *claims = NULL;

	CHECK(!failed(json_parse(play_field(&p, ANSWER_CLAIMS), &p.arena, &claims, NULL)));
	CHECK(bytes_is(claim_text(claims, "preferred_username"), "alice"));
	CHECK(bytes_is(claim_text(claims, "scope"), "reader editor"));
	CHECK(claim_number(claims, "gen") == 1 && claim_text(claims, "sid").len == 22);
	CHECK(p.reply.fields[ANSWER_ACCESS_TOKEN].len == 0);
	buf_put_text(&data, "{\"issuer\":\"local\",\"claims\":");
	buf_put(&data, buf_bytes(&p.reply.fields[ANSWER_CLAIMS]));
	buf_put_text(&data, "}");
	buf_put_u8(&data, 0);
	struct bytes secret = begin(&p, (const char *)data.at, "600");

	CHECK(!failed(find(&p, secret, NOW)));
	CHECK(!failed(user_set_roles(p.scene.store, BYTES("alice"), BYTES("reader"))));
	CHECK(find(&p, secret, NOW).kind == ERR_NOT_FOUND);
	buf_done(&data);
	play_done(&p);
}

/* Whoever may log in can do so again and again. */
static void
test_sessions_of_one_subject_are_bounded(void)
{
	struct play p;
	struct digest hash;

	play_open(&p);

	struct bytes first = begin(&p, ALICE, "3600"), second = begin(&p, ALICE, "3600");
	struct bytes other =
		begin(&p, "{\"issuer\":\"corp\",\"claims\":{\"sub\":\"bob-1\"}}", "3600");

	for (int i = 0; i < 63; i++)
		(void)begin(&p, ALICE, "3600");
	CHECK(find(&p, first, NOW).kind == ERR_NOT_FOUND);
	CHECK(!failed(digest_of(first, &hash)));
	CHECK(play_is_revoked(&p, REVOKED_COOKIE, digest_bytes(&hash)));
	CHECK(!failed(find(&p, second, NOW)) && !failed(find(&p, other, NOW)));
	/* What tells workers of it is dropped long before the session would have ended. */
	CHECK(!failed(issuer_store_purge(p.scene.store, NOW + 961)));
	CHECK(!play_is_revoked(&p, REVOKED_COOKIE, digest_bytes(&hash)));
	CHECK(!failed(find(&p, second, NOW + 961)));
	play_done(&p);
}

/* Between the password and the session: what was revoked then must not come back with it. */
static void
test_user_changed_during_the_login_gets_no_session(void)
{
	struct play p;
	struct buf data = { 0 };
	struct ask ask = { .kind = ASK_SESSION_BEGIN, .fields[ASK_LIFE] = BYTES("3600") };

	play_open(&p);
	CHECK(!failed(play_login(&p, NOW, (struct ask){ .kind = ASK_SESSION_LOGIN })));
	buf_put_text(&data, "{\"issuer\":\"local\",\"claims\":");
	buf_put(&data, buf_bytes(&p.reply.fields[ANSWER_CLAIMS]));
	buf_put_text(&data, "}");
	ask.fields[ASK_DATA] = buf_bytes(&data);
	CHECK(!failed(keep(&p, NOW, ask)));
	CHECK(!failed(user_set_disabled(p.scene.store, BYTES("alice"), true)));
	CHECK(keep(&p, NOW, ask).kind == ERR_NOT_FOUND);
	CHECK(!failed(user_set_disabled(p.scene.store, BYTES("alice"), false)));
	CHECK(keep(&p, NOW, ask).kind == ERR_NOT_FOUND);
	buf_done(&data);
	play_done(&p);
}

TESTS(TEST(test_session_is_found_by_its_secret_until_it_ends),
      TEST(test_session_lives_no_longer_than_configured), TEST(test_session_of_nobody_is_refused),
      TEST(test_ended_session_is_told_to_all), TEST(test_revoked_subject_loses_its_sessions),
      TEST(test_changed_local_user_loses_its_sessions),
      TEST(test_sessions_of_one_subject_are_bounded),
      TEST(test_user_changed_during_the_login_gets_no_session))
