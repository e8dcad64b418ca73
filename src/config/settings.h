/* settings.h - the configuration as typed values. Immutable after config_load(); all of it,
 * text included, lives in one arena that the loader of a generation owns. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "config/issuer_settings.h"
#include "config/route_settings.h"
#include "config/service_settings.h"

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "8080" (loopback). port 0 = off. */
struct address {
	const char *host;
	uint16_t port;
	struct place place;
};

enum backend_type { BACKEND_SQLITE, BACKEND_HTTP };

struct backend_settings {
	const char *name;
	struct place place;
	enum backend_type type;
	const char *path; /* sqlite: absolute */
	unsigned statement_timeout_ms;
	unsigned lock_timeout_ms;        /* how long a write waits for another writer */
	struct service_settings service; /* http */
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
	struct quota_settings quota; /* of each caller that has the role; of several roles the most
	                              * generous counts */
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
	unsigned stream_idle_ms; /* of a tunnel, or of a service's answer that streams */
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

enum access_log { ACCESS_LOG_OFF, ACCESS_LOG_OUTPUT, ACCESS_LOG_FILE };
/* What is told of requests besides the audit log. */
struct telemetry_settings {
	const char *traces_url, *metrics_url; /* OTLP over HTTP (JSON); NULL: not sent */
	const char *service_name;
	struct secret_ref headers; /* a file or variable of "Name: value" lines, sent along */
	unsigned interval_ms;
	unsigned sample_ppm; /* of requests without a sampled traceparent: parts in a million */
	bool has_server_timing;
	enum access_log access_log;
	const char *access_log_path; /* absolute */
};

struct settings {
	const char *file;      /* as given; for messages */
	const char *directory; /* absolute: what relative paths are relative to */
	struct {
		struct address http, admin;
		struct tls_settings http_tls, admin_tls;
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
	const struct route_settings
		*routes; /* in the order of the file: the first that fits counts */
	size_t route_count;
	struct audit_settings audit;
	const char *state_path; /* absolute directory */
	struct limit_settings limits;
	struct login_settings login;
	struct session_settings sessions;
	struct outbound_settings outbound;
	struct telemetry_settings telemetry;
	struct quota_settings caller_quota; /* `limits.caller`: of each caller, whatever it calls */
	bool sandbox_required; /* refuse to start where the kernel lacks a part of the sandbox */
};

#endif
