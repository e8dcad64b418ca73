/* http_reply.h - response heads and chunks onto a buf. A field value that holds a control byte
 * other than a tab, or a name that is no token, is refused (response splitting): the buf is marked
 * overflowed. */
#ifndef HTTP_HTTP_REPLY_H
#define HTTP_HTTP_REPLY_H

#include "base/buf.h"

/* The phrase of RFC 9110, or "" for a status this gate never sends of its own accord. */
const char *http_reason(unsigned status);
/* Status line (100 to 999), Date (given as text by the caller: no clock here; left out when empty,
 * as an interim answer has none). Server is not sent. */
void http_reply_begin(struct buf *out, unsigned status, struct bytes date);
void http_reply_field(struct buf *out, const char *name, struct bytes value);
void http_reply_length(struct buf *out, uint64_t len);
void http_reply_chunked(struct buf *out);
void http_reply_close(struct buf *out);
void http_reply_end(struct buf *out);
/* Writes nothing for empty data, which would end the body. */
void http_reply_chunk(struct buf *out, struct bytes data);
/* `trailers`: field lines; may be empty. */
void http_reply_last_chunk(struct buf *out, struct bytes trailers);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes), whatever the locale; years 1 to 9999, else clamped.
 */
void http_date_put(struct buf *out, int64_t unix_s);

#endif
