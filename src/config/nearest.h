/* nearest.h - the name somebody meant when a text is no name: by edit distance, fed one name at a
 * time. Pure. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/bytes.h"

struct nearest {
	struct bytes text;
	struct bytes name; /* borrowed from the name fed; empty while none is near enough */
	unsigned distance; /* only a smaller one is nearer */
};

struct nearest nearest_to(struct bytes text);
void nearest_try(struct nearest *n, struct bytes name);

#endif
