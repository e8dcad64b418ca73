/* peers.c - see peers.h. An address is its keyed 64-bit hash: two that collide share one allowance.
 */
#include "frontend/peers.h"

#include <stdlib.h>

#include "base/random.h"

struct place {
	uint64_t hash; /* 0: free */
	uint32_t count;
};

struct peer_counts {
	uint8_t key[16];
	size_t mask;
	struct place places[];
};

struct err
peers_new(size_t connections, struct peer_counts **ret)
{
	size_t room = 16;

	while (room < 2 * connections)
		room *= 2;

	struct peer_counts *p = calloc(1, sizeof *p + room * sizeof(struct place));
	if (p == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	random_fill(p->key, sizeof p->key);
	p->mask = room - 1;
	*ret = p;
	return OK;
}

void
peers_free(struct peer_counts *p)
{
	free(p);
}

/* The address's place, or the free one where it would go. */
static size_t
find(const struct peer_counts *p, uint64_t hash)
{
	size_t at = hash & p->mask;

	while (p->places[at].hash != 0 && p->places[at].hash != hash)
		at = (at + 1) & p->mask;
	return at;
}

static uint64_t
address_hash(const struct peer_counts *p, struct bytes address)
{
	uint64_t hash = bytes_hash(address, p->key);

	return hash == 0 ? 1 : hash;
}

bool
peers_add(struct peer_counts *p, struct bytes address, unsigned limit)
{
	uint64_t hash = address_hash(p, address);
	struct place *place = &p->places[find(p, hash)];

	if (place->count >= limit)
		return false;
	place->hash = hash;
	place->count++;
	return true;
}

/* Closes the gap, so that every address still stands where find() meets it before a free place. */
static void
free_place(struct peer_counts *p, size_t gap)
{
	for (size_t at = (gap + 1) & p->mask; p->places[at].hash != 0; at = (at + 1) & p->mask) {
		size_t home = p->places[at].hash & p->mask;

		if (((at - home) & p->mask) < ((at - gap) & p->mask))
			continue;
		p->places[gap] = p->places[at];
		gap = at;
	}
	p->places[gap] = (struct place){ 0 };
}

void
peers_remove(struct peer_counts *p, struct bytes address)
{
	size_t at = find(p, address_hash(p, address));

	if (p->places[at].hash != 0 && --p->places[at].count == 0)
		free_place(p, at);
}
