/* alg.h - the signature algorithms we know (RFC 7518 section 3.1, RFC 8037) and the kinds of key
 * they need, as two tables. Used inside src/jose only. */
#ifndef JOSE_ALG_H
#define JOSE_ALG_H

#include "base/bytes.h"
#include "config/settings.h"

enum key_kind { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519, KEY_KIND_COUNT };
enum { ALG_COUNT = 10, SIGNATURE_MAX = 1024, COORDINATE_MAX = 66 };

struct alg {
	enum jws_alg_bit bit;
	const char *name; /* as in the header member `alg` */
	enum key_kind kind;
	const char *digest; /* OpenSSL's name; NULL where the scheme hashes by itself */
	bool pss;
};

/* The n-th of ALG_COUNT. */
const struct alg *alg_at(size_t index);
/* NULL when `bit` is not exactly one known algorithm. */
const struct alg *alg_of(enum jws_alg_bit bit);
/* NULL when nothing has that name; case matters (RFC 7515 section 4.1.1). */
const struct alg *alg_named(struct bytes name);
/* All algorithms a kind of key can be used with. */
unsigned algs_of_kind(enum key_kind kind);

struct key_kind_info {
	const char *kty, *crv;         /* crv NULL for RSA */
	const char *group;             /* OpenSSL's name of the curve, EC only */
	size_t coordinate;             /* bytes of x and y, and of r and s */
	uint8_t order[COORDINATE_MAX]; /* of the base point, `coordinate` bytes, EC only */
};
const struct key_kind_info *key_kind_info(enum key_kind kind);

#endif
