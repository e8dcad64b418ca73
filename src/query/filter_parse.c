/* filter_parse.c - text -> filter, in one pass without recursion: after a whole test comes and, or,
 * ) or the end; everywhere else comes a test, not or (. OData 4.01 part 2 section 5.1.1. */
#include "query/filter_tree.h"

#include "base/macros.h"
#include "query/filter_token.h"
#include "query/literal.h"

/* How many symbols a database's parser must hold at once for what we write. SQLite's stack has 100
 * places, fixed when it was built; the rest of a statement needs some of them. */
enum { WEIGHT_MAX = 60 };

/* What waits on the left in one parenthesis: `a or b and (` holds two tests and two operators. */
struct level {
	bool has_or, has_and, has_not;
};

struct parser {
	struct bytes text;
	const struct table *table;
	bool allow_claims;
	struct arena *arena;
	struct filter_error *error;
	struct filter_token token; /* the next one, not used yet */
	struct filter_item *items; /* in the arena */
	size_t count, room;
	size_t nodes;
	struct column_set columns;
	struct level levels[FILTER_DEPTH_MAX + 1];
	unsigned depth, weight;
};

static struct err
refuse_at(struct parser *p, enum filter_code code, struct filter_token at, const char *why)
{
	*p->error = (struct filter_error){
		.offset = at.offset, .near = at.text, .why = why, .columns = p->columns
	};
	return (struct err){ .kind = ERR_PEER, .code = code, .why = why };
}

/* Something else was expected where the next token stands. */
static struct err
refuse(struct parser *p, const char *expected)
{
	return refuse_at(p, FILTER_SYNTAX, p->token,
	                 p->token.kind == TOKEN_BAD ? p->token.why : expected);
}

static void
advance(struct parser *p)
{
	p->token = filter_token_at(p->text, p->token.offset + p->token.text.len);
}

static bool
is_word(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_WORD && bytes_is(p->token.text, word);
}

static struct err
count_node(struct parser *p)
{
	if (++p->nodes > FILTER_NODES_MAX)
		return refuse_at(p, FILTER_TOO_LARGE, p->token, "the filter has too many parts");
	return OK;
}

static struct err
add_item(struct parser *p, struct filter_item item)
{
	TRY(count_node(p));
	if (p->count == p->room) { /* cannot be: each item took a byte of the text */
		return refuse_at(p, FILTER_TOO_LARGE, p->token, "the filter has too many parts");
	}
	p->items[p->count++] = item;
	return OK;
}

/* Columns and values */

static struct err
read_column(struct parser *p, uint16_t *ret)
{
	if (p->token.kind != TOKEN_WORD)
		return refuse(p, "the name of a column was expected");

	int column = table_column(p->table, p->token.text);
	if (column < 0 || column >= TABLE_COLUMNS_MAX)
		return refuse_at(p, FILTER_UNKNOWN_COLUMN, p->token,
		                 "there is no column of this name");
	column_set_add(&p->columns, (size_t)column);
	advance(p);
	*ret = (uint16_t)column;
	return OK;
}

/* The text between the quotes, each pair of quotes inside being one. */
static struct err
unquote(struct parser *p, struct bytes token, struct bytes *ret)
{
	struct bytes inner = bytes_slice(token, 1, token.len - 1);

	if (bytes_find(inner, '\'') == inner.len) {
		*ret = inner;
		return OK;
	}

	uint8_t *copy = arena_alloc(p->arena, inner.len);
	size_t len = 0;
	if (copy == NULL)
		return fail(ERR_LIMIT, "the filter does not fit into the memory of the request");
	for (size_t i = 0; i < inner.len; i++) {
		copy[len++] = inner.at[i];
		if (inner.at[i] == '\'')
			i++;
	}
	*ret = (struct bytes){ copy, len };
	return OK;
}

static struct err
read_claim(struct parser *p, struct filter_operand *ret)
{
	if (!p->allow_claims)
		return refuse(p, "a value was expected; claims stand in row conditions only");
	*ret = (struct filter_operand){ .is_claim = true,
		                        .claim = bytes_slice(p->token.text, strlen("@claims."),
		                                             p->token.text.len) };
	advance(p);
	return OK;
}

/* A literal or claim for a column; null is not one. */
static struct err
read_operand(struct parser *p, uint16_t column, struct filter_operand *ret)
{
	enum value_type type = p->table->columns[column].type;
	struct bytes text = p->token.text;
	bool quoted = p->token.kind == TOKEN_STRING;
	struct value value;

	TRY(count_node(p));
	if (p->token.kind == TOKEN_CLAIM)
		return read_claim(p, ret);
	if (is_word(p, "null"))
		return refuse_at(p, FILTER_TYPE, p->token, "null goes with eq and ne only");
	if (!quoted && p->token.kind != TOKEN_LITERAL && !is_word(p, "true") &&
	    !is_word(p, "false"))
		return refuse(p, "a value was expected");
	if (quoted)
		TRY(unquote(p, p->token.text, &text));
	if (!literal_fit(type, text, quoted ? LITERAL_QUOTED : LITERAL_BARE, p->arena, &value))
		return refuse_at(p, FILTER_TYPE, p->token, literal_expected(type));
	*ret = (struct filter_operand){ .value = value };
	advance(p);
	return OK;
}

static struct err
keep_operands(struct parser *p, const struct filter_operand *from, size_t count,
              struct filter_item *item)
{
	struct filter_operand *kept = arena_array(p->arena, count, sizeof *kept);

	if (kept == NULL)
		return fail(ERR_LIMIT, "the filter does not fit into the memory of the request");
	memcpy(kept, from, count * sizeof *kept);
	item->operands = kept;
	item->operand_count = (uint16_t)count;
	return OK;
}

/* Tests */

static struct err
expect(struct parser *p, enum filter_token_kind kind, const char *expected)
{
	if (p->token.kind != kind)
		return refuse(p, expected);
	advance(p);
	return OK;
}

static struct err
read_list(struct parser *p, struct filter_item *item)
{
	struct filter_operand operands[FILTER_LIST_MAX];
	size_t count = 0;

	TRY(expect(p, TOKEN_OPEN, "( was expected after in"));
	for (;;) {
		if (count == FILTER_LIST_MAX)
			return refuse_at(p, FILTER_TOO_LARGE, p->token,
			                 "the list has too many values");
		TRY(read_operand(p, item->column, &operands[count]));
		count++;
		if (p->token.kind != TOKEN_COMMA)
			break;
		advance(p);
	}
	TRY(expect(p, TOKEN_CLOSE, ", or ) was expected"));
	return keep_operands(p, operands, count, item);
}

static struct err
read_null(struct parser *p, struct filter_item *item)
{
	const struct filter_operand null = { .value = { .type = VALUE_NULL } };

	TRY(count_node(p));
	advance(p);
	return keep_operands(p, &null, 1, item);
}

/* Bytes and JSON are only ever null or not; a bool has no order. */
static struct err
check_operator(struct parser *p, const struct filter_item *item)
{
	enum value_type type = p->table->columns[item->column].type;

	if (item->test <= TEST_NE)
		return OK;
	if (type == VALUE_BOOL || type == VALUE_BYTES || type == VALUE_JSON)
		return refuse_at(p, FILTER_TYPE, p->token,
		                 "the column has no order: eq or ne was expected");
	return OK;
}

static struct err
read_comparison(struct parser *p)
{
	static const struct {
		const char *word;
		enum filter_test test;
	} operators[] = { { "eq", TEST_EQ }, { "ne", TEST_NE }, { "gt", TEST_GT },
		          { "ge", TEST_GE }, { "lt", TEST_LT }, { "le", TEST_LE } };
	struct filter_item item = { .kind = ITEM_TEST };
	struct filter_operand operand;
	size_t i = 0;

	TRY(read_column(p, &item.column));
	if (is_word(p, "in")) {
		advance(p);
		TRY(read_list(p, &item));
		return add_item(p, item);
	}
	while (i < ARRAY_LEN(operators) && !is_word(p, operators[i].word))
		i++;
	if (i == ARRAY_LEN(operators))
		return refuse(p, "eq, ne, gt, ge, lt, le or in was expected");
	item.test = operators[i].test;
	TRY(check_operator(p, &item));
	advance(p);
	if (is_word(p, "null") && item.test <= TEST_NE) {
		TRY(read_null(p, &item));
		return add_item(p, item);
	}
	TRY(read_operand(p, item.column, &operand));
	TRY(keep_operands(p, &operand, 1, &item));
	return add_item(p, item);
}

/* The function named by the next token, when a ( follows it: else it is a column. */
static bool
is_function(const struct parser *p, enum filter_test *ret)
{
	static const struct {
		const char *word;
		enum filter_test test;
	} functions[] = { { "contains", TEST_CONTAINS },
		          { "startswith", TEST_STARTS },
		          { "endswith", TEST_ENDS } };

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (!is_word(p, functions[i].word))
			continue;
		*ret = functions[i].test;
		return filter_token_at(p->text, p->token.offset + p->token.text.len).kind ==
		       TOKEN_OPEN;
	}
	return false;
}

static struct err
read_function(struct parser *p, enum filter_test test)
{
	struct filter_item item = { .kind = ITEM_TEST, .test = test };
	struct filter_operand operand;

	advance(p);
	TRY(expect(p, TOKEN_OPEN, "( was expected"));

	struct filter_token column = p->token;
	TRY(read_column(p, &item.column));
	if (p->table->columns[item.column].type != VALUE_TEXT)
		return refuse_at(p, FILTER_TYPE, column, "a column of text was expected");
	TRY(expect(p, TOKEN_COMMA, ", was expected"));
	TRY(read_operand(p, item.column, &operand));
	TRY(expect(p, TOKEN_CLOSE, ") was expected"));
	TRY(keep_operands(p, &operand, 1, &item));
	return add_item(p, item);
}

/* Structure */

static unsigned
level_weight(const struct level *l)
{
	return 1u + (l->has_or ? 2u : 0u) + (l->has_and ? 2u : 0u) + (l->has_not ? 1u : 0u);
}

static struct err
open_level(struct parser *p)
{
	p->weight += level_weight(&p->levels[p->depth]);
	if (p->depth == FILTER_DEPTH_MAX || p->weight > WEIGHT_MAX)
		return refuse_at(p, FILTER_TOO_LARGE, p->token, "the filter is nested too deeply");
	p->levels[++p->depth] = (struct level){ 0 };
	advance(p);
	return add_item(p, (struct filter_item){ .kind = ITEM_OPEN });
}

static struct err
close_level(struct parser *p)
{
	if (p->depth == 0)
		return refuse(p, "and, or or the end was expected: no ( is open");
	p->weight -= level_weight(&p->levels[--p->depth]);
	p->levels[p->depth].has_not = false;
	advance(p);
	return add_item(p, (struct filter_item){ .kind = ITEM_CLOSE });
}

static struct err
read_not(struct parser *p)
{
	enum filter_test ignored;

	advance(p);
	if (p->token.kind != TOKEN_OPEN && !is_function(p, &ignored))
		return refuse(p, "( or a function was expected after not");
	p->levels[p->depth].has_not = true;
	return add_item(p, (struct filter_item){ .kind = ITEM_NOT });
}

/* Where a test may stand. *ret says whether one was read, or only what comes before one. */
static struct err
read_test(struct parser *p, bool *ret)
{
	enum filter_test test;

	*ret = false;
	if (p->token.kind == TOKEN_OPEN)
		return open_level(p);
	if (is_word(p, "not"))
		return read_not(p);
	if (p->token.kind != TOKEN_WORD)
		return refuse(p, "a column, a function, not or ( was expected");
	*ret = true;
	if (is_function(p, &test))
		TRY(read_function(p, test));
	else
		TRY(read_comparison(p));
	p->levels[p->depth].has_not = false;
	return OK;
}

/* Behind a test. *ret says whether another test must follow. */
static struct err
read_connector(struct parser *p, bool *ret)
{
	struct level *level = &p->levels[p->depth];
	bool is_or = is_word(p, "or");

	*ret = false;
	if (p->token.kind == TOKEN_CLOSE)
		return close_level(p);
	if (!is_or && !is_word(p, "and"))
		return refuse(p, p->depth > 0 ? "and, or or ) was expected"
		                              : "and, or or the end was expected");
	*level = (struct level){ .has_or = is_or || level->has_or, .has_and = !is_or };
	*ret = true;
	advance(p);
	return add_item(p, (struct filter_item){ .kind = is_or ? ITEM_OR : ITEM_AND });
}

static struct err
parse(struct parser *p)
{
	bool test_next = true;

	p->token = filter_token_at(p->text, 0);
	while (test_next || p->depth > 0 || p->token.kind != TOKEN_END) {
		if (test_next) {
			bool read;

			TRY(read_test(p, &read));
			test_next = !read;
		} else {
			TRY(read_connector(p, &test_next));
		}
	}
	return OK;
}

struct err
filter_parse(struct bytes text, const struct table *table, bool allow_claims, struct arena *arena,
             const struct filter **ret, struct filter_error *error)
{
	struct parser p = { .text = text,
		            .table = table,
		            .allow_claims = allow_claims,
		            .arena = arena,
		            .error = error };

	if (text.len > FILTER_TEXT_MAX)
		return refuse_at(&p, FILTER_TOO_LARGE, p.token, "the filter is too long");
	if (!bytes_is_utf8(text) || bytes_find(text, 0) != text.len)
		return refuse_at(&p, FILTER_SYNTAX, p.token, "UTF-8 text without NUL was expected");

	struct filter *f = arena_alloc(arena, sizeof *f);
	p.room = text.len < FILTER_NODES_MAX ? text.len : FILTER_NODES_MAX;
	p.items = arena_array(arena, p.room, sizeof *p.items);
	if (f == NULL || p.items == NULL)
		return fail(ERR_LIMIT, "the filter does not fit into the memory of the request");
	TRY(parse(&p));
	*f = (struct filter){ .items = p.items, .count = p.count, .columns = p.columns };
	*ret = f;
	return OK;
}

void
filter_columns(const struct filter *f, struct column_set *ret)
{
	*ret = f->columns;
}
