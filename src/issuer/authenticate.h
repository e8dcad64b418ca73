/* authenticate.h - which client asks, and has it proven that? (RFC 6749 section 2.3, RFC 7523, RFC
 * 8705 section 2.2) */
#ifndef ISSUER_AUTHENTICATE_H
#define ISSUER_AUTHENTICATE_H

#include "issuer/access.h"
#include "issuer/client.h"
#include "issuer/refusal.h"

struct caller {
	struct bytes id;      /* "gatewarden" when none was named */
	bool is_registered;   /* then `client` is filled */
	bool is_proven;       /* confidential, and shown to be */
	struct client client; /* in the arena; only `id` when not registered */
};

/* Refuses with CLIENT_…, in the same words for a client that is not known and one that fails, and
 * for a secret in the same time. An id that is not registered and comes without any proof is a
 * public client. A client that exists is in *ret also when it is refused: for the audit record. */
struct err authenticate(const struct issuer *i, const struct ask *ask, int64_t now_s,
                        struct arena *arena, struct caller *ret);
/* The same without asking for proof: after it was given, and where none is due (/authorize). */
struct err caller_find(const struct issuer *i, const struct ask *ask, struct arena *arena,
                       struct caller *ret);

/* assertion.c: private_key_jwt (RFC 7523 section 3), by the keys of a client; used up by this. */
struct err assertion_check(const struct issuer *i, const struct client *c, struct bytes assertion,
                           int64_t now_s, struct arena *arena);
/* Who it says it is of; empty: not to be read. Proves nothing. */
struct bytes assertion_subject(struct bytes assertion, struct arena *arena);

#endif
