/* http_field.h - one field line of a head or trailer (RFC 9112 section 5), read strictly; and the
 * classes of bytes that all parts of the engine share. */
#ifndef HTTP_HTTP_FIELD_H
#define HTTP_HTTP_FIELD_H

#include "base/bytes.h"

enum http_byte {
	HTTP_BYTE_TOKEN = 1, /* RFC 9110 section 5.6.2 */
	HTTP_BYTE_NAME =
		2, /* as token, but not '_': programs behind us fold '_' and '-' into one */
	HTTP_BYTE_VALUE = 4,  /* field value: visible, space, tab, 0x80 to 0xff */
	HTTP_BYTE_TARGET = 8, /* visible ASCII but '#' */
	HTTP_BYTE_HEX = 16,
	HTTP_BYTE_HOST = 32, /* letters, digits, '-', '.', '_' */
};

extern const uint8_t HTTP_BYTES[256];

static inline bool
http_byte_is(uint8_t c, enum http_byte class)
{
	return (HTTP_BYTES[c] & class) != 0;
}

/* Length of the leading run of that class. */
size_t http_run(struct bytes text, enum http_byte class);
/* All bytes are of HTTP_BYTE_VALUE. */
bool http_value_is_clean(struct bytes value);
/* Without leading and trailing spaces and tabs. */
struct bytes http_trim(struct bytes text);

struct http_field {
	struct bytes name, value; /* value without surrounding white space */
};

/* A line without its CRLF. Borrows it. Errors: ERR_PEER with .code 400. */
struct err http_field_parse(struct bytes line, struct http_field *ret);
/* As sent by a service: '_' may stand in the name. */
struct err http_field_parse_token(struct bytes line, struct http_field *ret);

#endif
