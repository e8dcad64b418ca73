/* fetcher_code.c - the code that a provider gave to a browser, for tokens. RFC 6749 section 4.1.3
 * with PKCE (RFC 7636), OpenID Connect Core section 3.1.3. */
#include "base/macros.h"
#include "jose/jws.h"
#include "process/fetcher_question.h"

/* A compact JWS goes on, to be checked by who asked; anything else is none. */
static struct bytes
read_token(const struct json *object, const char *name, struct arena *arena)
{
	struct bytes text;
	struct jws jws;

	if (!json_string(json_member(object, name), &text) || text.len > JWS_BYTES_MAX ||
	    failed(jws_parse(text, arena, &jws)))
		return (struct bytes){ 0 };
	return text;
}

/* RFC 6749 section 5.2: the code is wrong, or was used. Everything else is between us and the
 * provider. */
static bool
is_code_refused(const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *object;
	struct bytes error;

	return r != NULL && (r->status == 400 || r->status == 401) && r->is_json &&
	       !failed(json_parse(r->body, &arena, &object, NULL)) &&
	       json_string(json_member(object, "error"), &error) &&
	       bytes_is(error, "invalid_grant");
}

static void
on_answer(void *of, struct err e, const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct question *q = of;
	const struct json *object;

	q->exchange = NULL;
	if (is_code_refused(r)) {
		question_refuse(q, "the provider does not take the code");
		return;
	}
	e = question_read(e, r, &arena, &object);
	struct fetch_answer a = { .result = FETCH_DONE };
	if (!failed(e)) {
		a.id_token = read_token(object, "id_token", &arena);
		a.access_token = read_token(object, "access_token", &arena);
	}
	if (!failed(e) && a.id_token.len == 0)
		e = fail(ERR_PEER, "the provider gives no ID token");
	if (failed(e))
		question_fail(q, e, r);
	else
		question_answer(q, &a);
}

struct err
code_begin(struct question *q, const struct issuer_settings *s)
{
	CLEANUP(buf_wipe) struct buf form = { 0 };
	CLEANUP(buf_wipe) struct buf authorization = { 0 };
	const struct origin *o = origin_find(q->fetcher, issuer_source(s));
	bool is_public = s->login_secret.file == NULL && s->login_secret.env == NULL;

	if (s->login_client_id == NULL || o == NULL || o->token_endpoint.len == 0)
		return fail(ERR_UPSTREAM,
		            "the issuer's metadata with its token endpoint are not here");
	form_put(&form, "grant_type", BYTES("authorization_code"));
	form_put(&form, "code", q->ask.code);
	form_put(&form, "redirect_uri", q->ask.redirect_uri);
	form_put(&form, "code_verifier", q->ask.verifier);
	if (is_public)
		form_put(&form, "client_id", bytes_text(s->login_client_id));
	else
		TRY(basic_put(&authorization, s->login_client_id, &s->login_secret));
	TRY(buf_check(&form));
	const struct http_request request = { .url = buf_bytes(&o->token_endpoint),
		                              .body = buf_bytes(&form),
		                              .authorization = buf_bytes(&authorization) };
	return question_post(q, request, on_answer);
}
