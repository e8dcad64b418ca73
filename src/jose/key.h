/* key.h - public numbers -> OpenSSL key, each checked before it is believed; and back to the
 * members of a JWK. Used inside src/jose only. */
#ifndef JOSE_KEY_H
#define JOSE_KEY_H

#include <openssl/evp.h>

#include "base/buf.h"
#include "jose/alg.h"
#include "jose/jwk.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

/* *ret is owned by the caller. All numbers are big-endian bytes. Errors: ERR_PEER with the reason
 * the key is refused, ERR_SYSTEM when memory is out. */
struct err key_rsa(struct bytes n, struct bytes e, EVP_PKEY **ret);
/* x and y of exactly the curve's width (RFC 7518 section 6.2.1.2), on the curve. */
struct err key_ec(enum key_kind kind, struct bytes x, struct bytes y, EVP_PKEY **ret);
/* A canonical point of the curve (RFC 8032 section 5.1.3), not of small order. */
struct err key_ed25519(struct bytes x, EVP_PKEY **ret);

/* Is n the product of primes as Infineon's RSALib made them (ROCA, CVE-2017-15361)? */
bool key_is_roca(const BIGNUM *n);
/* Does a y coordinate, as encoded, belong to a usable point of edwards25519? */
bool key_is_ed25519_point(const uint8_t y[32]);

/* The required members in the order of RFC 7638 section 3: {"crv":...,"kty":...}, without the
 * braces. */
struct err key_put_members(const EVP_PKEY *key, enum key_kind kind, struct buf *out);
/* RFC 7638: base64url of SHA-256 over those members. */
struct err key_thumbprint(const EVP_PKEY *key, enum key_kind kind,
                          char ret[JWK_THUMBPRINT_LEN + 1]);

#endif
