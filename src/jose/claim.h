/* claim.h - one claim of a token by name or path, and questions about its value. */
#ifndef JOSE_CLAIM_H
#define JOSE_CLAIM_H

#include "format/json.h"

/* `path` is tried as the name of a member first (claims named by URI hold dots), then as a dotted
 * path. NULL when there is nothing; `claims` may be NULL. */
const struct json *claim_find(const struct json *claims, struct bytes path);
/* A text, number or boolean as it is written. False for any other shape. */
bool claim_text(const struct json *claim, struct bytes *ret);
/* Is it this text, number or boolean, or an array that holds it? */
bool claim_holds(const struct json *claim, struct bytes value);
/* The next of words parted by spaces, taken off *words; false when there is none. */
bool claim_word(struct bytes *words, struct bytes *ret);

#endif
