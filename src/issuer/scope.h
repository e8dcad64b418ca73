/* scope.h - what of a caller's wishes is granted: roles and the one resource. Nothing here can give
 * more than there was.
 *
 * A scope of ours is a role value; openid, profile, email, address, phone and offline_access
 * (OpenID Connect Core sections 5.4 and 11) are no roles. Who names no role asks for all. */
#ifndef ISSUER_SCOPE_H
#define ISSUER_SCOPE_H

#include "config/settings.h"
#include "issuer/words.h"

bool scope_asks(struct bytes scope, const char *word);
/* Appends the roles of `have` that `scope` asks for; there may be none. */
void scope_put_narrowed(struct buf *out, struct bytes have, struct bytes scope);

/* How a wish that cannot be granted in full is taken. */
enum scope_rule {
	SCOPE_PART, /* as far as it goes (RFC 6749 section 3.3); not at all is SCOPE_NONE */
	SCOPE_ALL,  /* SCOPE_BEYOND: to go on with less than was granted (RFC 6749 section 6, RFC
	             * 8693) */
};
struct err scope_grant(struct bytes have, struct bytes scope, enum scope_rule rule,
                       struct buf *ret);
/* Appends what the answer says was granted: the roles, and the other words we know. */
void scope_put_answer(struct buf *out, struct bytes roles, struct bytes scope);

/* RFC 8707. `asked`: a resource's name or URL; our own URL or an audience is all of them. `before`:
 * the resource there was, empty: all. TARGET_UNKNOWN, TARGET_BEYOND. *ret borrows. */
struct err target_narrow(const struct settings *settings, const struct issuer_settings *own,
                         struct bytes before, struct bytes asked, struct bytes *ret);

#endif
