/* rest.c - see rest.h: an operation is run, and the answer grows from its rows. */
#include "frontend/rest.h"

enum {
	STREAM_FROM = 256 << 10, /* bytes of a list: a longer one leaves in parts */
	STREAMS_MAX = 2,         /* at once; one less than a backend has readers */
};

static void
on_rows(void *of)
{
	struct request *r = of;

	/* A write that was held too long is undone, and says so whatever the request is doing then.
	 */
	if (!r->rest->is_waiting)
		return;
	r->rest->is_waiting = false;
	request_resume(r);
}

static struct err
start(struct request *r)
{
	struct rest *rest = r->rest;
	const struct resource_settings *resource = &r->gate->settings->resources[rest->resource];
	struct bytes sql = { 0 };

	TRY(backend_start(r->gate->backends[resource->backend], &rest->operation, &r->arena,
	                  &rest->rows, &rest->fault, &sql));
	rest->rows->wake = on_rows;
	rest->rows->wake_of = r;
	gate_fingerprint(r->gate, sql, r->fingerprint);
	r->has_fingerprint = true;
	return rest_rows_begin(r);
}

/* Keeps the order values of the last row of the page: the next page begins behind it. */
static struct err
keep_last(struct request *r, const struct value *row)
{
	struct rest *rest = r->rest;

	for (size_t i = 0; i < rest->order_count; i++)
		TRY(value_copy(row[rest->shown + i], &r->arena, &rest->last[i]));
	return OK;
}

static bool
is_same(const struct value *a, const struct value *b)
{
	if (a->type != b->type || a->type == VALUE_NULL)
		return a->type == b->type;
	if (value_has_bytes(a->type))
		return bytes_equal(a->bytes, b->bytes);
	if (a->type == VALUE_BOOL)
		return a->boolean == b->boolean;
	return a->type == VALUE_INT64 ? a->int64 == b->int64 : a->real == b->real;
}

/* A page cannot end between two rows that the order does not tell apart: the next would begin
 * behind both. */
static struct err
check_page_end(const struct rest *rest, const struct value *next)
{
	for (size_t i = 0; i < rest->order_count; i++)
		if (!is_same(&rest->last[i], &next[rest->shown + i]))
			return OK;
	return fail(ERR_INVALID,
	            "rows at the end of this page are alike in every column of the order: "
	            "ask for another $first or $orderby");
}

static struct err
take_row(struct request *r, const struct value *row)
{
	struct rest *rest = r->rest;

	if (rest->operation.kind == OPERATION_LIST && (size_t)r->rows == rest->first) {
		rest->has_more = true;
		return check_page_end(rest, row);
	}
	rest_put_row(r, row);
	if (r->reply.body.overflow)
		return rest_rows_end(r); /* says that it is too large */
	if (rest->operation.kind == OPERATION_LIST && (size_t)r->rows == rest->first)
		return keep_last(r, row);
	return OK;
}

/* The row is not there (or not for this caller): PUT creates it where that is allowed. PATCH does
 * not: what it leaves out would fail for a row that is missing and not for one that is hidden. */
static bool
may_insert_instead(struct request *r, struct err e)
{
	struct rest *rest = r->rest;
	struct decision ignored;
	const struct grant *grant;

	if (e.kind != ERR_NOT_FOUND || r->head.method != HTTP_PUT || rest->is_insert_tried)
		return false;
	rest->is_insert_tried = true;
	for (size_t k = 0; k < rest->table->key_count; k++) {
		/* 2.5 may be looked for in a column of whole numbers, but not stored there. */
		if (rest->table->columns[rest->table->key[k]].type == VALUE_INT64 &&
		    rest->key[k].type != VALUE_INT64)
			return false;
		rest->set_columns[rest->set_count] = rest->table->key[k];
		rest->set_values[rest->set_count++] = rest->key[k];
		column_set_add(&rest->needed, rest->table->key[k]);
	}
	if (failed(policy_decide(r->gate->policy, r->who, r->resource, ACTION_CREATE, &rest->needed,
	                         &r->arena, &grant, &ignored)))
		return false;
	rest->operation.kind = OPERATION_INSERT;
	rest->operation.grant = r->grant = grant;
	rest->operation.set_count = rest->set_count;
	r->decision = ignored;
	r->action = bytes_text(action_name(ACTION_CREATE));
	return true;
}

/* Created in place of an update, and its key is taken by a row this caller may not see, or would
 * make such a row: to the caller both are the same. */
static bool
is_hidden(const struct request *r, struct err e)
{
	const struct rest *rest = r->rest;

	if (r->head.method != HTTP_PUT || rest->operation.kind != OPERATION_INSERT)
		return false;
	for (size_t k = 0; e.kind == ERR_CONFLICT && k < rest->table->key_count; k++)
		if (bytes_equal(rest->fault.column, rest->table->columns[rest->table->key[k]].name))
			return true;
	return e.kind == ERR_DENIED;
}

static struct err
explain_fault(struct request *r, struct err e)
{
	struct bytes column = r->rest->fault.column;

	if (is_hidden(r, e))
		return fail(ERR_NOT_FOUND, "no such row");
	if (column.len == 0)
		return e;
	return request_fail(r, e, "%s: column %.*s", e.why, (int)column.len,
	                    (const char *)column.at);
}

/* Enough for now: the rest is made while the caller reads. A stream that is read slowly keeps a
 * connection to the data, so there are never as many of them as there are connections; what is
 * above is gathered whole. */
static bool
is_part(struct request *r)
{
	struct reply *reply = &r->reply;

	if (r->rest->operation.kind != OPERATION_LIST || r->head.minor == 0 ||
	    r->head.method != HTTP_GET ||
	    reply->body.len < (reply->is_streamed ? (size_t)ANSWER_PART : STREAM_FROM))
		return false;
	if (!reply->is_streamed && r->gate->streams >= STREAMS_MAX)
		return false;
	if (!reply->is_streamed)
		r->gate->streams++;
	reply->is_streamed = r->rest->is_stream = true;
	return true;
}

/* All rows that are there now. */
static struct err
pull(struct request *r, enum step *step)
{
	struct rest *rest = r->rest;

	for (;;) {
		const struct value *row;
		struct err e = rows_next(rest->rows, step, &row);

		if (failed(e) && may_insert_instead(r, e)) {
			rows_close(rest->rows);
			rest->rows = NULL;
			buf_clear(&r->reply.body);
			TRY(start(r));
			continue;
		}
		if (failed(e))
			return explain_fault(r, e);
		rest->is_waiting = *step == STEP_MORE;
		r->reply.is_partial = rest->is_waiting && r->reply.is_streamed;
		if (rest->is_waiting || row == NULL)
			return OK;
		TRY(take_row(r, row));
		r->reply.is_partial = !rest->has_more && is_part(r);
		if (rest->has_more || r->reply.is_partial)
			return OK;
	}
}

/* Strong: it comes from the very bytes of the body (RFC 9110 section 8.8.3). Keyed, so that no two
 * rows can be made to have the same. The search finds a tag in a list, weak or not, because no tag
 * holds a quote. */
static struct err
put_etag(struct request *r)
{
	char text[20];
	struct buf tag = { .at = (uint8_t *)text, .room = sizeof text, .limit = sizeof text };
	struct bytes known = { 0 };
	uint64_t hash = bytes_hash(buf_bytes(&r->reply.body), r->gate->fingerprint_key);

	buf_printf(&tag, "\"%016lx\"", hash);
	buf_put_text(&r->reply.fields, "ETag: ");
	buf_put(&r->reply.fields, buf_bytes(&tag));
	buf_put_text(&r->reply.fields, "\r\n");
	TRY(http_field_single(&r->head, "if-none-match", &known));
	bool is_known = bytes_is(known, "*");
	for (size_t i = 0; !is_known && i + tag.len <= known.len; i++)
		is_known = bytes_equal(bytes_slice(known, i, i + tag.len), buf_bytes(&tag));
	if (is_known)
		r->reply.status = 304;
	return OK;
}

/* Status and fields by what was done. */
static struct err
finish(struct request *r)
{
	switch (r->rest->operation.kind) {
	case OPERATION_DELETE:
		r->reply.status = 204;
		r->reply.type = NULL;
		buf_clear(&r->reply.body);
		return OK;
	case OPERATION_INSERT:
		r->reply.status = 201;
		break;
	case OPERATION_LIST:
	case OPERATION_READ:
		rest_done(r); /* neither the record nor a slow caller holds what others could read
		                 with */
		break;
	case OPERATION_UPDATE:
		break;
	}
	TRY(rest_rows_end(r));
	return r->rest->operation.kind == OPERATION_READ ? put_etag(r) : OK;
}

struct err
rest_execute(struct request *r, enum step *step)
{
	struct rest *rest = r->rest;

	if (!rest->is_started) {
		rest->is_started = true;
		TRY(rest_prepare(r));
		TRY(start(r));
	}
	TRY(pull(r, step));
	if (*step == STEP_MORE || r->reply.is_partial)
		return OK;
	TRY(finish(r));
	if (rest->operation.kind == OPERATION_DELETE || rest->operation.kind == OPERATION_UPDATE ||
	    rest->operation.kind == OPERATION_INSERT)
		r->rows = 1;
	return OK;
}

struct err
rest_commit(struct request *r, enum step *step)
{
	if (r->rest == NULL || r->rest->rows == NULL)
		return OK;
	TRY(rows_commit(r->rest->rows, step));
	r->rest->is_waiting = *step == STEP_MORE;
	return OK;
}

void
rest_done(struct request *r)
{
	if (r->rest == NULL)
		return;
	rows_close(r->rest->rows);
	r->rest->rows = NULL;
	if (r->rest->is_stream)
		r->gate->streams--;
	r->rest->is_stream = false;
}
