/* id_token.c - who logged in at a browser: an ID token (OpenID Connect Core section 3.1.3.7). It
 * came straight from the issuer's token endpoint, and is checked as if it had not. */
#include "base/macros.h"
#include "identity/examine.h"

enum { REQUIRED_MAX = 64 };

/* The issuer's rules, but for us as the client instead of as the API. */
static struct err
rules_for_login(const struct issuer *i, struct required_claim *required, struct jwt_rules *ret)
{
	const struct issuer_settings *s = i->settings;
	size_t count = 0;

	if (s->required_count > REQUIRED_MAX)
		return fail(ERR_LIMIT, "an issuer asks for too many claims");
	/* Cognito: that of ID tokens is `id`. */
	for (size_t n = 0; n < s->required_count; n++)
		if (strcmp(s->required[n].path, "token_use") != 0)
			required[count++] = s->required[n];
	*ret = i->rules;
	ret->audience = &s->login_client_id;
	ret->audience_count = 1;
	ret->client_count = 0;
	ret->client_required = false;
	ret->callers = CALLERS_ANY;
	ret->required = required;
	ret->required_count = count;
	return OK;
}

static void
check_algorithm(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *r)
{
	jwt_report_check(r, JWT_ALGORITHM, (rules->algorithms & (unsigned)j->alg) != 0,
	                 "the issuer does not use the algorithm of the token");
	jwt_report_check(r, JWT_TYPE, j->typ.len == 0 || bytes_equal_nocase(j->typ, BYTES("JWT")),
	                 "the token is no ID token");
}

/* 2, 3, 6 of that section; `iss` first, since it says whose keys these must be. */
static struct err
check_signature(const struct issuer *i, const struct jws *j, int64_t now_s, struct jwt_report *r)
{
	const struct jwks *keys = key_source_keys(i->source, now_s);
	const struct jwk *key;

	TRY(jwt_check_issuer(j, &i->rules, r));
	if (keys == NULL)
		return fail(ERR_UPSTREAM, "the keys of the issuer are not here yet");
	key = jwks_find(keys, j->kid, j->alg);
	jwt_report_check(r, JWT_KEY, key != NULL && jwt_key_is_of(key, j, &i->rules),
	                 "the key of the token is not known");
	TRY(jwt_report_result(r));
	jwt_report_check(r, JWT_SIGNATURE, !failed(jws_verify(j, key)),
	                 "the signature of the token is wrong");
	return jwt_report_result(r);
}

static bool
is_text(const struct json *member, struct bytes text)
{
	struct bytes got;

	return json_string(member, &got) && bytes_equal(got, text);
}

/* 4, 5: for us alone, or else made at our wish (`azp`). */
static bool
is_for_client(const struct json *claims, struct bytes client)
{
	const struct json *aud = json_member(claims, "aud"), *azp = json_member(claims, "azp");

	if (azp == NULL)
		return aud != NULL && (aud->type == JSON_STRING || aud->count == 1);
	return is_text(azp, client);
}

static struct err
check_login(const struct jws *j, struct bytes client, struct bytes nonce, struct jwt_report *r)
{
	const struct json *use = json_member(j->payload, "token_use");

	jwt_report_check(r, JWT_TYPE, use == NULL || is_text(use, BYTES("id")),
	                 "the token is no ID token");
	jwt_report_check(r, JWT_AUDIENCE, is_for_client(j->payload, client),
	                 "the token was given to another client");
	jwt_report_check(r, JWT_CLAIMS, is_text(json_member(j->payload, "nonce"), nonce),
	                 "the token is of another login (nonce)");
	return jwt_report_result(r);
}

/* A session with fewer roles than its user has would puzzle everybody. */
static struct err
check_login_groups(const struct issuer *i, const struct jws *j, struct jwt_report *r)
{
	jwt_report_check(r, JWT_CLAIMS, !groups_are_elsewhere(i->settings, j->payload),
	                 "the token has too many groups to list, and a login asks nobody for them");
	return jwt_report_result(r);
}

struct err
issuers_check_id_token(struct issuers *s, unsigned issuer, struct bytes id_token,
                       struct bytes nonce, int64_t now_s, struct arena *arena,
                       const struct json **ret_claims, struct jwt_report *report)
{
	struct required_claim required[REQUIRED_MAX];
	struct jwt_rules rules;
	struct jws j;
	struct err e;

	jwt_report_init(report, false, arena);
	if (issuer >= s->count || s->issuers[issuer].settings->login_client_id == NULL)
		return fail(ERR_CONFIG, "the issuer has no login");
	TRY(rules_for_login(&s->issuers[issuer], required, &rules));
	e = jws_parse(id_token, arena, &j);
	if (failed(e)) {
		jwt_report_check(report, (enum jwt_check)e.code, false, e.why);
		return e;
	}
	check_algorithm(&j, &rules, report);
	TRY(jwt_report_result(report));
	TRY(check_signature(&s->issuers[issuer], &j, now_s, report));
	TRY(jwt_check_claims(&j, &rules, now_s, report));
	TRY(check_login(&j, bytes_text(rules.audience[0]), nonce, report));
	TRY(check_login_groups(&s->issuers[issuer], &j, report));
	*ret_claims = j.payload;
	return OK;
}
