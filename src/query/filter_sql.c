/* filter_sql.c - filter -> condition in a dialect. Columns are quoted names, every value is bound.
 */
#include "query/filter_tree.h"

#include "query/literal.h"
#include "query/select.h"

/* Neither true nor false, and so is its opposite. No dialect has a shorter spelling they all share.
 */
static const char UNKNOWN[] = "(1 = NULL)";

/* One test on its way out. */
struct writer {
	struct sql *out;
	const struct table *table;
	const struct filter_item *item;
	bool is_list; /* c IN (a, b), not c > a OR c > b */
	bool is_first;
};

static enum value_type
column_type(const struct writer *w)
{
	return w->table->columns[w->item->column].type;
}

/* Operands */

/* SQLite keeps timestamps as text of whatever form the writer chose: compared as moments. */
static bool
is_text_moment(const struct writer *w)
{
	return w->out->dialect == DIALECT_SQLITE && column_type(w) == VALUE_TIMESTAMP;
}

static const char MOMENT_OPEN[] = "strftime('%Y-%m-%dT%H:%M:%fZ', ";

static void
put_column(const struct writer *w)
{
	sql_put(w->out, is_text_moment(w) ? MOMENT_OPEN : "");
	select_put_column(w->out, w->table, w->item->column);
	sql_put(w->out, is_text_moment(w) ? ")" : "");
}

/* PostgreSQL takes the type of a parameter from the column beside it. Where the value is of another
 * one (an int64 column against 2.5), it has to be said. */
static const char *
cast_to(const struct writer *w, enum value_type type)
{
	if (w->out->dialect != DIALECT_POSTGRES || type == column_type(w))
		return NULL;
	switch (type) {
	case VALUE_INT64:
		return " AS bigint)";
	case VALUE_DECIMAL:
		return " AS numeric)";
	default:
		return " AS double precision)";
	}
}

static void
put_value(const struct writer *w, struct value value)
{
	const char *cast = cast_to(w, value.type);

	sql_put(w->out, cast != NULL ? "CAST(" : is_text_moment(w) ? MOMENT_OPEN : "");
	sql_bind(w->out, value);
	sql_put(w->out, cast != NULL ? cast : is_text_moment(w) ? ")" : "");
}

/* Tests */

static void
put_comparison(const struct writer *w, struct value value)
{
	static const char *const operators[] = {
		[TEST_EQ] = " = ",  [TEST_NE] = " <> ", [TEST_GT] = " > ",
		[TEST_GE] = " >= ", [TEST_LT] = " < ",  [TEST_LE] = " <= ",
	};

	put_column(w);
	sql_put(w->out, operators[w->item->test]);
	put_value(w, value);
}

/* LIKE would need escapes and ignores case in SQLite; these take the text as it is. For text that
 * is longer than the column's, substr() starts before its first character and gives too few. */
static void
put_function_sqlite(const struct writer *w, struct value value)
{
	switch (w->item->test) {
	case TEST_CONTAINS:
		sql_put(w->out, "instr(");
		put_column(w);
		sql_put(w->out, ", ");
		put_value(w, value);
		sql_put(w->out, ") > 0");
		return;
	case TEST_STARTS:
		sql_put(w->out, "substr(");
		put_column(w);
		sql_put(w->out, ", 1, length(");
		put_value(w, value);
		sql_put(w->out, ")) = ");
		put_value(w, value);
		return;
	default:
		sql_put(w->out, "substr(");
		put_column(w);
		sql_put(w->out, ", length(");
		put_column(w);
		sql_put(w->out, ") - length(");
		put_value(w, value);
		sql_put(w->out, ") + 1) = ");
		put_value(w, value);
		return;
	}
}

static void
put_text_postgres(const struct writer *w, struct value value)
{
	sql_put(w->out, "CAST(");
	sql_bind(w->out, value);
	sql_put(w->out, " AS text)");
}

static void
put_function_postgres(const struct writer *w, struct value value)
{
	bool contains = w->item->test == TEST_CONTAINS;

	sql_put(w->out, contains ? "strpos(" : w->item->test == TEST_STARTS ? "left(" : "right(");
	put_column(w);
	sql_put(w->out, contains ? ", " : ", length(");
	put_text_postgres(w, value);
	sql_put(w->out, contains ? ") > 0" : ")) = ");
	if (!contains)
		put_text_postgres(w, value);
}

static void
put_function(const struct writer *w, struct value value)
{
	switch (w->out->dialect) {
	case DIALECT_SQLITE:
		put_function_sqlite(w, value);
		return;
	case DIALECT_POSTGRES:
		put_function_postgres(w, value);
		return;
	case DIALECT_TSQL:
		break;
	}
	sql_fail(w->out,
	         fail(ERR_INVALID,
	              "contains, startswith and endswith are not offered by this database"));
}

static void
put_one(struct writer *w, struct value value)
{
	bool known = value.type != VALUE_NULL;

	sql_put(w->out, w->is_first ? "" : w->is_list ? ", " : " OR ");
	w->is_first = false;
	if (w->is_list && known)
		put_value(w, value);
	else if (w->is_list)
		sql_put(w->out, "NULL");
	else if (!known)
		sql_put(w->out, UNKNOWN);
	else if (w->item->test >= TEST_CONTAINS)
		put_function(w, value);
	else
		put_comparison(w, value);
}

/* A claim's values; one that does not fit stands as NULL: `c IN (a, NULL)` is true or unknown and
 * its opposite false or unknown, so it neither lets a row in nor, under `not`, out of the
 * condition. */
static void
put_claim(struct writer *w, struct bytes path, const struct claim_source *claims)
{
	struct value values[FILTER_CLAIM_MAX + 1];
	size_t count =
		claims == NULL ? 0 : claims->values(claims->of, path, values, FILTER_CLAIM_MAX + 1);
	bool cut = count > FILTER_CLAIM_MAX;

	for (size_t i = 0; i < count - cut; i++) {
		struct value fitted = { .type = VALUE_NULL };
		bool empty = values[i].type == VALUE_TEXT && values[i].bytes.len == 0;

		if (empty && w->item->test >= TEST_CONTAINS) /* every text contains "" */
			put_one(w, fitted);
		else if (literal_fit_value(column_type(w), values[i], w->out->arena, &fitted))
			put_one(w, fitted);
		else
			put_one(w, (struct value){ .type = VALUE_NULL });
	}
	if (count == 0 || cut)
		put_one(w, (struct value){ .type = VALUE_NULL });
}

static void
put_null_test(const struct writer *w)
{
	select_put_column(w->out, w->table, w->item->column);
	sql_put(w->out, w->item->test == TEST_NE ? " IS NOT NULL" : " IS NULL");
}

static void
put_test(struct sql *out, const struct table *table, const struct filter_item *item,
         const struct claim_source *claims)
{
	const struct filter_operand *only = &item->operands[0];
	bool plain = item->operand_count == 1 && !only->is_claim;
	struct writer w = { .out = out,
		            .table = table,
		            .item = item,
		            .is_first = true,
		            .is_list = !plain && item->test <= TEST_NE };

	if (plain && only->value.type == VALUE_NULL) {
		put_null_test(&w);
		return;
	}
	if (plain) {
		put_one(&w, only->value);
		return;
	}
	if (w.is_list)
		put_column(&w);
	sql_put(out, !w.is_list ? "(" : item->test == TEST_NE ? " NOT IN (" : " IN (");
	for (size_t i = 0; i < item->operand_count; i++) {
		if (item->operands[i].is_claim)
			put_claim(&w, item->operands[i].claim, claims);
		else
			put_one(&w, item->operands[i].value);
	}
	sql_put(out, ")");
}

void
filter_put_sql(const struct filter *f, const struct table *table, const struct claim_source *claims,
               struct sql *out)
{
	static const char *const words[] = {
		[ITEM_OPEN] = "(",    [ITEM_CLOSE] = ")", [ITEM_NOT] = "NOT ",
		[ITEM_AND] = " AND ", [ITEM_OR] = " OR ",
	};

	sql_put(out, "(");
	for (size_t i = 0; i < f->count; i++) {
		if (f->items[i].kind == ITEM_TEST)
			put_test(out, table, &f->items[i], claims);
		else
			sql_put(out, words[f->items[i].kind]);
	}
	sql_put(out, ")");
}
