/* own_token.h - an access token that this issuer has given, known again: by the signature of its
 * own keys, and by the store, that it still counts. */
#ifndef ISSUER_OWN_TOKEN_H
#define ISSUER_OWN_TOKEN_H

#include "issuer/access.h"
#include "issuer/refusal.h"

/* In the arena. */
struct own_token {
	const struct json *claims;
	struct bytes text; /* the claims as they were signed */
	struct bytes subject, name, client_id, sid, jti, resource;
	struct bytes roles; /* space separated */
	int64_t expires_s, auth_s, generation;
	bool is_app; /* as in struct access */
};

/* ERR_IDENTITY (SUBJECT_TOKEN): no access token of this issuer. It may have expired. */
struct err own_token_read(const struct issuer *i, struct bytes token, struct arena *arena,
                          struct own_token *ret);
/* ERR_IDENTITY: SUBJECT_TOKEN when it has expired, SUBJECT_REVOKED. */
struct err own_token_check(const struct issuer *i, const struct own_token *t, int64_t now_s);

#endif
