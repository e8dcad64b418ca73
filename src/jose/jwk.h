/* jwk.h - public keys (RFC 7517, 7518, 8037) and key sets. Pure: no I/O, no clock.
 *
 * Refused when loaded: RSA below 2048 or above 8192 bits, even modulus, exponent even, below 3 or
 * above 2^32 - 1 or the mark of a broken generator (ROCA); a point not on its curve or of small
 * order; symmetric keys; private parts in a public set; `use` other than sig; key_ops without
 * verify; alg that does not fit the key; an empty kid. Not for two threads at once: a key works in
 * contexts of its own. */
#ifndef JOSE_JWK_H
#define JOSE_JWK_H

#include "config/settings.h"
#include "format/json.h"

enum { JWKS_KEYS_MAX = 100, JWKS_BYTES_MAX = 1 << 20, JWK_THUMBPRINT_LEN = 43 };

struct jwk;  /* one verification key, ready for use */
struct jwks; /* an immutable set; owned, free with jwks_free */

/* A bad key does not spoil the set: it is left out and, when `refused` is not NULL, one line of why
 * is added to it. ERR_PEER when the document is no key set at all, ERR_LIMIT when it is too large.
 */
struct err jwks_parse(struct bytes text, struct jwks **ret, struct buf *refused);
void jwks_free(struct jwks *s);
size_t jwks_count(const struct jwks *s);
const struct jwk *jwks_at(const struct jwks *s, size_t index);
/* The only key with exactly this kid that fits `alg`; with an empty kid, the only one that fits.
 * NULL when there is none, and when there are several: two different keys of one name are nobody's
 * proof. */
const struct jwk *jwks_find(const struct jwks *s, struct bytes kid, enum jws_alg_bit alg);
bool jwk_fits(const struct jwk *k, enum jws_alg_bit alg);
/* The member `issuer`: whose tokens this key signs, in a set that several share (Entra; may hold
 * `{tenantid}`). Empty when absent. */
struct bytes jwk_issuer(const struct jwk *k);
/* A set anew as text, which jwks_parse() reads as the same set: public members, use, kid, alg where
 * it is only one, issuer. Nothing else of what came in. */
void jwks_put(const struct jwks *s, struct buf *out);

/* One key that stands alone, for one algorithm: of a DPoP proof, of a client. Owned, free with
 * jwk_free. ERR_PEER with the reason it is refused. */
struct err jwk_new(const struct json *object, enum jws_alg_bit alg, struct jwk **ret);
void jwk_free(struct jwk *k);
/* RFC 7638: base64url of SHA-256. */
struct err jwk_thumbprint(const struct jwk *k, char ret[JWK_THUMBPRINT_LEN + 1]);

#endif
