/* rest.h - /api/{resource}: HTTP requests as operations on tables, rows as JSON. Shapes as Data API
 * builder. */
#ifndef FRONTEND_REST_H
#define FRONTEND_REST_H

#include "frontend/request.h"

/* The endpoint's state for one request, in its arena. */
struct rest {
	unsigned resource; /* index in settings */
	const struct table *table;
	bool has_key; /* the path names one row */
	struct value key[TABLE_KEY_MAX];
	/* Query options */
	struct url_parameter *options; /* NULL when there is no query */
	size_t option_count;
	bool has_select;
	struct column_set select, needed; /* asked for; named anywhere */
	const struct filter *filter;
	struct bytes filter_text, order_text;
	struct order_term order[ORDER_MAX];
	size_t order_count; /* with the key columns behind */
	size_t first;
	struct value after[ORDER_MAX];
	bool has_after;
	/* Body */
	uint16_t *set_columns; /* room for every column of the table; writes only */
	struct value *set_values;
	size_t set_count;
	/* Work */
	struct operation operation;
	struct operation_fault fault;
	struct column_set columns; /* returned */
	struct rows *rows;
	struct bytes *names;          /* `"name":` of each returned column */
	size_t shown;                 /* how many of the stream's columns go into the answer */
	struct value last[ORDER_MAX]; /* order values of the last row of the page */
	bool has_more, is_started, is_insert_tried;
	bool is_waiting; /* for the wake of `rows` */
	bool is_stream;  /* counted in gate->streams */
};

void rest_describe(struct request *r);
struct err rest_decide(struct request *r);
struct err rest_execute(struct request *r, enum step *step);
struct err rest_commit(struct request *r, enum step *step);
void rest_done(struct request *r);

/* rest_prepare.c: the request -> rest->operation, decided with all the columns it names. */
struct err rest_prepare(struct request *r);
/* ERR_DENIED for a column the caller's grant does not have: before anything is said about its type.
 */
struct err rest_check_column(struct request *r, size_t column);
/* rest_query.c: the path's key and the query options -> struct rest. ERR_PEER with r->detail. */
struct err rest_parse_key(struct request *r);
struct err rest_parse_options(struct request *r);
/* For a list, when the grant is final: the whole order, and where in it the page before ended. */
struct err rest_order(struct request *r);
/* rest_body.c: the JSON object -> set_columns and set_values. */
struct err rest_parse_body(struct request *r);
/* rest_rows.c */
struct err rest_rows_begin(struct request *r);
void rest_put_row(struct request *r, const struct value *row);
struct err rest_rows_end(struct request *r);

/* For the caller: an error with its place. */
struct err request_fail(struct request *r, struct err e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* cursor.c: where a page ended, sealed (AES-256-GCM under the shared cursor key, bound to resource,
 * order and filter), so that a caller can neither read nor make one. */
struct cursor_context {
	struct bytes resource, order, filter;
};
struct err cursor_seal(struct gate *g, const struct cursor_context *of, const struct value *values,
                       size_t count, struct buf *out);
/* Text lives in the arena. ERR_PEER for anything we did not seal for this context. */
struct err cursor_open(const struct gate *g, const struct cursor_context *of, struct bytes text,
                       struct arena *arena, struct value *values, size_t count);

#endif
