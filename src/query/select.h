/* select.h - the clauses that choose and order rows, the same for every backend that speaks SQL:
 * key, order, and keyset (the place where the page before ended).
 *
 * The order is total when its last terms are the key, and the same in every dialect: NULL is the
 * smallest value. A keyset continues exactly behind the row whose values it is given. */
#ifndef QUERY_SELECT_H
#define QUERY_SELECT_H

#include "query/sql.h"
#include "query/table.h"

struct order_term {
	uint16_t column;
	bool descending;
};
enum { ORDER_MAX = 8 };

/* `schema`.`table`, each part quoted. */
void select_put_table(struct sql *out, const struct table *table);
/* The quoted name of a column. */
void select_put_column(struct sql *out, const struct table *table, size_t column);
/* a = ?1 AND b = ?2. ERR_INVALID (in out->error) for a table without a key: one row cannot be
 * named. */
void select_put_key(struct sql *out, const struct table *table, const struct value *key);
/* a, b DESC; without the words ORDER BY. */
void select_put_order(struct sql *out, const struct table *table, const struct order_term *order,
                      size_t count);
/* The condition, in parentheses, for rows that come after one that has these `count` values
 * (VALUE_NULL included) in the columns of `order`. Values are compared with what is stored: hand in
 * a row's own. */
void select_put_after(struct sql *out, const struct table *table, const struct order_term *order,
                      size_t count, const struct value *after);

#endif
