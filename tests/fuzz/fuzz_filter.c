/* Any text as a filter: refused with its place, or a condition whose text holds nothing of the
 * input. */
#include <stdlib.h>

#include "base/macros.h"
#include "query/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME(text)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static const struct column columns[] = {
	{ .name = NAME("n"), .type = VALUE_INT64 },
	{ .name = NAME("d"), .type = VALUE_DECIMAL },
	{ .name = NAME("r"), .type = VALUE_DOUBLE },
	{ .name = NAME("t"), .type = VALUE_TEXT, .nullable = true },
	{ .name = NAME("b"), .type = VALUE_BOOL },
	{ .name = NAME("day"), .type = VALUE_DATE },
	{ .name = NAME("seen"), .type = VALUE_TIMESTAMP },
	{ .name = NAME("at"), .type = VALUE_TIME },
	{ .name = NAME("u"), .type = VALUE_UUID },
	{ .name = NAME("raw"), .type = VALUE_BYTES },
};
static const struct table table = { .name = NAME("t"),
	                            .columns = columns,
	                            .column_count = ARRAY_LEN(columns) };

/* `max` values of every type in turn; the length of the path says how many. */
static size_t
values(const void *of, struct bytes path, struct value *ret, size_t max)
{
	const struct bytes *text = of;
	size_t count = path.len % 5;

	for (size_t i = 0; i < count && i < max; i++) {
		ret[i] = (struct value){ .type = VALUE_TEXT, .bytes = *text };
		if (i == 1)
			ret[i] = (struct value){ .type = VALUE_INT64, .int64 = -1 };
		if (i == 2)
			ret[i] = (struct value){ .type = VALUE_BOOL, .boolean = true };
	}
	return count < max ? count : max;
}

/* What we write has balanced parentheses and quotes only around names and our own strftime format.
 */
static void
check_text(struct bytes text, enum dialect dialect)
{
	size_t depth = 0, quotes = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if (c < ' ' || c >= 0x7f || c == ';' || (c == '\'' && dialect != DIALECT_SQLITE))
			abort();
		depth += c == '(';
		if (c == ')' && depth-- == 0)
			abort();
		quotes += c == '\'';
	}
	if (depth != 0 || quotes % 2 != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { data, size };
	struct arena arena = { .limit = 1 << 20 };
	const struct claim_source claims = { values, &text };
	const struct filter *f;
	struct filter_error at = { 0 };
	struct err e = filter_parse(text, &table, true, &arena, &f, &at);

	if (e.kind == ERR_PEER && (at.why == NULL || at.offset + at.near.len > size || e.code == 0))
		abort();
	for (enum dialect d = DIALECT_SQLITE; !failed(e) && d <= DIALECT_POSTGRES; d++) {
		struct sql out;

		sql_init(&out, d, &arena);
		filter_put_sql(f, &table, &claims, &out);
		if (!failed(sql_check(&out)))
			check_text((struct bytes){ out.text.at, out.text.len }, d);
		sql_done(&out);
	}
	arena_done(&arena);
	return 0;
}
