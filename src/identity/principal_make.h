/* principal_make.h - how src/identity makes principals; nobody else includes this. */
#ifndef IDENTITY_PRINCIPAL_MAKE_H
#define IDENTITY_PRINCIPAL_MAKE_H

#include "format/json.h"
#include "identity/principal.h"
#include "identity/revocation.h"
#include "jose/jwt.h"

struct principal_parts {
	const char *issuer;
	bool is_local; /* of our own users: then `resource` narrows it */
	struct bytes subject;
	uint64_t roles;
	int64_t expires_s;
	const struct json *claims; /* object, or NULL */
	struct revocable revocable;
};

/* Everything is copied into one allocation; *ret holds one reference (principal_release in
 * issuers.h). */
struct err principal_new(const struct principal_parts *parts, const struct principal **ret);
/* What must be looked at each time the token is shown. */
const struct jwt_binding *principal_binding(const struct principal *p);
const struct revocable *principal_revocable(const struct principal *p);
/* Bytes allocated. */
size_t principal_size(const struct principal *p);

#endif
