/* review_print.c - the rows of a review as tables for people and as one JSON document. */
#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"
#include "issuer/words.h"
#include "main/review.h"
#include "main/table.h"
#include "policy/policy.h"

enum { WHOLE_SECONDS = 19, WHOLE_DATE = 10 }; /* of 2026-11-22T13:04:05 */

struct printing {
	FILE *to;
	struct buf out; /* owned: one row */
	const struct review_layout *layout;
	struct table_column columns[REVIEW_COLUMNS_MAX];
	size_t count; /* rows */
};

static void
printing_done(struct printing *p)
{
	buf_done(&p->out);
}

/* A failure is seen at the end, by ferror(). */
static void
flush(struct printing *p)
{
	(void)fwrite(p->out.at, 1, p->out.len, p->to);
	buf_clear(&p->out);
}

/* The table: `read` is whole, `read*` of some rows, `read+` of some columns. */

static void
put_time(struct buf *out, int64_t ms, size_t width)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (ms == 0) {
		buf_put_text(out, "never");
		return;
	}
	moment_put_timestamp(&text, ms * 1000);
	buf_put(out, bytes_slice(buf_bytes(&text), 0,
	                         width < WHOLE_SECONDS ? WHOLE_DATE : WHOLE_SECONDS));
}

/* Those of a resource are actions, those of a route are methods. */
static unsigned
reach_count(const struct reach *r)
{
	return r->is_route ? ROUTE_METHOD_COUNT : ACTION_COUNT;
}

static const char *
reach_name(const struct reach *r, unsigned a)
{
	return r->is_route ? route_methods[a] : action_name((enum action)a);
}

static void
put_actions(struct buf *out, const struct reach *r)
{
	const char *before = "";

	for (unsigned a = 0; a < reach_count(r); a++) {
		if ((r->actions >> a & 1) == 0)
			continue;
		buf_printf(out, "%s%s%s%s", before, reach_name(r, a),
		           (r->some_rows >> a & 1) ? "*" : "",
		           (r->some_columns >> a & 1) ? "+" : "");
		before = " ";
	}
}

static void
put_cell(struct buf *out, const struct review_column *column, const struct review_cell *cell)
{
	switch (column->type) {
	case CELL_TEXT:
	case CELL_WORDS:
		buf_put(out, cell->text);
		return;
	case CELL_TIME:
		put_time(out, cell->number, column->width);
		return;
	case CELL_ACTIONS:
		put_actions(out, cell->reach);
		return;
	case CELL_NUMBER:
		buf_put_decimal(out, cell->number);
		return;
	}
}

static void
put_table_row(void *of, const struct review_cell *cells)
{
	struct printing *t = of;
	struct buf texts[REVIEW_COLUMNS_MAX] = { { 0 } };
	struct bytes shown[REVIEW_COLUMNS_MAX];

	if (t->count++ == 0)
		table_put_head(&t->out, t->columns, t->layout->column_count);
	for (size_t i = 0; i < t->layout->column_count; i++) {
		put_cell(&texts[i], &t->layout->columns[i], &cells[i]);
		shown[i] = buf_bytes(&texts[i]);
	}
	table_put_row(&t->out, t->columns, t->layout->column_count, shown);
	for (size_t i = 0; i < t->layout->column_count; i++)
		buf_done(&texts[i]);
	flush(t);
}

static void
put_title(struct buf *out, const char *title, unsigned days)
{
	struct bytes text = bytes_text(title);
	size_t at = bytes_find(text, '%');

	buf_put(out, bytes_slice(text, 0, at));
	if (at < text.len) {
		buf_put_unsigned(out, days);
		buf_put(out, bytes_slice(text, at + strlen("%u"), text.len));
	}
	buf_put_u8(out, '\n');
}

static void
print_part(const struct review *r, enum review_part part, FILE *out)
{
	CLEANUP(printing_done) struct printing t = { .to = out, .layout = review_layout(part) };

	for (size_t i = 0; i < t.layout->column_count; i++)
		t.columns[i] = (struct table_column){ t.layout->columns[i].heading,
			                              t.layout->columns[i].width };
	put_title(&t.out, t.layout->title, r->days);
	review_each(r, part, put_table_row, &t);
	if (t.count == 0)
		buf_put_text(&t.out, "none\n");
	if (part == REVIEW_ACCESS && t.count > 0)
		buf_put_text(&t.out, "* only rows where a condition holds   + not every column\n");
	buf_put_u8(&t.out, '\n');
	flush(&t);
}

/* What the reader would otherwise take for more than it is. */
static void
print_warnings(const struct review *r, FILE *out)
{
	struct usage_totals t = usage_totals(r->usage);
	int64_t from_ms = r->now_s * 1000 - (int64_t)r->days * 86400000;

	if (t.left_out + r->accounts_left_out > 0)
		fprintf(out,
		        "Not complete: there are more principals than the %d that a review holds. "
		        "LEFT OUT says "
		        "how\nmany records and accounts are not in it.\n",
		        USAGE_PRINCIPALS_MAX);
	if (t.records == 0)
		fputs("The log is empty: as far as it can tell, nothing was ever used.\n", out);
	else if (t.first_ms > from_ms)
		fputs("The log begins inside these days: what was used before is not known.\n",
		      out);
	if (r->is_log_damaged)
		fputs("Some lines of the log are no records: run `gatewarden audit verify`.\n",
		      out);
}

void
review_print_table(const struct review *r, FILE *out)
{
	for (unsigned part = 0; part < REVIEW_PART_COUNT; part++)
		print_part(r, (enum review_part)part, out);
	print_warnings(r, out);
}

/* JSON: the table's marks are sets of actions of their own */

static void
put_set(struct buf *out, const char *name, const struct reach *r, unsigned actions)
{
	const char *before = "";

	json_put_name(out, name);
	buf_put_u8(out, '[');
	for (unsigned a = 0; a < reach_count(r); a++) {
		if ((actions >> a & 1) == 0)
			continue;
		buf_printf(out, "%s\"%s\"", before, reach_name(r, a));
		before = ",";
	}
	buf_put_u8(out, ']');
}

static void
put_words(struct buf *out, struct bytes words)
{
	struct bytes word;
	const char *before = "";

	buf_put_u8(out, '[');
	while (words_next(&words, &word)) {
		buf_put_text(out, before);
		json_put_string(out, word);
		before = ",";
	}
	buf_put_u8(out, ']');
}

static void
put_json_time(struct buf *out, int64_t ms)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (ms == 0) {
		buf_put_text(out, "null");
		return;
	}
	moment_put_timestamp(&text, ms * 1000);
	json_put_string(out, buf_bytes(&text));
}

static void
put_json_cell(struct buf *out, const struct review_column *column, const struct review_cell *cell)
{
	if (column->type != CELL_ACTIONS)
		json_put_name(out, column->name);
	switch (column->type) {
	case CELL_TEXT:
		json_put_string(out, cell->text);
		return;
	case CELL_WORDS:
		put_words(out, cell->text);
		return;
	case CELL_TIME:
		put_json_time(out, cell->number);
		return;
	case CELL_ACTIONS:
		put_set(out, column->name, cell->reach, cell->reach->actions);
		buf_put_u8(out, ',');
		put_set(out, "some_rows", cell->reach, cell->reach->some_rows);
		buf_put_u8(out, ',');
		put_set(out, "some_columns", cell->reach, cell->reach->some_columns);
		return;
	case CELL_NUMBER:
		buf_put_decimal(out, cell->number);
		return;
	}
}

static void
put_json_row(void *of, const struct review_cell *cells)
{
	struct printing *d = of;

	buf_put_text(&d->out, d->count++ == 0 ? "\n  {" : ",\n  {");
	for (size_t i = 0; i < d->layout->column_count; i++) {
		buf_put_text(&d->out, i == 0 ? "" : ",");
		put_json_cell(&d->out, &d->layout->columns[i], &cells[i]);
	}
	buf_put_u8(&d->out, '}');
	flush(d);
}

void
review_print_json(const struct review *r, FILE *out)
{
	for (unsigned part = 0; part < REVIEW_PART_COUNT; part++) {
		CLEANUP(printing_done)
		struct printing d = { .to = out, .layout = review_layout((enum review_part)part) };

		buf_put_text(&d.out, part == 0 ? "{\n " : ",\n ");
		json_put_name(&d.out, d.layout->name);
		buf_put_u8(&d.out, '[');
		review_each(r, (enum review_part)part, put_json_row, &d);
		buf_put_u8(&d.out, ']');
		flush(&d);
	}
	fputs("\n}\n", out);
}
