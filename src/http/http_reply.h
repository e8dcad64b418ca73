/* http_reply.h - response heads and chunks onto a buf. A field value that holds a control byte
 * is refused (response splitting): the buf is marked overflowed. */
#ifndef HTTP_HTTP_REPLY_H
#define HTTP_HTTP_REPLY_H

#include "base/buf.h"

const char *http_reason(unsigned status);
/* Status line, Date (given as text by the caller: no clock here), Server is not sent. */
void http_reply_begin(struct buf *out, unsigned status, struct bytes date);
void http_reply_field(struct buf *out, const char *name, struct bytes value);
void http_reply_length(struct buf *out, uint64_t len);
void http_reply_chunked(struct buf *out);
void http_reply_close(struct buf *out);
void http_reply_end(struct buf *out);
void http_reply_chunk(struct buf *out, struct bytes data);
void http_reply_last_chunk(struct buf *out);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes). */
void http_date_put(struct buf *out, int64_t unix_s);

#endif
