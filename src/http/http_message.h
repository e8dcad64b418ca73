/* http_message.h - what the heads of requests and responses have in common (RFC 9112 sections 2 and
 * 6): where they end, their lines, and the fields that frame what follows. Used by http_head.c and
 * http_response.c only. Errors: ERR_PEER with .code 400. */
#ifndef HTTP_HTTP_MESSAGE_H
#define HTTP_HTTP_MESSAGE_H

#include "http/http_field.h"

/* *ret is the length up to and with the empty line, or 0 when it is not there yet. `scanned` as for
 * http_head_parse(). */
struct err http_find_end(struct bytes in, size_t *scanned, size_t *ret);
/* The line at the start of *rest, without its CRLF, which is known to be there. */
struct bytes http_take_line(struct bytes *rest);
/* No list, sign, or leading zero, which some readers take for octal (RFC 9112 section 6.3). */
struct err http_content_length(struct bytes value, uint64_t *ret);

/* What all the `Connection` fields said together. */
struct http_options {
	bool close, keep_alive, upgrade;
};
struct err http_options_add(struct http_options *o, struct bytes value);

#endif
