/* identity_form.c - see identity_form.h: oauth2-proxy's fields under both their names, and those of
 * Azure App Service.
 *
 * Texts come from tokens, and so from whoever may choose a name somewhere: what is not printable
 * ASCII is percent-encoded, and `%` with it, so no text can end a line or pass for another
 * (CWE-113). */
#include "frontend/identity_form.h"

#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"

struct bytes
caller_email(const struct principal *who)
{
	const struct json *verified = principal_claim(who, "email_verified");
	struct bytes email = { 0 }, text;
	bool is_verified = verified == NULL;

	/* Cognito writes it as a text. */
	if (verified != NULL && !json_bool(verified, &is_verified))
		is_verified = json_string(verified, &text) && bytes_is(text, "true");
	if (is_verified)
		(void)json_string(principal_claim(who, "email"), &email); /* left empty */
	return bytes_has_control(email) ? (struct bytes){ 0 } : email;
}

struct bytes
caller_name(const struct principal *who)
{
	struct bytes name = principal_name(who);

	if (name.len == 0)
		(void)json_string(principal_claim(who, "name"), &name); /* left empty */
	return bytes_has_control(name) ? (struct bytes){ 0 } : name;
}

/* Lines */

/* A reader drops the spaces at both ends, and parts a list at its commas. */
static bool
is_plain(struct bytes text, size_t i, bool is_item)
{
	uint8_t c = text.at[i];

	if (c == ' ')
		return i > 0 && i + 1 < text.len;
	return c > ' ' && c < 0x7f && c != '%' && !(is_item && c == ',');
}

static void
put_clean(struct buf *out, struct bytes text, bool is_item)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0, from = 0; i < text.len; from = i) {
		while (i < text.len && is_plain(text, i, is_item))
			i++;
		buf_put(out, bytes_slice(text, from, i));
		if (i == text.len)
			return;
		buf_put_u8(out, '%');
		buf_put_u8(out, (uint8_t)hex[text.at[i] >> 4]);
		buf_put_u8(out, (uint8_t)hex[text.at[i] & 15]);
		i++;
	}
}

void
identity_line_put(struct buf *lines, const char *name, struct bytes text)
{
	if (text.len == 0)
		return;
	buf_put_text(lines, name);
	buf_put(lines, BYTES(": "));
	put_clean(lines, text, false);
	buf_put(lines, BYTES("\r\n"));
}

static void
put_roles(struct buf *lines, const char *name, const struct settings *settings, uint64_t roles)
{
	const char *before = ": ";

	if (roles == 0)
		return;
	buf_put_text(lines, name);
	for (size_t i = 0; i < settings->role_count; i++) {
		if ((roles >> i & 1) == 0)
			continue;
		buf_put_text(lines, before);
		put_clean(lines, bytes_text(settings->roles[i].name), true);
		before = ",";
	}
	buf_put(lines, BYTES("\r\n"));
}

/* oauth2-proxy */

struct names {
	const char *user, *email, *groups, *preferred;
};

static void
put_named(const struct request *r, const struct names *names, struct buf *lines)
{
	identity_line_put(lines, names->user, principal_subject(r->who));
	identity_line_put(lines, names->email, caller_email(r->who));
	put_roles(lines, names->groups, r->gate->settings, principal_roles(r->who));
	identity_line_put(lines, names->preferred, caller_name(r->who));
}

/* Azure App Service */

/* What App Service calls the provider, where applications ask for it by that name. */
static struct bytes
provider(const struct request *r)
{
	const char *name = principal_issuer(r->who);

	for (size_t i = 0; i < r->gate->settings->issuer_count; i++) {
		const struct issuer_settings *issuer = &r->gate->settings->issuers[i];

		if (issuer->type == ISSUER_ENTRA && strcmp(issuer->name, name) == 0)
			return BYTES("aad");
	}
	return bytes_text(name);
}

#define CLAIMS "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
#define ROLE "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

static void
put_claim(struct buf *out, const char *type, struct bytes value)
{
	if (value.len == 0)
		return;
	if (out->at[out->len - 1] != '[')
		buf_put_u8(out, ',');
	buf_put_text(out, "{\"typ\":");
	json_put_string(out, bytes_text(type));
	buf_put_text(out, ",\"val\":");
	json_put_string(out, value);
	buf_put_u8(out, '}');
}

static void
put_principal(const struct request *r, struct buf *out)
{
	const struct settings *settings = r->gate->settings;

	buf_put_text(out, "{\"auth_typ\":");
	json_put_string(out, provider(r));
	buf_put_text(out, ",\"claims\":[");
	put_claim(out, CLAIMS "nameidentifier", principal_subject(r->who));
	put_claim(out, CLAIMS "name", caller_name(r->who));
	put_claim(out, CLAIMS "emailaddress", caller_email(r->who));
	for (size_t i = 0; i < settings->role_count; i++)
		if ((principal_roles(r->who) >> i & 1) != 0)
			put_claim(out, ROLE, bytes_text(settings->roles[i].name));
	buf_put_text(out, "],\"name_typ\":\"" CLAIMS "name\",\"role_typ\":\"" ROLE "\"}");
}

static void
put_client_principal(const struct request *r, struct buf *lines)
{
	CLEANUP(buf_done) struct buf json = { 0 };
	struct bytes name = caller_name(r->who);

	put_principal(r, &json);
	buf_put_text(lines, "X-MS-CLIENT-PRINCIPAL: ");
	base64_put(lines, buf_bytes(&json), true);
	buf_put(lines, BYTES("\r\n"));
	identity_line_put(lines, "X-MS-CLIENT-PRINCIPAL-ID", principal_subject(r->who));
	identity_line_put(lines, "X-MS-CLIENT-PRINCIPAL-NAME",
	                  name.len != 0 ? name : principal_subject(r->who));
	identity_line_put(lines, "X-MS-CLIENT-PRINCIPAL-IDP", provider(r));
	if (json.overflow)
		lines->overflow = true;
}

void
identity_form_put(struct request *r, unsigned forms, struct buf *lines)
{
	static const struct names auth_request = { "X-Auth-Request-User", "X-Auth-Request-Email",
		                                   "X-Auth-Request-Groups",
		                                   "X-Auth-Request-Preferred-Username" };
	static const struct names forwarded = { "X-Forwarded-User", "X-Forwarded-Email",
		                                "X-Forwarded-Groups",
		                                "X-Forwarded-Preferred-Username" };

	if ((forms & IDENTITY_AUTH_REQUEST) != 0)
		put_named(r, &auth_request, lines);
	if ((forms & IDENTITY_FORWARDED) != 0)
		put_named(r, &forwarded, lines);
	if ((forms & IDENTITY_CLIENT_PRINCIPAL) != 0)
		put_client_principal(r, lines);
}
