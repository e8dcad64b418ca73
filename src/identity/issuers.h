/* issuers.h - bearer token -> principal. One per worker and configuration generation.
 *
 * Holds the key sets of all issuers and the cache of verified tokens: found by a keyed hash of the
 * token, bound to the generation of keys and policy, ends with the token, bounded (CACHE_SLOTS);
 * only tokens that verified enter, so a flood of bad ones cannot push good ones out. */
#ifndef IDENTITY_ISSUERS_H
#define IDENTITY_ISSUERS_H

#include "config/config.h"
#include "identity/principal.h"
#include "jose/jwt.h"

struct issuers;

struct err issuers_new(const struct settings *settings, struct issuers **ret);
void issuers_free(struct issuers *s);
/* As given to issuers_new(). */
const struct settings *issuers_settings(const struct issuers *s);

/* Reads the `jwks: {file}` of each oidc issuer. Before the sandbox closes. ERR_CONFIG with errors
 * added. */
struct err issuers_load_files(struct issuers *s, struct config_errors *errors);
/* Takes a new key set (owned from now on) for one issuer; cached tokens of the old one are no
 * longer found.
 */
void issuers_set_keys(struct issuers *s, unsigned issuer, struct jwks *keys);
/* Are there keys for every issuer? *missing gets the first name without. */
bool issuers_ready(const struct issuers *s, const char **missing);

/* On success *ret holds one reference (principal_release). ERR_IDENTITY: report->failed and ->why
 * say which check; ERR_UPSTREAM: the issuer's keys are not here yet (503). `full` fills every
 * finding and bypasses the cache, for `gatewarden token`. */
struct err issuers_identify(struct issuers *s, struct bytes token, int64_t now_s, bool full,
                            struct arena *arena, const struct principal **ret,
                            struct jwt_report *report);
void principal_release(const struct principal *p);

/* For tests, `explain --role` and doubles: a principal that has these roles and claims (JSON object
 * or NULL).
 */
struct err principal_for_explain(uint64_t roles, struct bytes claims, const struct principal **ret);

struct issuers_stats {
	uint64_t hits, misses, evictions;
	size_t entries;
};
struct issuers_stats issuers_stats(const struct issuers *s);

#endif
