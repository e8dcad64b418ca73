/* select.c - see select.h. */
#include "query/select.h"

void
select_put_table(struct sql *out, const struct table *table)
{
	if (table->schema.len != 0) {
		sql_put_name(out, table->schema);
		sql_put(out, ".");
	}
	sql_put_name(out, table->name);
}

void
select_put_column(struct sql *out, const struct table *table, size_t column)
{
	if (column < table->column_count)
		sql_put_name(out, table->columns[column].name);
	else
		sql_fail(out,
		         fail(ERR_INVALID, "a statement names a column the table does not have"));
}

void
select_put_key(struct sql *out, const struct table *table, const struct value *key)
{
	if (table->key_count == 0)
		sql_fail(out,
		         fail(ERR_INVALID, "the table has no key, so no single row can be named"));
	for (size_t i = 0; i < table->key_count; i++) {
		sql_put(out, i == 0 ? "" : " AND ");
		select_put_column(out, table, table->key[i]);
		sql_put(out, " = ");
		sql_bind(out, key[i]);
	}
}

static bool
is_nullable(const struct table *table, size_t column)
{
	return column < table->column_count && table->columns[column].nullable;
}

void
select_put_order(struct sql *out, const struct table *table, const struct order_term *order,
                 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sql_put(out, i == 0 ? "" : ", ");
		select_put_column(out, table, order[i].column);
		sql_put(out, order[i].descending ? " DESC" : "");
		/* PostgreSQL alone takes NULL for the largest value. */
		if (out->dialect == DIALECT_POSTGRES && is_nullable(table, order[i].column))
			sql_put(out, order[i].descending ? " NULLS LAST" : " NULLS FIRST");
	}
}

/* The column stands strictly behind the value, or (`or_equal`) at it. */
static void
put_behind(struct sql *out, const struct table *table, struct order_term term, struct value value,
           bool or_equal)
{
	bool nullable = is_nullable(table, term.column);

	if (value.type == VALUE_NULL) {
		/* NULL is the smallest: all else is above it, nothing below. */
		bool everything = or_equal && !term.descending;

		if (everything || (term.descending && !or_equal)) {
			sql_put(out, everything ? "1 = 1" : "1 = 0");
			return;
		}
		select_put_column(out, table, term.column);
		sql_put(out, or_equal ? " IS NULL" : " IS NOT NULL");
		return;
	}
	sql_put(out, nullable && term.descending ? "(" : "");
	select_put_column(out, table, term.column);
	sql_put(out, term.descending ? " <" : " >");
	sql_put(out, or_equal ? "= " : " ");
	sql_bind(out, value);
	if (nullable && term.descending) {
		sql_put(out, " OR ");
		select_put_column(out, table, term.column);
		sql_put(out, " IS NULL)");
	}
}

static void
put_same(struct sql *out, const struct table *table, struct order_term term, struct value value)
{
	select_put_column(out, table, term.column);
	if (value.type == VALUE_NULL) {
		sql_put(out, " IS NULL");
		return;
	}
	sql_put(out, " = ");
	sql_bind(out, value);
}

/* With terms a, b: (a >= 1 AND (a > 1 OR (a = 1 AND (b > 2)))). The leading bound is implied by the
 * rest; it is there because planners seek in an index by it and not through the OR. */
void
select_put_after(struct sql *out, const struct table *table, const struct order_term *order,
                 size_t count, const struct value *after)
{
	if (count == 0 || count > ORDER_MAX) {
		sql_fail(out, fail(ERR_INVALID,
		                   "a page can only continue in an order of one to eight columns"));
		return;
	}
	sql_put(out, "(");
	if (count > 1) {
		put_behind(out, table, order[0], after[0], true);
		sql_put(out, " AND (");
	}
	for (size_t i = 0; i < count; i++) {
		put_behind(out, table, order[i], after[i], false);
		if (i + 1 == count)
			break;
		sql_put(out, " OR (");
		put_same(out, table, order[i], after[i]);
		sql_put(out, " AND (");
	}
	for (size_t i = 0; i + 1 < count; i++)
		sql_put(out, "))");
	sql_put(out, count > 1 ? "))" : ")");
}
