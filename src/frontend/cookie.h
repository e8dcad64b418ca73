/* cookie.h - the two cookies we set (RFC 6265): small, random, meaning nothing by themselves.
 *
 * On a public_url of https their names begin with `__Host-`: a browser takes them over TLS only and
 * no other host can set them. On http (loopback only) that cannot be. */
#ifndef FRONTEND_COOKIE_H
#define FRONTEND_COOKIE_H

#include "frontend/request.h"

enum cookie {
	COOKIE_SESSION, /* a browser session: its secret */
	COOKIE_LOGIN,   /* which browser a login page was shown to, before anybody logged in */
	COOKIE_COUNT,
};

/* Empty when the request has none, and when it has two of that name: which of them would be
 * somebody else's to say. Borrowed. */
struct bytes cookie_find(const struct request *r, enum cookie c);
/* Adds Set-Cookie to the answer. life_s 0 takes the cookie away. */
void cookie_put(struct request *r, enum cookie c, struct bytes value, unsigned life_s);

/* All pairs of a Cookie field's value but ours; false: there are none. */
bool cookie_put_others(const struct request *r, struct bytes field, struct buf *out);
/* Does the value of a Set-Cookie field set one of ours? */
bool cookie_is_own(const struct request *r, struct bytes set);

/* The same for a field's value, for tests. */
struct bytes cookie_in(struct bytes field, struct bytes name);

#endif
