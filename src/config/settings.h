/* settings.h - the configuration as typed values. Immutable after config_load(); all of it,
 * text included, lives in one arena that the loader of a generation owns. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/arena.h"
#include "base/bytes.h"

/* Where a value stood, for errors found later (unknown column, unknown role). */
struct place {
	unsigned line, column; /* from 1 */
};

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "8080" (loopback). port 0 = off. */
struct address {
	const char *host;
	uint16_t port;
	struct place place;
};

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
	enum jws_alg_bit signing_algorithm; /* ES256, RS256 or EdDSA */
	unsigned key_rotation_s; /* a new signing key this often; the old one verifies while its
	                            tokens live */
};

enum backend_type { BACKEND_SQLITE };
struct backend_settings {
	const char *name;
	struct place place;
	enum backend_type type;
	const char *path; /* sqlite: absolute */
	unsigned statement_timeout_ms;
	unsigned lock_timeout_ms; /* how long a write waits for another writer */
};

struct grant_source {    /* "local:reader": claim value `reader` of issuer `local` */
	unsigned issuer; /* index in issuers */
	const char *value;
};
enum { ROLES_MAX = 64 };
struct role_settings {
	const char *name;
	struct place place;
	const struct grant_source *granted_by;
	size_t granted_by_count;
};

enum action {
	ACTION_READ,
	ACTION_CREATE,
	ACTION_UPDATE,
	ACTION_DELETE,
	ACTION_EXECUTE,
	ACTION_COUNT
};
/* What one role may (or may not) do on one resource. */
struct rule_settings {
	unsigned role; /* index in roles */
	enum action action;
	struct place place; /* of the action, for `explain` */
	bool has_include;
	const char *const *include; /* column names; without: all */
	size_t include_count;
	const char *const *exclude;
	size_t exclude_count;
	const char *where;        /* row condition, or NULL */
	struct place where_place; /* of the text, to report an error inside it */
};
struct resource_settings {
	const char *name;
	struct place place;
	unsigned backend;  /* index in backends */
	const char *table; /* table or view in the backend */
	struct place table_place;
	unsigned page_size, page_max; /* default and largest $first */
	const struct rule_settings *allow;
	size_t allow_count;
	const struct rule_settings *deny; /* role + action only, or with include: these columns */
	size_t deny_count;
};

enum audit_durability {
	AUDIT_WRITE, /* handed to the kernel before the answer; synced at least once a second */
	AUDIT_FSYNC, /* on the disk before the answer (group commit) */
};
struct audit_settings {
	const char *path; /* absolute directory */
	enum audit_durability durability;
	uint64_t segment_bytes;
	unsigned checkpoint_records;
	unsigned checkpoint_ms;
};

struct limit_settings {
	unsigned connections; /* per worker */
	unsigned connections_per_address;
	unsigned head_timeout_ms, idle_timeout_ms, write_timeout_ms;
	unsigned body_rate_min; /* bytes a second, after a grace of 5 s */
	uint64_t body_bytes;
	uint64_t response_bytes;
	unsigned drain_timeout_ms;
};

/* Browser sessions: there are some when an issuer has `login`. */
struct session_settings {
	unsigned ttl_s; /* then the issuer is asked again */
	int issuer;     /* index of the one that pages send people to; -1: no sessions */
};

/* What fetcher may reach. */
struct outbound_settings {
	const char *ca_file;              /* absolute; NULL: the system's */
	const char *const *private_hosts; /* names that may resolve to private addresses */
	size_t private_host_count;
	unsigned timeout_ms;
};

struct login_settings {
	unsigned hash_workers,
		hash_queue; /* concurrent argon2 computations and how many may wait */
};

struct settings {
	const char *file;      /* as given; for messages */
	const char *directory; /* absolute: what relative paths are relative to */
	struct {
		struct address http, admin;
		const char *const *proxies; /* addresses of proxies whose header is believed */
		size_t proxy_count;
		const char *certificate_field; /* lower case; in it such a proxy tells the caller's
		                                * certificate (RFC 9440, or a PEM, URL-encoded);
		                                * NULL: none */
	} listen;
	const char *public_url; /* how callers reach us, e.g. http://127.0.0.1:8080: the local
	                           `iss`, nextLink */
	unsigned workers;       /* already resolved: at least 1 */
	const struct issuer_settings *issuers;
	size_t issuer_count;
	const struct backend_settings *backends;
	size_t backend_count;
	const struct role_settings *roles;
	size_t role_count;
	const struct resource_settings *resources;
	size_t resource_count;
	struct audit_settings audit;
	const char *state_path; /* absolute directory */
	struct limit_settings limits;
	struct login_settings login;
	struct session_settings sessions;
	struct outbound_settings outbound;
	bool sandbox_required; /* refuse to start where the kernel lacks a part of the sandbox */
};

#endif
