/* rest_body.c - a JSON object -> columns and values, each checked against the column's type. */
#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"
#include "frontend/rest.h"
#include "query/literal.h"

/* Media type without parameters. */
static struct err
check_media_type(struct request *r)
{
	struct bytes type = { 0 }, encoding = { 0 };

	TRY(http_field_single(&r->head, "content-encoding", &encoding));
	if (encoding.at != NULL && !bytes_equal_nocase(encoding, BYTES("identity")))
		return (struct err){ .kind = ERR_PEER,
			             .code = 415,
			             .why = "compressed bodies are not taken" };
	TRY(http_field_single(&r->head, "content-type", &type));
	type = bytes_slice(type, 0, bytes_find(type, ';'));
	while (type.len > 0 && type.at[type.len - 1] == ' ')
		type.len--;
	if (!bytes_equal_nocase(type, BYTES("application/json")))
		return (struct err){ .kind = ERR_PEER,
			             .code = 415,
			             .why = "the body must be application/json" };
	return OK;
}

static bool
take_bytes(struct request *r, struct bytes text, struct value *ret)
{
	uint8_t *at = arena_alloc(&r->arena, text.len + 1);
	size_t len;

	if (at == NULL || failed(base64_decode(text, true, at, text.len, &len)))
		return false;
	*ret = (struct value){ .type = VALUE_BYTES, .bytes = { at, len } };
	return true;
}

static bool
take_json(struct request *r, const struct json *v, struct value *ret)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	json_put_value(&text, v);
	struct bytes copy = arena_copy(&r->arena, buf_bytes(&text));
	*ret = (struct value){ .type = VALUE_JSON, .bytes = copy };
	return copy.at != NULL;
}

/* Numbers stay as written, so that a decimal loses no digit. */
static bool
take_value(struct request *r, enum value_type type, const struct json *v, struct value *ret)
{
	struct bytes text;

	if (type == VALUE_JSON)
		return take_json(r, v, ret);
	if (type == VALUE_BYTES)
		return json_string(v, &text) && take_bytes(r, text, ret);
	*ret = (struct value){ .type = type };
	if (type == VALUE_INT64)
		return json_int64(v, &ret->int64);
	if (type == VALUE_BOOL)
		return json_bool(v, &ret->boolean);
	if (type == VALUE_DOUBLE)
		return json_double(v, &ret->real);
	if (type == VALUE_DECIMAL && v->type == JSON_NUMBER)
		return literal_fit(type, v->text, LITERAL_BARE, &r->arena, ret);
	if (!json_string(v, &text))
		return false;
	ret->bytes = text;
	return type == VALUE_TEXT || literal_fit(type, text, LITERAL_ANY, &r->arena, ret);
}

/* What JSON must be for a column of this type. */
static const char *
expected(enum value_type type)
{
	switch (type) {
	case VALUE_BOOL:
		return "true or false";
	case VALUE_INT64:
		return "a whole number of 64 bits";
	case VALUE_DECIMAL:
	case VALUE_DOUBLE:
		return "a number";
	case VALUE_BYTES:
		return "a string of base64";
	case VALUE_DATE:
		return "a date such as \"2026-11-22\"";
	case VALUE_TIME:
		return "a time such as \"13:04:05\"";
	case VALUE_TIMESTAMP:
		return "a timestamp such as \"2026-11-22T13:04:05Z\"";
	case VALUE_UUID:
		return "a uuid";
	case VALUE_TEXT:
	case VALUE_NULL:
	case VALUE_JSON:
		break;
	}
	return "a string";
}

static struct err
take_member(struct request *r, const struct json *name)
{
	struct rest *rest = r->rest;
	int index = table_column(rest->table, name->text);
	int shown = name->text.len > 64 ? 64 : (int)name->text.len;

	if (index < 0)
		return request_fail(r, fail(ERR_PEER, "the body names no column"),
		                    "there is no column \"%.*s\"", shown,
		                    (const char *)name->text.at);

	TRY(rest_check_column(r, (size_t)index));
	const struct column *column = &rest->table->columns[index];
	struct value *value = &rest->set_values[rest->set_count];
	if (column->is_generated)
		return request_fail(r, fail(ERR_INVALID, "a computed column"),
		                    "column %.*s is computed: it cannot be written", shown,
		                    (const char *)name->text.at);
	if (name[1].type == JSON_NULL)
		*value = (struct value){ .type = VALUE_NULL };
	else if (!take_value(r, column->type, name + 1, value))
		return request_fail(r, fail(ERR_INVALID, "a value of the wrong type"),
		                    "column %.*s takes %s", shown, (const char *)name->text.at,
		                    expected(column->type));
	rest->set_columns[rest->set_count++] = (uint16_t)index;
	column_set_add(&rest->needed, (size_t)index);
	return OK;
}

struct err
rest_parse_body(struct request *r)
{
	const struct json *body;
	struct json_error error = { 0 };

	TRY(check_media_type(r));
	struct err e = json_parse(buf_bytes(&r->body), &r->arena, &body, &error);
	if (failed(e)) {
		e.kind = ERR_PEER;
		return request_fail(r, e, "the body is not JSON we take: at byte %zu: %s",
		                    error.offset, error.why);
	}
	if (body->type != JSON_OBJECT)
		return fail(ERR_PEER, "the body must be one JSON object");
	if (body->count > r->rest->table->column_count)
		return fail(ERR_PEER, "the body names more columns than there are");
	for (const struct json *name = json_first(body); name != NULL; name = json_next(body, name))
		TRY(take_member(r, name));
	return OK;
}
