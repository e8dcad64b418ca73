/* assertion_signer.h - signs what services are told of callers, with keys that sign nothing else:
 * no access token is ever taken that these have signed. They are kept, rotated and published ahead
 * as a local issuer's, also where there is none. */
#ifndef ISSUER_ASSERTION_SIGNER_H
#define ISSUER_ASSERTION_SIGNER_H

#include "issuer/issuer.h"

enum { ASSERTION_LIFE_MAX_S = 900 };

struct assertion_signer; /* settings + store + current keys */

/* Does this configuration have services, or routes for which others ask /auth? */
bool assertion_signer_is_needed(const struct settings *settings);
/* Borrows both. Makes the first key where there is none. */
struct err assertion_signer_open(const struct settings *settings, struct issuer_store *store,
                                 int64_t now_s, struct assertion_signer **ret);
/* Takes NULL. */
void assertion_signer_close(struct assertion_signer *a);
struct err assertion_signer_rotate(struct assertion_signer *a, int64_t now_s, bool *ret_changed);
void assertion_signer_put_jwks(const struct assertion_signer *a, struct buf *out);
/* ASK_ASSERTION. ERR_PEER: DATA is no JSON object, is too long, does not say for whom (`aud`) and
 * of whom (`sub`) it is, or says itself what only the signer may: iss, iat, nbf, exp, jti. LIFE
 * beyond ASSERTION_LIFE_MAX_S is cut to that. */
struct err assertion_signer_answer(struct assertion_signer *a, const struct ask *ask, int64_t now_s,
                                   struct reply *ret);

#endif
