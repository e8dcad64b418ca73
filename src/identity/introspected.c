/* introspected.c - tokens that only their issuer can read (RFC 7662): it is asked whether they are
 * good, and its answer is checked by the same rules as the claims of a token. */
#include "base/macros.h"
#include "identity/examine.h"

/* RFC 6750 section 2.1: what a bearer token may be made of; nothing else is passed on. */
static bool
is_bearer_token(struct bytes token)
{
	for (size_t i = 0; i < token.len; i++)
		if (token.at[i] <= 0x20 || token.at[i] >= 0x7f)
			return false;
	return token.len != 0 && token.len <= JWS_BYTES_MAX;
}

/* A JWT that came to harm on its way is still one, and of somebody else. */
static bool
looks_signed(struct bytes token)
{
	unsigned dots = 0;

	for (size_t i = 0; i < token.len; i++)
		dots += token.at[i] == '.';
	return dots == 2 && bytes_starts(token, BYTES("eyJ")); /* `{"` */
}

/* A token without a form we know can be of any of them: of the one that writes no names, else of
 * the first. To show it to all would give each the tokens of the others. */
static struct issuer *
opaque_issuer(const struct issuers *s)
{
	struct issuer *first = NULL;

	for (size_t i = 0; i < s->count; i++) {
		if (s->issuers[i].settings->introspection_url == NULL)
			continue;
		if (s->issuers[i].settings->issuer == NULL)
			return &s->issuers[i];
		if (first == NULL)
			first = &s->issuers[i];
	}
	return first;
}

struct issuer *
introspection_issuer(const struct issuers *s, const struct jws *j, struct err parsed,
                     struct bytes token)
{
	const char *tenant;

	if (!is_bearer_token(token))
		return NULL;
	if (failed(parsed) && j->header == NULL)
		return looks_signed(token) ? NULL : opaque_issuer(s);
	for (size_t i = 0; i < s->count; i++)
		if (s->issuers[i].settings->introspection_url != NULL &&
		    jwt_is_issuer(j->payload, &s->issuers[i].rules, &tenant))
			return &s->issuers[i];
	return NULL;
}

/* RFC 7662 section 2.2; RFC 6749 section 7.1 for the type. A refresh token is active, too. */
static bool
is_access_token(const struct json *claims)
{
	static const char *const types[] = { "Bearer", "DPoP", "access_token", "at+jwt" };
	const struct json *type = json_member(claims, "token_type");
	struct bytes text;

	if (type == NULL)
		return true;
	for (size_t i = 0; json_string(type, &text) && i < ARRAY_LEN(types); i++)
		if (bytes_equal_nocase(text, bytes_text(types[i])))
			return true;
	return false;
}

static void
check_answer(struct examination *x)
{
	struct jwt_report *r = &x->ret->report;
	const struct json *claims = x->jws.payload;
	bool active = false;

	(void)json_bool(json_member(claims, "active"), &active); /* stays false */
	jwt_report_check(r, JWT_ACTIVE, active, "the issuer says that the token is not active");
	jwt_report_text(r, JWT_ACTIVE, BYTES("the issuer says active"),
	                active ? BYTES("that") : BYTES("something else"));
	jwt_report_check(r, JWT_TYPE, is_access_token(claims), "the token is no access token");
	jwt_report_member(r, JWT_TYPE, BYTES("token_type Bearer, DPoP or none"),
	                  json_member(claims, "token_type"));
	if (json_member(claims, "iss") != NULL && x->issuer->settings->issuer != NULL)
		(void)jwt_check_issuer(&x->jws, &x->issuer->rules, r); /* the report has it */
}

/* `exp` may be missing from the answer; then it is believed for as long as it is remembered. */
static struct err
limit_life(struct examination *x)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	unsigned cache_s = x->issuer->settings->introspection_cache_s;

	x->ends_s = x->now_s + cache_s;
	if (json_member(x->jws.payload, "exp") != NULL)
		return OK;
	buf_put_decimal(&text, x->now_s + (cache_s == 0 ? 1 : cache_s));
	return examine_add_claim(x, "exp", buf_bytes(&text));
}

/* What has no meaning for such a token. */
static void
report_form(struct jwt_report *r)
{
	static const enum jwt_check checks[] = { JWT_FORM, JWT_HEADER, JWT_ALGORITHM,
		                                 JWT_TYPE, JWT_ISSUER, JWT_KEY };

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		jwt_report_check(r, checks[i], true, NULL);
		jwt_report_text(r, checks[i], BYTES("what the issuer says"),
		                BYTES("a token that only its issuer reads"));
	}
}

struct err
check_introspected(struct examination *x)
{
	struct jwt_report *r = &x->ret->report;
	const struct json *claims;

	report_form(r);
	x->jws.payload = NULL;
	if (!x->shown->has_asked)
		return examine_later(x, MISSING_INTROSPECTION, "the issuer must be asked first");
	if (x->shown->learned.len == 0) {
		check_answer(x); /* no answer: not active */
		return jwt_report_result(r);
	}
	if (failed(json_parse(x->shown->learned, x->arena, &claims, NULL)) ||
	    claims->type != JSON_OBJECT)
		return fail(ERR_UPSTREAM, "the answer of the issuer is not understood");
	x->jws.payload = claims;
	check_answer(x);
	if (r->failed != JWT_CHECK_COUNT && !x->full)
		return jwt_report_result(r);
	TRY(limit_life(x));
	return jwt_check_claims(&x->jws, &x->issuer->rules, x->now_s, r);
}
