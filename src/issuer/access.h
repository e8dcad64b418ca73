/* access.h - one local issuer as the files of this folder see it, and the access tokens it signs.
 */
#ifndef ISSUER_ACCESS_H
#define ISSUER_ACCESS_H

#include "issuer/keys.h"

struct issuer {
	const struct settings *settings;   /* borrowed */
	const struct issuer_settings *own; /* borrowed: this issuer's part of it */
	struct issuer_store *store;        /* borrowed */
	struct key_ring ring;              /* owned */
	struct secret successor_key;       /* owned: see refresh.c */
};

struct access {
	struct bytes subject;
	struct bytes name;  /* of the user: for people to read, never for a decision */
	struct bytes roles; /* space separated */
	struct bytes client_id;
	int64_t auth_s; /* when the password was seen */
};

unsigned access_life_s(const struct issuer *i);
/* Appends a signed token (RFC 9068). */
struct err access_sign(const struct issuer *i, const struct access *a, int64_t now_s,
                       struct buf *out);

#endif
