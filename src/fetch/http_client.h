/* http_client.h - HTTP requests to identity providers: libcurl on the loop.
 *
 * What it holds to, whatever the provider does: https (http on loopback only), TLS 1.2 or newer
 * with a certificate that is trusted; addresses as url_guard.h allows, looked at where the socket
 * is made; one deadline for all of it, so that an answer in drips ends too; a body of 1 MiB at
 * most, and a head of 64 KiB; redirects of a GET to the same host, three at most. No cookies, no
 * .netrc, no proxy and no file of TLS keys (also not from the environment: whoever sets it could
 * read what we ask), no content encodings, no HTTP/2.
 *
 * How many requests run at a time is for those who start them: a bound by host would let what
 * strangers cause stand before the keys of the same provider. */
#ifndef FETCH_HTTP_CLIENT_H
#define FETCH_HTTP_CLIENT_H

#include "config/settings.h"
#include "fetch/freshness.h"
#include "io/loop.h"

enum { FETCH_BODY_MAX = 1 << 20, FETCH_REDIRECTS_MAX = 3 };

struct http_client;
struct http_exchange;

/* All borrowed, and copied. */
struct http_request {
	struct bytes url;
	struct bytes body; /* with a content type: POST, else GET */
	const char *content_type;
	struct bytes authorization; /* value of the field; empty: none */
	struct bytes fields; /* further "Name: value" lines, which may be secret; empty: none */
};

/* Borrowed for the call. */
struct http_response {
	unsigned status;
	bool is_json; /* its content type says so */
	struct bytes body;
	struct freshness freshness;
	struct bytes retry_after;
};

/* Called once, never from inside http_start(). `r` is NULL when there is no answer, which `e` then
 * explains: ERR_UPSTREAM, or ERR_PEER when it answered what it must not. */
typedef void http_done_fn(void *of, struct err e, const struct http_response *r);

/* One a process, before the sandbox closes. `outbound` is borrowed. */
struct err http_client_new(struct loop *loop, const struct outbound_settings *outbound,
                           struct http_client **ret);
/* Takes NULL. Nobody is called any more. */
void http_client_free(struct http_client *c);
/* A new configuration. Connections that are open stay. */
void http_client_set(struct http_client *c, const struct outbound_settings *outbound);
/* The file of certificates it trusts: of the configuration, or the system's. */
const char *http_client_ca_file(const struct outbound_settings *outbound);

/* ERR_PEER: a URL that may not be asked. */
struct err http_start(struct http_client *c, const struct http_request *r, http_done_fn *done,
                      void *of, struct http_exchange **ret);
/* Takes NULL. `done` is not called. */
void http_cancel(struct http_exchange *x);

#endif
