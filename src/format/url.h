/* url.h - one normaliser for paths, one decoder for queries and forms. RFC 3986, WHATWG forms. */
#ifndef FORMAT_URL_H
#define FORMAT_URL_H

#include "base/arena.h"
#include "base/buf.h"

enum { URL_SEGMENTS_MAX = 32, URL_PARAMETERS_MAX = 64 };

/* Splits an absolute path into decoded segments. Refused (ERR_PEER): no leading slash, `.` and
 * `..` segments in any spelling, empty segments (one trailing slash is dropped), `;`, `%` not
 * followed by two hex digits, encoded slash, backslash, percent, NUL or control, raw backslash,
 * bytes above 0x7e, decoded text that is not UTF-8, more than URL_SEGMENTS_MAX segments.
 * Segments are copied into `arena` only where decoding changed them. */
struct err url_path_split(struct bytes path, struct arena *arena,
                          struct bytes segments[URL_SEGMENTS_MAX], size_t *ret_count);

struct url_parameter {
	struct bytes name, value; /* decoded, UTF-8 */
};

/* Splits a query string or an application/x-www-form-urlencoded body. `+` is a space.
 * Refused: bad escapes, NUL, invalid UTF-8, too many parameters. Order and duplicates are kept:
 * what a duplicate means is the caller's to say. */
struct err url_form_split(struct bytes form, struct arena *arena,
                          struct url_parameter params[URL_PARAMETERS_MAX], size_t *ret_count);

/* Would some resolver take this host for an IPv4 address ("127.1", "0x7f000001", "017700000001")?
 * Its last label is digits, or 0x and what follows. Then only the four decimal numbers that all
 * read alike should be let through; a name may well end in a digit ("keycloak-0"). */
bool url_ends_in_number(struct bytes host);

/* Percent-encodes all but unreserved characters. */
void url_put_encoded(struct buf *out, struct bytes text);

#endif
