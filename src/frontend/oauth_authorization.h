/* oauth_authorization.h - an authorization request: its parameters, what is wrong with them, and
 * the answer as a redirect. RFC 6749 section 4.1, 7636, 8707, 9207; OpenID Connect Core
 * section 3.1.2. Pure.
 *
 * Only the code flow, with PKCE and S256, answered in the query. Nothing may be sent to a
 * redirect_uri before keeper has said that it is this client's. */
#ifndef FRONTEND_OAUTH_AUTHORIZATION_H
#define FRONTEND_OAUTH_AUTHORIZATION_H

#include "base/arena.h"
#include "base/buf.h"

enum authorization_parameter {
	AUTHORIZATION_CLIENT_ID,
	AUTHORIZATION_REDIRECT_URI,
	AUTHORIZATION_STATE,
	AUTHORIZATION_SCOPE,
	AUTHORIZATION_RESOURCE,
	AUTHORIZATION_NONCE,
	AUTHORIZATION_CHALLENGE,
	AUTHORIZATION_LOGIN_HINT,
	AUTHORIZATION_KEPT, /* those above are carried to the login; the rest is looked at once */
	AUTHORIZATION_CHALLENGE_METHOD = AUTHORIZATION_KEPT,
	AUTHORIZATION_RESPONSE_TYPE,
	AUTHORIZATION_RESPONSE_MODE,
	AUTHORIZATION_PROMPT,
	AUTHORIZATION_REQUEST,
	AUTHORIZATION_REQUEST_URI,
	AUTHORIZATION_COUNT,
};

/* All borrowed. */
struct authorization {
	struct bytes values[AUTHORIZATION_COUNT]; /* empty: left out */
	const char *fault;                        /* of the whole: a literal, or NULL */
};

/* From a query or a form. ERR_PEER where nobody can be told but the person at the browser: without
 * a client and one redirect_uri that could be its. Other faults are kept for
 * authorization_check(). */
struct err authorization_read(struct bytes form, struct arena *arena, struct authorization *ret);

struct authorization_fault {
	const char *error; /* as the client is told: "invalid_request", ... */
	const char *why;
};
/* The first thing that is wrong; false: nothing is. */
bool authorization_check(const struct authorization *a, struct authorization_fault *ret);

/* What is kept, as the text of a ticket, and back. ERR_PEER. */
void authorization_put(struct buf *out, const struct authorization *a);
struct err authorization_take(struct bytes text, struct authorization *ret);

/* The redirect_uri with its answer in the query: `name` is "code" or "error"; then `description`
 * unless empty, `state` unless there was none, and `iss`. */
void authorization_put_answer(struct buf *out, const struct authorization *a, const char *name,
                              struct bytes value, struct bytes description, struct bytes issuer);
/* "shop.example:8443", for people; empty for a URI of a program on the device. */
struct bytes authorization_host(const struct authorization *a);

#endif
