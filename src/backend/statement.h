/* statement.h - an operation and its grants -> one SQL statement. Every SQL backend builds through
 * here, so that no statement can be written without the conditions of its grant.
 *
 * A row is usable when the condition of any view of the grant holds; a view without a condition
 * makes the row condition vanish. A column that some views lack is NULL in the rows only the others
 * see. SQLite and PostgreSQL; ERR_CONFIG for another dialect.
 *
 * The caller has called sql_init(out, dialect, arena) and calls sql_done(). All functions return
 * sql_check(out); parameter n of the text is out->values[n - 1]. Table: op->grant->table.
 *
 * Writing, inside one transaction:
 *   insert  statement_insert; then, when statement_is_conditional(op->grant), statement_visible of
 * the new key under op->grant: no row means the new row breaks the condition of the grant
 *           (ERR_DENIED, roll back); then, when op->read, statement_read of the new key under
 * op->read: no row means written but not to be seen: return none. update  the same with
 * statement_update; no row from it: ERR_NOT_FOUND. delete  statement_delete; no row changed:
 * ERR_NOT_FOUND. */
#ifndef BACKEND_STATEMENT_H
#define BACKEND_STATEMENT_H

#include "backend/backend.h"
#include "query/sql.h"

/* Rows of op->columns in table order, then (op->with_order) the values of op->order as they are
 * stored, whatever the views show: for sealed cursors only. Uses grant, columns, filter, order,
 * after, limit. ERR_DENIED when columns is empty or holds one that no view has, and when the filter
 * or the order names a column that not every row shows: policy_decide() was not asked about it (the
 * key may always be in the order). `after` is compared with what is stored: give the values as they
 * came, not made pretty. */
struct err statement_list(const struct operation *op, struct sql *out);

/* The row with this key (table->key_count values), op->columns in table order, as `grant` shows it:
 * op->grant for OPERATION_READ, op->read to return a written row. ERR_INVALID for a table without
 * key. */
struct err statement_read(const struct operation *op, const struct grant *grant,
                          const struct value *key, struct sql *out);

/* INSERT of set_columns/set_values, which are the first parameters (here and in the update).
 * Returns one row: the key columns in key order (what the database made of them), or the number 1
 * where the table has no key. Here and in the update: ERR_DENIED when a column is set that not
 * every view has. */
struct err statement_insert(const struct operation *op, struct sql *out);

/* UPDATE of the row op->key where the condition of op->grant holds *before* the change. Returns the
 * key columns as they are afterwards, or no row. ERR_INVALID when nothing is set. */
struct err statement_update(const struct operation *op, struct sql *out);

/* DELETE of the row op->key where the condition of op->grant holds. Returns the key columns of the
 * row, or no row. */
struct err statement_delete(const struct operation *op, struct sql *out);

/* One row holding the number 1 when the row with this key exists and `grant` lets it be used; else
 * no row. For the check after a write, and for whether a row is visible (preconditions, PUT).
 * ERR_INVALID for a table without key: a conditional insert into one cannot be checked, so refuse
 * it. */
struct err statement_visible(const struct grant *grant, const struct value *key, struct sql *out);

/* Has the grant a condition, so that a write must be checked afterwards? Pure. */
bool statement_is_conditional(const struct grant *grant);

#endif
