/* sqlite_schema.h - a table or view of an SQLite database as struct table. */
#ifndef BACKEND_SQLITE_SCHEMA_H
#define BACKEND_SQLITE_SCHEMA_H

#include <sqlite3.h>

#include "base/arena.h"
#include "query/table.h"

/* The name's case may differ, as in SQL; the table carries the name it was created with. The key is
 * the declared primary key in its order: a view, and a table without one, has none (a bare rowid
 * may change at any VACUUM and is no key). Hidden columns of virtual tables are left out. Errors:
 * ERR_CONFIG (no such table, broken view, more than struct table can hold), ERR_UPSTREAM. */
struct err sqlite_schema_read(sqlite3 *db, const char *name, struct arena *arena,
                              const struct table **ret);

#endif
