/* sqlite_health.c - is the file still the one that has the name, and is it whole? What was opened
 * stays open when its name goes: reads would answer from a file that nobody else sees, writes would
 * be lost with it. */
#include "backend/sqlite.h"

#include "backend/sqlite_error.h"
#include "base/log.h"
#include "base/macros.h"

enum { QUIET_MS = 60000 };

bool
sqlite_has_moved(sqlite3 *db)
{
	int moved = 0;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	       moved;
}

struct err
sqlite_look_now(struct backend *b)
{
	struct health *h = &b->health;
	struct bytes name = bytes_text(b->settings->name);
	bool was_gone = h->is_gone;

	h->is_gone = sqlite_has_moved(b->direct.db);
	h->next_look_ms = uv_now(b->loop) + h->look_every_ms;
	if (h->is_gone && !was_gone)
		LOG(LOG_ERROR,
		    "a database file was moved or deleted: its resources answer 503 until it is "
		    "back, or a reload",
		    { "backend", name });
	if (!h->is_gone && was_gone)
		LOG(LOG_INFO, "a database file is back", { "backend", name });
	return h->is_gone ? sqlite_error(NULL, SQLITE_READONLY_DBMOVED) : OK;
}

struct err
sqlite_look(struct backend *b)
{
	if (uv_now(b->loop) >= b->health.next_look_ms)
		return sqlite_look_now(b);
	return b->health.is_gone ? sqlite_error(NULL, SQLITE_READONLY_DBMOVED) : OK;
}

void
sqlite_report(struct backend *b, struct err e)
{
	static const int results[DAMAGE_KINDS] = { [DAMAGE_CORRUPT] = SQLITE_CORRUPT,
		                                   [DAMAGE_NOT_A_DATABASE] = SQLITE_NOTADB,
		                                   [DAMAGE_IO] = SQLITE_IOERR };

	if (e.kind != ERR_UPSTREAM)
		return; /* the codes of other kinds may be another's */
	if (e.code == SQLITE_READONLY_DBMOVED && b->direct.db != NULL)
		(void)sqlite_look_now(b); /* the caller has the error; this tells the log */
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		if ((int)(e.code & 0xff) != results[i] ||
		    uv_now(b->loop) < b->health.quiet_until_ms[i])
			continue;
		b->health.quiet_until_ms[i] = uv_now(b->loop) + QUIET_MS;
		LOG(LOG_ERROR, "a database is damaged or cannot be read",
		    { "backend", bytes_text(b->settings->name) }, { "why", bytes_text(e.why) });
	}
}
