/* Opening the state store: what it makes, and what it refuses to open. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scene.h"

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	chmod(path, mode);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static mode_t
mode_of(const char *path)
{
	struct stat st = { 0 };

	CHECK(stat(path, &st) == 0);
	return st.st_mode & 07777;
}

static void
test_store_is_private_whatever_the_umask(void)
{
	struct scene s;
	mode_t before = umask(0);
	char wal[128];

	scene_store(&s);
	(void)scene_user(&s, "alice");
	snprintf(wal, sizeof wal, "%s-wal", s.file);
	CHECK(mode_of(s.state) == 0700);
	CHECK(mode_of(s.file) == 0600);
	CHECK(mode_of(wal) == 0600);
	umask(before);
	scene_done(&s);
}

static void
test_store_opened_again_keeps_everything(void)
{
	struct scene s;

	scene_store(&s);

	struct user first = scene_user(&s, "alice"), again = { 0 };

	issuer_store_close(s.store);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	CHECK(!failed(user_find(s.store, BYTES("alice"), &s.arena, &again)));
	CHECK(bytes_equal(first.subject, again.subject));
	scene_done(&s);
}

static void
test_writable_by_others_is_refused(void)
{
	struct scene s;

	scene_open(&s);
	mkdir(s.state, 0700);
	chmod(s.state, 0770);
	CHECK(issuer_store_open(s.state, &s.store).kind == ERR_CONFIG);
	chmod(s.state, 0755);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	issuer_store_close(s.store);
	s.store = NULL;
	chmod(s.file, 0640);
	CHECK(issuer_store_open(s.state, &s.store).kind == ERR_CONFIG);
	scene_done(&s);
}

static void
test_unwritable_directory_is_a_clear_error(void)
{
	struct scene s;
	int status = 0;

	scene_open(&s);
	mkdir(s.state, 0500);

	/* root may write anywhere: ask as nobody. */
	pid_t child = fork();

	if (child == 0) {
		if (geteuid() == 0) {
			chmod(s.directory, 0755);
			if (chown(s.state, 65534, 65534) < 0 || setgid(65534) < 0 ||
			    setuid(65534) < 0)
				_exit(9);
		}
		struct err e = issuer_store_open(s.state, &s.store);

		_exit(e.kind == ERR_CONFIG && e.sys == EACCES ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	scene_done(&s);
}

static void
test_path_that_is_no_directory_or_has_no_parent_is_refused(void)
{
	struct scene s;
	char deep[128];

	scene_open(&s);
	snprintf(deep, sizeof deep, "%s/state", s.state);
	CHECK(issuer_store_open(deep, &s.store).kind == ERR_CONFIG);
	write_file(s.state, "x", 0600);
	CHECK(issuer_store_open(s.state, &s.store).kind == ERR_CONFIG);
	unlink(s.state);
	scene_done(&s);
}

static void
test_link_in_place_of_the_file_is_refused(void)
{
	struct scene s;
	char target[128];

	scene_open(&s);
	snprintf(target, sizeof target, "%s/other", s.directory);
	write_file(target, "", 0600);
	mkdir(s.state, 0700);
	CHECK(symlink(target, s.file) == 0);
	CHECK(issuer_store_open(s.state, &s.store).kind == ERR_CONFIG);
	unlink(target);
	scene_done(&s);
}

static void
test_file_that_is_no_database_is_refused(void)
{
	struct scene s;

	scene_open(&s);
	mkdir(s.state, 0700);
	write_file(s.file,
	           "this is certainly not an SQLite database, it is only some text of enough "
	           "length ......",
	           0600);

	struct err e = issuer_store_open(s.state, &s.store);

	CHECK(e.kind == ERR_CONFIG && strstr(e.why, "damaged") != NULL);
	scene_done(&s);
}

static void
test_database_of_another_program_is_refused(void)
{
	struct scene s;

	scene_open(&s);
	mkdir(s.state, 0700);
	write_file(s.file, "", 0600);
	run_sql(s.file, "CREATE TABLE bookmarks (url TEXT)");

	struct err e = issuer_store_open(s.state, &s.store);

	CHECK(e.kind == ERR_CONFIG && strstr(e.why, "another program") != NULL);
	scene_done(&s);
}

static void
test_newer_store_is_refused_and_left_alone(void)
{
	struct scene s;

	scene_store(&s);
	issuer_store_close(s.store);
	s.store = NULL;
	run_sql(s.file, "INSERT INTO migration (version, applied_s) VALUES (999, 0)");

	struct err e = issuer_store_open(s.state, &s.store);

	CHECK(e.kind == ERR_CONFIG && strstr(e.why, "newer") != NULL);
	run_sql(s.file, "DELETE FROM migration WHERE version = 999");
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	scene_done(&s);
}

static void
test_damaged_page_is_found_when_opened(void)
{
	struct scene s;

	scene_store(&s);
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof name, "user%d", i);
		(void)scene_user(&s, name);
	}
	issuer_store_close(s.store); /* the last one out writes the WAL back */
	s.store = NULL;

	struct stat st = { 0 };

	CHECK(stat(s.file, &st) == 0 && st.st_size > 16384);

	int fd = open(s.file, O_WRONLY);

	for (off_t at = 8192; at < st.st_size; at += 4096)
		CHECK(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		             16, at) == 16);
	close(fd);

	struct err e = issuer_store_open(s.state, &s.store);

	CHECK(e.kind == ERR_CONFIG && strstr(e.why, "damaged") != NULL);
	scene_done(&s);
}

static void
test_cut_file_is_found_when_opened(void)
{
	struct scene s;

	scene_store(&s);
	(void)scene_user(&s, "alice");
	issuer_store_close(s.store);
	s.store = NULL;
	CHECK(truncate(s.file, 8192) == 0);
	CHECK(issuer_store_open(s.state, &s.store).kind == ERR_CONFIG);
	scene_done(&s);
}

static void
test_readonly_makes_nothing_and_changes_nothing(void)
{
	struct scene s;
	struct issuer_store *readonly = NULL;

	scene_open(&s);
	CHECK(issuer_store_open_readonly(s.state, &readonly).kind == ERR_CONFIG);
	CHECK(access(s.state, F_OK) < 0);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	(void)scene_user(&s, "alice");
	CHECK(!failed(issuer_store_open_readonly(s.state, &readonly)));

	struct user u = { 0 };

	CHECK(!failed(user_find(readonly, BYTES("alice"), &s.arena, &u)));
	CHECK(user_add(readonly, BYTES("bob"), BYTES(""), bytes_text(scene_phc)).kind ==
	      ERR_CONFIG);
	issuer_store_close(readonly);
	scene_done(&s);
}

static void
test_two_open_at_once_see_each_other(void)
{
	struct scene s;
	struct issuer_store *second = NULL;
	struct user u = { 0 };

	scene_store(&s);
	CHECK(!failed(issuer_store_open(s.state, &second)));
	CHECK(!failed(user_add(second, BYTES("alice"), BYTES("reader"), bytes_text(scene_phc))));
	CHECK(!failed(user_find(s.store, BYTES("alice"), &s.arena, &u)));
	CHECK(user_add(s.store, BYTES("alice"), BYTES("reader"), bytes_text(scene_phc)).kind ==
	      ERR_CONFLICT);
	issuer_store_close(second);
	scene_done(&s);
}

static void
test_many_processes_make_one_store(void)
{
	struct scene s;
	pid_t children[6];

	scene_open(&s);
	for (int i = 0; i < 6; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char name[16];

			snprintf(name, sizeof name, "user%d", i);
			_exit(failed(issuer_store_open(s.state, &s.store)) ||
			      failed(user_add(s.store, bytes_text(name), BYTES("r"),
			                      bytes_text(scene_phc))));
		}
	}
	for (int i = 0; i < 6; i++) {
		int status = 1;

		waitpid(children[i], &status, 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	for (int i = 0; i < 6; i++) {
		char name[16];
		struct user u;

		snprintf(name, sizeof name, "user%d", i);
		CHECK(!failed(user_find(s.store, bytes_text(name), &s.arena, &u)));
	}
	scene_done(&s);
}

static void
test_busy_store_is_upstream_after_the_wait(void)
{
	struct scene s;
	sqlite3 *other;

	scene_store(&s);
	CHECK(sqlite3_open(s.file, &other) == SQLITE_OK);
	CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	CHECK(user_add(s.store, BYTES("alice"), BYTES(""), bytes_text(scene_phc)).kind ==
	      ERR_UPSTREAM);
	CHECK(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	CHECK(!failed(user_add(s.store, BYTES("alice"), BYTES(""), bytes_text(scene_phc))));
	sqlite3_close(other);
	scene_done(&s);
}

/* A file that may not grow stands for a full disk. */
static void
test_full_disk_is_upstream_and_changes_nothing(void)
{
	struct scene s;
	int status = 0;

	scene_store(&s);
	(void)scene_user(&s, "alice");

	pid_t child = fork();

	if (child == 0) {
		const struct rlimit limit = { 16384, 16384 };
		struct issuer_store *own = NULL;
		unsigned refused = 0;

		signal(SIGXFSZ, SIG_IGN);
		if (failed(issuer_store_open(s.state, &own)) || setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(1);
		for (int i = 0; i < 100; i++) {
			char name[16];

			snprintf(name, sizeof name, "user%d", i);
			refused += user_add(own, bytes_text(name), BYTES(""), bytes_text(scene_phc))
			                   .kind == ERR_UPSTREAM;
		}
		_exit(refused > 0 ? 0 : 2);
	}
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	issuer_store_close(s.store);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	CHECK(!failed(user_add(s.store, BYTES("bob"), BYTES(""), bytes_text(scene_phc))));
	CHECK(scene_user(&s, "alice").generation == 1);
	scene_done(&s);
}

static void
test_shared_keys_are_made_once_and_differ_by_name(void)
{
	struct scene s;
	struct secret cursor = { 0 }, again = { 0 }, fingerprint = { 0 }, none = { 0 };

	scene_store(&s);
	CHECK(!failed(issuer_store_shared_key(s.store, "cursor", &cursor)));
	CHECK(!failed(issuer_store_shared_key(s.store, "fingerprint", &fingerprint)));
	issuer_store_close(s.store);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	CHECK(!failed(issuer_store_shared_key(s.store, "cursor", &again)));
	CHECK(cursor.len == 32 && bytes_equal(secret_bytes(&cursor), secret_bytes(&again)));
	CHECK(!bytes_equal(secret_bytes(&cursor), secret_bytes(&fingerprint)));
	CHECK(issuer_store_shared_key(s.store, "Not A Name", &none).kind == ERR_INVALID);
	secret_done(&cursor);
	secret_done(&again);
	secret_done(&fingerprint);
	scene_done(&s);
}

TESTS(TEST(test_store_is_private_whatever_the_umask),
      TEST(test_store_opened_again_keeps_everything), TEST(test_writable_by_others_is_refused),
      TEST(test_unwritable_directory_is_a_clear_error),
      TEST(test_path_that_is_no_directory_or_has_no_parent_is_refused),
      TEST(test_link_in_place_of_the_file_is_refused),
      TEST(test_file_that_is_no_database_is_refused),
      TEST(test_database_of_another_program_is_refused),
      TEST(test_newer_store_is_refused_and_left_alone),
      TEST(test_damaged_page_is_found_when_opened), TEST(test_cut_file_is_found_when_opened),
      TEST(test_readonly_makes_nothing_and_changes_nothing),
      TEST(test_two_open_at_once_see_each_other), TEST(test_many_processes_make_one_store),
      TEST(test_busy_store_is_upstream_after_the_wait),
      TEST(test_full_disk_is_upstream_and_changes_nothing),
      TEST(test_shared_keys_are_made_once_and_differ_by_name))
