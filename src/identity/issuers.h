/* issuers.h - bearer token -> principal. One per worker and configuration generation.
 *
 * Holds the key sets of all issuers and the cache of verified tokens: found by a keyed hash of the
 * token, bound to the generation of keys and policy, ends with the token, bounded (CACHE_SLOTS);
 * only tokens that verified enter, so a flood of bad ones cannot push good ones out. */
#ifndef IDENTITY_ISSUERS_H
#define IDENTITY_ISSUERS_H

#include "config/config.h"
#include "identity/ask.h"
#include "identity/fetch.h"
#include "identity/principal.h"
#include "jose/jwt.h"

struct issuers;

struct err issuers_new(const struct settings *settings, struct issuers **ret);
void issuers_free(struct issuers *s);
/* As given to issuers_new(). */
const struct settings *issuers_settings(const struct issuers *s);

/* Reads the `jwks: {file}` of each issuer that has one. Before the sandbox closes. ERR_CONFIG with
 * errors added. */
struct err issuers_load_files(struct issuers *s, struct config_errors *errors);
/* Takes a new key set (owned from now on) for one issuer; cached tokens of the old one are no
 * longer found.
 */
void issuers_set_keys(struct issuers *s, unsigned issuer, struct jwks *keys);

/* Gives back one reference; NULL is allowed. */
void principal_release(const struct principal *p);

/* For tests, `explain --role` and doubles: a principal that has these roles and claims (JSON object
 * or NULL).
 */
struct err principal_for_explain(uint64_t roles, struct bytes claims, const struct principal **ret);

/* What a caller shows, and how it was shown. All borrowed. */
struct presented {
	struct bytes token;
	bool is_dpop;             /* the scheme was DPoP, not Bearer (RFC 9449 section 7.1) */
	struct bytes proof;       /* the DPoP field; empty: none */
	struct bytes method, url; /* of the request: "GET", and the URL as callers know it, without
	                           * query and fragment */
	struct bytes certificate; /* SHA-256 of the caller's certificate, 32 bytes; empty:
	                           * none */
	bool has_asked;           /* what was missing has been asked for: without it, refused */
	struct bytes learned;     /* JSON object that answered MISSING_INTROSPECTION or _GROUPS;
	                           * without members where the answer was no */
};

/* What another process must be asked for before this token can be judged. */
enum missing {
	MISSING_NOTHING,
	MISSING_KEYS,          /* FETCH_REFRESH of issuer_source() of `issuer`. All tokens that come
	                        * before it is answered wait with the first; after it, an unknown
	                        * key is refused at once for the issuer's keys_cooldown_s */
	MISSING_INTROSPECTION, /* FETCH_INTROSPECT with the token */
	MISSING_GROUPS,        /* FETCH_GROUPS with tenant, object, is_app */
};

struct identified {
	const struct principal *who; /* one reference (principal_release), or NULL */
	struct jwt_report report; /* its `failed` and `why` go into the 401 and the audit record */
	int issuer;               /* index in the settings; -1: of none */
	struct bytes subject;     /* whose the token is, once its signature proved it: also when it
	                           * is refused then. In the arena; empty: not known */
	enum missing missing;
	struct bytes tenant, object; /* MISSING_GROUPS; in the arena */
	bool is_app;
	bool has_proof;       /* a DPoP proof was good: ASK_PROOF must say that it is new */
	uint8_t proof_id[32]; /* SHA-256 of the key's thumbprint and the proof's jti */
	uint32_t retry_s;     /* ERR_UPSTREAM: for Retry-After */
};

/* ERR_IDENTITY: refused, report says by which check. ERR_UPSTREAM: `missing` says what to ask for;
 * with MISSING_NOTHING there is nobody to ask and the caller must come again (503). `full` fills
 * every finding and bypasses the cache, for `gatewarden token`. */
struct err issuers_examine(struct issuers *s, const struct presented *p, int64_t now_s, bool full,
                           struct arena *arena, struct identified *ret);
/* Keys of a source that fetcher has sent (owned from now on), for every issuer of that source; NULL
 * takes them away. Not used after `stale_until_s`. */
void issuers_set_source(struct issuers *s, struct bytes source, struct jwks *keys,
                        int64_t stale_until_s);
/* It has sent the same keys again: cached tokens are still found. */
void issuers_extend_source(struct issuers *s, struct bytes source, int64_t stale_until_s);
/* When fetcher tries a source again that failed (FETCH_STATE); for `retry_s` of its issuers. */
void issuers_set_retry(struct issuers *s, struct bytes source, int64_t retry_at_s);
/* From now on refused, cached or not (see ask.h). Kept until its `until_s`. */
void issuers_revoke(struct issuers *s, const struct revocation *r, int64_t now_s);
/* A principal from claims that were proven before: a browser session. `issuer` is its name in the
 * configuration. ERR_IDENTITY when there is no such issuer any more, or a revocation names it. */
struct err issuers_adopt(struct issuers *s, struct bytes issuer, struct bytes claims,
                         int64_t expires_s, int64_t now_s, struct arena *arena,
                         const struct principal **ret);
/* An ID token (OpenID Connect Core section 3.1.3.7) made for our browser login: signature, `iss`,
 * `aud` and `azp` = login_client_id, dates, `nonce`. *ret_claims in the arena. */
struct err issuers_check_id_token(struct issuers *s, unsigned issuer, struct bytes id_token,
                                  struct bytes nonce, int64_t now_s, struct arena *arena,
                                  const struct json **ret_claims, struct jwt_report *report);

struct issuers_stats {
	uint64_t hits, misses, evictions;
	size_t entries;
};
struct issuers_stats issuers_stats(const struct issuers *s);

#endif
