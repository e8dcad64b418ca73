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

enum issuer_type { ISSUER_LOCAL, ISSUER_OIDC };
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

struct issuer_settings {
	const char *name;
	struct place place;
	enum issuer_type type;
	const char *issuer;          /* exact `iss` */
	const char *tenant;          /* oidc: exact `tid`, or NULL: not looked at */
	const char *const *audience; /* any one of these */
	size_t audience_count;
	unsigned algorithms;     /* enum jws_alg_bit */
	const char *roles_claim; /* dotted path or one URI name; default "roles" */
	unsigned leeway_s;       /* at most 60 */
	const char *jwks_file;   /* oidc: absolute path */
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

struct login_settings {
	unsigned hash_workers,
		hash_queue; /* concurrent argon2 computations and how many may wait */
};

struct settings {
	const char *file;      /* as given; for messages */
	const char *directory; /* absolute: what relative paths are relative to */
	struct {
		struct address http, admin;
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
	bool sandbox_required; /* refuse to start where the kernel lacks a part of the sandbox */
};

#endif
