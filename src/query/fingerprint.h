/* fingerprint.h - which statement was it, without its text: keyed HMAC-SHA-256 of the normalised SQL.
 *
 * Normalised: comments and extra white space gone, keywords and unquoted names lower-cased,
 * every literal and parameter one `?`, lists of them one `(?)`. Fails closed: text that cannot be
 * tokenised is hashed as its raw bytes under another prefix. */
#ifndef QUERY_FINGERPRINT_H
#define QUERY_FINGERPRINT_H

#include "base/buf.h"
#include "query/sql.h"

enum { FINGERPRINT_LEN = 16 };

/* false when a quote or comment does not end. */
bool sql_normalise(struct bytes text, enum dialect dialect, struct buf *out);
void sql_fingerprint(struct bytes text, enum dialect dialect, struct bytes key, uint8_t ret[FINGERPRINT_LEN]);

#endif
