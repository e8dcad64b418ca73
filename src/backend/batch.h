/* batch.h - rows copied out of the database, so that one thread can fill what another reads later.
 */
#ifndef BACKEND_BATCH_H
#define BACKEND_BATCH_H

#include "base/buf.h"
#include "query/value.h"

struct batch {
	struct buf bytes; /* owned: the values one after another, each with its bytes behind it */
	size_t read;      /* bytes handed out */
};

void batch_done(struct batch *b);
/* Empties it and keeps the memory. */
void batch_clear(struct batch *b);
void batch_put(struct batch *b, const struct value *value);
/* false at the end. The values borrow the batch until it is changed. */
bool batch_next(struct batch *b, struct value *values, size_t count);

#endif
