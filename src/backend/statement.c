/* statement.c - see statement.h. The condition of the grant is part of every statement but the
 * INSERT, which has no row to look at yet. */
#include "backend/statement.h"

/* Grants */

bool
statement_is_conditional(const struct grant *grant)
{
	for (size_t i = 0; i < grant->view_count; i++)
		if (grant->views[i].where == NULL)
			return false;
	return true;
}

/* The condition that some view which has `column` (TABLE_COLUMNS_MAX: any view) shows the row. */
static void
put_views(struct sql *out, const struct grant *grant, size_t column)
{
	struct claim_source claims = principal_claims(grant->who);
	bool first = true;

	sql_put(out, "(");
	for (size_t i = 0; i < grant->view_count; i++) {
		const struct grant_view *view = &grant->views[i];

		if (column < TABLE_COLUMNS_MAX && !column_set_has(&view->columns, column))
			continue;
		sql_put(out, first ? "" : " OR ");
		filter_put_sql(view->where, grant->table, &claims, out);
		first = false;
	}
	sql_put(out, ")");
}

/* " AND (views)", or nothing when a view shows every row. A grant without views shows none. */
static void
put_row_condition(struct sql *out, const struct grant *grant)
{
	if (grant->view_count == 0) {
		sql_fail(out, fail(ERR_DENIED, "the grant shows no rows"));
		return;
	}
	if (!statement_is_conditional(grant))
		return;
	sql_put(out, " AND ");
	put_views(out, grant, TABLE_COLUMNS_MAX);
}

/* Returned columns */

enum column_sight {
	SIGHT_NONE, /* no view has the column */
	SIGHT_SOME, /* only rows of some views show it */
	SIGHT_ALWAYS,
};

static enum column_sight
column_sight(const struct grant *grant, size_t column)
{
	size_t having = 0;

	for (size_t i = 0; i < grant->view_count; i++) {
		if (!column_set_has(&grant->views[i].columns, column))
			continue;
		if (grant->views[i].where == NULL)
			return SIGHT_ALWAYS;
		having++;
	}
	if (having == 0)
		return SIGHT_NONE;
	return having == grant->view_count ? SIGHT_ALWAYS : SIGHT_SOME;
}

/* policy_decide() leaves only views that have every column the request names; a caller that did not
 * ask it about this one is stopped here, before a hidden column can be written or inferred. */
static void
check_named(struct sql *out, const struct grant *grant, size_t column)
{
	if (column >= TABLE_COLUMNS_MAX || column_sight(grant, column) != SIGHT_ALWAYS)
		sql_fail(out, fail(ERR_DENIED,
		                   "a column is named that the grant does not have for every row"));
}

static void
put_seen_column(struct sql *out, const struct grant *grant, size_t column)
{
	switch (column_sight(grant, column)) {
	case SIGHT_NONE:
		sql_fail(out,
		         fail(ERR_DENIED, "a column is asked for that the grant does not show"));
		return;
	case SIGHT_SOME:
		sql_put(out, "CASE WHEN ");
		put_views(out, grant, column);
		sql_put(out, " THEN ");
		select_put_column(out, grant->table, column);
		sql_put(out, " END"); /* no alias: ORDER BY would take it for the column */
		return;
	case SIGHT_ALWAYS:
		select_put_column(out, grant->table, column);
		return;
	}
}

/* ", a, b": as they are stored, whatever the views show. For cursors, which are sealed. */
static void
put_order_values(struct sql *out, const struct operation *op)
{
	for (size_t i = 0; op->with_order && i < op->order_count; i++) {
		sql_put(out, ", ");
		select_put_column(out, op->grant->table, op->order[i].column);
	}
}

/* SELECT a, b FROM t */
static void
put_select(struct sql *out, const struct grant *grant, const struct operation *op)
{
	const struct column_set *columns = op->columns;
	bool first = true;

	if (out->dialect == DIALECT_TSQL)
		sql_fail(out, fail(ERR_CONFIG, "statements for this database are not built here"));
	if (columns == NULL || column_set_is_empty(columns))
		sql_fail(out, fail(ERR_DENIED, "no column is asked for"));
	if (failed(out->error))
		return;
	sql_put(out, "SELECT ");
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++) {
		if (!column_set_has(columns, i))
			continue;
		sql_put(out, first ? "" : ", ");
		put_seen_column(out, grant, i);
		first = false;
	}
	put_order_values(out, op);
	sql_put(out, " FROM ");
	select_put_table(out, grant->table);
}

static bool
is_key(const struct table *table, size_t column)
{
	for (size_t i = 0; i < table->key_count; i++)
		if (table->key[i] == column)
			return true;
	return false;
}

/* The key may end an order without being readable: it makes the order total. */
static void
check_list(struct sql *out, const struct operation *op)
{
	struct column_set named = { { 0 } };

	if (op->filter != NULL)
		filter_columns(op->filter, &named);
	for (size_t i = 0; i < op->order_count; i++)
		if (!is_key(op->grant->table, op->order[i].column))
			column_set_add(&named, op->order[i].column % TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		if (column_set_has(&named, i))
			check_named(out, op->grant, i);
}

struct err
statement_list(const struct operation *op, struct sql *out)
{
	const struct grant *grant = op->grant;

	check_list(out, op);
	put_select(out, grant, op);
	sql_put(out, " WHERE 1 = 1");
	put_row_condition(out, grant);
	if (op->filter != NULL) {
		sql_put(out, " AND ");
		filter_put_sql(op->filter, grant->table, NULL, out);
	}
	if (op->after != NULL) {
		sql_put(out, " AND ");
		select_put_after(out, grant->table, op->order, op->order_count, op->after);
	}
	if (op->order_count != 0) {
		sql_put(out, " ORDER BY ");
		select_put_order(out, grant->table, op->order, op->order_count);
	}
	sql_put(out, " LIMIT ");
	sql_bind(out,
	         (struct value){ .type = VALUE_INT64,
	                         .int64 = op->limit > INT32_MAX ? INT32_MAX : (int64_t)op->limit });
	return sql_check(out);
}

/* One row */

/* " WHERE key AND (views)" */
static void
put_where_row(struct sql *out, const struct grant *grant, const struct value *key)
{
	sql_put(out, " WHERE ");
	select_put_key(out, grant->table, key);
	put_row_condition(out, grant);
}

struct err
statement_read(const struct operation *op, const struct grant *grant, const struct value *key,
               struct sql *out)
{
	put_select(out, grant, op);
	put_where_row(out, grant, key);
	return sql_check(out);
}

struct err
statement_visible(const struct grant *grant, const struct value *key, struct sql *out)
{
	sql_put(out, "SELECT 1 FROM ");
	select_put_table(out, grant->table);
	put_where_row(out, grant, key);
	return sql_check(out);
}

/* Writing */

static void
put_returning(struct sql *out, const struct table *table)
{
	if (out->dialect == DIALECT_TSQL)
		sql_fail(out, fail(ERR_CONFIG, "statements for this database are not built here"));
	sql_put(out, table->key_count == 0 ? " RETURNING 1" : " RETURNING ");
	for (size_t i = 0; i < table->key_count; i++) {
		sql_put(out, i == 0 ? "" : ", ");
		select_put_column(out, table, table->key[i]);
	}
}

static void
put_inserted(struct sql *out, const struct operation *op)
{
	sql_put(out, " (");
	for (size_t i = 0; i < op->set_count; i++) {
		sql_put(out, i == 0 ? "" : ", ");
		select_put_column(out, op->grant->table, op->set_columns[i]);
	}
	sql_put(out, ") VALUES (");
	for (size_t i = 0; i < op->set_count; i++) {
		sql_put(out, i == 0 ? "" : ", ");
		sql_bind(out, op->set_values[i]);
	}
	sql_put(out, ")");
}

static void
check_set(struct sql *out, const struct operation *op)
{
	for (size_t i = 0; i < op->set_count; i++)
		check_named(out, op->grant, op->set_columns[i]);
	if (op->grant->view_count == 0)
		sql_fail(out, fail(ERR_DENIED, "the grant shows no rows"));
}

struct err
statement_insert(const struct operation *op, struct sql *out)
{
	check_set(out, op);
	sql_put(out, "INSERT INTO ");
	select_put_table(out, op->grant->table);
	if (op->set_count == 0)
		sql_put(out, " DEFAULT VALUES");
	else
		put_inserted(out, op);
	put_returning(out, op->grant->table);
	return sql_check(out);
}

struct err
statement_update(const struct operation *op, struct sql *out)
{
	check_set(out, op);
	if (op->set_count == 0)
		sql_fail(out, fail(ERR_INVALID, "an update must set at least one column"));
	sql_put(out, "UPDATE ");
	select_put_table(out, op->grant->table);
	for (size_t i = 0; i < op->set_count; i++) {
		sql_put(out, i == 0 ? " SET " : ", ");
		select_put_column(out, op->grant->table, op->set_columns[i]);
		sql_put(out, " = ");
		sql_bind(out, op->set_values[i]);
	}
	put_where_row(out, op->grant, op->key);
	put_returning(out, op->grant->table);
	return sql_check(out);
}

struct err
statement_delete(const struct operation *op, struct sql *out)
{
	sql_put(out, "DELETE FROM ");
	select_put_table(out, op->grant->table);
	put_where_row(out, op->grant, op->key);
	put_returning(out, op->grant->table);
	return sql_check(out);
}
