/* sql.h - SQL text under construction: names are quoted, values are bound, nothing is spliced. */
#ifndef QUERY_SQL_H
#define QUERY_SQL_H

#include "base/buf.h"
#include "query/value.h"

enum dialect { DIALECT_SQLITE, DIALECT_TSQL, DIALECT_POSTGRES };

enum { SQL_PARAMETERS_MAX = 512 };

struct sql {
	enum dialect dialect;
	struct buf text;      /* owned */
	struct value *values; /* in `arena`; parameter n is values[n - 1] */
	size_t value_count, value_room;
	struct arena *arena; /* borrowed: the request's */
	struct err error;    /* first failure; later calls do nothing */
};

void sql_init(struct sql *s, enum dialect dialect, struct arena *arena);
void sql_done(struct sql *s);
/* Literal SQL from our own source, never from a peer. */
void sql_put(struct sql *s, const char *text);
/* A quoted identifier: `a``b`, [a]]b], "a""b". SQLite gets backticks, because there a name in
 * double quotes that fits no column any more (the schema changed under us) quietly becomes a
 * string. ERR_INVALID for an empty name and one that holds a NUL. */
void sql_put_name(struct sql *s, struct bytes name);
/* A placeholder for the value (?1, @p1, $1). The value is copied into the arena. */
void sql_bind(struct sql *s, struct value value);
/* Sets the error unless there is one already. */
void sql_fail(struct sql *s, struct err error);
/* Error of any step, buf overflow included. */
struct err sql_check(const struct sql *s);

#endif
