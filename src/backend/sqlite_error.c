/* sqlite_error.c - result codes (sqlite.org/rescode.html) to errors, by table; and the column that
 * a constraint message names. */
#include "backend/sqlite_error.h"

#include <errno.h>

#include "base/macros.h"

struct meaning {
	int result; /* extended code, or primary code for all of its family */
	enum err_kind kind;
	const char *why;
};

/* Extended codes stand before their family. */
static const struct meaning meanings[] = {
	{ SQLITE_CONSTRAINT_UNIQUE, ERR_CONFLICT, "a row with this value exists already" },
	{ SQLITE_CONSTRAINT_PRIMARYKEY, ERR_CONFLICT, "a row with this key exists already" },
	{ SQLITE_CONSTRAINT_ROWID, ERR_CONFLICT, "a row with this key exists already" },
	{ SQLITE_CONSTRAINT_FOREIGNKEY, ERR_CONFLICT,
	  "a row this one refers to is missing, or another refers to it" },
	{ SQLITE_CONSTRAINT_NOTNULL, ERR_INVALID, "a column that needs a value has none" },
	{ SQLITE_CONSTRAINT_CHECK, ERR_INVALID, "a value breaks a check of the table" },
	{ SQLITE_CONSTRAINT_DATATYPE, ERR_INVALID, "a value does not have the type of its column" },
	{ SQLITE_CONSTRAINT_TRIGGER, ERR_INVALID, "a trigger of the table refused the change" },
	{ SQLITE_CONSTRAINT, ERR_INVALID, "a value breaks a rule of the table" },
	{ SQLITE_MISMATCH, ERR_INVALID, "a value does not have the type of its column" },
	{ SQLITE_TOOBIG, ERR_INVALID, "a value is too large" },
	{ SQLITE_FULL, ERR_UPSTREAM, "no space left for the database" },
	{ SQLITE_CORRUPT, ERR_UPSTREAM, "the database file is damaged" },
	{ SQLITE_NOTADB, ERR_UPSTREAM, "the file is not an SQLite database" },
	{ SQLITE_READONLY_DBMOVED, ERR_UPSTREAM, "the database file was moved or deleted" },
	{ SQLITE_READONLY, ERR_UPSTREAM, "the database is read-only" },
	{ SQLITE_BUSY, ERR_UPSTREAM, "the database is locked by another writer" },
	{ SQLITE_LOCKED, ERR_UPSTREAM, "the table is locked" },
	{ SQLITE_CANTOPEN, ERR_UPSTREAM, "a file of the database cannot be opened" },
	{ SQLITE_IOERR_NOMEM, ERR_UPSTREAM, "out of memory" },
	{ SQLITE_IOERR, ERR_UPSTREAM, "reading or writing the database failed" },
	{ SQLITE_NOMEM, ERR_UPSTREAM, "out of memory" },
	{ SQLITE_SCHEMA, ERR_UPSTREAM, "the table changed since start" },
	{ SQLITE_INTERRUPT, ERR_UPSTREAM, "the statement took too long" },
	{ SQLITE_PERM, ERR_UPSTREAM, "access to the database was refused" },
	{ SQLITE_AUTH, ERR_UPSTREAM, "the statement may not be used" },
	{ SQLITE_PROTOCOL, ERR_UPSTREAM, "the database is locked by another writer" },
};

/* What the operator should read when a file cannot be used at all. */
static const struct meaning open_meanings[] = {
	{ SQLITE_CANTOPEN, ERR_CONFIG, "the database file cannot be opened" },
	{ SQLITE_NOTADB, ERR_CONFIG, "the file is not an SQLite database" },
	{ SQLITE_CORRUPT, ERR_CONFIG, "the database file is damaged" },
	{ SQLITE_PERM, ERR_CONFIG, "the database file may not be read" },
	{ SQLITE_READONLY, ERR_CONFIG,
	  "the database needs files next to it that cannot be created" },
};

static const struct meaning *
find(const struct meaning *table, size_t count, int result)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].result == result)
			return &table[i];
	for (size_t i = 0; i < count; i++)
		if (table[i].result == (result & 0xff))
			return &table[i];
	return NULL;
}

static struct err
make(const struct meaning *m, sqlite3 *db, int result)
{
	return (struct err){ .kind = m->kind,
		             .code = (unsigned)result & 0xffffff,
		             .sys = db != NULL ? sqlite3_system_errno(db) : 0,
		             .why = m->why };
}

static bool
starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Every statement is built from the schema read at start. When SQLite no longer knows a name in it,
 * the schema moved under us; SQLite has no code of its own for that. */
static bool
is_name_unknown(const char *message)
{
	return starts(message, "no such ") || strstr(message, " has no column named ") != NULL;
}

struct err
sqlite_error(sqlite3 *db, int result)
{
	static const struct meaning changed = { SQLITE_ERROR, ERR_UPSTREAM,
		                                "the table changed since start" };
	static const struct meaning other = { SQLITE_ERROR, ERR_UPSTREAM,
		                              "the database refused the statement" };
	const struct meaning *m = find(meanings, ARRAY_LEN(meanings), result);

	if (m == NULL && (result & 0xff) == SQLITE_ERROR && is_name_unknown(sqlite3_errmsg(db)))
		m = &changed;
	return make(m != NULL ? m : &other, db, result);
}

struct err
sqlite_open_error(sqlite3 *db, int result)
{
	static const struct meaning by_errno[] = {
		{ ENOENT, ERR_CONFIG, "the database file does not exist" },
		{ EISDIR, ERR_CONFIG, "the database path is a directory" },
		{ EACCES, ERR_CONFIG, "the database file may not be read" },
		{ EPERM, ERR_CONFIG, "the database file may not be read" },
	};
	const struct meaning *m = find(open_meanings, ARRAY_LEN(open_meanings), result);

	if (result == SQLITE_CANTOPEN)
		for (size_t i = 0; i < ARRAY_LEN(by_errno); i++)
			if (by_errno[i].result == sqlite3_system_errno(db))
				m = &by_errno[i];
	return m != NULL ? make(m, db, result) : sqlite_error(db, result);
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

/* Where `name` stands in `text` with nothing of a longer name on either side; NULL: nowhere. An
 * expression may spell it in another case. */
static const char *
find_word(const char *text, struct bytes name)
{
	size_t len = strlen(text);

	for (size_t i = 0; name.len > 0 && i + name.len <= len; i++) {
		const char *hit = text + i;
		if (sqlite3_strnicmp(hit, (const char *)name.at, (int)name.len) == 0 &&
		    (hit == text || !is_word(hit[-1])) && !is_word(hit[name.len]))
			return hit;
	}
	return NULL;
}

/* "… failed: books.isbn, books.edition": the name follows its table's. */
static bool
follows_table(const char *message, const char *hit, const struct table *table)
{
	size_t before = (size_t)(hit - message), len = table->name.len;

	return before > len && hit[-1] == '.' && memcmp(hit - 1 - len, table->name.at, len) == 0;
}

/* The message of a CHECK holds its expression or its name: a column is blamed only when it is the
 * only one there. */
static int
only_column(const char *text, const struct table *table)
{
	int found = -1;

	for (size_t i = 0; i < table->column_count; i++) {
		if (find_word(text, table->columns[i].name) == NULL)
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

static int
first_column(const char *message, const struct table *table)
{
	const char *first = NULL;
	int found = -1;

	for (size_t i = 0; i < table->column_count; i++) {
		const char *hit = find_word(message, table->columns[i].name);
		while (hit != NULL && !follows_table(message, hit, table))
			hit = find_word(hit + 1, table->columns[i].name);
		if (hit != NULL && (first == NULL || hit < first))
			first = hit, found = (int)i;
	}
	return found;
}

int
sqlite_error_column(sqlite3 *db, const struct table *table)
{
	const char *message = sqlite3_errmsg(db);
	static const char check[] = "CHECK constraint failed: ";

	if ((sqlite3_errcode(db) & 0xff) != SQLITE_CONSTRAINT)
		return -1;
	if (starts(message, check))
		return only_column(message + sizeof check - 1, table);
	return first_column(message, table);
}
