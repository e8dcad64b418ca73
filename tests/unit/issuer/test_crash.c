/* kill -9 at any moment: the store opens again, sound, and every answer that was given still
 * counts. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#include "base/random.h"
#include "scene.h"

/* What the child had done when it died; in memory both see. Written after the answer, so it may lag
 * by one.
 */
struct progress {
	char refresh_token[65];
	uint32_t users;
	int64_t now_s;
};

/* Adds users, changes one, refreshes, rotates keys without end. */
static void
work(struct scene *s, int out)
{
	struct issuer_store *store = NULL;
	struct issuer *i = NULL;
	struct reply t = { 0 }, next = { 0 };
	struct progress p = { .now_s = SCENE_NOW_S };
	struct user u;
	bool changed;

	if (failed(issuer_store_open(s->state, &store)) ||
	    failed(issuer_open(&s->settings, 0, store, p.now_s, &i)) ||
	    failed(user_find(store, BYTES("alice"), &s->arena, &u)) ||
	    failed(scene_grant(i, &u, BYTES(""), p.now_s, &t)))
		_exit(1);
	for (;;) {
		char name[32];

		p.now_s += 300;
		snprintf(name, sizeof name, "u%d-%u", (int)getpid(), p.users);
		if (failed(scene_refresh(i, buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), BYTES(""),
		                         p.now_s, &next)) ||
		    failed(issuer_rotate(i, p.now_s, &changed)) ||
		    failed(user_set_roles(store, BYTES("carol"), bytes_text(name))) ||
		    failed(user_add(store, bytes_text(name), BYTES(""), bytes_text(scene_phc))))
			_exit(2);
		p.users++;
		memcpy(p.refresh_token, next.fields[ANSWER_REFRESH_TOKEN].at, 64);
		reply_done(&t);
		t = next;
		next = (struct reply){ 0 };
		if (write(out, &p, sizeof p) != sizeof p)
			_exit(3);
	}
}

static void
check_sound(struct scene *s)
{
	sqlite3 *db;
	sqlite3_stmt *q = NULL;

	CHECK(sqlite3_open(s->file, &db) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(q) == SQLITE_ROW &&
	      strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0);
	sqlite3_finalize(q);
	/* A change, what it revokes and the event of it are there together or not at all. */
	CHECK(sqlite3_prepare_v2(
		      db,
		      "SELECT generation - 1, (SELECT count(*) FROM revocation WHERE value = "
		      "CAST(subject AS BLOB)), (SELECT count(*) FROM event WHERE action = "
		      "'user.roles') FROM user WHERE name = 'carol'",
		      -1, &q, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int(q, 0) > 0);
	CHECK(sqlite3_column_int(q, 0) == sqlite3_column_int(q, 1));
	CHECK(sqlite3_column_int(q, 0) == sqlite3_column_int(q, 2));
	sqlite3_finalize(q);
	sqlite3_close(db);
}

static uint64_t
random_number(void)
{
	uint64_t value;

	random_fill(&value, sizeof value);
	return value;
}

/* Runs a child for a moment, kills it, and gives back the last thing it told of. */
static bool
kill_one(struct scene *s, struct progress *ret)
{
	int pipes[2], status = 0;
	bool told = false;

	if (pipe(pipes) < 0)
		return false;

	pid_t child = fork();

	if (child == 0) {
		close(pipes[0]);
		work(s, pipes[1]);
	}
	close(pipes[1]);
	if (read(pipes[0], ret, sizeof *ret) == sizeof *ret)
		told = true;

	const struct timespec moment = { .tv_nsec = (long)(random_number() % 40000000) };

	nanosleep(&moment, NULL);
	kill(child, SIGKILL);
	while (read(pipes[0], ret, sizeof *ret) == sizeof *ret)
		told = true;
	close(pipes[0]);
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status));
	return told;
}

static void
test_kill_at_any_moment_leaves_a_sound_store(void)
{
	struct scene s;

	scene_store(&s);
	s.own.key_rotation_s = 3600;
	(void)scene_user(&s, "alice");
	(void)scene_user(&s, "carol");
	issuer_store_close(s.store);
	s.store = NULL;
	for (int round = 0; round < 25; round++) {
		struct progress p = { 0 };
		struct issuer *i = NULL;
		struct reply got = { 0 };

		CHECK(kill_one(&s, &p));
		CHECK(!failed(issuer_store_open(s.state, &s.store)));
		CHECK(!failed(issuer_open(&s.settings, 0, s.store, p.now_s + 300, &i)));
		check_sound(&s);
		/* The last token told of is current, or the one before, whose answer died with the
		 * process: within the grace of that use it goes on. */
		struct err e = scene_refresh(i, (struct bytes){ (uint8_t *)p.refresh_token, 64 },
		                             BYTES(""), p.now_s + 300, &got);

		CHECK(!failed(e));
		reply_done(&got);
		issuer_close(i);
		issuer_store_close(s.store);
		s.store = NULL;
	}
	scene_done(&s);
}

TESTS(TEST(test_kill_at_any_moment_leaves_a_sound_store))
