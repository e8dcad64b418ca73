/* filter.h - the filter language: a subset of OData 4.01 $filter, for query strings and for the
 * row conditions of policy.
 *
 *   or, and, not, ( ), eq ne gt ge lt le, in (a, b), contains(c, 'x') startswith endswith,
 *   'it''s', 12, -1.5, 1e3, true, false, null, 2026-11-22, 2026-11-22T10:00:00Z, uuid,
 *   column names, and in row conditions @claims.name or @claims.a.b
 *
 * Parsing checks names and types against the table; the tree cannot name what does not exist. */
#ifndef QUERY_FILTER_H
#define QUERY_FILTER_H

#include "query/sql.h"
#include "query/table.h"

struct filter; /* immutable tree in the arena it was parsed into */

enum { FILTER_DEPTH_MAX = 32, FILTER_NODES_MAX = 256, FILTER_TEXT_MAX = 8192 };

enum filter_code {
	FILTER_SYNTAX = 1,
	FILTER_UNKNOWN_COLUMN,
	FILTER_TYPE,
	FILTER_TOO_LARGE,
};

struct filter_error {
	size_t offset;       /* byte in the text */
	struct bytes near;   /* the offending token, borrowed from the text */
	const char *why;     /* literal: what was expected */
};

/* `allow_claims` only for row conditions. On failure *error is written (ERR_PEER; .code = enum filter_code). */
struct err filter_parse(struct bytes text, const struct table *table, bool allow_claims, struct arena *arena,
                        const struct filter **ret, struct filter_error *error);

/* Columns the filter looks at. */
void filter_columns(const struct filter *f, struct column_set *ret);

/* Values of a claim, 0 or more; `max` at most. A claim that is missing or of another shape gives
 * 0 values, and every comparison with it is false: nothing matches by accident. */
struct claim_source {
	size_t (*values)(const void *of, struct bytes path, struct value *ret, size_t max);
	const void *of;
};

/* Appends the condition, parenthesised. Bound values only. A comparison with a claim of several
 * values holds when any of them matches. `claims` may be NULL when the filter was parsed without them. */
void filter_put_sql(const struct filter *f, const struct table *table, const struct claim_source *claims,
                    struct sql *out);
/* The same with each column prefixed by `qualifier.` is not offered: one table, one name. */

#endif
