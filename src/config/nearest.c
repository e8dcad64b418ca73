/* nearest.c - see nearest.h. */
#include "config/nearest.h"

enum { NEAREST_LEN_MAX = 64 }; /* longer ones are near to nothing */

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Levenshtein, one row at a time; both at most NEAREST_LEN_MAX long. */
static unsigned
edit_distance(struct bytes a, struct bytes b)
{
	unsigned row[NEAREST_LEN_MAX + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b.len; j++) {
			unsigned changed = diagonal + (a.at[i] != b.at[j]);
			diagonal = row[j + 1];
			row[j + 1] = smaller(changed, smaller(row[j], row[j + 1]) + 1);
		}
	}
	return row[b.len];
}

struct nearest
nearest_to(struct bytes text)
{
	/* A third of the letters may differ: more is no spelling mistake. */
	return (struct nearest){ .text = text,
		                 .distance = (unsigned)(text.len < 6 ? 2 : text.len / 3) + 1 };
}

void
nearest_try(struct nearest *n, struct bytes name)
{
	if (n->text.len > NEAREST_LEN_MAX || name.len > NEAREST_LEN_MAX)
		return;

	unsigned distance = edit_distance(n->text, name);

	if (distance >= n->distance || distance >= name.len)
		return;
	n->distance = distance;
	n->name = name;
}
