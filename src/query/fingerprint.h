/* fingerprint.h - which statement was it, without its text: keyed HMAC-SHA-256 of the normalised
 * SQL.
 *
 * Normalised: comments and extra white space gone, keywords and unquoted names lower-cased, quoted
 * names in double quotes, every literal (with its sign) and parameter one `?`, lists of them one
 * `(?)`, the rows of VALUES that are such lists one row, semicolons at the end gone. true, false
 * and null are words, not literals. Fails closed: text that cannot be tokenised is hashed as its
 * raw bytes under another prefix.
 *
 * It tells statements apart for an audit; it decides nothing: no parser of ours reads SQL exactly
 * as the database does. */
#ifndef QUERY_FINGERPRINT_H
#define QUERY_FINGERPRINT_H

#include "base/buf.h"
#include "query/sql.h"

enum { FINGERPRINT_LEN = 16 };

/* Appends to `out` (check it for overflow). false when a quote or comment does not end and for
 * control bytes; what was appended so far is then of no use. */
bool sql_normalise(struct bytes text, enum dialect dialect, struct buf *out);
/* Zeros when memory is out. */
void sql_fingerprint(struct bytes text, enum dialect dialect, struct bytes key,
                     uint8_t ret[FINGERPRINT_LEN]);

#endif
