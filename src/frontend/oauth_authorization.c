/* oauth_authorization.c - see oauth_authorization.h. */
#include "frontend/oauth_authorization.h"

#include "base/macros.h"
#include "format/url.h"

enum { URI_MAX = 2048, TEXT_MAX = 1024, NONCE_MAX = 512, CHALLENGE_LEN = 43 };

static const struct {
	const char *name;
	size_t max;
} parameters[AUTHORIZATION_COUNT] = {
	[AUTHORIZATION_CLIENT_ID] = { "client_id", TEXT_MAX },
	[AUTHORIZATION_REDIRECT_URI] = { "redirect_uri", URI_MAX },
	[AUTHORIZATION_STATE] = { "state", URI_MAX },
	[AUTHORIZATION_SCOPE] = { "scope", TEXT_MAX },
	[AUTHORIZATION_RESOURCE] = { "resource", TEXT_MAX },
	[AUTHORIZATION_NONCE] = { "nonce", NONCE_MAX },
	[AUTHORIZATION_CHALLENGE] = { "code_challenge", TEXT_MAX },
	[AUTHORIZATION_LOGIN_HINT] = { "login_hint", TEXT_MAX },
	[AUTHORIZATION_CHALLENGE_METHOD] = { "code_challenge_method", TEXT_MAX },
	[AUTHORIZATION_RESPONSE_TYPE] = { "response_type", TEXT_MAX },
	[AUTHORIZATION_RESPONSE_MODE] = { "response_mode", TEXT_MAX },
	[AUTHORIZATION_PROMPT] = { "prompt", TEXT_MAX },
	[AUTHORIZATION_REQUEST] = { "request", SIZE_MAX },
	[AUTHORIZATION_REQUEST_URI] = { "request_uri", SIZE_MAX },
};

static bool
is_of_client(size_t parameter)
{
	return parameter == AUTHORIZATION_CLIENT_ID || parameter == AUTHORIZATION_REDIRECT_URI;
}

/* A second value of what decides who is told is nobody's; of the rest it is the client's fault. */
static struct err
take(struct authorization *a, const struct url_parameter *p, bool is_first)
{
	for (size_t i = 0; i < AUTHORIZATION_COUNT; i++) {
		if (!bytes_is(p->name, parameters[i].name))
			continue;
		if (is_of_client(i) && !is_first)
			return fail(ERR_PEER, "the link names two clients or two addresses");
		if (!is_first)
			a->fault = "a parameter stands twice";
		else if (p->value.len <= parameters[i].max)
			a->values[i] = p->value;
		else
			a->fault = "a parameter is too long";
		return OK;
	}
	return OK;
}

/* It goes into a field of the answer as it is: visible ASCII, and no fragment (RFC 6749 section
 * 3.1.2). */
static bool
is_uri(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f || text.at[i] == '#')
			return false;
	return bytes_find(text, ':') < text.len;
}

struct err
authorization_read(struct bytes form, struct arena *arena, struct authorization *ret)
{
	struct url_parameter params[URL_PARAMETERS_MAX];
	size_t count;

	*ret = (struct authorization){ 0 };
	TRY(url_form_split(form, arena, params, &count));
	for (size_t i = 0; i < count; i++) {
		size_t first = 0;
		while (!bytes_equal(params[first].name, params[i].name))
			first++;
		TRY(take(ret, &params[i], first == i));
	}
	if (ret->values[AUTHORIZATION_CLIENT_ID].len == 0)
		return fail(ERR_PEER, "the link does not name its client (client_id)");
	if (!is_uri(ret->values[AUTHORIZATION_REDIRECT_URI]))
		return fail(ERR_PEER, "the link does not say where to go back to (redirect_uri)");
	return OK;
}

/* Checks */

static bool
is_s256(struct bytes challenge)
{
	for (size_t i = 0; i < challenge.len; i++) {
		uint8_t c = challenge.at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-' || c == '_'))
			return false;
	}
	return challenge.len == CHALLENGE_LEN;
}

/* One of the words, which a space parts. */
static bool
has_word(struct bytes text, const char *word)
{
	while (text.len > 0) {
		struct bytes first = bytes_slice(text, 0, bytes_find(text, ' '));
		if (bytes_is(first, word))
			return true;
		text = bytes_slice(text, first.len + 1, text.len);
	}
	return false;
}

bool
authorization_check(const struct authorization *a, struct authorization_fault *ret)
{
	const struct bytes *v = a->values;
	struct bytes mode = v[AUTHORIZATION_RESPONSE_MODE], type = v[AUTHORIZATION_RESPONSE_TYPE];
	const struct {
		bool is_wrong;
		struct authorization_fault fault;
	} checks[] = {
		{ a->fault != NULL, { "invalid_request", a->fault } },
		{ v[AUTHORIZATION_REQUEST].len != 0,
		  { "request_not_supported", "request objects are not taken" } },
		{ v[AUTHORIZATION_REQUEST_URI].len != 0,
		  { "request_uri_not_supported", "request objects are not taken" } },
		{ type.len == 0, { "invalid_request", "response_type is missing" } },
		{ !bytes_is(type, "code"),
		  { "unsupported_response_type", "response_type must be code" } },
		{ mode.len != 0 && !bytes_is(mode, "query"),
		  { "invalid_request", "response_mode must be query" } },
		{ v[AUTHORIZATION_CHALLENGE].len == 0,
		  { "invalid_request", "code_challenge is missing" } },
		{ !bytes_is(v[AUTHORIZATION_CHALLENGE_METHOD], "S256"),
		  { "invalid_request", "code_challenge_method must be S256" } },
		{ !is_s256(v[AUTHORIZATION_CHALLENGE]),
		  { "invalid_request", "code_challenge is not one of S256" } },
		{ has_word(v[AUTHORIZATION_PROMPT], "none"),
		  { "login_required", "people log in here each time" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (!checks[i].is_wrong)
			continue;
		*ret = checks[i].fault;
		return true;
	}
	return false;
}

/* The ticket */

void
authorization_put(struct buf *out, const struct authorization *a)
{
	for (size_t i = 0; i < AUTHORIZATION_KEPT; i++)
		buf_put_counted(out, a->values[i]);
}

struct err
authorization_take(struct bytes text, struct authorization *ret)
{
	struct reader r = reader_of(text);

	*ret = (struct authorization){ 0 };
	for (size_t i = 0; i < AUTHORIZATION_KEPT; i++)
		TRY(read_counted(&r, URI_MAX, &ret->values[i]));
	return reader_left(&r) == 0 ? OK : fail(ERR_PEER, "a ticket is longer than it says");
}

/* The answer */

static void
put_parameter(struct buf *out, const char *name, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_printf(out, "&%s=", name);
	url_put_encoded(out, value);
}

void
authorization_put_answer(struct buf *out, const struct authorization *a, const char *name,
                         struct bytes value, struct bytes description, struct bytes issuer)
{
	struct bytes uri = a->values[AUTHORIZATION_REDIRECT_URI];

	buf_put(out, uri);
	buf_put_u8(out, bytes_find(uri, '?') == uri.len ? '?' : '&');
	buf_printf(out, "%s=", name);
	url_put_encoded(out, value);
	put_parameter(out, "error_description", description);
	put_parameter(out, "state", a->values[AUTHORIZATION_STATE]);
	put_parameter(out, "iss", issuer);
}

struct bytes
authorization_host(const struct authorization *a)
{
	struct bytes uri = a->values[AUTHORIZATION_REDIRECT_URI];
	size_t colon = bytes_find(uri, ':');
	struct bytes rest = bytes_slice(uri, colon, uri.len);

	if (!bytes_starts(rest, BYTES("://")))
		return (struct bytes){ 0 };
	rest = bytes_slice(rest, 3, rest.len);
	rest = bytes_slice(rest, 0, bytes_find(rest, '/'));
	return bytes_slice(rest, 0, bytes_find(rest, '?'));
}
