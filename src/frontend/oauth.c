/* oauth.c - /token (RFC 6749: password and refresh_token grants), and what clients discover. */
#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"
#include "frontend/endpoint.h"
#include "jose/jwk.h"

enum { BASIC_MAX = 2048, PARAMETER_MAX = 1024 };

struct token_form {
	struct bytes grant_type;
	struct ask ask;
};

/* Its own form of errors: RFC 6749 section 5.2, and `detail` for clients written for FastAPI. */
static const struct {
	enum err_kind kind;
	const char *error;
} oauth_errors[] = {
	{ ERR_PEER, "invalid_request" },
	{ ERR_IDENTITY, "invalid_grant" },
	{ ERR_LIMIT, "slow_down" },
};

void
oauth_put_error(struct request *r, struct buf *body)
{
	const char *error = "temporarily_unavailable";
	struct bytes why = bytes_text(r->outcome.why);

	for (size_t i = 0; i < ARRAY_LEN(oauth_errors); i++)
		if (oauth_errors[i].kind == r->outcome.kind)
			error = oauth_errors[i].error;
	/* A refused login is an error of the request (400), not a missing bearer token. */
	if (r->outcome.kind == ERR_IDENTITY) {
		r->reply.status = 400;
		buf_clear(&r->reply.fields);
	}
	if (r->is_grant_unknown)
		error = "unsupported_grant_type";
	buf_printf(body, "{\"error\":\"%s\",\"error_description\":", error);
	json_put_string(body, why);
	buf_put_text(body, ",\"detail\":");
	json_put_string(body, why);
	buf_put_text(body, "}\n");
}

/* The form */

static struct err
take_once(struct bytes *to, struct bytes value)
{
	if (to->at != NULL)
		return fail(ERR_PEER, "a parameter stands twice");
	*to = value;
	return OK;
}

/* Clients that authenticate do so as RFC 6749 section 2.3.1 says; here it only names the client. */
static struct err
take_basic(struct request *r, struct bytes *client_id)
{
	struct bytes value = { 0 };
	size_t len;

	TRY(http_field_single(&r->head, "authorization", &value));
	if (value.at == NULL || !bytes_equal_nocase(bytes_slice(value, 0, 6), BYTES("Basic ")) ||
	    value.len > BASIC_MAX)
		return OK;
	uint8_t *plain = arena_alloc(&r->arena, BASIC_MAX);
	if (plain == NULL ||
	    failed(base64_decode(bytes_slice(value, 6, value.len), true, plain, BASIC_MAX, &len)))
		return fail(ERR_PEER, "the client's credentials are malformed");
	struct bytes pair = { plain, len };
	if (client_id->at == NULL)
		*client_id = bytes_slice(pair, 0, bytes_find(pair, ':'));
	return bytes_is_utf8(*client_id) ? OK
	                                 : fail(ERR_PEER, "the client's credentials are malformed");
}

static struct err
parse_form(struct request *r, struct token_form *form)
{
	struct url_parameter params[URL_PARAMETERS_MAX];
	size_t count;
	struct bytes ignored[2] = { 0 };
	const struct {
		const char *name;
		struct bytes *to;
	} fields[] = {
		{ "grant_type", &form->grant_type },
		{ "username", &form->ask.fields[ASK_USER] },
		{ "password", &form->ask.fields[ASK_PASSWORD_TEXT] },
		{ "refresh_token", &form->ask.fields[ASK_REFRESH_TOKEN] },
		{ "client_id", &form->ask.fields[ASK_CLIENT_ID] },
		{ "client_secret", &ignored[0] },
		{ "scope", &ignored[1] },
	};

	TRY(url_form_split(buf_bytes(&r->body), &r->arena, params, &count));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_LEN(fields); k++)
			if (bytes_is(params[i].name, fields[k].name))
				TRY(take_once(fields[k].to, params[i].value));
	for (size_t k = 0; k < ARRAY_LEN(fields); k++)
		if (fields[k].to->len > PARAMETER_MAX)
			return fail(ERR_PEER, "a parameter is too long");
	return take_basic(r, &form->ask.fields[ASK_CLIENT_ID]);
}

static struct err
check_media_type(struct request *r)
{
	struct bytes type = { 0 };

	TRY(http_field_single(&r->head, "content-type", &type));
	if (!bytes_equal_nocase(bytes_slice(type, 0, bytes_find(type, ';')),
	                        BYTES("application/x-www-form-urlencoded")))
		return (struct err){ .kind = ERR_PEER,
			             .code = 415,
			             .why = "the body must be application/x-www-form-urlencoded" };
	return OK;
}

/* Keeper's answer */

static void
put_tokens(struct request *r, const struct answer *a)
{
	struct buf *body = &r->reply.body;

	r->reply.type = "application/json";
	buf_put_text(body, "{\"access_token\":");
	json_put_string(body, a->fields[ANSWER_ACCESS_TOKEN]);
	buf_printf(body, ",\"token_type\":\"bearer\",\"expires_in\":%u,\"refresh_token\":",
	           a->expires_in_s);
	json_put_string(body, a->fields[ANSWER_REFRESH_TOKEN]);
	buf_put_text(body, "}\n");
	buf_put_text(&r->reply.fields, "Pragma: no-cache\r\n");
}

static struct err
take_answer(struct request *r, struct bytes message)
{
	struct answer a;

	TRY(answer_read(message, &a));
	r->subject = arena_copy(&r->arena, a.fields[ANSWER_SUBJECT]);
	r->name = arena_copy(&r->arena, a.fields[ANSWER_NAME]);
	r->reason = arena_copy(&r->arena, a.fields[ANSWER_REASON]);
	r->retry_after_s = a.wait_s;
	switch (a.result) {
	case ANSWER_GRANTED:
		put_tokens(r, &a);
		return OK;
	case ANSWER_REFUSED:
		return fail(ERR_IDENTITY, bytes_is(r->action, "refresh")
		                                  ? "the refresh token is not valid"
		                                  : "incorrect username or password");
	case ANSWER_WAIT:
		return fail(ERR_LIMIT, "too many logins: try again later");
	case ANSWER_FAILED:
	case ANSWER_RESULT_COUNT:
		break;
	}
	return fail(ERR_UPSTREAM, "logins are not possible right now");
}

static void
on_answer(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	r->is_woken = true;
	r->wake_error = failed(e) ? e : take_answer(r, answer->body);
	request_resume(r);
}

static const struct settings *
settings_of(const struct request *r)
{
	return r->gate->settings;
}

static const struct issuer_settings *
local_issuer(const struct request *r)
{
	for (size_t i = 0; i < settings_of(r)->issuer_count; i++)
		if (settings_of(r)->issuers[i].type == ISSUER_LOCAL)
			return &settings_of(r)->issuers[i];
	return NULL;
}

void
oauth_describe(struct request *r)
{
	r->class = AUDIT_AUTHENTICATION;
	r->action = BYTES("login");
	r->resource = BYTES("token");
}

struct err
oauth_token_decide(struct request *r)
{
	const struct issuer_settings *local = local_issuer(r);

	if (local == NULL)
		return fail(ERR_NOT_FOUND, "this service issues no tokens");
	r->issuer = bytes_text(local->name);
	return OK;
}

static struct err
ask(struct request *r)
{
	struct token_form form = { 0 };

	TRY(check_media_type(r));
	TRY(parse_form(r, &form));
	/* FastAPI's form may leave grant_type out. */
	bool is_refresh = bytes_is(form.grant_type, "refresh_token");
	r->is_grant_unknown =
		form.grant_type.at != NULL && !is_refresh && !bytes_is(form.grant_type, "password");
	if (r->is_grant_unknown)
		return fail(ERR_PEER, "grant_type must be password or refresh_token");
	if (is_refresh)
		r->action = BYTES("refresh");
	if (is_refresh ? form.ask.fields[ASK_REFRESH_TOKEN].len == 0
	               : form.ask.fields[ASK_USER].len == 0 ||
	                         form.ask.fields[ASK_PASSWORD_TEXT].len == 0)
		return fail(ERR_PEER, is_refresh ? "refresh_token is missing"
		                                 : "username or password is missing");
	form.ask.kind = is_refresh ? ASK_REFRESH : ASK_PASSWORD;
	form.ask.fields[ASK_ADDRESS] = r->client;
	r->waiter.wake = on_answer;
	return gate_ask_keeper(r->gate, &form.ask, &r->waiter);
}

struct err
oauth_token(struct request *r, enum step *step)
{
	if (r->is_woken) {
		r->is_woken = false;
		return r->wake_error;
	}
	TRY(ask(r));
	*step = STEP_MORE;
	return OK;
}

/* Discovery */

struct err
oauth_jwks(struct request *r, enum step *step)
{
	(void)step;
	if (local_issuer(r) == NULL)
		return fail(ERR_NOT_FOUND, "this service issues no tokens");
	if (r->gate->jwks.len == 0)
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	r->reply.type = "application/jwk-set+json";
	r->is_cacheable = true;
	buf_put_text(&r->reply.fields, "Cache-Control: public, max-age=600\r\n");
	buf_put(&r->reply.body, buf_bytes(&r->gate->jwks));
	return OK;
}

struct err
oauth_metadata(struct request *r, enum step *step)
{
	const struct issuer_settings *local = local_issuer(r);
	struct buf *out = &r->reply.body;
	const struct {
		const char *name, *path;
	} urls[] = { { "issuer", "" },
		     { "token_endpoint", "/token" },
		     { "jwks_uri", "/.well-known/jwks.json" } };

	(void)step;
	if (local == NULL)
		return fail(ERR_NOT_FOUND, "this service issues no tokens");
	r->reply.type = "application/json";
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		CLEANUP(buf_done) struct buf url = { 0 };
		buf_printf(&url, "%s%s", settings_of(r)->public_url, urls[i].path);
		buf_put_u8(out, i == 0 ? '{' : ',');
		json_put_name(out, urls[i].name);
		json_put_string(out, buf_bytes(&url));
	}
	buf_printf(out,
	           ",\"grant_types_supported\":[\"password\",\"refresh_token\"],\"response_types_"
	           "supported\":[],"
	           "\"subject_types_supported\":[\"public\"],\"token_endpoint_auth_methods_"
	           "supported\":[\"none\"],"
	           "\"id_token_signing_alg_values_supported\":[\"%s\"]}\n",
	           jws_alg_name(local->signing_algorithm));
	return OK;
}
