/* base64.h - base64url without padding (RFC 4648 section 5), canonical only; and plain base64. */
#ifndef FORMAT_BASE64_H
#define FORMAT_BASE64_H

#include "base/buf.h"

/* Decodes into out->at, which must have room for len * 3 / 4 bytes.
 * Refuses padding, white space, and last characters whose unused bits are not zero, so each
 * value has exactly one spelling. */
struct err base64url_decode(struct bytes text, uint8_t *out, size_t room, size_t *ret_len);
void base64url_put(struct buf *out, struct bytes from);
/* Standard alphabet. `padded` says whether `=` is required, else forbidden (PHC strings). */
struct err base64_decode(struct bytes text, bool padded, uint8_t *out, size_t room,
                         size_t *ret_len);
void base64_put(struct buf *out, struct bytes from, bool padded);

#endif
