/* identity_form.h - what is told of a caller, in claims and in plain header fields: used by
 * assertion.c, which has them signed. */
#ifndef FRONTEND_IDENTITY_FORM_H
#define FRONTEND_IDENTITY_FORM_H

#include "frontend/request.h"

/* The caller's address, where the issuer says it; empty also where the issuer says that it has not
 * looked whether it is the caller's (`email_verified`): applications know people by it. */
struct bytes caller_email(const struct principal *who);
/* What people call the caller: principal_name(), else the claim `name`. */
struct bytes caller_name(const struct principal *who);

/* assertion_claims.c: appends DATA of ASK_ASSERTION (identity/ask.h): r->who, for this service, or,
 * where it is NULL, for whom the route names. */
void assertion_put_claims(const struct request *r, const struct service_settings *service,
                          struct buf *out);

/* Appends the lines of all forms asked for but those with an assertion. */
void identity_form_put(struct request *r, unsigned forms, struct buf *lines);
/* Appends "Name: value\r\n", or nothing for an empty text. */
void identity_line_put(struct buf *lines, const char *name, struct bytes text);

#endif
