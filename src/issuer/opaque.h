/* opaque.h - secrets that are only names of something kept here: client secrets, codes, sessions.
 *
 * 256 random bits as 43 characters of base64url. Kept is their SHA-256: with that many bits nobody
 * finds one from its hash, so a slow password hash would add nothing, and neither does the time a
 * search by the hash takes tell anything of use (CWE-208). */
#ifndef ISSUER_OPAQUE_H
#define ISSUER_OPAQUE_H

#include "base/buf.h"

enum { DIGEST_LEN = 32, OPAQUE_LEN = 32, OPAQUE_TEXT_LEN = 43 };

struct digest {
	uint8_t at[DIGEST_LEN];
};

struct err digest_of(struct bytes text, struct digest *ret);
static inline struct bytes
digest_bytes(const struct digest *d)
{
	return (struct bytes){ d->at, DIGEST_LEN };
}

/* Appends a new one; *ret is its digest. */
struct err opaque_make(struct buf *out, struct digest *ret);
/* Appends `len` random bytes as base64url: a name that need not be secret (jti, sid). */
void name_make(struct buf *out, size_t len);

enum { UUID_LEN = 36 };
/* A random one (RFC 9562 section 5.4): who a user or a client is, for ever. */
void uuid_make(char ret[UUID_LEN]);

#endif
