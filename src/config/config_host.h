/* config_host.h - hosts, ports and URLs as they stand in a configuration. Pure. Private to
 * src/config. */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/bytes.h"

enum { HOST_BYTES_MAX = 253 };

/* Splits HOST:PORT, [HOST]:PORT or, where no port is needed, HOST (then *port is 0); the brackets
 * go. Nothing is looked up. */
bool host_split(struct bytes text, bool need_port, char host[HOST_BYTES_MAX + 1], uint16_t *port);
/* Why the text is no https URL (or http on loopback), or, for an `origin`, no
 * http(s)://host[:port]; NULL: it is one. A literal. */
const char *url_fault(struct bytes text, bool origin);

#endif
