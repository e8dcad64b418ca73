/* dpop.h - the proof that a caller holds the key its token is bound to (RFC 9449 section 4.3).
 * Pure: whether a proof was seen before is for whoever keeps `id` (section 11.1). */
#ifndef JOSE_DPOP_H
#define JOSE_DPOP_H

#include "jose/jws.h"

enum { DPOP_AGE_MAX_S = 300, DPOP_JTI_MAX = 256, DPOP_ID_LEN = 32 };

/* All borrowed. */
struct dpop_request {
	struct bytes proof;  /* the DPoP field */
	struct bytes method; /* "GET" */
	struct bytes url;    /* of the request as callers know it */
	struct bytes token;  /* the access token shown with it; empty: none is (at /token) */
	int64_t now_s;
};
struct dpop_proof {
	char thumbprint[JWK_THUMBPRINT_LEN + 1]; /* of its key: what `cnf.jkt` must be */
	uint8_t id[DPOP_ID_LEN]; /* SHA-256 of thumbprint "." jti: to be seen once */
};

/* Query and fragment of both URLs are not compared; scheme and host in any case, the default port
 * may be left out. ERR_IDENTITY with the reason; *ret is written only on success. */
struct err dpop_check(const struct dpop_request *r, struct arena *arena, struct dpop_proof *ret);

#endif
