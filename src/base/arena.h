/* arena.h - memory that lives as long as one request or one configuration.
 *
 * Allocation is a pointer bump; nothing is freed singly. Blocks come from malloc,
 * the total is bounded by `limit`. arena_reset() keeps the first block, so a busy
 * keep-alive connection stops allocating after its first request. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* owned, newest first */
	size_t used;                /* bytes handed out of the newest block */
	size_t total;               /* bytes of all blocks */
	size_t limit;               /* 0 means 16 MiB */
};

void arena_done(struct arena *a);
void arena_reset(struct arena *a);
/* Zeroed memory aligned for any type. NULL when the limit is reached or memory is out. */
void *arena_alloc(struct arena *a, size_t size);
/* `count` zeroed elements; the product is checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy. .at is NULL on failure (also when len is 0: compare len). */
struct bytes arena_copy(struct arena *a, struct bytes from);
/* A NUL-terminated copy, for library calls; NULL on failure or when `from` holds a NUL. */
char *arena_text(struct arena *a, struct bytes from);

#endif
