/* Sessions: rotation, reuse, grace, lifetimes, and who ends them. */
#include <sqlite3.h>
#include <sys/wait.h>

#include "format/base64.h"
#include "scene.h"

enum { DAY = 86400 };

static struct issuer *
open_issuer(struct scene *s)
{
	struct issuer *i = NULL;

	scene_store(s);
	CHECK(!failed(issuer_open(&s->settings, 0, s->store, SCENE_NOW_S, &i)));
	return i;
}

static void
grant(struct scene *s, struct issuer *i, int64_t now_s, struct reply *ret)
{
	struct user u = scene_user(s, "alice");

	*ret = (struct reply){ 0 };
	CHECK(!failed(scene_grant(i, &u, BYTES(""), now_s, ret)));
}

/* Uses the token; the answer's refresh token replaces it when `next` is not NULL. */
static struct err
use(struct issuer *i, const struct reply *t, int64_t now_s, struct reply *next)
{
	struct reply got = { 0 };
	struct err e = scene_refresh(i, buf_bytes(&t->fields[ANSWER_REFRESH_TOKEN]), BYTES(""),
	                             now_s, &got);

	if (next != NULL)
		*next = got;
	else
		reply_done(&got);
	return e;
}

static int64_t
count(struct scene *s, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q = NULL;
	int64_t value = -1;

	CHECK(sqlite3_open(s->file, &db) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK);
	if (sqlite3_step(q) == SQLITE_ROW)
		value = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return value;
}

static void
done(struct scene *s, struct issuer *i)
{
	issuer_close(i);
	scene_done(s);
}

static void
test_refresh_gives_a_new_pair(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, second;

	grant(&s, i, SCENE_NOW_S, &first);
	CHECK(first.fields[ANSWER_REFRESH_TOKEN].len == 64);
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 100, &second)));
	CHECK(second.fields[ANSWER_ACCESS_TOKEN].len > 100 &&
	      second.fields[ANSWER_REFRESH_TOKEN].len == 64 && second.expires_in_s == 900);
	CHECK(bytes_equal(buf_bytes(&first.fields[ANSWER_SUBJECT]),
	                  buf_bytes(&second.fields[ANSWER_SUBJECT])));
	CHECK(!bytes_equal(buf_bytes(&first.fields[ANSWER_REFRESH_TOKEN]),
	                   buf_bytes(&second.fields[ANSWER_REFRESH_TOKEN])));
	CHECK(!failed(use(i, &second, SCENE_NOW_S + 200, NULL)));
	reply_done(&first);
	reply_done(&second);
	done(&s, i);
}

/* The time of the password and the current roles stand in the refreshed access token. */
static void
test_refreshed_token_keeps_auth_time_and_reads_roles_anew(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, second;
	struct jws j = { 0 };
	int64_t auth_s = 0, issued_s = 0;
	sqlite3 *db;

	grant(&s, i, SCENE_NOW_S, &first);
	CHECK(sqlite3_open(s.file, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "UPDATE user SET roles = 'auditor'", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 100, &second)));
	CHECK(!failed(jws_parse(buf_bytes(&second.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)));
	CHECK(json_int64(json_member(j.payload, "auth_time"), &auth_s) && auth_s == SCENE_NOW_S);
	CHECK(json_int64(json_member(j.payload, "iat"), &issued_s) &&
	      issued_s == SCENE_NOW_S + 100);

	const struct json *roles = json_member(j.payload, "roles");
	struct bytes role = { 0 };

	CHECK(roles != NULL && roles->count == 1 && json_string(json_first(roles), &role) &&
	      bytes_is(role, "auditor"));
	reply_done(&first);
	reply_done(&second);
	done(&s, i);
}

static void
test_case_30_token_used_again_revokes_the_family(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, second, other;

	grant(&s, i, SCENE_NOW_S, &first);
	grant(&s, i, SCENE_NOW_S, &other);
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 1, &second)));

	struct err e = use(i, &first, SCENE_NOW_S + 12, NULL);

	CHECK(e.kind == ERR_IDENTITY && e.code == REFRESH_REUSED);
	CHECK(use(i, &second, SCENE_NOW_S + 13, NULL).kind ==
	      ERR_IDENTITY); /* the thief's or the owner's: gone */
	CHECK(!failed(use(i, &other, SCENE_NOW_S + 14, NULL))); /* another login goes on */
	reply_done(&first);
	reply_done(&second);
	reply_done(&other);
	done(&s, i);
}

/* Who was attacked, or attacks: the record must say so, and the answer must not hold a token. */
static void
test_case_30_a_refusal_tells_whose_session_it_was(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, got;

	grant(&s, i, SCENE_NOW_S, &first);
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 1, NULL)));
	CHECK(use(i, &first, SCENE_NOW_S + 60, &got).code == REFRESH_REUSED);
	CHECK(got.fields[ANSWER_SUBJECT].len == 36 &&
	      bytes_equal(buf_bytes(&got.fields[ANSWER_SUBJECT]),
	                  buf_bytes(&first.fields[ANSWER_SUBJECT])));
	CHECK(bytes_is(buf_bytes(&got.fields[ANSWER_NAME]), "alice"));
	CHECK(got.fields[ANSWER_ACCESS_TOKEN].len == 0 &&
	      got.fields[ANSWER_REFRESH_TOKEN].len == 0);
	CHECK(count(&s, "SELECT count(*) FROM family") == 0);
	reply_done(&got);
	CHECK(use(i, &first, SCENE_NOW_S + 61, &got).code == REFRESH_UNKNOWN &&
	      got.fields[ANSWER_SUBJECT].len == 0);
	reply_done(&got);
	reply_done(&first);
	done(&s, i);
}

static void
test_case_30_every_old_token_of_a_long_session_revokes_it(void)
{
	for (int stolen = 0; stolen < 5; stolen++) {
		struct scene s;
		struct issuer *i = open_issuer(&s);
		struct reply tokens[6];

		grant(&s, i, SCENE_NOW_S, &tokens[0]);
		for (int n = 1; n < 6; n++)
			CHECK(!failed(use(i, &tokens[n - 1], SCENE_NOW_S + n, &tokens[n])));
		/* Even within the 10 s: the token after it was used already, so no answer was lost.
		 */
		int64_t now_s = stolen == 4 ? SCENE_NOW_S + 16 : SCENE_NOW_S + 5;

		CHECK(use(i, &tokens[stolen], now_s, NULL).code == REFRESH_REUSED);
		CHECK(use(i, &tokens[5], now_s, NULL).kind == ERR_IDENTITY);
		for (int n = 0; n < 6; n++)
			reply_done(&tokens[n]);
		done(&s, i);
	}
}

static void
test_lost_answer_gets_the_same_successor_for_10_seconds(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, second, again;

	grant(&s, i, SCENE_NOW_S, &first);
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 1, &second)));
	CHECK(!failed(use(i, &first, SCENE_NOW_S + 11, &again)));
	CHECK(bytes_equal(buf_bytes(&second.fields[ANSWER_REFRESH_TOKEN]),
	                  buf_bytes(&again.fields[ANSWER_REFRESH_TOKEN])));
	CHECK(!failed(use(i, &again, SCENE_NOW_S + 12, NULL)));
	reply_done(&first);
	reply_done(&second);
	reply_done(&again);
	done(&s, i);
}

static void
test_unknown_tokens_are_refused_and_end_nothing(void)
{
	static const char *const rows[] = {
		"",
		"x",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t, got = { 0 };

	grant(&s, i, SCENE_NOW_S, &t);
	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
		struct err e = scene_refresh(i, bytes_text(rows[n]), BYTES(""), SCENE_NOW_S, &got);

		CHECK_ROW(e.kind == ERR_IDENTITY && e.code == REFRESH_UNKNOWN, rows[n]);
		reply_done(&got);
	}
	CHECK(!failed(use(i, &t, SCENE_NOW_S, NULL)));
	reply_done(&t);
	done(&s, i);
}

static void
test_all_refusals_read_the_same(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, got = { 0 }, other = { 0 };

	grant(&s, i, SCENE_NOW_S, &first);

	struct err unknown = scene_refresh(i, BYTES("x"), BYTES(""), SCENE_NOW_S, &got);
	struct err client = scene_refresh(i, buf_bytes(&first.fields[ANSWER_REFRESH_TOKEN]),
	                                  BYTES("other"), SCENE_NOW_S, &other);

	CHECK(!failed(use(i, &first, SCENE_NOW_S, NULL)));

	struct err reused = use(i, &first, SCENE_NOW_S + 60, NULL);

	CHECK(client.code == REFRESH_CLIENT && reused.code == REFRESH_REUSED);
	CHECK(unknown.why == client.why && unknown.why == reused.why);
	CHECK(unknown.kind == ERR_IDENTITY && client.kind == ERR_IDENTITY &&
	      reused.kind == ERR_IDENTITY);
	CHECK(got.fields[ANSWER_SUBJECT].len == 0 && got.fields[ANSWER_NAME].len == 0);
	reply_done(&got);
	reply_done(&other);
	reply_done(&first);
	done(&s, i);
}

static void
test_another_client_cannot_use_a_token(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct user u = scene_user(&s, "alice");
	struct reply t = { 0 }, got = { 0 };

	CHECK(!failed(scene_grant(i, &u, BYTES("spa"), SCENE_NOW_S, &t)));
	CHECK(scene_refresh(i, buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), BYTES(""), SCENE_NOW_S,
	                    &got)
	              .code == REFRESH_CLIENT);
	reply_done(&got);
	CHECK(!failed(scene_refresh(i, buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), BYTES("spa"),
	                            SCENE_NOW_S, &got)));
	reply_done(&t);
	reply_done(&got);
	CHECK(scene_grant(i, &u, BYTES("a\nb"), SCENE_NOW_S, &t).kind == ERR_PEER);
	reply_done(&t);
	done(&s, i);
}

static void
test_idle_and_absolute_lifetimes_end_a_session(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply idle, t, next;

	grant(&s, i, SCENE_NOW_S, &idle);
	CHECK(use(i, &idle, SCENE_NOW_S + 7 * DAY, NULL).kind == ERR_IDENTITY);
	reply_done(&idle);

	grant(&s, i, SCENE_NOW_S, &t);
	for (int day = 6; day < 30; day += 6) {
		CHECK(!failed(use(i, &t, SCENE_NOW_S + day * DAY, &next)));
		reply_done(&t);
		t = next;
	}
	CHECK(use(i, &t, SCENE_NOW_S + 30 * DAY, NULL).kind == ERR_IDENTITY);
	CHECK(use(i, &t, SCENE_NOW_S + 29 * DAY, NULL).kind ==
	      ERR_IDENTITY); /* the clock jumped back: it stays dead */
	reply_done(&t);
	done(&s, i);
}

static void
test_clock_that_jumps_back_revives_neither_session_nor_grace(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply expired, used, successor, touch;

	grant(&s, i, SCENE_NOW_S, &expired);
	grant(&s, i, SCENE_NOW_S + 6 * DAY, &used);
	CHECK(!failed(use(i, &used, SCENE_NOW_S + 6 * DAY, &successor)));
	/* Anyone's login notes what is over by now. */
	grant(&s, i, SCENE_NOW_S + 8 * DAY, &touch);
	CHECK(use(i, &expired, SCENE_NOW_S, NULL).kind == ERR_IDENTITY);
	CHECK(use(i, &used, SCENE_NOW_S + 6 * DAY + 1, NULL).code == REFRESH_REUSED);
	reply_done(&expired);
	reply_done(&used);
	reply_done(&successor);
	reply_done(&touch);
	done(&s, i);
}

static void
test_disabling_and_a_new_password_end_all_sessions(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply first, second, third;

	grant(&s, i, SCENE_NOW_S, &first);
	CHECK(!failed(user_set_disabled(s.store, BYTES("alice"), true)));
	CHECK(use(i, &first, SCENE_NOW_S + 1, NULL).kind == ERR_IDENTITY);
	CHECK(!failed(user_set_disabled(s.store, BYTES("alice"), false)));
	CHECK(use(i, &first, SCENE_NOW_S + 2, NULL).kind ==
	      ERR_IDENTITY); /* enabling does not bring it back */
	grant(&s, i, SCENE_NOW_S, &second);
	CHECK(!failed(user_set_password(s.store, BYTES("alice"), bytes_text(scene_phc))));
	CHECK(use(i, &second, SCENE_NOW_S + 3, NULL).kind == ERR_IDENTITY);

	/* A rehash is no new password. */
	grant(&s, i, SCENE_NOW_S, &third);
	struct user u = scene_user(&s, "alice");

	CHECK(!failed(user_rehash(s.store, &u, bytes_text(scene_phc))));
	CHECK(!failed(use(i, &third, SCENE_NOW_S + 4, NULL)));
	reply_done(&first);
	reply_done(&second);
	reply_done(&third);
	done(&s, i);
}

/* Case 31: the password was right when it was checked, but the account changed before the token was
 * made. */
static void
test_case_31_grant_reads_the_account_again(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct user seen = scene_user(&s, "alice");
	struct reply got = { 0 };

	CHECK(!failed(user_set_password(s.store, BYTES("alice"), bytes_text(scene_phc))));
	CHECK(scene_grant(i, &seen, BYTES(""), SCENE_NOW_S, &got).kind == ERR_IDENTITY);
	seen = scene_user(&s, "alice");
	CHECK(!failed(user_set_disabled(s.store, BYTES("alice"), true)));
	CHECK(scene_grant(i, &seen, BYTES(""), SCENE_NOW_S, &got).kind == ERR_IDENTITY);
	seen = scene_user(&s, "alice");
	CHECK(scene_grant(i, &seen, BYTES(""), SCENE_NOW_S, &got).kind == ERR_IDENTITY);
	seen.subject = BYTES("00000000-0000-4000-8000-000000000000");
	CHECK(scene_grant(i, &seen, BYTES(""), SCENE_NOW_S, &got).kind == ERR_IDENTITY);
	CHECK(got.fields[ANSWER_ACCESS_TOKEN].len == 0 &&
	      count(&s, "SELECT count(*) FROM family") == 0);
	reply_done(&got);
	done(&s, i);
}

static void
test_neither_tokens_nor_handles_are_in_the_store(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t, next;
	char path[128], *bytes = calloc(1, 1 << 20);
	uint8_t raw[48];
	size_t len = 0;

	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(!failed(use(i, &t, SCENE_NOW_S, &next)));
	CHECK(!failed(base64url_decode(buf_bytes(&next.fields[ANSWER_REFRESH_TOKEN]), raw,
	                               sizeof raw, &len)) &&
	      len == 48);
	for (int n = 0; n < 2; n++) {
		snprintf(path, sizeof path, "%s%s", s.file, n == 0 ? "" : "-wal");

		FILE *f = fopen(path, "rb");
		size_t got = f == NULL ? 0 : fread(bytes, 1, 1 << 20, f);

		CHECK(got > 0);
		CHECK(memmem(bytes, got, t.fields[ANSWER_REFRESH_TOKEN].at, 64) == NULL);
		CHECK(memmem(bytes, got, next.fields[ANSWER_REFRESH_TOKEN].at, 64) == NULL);
		CHECK(memmem(bytes, got, raw, 16) == NULL);      /* handle */
		CHECK(memmem(bytes, got, raw + 16, 32) == NULL); /* secret */
		if (f != NULL)
			fclose(f);
	}
	free(bytes);
	reply_done(&t);
	reply_done(&next);
	done(&s, i);
}

static void
test_store_does_not_grow_with_refreshes_or_logins(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t, next, oldest = { 0 };

	grant(&s, i, SCENE_NOW_S, &t);
	for (int n = 0; n < 100; n++) {
		CHECK(!failed(use(i, &t, SCENE_NOW_S + n, &next)));
		reply_done(&t);
		t = next;
	}
	CHECK(count(&s, "SELECT count(*) FROM family") == 1);
	oldest = t;
	for (int n = 0; n < FAMILIES_PER_USER_MAX + 5; n++) {
		grant(&s, i, SCENE_NOW_S + 200 + n, &t);
		if (n < FAMILIES_PER_USER_MAX + 4)
			reply_done(&t);
	}
	CHECK(count(&s, "SELECT count(*) FROM family WHERE current_hash <> x''") ==
	      FAMILIES_PER_USER_MAX);
	CHECK(count(&s, "SELECT count(*) FROM family") == FAMILIES_PER_USER_MAX + 6);
	CHECK(use(i, &oldest, SCENE_NOW_S + 300, NULL).kind == ERR_IDENTITY);
	CHECK(!failed(use(i, &t, SCENE_NOW_S + 300, NULL)));
	reply_done(&oldest);
	reply_done(&t);
	/* What has ended is gone with the last token it gave. */
	grant(&s, i, SCENE_NOW_S + 300 + 960, &t);
	CHECK(count(&s, "SELECT count(*) FROM family") == FAMILIES_PER_USER_MAX + 1);
	reply_done(&t);
	done(&s, i);
}

static void
test_no_refresh_tokens_where_they_live_0_seconds(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t;

	s.own.refresh_token_ttl_s = 0;
	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(t.fields[ANSWER_REFRESH_TOKEN].len == 0 && t.fields[ANSWER_ACCESS_TOKEN].len > 0);
	CHECK(count(&s, "SELECT count(*) FROM family") == 0);
	reply_done(&t);
	done(&s, i);
}

/* Two processes use one token at the same moment, many times over: one line of succession comes
 * out. */
static void
test_refreshes_at_once_do_not_branch(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t;
	int pipes[2];
	char answers[4][64];

	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(pipe(pipes) == 0);
	for (int n = 0; n < 4; n++) {
		if (fork() == 0) {
			struct issuer_store *store = NULL;
			struct issuer *own = NULL;
			struct reply got = { 0 };

			if (failed(issuer_store_open(s.state, &store)) ||
			    failed(issuer_open(&s.settings, 0, store, SCENE_NOW_S, &own)) ||
			    failed(use(own, &t, SCENE_NOW_S + 1, &got)) ||
			    write(pipes[1], got.fields[ANSWER_REFRESH_TOKEN].at, 64) != 64)
				_exit(1);
			_exit(0);
		}
	}
	for (int n = 0; n < 4; n++) {
		int status = 1;

		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
		CHECK(read(pipes[0], answers[n], 64) == 64);
		CHECK(memcmp(answers[n], answers[0], 64) == 0);
	}
	struct reply next = { 0 };

	CHECK(count(&s, "SELECT count(*) FROM family") == 1);
	CHECK(!failed(scene_refresh(i, (struct bytes){ (uint8_t *)answers[0], 64 }, BYTES(""),
	                            SCENE_NOW_S + 2, &next)));
	reply_done(&next);
	reply_done(&t);
	close(pipes[0]);
	close(pipes[1]);
	done(&s, i);
}

static void
test_store_that_cannot_write_gives_no_token_and_keeps_the_session(void)
{
	struct scene s;
	struct issuer *i = open_issuer(&s);
	struct reply t, got = { 0 };
	sqlite3 *other;

	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(sqlite3_open(s.file, &other) == SQLITE_OK);
	CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	CHECK(use(i, &t, SCENE_NOW_S + 1, &got).kind == ERR_UPSTREAM);
	CHECK(got.fields[ANSWER_ACCESS_TOKEN].len == 0 &&
	      got.fields[ANSWER_REFRESH_TOKEN].len == 0);
	reply_done(&got);
	CHECK(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(other);
	CHECK(!failed(use(i, &t, SCENE_NOW_S + 60, NULL)));
	reply_done(&t);
	done(&s, i);
}

TESTS(TEST(test_refresh_gives_a_new_pair),
      TEST(test_refreshed_token_keeps_auth_time_and_reads_roles_anew),
      TEST(test_case_30_token_used_again_revokes_the_family),
      TEST(test_case_30_a_refusal_tells_whose_session_it_was),
      TEST(test_case_30_every_old_token_of_a_long_session_revokes_it),
      TEST(test_lost_answer_gets_the_same_successor_for_10_seconds),
      TEST(test_unknown_tokens_are_refused_and_end_nothing), TEST(test_all_refusals_read_the_same),
      TEST(test_another_client_cannot_use_a_token),
      TEST(test_idle_and_absolute_lifetimes_end_a_session),
      TEST(test_clock_that_jumps_back_revives_neither_session_nor_grace),
      TEST(test_disabling_and_a_new_password_end_all_sessions),
      TEST(test_case_31_grant_reads_the_account_again),
      TEST(test_neither_tokens_nor_handles_are_in_the_store),
      TEST(test_store_does_not_grow_with_refreshes_or_logins),
      TEST(test_no_refresh_tokens_where_they_live_0_seconds),
      TEST(test_refreshes_at_once_do_not_branch),
      TEST(test_store_that_cannot_write_gives_no_token_and_keeps_the_session))
