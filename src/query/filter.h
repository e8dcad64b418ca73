/* filter.h - the filter language: a subset of OData 4.01 $filter, for query strings and for the
 * row conditions of policy.
 *
 *   or, and, not, ( ), eq ne gt ge lt le, in (a, b), contains(c, 'x') startswith endswith,
 *   'it''s', 12, -1.5, 1e3, true, false, null, 2026-11-22, 2026-11-22T10:00:00Z, uuid,
 *   column names, and in row conditions @claims.name or @claims.a.b
 *
 * Left of an operator stands a column, right of it a value. `not` stands before a parenthesis or a
 * function. Words are case-sensitive. Parsing checks names and types against the table; the tree
 * cannot name what does not exist.
 *
 * Meaning is SQL's three-valued one: a comparison with a NULL column is neither true nor false, so
 * neither `a eq 1` nor `not (a eq 1)` nor `a ne 1` finds it; `a eq null` does. contains, startswith
 * and endswith distinguish case in every database; eq and in follow the collation of the column. In
 * SQLite, where timestamps are text, both sides of a comparison go through strftime(), which reads
 * `2026-11-22 10:00:00`, `2026-11-22T12:00:00+02:00` and the like as the same moment, to the
 * millisecond; text it cannot read matches nothing. An index on such a column does not help a
 * filter. */
#ifndef QUERY_FILTER_H
#define QUERY_FILTER_H

#include "query/sql.h"
#include "query/table.h"

struct filter; /* immutable tree in the arena it was parsed into */

enum {
	FILTER_DEPTH_MAX = 32,  /* parentheses in parentheses */
	FILTER_NODES_MAX = 256, /* operators, parentheses, tests and values */
	FILTER_LIST_MAX = 100,  /* values of one `in` */
	FILTER_TEXT_MAX = 8192,
	FILTER_CLAIM_MAX = 200, /* values of one claim */
};

enum filter_code {
	FILTER_SYNTAX = 1,
	FILTER_UNKNOWN_COLUMN,
	FILTER_TYPE,
	FILTER_TOO_LARGE,
};

struct filter_error {
	size_t offset;     /* byte in the text */
	struct bytes near; /* the offending token, borrowed from the text; empty at the end */
	const char *why;   /* literal: what was expected */
	struct column_set
		columns; /* named up to here: decide about them before telling of a wrong type */
};

/* `allow_claims` only for row conditions. On failure *error is written (ERR_PEER; .code = enum
 * filter_code); ERR_LIMIT when the arena is full. The result borrows `text`, which must live as
 * long. */
struct err filter_parse(struct bytes text, const struct table *table, bool allow_claims,
                        struct arena *arena, const struct filter **ret, struct filter_error *error);

/* Columns the filter looks at. */
void filter_columns(const struct filter *f, struct column_set *ret);

/* Values of a claim, 0 or more; `max` at most. A claim that is missing or of another shape gives
 * 0 values, and every comparison with it is unknown: nothing matches by accident, not under `not`
 * either. The same goes for a value that does not fit the type of the column, for an empty text in
 * contains, startswith and endswith, and for what a claim has beyond FILTER_CLAIM_MAX values. */
struct claim_source {
	size_t (*values)(const void *of, struct bytes path, struct value *ret, size_t max);
	const void *of;
};

/* Appends the condition, parenthesised. Bound values only. A comparison with a claim of several
 * values holds when any of them matches; `ne` is the opposite of `eq`: none may be equal. `claims`
 * may be NULL when the filter was parsed without them. */
void filter_put_sql(const struct filter *f, const struct table *table,
                    const struct claim_source *claims, struct sql *out);
/* The same with each column prefixed by `qualifier.` is not offered: one table, one name. */

#endif
