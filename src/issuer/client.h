/* client.h - programs that ask for tokens: web applications, service accounts, agents. In the state
 * store beside the users; made by `gatewarden client`.
 *
 * A client is confidential, and shows it by a secret we made, by a signed assertion
 * (private_key_jwt, RFC 7523) or by its certificate (RFC 8705 section 2.2), or public, and shows
 * nothing. A client_id that is not in the store counts as public, without any grant of these. */
#ifndef ISSUER_CLIENT_H
#define ISSUER_CLIENT_H

#include "issuer/issuer.h"

enum client_grant {
	CLIENT_CODE = 1,        /* authorization_code */
	CLIENT_CREDENTIALS = 2, /* client_credentials: a service account, with roles of its own */
	CLIENT_EXCHANGE = 4,    /* token exchange (RFC 8693) */
};

enum { REDIRECT_URI_MAX = 2048, REDIRECT_URIS_MAX = 16 };

struct client {
	struct bytes id;            /* 1 to CLIENT_ID_MAX of printable ASCII without space */
	struct bytes name;          /* for people; empty: its id is shown */
	struct bytes subject;       /* stable uuid: `sub` of a service account */
	struct bytes jwks;          /* its public keys for private_key_jwt; empty: none */
	struct bytes certificate;   /* base64url SHA-256 of its certificate; empty: none */
	struct bytes roles;         /* space separated: of the service account */
	struct bytes redirect_uris; /* space separated, compared byte for byte */
	unsigned grants;            /* enum client_grant */
	bool is_public, has_secret, is_dpop_required, is_disabled;
	int64_t created_s;
	int64_t generation; /* as a user's */
};

/* Fields to set: id, name, jwks, certificate, roles, redirect_uris, grants, is_public,
 * is_dpop_required. A confidential client without keys and certificate gets a secret, which is
 * appended to *ret_secret and can never be shown again. ERR_INVALID with what is wrong: an id that
 * is an audience of a configured issuer (an ID token for it would pass for an access token), a
 * redirect URI that is not https, http to a loopback address, or of an application's own scheme, a
 * grant without what it needs, a key set without a good key. ERR_CONFLICT: the id is taken. Which
 * roles make sense is the caller's to check. */
struct err client_add(struct issuer_store *s, const struct settings *settings,
                      const struct client *c, struct buf *ret_secret);
/* ERR_NOT_FOUND where there is no such client; so do the next three. Text in the arena. */
struct err client_find(struct issuer_store *s, struct bytes id, struct arena *arena,
                       struct client *ret);
/* A new secret instead of the one before, if any; keys and certificate stay. These three end all
 * that was given to the client, within a second on every worker, and are events for the audit log.
 * ERR_INVALID: a public client has none. */
struct err client_set_secret(struct issuer_store *s, struct bytes id, struct buf *ret_secret);
struct err client_set_disabled(struct issuer_store *s, struct bytes id, bool disabled);
struct err client_remove(struct issuer_store *s, struct bytes id);
/* By id. Text is borrowed for the time of the call. */
typedef void client_list_fn(void *of, const struct client *c);
struct err client_list(struct issuer_store *s, client_list_fn *each, void *of);

/* Is this the name of an issuer's audience? */
bool client_id_is_audience(const struct settings *settings, struct bytes id);

#endif
