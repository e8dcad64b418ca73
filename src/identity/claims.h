/* claims.h - one claim of a token by name or path. Used inside src/identity only. */
#ifndef IDENTITY_CLAIMS_H
#define IDENTITY_CLAIMS_H

#include "format/json.h"
#include "query/value.h"

/* `path` is tried as the name of a member first (claims named by URI hold dots), then as a dotted
 * path. NULL when there is nothing; `claims` may be NULL. */
const struct json *claim_find(const struct json *claims, struct bytes path);
/* The scalars of a claim: itself, or the items of an array. 0 when any part has another shape
 * (null, object, an array in an array, an integer beyond int64) or when there are more than `max`:
 * what cannot be compared whole is not compared at all. */
size_t claim_values(const struct json *claim, struct value *ret, size_t max);

#endif
