/* issuer_settings.h - the part of the settings that says who is believed, and how. */
#ifndef CONFIG_ISSUER_SETTINGS_H
#define CONFIG_ISSUER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/place.h"

/* Where a secret is; it is never written in the configuration. Read when it is used, so that a new
 * one is seen. Both NULL: none. */
struct secret_ref {
	const char *file; /* absolute; a newline at its end is not part of it */
	const char *env;  /* name of an environment variable */
};

enum issuer_type {
	ISSUER_LOCAL,
	ISSUER_OIDC,
	ISSUER_ENTRA,
	ISSUER_OKTA,
	ISSUER_COGNITO,
	ISSUER_INTROSPECTION, /* opaque tokens, asked for at the issuer (RFC 7662) */
};
enum jws_alg_bit {
	ALG_RS256 = 1,
	ALG_RS384 = 2,
	ALG_RS512 = 4,
	ALG_PS256 = 8,
	ALG_PS384 = 16,
	ALG_PS512 = 32,
	ALG_ES256 = 64,
	ALG_ES384 = 128,
	ALG_ES512 = 256,
	ALG_EDDSA = 512,
};

/* One exact `iss` an issuer may write, and the `tid` that must stand beside it (NULL: not looked
 * at). Entra writes two forms for each tenant. */
struct issuer_name {
	const char *iss, *tenant;
};

/* A claim that must be there, and be (or, an array, hold) one of the values; `count` 0: any value.
 * Numbers and booleans are compared as they are written in JSON. */
struct required_claim {
	const char *path; /* as roles_claim */
	const char *const *values;
	size_t count;
};

enum callers { CALLERS_ANY, CALLERS_USERS, CALLERS_APPS };
enum binding_bit { BINDING_DPOP = 1, BINDING_MTLS = 2 };

/* What the kinds differ in is resolved when the file is read: nobody else asks for `type` where one
 * of these facts says it. */
struct issuer_settings {
	const char *name;
	struct place place;
	enum issuer_type type;
	const char
		*issuer; /* the first of `names`, for messages; NULL: introspection without one */
	const struct issuer_name *names;
	size_t name_count;
	const char *tenant;          /* oidc: exact `tid`, or NULL: not looked at */
	const char *const *audience; /* any one of these; none: `aud` is not looked at (cognito) */
	size_t audience_count;
	const char *const
		*clients; /* who the token was given to must be one of these; none: anyone */
	size_t client_count;
	const char *client_claim; /* where the issuer names that client: azp, appid, cid, client_id;
	                           * space separated, the first that is there */
	unsigned algorithms;      /* enum jws_alg_bit */
	const char *const
		*roles_claims; /* dotted paths or URI names; their values together grant */
	size_t roles_claim_count;
	const char *roles_claim; /* the first of them */
	const struct required_claim *required;
	size_t required_count;
	enum callers callers; /* apps: tokens without a user */
	bool guests_refused;  /* entra */
	unsigned bindings; /* enum binding_bit: the token must be bound in one of these ways. Where
	                    * it says it is bound, it must be proven in any case */
	unsigned leeway_s; /* at most 60 */
	const char *jwks_file; /* absolute path; then nothing is fetched */
	/* Fetched keys. Both NULL: nothing is fetched */
	const char *metadata_url; /* the discovery document */
	const char *
		metadata_issuer; /* what its `issuer` must equal; with `{tenantid}`: the template */
	const char *jwks_url;    /* the key set itself, where no metadata is asked */
	unsigned keys_stale_s;   /* how long keys serve after the last good answer */
	unsigned keys_cooldown_s; /* at most one refresh for an unknown key in this time */
	/* entra: groups that do not fit in a token; all NULL: such a token is refused. graph_url is
	 * without the version (https://graph.microsoft.com), and in graph_token_url `{tenantid}`
	 * stands for the tenant */
	const char *graph_url, *graph_token_url;
	const char *graph_client_id;
	struct secret_ref graph_secret;
	/* introspection */
	const char *introspection_url, *introspection_client_id;
	struct secret_ref introspection_secret;
	unsigned introspection_cache_s; /* at most 60 */
	/* Browser login; NULL: none. local: `name` */
	const char *login_client_id;
	struct secret_ref login_secret; /* none: a public client */
	const char *login_scope;        /* space separated, with openid */
	/* local only */
	unsigned access_token_ttl_s;  /* at most 900 */
	unsigned refresh_token_ttl_s; /* absolute life of a family */
	unsigned refresh_idle_ttl_s;
	unsigned exchanged_token_ttl_s;     /* at most 900, and what its subject token has left */
	enum jws_alg_bit signing_algorithm; /* ES256, RS256 or EdDSA */
	unsigned key_rotation_s; /* a new signing key this often; the old one verifies while its
	                            tokens live */
};

#endif
