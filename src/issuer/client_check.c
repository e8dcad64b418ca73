/* client_check.c - see client_check.h. */
#include "issuer/client_check.h"

#include "issuer/opaque.h"
#include "issuer/store.h"
#include "issuer/words.h"
#include "jose/jwk.h"

enum { CLIENT_NAME_MAX = 128, CLIENT_JWKS_MAX = 65536 };

bool
client_id_is_audience(const struct settings *settings, struct bytes id)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		for (size_t n = 0; n < settings->issuers[i].audience_count; n++)
			if (bytes_is(id, settings->issuers[i].audience[n]))
				return true;
	return false;
}

static bool
is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] > 0x7e)
			return false;
	return true;
}

static struct err
id_check(const struct settings *settings, struct bytes id)
{
	if (id.len == 0 || id.len > CLIENT_ID_MAX || !is_printable(id))
		return fail(ERR_INVALID,
		            "a client id is 1 to 256 characters of printable ASCII without space");
	if (bytes_is(id, "gatewarden"))
		return fail(ERR_INVALID, "gatewarden is the name of callers that name no client");
	if (client_id_is_audience(settings, id))
		return fail(ERR_INVALID, "the client id is the audience of an issuer: its ID "
		                         "tokens would pass for access tokens");
	return OK;
}

static bool
is_loopback(struct bytes after_scheme)
{
	static const struct {
		struct bytes host;
	} hosts[] = { { BYTES("127.0.0.1") }, { BYTES("[::1]") }, { BYTES("localhost") } };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct bytes host = hosts[i].host;

		if (bytes_starts(after_scheme, host) &&
		    (after_scheme.len == host.len || after_scheme.at[host.len] == ':' ||
		     after_scheme.at[host.len] == '/'))
			return true;
	}
	return false;
}

/* A name or an address, written out, and perhaps a port: what stands here is named in the login
 * page's policy too. */
static bool
has_host(struct bytes after_scheme)
{
	static const char others[] = ".-_:[]";
	size_t len = 0;

	for (; len < after_scheme.len; len++) {
		uint8_t c = after_scheme.at[len], lower = c | 0x20;

		if (c == '/' || c == '?')
			break;
		if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') &&
		    memchr(others, c, sizeof others - 1) == NULL)
			return false;
	}
	return len != 0;
}

/* RFC 8252 section 7: https; http on the loopback; a scheme of the application's own, which has a
 * dot as the domain it is named after. No fragment (RFC 6749 section 3.1.2). */
static bool
is_redirect_uri(struct bytes uri)
{
	size_t colon = bytes_find(uri, ':');
	struct bytes scheme = bytes_slice(uri, 0, colon);
	struct bytes rest = bytes_slice(uri, colon + 1, uri.len);

	if (uri.len > REDIRECT_URI_MAX || !is_printable(uri) || bytes_find(uri, '#') != uri.len ||
	    colon == 0 || rest.len == 0)
		return false;

	bool is_http = bytes_is(scheme, "http");
	if (!is_http && !bytes_is(scheme, "https"))
		return bytes_find(scheme, '.') != scheme.len;

	struct bytes after = bytes_slice(rest, 2, rest.len);
	return bytes_starts(rest, BYTES("//")) && has_host(after) &&
	       (!is_http || is_loopback(after));
}

static struct err
redirect_check(const struct client *c)
{
	struct bytes left = c->redirect_uris, uri;

	if (words_count(left) > REDIRECT_URIS_MAX)
		return fail(ERR_INVALID, "a client has at most 16 redirect URIs");
	while (words_next(&left, &uri))
		if (!is_redirect_uri(uri))
			return fail(ERR_INVALID,
			            "a redirect URI is https://HOST/…, http:// to a loopback "
			            "address, or of a scheme with a dot; without fragment, and "
			            "written out: it is compared as a whole");
	if ((c->grants & CLIENT_CODE) != 0 && words_count(c->redirect_uris) == 0)
		return fail(ERR_INVALID, "the grant `code` needs a redirect URI");
	return OK;
}

static struct err
jwks_check(struct bytes text)
{
	CLEANUP(buf_done) struct buf refused = { 0 };
	struct jwks *keys;

	if (text.len == 0)
		return OK;
	if (text.len > CLIENT_JWKS_MAX)
		return fail(ERR_INVALID, "the key set is longer than 64 KiB");
	if (failed(jwks_parse(text, &keys, &refused)))
		return fail(ERR_INVALID, "the key set is no JWK Set");

	bool good = jwks_count(keys) > 0 && refused.len == 0;

	jwks_free(keys);
	return good ? OK
	            : fail(ERR_INVALID,
	                   "the key set has no key, or one that is refused: public keys only");
}

static struct err
grants_check(const struct client *c)
{
	if (c->is_public && (c->grants & (CLIENT_CREDENTIALS | CLIENT_EXCHANGE)) != 0)
		return fail(ERR_INVALID,
		            "a public client cannot have client_credentials or exchange");
	if (c->is_public && (c->jwks.len > 0 || c->certificate.len > 0))
		return fail(ERR_INVALID, "a public client has neither keys nor a certificate");
	if (c->roles.len > 0 && (c->grants & CLIENT_CREDENTIALS) == 0)
		return fail(ERR_INVALID,
		            "only a client with the grant client_credentials has roles");
	return OK;
}

struct err
client_check(const struct settings *settings, const struct client *c)
{
	TRY(id_check(settings, c->id));
	if (c->name.len > CLIENT_NAME_MAX || !bytes_is_utf8(c->name) || bytes_has_control(c->name))
		return fail(ERR_INVALID,
		            "a client's name is at most 128 bytes of UTF-8 without control "
		            "characters");
	if (c->certificate.len != 0 &&
	    (c->certificate.len != OPAQUE_TEXT_LEN || !is_printable(c->certificate)))
		return fail(ERR_INVALID, "a certificate is named by its SHA-256 in base64url");
	TRY(roles_check(c->roles));
	TRY(redirect_check(c));
	TRY(jwks_check(c->jwks));
	return grants_check(c);
}
