/* rest_rows.c - the row stream as JSON: {"value":[{…},…],"nextLink":"…"}. */
#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"
#include "frontend/rest.h"

/* `{"name":` or `,"name":` of each column, made once for all rows. */
struct err
rest_rows_begin(struct request *r)
{
	struct rest *rest = r->rest;
	CLEANUP(buf_done) struct buf name = { 0 };

	/* Behind the returned columns a list carries its order values, for the cursor only. */
	rest->shown = rest->rows->column_count;
	if (rest->operation.kind == OPERATION_LIST)
		rest->shown -= rest->order_count;
	rest->names = arena_array(&r->arena, rest->shown + 1, sizeof *rest->names);
	if (rest->names == NULL)
		return fail(ERR_LIMIT, "out of memory for an answer");
	for (size_t i = 0; i < rest->shown; i++) {
		buf_clear(&name);
		buf_put_u8(&name, i == 0 ? '{' : ',');
		json_put_string(&name, rest->rows->columns[i].name);
		buf_put_u8(&name, ':');
		rest->names[i] = arena_copy(&r->arena, buf_bytes(&name));
		if (rest->names[i].at == NULL)
			return fail(ERR_LIMIT, "out of memory for an answer");
	}
	r->reply.type = "application/json";
	r->reply.body.limit = (size_t)r->gate->settings->limits.response_bytes;
	buf_put_text(&r->reply.body, "{\"value\":[");
	r->rows = 0;
	return OK;
}

/* A column declared JSON may hold anything: what is no JSON leaves as a string. */
static void
put_json(struct request *r, struct bytes text)
{
	struct arena scratch = { .limit = 1 << 20 };
	const struct json *v;

	if (failed(json_parse(text, &scratch, &v, NULL)))
		json_put_string(&r->reply.body, text);
	else
		buf_put(&r->reply.body, text);
	arena_done(&scratch);
}

static void
put_value(struct request *r, const struct value *v)
{
	struct buf *out = &r->reply.body;

	switch (v->type) {
	case VALUE_NULL:
		buf_put(out, BYTES("null"));
		return;
	case VALUE_BOOL:
		buf_put_text(out, v->boolean ? "true" : "false");
		return;
	case VALUE_INT64:
		buf_put_decimal(out, v->int64);
		return;
	case VALUE_DOUBLE:
		json_put_double(out, v->real);
		return;
	case VALUE_DECIMAL:
		buf_put(out, v->bytes);
		return;
	case VALUE_BYTES:
		buf_put_u8(out, '"');
		base64_put(out, v->bytes, true);
		buf_put_u8(out, '"');
		return;
	case VALUE_JSON:
		put_json(r, v->bytes);
		return;
	case VALUE_TEXT:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
		json_put_string(out, v->bytes);
	}
}

void
rest_put_row(struct request *r, const struct value *row)
{
	struct rest *rest = r->rest;
	struct buf *out = &r->reply.body;

	if (r->rows++ > 0)
		buf_put_u8(out, ',');
	if (rest->shown == 0)
		buf_put_u8(out, '{');
	for (size_t i = 0; i < rest->shown; i++) {
		buf_put(out, rest->names[i]);
		put_value(r, &row[i]);
	}
	buf_put_u8(out, '}');
}

/* The same query, one page on. */
static struct err
put_next_link(struct request *r)
{
	struct rest *rest = r->rest;
	const struct cursor_context of = { r->resource, rest->order_text, rest->filter_text };
	CLEANUP(buf_done) struct buf link = { 0 };

	buf_put_text(&link, r->gate->settings->public_url);
	buf_put_text(&link, "/api/");
	url_put_encoded(&link, r->resource);
	buf_put_u8(&link, '?');
	for (size_t i = 0; i < rest->option_count; i++) {
		if (bytes_is(rest->options[i].name, "$after"))
			continue;
		buf_put(&link, rest->options[i].name); /* one of ours: needs no encoding */
		buf_put_u8(&link, '=');
		url_put_encoded(&link, rest->options[i].value);
		buf_put_u8(&link, '&');
	}
	buf_put_text(&link, "$after=");
	TRY(cursor_seal(r->gate, &of, rest->last, rest->order_count, &link));
	TRY(buf_check(&link));
	buf_put_text(&r->reply.body, ",\"nextLink\":");
	json_put_string(&r->reply.body, buf_bytes(&link));
	return OK;
}

struct err
rest_rows_end(struct request *r)
{
	struct buf *out = &r->reply.body;

	buf_put_u8(out, ']');
	if (r->rest->has_more)
		TRY(put_next_link(r));
	buf_put_text(out, "}\n");
	if (out->overflow)
		return (struct err){
			.kind = ERR_LIMIT,
			.code = 413,
			.why = "the answer is too large: ask for fewer rows with $first"
		};
	return OK;
}
