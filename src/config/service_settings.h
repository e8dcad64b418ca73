/* service_settings.h - TLS, and HTTP services behind us: part of settings.h. */
#ifndef CONFIG_SERVICE_SETTINGS_H
#define CONFIG_SERVICE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/place.h"

/* The paths of a certificate (PEM, the chain behind it) and of its key; absolute. */
struct certificate_settings {
	const char *certificate, *key;
	struct place place;
};

/* TLS of a listener. */
struct tls_settings {
	bool is_on;
	struct place place;
	struct certificate_settings own; /* the first; clients that ask for no name get it */
	const struct certificate_settings *more; /* chosen by the names in them (SNI) */
	size_t more_count;
	const char *client_ca; /* absolute; who signs certificates of callers; NULL: none are asked
	                        * for */
	bool requires_certificate; /* a caller without one is refused by TLS */
	bool is_tls13_only;
};

/* Where a service listens. */
struct origin_settings {
	bool is_tls;
	const char *host; /* a name or an IP address, without brackets */
	uint16_t port;
	struct place place;
};
enum service_protocol {
	SERVICE_HTTP1,
	SERVICE_HTTP2, /* with TLS by ALPN, else by prior knowledge (RFC 9113 section 3.3) */
	SERVICE_AUTO,  /* with TLS what ALPN says, else HTTP/1.1 */
};
enum service_host {
	SERVICE_HOST_KEEP, /* the service reads the Host that the caller sent */
	SERVICE_HOST_OWN,  /* its own: of the URL */
};
/* type http */
struct service_settings {
	const struct origin_settings *origins; /* `url`: one or several, of the same service */
	size_t origin_count;
	const char *audience; /* `aud` of the assertion; default: the backend's name */
	enum service_protocol protocol;
	enum service_host host;
	unsigned connections; /* to one origin, per worker */
	unsigned connect_timeout_ms, response_timeout_ms, idle_timeout_ms;
	unsigned queue;   /* requests that may wait for a connection, per worker */
	unsigned retries; /* of an idempotent request that no service began */
	struct {
		const char *path; /* NULL: no probes; only what requests meet counts */
		unsigned interval_ms, timeout_ms, status;
		unsigned rise, fall; /* answers in a row until it counts as up, as down */
	} health;
	struct {
		unsigned failures; /* in a row, of an origin; 0: no breaker */
		unsigned open_ms;  /* then one request tries again */
	} breaker;
	const char *ca_file;                     /* absolute; NULL: the system's authorities */
	const char *server_name;                 /* in its certificate; NULL: the host of its URL */
	struct certificate_settings certificate; /* what we show it; .certificate NULL: nothing */
	unsigned assertion_s;                    /* life of an assertion */
	const char *const *claims; /* of the caller, to be told in the assertion besides the usual
	                            * ones */
	size_t claim_count;
};

#endif
