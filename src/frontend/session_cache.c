/* session_cache.c - see session_cache.h. A table of small sets: the hash says which, and within one
 * the session that ends first makes room. */
#include "frontend/session_cache.h"

#include <stdlib.h>

#include "identity/issuers.h"

struct entry {
	uint8_t hash[SESSION_HASH_LEN];
	const struct principal *who; /* one reference; NULL: free */
};

struct session_cache {
	struct entry entries[SESSION_CACHE_SETS][SESSION_CACHE_WAYS];
};

struct err
session_cache_new(struct session_cache **ret)
{
	*ret = calloc(1, sizeof **ret);
	return *ret != NULL ? OK : fail(ERR_SYSTEM, "out of memory for the sessions");
}

static void
drop(struct entry *e)
{
	if (e->who != NULL)
		principal_release(e->who);
	*e = (struct entry){ 0 };
}

static void
drop_all(struct session_cache *c)
{
	for (size_t set = 0; set < SESSION_CACHE_SETS; set++)
		for (size_t i = 0; i < SESSION_CACHE_WAYS; i++)
			drop(&c->entries[set][i]);
}

void
session_cache_free(struct session_cache *c)
{
	if (c == NULL)
		return;
	drop_all(c);
	free(c);
}

/* Hashes of secrets that nobody can choose are as good as random. */
static size_t
set_of(const uint8_t hash[SESSION_HASH_LEN])
{
	return hash[0] % SESSION_CACHE_SETS;
}

static bool
is_of(const struct entry *e, const uint8_t hash[SESSION_HASH_LEN])
{
	return e->who != NULL && memcmp(e->hash, hash, SESSION_HASH_LEN) == 0;
}

const struct principal *
session_cache_find(const struct session_cache *c, const uint8_t hash[SESSION_HASH_LEN],
                   int64_t now_s)
{
	const struct entry *set = c->entries[set_of(hash)];

	for (size_t i = 0; i < SESSION_CACHE_WAYS; i++)
		if (is_of(&set[i], hash))
			return now_s < principal_expires(set[i].who) ? set[i].who : NULL;
	return NULL;
}

/* Its own place, a free one, or that of the session that ends first. */
static struct entry *
place_for(struct entry *set, const uint8_t hash[SESSION_HASH_LEN])
{
	struct entry *best = &set[0];

	for (size_t i = 0; i < SESSION_CACHE_WAYS; i++) {
		struct entry *e = &set[i];

		if (is_of(e, hash))
			return e;
		if (best->who != NULL &&
		    (e->who == NULL || principal_expires(e->who) < principal_expires(best->who)))
			best = e;
	}
	return best;
}

void
session_cache_add(struct session_cache *c, const uint8_t hash[SESSION_HASH_LEN],
                  const struct principal *who)
{
	struct entry *e = place_for(c->entries[set_of(hash)], hash);

	drop(e);
	memcpy(e->hash, hash, SESSION_HASH_LEN);
	e->who = principal_hold(who);
}

void
session_cache_revoke(struct session_cache *c, const struct revocation *r)
{
	if (c == NULL)
		return;
	if (r->kind != REVOKED_COOKIE || r->value.len != SESSION_HASH_LEN) {
		drop_all(c); /* of whom it is, the issuers say when they are asked again */
		return;
	}
	struct entry *set = c->entries[set_of(r->value.at)];
	for (size_t i = 0; i < SESSION_CACHE_WAYS; i++)
		if (is_of(&set[i], r->value.at))
			drop(&set[i]);
}
