/* table.h - rows for people: columns of a fixed width, a cell that is longer goes on below itself.
 */
#ifndef MAIN_TABLE_H
#define MAIN_TABLE_H

#include "base/buf.h"

enum { TABLE_COLUMNS_MAX_SHOWN = 8 };

struct table_column {
	const char *heading;
	size_t width; /* characters */
};

void table_put_head(struct buf *out, const struct table_column *columns, size_t count);
/* Breaks at a space where there is one, else anywhere; what goes on below is indented by one. Empty
 * cells are shown as `-`; a control character as `?`: names come from callers, and none may move
 * the cursor. */
void table_put_row(struct buf *out, const struct table_column *columns, size_t count,
                   const struct bytes *cells);

#endif
