/* cookie.c - see cookie.h. */
#include "frontend/cookie.h"

static const char prefix[] = "__Host-";
static const char *const names[COOKIE_COUNT] = {
	[COOKIE_SESSION] = "gatewarden",
	[COOKIE_LOGIN] = "gatewarden-login",
};

static bool
is_secure(const struct request *r)
{
	return bytes_starts(bytes_text(r->gate->settings->public_url), BYTES("https:"));
}

static void
put_name(struct buf *out, const struct request *r, enum cookie c)
{
	if (is_secure(r))
		buf_put_text(out, prefix);
	buf_put_text(out, names[c]);
}

struct bytes
cookie_in(struct bytes field, struct bytes name)
{
	struct bytes found = { 0 };

	while (field.len > 0) {
		struct bytes pair = bytes_slice(field, 0, bytes_find(field, ';'));
		field = bytes_slice(field, pair.len + 1, field.len);
		pair = http_trim(pair);
		if (bytes_find(pair, '=') != name.len || !bytes_starts(pair, name))
			continue;
		if (found.at != NULL)
			return (struct bytes){ 0 };
		found = bytes_slice(pair, name.len + 1, pair.len);
	}
	return found;
}

struct bytes
cookie_find(const struct request *r, enum cookie c)
{
	uint8_t text[sizeof prefix + 32];
	struct buf name = { .at = text, .room = sizeof text, .limit = sizeof text };
	struct bytes field = { 0 };

	if (failed(http_field_single(&r->head, "cookie", &field)))
		return field;
	put_name(&name, r, c);
	return cookie_in(field, buf_bytes(&name));
}

void
cookie_put(struct request *r, enum cookie c, struct bytes value, unsigned life_s)
{
	struct buf *out = &r->reply.fields;

	buf_put_text(out, "Set-Cookie: ");
	put_name(out, r, c);
	buf_put_u8(out, '=');
	buf_put(out, value);
	/* Lax: a link from elsewhere finds its session, a form from elsewhere does not. */
	buf_printf(out, "; Path=/; Max-Age=%u; HttpOnly; SameSite=Lax%s\r\n", life_s,
	           is_secure(r) ? "; Secure" : "");
}

bool
cookie_is_own(const struct request *r, struct bytes set)
{
	/* Of a cookie without a name browsers send the value alone: "=gatewarden=x" comes back as
	 * "gatewarden=x" (RFC 6265bis section 5.7). */
	set = http_trim(set);
	if (bytes_starts(set, BYTES("=")))
		set = bytes_slice(set, 1, set.len);
	struct bytes name = http_trim(bytes_slice(set, 0, bytes_find(set, '=')));

	for (enum cookie c = 0; c < COOKIE_COUNT; c++) {
		uint8_t text[sizeof prefix + 32];
		struct buf own = { .at = text, .room = sizeof text, .limit = sizeof text };

		put_name(&own, r, c);
		if (bytes_equal(name, buf_bytes(&own)))
			return true;
	}
	return false;
}

bool
cookie_put_others(const struct request *r, struct bytes field, struct buf *out)
{
	bool has_any = false;

	while (field.len > 0) {
		struct bytes pair = bytes_slice(field, 0, bytes_find(field, ';'));

		field = bytes_slice(field, pair.len + 1, field.len);
		pair = http_trim(pair);
		if (pair.len == 0 || cookie_is_own(r, pair))
			continue;
		if (has_any)
			buf_put_text(out, "; ");
		buf_put(out, pair);
		has_any = true;
	}
	return has_any;
}
