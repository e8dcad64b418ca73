/* claims.h - the values of a claim, for row conditions. Used inside src/identity only. */
#ifndef IDENTITY_CLAIMS_H
#define IDENTITY_CLAIMS_H

#include "jose/claim.h"
#include "query/value.h"

/* The scalars of a claim: itself, or the items of an array. 0 when any part has another shape
 * (null, object, an array in an array, an integer beyond int64) or when there are more than `max`:
 * what cannot be compared whole is not compared at all. */
size_t claim_values(const struct json *claim, struct value *ret, size_t max);

#endif
