/* openapi.c - /openapi.json (OpenAPI 3.1): only what the caller may do. Without a token, how to get
 * one. */
#include "base/macros.h"
#include "format/json.h"
#include "frontend/endpoint.h"
#include "frontend/oauth.h"

enum { OPTIONS = 5 };

/* What the document shows of one resource to this caller. */
struct view {
	const struct table *table;
	struct bytes name;
	unsigned page_max;
	unsigned actions; /* bit = enum action */
	struct column_set columns[ACTION_COUNT];
};

static const char *const errors = "\"4XX\":{\"$ref\":\"#/components/responses/"
				  "Error\"},\"5XX\":{\"$ref\":\"#/components/responses/Error\"}";

static void
look(struct request *r, size_t index, struct view *ret)
{
	const struct resource_settings *settings = &r->gate->settings->resources[index];
	const struct grant *grant;
	struct decision ignored;

	*ret = (struct view){ .table = policy_table(r->gate->policy, (unsigned)index),
		              .name = bytes_text(settings->name),
		              .page_max = settings->page_max };
	for (int a = ACTION_READ; a <= ACTION_DELETE; a++) {
		if (r->who == NULL ||
		    failed(policy_decide(r->gate->policy, r->who, ret->name, (enum action)a, NULL,
		                         &r->arena, &grant, &ignored)))
			continue;
		ret->actions |= 1u << a;
		for (size_t i = 0; i < grant->view_count; i++)
			column_set_unite(&ret->columns[a], &grant->views[i].columns);
	}
}

static const char *
schema_of(enum value_type type)
{
	switch (type) {
	case VALUE_BOOL:
		return "\"boolean\"";
	case VALUE_INT64:
		return "\"integer\",\"format\":\"int64\"";
	case VALUE_DECIMAL:
		return "\"number\"";
	case VALUE_DOUBLE:
		return "\"number\",\"format\":\"double\"";
	case VALUE_BYTES:
		return "\"string\",\"contentEncoding\":\"base64\"";
	case VALUE_DATE:
		return "\"string\",\"format\":\"date\"";
	case VALUE_TIME:
		return "\"string\",\"format\":\"time\"";
	case VALUE_TIMESTAMP:
		return "\"string\",\"format\":\"date-time\"";
	case VALUE_UUID:
		return "\"string\",\"format\":\"uuid\"";
	case VALUE_TEXT:
		return "\"string\"";
	case VALUE_NULL:
	case VALUE_JSON:
		break;
	}
	return NULL; /* anything */
}

static void
put_type(struct buf *out, const struct column *c)
{
	const char *schema = schema_of(c->type);

	if (schema == NULL) {
		buf_put_text(out, "{}");
	} else if (!c->nullable) {
		buf_printf(out, "{\"type\":%s}", schema);
	} else {
		/* 3.1 has no `nullable`: a list of types. The name is the first word of the schema.
		 */
		struct bytes text = bytes_text(schema);
		size_t comma = bytes_find(text, ',');
		buf_put_text(out, "{\"type\":[");
		buf_put(out, bytes_slice(text, 0, comma));
		buf_put_text(out, ",\"null\"]");
		buf_put(out, bytes_slice(text, comma, text.len));
		buf_put_u8(out, '}');
	}
}

static bool
is_key(const struct table *t, size_t column)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (t->key[i] == column)
			return true;
	return false;
}

/* May it stand in a body? The key of a row that is there stands in the path. */
static bool
is_written(const struct view *v, enum action action, size_t column)
{
	return column_set_has(&v->columns[action], column) &&
	       !v->table->columns[column].is_generated &&
	       !(action == ACTION_UPDATE && is_key(v->table, column));
}

static bool
is_shown(const struct view *v, enum action action, size_t column)
{
	return action == ACTION_READ ? column_set_has(&v->columns[action], column)
	                             : is_written(v, action, column);
}

static void
put_columns(struct buf *out, const struct view *v, enum action action)
{
	bool first = true;

	buf_put_text(out, "\"type\":\"object\",\"properties\":{");
	for (size_t i = 0; i < v->table->column_count; i++) {
		if (!is_shown(v, action, i))
			continue;
		if (!first)
			buf_put_u8(out, ',');
		first = false;
		json_put_string(out, v->table->columns[i].name);
		buf_put_u8(out, ':');
		put_type(out, &v->table->columns[i]);
	}
	buf_put_u8(out, '}');
}

/* A new row needs what has no default; a row that is replaced, all that cannot be NULL. */
static void
put_required(struct buf *out, const struct view *v, enum action action)
{
	bool first = true;

	buf_put_text(out, ",\"required\":[");
	for (size_t i = 0; i < v->table->column_count; i++) {
		const struct column *c = &v->table->columns[i];

		if (!is_written(v, action, i) || c->nullable ||
		    (action == ACTION_CREATE && c->has_default))
			continue;
		if (!first)
			buf_put_u8(out, ',');
		first = false;
		json_put_string(out, c->name);
	}
	buf_put_u8(out, ']');
}

/* The list of rows every answer with data holds. */
static void
put_answer(struct buf *out, const struct view *v, const char *status, const char *what)
{
	buf_printf(out,
	           "\"%s\":{\"description\":\"%s\",\"content\":{\"application/"
	           "json\":{\"schema\":{\"type\":\"object\","
	           "\"properties\":{\"value\":{\"type\":\"array\",\"items\":{",
	           status, what);
	put_columns(out, v, ACTION_READ);
	buf_put_text(out, "}},\"nextLink\":{\"type\":\"string\"}}}}}},");
}

/* PATCH sets some columns, the others a whole row. */
static void
put_body(struct buf *out, const struct view *v, enum action action, bool is_patch)
{
	buf_put_text(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/"
	                  "json\":{\"schema\":{");
	put_columns(out, v, action);
	if (is_patch)
		buf_put_text(out, ",\"minProperties\":1");
	else
		put_required(out, v, action);
	buf_put_text(out, ",\"additionalProperties\":false}}}},");
}

static void
begin_operation(struct buf *out, const struct view *v, const char *method, const char *what,
                bool *first)
{
	buf_printf(out, "%s\"%s\":{\"summary\":\"%s\",\"tags\":[", *first ? "" : ",", method, what);
	json_put_string(out, v->name);
	buf_put_text(out, "],\"security\":[{\"OAuth2PasswordBearer\":[]}],");
	*first = false;
}

/* The first `count` options: all of them for a list, $select for a row. */
static void
put_options(struct buf *out, const struct view *v, size_t count)
{
	static const char *const options[OPTIONS][3] = {
		{ "$select", "columns, separated by commas", "\"string\"" },
		{ "$filter", "eq ne gt ge lt le and or not in contains startswith endswith",
		  "\"string\"" },
		{ "$orderby", "column asc|desc, …", "\"string\"" },
		{ "$after", "cursor out of nextLink", "\"string\"" },
		{ "$first", "rows of a page", "\"integer\",\"minimum\":1,\"maximum\":" },
	};

	buf_put_text(out, "\"parameters\":[");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out,
		           "%s{\"name\":\"%s\",\"in\":\"query\",\"description\":\"%s\",\"schema\":{"
		           "\"type\":%s",
		           i == 0 ? "" : ",", options[i][0], options[i][1], options[i][2]);
		if (i == OPTIONS - 1)
			buf_printf(out, "%u", v->page_max);
		buf_put_text(out, "}}");
	}
	buf_put_text(out, "],");
}

static void
put_collection(struct buf *out, const struct view *v)
{
	bool first = true;

	buf_put_text(out, "\"/api/");
	buf_put(out, v->name); /* [a-z0-9_-] by its check in the configuration */
	buf_put_text(out, "\":{");
	if ((v->actions >> ACTION_READ & 1) != 0) {
		begin_operation(out, v, "get", "List rows", &first);
		put_options(out, v, OPTIONS);
		buf_put_text(out, "\"responses\":{");
		put_answer(out, v, "200", "Rows");
		buf_printf(out, "%s}}", errors);
	}
	if ((v->actions >> ACTION_CREATE & 1) != 0) {
		begin_operation(out, v, "post", "Create a row", &first);
		put_body(out, v, ACTION_CREATE, false);
		buf_put_text(out, "\"responses\":{");
		put_answer(out, v, "201", "The new row");
		buf_printf(out, "%s}}", errors);
	}
	buf_put_u8(out, '}');
}

static void
put_key_path(struct buf *out, const struct view *v)
{
	buf_put_text(out, "/api/");
	buf_put(out, v->name);
	for (size_t i = 0; i < v->table->key_count; i++) {
		struct bytes name = v->table->columns[v->table->key[i]].name;
		buf_put_u8(out, '/');
		if (v->table->key_count > 1) {
			url_put_encoded(out, name);
			buf_put_u8(out, '/');
		}
		buf_put_u8(out, '{');
		buf_put(out, name);
		buf_put_u8(out, '}');
	}
}

static void
put_key_parameters(struct buf *out, const struct view *v)
{
	buf_put_text(out, "\"parameters\":[");
	for (size_t i = 0; i < v->table->key_count; i++) {
		const struct column *c = &v->table->columns[v->table->key[i]];
		buf_put_text(out, i == 0 ? "{\"name\":" : ",{\"name\":");
		json_put_string(out, c->name);
		buf_put_text(out, ",\"in\":\"path\",\"required\":true,\"schema\":");
		put_type(out, &(struct column){ .name = c->name, .type = c->type });
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

static void
put_row(struct buf *out, const struct view *v)
{
	static const struct {
		enum action action;
		const char *method, *what, *status, *answer;
		bool is_patch, creates;
	} rows[] = {
		{ ACTION_READ, "get", "Read a row", "200", "The row", false, false },
		{ ACTION_UPDATE, "patch", "Change columns of a row", "200", "The row as it is now",
		  true, false },
		{ ACTION_UPDATE, "put", "Replace a row", "200", "The row as it is now", false,
		  true },
		{ ACTION_DELETE, "delete", "Delete a row", "204", NULL, false, false },
	};
	CLEANUP(buf_done) struct buf path = { 0 };
	bool first = false;

	put_key_path(&path, v);
	json_put_string(out, buf_bytes(&path));
	buf_put_text(out, ":{");
	put_key_parameters(out, v);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((v->actions >> rows[i].action & 1) == 0)
			continue;
		begin_operation(out, v, rows[i].method, rows[i].what, &first);
		if (rows[i].action == ACTION_READ)
			put_options(out, v, 1);
		if (rows[i].action == ACTION_UPDATE)
			put_body(out, v, ACTION_UPDATE, rows[i].is_patch);
		buf_put_text(out, "\"responses\":{");
		if (rows[i].answer != NULL)
			put_answer(out, v, rows[i].status, rows[i].answer);
		else
			buf_printf(out, "\"%s\":{\"description\":\"Done\"},", rows[i].status);
		if (rows[i].action == ACTION_READ)
			buf_put_text(
				out,
				"\"304\":{\"description\":\"It has the ETag of If-None-Match\"},");
		if (rows[i].creates && (v->actions >> ACTION_CREATE & 1) != 0)
			put_answer(out, v, "201", "The new row");
		buf_printf(out, "%s}}", errors);
	}
	buf_put_u8(out, '}');
}

/* Where we give tokens ourselves, Swagger UI's Authorize asks for them in either way; where we do
 * not, it asks for a token that the caller has. */
static void
put_security(struct buf *out, bool has_issuer)
{
	static const char token[] =
		"\"tokenUrl\":\"/token\",\"refreshUrl\":\"/token\",\"scopes\":{}";

	if (has_issuer)
		buf_printf(out,
		           "{\"type\":\"oauth2\",\"flows\":{\"password\":{%s},"
		           "\"authorizationCode\":{\"authorizationUrl\":\"/authorize\",%s}}}",
		           token, token);
	else
		buf_put_text(out, "{\"type\":\"http\",\"scheme\":\"bearer\"}");
}

static void
put_head(struct buf *out, bool has_issuer)
{
	buf_put_text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Gatewarden\",\"version\":"
	                  "\"1\",\"description\":\"What your roles allow you to do.\"},"
	                  "\"components\":{\"securitySchemes\":{\"OAuth2PasswordBearer\":");
	put_security(out, has_issuer);
	buf_put_text(out, "},\"responses\":{\"Error\":{\"description\":\"Refused or failed\","
	                  "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\","
	                  "\"properties\":{\"error\":{\"type\":\"object\",\"properties\":{"
	                  "\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},"
	                  "\"status\":{\"type\":\"integer\"},\"decision\":{\"type\":\"string\"}"
	                  "}}}}}}}}},\"paths\":{");
}

struct err
openapi_document(struct request *r, enum step *step)
{
	struct buf *out = &r->reply.body;
	bool first = true;

	(void)step;
	r->reply.type = "application/json";
	put_head(out, oauth_issuer(r) != NULL);
	for (size_t i = 0; i < r->gate->settings->resource_count; i++) {
		struct view v;

		look(r, i, &v);
		if (v.actions == 0)
			continue;
		if (!first)
			buf_put_u8(out, ',');
		first = false;
		put_collection(out, &v);
		if (v.table->key_count == 0)
			continue;
		buf_put_u8(out, ',');
		put_row(out, &v);
	}
	buf_put_text(out, "}}\n");
	return out->overflow ? fail(ERR_LIMIT, "the document is too large") : OK;
}
