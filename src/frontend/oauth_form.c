/* oauth_form.c - see oauth_form.h. */
#include "frontend/oauth_form.h"

#include <openssl/crypto.h>

#include "base/macros.h"
#include "format/base64.h"
#include "format/url.h"
#include "http/http_field.h"

enum {
	BASIC_MAX = 4096,
	TEXT_MAX = 1024,              /* of a parameter that is no token */
	GRANT_TYPE = ASK_FIELD_COUNT, /* where a parameter goes that is no field of a question */
	FIXED,
};

#define BIT(field) (1u << (field))

static const uint32_t client_fields =
	BIT(ASK_CLIENT_ID) | BIT(ASK_CLIENT_SECRET) | BIT(ASK_CLIENT_ASSERTION);
static const uint32_t secret_fields =
	BIT(ASK_PASSWORD_TEXT) | BIT(ASK_REFRESH_TOKEN) | BIT(ASK_CLIENT_SECRET) |
	BIT(ASK_CLIENT_ASSERTION) | BIT(ASK_CODE_TEXT) | BIT(ASK_VERIFIER) |
	BIT(ASK_SUBJECT_TOKEN) | BIT(ASK_ACTOR_TOKEN) | BIT(ASK_TOKEN);

const struct oauth_grant oauth_grants[] = {
	{ .name = "password",
	  .action = "login",
	  .kind = ASK_PASSWORD,
	  .required = BIT(ASK_USER) | BIT(ASK_PASSWORD_TEXT),
	  .taken = BIT(ASK_SCOPE) | BIT(ASK_RESOURCE),
	  .refusal = "incorrect username or password" },
	{ .name = "refresh_token",
	  .action = "refresh",
	  .kind = ASK_REFRESH,
	  .required = BIT(ASK_REFRESH_TOKEN),
	  .taken = BIT(ASK_SCOPE) | BIT(ASK_RESOURCE),
	  .refusal = "the refresh token is not valid" },
	{ .name = "client_credentials",
	  .action = "client_credentials",
	  .kind = ASK_CLIENT,
	  .needs_client = true,
	  .taken = BIT(ASK_SCOPE) | BIT(ASK_RESOURCE),
	  .refusal = "the client is not allowed in" },
	{ .name = "authorization_code",
	  .action = "code",
	  .kind = ASK_CODE,
	  .needs_client = true,
	  .required = BIT(ASK_CODE_TEXT) | BIT(ASK_REDIRECT_URI) | BIT(ASK_VERIFIER),
	  .taken = BIT(ASK_RESOURCE),
	  .refusal = "the code is not valid" },
	{ .name = "urn:ietf:params:oauth:grant-type:token-exchange",
	  .action = "exchange",
	  .kind = ASK_EXCHANGE,
	  .needs_client = true,
	  .required = BIT(ASK_SUBJECT_TOKEN),
	  .taken = BIT(ASK_ACTOR_TOKEN) | BIT(ASK_SCOPE) | BIT(ASK_RESOURCE),
	  .refusal = "the token cannot be exchanged" },
	{ .name = NULL },
};

const struct oauth_grant oauth_revocation = {
	.action = "revoke",
	.kind = ASK_REVOKE,
	.needs_client = true,
	.required = BIT(ASK_TOKEN),
	.refusal = "the token cannot be revoked",
};
const struct oauth_grant oauth_introspection = {
	.action = "introspect",
	.kind = ASK_INTROSPECT,
	.needs_client = true,
	.required = BIT(ASK_TOKEN),
	.refusal = "the token cannot be looked at",
};

/* Values of the parameters that leave no choice. */
static const char *const assertion_types[] = {
	"urn:ietf:params:oauth:client-assertion-type:jwt-bearer", NULL
};
static const char *const token_types[] = { "urn:ietf:params:oauth:token-type:access_token",
	                                   "urn:ietf:params:oauth:token-type:jwt", NULL };

static const struct parameter {
	const char *name;
	unsigned field;
	size_t max;
	const char *const *values; /* FIXED: what it may be */
} parameters[] = {
	{ "grant_type", GRANT_TYPE, TEXT_MAX, NULL },
	{ "username", ASK_USER, TEXT_MAX, NULL },
	{ "password", ASK_PASSWORD_TEXT, TEXT_MAX, NULL },
	{ "refresh_token", ASK_REFRESH_TOKEN, TEXT_MAX, NULL },
	{ "client_id", ASK_CLIENT_ID, TEXT_MAX, NULL },
	{ "client_secret", ASK_CLIENT_SECRET, TEXT_MAX, NULL },
	{ "client_assertion", ASK_CLIENT_ASSERTION, ASK_TEXT_MAX, NULL },
	{ "client_assertion_type", FIXED, TEXT_MAX, assertion_types },
	{ "code", ASK_CODE_TEXT, TEXT_MAX, NULL },
	{ "redirect_uri", ASK_REDIRECT_URI, 2 * TEXT_MAX, NULL },
	{ "code_verifier", ASK_VERIFIER, TEXT_MAX, NULL },
	{ "scope", ASK_SCOPE, TEXT_MAX, NULL },
	{ "resource", ASK_RESOURCE, TEXT_MAX, NULL },
	{ "audience", ASK_RESOURCE, TEXT_MAX, NULL },
	{ "subject_token", ASK_SUBJECT_TOKEN, ASK_TEXT_MAX, NULL },
	{ "subject_token_type", FIXED, TEXT_MAX, token_types },
	{ "actor_token", ASK_ACTOR_TOKEN, ASK_TEXT_MAX, NULL },
	{ "actor_token_type", FIXED, TEXT_MAX, token_types },
	{ "requested_token_type", FIXED, TEXT_MAX, token_types },
	{ "token", ASK_TOKEN, ASK_TEXT_MAX, NULL },
};

const struct oauth_grant *
oauth_grant_find(struct bytes grant_type)
{
	const struct oauth_grant *g = oauth_grants;

	while (grant_type.len != 0 && g->name != NULL && !bytes_is(grant_type, g->name))
		g++;
	return g->name == NULL ? NULL : g;
}

static struct err
at_fault(struct oauth_form *f, const char *parameter, const char *why)
{
	f->parameter = parameter;
	return fail(ERR_PEER, why);
}

/* Parameters */

static struct err
check_fixed(struct oauth_form *f, const struct parameter *p, struct bytes value)
{
	for (const char *const *known = p->values; *known != NULL; known++)
		if (bytes_is(value, *known))
			return OK;
	return at_fault(f, p->name, "is of a kind that is not known here");
}

static struct err
take(struct oauth_form *f, const struct parameter *p, struct bytes value)
{
	if (value.len > p->max)
		return at_fault(f, p->name, "is too long");
	if (p->field == FIXED)
		return check_fixed(f, p, value);

	struct bytes *to = p->field == GRANT_TYPE ? &f->grant_type : &f->fields[p->field];
	/* `resource` and `audience` may both name it. */
	if (to->len != 0 && !bytes_equal(*to, value))
		return at_fault(f, p->name, "names something else than another parameter");
	*to = value;
	return OK;
}

static struct err
take_all(struct oauth_form *f, const struct url_parameter *params, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			if (bytes_equal(params[i].name, params[k].name))
				return fail(ERR_PEER, "a parameter stands twice");
		for (size_t k = 0; k < ARRAY_LEN(parameters); k++)
			if (params[i].value.len != 0 &&
			    bytes_is(params[i].name, parameters[k].name))
				TRY(take(f, &parameters[k], params[i].value));
	}
	return OK;
}

/* The client */

/* Both halves are encoded as in a form (RFC 6749 section 2.3.1). */
static struct err
decode(struct bytes text, struct arena *arena, struct bytes *ret)
{
	struct url_parameter params[URL_PARAMETERS_MAX];
	size_t count;

	*ret = text;
	if (bytes_find(text, '%') == text.len && bytes_find(text, '+') == text.len)
		return bytes_is_utf8(text) ? OK : fail(ERR_PEER, "not UTF-8");
	TRY(url_form_split(text, arena, params, &count));
	if (count != 1 || params[0].value.len != 0)
		return fail(ERR_PEER, "not encoded");
	*ret = params[0].name;
	return OK;
}

static struct err
take_basic(struct oauth_form *f, struct bytes authorization, struct arena *arena)
{
	struct bytes id, secret;
	size_t len;

	if (!bytes_equal_nocase(bytes_slice(authorization, 0, 6), BYTES("Basic ")))
		return OK;
	f->has_basic = true;
	uint8_t *plain = authorization.len > BASIC_MAX ? NULL : arena_alloc(arena, BASIC_MAX);
	if (plain == NULL ||
	    failed(base64_decode(http_trim(bytes_slice(authorization, 6, authorization.len)), true,
	                         plain, BASIC_MAX, &len)))
		return fail(ERR_PEER, "the client's credentials are malformed");
	f->plain = (struct bytes){ plain, len };
	size_t colon = bytes_find(f->plain, ':');
	if (colon == len || failed(decode(bytes_slice(f->plain, 0, colon), arena, &id)) ||
	    failed(decode(bytes_slice(f->plain, colon + 1, len), arena, &secret)))
		return fail(ERR_PEER, "the client's credentials are malformed");

	struct bytes *fields = f->fields;
	if (id.len != 0 && fields[ASK_CLIENT_ID].len != 0 &&
	    !bytes_equal(id, fields[ASK_CLIENT_ID]))
		return at_fault(f, "client_id", "is not whom the Authorization field names");
	/* Swagger UI sends ":" where it has no client. */
	if (id.len != 0)
		fields[ASK_CLIENT_ID] = id;
	if (secret.len != 0 && fields[ASK_CLIENT_SECRET].len != 0)
		return fail(ERR_PEER, "the client proves who it is in two ways");
	if (secret.len != 0)
		fields[ASK_CLIENT_SECRET] = secret;
	return OK;
}

struct err
oauth_form_read(struct bytes body, struct bytes authorization, struct arena *arena,
                struct oauth_form *ret)
{
	struct url_parameter params[URL_PARAMETERS_MAX];
	size_t count;

	*ret = (struct oauth_form){ 0 };
	TRY(url_form_split(body, arena, params, &count));
	TRY(take_all(ret, params, count));
	TRY(take_basic(ret, authorization, arena));
	if (ret->fields[ASK_CLIENT_SECRET].len != 0 && ret->fields[ASK_CLIENT_ASSERTION].len != 0)
		return fail(ERR_PEER, "the client proves who it is in two ways");
	return OK;
}

static const char *
parameter_of(unsigned field)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		if (parameters[i].field == field)
			return parameters[i].name;
	return NULL;
}

struct err
oauth_form_ask(struct oauth_form *f, const struct oauth_grant *g, struct ask *ret)
{
	const uint32_t taken = g->required | g->taken | client_fields;

	*ret = (struct ask){ .kind = g->kind };
	for (unsigned i = 0; i < ASK_FIELD_COUNT; i++) {
		if ((g->required & BIT(i)) != 0 && f->fields[i].len == 0)
			return at_fault(f, parameter_of(i), "is missing");
		if ((taken & BIT(i)) != 0)
			ret->fields[i] = f->fields[i];
	}
	if (g->needs_client && f->fields[ASK_CLIENT_ID].len == 0 &&
	    f->fields[ASK_CLIENT_ASSERTION].len == 0) {
		f->error = OAUTH_INVALID_CLIENT;
		return fail(ERR_IDENTITY, "the client does not say who it is");
	}
	return OK;
}

void
oauth_form_wipe(struct oauth_form *f)
{
	/* All of it was copied into the arena or stands in the body: ours to write. */
	for (unsigned i = 0; i < ASK_FIELD_COUNT; i++)
		if ((secret_fields & BIT(i)) != 0 && f->fields[i].len != 0)
			OPENSSL_cleanse((uint8_t *)(uintptr_t)f->fields[i].at, f->fields[i].len);
	if (f->plain.len != 0)
		OPENSSL_cleanse((uint8_t *)(uintptr_t)f->plain.at, f->plain.len);
}
