/* lexeme.h - SQL text cut into lexemes, by dialect: enough to tell names from values, no more.
 * For fingerprint.c. PostgreSQL manual section 4.1, SQLite "SQL As Understood", T-SQL syntax
 * conventions. */
#ifndef QUERY_LEXEME_H
#define QUERY_LEXEME_H

#include "query/sql.h"

enum lexeme_kind {
	LEXEME_END,
	LEXEME_WORD,  /* keyword or unquoted name */
	LEXEME_NAME,  /* quoted name; text includes the quotes */
	LEXEME_VALUE, /* literal or parameter */
	LEXEME_MARK,  /* operator or punctuation */
	LEXEME_BAD,   /* quote or comment without an end, control byte */
};

struct lexeme {
	enum lexeme_kind kind;
	struct bytes text; /* borrowed */
};

/* Skips white space and comments, then takes one lexeme off the front of *rest. */
struct lexeme lexeme_take(struct bytes *rest, enum dialect dialect);

#endif
