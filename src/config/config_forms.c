/* config_forms.c - see config_forms.h. */
#include "config/config_forms.h"

#include <arpa/inet.h>

#include "config/config_host.h"

/* Is each byte a letter, a digit or one of `others`? */
static bool
is_made_of(struct bytes text, const char *others)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i], lower = c | 0x20;
		if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') &&
		    (c == 0 || strchr(others, c) == NULL))
			return false;
	}
	return text.len > 0;
}

static const char *
issuer_fault(struct bytes text)
{
	return url_fault(text, 0);
}

/* Tokens of the server at the domain's root are opaque to everyone but Okta, says Okta. */
static const char *
okta_fault(struct bytes text)
{
	static const struct bytes path = BYTES("/oauth2/");
	const char *why = url_fault(text, 0);

	if (why != NULL)
		return why;
	size_t scheme = bytes_find(text, ':') + 3;
	struct bytes rest = bytes_slice(text, scheme, text.len);
	rest = bytes_slice(rest, bytes_find(rest, '/'), rest.len);
	if (rest.len <= 1 || bytes_is(rest, "/oauth2") || bytes_is(rest, "/oauth2/"))
		return "is an org authorization server, whose tokens are for Okta itself";
	rest = bytes_starts(rest, path) ? bytes_slice(rest, path.len, rest.len)
	                                : (struct bytes){ 0 };
	return is_made_of(rest, "-_.") ? NULL : "is no Okta authorization server";
}

static const char *
plain_url_fault(struct bytes text)
{
	return url_fault(text, URL_QUERY);
}

static const char *
tenant_url_fault(struct bytes text)
{
	return url_fault(text, URL_QUERY | URL_TENANT);
}

static const char *
origin_fault(struct bytes text)
{
	return url_fault(text, URL_ORIGIN);
}

static const char *
guid_fault(struct bytes text)
{
	bool upper = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i], lower = c | 0x20;
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
		if (dash ? c != '-' : !hex)
			return "is no GUID";
		upper |= c >= 'A' && c <= 'F';
	}
	if (text.len != 36)
		return "is no GUID";
	return upper ? "has upper case, but tokens are compared byte for byte" : NULL;
}

/* In the one form that the kernel's answers are written in, as it is compared with them. */
static const char *
ip_fault(struct bytes text)
{
	char copy[INET6_ADDRSTRLEN] = { 0 }, canonical[INET6_ADDRSTRLEN];
	int family = bytes_find(text, ':') < text.len ? AF_INET6 : AF_INET;
	struct in6_addr address;

	if (text.len >= sizeof copy || text.len == 0)
		return "is no address";
	memcpy(copy, text.at, text.len);
	if (inet_pton(family, copy, &address) != 1 ||
	    inet_ntop(family, &address, canonical, sizeof canonical) == NULL)
		return "is no address";
	return strcmp(copy, canonical) == 0 ? NULL : "is not in its canonical form (RFC 5952)";
}

static const char *
host_fault(struct bytes text)
{
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;

	if (ip_fault(text) == NULL)
		return NULL;
	return bytes_find(text, ':') == text.len && host_split(text, false, host, &port)
	               ? NULL
	               : "is no host";
}

/* RFC 9110 section 5.6.2. */
static const char *
field_fault(struct bytes text)
{
	return is_made_of(text, "!#$%&'*+-.^_`|~") ? NULL : "is no name of a field";
}

static const char *
env_fault(struct bytes text)
{
	return is_made_of(text, "_") && (text.at[0] < '0' || text.at[0] > '9')
	               ? NULL
	               : "is no name of a variable";
}

/* RFC 6749 section 3.3; without openid there is no ID token, and nobody would be logged in. */
static const char *
scope_fault(struct bytes text)
{
	bool found = false;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~' || text.at[i] == '"' || text.at[i] == '\\')
			return "has a byte that may not stand here";
	while (text.len > 0) {
		size_t space = bytes_find(text, ' ');
		found |= bytes_is(bytes_slice(text, 0, space), "openid");
		text = bytes_slice(text, space + 1, text.len);
	}
	return found ? NULL : "lacks openid";
}

static bool
is_region(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] >= 'A' && text.at[i] <= 'Z')
			return false;
	return is_made_of(text, "-");
}

static const char *
region_fault(struct bytes text)
{
	return is_region(text) ? NULL : "is no region";
}

static const char *
user_pool_fault(struct bytes text)
{
	size_t line = bytes_find(text, '_');

	return is_region(bytes_slice(text, 0, line)) &&
	                       is_made_of(bytes_slice(text, line + 1, text.len), "")
	               ? NULL
	               : "is no user pool";
}

static const char *
target_fault(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~' || text.at[i] == '#')
			return "has a byte that may not stand here";
	return bytes_starts(text, BYTES("/")) ? NULL : "does not begin with /";
}

/* A path may be any text. */
static const char *
access_log_fault(struct bytes text)
{
	return text.len > 0 ? NULL : "is empty";
}

#define HEX "[0-9a-f]"
/* clang-format off */
const struct text_form form_issuer = {
	"an https URL without query or fragment (http on loopback only)", "https?://[^?#@]+", issuer_fault };
const struct text_form form_okta_issuer = {
	"https://DOMAIN/oauth2/ID, a custom authorization server", "https?://[^?#@/]+/oauth2/[^?#@/]+", okta_fault };
const struct text_form form_url = {
	"an https URL without fragment (http on loopback only)", "https?://[^#@]+", plain_url_fault };
const struct text_form form_tenant_url = {
	"an https URL without fragment (http on loopback only), perhaps with {tenantid} in its path",
	"https?://[^#@]+", tenant_url_fault };
const struct text_form form_origin = {
	"http:// or https://, a host and perhaps a port, nothing more", "https?://[^/?#@]+", origin_fault };
const struct text_form form_guid = {
	"a GUID in lower case, such as 11111111-2222-3333-4444-555555555555",
	HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}", guid_fault };
const struct text_form form_ip = { "an IP address without port", "[0-9a-fA-F.:]+", ip_fault };
const struct text_form form_host = { "a host without port", "[0-9a-zA-Z.:-]+", host_fault };
const struct text_form form_field = {
	"the name of a request field", "[!#$%&'*+.^_`|~0-9A-Za-z-]+", field_fault };
const struct text_form form_env = {
	"the name of an environment variable", "[A-Za-z_][A-Za-z0-9_]*", env_fault };
const struct text_form form_scope = {
	"scopes with spaces between, openid among them", ".*openid.*", scope_fault };
const struct text_form form_region = { "an AWS region, such as eu-west-1", "[a-z0-9-]+", region_fault };
const struct text_form form_user_pool = {
	"the ID of a user pool, such as eu-west-1_AbCdEf123", "[a-z0-9-]+_[0-9A-Za-z]+", user_pool_fault };
const struct text_form form_target = { "a path that begins with /", "/.*", target_fault };
const struct text_form form_access_log = { "off, output, or the path of a file", ".+", access_log_fault };
