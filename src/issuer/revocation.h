/* revocation.h - what must not be accepted any more: rows of the state store, which is the truth.
 *
 * A row is written in the transaction of the change it follows from. Keeper looks for new ones and
 * tells every worker, who hold tokens against them. Tokens of our own carry the generation of their
 * user or client: a change makes the next one and revokes what is below, so that a token given
 * right after it is good, whatever the clocks say. */
#ifndef ISSUER_REVOCATION_H
#define ISSUER_REVOCATION_H

#include "identity/ask.h"
#include "issuer/issuer.h"

/* For `gatewarden revoke`. `issuer`: name in the configuration. Each is an event for the audit log.
 */

/* Of an issuer of type local (is_local): ends its refresh families and browser sessions and makes a
 * new generation; ERR_NOT_FOUND when the subject is neither a user nor a client. Of another:
 * what it issued up to now. `now_s`: wall clock. */
struct err revoke_subject(struct issuer_store *s, const char *issuer, bool is_local,
                          struct bytes subject, int64_t now_s);
/* One token by its `jti`, until it has expired. ERR_INVALID: no jti. */
struct err revoke_token(struct issuer_store *s, const char *issuer, struct bytes jti,
                        int64_t expires_s);

/* For keeper */

typedef struct err revocation_fn(void *of, const struct revocation *r);
/* Those after the row *cursor (0: all) that still matter, in their order; moves *cursor. Ends with
 * the first error of `each`. */
struct err revocation_read_after(struct issuer_store *s, int64_t now_s, int64_t *cursor,
                                 revocation_fn *each, void *of);
/* Drops what has ended: revocations, codes, sessions, states, used assertions. */
struct err issuer_store_purge(struct issuer_store *s, int64_t now_s);

/* Has the store been written since the last time, by anyone? Cheap: asked five times a second. */
struct store_mark {
	int64_t others, own;
};
struct err issuer_store_changed(struct issuer_store *s, struct store_mark *mark, bool *ret);

#endif
