/* sign.h - private keys: made, kept as PKCS#8, signing compact JWS. Used by keeper only. */
#ifndef JOSE_SIGN_H
#define JOSE_SIGN_H

#include "base/secret.h"
#include "jose/jws.h"

struct signing_key; /* owned; wiped when freed */

struct err signing_key_generate(enum jws_alg_bit alg, struct signing_key **ret);
struct err signing_key_from_der(struct bytes pkcs8, enum jws_alg_bit alg, struct signing_key **ret);
struct err signing_key_der(const struct signing_key *k, struct secret *ret);
void signing_key_free(struct signing_key *k);
/* RFC 7638 SHA-256 thumbprint: also the kid. 43 characters, borrowed from the key. */
struct bytes signing_key_id(const struct signing_key *k);
enum jws_alg_bit signing_key_alg(const struct signing_key *k);
/* The public half as one JWK object with kid, use and alg. */
void signing_key_put_jwk(const struct signing_key *k, struct buf *out);
/* Appends header.payload.signature. `typ` is a literal such as "at+jwt"; `claims` a JSON object. */
struct err signing_key_sign(const struct signing_key *k, const char *typ, struct bytes claims,
                            struct buf *out);

#endif
