/* http_response.h - the head of an HTTP/1.1 response (RFC 9112 sections 4 and 6), as a service
 * sends it, read as strictly as a request's: what two readers could take differently is refused, so
 * that no service can make us send what it did not mean. Nothing is allocated: all bytes borrow the
 * input.
 *
 * Refused: a version other than HTTP/1.0 and 1.1, a status that is not three digits (100 to 599),
 * bare CR, LF or NUL, folded lines, Content-Length twice, malformed or beside Transfer-Encoding,
 * any Transfer-Encoding but one `chunked` or in HTTP/1.0, a 1xx or 204 that announces a body, more
 * than HTTP_HEAD_MAX bytes or HTTP_FIELDS_MAX fields. Unlike in a request, a field name may hold
 * '_'. */
#ifndef HTTP_HTTP_RESPONSE_H
#define HTTP_HTTP_RESPONSE_H

#include "http/http_head.h"

enum http_framing {
	HTTP_BODY_NONE, /* 1xx, 204, 304, the answer to HEAD; a length of 0 */
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE,  /* until the connection ends */
	HTTP_BODY_TUNNEL, /* 101 */
};

struct http_response {
	unsigned status;
	uint8_t minor;
	bool keep_alive;
	enum http_framing framing;
	bool has_length;
	uint64_t content_length; /* also told for HEAD and 304, where no body follows */
	uint16_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX]; /* all of them, as sent */
};

/* As http_head_parse(). `method` is that of the request it answers. Errors: ERR_UPSTREAM, .code
 * 502. */
struct err http_response_parse(struct bytes in, size_t *scanned, enum http_method method,
                               struct http_response *ret, size_t *ret_len, enum step *step);

/* Is the field one of a connection rather than of the message (RFC 9110 section 7.6.1): Connection
 * and what it names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade, Trailer,
 * Proxy-Authenticate, Proxy-Authorization? `fields` are all those of the message. */
bool http_field_is_hop(struct bytes name, const struct http_field *fields, size_t count);

#endif
