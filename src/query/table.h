/* table.h - what is known of a table, view or container. Read once at start, then immutable. */
#ifndef QUERY_TABLE_H
#define QUERY_TABLE_H

#include "query/value.h"

enum { TABLE_COLUMNS_MAX = 256, TABLE_KEY_MAX = 8 };

struct column {
	struct bytes name;
	enum value_type type;
	bool nullable;
	bool has_default;  /* also: the backend makes the value (identity, rowid) */
	bool is_generated; /* computed: never written */
};

/* These columns together name a row of `parent`. */
struct foreign_key {
	struct bytes parent;
	bool is_self; /* the parent is the table itself */
	size_t count;
	uint16_t columns[TABLE_KEY_MAX];
	struct bytes to[TABLE_KEY_MAX]; /* columns of the parent, in the same order */
};

struct table {
	struct bytes schema; /* empty where there is none */
	struct bytes name;
	const struct column *columns;
	size_t column_count;
	uint16_t key[TABLE_KEY_MAX]; /* column indices of the primary key, in key order */
	size_t key_count;            /* 0: no key, so no single row can be addressed */
	bool is_view;                /* read only */
	const struct foreign_key
		*foreign; /* to explain a refusal: the database is what holds them */
	size_t foreign_count;
};

/* A set of a table's columns, one bit each. */
struct column_set {
	uint64_t bits[TABLE_COLUMNS_MAX / 64];
};

static inline bool
column_set_has(const struct column_set *s, size_t column)
{
	return s->bits[column / 64] >> (column % 64) & 1;
}

static inline void
column_set_add(struct column_set *s, size_t column)
{
	s->bits[column / 64] |= UINT64_C(1) << (column % 64);
}

void column_set_remove(struct column_set *s, size_t column);
void column_set_add_all(struct column_set *s, const struct table *t);
/* Every column of `part` is in `whole`. */
bool column_set_covers(const struct column_set *whole, const struct column_set *part);
void column_set_unite(struct column_set *s, const struct column_set *other);
bool column_set_is_empty(const struct column_set *s);

/* Index of a column by its exact name, or -1. */
int table_column(const struct table *t, struct bytes name);

#endif
