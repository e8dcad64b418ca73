/* assertion_claims.c - what an assertion says of a caller, but for what keeper says: by whom, and
 * how long it holds. See assertion.h. */
#include "base/macros.h"
#include "format/json.h"
#include "frontend/identity_form.h"

static void
put_roles(struct buf *out, const struct settings *settings, uint64_t roles)
{
	const char *before = "";

	buf_put_text(out, ",\"roles\":[");
	for (size_t i = 0; i < settings->role_count; i++) {
		if ((roles >> i & 1) == 0)
			continue;
		buf_put_text(out, before);
		json_put_string(out, bytes_text(settings->roles[i].name));
		before = ",";
	}
	buf_put_u8(out, ']');
}

/* OAuth's text, wherever the issuer writes it: `scope`, or `scp`, which may be a list. */
static void
put_scope(struct buf *out, const struct principal *who)
{
	const struct json *scope = principal_claim(who, "scope");
	struct bytes text;

	if (scope == NULL)
		scope = principal_claim(who, "scp");
	if (json_string(scope, &text)) {
		json_put_text_if_any(out, "scope", text);
		return;
	}
	if (scope == NULL || scope->type != JSON_ARRAY)
		return;
	CLEANUP(buf_done) struct buf words = { 0 };
	for (const struct json *i = json_first(scope); i != NULL; i = json_next(scope, i)) {
		if (!json_string(i, &text))
			continue;
		if (words.len != 0)
			buf_put_u8(&words, ' ');
		buf_put(&words, text);
	}
	json_put_text_if_any(out, "scope", buf_bytes(&words));
}

/* Those of every assertion, and keeper's. */
static bool
is_taken(const char *claim)
{
	static const char *const ours[] = { "iss", "aud",   "sub", "iat",  "nbf",   "exp",  "jti",
		                            "act", "roles", "idp", "name", "email", "scope" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(claim, ours[i]) == 0)
			return true;
	return false;
}

static void
put_asked_for(struct buf *out, const struct service_settings *service, const struct principal *who)
{
	for (size_t i = 0; i < service->claim_count; i++) {
		const struct json *claim = principal_claim(who, service->claims[i]);

		if (claim == NULL || is_taken(service->claims[i]))
			continue;
		buf_put_u8(out, ',');
		json_put_string(out, bytes_text(service->claims[i]));
		buf_put_u8(out, ':');
		json_put_value(out, claim);
	}
}

void
assertion_put_claims(const struct request *r, const struct service_settings *service,
                     struct buf *out)
{
	const struct settings *settings = r->gate->settings;
	const struct principal *who = r->who;
	struct bytes agent = principal_agent(who);

	buf_put_text(out, "{\"aud\":");
	json_put_string(out, bytes_text(service != NULL ? service->audience
	                                                : settings->routes[r->route].path));
	json_put_text(out, "sub", principal_subject(who));
	put_roles(out, settings, principal_roles(who));
	json_put_text(out, "idp", bytes_text(principal_issuer(who)));
	json_put_text_if_any(out, "name", caller_name(who));
	json_put_text_if_any(out, "email", caller_email(who));
	put_scope(out, who);
	if (agent.len != 0) {
		buf_put_text(out, ",\"act\":{\"sub\":");
		json_put_string(out, agent);
		buf_put_u8(out, '}');
	}
	if (service != NULL)
		put_asked_for(out, service, who);
	buf_put_u8(out, '}');
}
