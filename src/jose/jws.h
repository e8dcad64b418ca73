/* jws.h - compact JWS (RFC 7515) split and verified. The algorithm is chosen by the caller's
 * allow-list, never by the token alone. */
#ifndef JOSE_JWS_H
#define JOSE_JWS_H

#include "jose/jwk.h"

enum { JWS_BYTES_MAX = 16384 };

/* The name of an algorithm ("RS256") and back; 0 for anything else ("none", "HS256", …). */
const char *jws_alg_name(enum jws_alg_bit alg);
unsigned jws_alg_from(struct bytes name);

struct jws {
	struct bytes signing_input; /* header.payload as received */
	const struct json *header,
		*payload;       /* objects in the arena; payload NULL when it is no JSON object */
	struct bytes signature; /* decoded, in the arena */
	struct bytes payload_bytes; /* decoded, in the arena */
	enum jws_alg_bit alg;
	struct bytes kid, typ; /* empty when absent */
};

/* Exactly three canonical base64url parts; header without `crit`, `b64`, duplicate members; alg
 * known. jwk, jku, x5u, x5c are never looked at. Errors: ERR_IDENTITY with .code = JWT_FORM,
 * JWT_HEADER or JWT_ALGORITHM; *ret then holds what could be read, for a report only (alg stays 0).
 */
struct err jws_parse(struct bytes token, struct arena *arena, struct jws *ret);
/* ERR_IDENTITY when the signature is not this key's. The key must fit the alg. */
struct err jws_verify(const struct jws *j, const struct jwk *key);
/* Raw form, for the two uses that are not compact JWS (test vectors, checkpoints). */
struct err jwk_verify(const struct jwk *key, enum jws_alg_bit alg, struct bytes message,
                      struct bytes signature);

#endif
