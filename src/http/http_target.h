/* http_target.h - the request target (RFC 9112 section 3.2) and the authority (RFC 3986
 * section 3.2). */
#ifndef HTTP_HTTP_TARGET_H
#define HTTP_HTTP_TARGET_H

#include "http/http_head.h"

/* host or host:port. The host is a name of letters, digits, '-', '.' and '_', an IPv4 address or an
 * IPv6 address in brackets; the port is 1 to 65535. User information and percent-encoding are
 * refused. */
bool http_authority_is(struct bytes authority);

/* Splits h->target into path and query. Origin form, absolute form, and `*` for OPTIONS.
 * *ret_authority is that of the absolute form, else untouched. Errors: ERR_PEER with .code 400 or
 * 414. */
struct err http_target_split(struct http_head *h, struct bytes *ret_authority);

#endif
