/* me.c - /me: who the gateway thinks the caller is, and by what it was shown. */
#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"
#include "frontend/endpoint.h"

static void
put_roles(struct buf *out, const struct settings *settings, uint64_t roles)
{
	bool is_first = true;

	buf_put_text(out, ",\"roles\":[");
	for (size_t i = 0; i < settings->role_count; i++) {
		if ((roles >> i & 1) == 0)
			continue;
		if (!is_first)
			buf_put_u8(out, ',');
		is_first = false;
		json_put_string(out, bytes_text(settings->roles[i].name));
	}
	buf_put_u8(out, ']');
}

/* What a thief of the token would need besides it: `cnf` (RFC 7800). It was proven, or the request
 * would not be here. */
static void
put_binding(struct buf *out, const struct principal *who)
{
	static const struct {
		struct bytes path;
		const char *name;
	} bindings[] = { { { (const uint8_t *)"cnf.jkt", 7 }, "dpop" },
		         { { (const uint8_t *)"cnf.x5t#S256", 12 }, "mtls" } };
	struct claim_source claims = principal_claims(who);
	struct value ignored;

	for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
		if (claims.values(claims.of, bindings[i].path, &ignored, 1) == 0)
			continue;
		json_put_text(out, "binding", bytes_text(bindings[i].name));
		return;
	}
}

struct err
me_execute(struct request *r, enum step *step)
{
	struct buf *out = &r->reply.body;
	struct bytes agent = principal_agent(r->who);

	(void)step;
	r->reply.type = "application/json";
	buf_put_text(out, "{\"issuer\":");
	json_put_string(out, bytes_text(principal_issuer(r->who)));
	json_put_text(out, "subject", principal_subject(r->who));
	if (agent.len != 0)
		json_put_text(out, "agent", agent);
	put_roles(out, r->gate->settings, principal_roles(r->who));
	json_put_text(out, "shown", r->is_session ? BYTES("session") : BYTES("token"));
	put_binding(out, r->who);
	buf_put_text(out, ",\"expires\":\"");
	moment_put_timestamp(out, principal_expires(r->who) * 1000000);
	buf_put_text(out, "\"}\n");
	return OK;
}
