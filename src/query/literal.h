/* literal.h - text as a person writes it (filter, key in a path, claim) -> a value that fits a
 * column.
 *
 * Exact or refused: nothing is rounded, cut or guessed. */
#ifndef QUERY_LITERAL_H
#define QUERY_LITERAL_H

#include "query/value.h"

enum { LITERAL_NUMBER_MAX = 64 }; /* characters of a number */

enum literal_form {
	LITERAL_BARE,   /* 12, true, 2026-11-22 */
	LITERAL_QUOTED, /* 'text': never a number or a bool */
	LITERAL_ANY,    /* from where there are no quotes, such as a path: anything that fits */
};

/* A value for a column of `type`. int64 columns also take numbers they cannot hold (2.5, 1e30):
 * those become VALUE_DECIMAL or VALUE_DOUBLE, for comparisons only. A timestamp becomes
 * 2026-11-22T10:00:00.000000Z (UTC; a date alone is its midnight), a uuid lower case.
 * false: the text is no such value, or the arena is full. Bytes and JSON columns take none. */
bool literal_fit(enum value_type type, struct bytes text, enum literal_form form,
                 struct arena *arena, struct value *ret);
/* The same for a value that already has a type, such as a claim: numbers fit number columns, text
 * fits text columns and, when it reads as one, date, time, timestamp and uuid columns. */
bool literal_fit_value(enum value_type type, struct value from, struct arena *arena,
                       struct value *ret);
/* What literal_fit() wants for a column of this type, in words; a literal. */
const char *literal_expected(enum value_type type);
/* 8-4-4-4-12 hex digits. */
bool literal_is_uuid(struct bytes text);

#endif
