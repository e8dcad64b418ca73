/* login_page.h - the form in which people give name and password, and the page that says why
 * something cannot go on. Both are whole answers of type PAGE_TYPE; page_put_fields() makes the
 * field lines that go with them.
 *
 * The form is posted as `username` and `password`, or with `cancel` instead of logging in. */
#ifndef FRONTEND_LOGIN_PAGE_H
#define FRONTEND_LOGIN_PAGE_H

#include "frontend/page.h"

/* All borrowed; all text is escaped here. */
struct login_page {
	const char *action;    /* path the form is posted to */
	const char *hidden;    /* name of the hidden field, */
	struct bytes value;    /* and its value */
	struct bytes client;   /* name of who asks for the login; empty: this service */
	struct bytes host;     /* where the browser goes back to; empty: it stays here */
	const char *problem;   /* why the page is shown again, as an error says it: "wrong name";
	                        * NULL:   it is not */
	struct bytes username; /* as it was given before; may be empty */
	bool can_cancel;
};
void login_page_put(struct buf *out, const struct login_page *p);

/* `why` as an error says it. */
void login_page_put_refusal(struct buf *out, const char *why);

#endif
