/* forward_auth.h - /auth: a proxy that stands before an application asks, for each request that it
 * holds, whether it may pass it on.
 *
 * 200: it may; identity fields for the application, as the route says. 401, 403: it may not; the
 * proxy hands that on. Asked and decided is the request that the proxy tells of, by the same code
 * as a request that comes to a route itself, with the caller's own token or cookie. Only a listed
 * proxy (listen.http.proxies) can ask, in exactly one of three forms:
 *
 *   X-Original-Method, and X-Original-URI (the host is that of Host) or X-Original-URL
 *                                          nginx, HAProxy, Apache
 *   X-Forwarded-Method, -Host, -Uri        Traefik, Caddy
 *   METHOD /auth/PATH?QUERY, Host          Envoy
 *
 * A proxy passes on what its callers send: two forms at once are one of the proxy and one of the
 * caller, and refused. */
#ifndef FRONTEND_FORWARD_AUTH_H
#define FRONTEND_FORWARD_AUTH_H

#include "frontend/request.h"

/* The request becomes the one that is asked about; but for its body, it has none. */
void forward_auth_describe(struct request *r);
struct err forward_auth_decide(struct request *r);
struct err forward_auth_execute(struct request *r, enum step *step);

#endif
