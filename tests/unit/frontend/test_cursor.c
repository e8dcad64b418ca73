/* A cursor comes back as it was sealed, for the query it was sealed for, and in no other way. */
#include "base/macros.h"
#include "frontend/rest.h"

#include "test.h"

static struct gate gate = { .cursor_key = "0123456789abcdef0123456789abcde" };
static const struct cursor_context books = { { (const uint8_t *)"books", 5 },
	                                     { (const uint8_t *)"a desc", 6 },
	                                     { (const uint8_t *)"b eq 1", 6 } };

static const struct value values[] = {
	{ .type = VALUE_NULL },
	{ .type = VALUE_BOOL, .boolean = true },
	{ .type = VALUE_INT64, .int64 = INT64_MIN },
	{ .type = VALUE_DOUBLE, .real = -0.1 },
	{ .type = VALUE_TEXT, .bytes = { (const uint8_t *)"o\0ne", 4 } },
	{ .type = VALUE_BYTES, .bytes = { (const uint8_t *)"", 0 } },
};
enum { COUNT = ARRAY_LEN(values) };

static void
seal(struct buf *out)
{
	CHECK(!failed(cursor_seal(&gate, &books, values, COUNT, out)));
	CHECK(!failed(buf_check(out)));
}

static bool
opens(const struct gate *g, const struct cursor_context *of, struct bytes text, size_t count)
{
	struct arena arena = { 0 };
	struct value ret[ORDER_MAX + 1];
	bool good = !failed(cursor_open(g, of, text, &arena, ret, count));

	arena_done(&arena);
	return good;
}

static void
test_values_come_back_as_they_were(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct arena arena = { 0 };
	struct value ret[COUNT];

	seal(&text);
	CHECK(!failed(cursor_open(&gate, &books, buf_bytes(&text), &arena, ret, COUNT)));
	CHECK(ret[0].type == VALUE_NULL);
	CHECK(ret[1].type == VALUE_BOOL && ret[1].boolean);
	CHECK(ret[2].type == VALUE_INT64 && ret[2].int64 == INT64_MIN);
	CHECK(ret[3].type == VALUE_DOUBLE && ret[3].real == -0.1);
	CHECK(ret[4].type == VALUE_TEXT && bytes_equal(ret[4].bytes, values[4].bytes));
	CHECK(ret[5].type == VALUE_BYTES && ret[5].bytes.len == 0);
	arena_done(&arena);
}

static void
test_a_cursor_opens_for_its_own_query_only(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct gate other = gate;

	seal(&text);
	CHECK(opens(&gate, &books, buf_bytes(&text), COUNT));
	/* What is bound is bound apart: "books" + "a" is not "book" + "sa". */
	const struct cursor_context contexts[] = {
		{ BYTES("authors"), books.order, books.filter },
		{ BYTES("book"), BYTES("sa desc"), books.filter },
		{ books.resource, BYTES("a"), books.filter },
		{ books.resource, BYTES("a descb"), BYTES(" eq 1") },
		{ books.resource, books.order, BYTES("b eq 2") },
		{ books.resource, books.order, { NULL, 0 } },
	};
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++)
		CHECK(!opens(&gate, &contexts[i], buf_bytes(&text), COUNT));
	CHECK(!opens(&gate, &books, buf_bytes(&text), COUNT - 1));
	CHECK(!opens(&gate, &books, buf_bytes(&text), COUNT + 1));
	other.cursor_key[0] ^= 1;
	CHECK(!opens(&other, &books, buf_bytes(&text), COUNT));
}

static void
test_a_cursor_that_was_changed_or_cut_does_not_open(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	seal(&text);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t was = text.at[i];
		text.at[i] = was == 'A' ? 'B' : 'A';
		CHECK(!opens(&gate, &books, buf_bytes(&text), COUNT));
		text.at[i] = was;
		CHECK(!opens(&gate, &books, (struct bytes){ text.at, i }, COUNT));
	}
	buf_put_u8(&text, 'A');
	CHECK(!opens(&gate, &books, buf_bytes(&text), COUNT));
	CHECK(!opens(&gate, &books, (struct bytes){ 0 }, 0));
}

static void
test_two_cursors_of_one_place_differ(void)
{
	CLEANUP(buf_done) struct buf one = { 0 }, two = { 0 };

	seal(&one);
	seal(&two);
	CHECK(!bytes_equal(buf_bytes(&one), buf_bytes(&two)));
}

static void
test_values_too_long_for_a_cursor_are_an_error(void)
{
	static uint8_t long_text[9000];
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct value v = { .type = VALUE_TEXT, .bytes = { long_text, sizeof long_text } };

	CHECK(cursor_seal(&gate, &books, &v, 1, &text).kind == ERR_LIMIT);
	CHECK(text.len == 0);
	uint8_t *much = calloc(1, 40000);
	memset(much, 'A', 40000);
	CHECK(!opens(&gate, &books, (struct bytes){ much, 40000 }, 1));
	free(much);
}

TESTS(TEST(test_values_come_back_as_they_were), TEST(test_a_cursor_opens_for_its_own_query_only),
      TEST(test_a_cursor_that_was_changed_or_cut_does_not_open),
      TEST(test_two_cursors_of_one_place_differ),
      TEST(test_values_too_long_for_a_cursor_are_an_error))
