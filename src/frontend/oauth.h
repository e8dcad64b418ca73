/* oauth.h - our own authorization server as HTTP sees it: what its files share. What it decides,
 * keeper decides (identity/ask.h).
 *
 *   oauth.c                /token, /revoke, /introspect: a form, a question, an answer
 *   oauth_form.c           that form
 *   oauth_authorize.c      /authorize and the login page
 *   oauth_authorization.c  its parameters, and the answer as a redirect
 *   oauth_metadata.c       what clients discover
 *   oauth_userinfo.c       /userinfo */
#ifndef FRONTEND_OAUTH_H
#define FRONTEND_OAUTH_H

#include "frontend/request.h"

/* The issuer of type local; NULL: this service issues no tokens. */
const struct issuer_settings *oauth_issuer(const struct request *r);
/* Names it in the record. ERR_NOT_FOUND. */
struct err oauth_begin(struct request *r);
/* ERR_PEER with .code 415 when the body is no form. */
struct err oauth_check_media_type(const struct request *r);
/* What keeper answered, where it did not grant: the error for the caller, and what the record is to
 * hold. `refusal` is what invalid_grant means here. */
struct err oauth_take_answer(struct request *r, const struct answer *a, const char *refusal);

#endif
