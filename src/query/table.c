/* table.c - see table.h. */
#include "query/table.h"

#include "base/macros.h"

void
column_set_remove(struct column_set *s, size_t column)
{
	s->bits[column / 64] &= ~(UINT64_C(1) << (column % 64));
}

void
column_set_add_all(struct column_set *s, const struct table *t)
{
	for (size_t i = 0; i < t->column_count; i++)
		column_set_add(s, i);
}

bool
column_set_covers(const struct column_set *whole, const struct column_set *part)
{
	for (size_t i = 0; i < ARRAY_LEN(whole->bits); i++)
		if ((part->bits[i] & ~whole->bits[i]) != 0)
			return false;
	return true;
}

void
column_set_unite(struct column_set *s, const struct column_set *other)
{
	for (size_t i = 0; i < ARRAY_LEN(s->bits); i++)
		s->bits[i] |= other->bits[i];
}

bool
column_set_is_empty(const struct column_set *s)
{
	return column_set_covers(&(struct column_set){ { 0 } }, s);
}

int
table_column(const struct table *t, struct bytes name)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (bytes_equal(t->columns[i].name, name))
			return (int)i;
	return -1;
}
