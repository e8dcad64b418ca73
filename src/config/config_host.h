/* config_host.h - hosts, ports and URLs as they stand in a configuration. Pure. Private to
 * src/config. */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/bytes.h"

enum { HOST_BYTES_MAX = 253 };

/* Splits HOST:PORT, [HOST]:PORT or, where no port is needed, HOST (then *port is 0); the brackets
 * go. Nothing is looked up. */
bool host_split(struct bytes text, bool need_port, char host[HOST_BYTES_MAX + 1], uint16_t *port);

enum url_bit {
	URL_QUERY = 1,  /* may have one */
	URL_TENANT = 2, /* {tenantid} may stand in its path */
	URL_ORIGIN = 4, /* scheme, host and port alone; then http is allowed for every host */
};
/* Why the text is no https URL (or http where the host is literally loopback) as `bits` allow;
 * NULL: it is one. A literal. Never with user info or a fragment. */
const char *url_fault(struct bytes text, unsigned bits);
/* Is the host of a URL that has no fault literally loopback? */
bool url_is_loopback(struct bytes url);

#endif
