/* fuzz_json.c - what is accepted survives being written and read again, value by value; an error
 * lies within the input. */
#include <stdlib.h>

#include "base/macros.h"
#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static void
check_same(const struct json *a, const struct json *b)
{
	demand(a->span == b->span);
	for (uint32_t i = 0; i < a->span; i++)
		demand(a[i].type == b[i].type && a[i].span == b[i].span &&
		       a[i].count == b[i].count && bytes_equal(a[i].text, b[i].text));
}

/* Walking by json_next() meets exactly the values of the span. */
static void
check_walk(const struct json *v)
{
	for (uint32_t i = 0; i < v->span; i++) {
		uint32_t count = 0, covered = 1;

		for (const struct json *k = json_first(&v[i]); k != NULL; k = json_next(&v[i], k)) {
			const struct json *value = v[i].type == JSON_OBJECT ? k + 1 : k;

			count++;
			covered += value->span + (v[i].type == JSON_OBJECT);
		}
		demand(count == v[i].count && covered == v[i].span);
	}
}

static void
check_number(const struct json *v)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct json *again;
	double value, back;

	if (!json_double(v, &value))
		return;
	json_put_double(&text, value);
	demand(!failed(json_parse(buf_bytes(&text), &arena, &again, NULL)));
	demand(json_double(again, &back) && back == value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	struct json_error error = { 0 };
	const struct json *v, *again;

	/* Whatever the bytes: as a string they become JSON. */
	json_put_string(&text, (struct bytes){ data, size });
	demand(!failed(json_parse(buf_bytes(&text), &arena, &v, NULL)) || size > 1 << 20 ||
	       bytes_find((struct bytes){ data, size }, 0) < size);
	demand(bytes_is_utf8(buf_bytes(&text)));
	buf_clear(&text);

	if (failed(json_parse((struct bytes){ data, size }, &arena, &v, &error))) {
		demand(error.offset <= size && error.why != NULL);
		return 0;
	}
	check_walk(v);
	json_put_value(&text, v);
	demand(!failed(buf_check(&text)) &&
	       !failed(json_parse(buf_bytes(&text), &arena, &again, NULL)));
	check_same(v, again);
	for (uint32_t i = 0; i < v->span; i++)
		check_number(&v[i]);
	return 0;
}
