/* rest_query.c - the path's key and the query options ($select $filter $orderby $first $after). */
#include <stdarg.h>
#include <stdio.h>

#include "base/macros.h"
#include "frontend/rest.h"
#include "query/literal.h"

struct err
request_fail(struct request *r, struct err e, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len > 0)
		r->detail = arena_copy(&r->arena, bytes_text(text));
	return e;
}

/* The key: /42, or /id/42, or /a/1/b/2 */

static struct err
take_key(struct request *r, size_t part, struct bytes text)
{
	struct rest *rest = r->rest;
	const struct column *column = &rest->table->columns[rest->table->key[part]];

	if (!literal_fit(column->type, text, LITERAL_ANY, &r->arena, &rest->key[part]))
		return request_fail(r, fail(ERR_PEER, "the key is malformed"),
		                    "the key is malformed: %.*s: %s", (int)column->name.len,
		                    (const char *)column->name.at, literal_expected(column->type));
	return OK;
}

/* Which part of the key a name stands for, or key_count. */
static size_t
key_part(const struct table *t, struct bytes name)
{
	size_t part = 0;

	while (part < t->key_count && !bytes_equal(t->columns[t->key[part]].name, name))
		part++;
	return part;
}

struct err
rest_parse_key(struct request *r)
{
	struct rest *rest = r->rest;
	const struct bytes *parts = r->segments + 2;
	size_t count = r->segment_count - 2;
	bool seen[TABLE_KEY_MAX] = { 0 };

	rest->has_key = count > 0;
	if (count == 0)
		return OK;
	if (rest->table->key_count == 0)
		return fail(ERR_PEER, "this resource has no key: its rows cannot be addressed");
	if (count == 1 && rest->table->key_count == 1)
		return take_key(r, 0, parts[0]);
	if (count != 2 * rest->table->key_count)
		return fail(ERR_PEER, "the path does not name the whole key: /column/value for "
		                      "each of its columns");
	for (size_t i = 0; i < count; i += 2) {
		size_t part = key_part(rest->table, parts[i]);

		if (part == rest->table->key_count || seen[part])
			return fail(ERR_PEER,
			            "the path names a column that is not of the key, or one twice");
		seen[part] = true;
		TRY(take_key(r, part, parts[i + 1]));
	}
	return OK;
}

/* Lists of columns */

static struct bytes
trim(struct bytes text)
{
	while (text.len > 0 && text.at[0] == ' ')
		text = bytes_slice(text, 1, text.len);
	while (text.len > 0 && text.at[text.len - 1] == ' ')
		text.len--;
	return text;
}

/* The next item of a comma list; false at the end. */
static bool
next_item(struct bytes *list, struct bytes *ret)
{
	if (list->at == NULL)
		return false;

	size_t comma = bytes_find(*list, ',');
	*ret = trim(bytes_slice(*list, 0, comma));
	*list = comma == list->len ? (struct bytes){ NULL, 0 }
	                           : bytes_slice(*list, comma + 1, list->len);
	return true;
}

static struct err
find_column(struct request *r, const char *option, struct bytes name, uint16_t *ret)
{
	int column = table_column(r->rest->table, name);

	if (column < 0)
		return request_fail(r, fail(ERR_PEER, "a query option names no column"),
		                    "%s: there is no column \"%.*s\"", option,
		                    name.len > 64 ? 64 : (int)name.len, (const char *)name.at);
	*ret = (uint16_t)column;
	column_set_add(&r->rest->needed, *ret);
	return rest_check_column(r, (size_t)column);
}

static struct err
parse_select(struct request *r, struct bytes text)
{
	struct bytes name;
	uint16_t column = 0;

	while (next_item(&text, &name)) {
		TRY(find_column(r, "$select", name, &column));
		column_set_add(&r->rest->select, column);
	}
	r->rest->has_select = true;
	return OK;
}

static bool
is_ordered_by(const struct rest *rest, uint16_t column)
{
	for (size_t i = 0; i < rest->order_count; i++)
		if (rest->order[i].column == column)
			return true;
	return false;
}

static struct err
parse_order(struct request *r, struct bytes text)
{
	struct rest *rest = r->rest;
	struct bytes item;

	rest->order_text = text;
	while (next_item(&text, &item)) {
		size_t space = bytes_find(item, ' ');
		struct bytes direction = trim(bytes_slice(item, space, item.len));
		struct order_term term = { .descending = bytes_is(direction, "desc") };

		if (direction.len != 0 && !term.descending && !bytes_is(direction, "asc"))
			return fail(ERR_PEER,
			            "$orderby: a column may be followed by asc or desc only");
		TRY(find_column(r, "$orderby", bytes_slice(item, 0, space), &term.column));
		if (is_ordered_by(rest, term.column))
			return fail(ERR_PEER, "$orderby names a column twice");
		if (rest->order_count >= ORDER_MAX)
			return fail(ERR_PEER, "$orderby names too many columns");
		rest->order[rest->order_count++] = term;
	}
	return OK;
}

/* A filter that does not parse may still name a column whose type the caller must not learn. */
static struct err
check_columns(struct request *r, const struct column_set *named)
{
	for (size_t i = 0; i < r->rest->table->column_count; i++)
		if (column_set_has(named, i))
			TRY(rest_check_column(r, i));
	return OK;
}

static struct err
parse_filter(struct request *r, struct bytes text)
{
	struct rest *rest = r->rest;
	struct filter_error error = { 0 };
	struct column_set used = { 0 };
	struct err e = filter_parse(text, rest->table, false, &r->arena, &rest->filter, &error);

	rest->filter_text = text;
	if (failed(e))
		TRY(check_columns(r, &error.columns));
	if (failed(e) && error.near.len == 0)
		return request_fail(r, e, "$filter: at the end: %s", error.why);
	if (failed(e))
		return request_fail(r, e, "$filter: at character %zu, near \"%.*s\": %s",
		                    error.offset + 1,
		                    error.near.len > 64 ? 64 : (int)error.near.len,
		                    (const char *)error.near.at, error.why);
	filter_columns(rest->filter, &used);
	column_set_unite(&rest->needed, &used);
	return OK;
}

static struct err
parse_first(struct request *r, struct bytes text)
{
	const struct resource_settings *resource = &r->gate->settings->resources[r->rest->resource];
	uint64_t first;

	if (failed(bytes_to_u64(text, &first)) || first == 0 || first > resource->page_max)
		return request_fail(r, fail(ERR_PEER, "$first is out of range"),
		                    "$first takes a number from 1 to %u", resource->page_max);
	r->rest->first = (size_t)first;
	return OK;
}

static struct err
parse_after(struct request *r, struct bytes text)
{
	r->rest->has_after = true;
	r->rest->after[0].bytes = text; /* opened when order and filter are known */
	return OK;
}

static const struct option {
	const char *name;
	struct err (*parse)(struct request *r, struct bytes text);
	bool of_one; /* also for a single row */
} options[] = {
	{ "$select", parse_select, true },  { "$filter", parse_filter, false },
	{ "$orderby", parse_order, false }, { "$first", parse_first, false },
	{ "$after", parse_after, false },
};

static struct err
parse_option(struct request *r, const struct url_parameter *p, unsigned *seen)
{
	bool is_read = r->head.method == HTTP_GET || r->head.method == HTTP_HEAD;
	bool is_list = is_read && !r->rest->has_key;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!bytes_is(p->name, options[i].name) ||
		    !(is_list || (is_read && options[i].of_one)))
			continue;
		if ((*seen & 1u << i) != 0)
			return request_fail(r, fail(ERR_PEER, "a query option stands twice"),
			                    "%s stands twice", options[i].name);
		*seen |= 1u << i;
		return options[i].parse(r, p->value);
	}
	return request_fail(r, fail(ERR_PEER, "unknown query option"),
	                    "unknown query option \"%.*s\" here",
	                    p->name.len > 64 ? 64 : (int)p->name.len, (const char *)p->name.at);
}

/* Do all views of the grant have it? The backend orders by no other column. */
static bool
is_always_seen(const struct grant *g, size_t column)
{
	for (size_t i = 0; i < g->view_count; i++)
		if (!column_set_has(&g->views[i].columns, column))
			return false;
	return true;
}

/* The key behind the asked order makes it total, so that a page has one end. Without a key, or
 * without room for it, as much as there is of what tells rows apart; rest.c sees to it that a page
 * does not end between rows alike. */
static void
complete_order(struct request *r)
{
	struct rest *rest = r->rest;
	const struct table *t = rest->table;
	size_t count = t->key_count > 0 ? t->key_count : t->column_count;

	for (size_t i = 0; i < count && rest->order_count < ORDER_MAX; i++) {
		uint16_t column = t->key_count > 0 ? t->key[i] : (uint16_t)i;

		if (!is_ordered_by(rest, column) &&
		    (t->key_count > 0 || is_always_seen(r->grant, column)))
			rest->order[rest->order_count++] = (struct order_term){ .column = column };
	}
}

struct err
rest_order(struct request *r)
{
	struct rest *rest = r->rest;

	complete_order(r);
	if (!rest->has_after)
		return OK;

	const struct cursor_context of = { r->resource, rest->order_text, rest->filter_text };
	return cursor_open(r->gate, &of, rest->after[0].bytes, &r->arena, rest->after,
	                   rest->order_count);
}

struct err
rest_parse_options(struct request *r)
{
	struct rest *rest = r->rest;
	unsigned seen = 0;

	rest->first = r->gate->settings->resources[rest->resource].page_size;
	if (r->head.query.len > 0) {
		rest->options = arena_array(&r->arena, URL_PARAMETERS_MAX, sizeof *rest->options);
		if (rest->options == NULL)
			return fail(ERR_LIMIT, "out of memory for a request");
		TRY(url_form_split(r->head.query, &r->arena, rest->options, &rest->option_count));
	}
	for (size_t i = 0; i < rest->option_count; i++)
		TRY(parse_option(r, &rest->options[i], &seen));
	return OK;
}
