/* arena.c - see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) uint8_t at[];
};

static const size_t BLOCK_SIZE = 4096 - sizeof(struct arena_block);
static const size_t LIMIT_DEFAULT = (size_t)16 << 20;

void
arena_done(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
	*a = (struct arena){ .limit = a->limit };
}

void
arena_reset(struct arena *a)
{
	while (a->blocks != NULL && a->blocks->next != NULL) {
		struct arena_block *next = a->blocks->next;
		a->total -= a->blocks->size;
		free(a->blocks);
		a->blocks = next;
	}
	a->used = 0;
}

static bool
arena_grow(struct arena *a, size_t size)
{
	size_t limit = a->limit != 0 ? a->limit : LIMIT_DEFAULT;
	size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

	if (room > limit || a->total > limit - room)
		return false;

	struct arena_block *block = malloc(sizeof *block + room);
	if (block == NULL)
		return false;
	block->next = a->blocks;
	block->size = room;
	a->blocks = block;
	a->total += room;
	a->used = 0;
	return true;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	size_t rounded;

	if (__builtin_add_overflow(size, alignof(max_align_t) - 1, &rounded))
		return NULL;
	rounded &= ~(alignof(max_align_t) - 1);
	if ((a->blocks == NULL || a->blocks->size - a->used < rounded) && !arena_grow(a, rounded))
		return NULL;

	void *at = a->blocks->at + a->used;
	a->used += rounded;
	return memset(at, 0, size);
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t total;

	return __builtin_mul_overflow(count, size, &total) ? NULL : arena_alloc(a, total);
}

struct bytes
arena_copy(struct arena *a, struct bytes from)
{
	uint8_t *at = from.len == 0 ? NULL : arena_alloc(a, from.len);

	if (at == NULL)
		return (struct bytes){ NULL, 0 };
	memcpy(at, from.at, from.len);
	return (struct bytes){ at, from.len };
}

char *
arena_text(struct arena *a, struct bytes from)
{
	if (bytes_find(from, 0) != from.len)
		return NULL;

	char *text = arena_alloc(a, from.len + 1);
	if (text != NULL && from.len != 0)
		memcpy(text, from.at, from.len);
	return text;
}
