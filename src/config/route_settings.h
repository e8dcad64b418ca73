/* route_settings.h - routes to HTTP services, and what may be spent: part of settings.h. */
#ifndef CONFIG_ROUTE_SETTINGS_H
#define CONFIG_ROUTE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/place.h"

/* What may be spent; 0 in each: no limit. */
struct quota_settings {
	struct place place;
	unsigned requests, per_s; /* `requests` in any `per_s` seconds, spread evenly */
	unsigned burst;           /* more that may come at once; default: `requests` */
	unsigned concurrent;
	uint64_t bytes_s; /* both bodies together, a second */
};

enum {
	ROUTES_MAX = 1024,
	ROUTE_METHOD_COUNT = 7,  /* of enum http_method, which is not seen from here */
	ROUTE_METHODS_ALL = 0x7f /* bit = enum http_method */
};
extern const char *const route_methods[ROUTE_METHOD_COUNT]; /* "GET", ... in that order */

/* What an application learns of the caller, and in which form. */
enum identity_form {
	IDENTITY_ASSERTION = 1 << 0,    /* X-Gatewarden-Assertion: a signed JWT */
	IDENTITY_POMERIUM = 1 << 1,     /* X-Pomerium-Jwt-Assertion: the same JWT */
	IDENTITY_AUTH_REQUEST = 1 << 2, /* X-Auth-Request-User, -Email, -Groups, as oauth2-proxy */
	IDENTITY_FORWARDED = 1 << 3,    /* X-Forwarded-User, -Email, -Groups */
	IDENTITY_CLIENT_PRINCIPAL = 1 << 4, /* X-MS-CLIENT-PRINCIPAL, -ID, -NAME, -IDP, as Azure App
	                                       Service */
};

struct route_rule {
	unsigned role;    /* index in roles */
	unsigned methods; /* bit = enum http_method; GET brings HEAD */
	struct place place;
};
struct route_settings {
	struct place place;
	const char *path;         /* as written: the name of the route in records and in `explain`.
	                           * Segments: literal, or a star for any one; a star at the end stands
	                           * for any number, also none */
	const char *const *hosts; /* lower case, without port; none: any */
	size_t host_count;
	int backend;     /* index in backends, of type http; -1: for forward-auth only */
	unsigned public; /* methods that need no token; one that is shown must be good */
	const struct route_rule *allow, *deny;
	size_t allow_count, deny_count;
	const char *strip;        /* leading segments that the service does not see: "/app"; NULL */
	unsigned identity;        /* or-ed enum identity_form */
	bool keeps_authorization; /* the caller's Authorization goes on to the service */
	bool is_observed;         /* decided and recorded, but not refused */
	bool is_page;             /* a navigation without a session goes to the login */
	struct quota_settings quota, caller_quota; /* of all its callers together; of each */
	unsigned response_timeout_ms;              /* 0: the backend's */
	uint64_t body_bytes;                       /* largest request body; 0: no limit */
};

#endif
