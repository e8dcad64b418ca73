/* freshness.h - how long a document of an identity provider is fresh, as its answer says (RFC
 * 9111), within bounds of our own. Pure: the time is passed in. */
#ifndef FETCH_FRESHNESS_H
#define FETCH_FRESHNESS_H

#include "base/bytes.h"

enum {
	FRESH_MIN_S = 600,      /* nobody makes us ask more often, */
	FRESH_MAX_S = 86400,    /* or believe a key for longer; */
	FRESH_DEFAULT_S = 3600, /* where nothing is said */
	RETRY_AFTER_MAX_S = 3600,
};

/* The fields of the answer, as they came; empty: absent. */
struct freshness {
	struct bytes cache_control, expires, date, age;
};
/* FRESH_MIN_S to FRESH_MAX_S. What cannot be read is as good as expired (section 5.3). */
unsigned freshness_seconds(const struct freshness *f, int64_t now_s);
/* Retry-After (RFC 9110 section 10.2.3): seconds or a date. 0: absent, malformed or past; at most
 * RETRY_AFTER_MAX_S. */
unsigned retry_after_seconds(struct bytes field, int64_t now_s);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); the two obsolete forms are refused. */
bool http_date_parse(struct bytes text, int64_t *ret_s);

#endif
