/* http_reply_head.h - the fields of an answer that we look at, line by line as libcurl hands them
 * on. Pure. */
#ifndef FETCH_HTTP_REPLY_HEAD_H
#define FETCH_HTTP_REPLY_HEAD_H

#include "base/buf.h"
#include "fetch/freshness.h"

enum { REPLY_HEAD_MAX = 65536, REPLY_FIELD_MAX = 1024 };

enum reply_field {
	REPLY_CONTENT_TYPE,
	REPLY_CACHE_CONTROL,
	REPLY_EXPIRES,
	REPLY_DATE,
	REPLY_AGE,
	REPLY_RETRY_AFTER,
	REPLY_FIELD_COUNT,
};

struct reply_head {
	struct buf fields[REPLY_FIELD_COUNT]; /* owned; one that stands twice is joined with a comma
	                                       * (RFC 9110 section 5.3) */
	size_t len;
};

void reply_head_done(struct reply_head *h);
/* One line with its line end. A status line begins anew: an interim answer's or a redirect's
 * fields are not the answer's. false: the head is too long. */
bool reply_head_line(struct reply_head *h, struct bytes line);
struct freshness reply_head_freshness(const struct reply_head *h);
/* application/json, application/jwk-set+json, application/anything+json. */
bool reply_head_is_json(const struct reply_head *h);

#endif
