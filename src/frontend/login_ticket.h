/* login_ticket.h - what a login carries with it, in the hidden field of a page or as `state`
 * through a provider: what it is for, bound to the browser it began in and to ten minutes.
 *
 * Without it somebody could make a browser log in as somebody else (login CSRF), or with parameters
 * that nobody checked. Nothing is kept here between the page and its answer. */
#ifndef FRONTEND_LOGIN_TICKET_H
#define FRONTEND_LOGIN_TICKET_H

#include "base/arena.h"
#include "base/buf.h"

struct request;

enum { TICKET_LIFE_S = 600, BROWSER_LEN = 43 };

struct ticket_seal {
	struct bytes key;     /* the gate's cursor_key; what is used is derived from it */
	const char *purpose;  /* "authorize": a ticket for one thing is none for another */
	struct bytes browser; /* login_browser() */
};

/* Appends base64url(u64le end, HMAC-SHA-256, text). */
struct err ticket_put(const struct ticket_seal *s, struct bytes text, int64_t now_s,
                      struct buf *out);
/* ERR_PEER when it was not made by us, for this purpose and browser, or is too old. *ret in the
 * arena. */
struct err ticket_read(const struct ticket_seal *s, struct bytes ticket, int64_t now_s,
                       struct arena *arena, struct bytes *ret);

/* Appends a secret that we alone can make, and make again: base64url(HMAC-SHA-256), the same for
 * the same seal and salt. */
struct err ticket_secret(const struct ticket_seal *s, struct bytes salt, struct buf *out);

/* The random value of this browser's COOKIE_LOGIN. Where it has none, one is made and set. In the
 * arena. */
struct err login_browser(struct request *r, struct bytes *ret);
/* As it came; ERR_PEER where there is none: the browser keeps no cookies, or was not shown a page.
 */
struct err login_browser_known(const struct request *r, struct bytes *ret);
/* May this POST be a form of ours? Not when the browser says that another site sent it. ERR_PEER
 * with .code 403. */
struct err login_check_site(const struct request *r);

#endif
