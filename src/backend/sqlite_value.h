/* sqlite_value.h - values in and out of a prepared statement.
 *
 * Out: a stored value is given as the declared type of its column where it fits that type, else by
 * its storage class, because SQLite lets any column hold any value. So a text in an INT column
 * comes out as VALUE_TEXT, an integer other than 0 and 1 in a BOOL column as VALUE_INT64,
 * "2026-11-22 10:00:00" in a DATETIME column as VALUE_TEXT (it is no RFC 3339), a text that is not
 * UTF-8 as VALUE_BYTES. Nothing is rewritten: a value bound again equals the stored one, which
 * keyset paging relies on. */
#ifndef BACKEND_SQLITE_VALUE_H
#define BACKEND_SQLITE_VALUE_H

#include <sqlite3.h>

#include "base/arena.h"
#include "query/value.h"

/* Binds values[n - 1] to parameter n. Texts and blobs are borrowed until the bindings are cleared.
 * Answers an SQLite result code. Bool is 0 or 1; a decimal is bound as text, and the column's
 * affinity makes a number of it. */
int sqlite_value_bind(sqlite3_stmt *statement, const struct value *values, size_t count);

enum { DIGITS_ROOM = 24 };

/* Borrows SQLite's memory until the next step, and `digits` (DIGITS_ROOM characters) for a decimal.
 * `scratch` is used and reset for checking JSON. */
struct value sqlite_value_column(sqlite3_stmt *statement, int column, enum value_type declared,
                                 struct arena *scratch, char *digits);

/* The type that a declaration means: "VARCHAR(20)" is VALUE_TEXT. Case folds. */
enum value_type sqlite_value_type(const char *declaration);

#endif
