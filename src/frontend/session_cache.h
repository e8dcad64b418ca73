/* session_cache.h - browser sessions that keeper has named, so that not every request asks it.
 *
 * Found by the SHA-256 of the cookie's secret. Bounded; only sessions that exist enter, so nobody
 * can push them out by guessing. */
#ifndef FRONTEND_SESSION_CACHE_H
#define FRONTEND_SESSION_CACHE_H

#include "identity/ask.h"
#include "identity/principal.h"

enum { SESSION_HASH_LEN = 32, SESSION_CACHE_SETS = 256, SESSION_CACHE_WAYS = 4 };

struct session_cache; /* owned */

struct err session_cache_new(struct session_cache **ret);
/* Takes NULL. */
void session_cache_free(struct session_cache *c);

/* Borrowed, or NULL. */
const struct principal *session_cache_find(const struct session_cache *c,
                                           const uint8_t hash[SESSION_HASH_LEN], int64_t now_s);
/* Takes one reference of its own. Ends when the principal does. */
void session_cache_add(struct session_cache *c, const uint8_t hash[SESSION_HASH_LEN],
                       const struct principal *who);
/* Takes NULL. What a revocation may mean is forgotten; who is still good is found again. */
void session_cache_revoke(struct session_cache *c, const struct revocation *r);

#endif
