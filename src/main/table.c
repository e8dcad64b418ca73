/* table.c - see table.h. */
#include "main/table.h"

static bool
is_middle(struct bytes text, size_t at)
{
	return (text.at[at] & 0xC0) == 0x80;
}

/* How much of a text fits into one line of a cell: whole characters, whole words where one ends
 * inside. */
static size_t
fitting(struct bytes text, size_t width)
{
	size_t len = 0, shown = 0, word = 0;

	while (len < text.len && (shown < width || is_middle(text, len))) {
		if (text.at[len] == ' ')
			word = len;
		shown += !is_middle(text, len);
		len++;
	}
	if (len == text.len || text.at[len] == ' ' || word == 0)
		return len;
	return word;
}

/* C1 controls are C2 80 to C2 9F in UTF-8. */
static size_t
put_text(struct buf *out, struct bytes text)
{
	size_t shown = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool c1 = text.at[i] == 0xC2 && i + 1 < text.len && text.at[i + 1] < 0xA0;
		bool c0 = text.at[i] < 0x20 || text.at[i] == 0x7F;

		buf_put_u8(out, c1 || c0 ? '?' : text.at[i]);
		shown += !is_middle(text, i);
		i += c1;
	}
	return shown;
}

/* One line of a row; true when some cell goes on. */
static bool
put_line(struct buf *out, const struct table_column *columns, size_t count, struct bytes *left,
         size_t indent)
{
	bool goes_on = false;
	size_t pad = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = fitting(left[i], columns[i].width - indent);
		struct bytes text = bytes_slice(left[i], 0, len);

		for (pad += len > 0 ? indent : 0; len > 0 && pad > 0; pad--)
			buf_put_u8(out, ' ');
		pad += columns[i].width + 2 - put_text(out, text) - (len > 0 ? indent : 0);
		while (len < left[i].len && left[i].at[len] == ' ')
			len++;
		left[i] = bytes_slice(left[i], len, left[i].len);
		goes_on |= left[i].len > 0;
	}
	buf_put_u8(out, '\n');
	return goes_on;
}

void
table_put_row(struct buf *out, const struct table_column *columns, size_t count,
              const struct bytes *cells)
{
	struct bytes left[TABLE_COLUMNS_MAX_SHOWN];

	for (size_t i = 0; i < count; i++)
		left[i] = cells[i].len == 0 ? BYTES("-") : cells[i];
	for (size_t indent = 0; put_line(out, columns, count, left, indent);)
		indent = 1;
}

void
table_put_head(struct buf *out, const struct table_column *columns, size_t count)
{
	struct bytes cells[TABLE_COLUMNS_MAX_SHOWN];

	for (size_t i = 0; i < count; i++)
		cells[i] = bytes_text(columns[i].heading);
	table_put_row(out, columns, count, cells);
}
