/* sqlite_error.h - SQLite's result codes as our errors. The text of a message is never passed on:
 * it may hold values and SQL; it is only searched for names of columns we know. */
#ifndef BACKEND_SQLITE_ERROR_H
#define BACKEND_SQLITE_ERROR_H

#include <sqlite3.h>

#include "query/table.h"

/* The error of a failed call. `code` is the extended result code, `sys` the errno where there is
 * one. */
struct err sqlite_error(sqlite3 *db, int result);
/* As above for opening: the kind is ERR_CONFIG where the operator must change something. */
struct err sqlite_open_error(sqlite3 *db, int result);
/* Index of the column that the last message of `db` blames, or -1. Call it right after the failure.
 */
int sqlite_error_column(sqlite3 *db, const struct table *table);

#endif
