/* examine.h - what the files that examine tokens share. Used inside src/identity only. */
#ifndef IDENTITY_EXAMINE_H
#define IDENTITY_EXAMINE_H

#include "identity/issuers.h"
#include "identity/principal_make.h"
#include "identity/revocation.h"
#include "identity/role_map.h"
#include "identity/token_cache.h"

/* Where the keys of one issuer or more come from. */
struct key_source {
	struct bytes url;      /* empty: a file, our own users, none */
	struct jwks *keys;     /* owned; NULL until they are here */
	int64_t stale_until_s; /* not used from then on */
	bool is_asked;         /* a token named another key; there is no answer yet */
	int64_t answered_s;    /* when there last was one; 0: never */
	int64_t retry_at_s;    /* the next try, where the last failed; 0: not known */
};

struct issuer {
	const struct issuer_settings *settings; /* borrowed */
	struct jwt_rules rules;
	struct role_map *roles;    /* owned */
	struct key_source *source; /* never NULL; may be shared */
};

struct issuers {
	const struct settings *settings; /* borrowed */
	size_t count;
	struct issuer *issuers;          /* owned */
	struct key_source *sources;      /* owned; count, some unused */
	uint64_t *generations;           /* owned; by issuer, one more with each key set */
	struct token_cache *cache;       /* owned */
	struct revocations *revocations; /* owned */
};

/* The keys to verify with at this moment, or NULL. */
const struct jwks *key_source_keys(const struct key_source *source, int64_t now_s);

/* One token on its way to a principal. */
struct examination {
	struct issuers *s;
	const struct presented *shown;
	int64_t now_s;
	bool full;
	struct arena *arena;
	struct identified *ret;
	struct issuer *issuer; /* NULL: not known yet */
	struct jws jws;        /* `payload` holds the claims, also those that were learned */
	int64_t ends_s;        /* not to be remembered longer */
	const struct principal *remembered; /* borrowed; NULL: not in the cache */
};

/* Another process must be asked, which the caller of issuers_examine() does. */
struct err examine_later(struct examination *x, enum missing missing, const char *why);
/* The claims with one more member, whose value is JSON text written by us. ERR_LIMIT. */
struct err examine_add_claim(struct examination *x, const char *name, struct bytes value);

/* introspected.c: the issuer that has to be asked about this token, or NULL. `parsed` is what
 * jws_parse() said. */
struct issuer *introspection_issuer(const struct issuers *s, const struct jws *j, struct err parsed,
                                    struct bytes token);
/* All checks of such a token. */
struct err check_introspected(struct examination *x);

/* overage.c: are there roles by groups, and the token says only where to ask for these? */
bool groups_are_elsewhere(const struct issuer_settings *s, const struct json *claims);
/* Groups that were learned become claims, before any check. */
struct err take_learned_groups(struct examination *x);
/* JWT_CLAIMS once more: are the groups that roles are granted by in the token? */
struct err check_groups(struct examination *x);

#endif
