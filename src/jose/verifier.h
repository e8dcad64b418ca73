/* verifier.h - one public key prepared for one algorithm, so that a verification allocates and
 * looks up nothing (measured for RS256: fresh contexts each time cost a fifth more).
 * Used inside src/jose only. Not for two threads at once: the contexts are worked in. */
#ifndef JOSE_VERIFIER_H
#define JOSE_VERIFIER_H

#include <openssl/evp.h>

#include "jose/alg.h"

struct verifier {
	const struct alg *alg;
	size_t signature_len; /* the only length that is accepted */
	EVP_MD *digest;       /* owned; NULL for EdDSA */
	EVP_MD_CTX *hash;     /* owned */
	EVP_PKEY_CTX *check;  /* owned; NULL for EdDSA */
};

/* `key` must be of the algorithm's kind; a reference is kept. ERR_SYSTEM. */
struct err verifier_init(struct verifier *v, const struct alg *alg, EVP_PKEY *key);
void verifier_done(struct verifier *v);
/* The signature in its JWS form: r and s side by side for ECDSA (RFC 7518 section 3.4). */
bool verifier_accepts(const struct verifier *v, struct bytes message, struct bytes signature);

#endif
