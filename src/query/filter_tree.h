/* filter_tree.h - what a parsed filter is made of. For filter_parse.c and filter_sql.c only.
 *
 * A filter and SQL agree on precedence (not over and, and over or), so the "tree" is kept flat in
 * the order it was written: writing SQL is one walk, and no depth of nesting can exhaust our stack.
 */
#ifndef QUERY_FILTER_TREE_H
#define QUERY_FILTER_TREE_H

#include "query/filter.h"

enum filter_test {
	TEST_EQ, /* of several operands: any; so `in` is this too */
	TEST_NE, /* of several operands: none */
	TEST_GT,
	TEST_GE,
	TEST_LT,
	TEST_LE,
	TEST_CONTAINS,
	TEST_STARTS,
	TEST_ENDS,
};

struct filter_operand {
	bool is_claim;
	struct bytes claim; /* path */
	struct value value; /* VALUE_NULL only alone, with eq and ne */
};

enum filter_item_kind { ITEM_OPEN, ITEM_CLOSE, ITEM_NOT, ITEM_AND, ITEM_OR, ITEM_TEST };

struct filter_item {
	enum filter_item_kind kind;
	enum filter_test test;
	uint16_t column;
	uint16_t operand_count; /* at least 1 */
	const struct filter_operand *operands;
};

struct filter {
	const struct filter_item *items;
	size_t count;
	struct column_set columns;
};

#endif
