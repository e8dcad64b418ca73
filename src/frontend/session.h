/* session.h - browser sessions: pages that people open know them by a cookie, after a login at any
 * issuer that has `login`.
 *
 *   GET /login            our own form, or 303 to the provider
 *   POST /login           the form of our own users
 *   GET /login/callback   back from the provider, with a code
 *   GET, POST /logout     asks, then ends the session here and at the provider
 *   GET /account          who you are
 *
 * The cookie holds a random secret and nothing else; keeper keeps what it means. It counts only
 * where no Authorization field stands; for methods that change something, only where the browser
 * says that a page of ours sent the request; and for no page that names another origin, as that of
 * a WebSocket does. Only people on their way to a page are
 * redirected to the login; everybody else gets the 401. */
#ifndef FRONTEND_SESSION_H
#define FRONTEND_SESSION_H

#include "frontend/request.h"

enum { SESSION_SECRET_MAX = 128 }; /* bytes of a cookie that can be one of ours */

/* Takes the place of a page's row for who has no session. Of a route that is a refusal, and
 * recorded as one: r->refusal says why. */
extern const struct endpoint session_to_login, session_route_to_login;

/* Sets r->who where the cookie names a session. STEP_MORE: keeper is asked. */
struct err session_find(struct request *r, enum step *step);
/* Why nobody was found, for the 401. A literal. */
const char *session_absence(const struct request *r);
/* A person on the way to a page, and sessions are configured. */
bool session_may_redirect(const struct request *r);
/* The Location of the login at `origin` ("": this one), from which people come back to this path.
 */
void session_put_login(struct request *r, const char *origin);
/* Does the browser say that a page of ours sent this? Sec-Fetch-Site, or else Origin. */
bool session_is_same_origin(const struct request *r);
/* May a login end here? "/path?query" of this service: no `//` or `\` in front that a browser takes
 * for another host, nothing but visible ASCII. */
bool session_is_return_path(struct bytes path);

/* Endpoints. */
void session_describe(struct request *r);
struct err session_login(struct request *r, enum step *step);
struct err session_login_form(struct request *r, enum step *step);
struct err session_callback(struct request *r, enum step *step);
struct err session_logout_page(struct request *r, enum step *step);
struct err session_logout(struct request *r, enum step *step);
struct err session_account(struct request *r, enum step *step);
/* Errors as a page. */
void session_put_error(struct request *r, struct buf *body);

#endif
