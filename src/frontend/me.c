/* me.c - /me: who the gateway thinks the caller is. */
#include "format/json.h"
#include "format/moment.h"
#include "frontend/endpoint.h"

struct err
me_execute(struct request *r, enum step *step)
{
	const struct settings *settings = r->gate->settings;
	struct buf *out = &r->reply.body;
	bool first = true;

	(void)step;
	r->reply.type = "application/json";
	buf_put_text(out, "{\"issuer\":");
	json_put_string(out, bytes_text(principal_issuer(r->who)));
	buf_put_text(out, ",\"subject\":");
	json_put_string(out, principal_subject(r->who));
	buf_put_text(out, ",\"roles\":[");
	for (size_t i = 0; i < settings->role_count; i++) {
		if ((principal_roles(r->who) >> i & 1) == 0)
			continue;
		if (!first)
			buf_put_u8(out, ',');
		first = false;
		json_put_string(out, bytes_text(settings->roles[i].name));
	}
	buf_put_text(out, "],\"expires\":\"");
	moment_put_timestamp(out, principal_expires(r->who) * 1000000);
	buf_put_text(out, "\"}\n");
	return OK;
}
