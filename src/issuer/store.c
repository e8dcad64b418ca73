/* store.c - opening the SQLite state store safely, its schema, and the keys all processes share.
 *
 * Whoever reads this file owns every session: it holds the signing keys. So the file is 0600 and
 * only keeper and the `user` command, run by the same account, open it. SQLite's page cache is
 * ordinary memory and is not wiped; keeper, which alone holds it, has no core dumps. */
#include "issuer/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

enum {
	STORE_APPLICATION_ID = 0x47577374, /* "GWst": a file of another program is told apart */
	BUSY_TIMEOUT_MS = 2000,
	WAL_TRIES = 20,
	WAL_WAIT_MS = 100,
	SHARED_KEY_NAME_MAX = 32,
	PATH_LEN_MAX = 4096,
};

/* Version n is what is there after the first n of these ran. Never edit one that was released:
 * append. */
static const char *const migrations[] = {
	"CREATE TABLE user ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" subject TEXT NOT NULL UNIQUE,"
	" hash TEXT NOT NULL,"
	" roles TEXT NOT NULL,"
	" disabled INTEGER NOT NULL DEFAULT 0,"
	" created_s INTEGER NOT NULL,"
	" generation INTEGER NOT NULL DEFAULT 1) STRICT;"
	"CREATE TABLE family ("
	" handle_hash BLOB PRIMARY KEY,"
	" issuer TEXT NOT NULL,"
	" user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,"
	" client_id TEXT NOT NULL,"
	" auth_s INTEGER NOT NULL,"
	" expires_s INTEGER NOT NULL,"
	" idle_s INTEGER NOT NULL,"
	" current_hash BLOB NOT NULL,"
	" previous_hash BLOB,"
	" rotated_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX family_user ON family (user, auth_s);"
	"CREATE INDEX family_idle ON family (idle_s);"
	"CREATE INDEX family_grace ON family (rotated_s) WHERE previous_hash IS NOT NULL;"
	"CREATE TABLE signing_key ("
	" id TEXT PRIMARY KEY,"
	" issuer TEXT NOT NULL,"
	" algorithm TEXT NOT NULL,"
	" der BLOB NOT NULL,"
	" jwk TEXT NOT NULL,"
	" active_s INTEGER NOT NULL) STRICT;"
	"CREATE TABLE shared_key (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;",

	/* Clients, codes, sessions, revocation. A family of before gets a login of its own. */
	"CREATE TABLE client ("
	" id TEXT PRIMARY KEY,"
	" name TEXT NOT NULL,"
	" subject TEXT NOT NULL UNIQUE,"
	" secret_hash BLOB NOT NULL,"
	" jwks TEXT NOT NULL,"
	" certificate TEXT NOT NULL,"
	" roles TEXT NOT NULL,"
	" redirect_uris TEXT NOT NULL,"
	" grants INTEGER NOT NULL,"
	" public INTEGER NOT NULL,"
	" dpop_required INTEGER NOT NULL,"
	" disabled INTEGER NOT NULL DEFAULT 0,"
	" created_s INTEGER NOT NULL,"
	" generation INTEGER NOT NULL DEFAULT 1) STRICT;"
	"ALTER TABLE family ADD COLUMN sid TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE family ADD COLUMN scope TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE family ADD COLUMN resource TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE family ADD COLUMN jkt TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE family ADD COLUMN x5t TEXT NOT NULL DEFAULT '';"
	"UPDATE family SET sid = lower(hex(randomblob(16)));"
	"CREATE INDEX family_sid ON family (sid);"
	"CREATE INDEX family_client ON family (client_id);"
	"CREATE TABLE code ("
	" hash BLOB PRIMARY KEY,"
	" issuer TEXT NOT NULL,"
	" client_id TEXT NOT NULL,"
	" redirect_uri TEXT NOT NULL,"
	" challenge TEXT NOT NULL,"
	" nonce TEXT NOT NULL,"
	" scope TEXT NOT NULL,"
	" resource TEXT NOT NULL,"
	" user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,"
	" generation INTEGER NOT NULL,"
	" sid TEXT NOT NULL,"
	" auth_s INTEGER NOT NULL,"
	" used INTEGER NOT NULL DEFAULT 0,"
	" purge_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX code_purge ON code (purge_s);"
	"CREATE TABLE exchanged ("
	" jti TEXT PRIMARY KEY,"
	" issuer TEXT NOT NULL,"
	" client_id TEXT NOT NULL,"
	" expires_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX exchanged_client ON exchanged (client_id);"
	"CREATE INDEX exchanged_expires ON exchanged (expires_s);"
	"CREATE TABLE assertion (hash BLOB PRIMARY KEY, expires_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX assertion_expires ON assertion (expires_s);"
	"CREATE TABLE session ("
	" hash BLOB PRIMARY KEY,"
	" issuer TEXT NOT NULL,"
	" subject TEXT NOT NULL,"
	" sid TEXT NOT NULL,"
	" data BLOB NOT NULL,"
	" expires_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX session_subject ON session (subject);"
	"CREATE INDEX session_expires ON session (expires_s);"
	"CREATE TABLE revocation ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used twice: who reads on misses none */
	" kind INTEGER NOT NULL,"
	" issuer TEXT NOT NULL,"
	" value BLOB NOT NULL,"
	" before INTEGER NOT NULL,"
	" until_s INTEGER NOT NULL) STRICT;"
	"CREATE INDEX revocation_value ON revocation (value);"
	"CREATE INDEX revocation_until ON revocation (until_s);"
	"CREATE TABLE event ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" decision TEXT NOT NULL,"
	" action TEXT NOT NULL,"
	" issuer TEXT NOT NULL,"
	" subject TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" reason TEXT NOT NULL) STRICT;",
};

/* Opening */

static struct err
read_one(struct issuer_store *s, const char *sql, int64_t *ret)
{
	CLEANUP(statement_done) struct statement q;
	bool row = false;

	statement_start(&q, s, sql);
	TRY(statement_row(&q, &row));
	if (!row)
		return store_damaged();
	*ret = statement_column_int(&q, 0);
	return OK;
}

static bool
sqlite_answers(struct issuer_store *s, const char *sql, const char *answer)
{
	CLEANUP(statement_done) struct statement q;
	bool row = false;

	statement_start(&q, s, sql);
	return !failed(statement_row(&q, &row)) && row && bytes_is(statement_column(&q, 0), answer);
}

static struct err
system_fail(const char *why)
{
	struct err e = fail(ERR_CONFIG, why);

	e.sys = errno;
	return e;
}

static struct err
directory_check(const char *path, bool may_create)
{
	struct stat st;

	if (may_create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return system_fail("the state directory cannot be made");
	if (stat(path, &st) < 0)
		return system_fail("the state directory cannot be read");
	if (!S_ISDIR(st.st_mode))
		return fail(ERR_CONFIG, "the state path is no directory");
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return fail(ERR_CONFIG, "others may write to the state directory: chmod 700 it");
	if (may_create && access(path, W_OK | X_OK) < 0)
		return system_fail("the state directory is not writable");
	return OK;
}

/* Made here and not by SQLite, whose mode would depend on the umask; its WAL takes the mode over.
 */
static struct err
file_check(const char *path, bool may_create)
{
	struct stat st;

	if (may_create) {
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		else if (errno != EEXIST)
			return system_fail("the state store (state.db) cannot be made");
	}
	if (lstat(path, &st) < 0)
		return system_fail("there is no state store (state.db) that can be read");
	if (!S_ISREG(st.st_mode))
		return fail(ERR_CONFIG, "the state store (state.db) is no plain file");
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return fail(ERR_CONFIG,
		            "the state store (state.db) is open to others: chmod 600 it");
	if (access(path, may_create ? R_OK | W_OK : R_OK) < 0)
		return system_fail(
			"the state store (state.db) is not readable and writable for this account");
	return OK;
}

static void
wait_ms(long ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&pause, NULL); /* a signal only shortens one of many waits */
}

/* Turning a new file to WAL needs it alone and does not use the busy timeout: ask again. */
static struct err
store_wal(struct issuer_store *s)
{
	for (int tries = 0; tries < WAL_TRIES; tries++) {
		if (sqlite_answers(s, "PRAGMA journal_mode=WAL", "wal"))
			return OK;

		int rc = sqlite3_errcode(s->db) & 0xff;

		if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
			return rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE
			               ? fail(ERR_CONFIG,
			                      "the file system of the state store cannot do WAL")
			               : store_error(s, rc);
		wait_ms(WAL_WAIT_MS);
	}
	return fail(ERR_UPSTREAM, "the state store is busy: another process holds it");
}

static struct err
store_settings(struct issuer_store *s)
{
	(void)sqlite3_extended_result_codes(s->db, 1);
	TRY(store_error(s, sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS)));
	TRY(store_error(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL)));
	TRY(store_error(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL)));
	/* secure_delete: a retired signing key is overwritten, not only unlinked. */
	return store_run(
		s, "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY;"
		   "PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON;");
}

static struct err
store_version(struct issuer_store *s, int64_t *ret)
{
	int64_t application, objects;

	TRY(read_one(s, "PRAGMA application_id", &application));
	TRY(read_one(s, "SELECT count(*) FROM sqlite_schema", &objects));
	if (application == 0 && objects == 0) {
		*ret = 0;
		return OK;
	}
	if (application != STORE_APPLICATION_ID)
		return fail(ERR_CONFIG,
		            "state.db belongs to another program: name another state directory");
	if (!sqlite_answers(s, "PRAGMA quick_check(1)", "ok"))
		return store_damaged();
	TRY(read_one(s, "SELECT coalesce(max(version), 0) FROM migration", ret));
	if (*ret > (int64_t)ARRAY_LEN(migrations))
		return fail(ERR_CONFIG,
		            "the state store was written by a newer gatewarden: use that one");
	return *ret >= 1 ? OK : store_damaged();
}

static struct err
migration_note(struct issuer_store *s, int64_t version)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, "INSERT INTO migration (version, applied_s) VALUES (?1, ?2)");
	statement_int(&q, 1, version);
	statement_int(&q, 2, clock_wall_us() / 1000000);
	return statement_run(&q);
}

/* All in one transaction: another process sees the old schema or the new one. */
static struct err
store_migrate(struct issuer_store *s)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	int64_t version;

	_Static_assert(STORE_APPLICATION_ID == 1196913524, "the pragma below spells it out");
	TRY(transaction_begin(&t, s));
	TRY(store_version(s, &version));
	if (version == (int64_t)ARRAY_LEN(migrations))
		return OK;
	if (version == 0)
		TRY(store_run(s, "PRAGMA application_id=1196913524;"
		                 "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_s "
		                 "INTEGER NOT NULL) "
		                 "STRICT;"));
	for (; version < (int64_t)ARRAY_LEN(migrations); version++) {
		TRY(store_run(s, migrations[version]));
		TRY(migration_note(s, version + 1));
	}
	return transaction_commit(&t);
}

static struct err
store_prepare_readonly(struct issuer_store *s)
{
	int64_t version;

	TRY(store_version(s, &version));
	return version == (int64_t)ARRAY_LEN(migrations)
	               ? OK
	               : fail(ERR_CONFIG,
	                      "the state store is of an older version: start gatewarden once");
}

static struct err
store_open_file(const char *file, bool readonly, struct issuer_store *s)
{
	int flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;

	TRY(store_error(s, sqlite3_open_v2(file, &s->db,
	                                   flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
	                                   NULL)));
	TRY(store_settings(s));
	if (readonly)
		return store_prepare_readonly(s);
	TRY(store_wal(s));
	return store_migrate(s);
}

static struct err
store_open(const char *state_path, bool readonly, struct issuer_store **ret)
{
	char file[PATH_LEN_MAX];
	int len = snprintf(file, sizeof file, "%s/state.db", state_path);

	if (len < 0 || (size_t)len >= sizeof file)
		return fail(ERR_CONFIG, "the state path is too long");
	TRY(directory_check(state_path, !readonly));
	TRY(file_check(file, !readonly));

	struct issuer_store *s = calloc(1, sizeof *s);

	if (s == NULL)
		return fail(ERR_SYSTEM, "out of memory");

	struct err e = store_open_file(file, readonly, s);

	if (failed(e)) {
		issuer_store_close(s);
		return e;
	}
	*ret = s;
	return OK;
}

struct err
issuer_store_open(const char *state_path, struct issuer_store **ret)
{
	return store_open(state_path, false, ret);
}

struct err
issuer_store_open_readonly(const char *state_path, struct issuer_store **ret)
{
	return store_open(state_path, true, ret);
}

void
issuer_store_close(struct issuer_store *s)
{
	if (s == NULL)
		return;
	(void)sqlite3_close(s->db); /* no statement outlives its function, so it cannot be busy */
	free(s);
}

/* Shared keys */

static bool
is_key_name(struct bytes name)
{
	if (name.len == 0 || name.len > SHARED_KEY_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] != '_' && (name.at[i] < 'a' || name.at[i] > 'z'))
			return false;
	return true;
}

static struct err
shared_key_make(struct issuer_store *s, struct bytes name)
{
	CLEANUP(secret_done) struct secret fresh = { 0 };
	CLEANUP(statement_done) struct statement q;

	TRY(secret_random(SHARED_KEY_LEN, &fresh));
	statement_start(
		&q, s,
		"INSERT INTO shared_key (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
	statement_text(&q, 1, name);
	statement_blob(&q, 2, secret_bytes(&fresh));
	return statement_run(&q);
}

static struct err
shared_key_read(struct issuer_store *s, struct bytes name, bool *ret_found, struct secret *ret)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, "SELECT value FROM shared_key WHERE name = ?1");
	statement_text(&q, 1, name);
	TRY(statement_row(&q, ret_found));
	if (!*ret_found)
		return OK;
	if (statement_column(&q, 0).len != SHARED_KEY_LEN)
		return store_damaged();
	return secret_from(statement_column(&q, 0), ret);
}

struct err
issuer_store_shared_key(struct issuer_store *s, const char *name, struct secret *ret)
{
	struct bytes key_name = bytes_text(name);
	bool found = false;

	if (!is_key_name(key_name))
		return fail(ERR_INVALID, "a shared key is named with a-z and _");
	TRY(shared_key_read(s, key_name, &found, ret));
	if (found)
		return OK;
	/* Two processes may both get here: the first insert wins, and both read it. */
	TRY(shared_key_make(s, key_name));
	TRY(shared_key_read(s, key_name, &found, ret));
	return found ? OK : store_damaged();
}
