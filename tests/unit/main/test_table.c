/* Rows of fixed columns: what is long goes on below itself, and nothing else moves. */
#include "main/table.h"

#include "base/macros.h"
#include "test.h"

static const struct table_column columns[] = { { "NAME", 6 }, { "WHAT", 8 } };

static void
test_cells_are_padded_folded_and_kept_in_their_column(void)
{
	static const struct {
		const char *left, *right, *shown;
	} rows[] = {
		{ "a", "b", "a       b\n" },
		{ "", "", "-       -\n" },
		{ "sixsix", "eighteig", "sixsix  eighteig\n" },
		{ "sevense", "x", "sevens  x\n e\n" },
		{ "x", "one two three", "x       one two\n         three\n" },
		{ "x", "one twothree", "x       one\n         twothre\n         e\n" },
		{ "aaaaaa bbbbbb", "c", "aaaaaa  c\n bbbbb\n b\n" },
		{ "\xC3\xA4\xC3\xB6\xC3\xBC", "x", "\xC3\xA4\xC3\xB6\xC3\xBC     x\n" },
		{ "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", "x",
		  "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4  x\n \xC3\xA4\n" },
		/* What could move the cursor is shown as a mark: C0, DEL and C1. */
		{ "a\x1b[2J", "\n\x7f\xC2\x9B", "a?[2J   ???\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		table_put_row(
			&out, columns, 2,
			(struct bytes[]){ bytes_text(rows[i].left), bytes_text(rows[i].right) });
		CHECK_ROW(bytes_is(buf_bytes(&out), rows[i].shown), rows[i].shown);
		buf_done(&out);
	}
}

static void
test_the_heading_is_a_row(void)
{
	struct buf out = { 0 };

	table_put_head(&out, columns, 2);
	CHECK(bytes_is(buf_bytes(&out), "NAME    WHAT\n"));
	buf_done(&out);
}

TESTS(TEST(test_cells_are_padded_folded_and_kept_in_their_column), TEST(test_the_heading_is_a_row))
