/* rest_prepare.c - what is asked, whether it may be, and the operation it becomes. */
#include "base/macros.h"
#include "frontend/rest.h"

static enum action
action_of(enum http_method method)
{
	switch (method) {
	case HTTP_POST:
		return ACTION_CREATE;
	case HTTP_PUT:
	case HTTP_PATCH:
		return ACTION_UPDATE;
	case HTTP_DELETE:
		return ACTION_DELETE;
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS:
	case HTTP_METHOD_COUNT:
		break;
	}
	return ACTION_READ;
}

/* POST has no key, PUT, PATCH and DELETE must have one. */
static struct err
check_shape(struct request *r)
{
	bool has_key = r->segment_count > 2;
	bool needs_key = r->head.method == HTTP_PUT || r->head.method == HTTP_PATCH ||
	                 r->head.method == HTTP_DELETE;

	if (r->segment_count < 2)
		return fail(ERR_NOT_FOUND, "no resource is named");
	if (has_key && r->head.method == HTTP_POST) {
		r->allow_field = "Allow: GET, HEAD, PUT, PATCH, DELETE\r\n";
		return (struct err){ .kind = ERR_PEER,
			             .code = 405,
			             .why = "a row is changed with PUT or PATCH" };
	}
	if (!has_key && needs_key) {
		r->allow_field = "Allow: GET, HEAD, POST\r\n";
		return (struct err){ .kind = ERR_PEER,
			             .code = 405,
			             .why = "this needs the key of a row in the path" };
	}
	return OK;
}

static struct err
decide(struct request *r, enum action action, const struct column_set *needed,
       const struct grant **ret)
{
	return policy_decide(r->gate->policy, r->who, r->resource, action, needed, &r->arena, ret,
	                     &r->decision);
}

void
rest_describe(struct request *r)
{
	r->class = AUDIT_DATASTORE;
	r->action_kind = action_of(r->head.method);
	r->action = bytes_text(action_name(r->action_kind));
	if (r->segment_count >= 2)
		r->resource = r->segments[1];
}

struct err
rest_decide(struct request *r)
{
	enum action action = action_of(r->head.method);

	TRY(check_shape(r));
	TRY(decide(r, action, NULL, &r->grant));
	r->rest = arena_alloc(&r->arena, sizeof *r->rest);
	if (r->rest == NULL)
		return fail(ERR_LIMIT, "out of memory for a request");
	r->rest->resource = r->grant->resource;
	r->rest->table = r->grant->table;
	r->backend = bytes_text(
		r->gate->settings
			->backends[r->gate->settings->resources[r->grant->resource].backend]
			.name);
	return OK;
}

/* Preparing the operation */

static void
columns_of(const struct grant *grant, struct column_set *ret)
{
	*ret = (struct column_set){ 0 };
	for (size_t i = 0; i < grant->view_count; i++)
		column_set_unite(ret, &grant->views[i].columns);
}

struct err
rest_check_column(struct request *r, size_t column)
{
	struct column_set needed = { 0 };
	const struct grant *ignored;

	column_set_add(&needed, column);
	return decide(r, r->grant->action, &needed, &ignored);
}

static struct err
prepare_read(struct request *r)
{
	struct rest *rest = r->rest;
	struct operation *op = &rest->operation;

	TRY(decide(r, ACTION_READ, &rest->needed, &r->grant));
	if (!rest->has_key)
		TRY(rest_order(r));
	columns_of(r->grant, &rest->columns);
	if (rest->has_select)
		rest->columns = rest->select;
	*op = (struct operation){ .kind = rest->has_key ? OPERATION_READ : OPERATION_LIST,
		                  .grant = r->grant,
		                  .columns = &rest->columns,
		                  .key = rest->key,
		                  .filter = rest->filter,
		                  .order = rest->order,
		                  .order_count = rest->order_count,
		                  .with_order = !rest->has_key,
		                  .after = rest->has_after ? rest->after : NULL,
		                  .limit = rest->first + 1 };
	return OK;
}

/* What may be seen of a written row; nothing when nothing may be read. */
static struct err
prepare_return(struct request *r)
{
	struct rest *rest = r->rest;
	struct decision ignored;
	const struct grant *read = NULL;
	struct err e = policy_decide(r->gate->policy, r->who, r->resource, ACTION_READ, NULL,
	                             &r->arena, &read, &ignored);

	if (failed(e) && e.kind != ERR_DENIED)
		return e;
	if (read == NULL)
		return OK;
	columns_of(read, &rest->columns);
	rest->operation.read = read;
	rest->operation.columns = &rest->columns;
	return OK;
}

/* PUT replaces: a column that is not given becomes NULL. */
static struct err
complete_replacement(struct request *r)
{
	struct rest *rest = r->rest;
	struct column_set allowed;

	columns_of(r->grant, &allowed);
	for (size_t i = 0; i < rest->table->column_count; i++) {
		const struct column *c = &rest->table->columns[i];
		bool is_key = false;

		for (size_t k = 0; k < rest->table->key_count; k++)
			is_key |= rest->table->key[k] == i;
		if (is_key || c->is_generated || column_set_has(&rest->needed, i) ||
		    !column_set_has(&allowed, i))
			continue;
		if (!c->nullable)
			return request_fail(r, fail(ERR_INVALID, "a column is missing"),
			                    "column %.*s is missing: PUT replaces the whole row",
			                    (int)c->name.len, (const char *)c->name.at);
		rest->set_columns[rest->set_count] = (uint16_t)i;
		rest->set_values[rest->set_count++] = (struct value){ .type = VALUE_NULL };
		column_set_add(&rest->needed, i);
	}
	return OK;
}

static struct err
refuse_key_columns(struct request *r)
{
	struct rest *rest = r->rest;

	for (size_t k = 0; k < rest->table->key_count; k++)
		if (column_set_has(&rest->needed, rest->table->key[k]))
			return fail(ERR_PEER,
			            "the key stands in the path: it cannot be changed in the body");
	return OK;
}

static struct err
check_preconditions(struct request *r)
{
	struct bytes match = { 0 }, none_match = { 0 };

	TRY(http_field_single(&r->head, "if-match", &match));
	TRY(http_field_single(&r->head, "if-none-match", &none_match));
	if ((match.at != NULL && !bytes_is(match, "*")) ||
	    (none_match.at != NULL && action_of(r->head.method) != ACTION_READ))
		return (struct err){ .kind = ERR_PEER,
			             .code = 501,
			             .why = "a write takes no precondition but If-Match: *" };
	r->rest->is_insert_tried |= match.at != NULL; /* If-Match: * forbids to create */
	return OK;
}

static struct err
prepare_write(struct request *r)
{
	struct rest *rest = r->rest;
	struct operation *op = &rest->operation;
	enum action action = action_of(r->head.method);

	TRY(check_preconditions(r));
	rest->set_columns =
		arena_array(&r->arena, rest->table->column_count + 1, sizeof *rest->set_columns);
	rest->set_values =
		arena_array(&r->arena, rest->table->column_count + 1, sizeof *rest->set_values);
	if (rest->set_columns == NULL || rest->set_values == NULL)
		return fail(ERR_LIMIT, "out of memory for a request");
	if (action != ACTION_DELETE)
		TRY(rest_parse_body(r));
	if (action == ACTION_UPDATE)
		TRY(refuse_key_columns(r));
	if (r->head.method == HTTP_PUT)
		TRY(complete_replacement(r));
	TRY(decide(r, action, &rest->needed, &r->grant));
	*op = (struct operation){
		.kind = action == ACTION_CREATE   ? OPERATION_INSERT
		        : action == ACTION_UPDATE ? OPERATION_UPDATE
		                                  : OPERATION_DELETE,
		.grant = r->grant,
		.key = rest->key,
		.set_columns = rest->set_columns,
		.set_values = rest->set_values,
		.set_count = rest->set_count,
	};
	if (action == ACTION_UPDATE && rest->set_count == 0)
		return fail(ERR_INVALID, "the body sets no column");
	return action == ACTION_DELETE ? OK : prepare_return(r);
}

struct err
rest_prepare(struct request *r)
{
	TRY(rest_parse_key(r));
	TRY(rest_parse_options(r));
	return action_of(r->head.method) == ACTION_READ ? prepare_read(r) : prepare_write(r);
}
