/* proofs.c - see proofs.h. Sets of WAYS entries found by a keyed hash, so that nobody can choose
 * proofs that meet in one set. An entry is free again when its proof would be too old. */
#include "issuer/proofs.h"

#include <stdlib.h>

#include "base/random.h"

enum { SETS = 1 << 18, WAYS = 16, ID_KEPT = 8, PROOF_ID_LEN = 32 };

struct entry {
	/* Of a SHA-256. Two that begin alike cost their own maker the second, and nobody else: to
	 * meet the proof of another it would have to be known. */
	uint8_t id[ID_KEPT];
	uint32_t until_s; /* 0: never used */
};

struct proofs {
	uint8_t key[16]; /* SipHash */
	struct entry entries[SETS][WAYS];
};

struct err
proofs_new(struct proofs **ret)
{
	struct proofs *p = calloc(1, sizeof *p);

	if (p == NULL)
		return fail(ERR_SYSTEM, "out of memory for the proofs that were seen");
	random_fill(p->key, sizeof p->key);
	*ret = p;
	return OK;
}

void
proofs_free(struct proofs *p)
{
	free(p);
}

struct err
proofs_add(struct proofs *p, struct bytes id, uint64_t now_us)
{
	uint32_t now_s = (uint32_t)(now_us / 1000000);
	struct entry *set, *room = NULL;

	if (id.len != PROOF_ID_LEN)
		return fail(ERR_PEER, "a proof's id has 32 bytes");
	set = p->entries[bytes_hash(id, p->key) % SETS];
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].until_s <= now_s)
			room = &set[i];
		else if (memcmp(set[i].id, id.at, ID_KEPT) == 0)
			return fail(ERR_IDENTITY, "the proof was shown before");
	}
	if (room == NULL)
		return fail(ERR_LIMIT, "too many proofs at once");
	memcpy(room->id, id.at, ID_KEPT);
	room->until_s = now_s + PROOF_LIFE_S;
	return OK;
}
