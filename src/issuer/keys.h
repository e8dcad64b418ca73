/* keys.h - one set of signing keys: when each is made, published, used and forgotten. A local
 * issuer has one, and so have the assertions that services are shown.
 *
 *   published -- overlap -- signs -- rotation -- old -- last token's life -- gone
 *
 * The times stand in the store; a ring is what a process holds of them. */
#ifndef ISSUER_KEYS_H
#define ISSUER_KEYS_H

#include "issuer/store.h"

enum {
	KEYS_MAX = 8,
	ACCESS_TOKEN_LIFE_MAX_S = 900,
	/* An old key stays for the longest access token there can be and the widest leeway of a
	   verifier. */
	KEY_OLD_S = ACCESS_TOKEN_LIFE_MAX_S + 60,
	/* A verifier that keeps our keys for a day still knows the next one in time. */
	KEY_OVERLAP_MAX_S = 86400,
};

/* What makes a set differ from another. Borrowed. */
struct key_plan {
	const char *owner; /* the issuer's name in the configuration; no other set has it */
	enum jws_alg_bit algorithm;
	int64_t rotation_s;
};

struct key_slot {
	struct signing_key *key; /* owned */
	int64_t active_s;        /* signs from here until the next slot's time */
};

struct key_ring {
	struct key_slot slots[KEYS_MAX]; /* oldest first */
	size_t count;
};

/* Brings the store's keys up to `now_s` and the ring to the store. *ret_changed: another set is
 * published. */
struct err key_ring_rotate(struct key_ring *ring, struct issuer_store *s,
                           const struct key_plan *plan, int64_t now_s, bool *ret_changed);
void key_ring_done(struct key_ring *ring);
/* The key that signs now; NULL for an empty ring. */
const struct signing_key *key_ring_current(const struct key_ring *ring, int64_t now_s);
void key_ring_put_jwks(const struct key_ring *ring, struct buf *out);

#endif
