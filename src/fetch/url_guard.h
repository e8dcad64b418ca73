/* url_guard.h - which URLs may be fetched, and which addresses may be connected to for them.
 * Discovery documents name further URLs: without this, who writes one chooses what we ask inside
 * our own network (RFC 9728 section 7.7).
 *
 * A URL: https, or http where the host is literally loopback (127.0.0.0/8, [::1], localhost). No
 * user, no fragment, no `@` at all, only printable ASCII, and no number that some parsers take for
 * an address.
 *
 * An address: of a literally loopback host loopback ones only. Of any other host not one that is
 * loopback, private, shared, link-local, multicast, reserved or of documentation, in any form IPv6
 * has for it; but for hosts that the operator lists every unicast one. Pure. */
#ifndef FETCH_URL_GUARD_H
#define FETCH_URL_GUARD_H

#include <sys/socket.h>

#include "config/settings.h"

enum { GUARD_HOST_MAX = 255, GUARD_URL_MAX = 2047 };

struct guarded_url {
	char host[GUARD_HOST_MAX + 1]; /* as written: IPv6 in brackets */
	uint16_t port;
	bool is_https;
	bool is_loopback;    /* literally */
	bool is_address;     /* nothing to resolve */
	bool may_be_private; /* listed by the operator */
};

/* ERR_PEER with the reason. */
struct err url_guard_parse(struct bytes url, const struct outbound_settings *outbound,
                           struct guarded_url *ret);
bool url_guard_allows(const struct guarded_url *url, const struct sockaddr *address);
/* May the second be asked because the first says so (a redirect): the same host and port, and
 * never less than TLS after TLS? From 80 to 443 with the change to https. */
bool url_guard_follows(const struct guarded_url *from, const struct guarded_url *to);

#endif
