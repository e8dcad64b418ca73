/* oauth_userinfo.c - /userinfo (OpenID Connect Core section 5.3): who a token of our own issuer is
 * for. */
#include "format/json.h"
#include "frontend/endpoint.h"
#include "frontend/oauth.h"

struct err
oauth_userinfo(struct request *r, enum step *step)
{
	const struct issuer_settings *local = oauth_issuer(r);
	struct buf *out = &r->reply.body;

	(void)step;
	if (local == NULL || !bytes_is(bytes_text(local->name), principal_issuer(r->who))) {
		r->reply.challenge_error = "invalid_token";
		return fail(ERR_IDENTITY, "the token is of another issuer");
	}
	r->reply.type = "application/json";
	buf_put_text(out, "{\"sub\":");
	json_put_string(out, principal_subject(r->who));
	if (principal_name(r->who).len != 0) {
		buf_put_text(out, ",\"preferred_username\":");
		json_put_string(out, principal_name(r->who));
	}
	buf_put_text(out, "}\n");
	return OK;
}
