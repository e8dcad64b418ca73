/* moment.h - dates, times and timestamps as text (RFC 3339, ISO 8601), and ULIDs. */
#ifndef FORMAT_MOMENT_H
#define FORMAT_MOMENT_H

#include "base/buf.h"

/* "2026-11-22", "13:04:05[.ffffff]", "2026-11-22T13:04:05[.ffffff](Z|+01:00)". Calendar checked
 * (years 0001 to 9999, 29 February, hours, offsets); one to six digits of fraction; a leap second
 * is refused. */
bool moment_is_date(struct bytes text);
bool moment_is_time(struct bytes text);
/* The zone may be missing, which means UTC; a space may stand for the T, as SQL writes it. *ret is
 * microseconds since 1970-01-01T00:00:00Z. */
bool moment_parse_timestamp(struct bytes text, int64_t *ret_us);
/* "2026-11-22T13:04:05.123456Z". Clamped to the years 0001 to 9999. */
void moment_put_timestamp(struct buf *out, int64_t us);
/* "2026-11-22T13:04:05Z", of any number of seconds since 1970: clamped likewise. */
void moment_put_seconds(struct buf *out, int64_t s);
/* 26 characters of Crockford base32: 48 bits of milliseconds, 80 random bits. */
enum { ULID_LEN = 26 };
void ulid_put(struct buf *out, int64_t wall_us, const uint8_t random[10]);

#endif
