/* token_cache.c - see token_cache.h. Sets of WAYS slots; a token's hash chooses the set. */
#include "identity/token_cache.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/random.h"
#include "identity/issuers.h"
#include "identity/principal_make.h"

enum { WAYS = 8, SETS = CACHE_SLOTS / WAYS };

struct slot {
	uint64_t hash;
	struct bytes token; /* owned, wiped when freed; at NULL: the slot is empty */
	struct cached_token cached;
	bool used; /* found since it was added or the hand passed */
};

struct token_cache {
	uint8_t key[16]; /* of the hash: a peer must not choose which set it fills */
	size_t hand;     /* next slot to look at when bytes run out */
	unsigned start;  /* next way to look at when a set is full */
	uint64_t missed; /* hash of the token last not found: half a microsecond of it */
	struct token_cache_stats stats;
	struct slot slots[CACHE_SLOTS];
};

struct err
token_cache_new(struct token_cache **ret)
{
	struct token_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory for the token cache");
	random_fill(c->key, sizeof c->key);
	*ret = c;
	return OK;
}

static size_t
slot_bytes(const struct slot *s)
{
	return s->token.len + principal_size(s->cached.principal);
}

static void
slot_clear(struct token_cache *c, struct slot *s)
{
	c->stats.entries--;
	c->stats.bytes -= slot_bytes(s);
	OPENSSL_clear_free((void *)(uintptr_t)s->token.at, s->token.len);
	principal_release(s->cached.principal);
	*s = (struct slot){ 0 };
}

void
token_cache_free(struct token_cache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		if (c->slots[i].token.at != NULL)
			slot_clear(c, &c->slots[i]);
	free(c);
}

static struct slot *
set_of(struct token_cache *c, uint64_t hash)
{
	return &c->slots[(hash % SETS) * WAYS];
}

static bool
is_current(const struct slot *s, int64_t now_s, const uint64_t *generations)
{
	return s->cached.generation == generations[s->cached.issuer] && now_s < s->cached.ends_s;
}

/* The bytes are compared only after 64 keyed bits agreed, so the time of the comparison tells
 * nothing to someone who does not already hold the token. */
const struct cached_token *
token_cache_find(struct token_cache *c, struct bytes token, int64_t now_s,
                 const uint64_t *generations)
{
	uint64_t hash = bytes_hash(token, c->key);
	struct slot *set = set_of(c, hash);

	for (size_t i = 0; i < WAYS; i++) {
		struct slot *s = &set[i];

		if (s->token.at == NULL || s->hash != hash || !bytes_equal(s->token, token))
			continue;
		if (!is_current(s, now_s, generations)) {
			slot_clear(c, s);
			break;
		}
		/* The clock went back: the full check says so, and the token may be good again
		 * later. */
		if (now_s < s->cached.not_before_s)
			break;
		s->used = true;
		c->stats.hits++;
		return &s->cached;
	}
	c->missed = hash;
	c->stats.misses++;
	return NULL;
}

/* Ended and unused ones first; where all were used, each loses its mark and one its place. */
static struct slot *
make_room(struct token_cache *c, struct slot *set, int64_t now_s, const uint64_t *generations)
{
	struct slot *victim = NULL;
	unsigned start = c->start++;

	for (size_t i = 0; i < WAYS; i++) {
		struct slot *s = &set[(start + i) % WAYS];

		if (s->token.at == NULL)
			return s;
		if (!is_current(s, now_s, generations)) {
			slot_clear(c, s);
			return s;
		}
		if (victim == NULL && !s->used)
			victim = s;
	}
	if (victim == NULL) {
		for (size_t i = 0; i < WAYS; i++)
			set[i].used = false;
		victim = &set[start % WAYS];
	}
	slot_clear(c, victim);
	c->stats.evictions++;
	return victim;
}

/* Two rounds at most: the first may only take marks away. */
static void
free_bytes(struct token_cache *c, size_t needed)
{
	for (size_t i = 0; i < 2 * CACHE_SLOTS && c->stats.bytes + needed > CACHE_BYTES_MAX; i++) {
		struct slot *s = &c->slots[c->hand];

		c->hand = (c->hand + 1) % CACHE_SLOTS;
		if (s->token.at == NULL)
			continue;
		if (s->used) {
			s->used = false;
			continue;
		}
		slot_clear(c, s);
		c->stats.evictions++;
	}
}

void
token_cache_add(struct token_cache *c, struct bytes token, const struct cached_token *cached,
                int64_t now_s, const uint64_t *generations)
{
	size_t needed = token.len + principal_size(cached->principal);
	uint8_t *copied =
		token.len == 0 || needed > CACHE_ENTRY_MAX ? NULL : OPENSSL_malloc(token.len);

	if (copied == NULL)
		return;
	memcpy(copied, token.at, token.len);
	free_bytes(c, needed);

	struct slot *s = make_room(c, set_of(c, c->missed), now_s, generations);
	*s = (struct slot){ .hash = c->missed, .token = { copied, token.len }, .cached = *cached };
	(void)principal_hold(cached->principal);
	c->stats.entries++;
	c->stats.bytes += needed;
}

struct token_cache_stats
token_cache_stats(const struct token_cache *c)
{
	return c->stats;
}
