/* token_cache.h - verified tokens and whom they proved, found without verifying again. Used inside
 * src/identity only.
 *
 * A keyed hash finds the place, the stored bytes of the token decide: a collision of the hash must
 * not let anybody in. Bounded in entries and in bytes. A token that was found since the hand came
 * by last stays (CLOCK), so many tokens used once do not push out the few that are used always. */
#ifndef IDENTITY_TOKEN_CACHE_H
#define IDENTITY_TOKEN_CACHE_H

#include "identity/principal.h"

enum {
	CACHE_SLOTS = 8192,
	CACHE_BYTES_MAX = 16 << 20, /* tokens and principals together */
	CACHE_ENTRY_MAX = 64 << 10, /* larger ones are verified each time */
};

struct token_cache; /* owned; free with token_cache_free */

struct err token_cache_new(struct token_cache **ret);
void token_cache_free(struct token_cache *c);

struct cached_token {
	const struct principal *principal;
	unsigned issuer;
	uint64_t generation;          /* of the issuer's keys when the token was verified */
	int64_t not_before_s, ends_s; /* served in [not_before_s, ends_s) only */
};
/* Borrowed until the next token_cache_add(), or NULL. `generations` are the present ones, by
 * issuer.
 */
const struct cached_token *token_cache_find(struct token_cache *c, struct bytes token,
                                            int64_t now_s, const uint64_t *generations);
/* Takes one reference to the principal and copies the token; may also decline to. Only for the
 * token that token_cache_find() was last asked for and did not find. */
void token_cache_add(struct token_cache *c, struct bytes token, const struct cached_token *cached,
                     int64_t now_s, const uint64_t *generations);

struct token_cache_stats {
	uint64_t hits, misses, evictions;
	size_t entries, bytes;
};
struct token_cache_stats token_cache_stats(const struct token_cache *c);

#endif
