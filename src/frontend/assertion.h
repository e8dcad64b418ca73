/* assertion.h - what an application behind us learns of its caller: a signed assertion, and the
 * header fields that applications already read.
 *
 * The assertion is a JWT (ES256, a few minutes) that keeper signs: iss (our public_url), aud (the
 * service), sub, iat, nbf, exp, jti, roles (of the policy), idp (the issuer that proved who it is),
 * and where they are known name, email, scope, act, and the claims the backend asks for. Its keys
 * are in /.well-known/jwks.json. It is made once for a principal and service, and used again until
 * a third of its life is left. */
#ifndef FRONTEND_ASSERTION_H
#define FRONTEND_ASSERTION_H

#include "frontend/request.h"

struct assertions; /* those that were made; bounded; one per gate */

struct err assertions_new(struct assertions **ret);
void assertions_free(struct assertions *a); /* takes NULL */

/* Is this a field by which somebody could say who the caller is, where it comes from, or that the
 * request is another than the one that was decided? All forms of identity below, ours, and those of
 * other gates (X-Forwarded-*, Forwarded, X-Real-IP, X-Original-*, X-Auth-Request-*, X-Pomerium-*,
 * X-MS-*, Remote-User, X-Gatewarden-* ...), X-HTTP-Method-Override; `_`, or any other sign, for `-`
 * included. They are taken away from what callers send, always, and from what services answer where
 * they are ours. */
bool identity_field_is(struct bytes name);

enum { BACKEND_NONE = -1 };

/* Appends "Name: value" lines for r->who (nothing for NULL) in the forms (enum identity_form) asked
 * for. `backend` is the index of a service; BACKEND_NONE: the route has none, and the audience is
 * its path as it is written. Values are printable ASCII: whatever else a text holds, and `%`, is
 * percent-encoded; in a list so are the commas of its items. A text that is not known has no line.
 *
 * Where the assertion must be made first, STEP_MORE: the request is resumed, and this is called
 * again. ERR_UPSTREAM: keeper is away, or the assertion would be too long (then r->reason says
 * so). */
struct err identity_fields_put(struct request *r, int backend, unsigned forms, struct buf *lines,
                               enum step *step);

#endif
