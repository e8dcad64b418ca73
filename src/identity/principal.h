/* principal.h - who is calling, proven. Only src/identity makes one. */
#ifndef IDENTITY_PRINCIPAL_H
#define IDENTITY_PRINCIPAL_H

#include "format/json.h"
#include "query/filter.h"

struct principal;

/* One more reference; principal_release() (issuers.h) gives it back. */
const struct principal *principal_hold(const struct principal *p);

/* All borrowed from the principal, which outlives the request that identified it. */
const char *principal_issuer(const struct principal *p); /* name in the configuration */
struct bytes principal_subject(const struct principal *p);
/* What people call the caller: the claim `preferred_username`, else `upn`; empty when there is
 * neither, or when it has control characters. For display and search only, never for a decision:
 * users may choose and change it, and two may have the same. `email` is not taken: issuers pass it
 * on unverified, and nobody has to keep it in a log. */
struct bytes principal_name(const struct principal *p);
uint64_t principal_roles(const struct principal *p);  /* bit n = role n of the settings */
int64_t principal_expires(const struct principal *p); /* seconds since 1970 */
/* Who acts for the subject (`act.sub`, RFC 8693 section 4.1); empty: nobody. */
struct bytes principal_agent(const struct principal *p);
/* The one resource this token is for (claim `resource` of our own tokens, made by token exchange);
 * empty: not narrowed. Policy denies every other. */
struct bytes principal_resource(const struct principal *p);
/* A claim as the token has it, by name or dotted path; NULL where there is none. */
const struct json *principal_claim(const struct principal *p, const char *path);
/* Claims by dotted path, for row conditions. */
struct claim_source principal_claims(const struct principal *p);

#endif
