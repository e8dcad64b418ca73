/* access.h - one local issuer as the files of this folder see it, and the tokens it signs. */
#ifndef ISSUER_ACCESS_H
#define ISSUER_ACCESS_H

#include "issuer/keys.h"

struct issuer {
	const struct settings *settings;   /* borrowed */
	const struct issuer_settings *own; /* borrowed: this issuer's part of it */
	struct issuer_store *store;        /* borrowed */
	struct key_ring ring;              /* owned */
	struct jwks *published;            /* owned: to know our own tokens by */
	struct secret successor_key;       /* owned: see refresh.c */
};

enum { JTI_LEN = 16, SID_LEN = 16 };

/* What a token says. All borrowed; empty: it does not say it. */
struct access {
	struct bytes subject;
	struct bytes name;  /* of the user: for people to read, never for a decision */
	struct bytes roles; /* space separated */
	struct bytes client_id;
	struct bytes sid; /* of the login */
	struct bytes jti; /* empty: a new one */
	struct bytes resource;
	struct bytes key, certificate; /* it is bound to (RFC 9449, 8705) */
	struct bytes act;              /* JSON object (RFC 8693 section 4.1) */
	struct bytes nonce;            /* of the ID token */
	int64_t auth_s;                /* when the password was seen; 0: none was */
	int64_t generation;            /* of the user or client */
	int64_t life_s;                /* at most the issuer's; 0: that */
	bool is_app;                   /* a service account: nobody logged in */
};

/* Seconds it lives. */
unsigned access_life_s(const struct issuer *i, const struct access *a);
/* Appends the claims of an access token (RFC 9068) as JSON. */
struct err access_put_claims(const struct issuer *i, const struct access *a, int64_t now_s,
                             struct buf *out);
/* The same, signed. */
struct err access_sign(const struct issuer *i, const struct access *a, int64_t now_s,
                       struct buf *out);
/* Appends an ID token (OpenID Connect Core section 2) given beside that access token. */
struct err id_token_sign(const struct issuer *i, const struct access *a, struct bytes access_token,
                         int64_t now_s, struct buf *out);

#endif
