/* assertion.c - a client proves who it is by a JWT of its own key (RFC 7523 section 3, OpenID
 * Connect Core section 9), good for once and for a few minutes. */
#include "issuer/authenticate.h"
#include "issuer/opaque.h"
#include "jose/jwt.h"

enum {
	ASSERTION_LIFE_MAX_S = 300, /* no longer-lived proof is kept in mind */
	ASSERTION_LEEWAY_S = 30,
	ASSERTION_JTI_MAX = 256,
};

struct bytes
assertion_subject(struct bytes assertion, struct arena *arena)
{
	struct jws j = { 0 };

	return failed(jws_parse(assertion, arena, &j)) ? (struct bytes){ 0 }
	                                               : json_member_text(j.payload, "sub");
}

static bool
member_is(const struct json *claims, const char *name, struct bytes value)
{
	struct bytes text;

	return json_string(json_member(claims, name), &text) && bytes_equal(text, value);
}

/* Our issuer URL or the token endpoint, alone or among others. */
static bool
is_our_url(const struct issuer *i, const struct json *value)
{
	static const char endpoint[] = "/token";
	struct bytes url = bytes_text(i->settings->public_url), text;

	if (!json_string(value, &text) || !bytes_starts(text, url))
		return false;
	return text.len == url.len || bytes_is(bytes_slice(text, url.len, text.len), endpoint);
}

static bool
is_for_us(const struct issuer *i, const struct json *aud)
{
	if (aud == NULL || aud->type != JSON_ARRAY)
		return is_our_url(i, aud);
	for (const struct json *one = json_first(aud); one != NULL; one = json_next(aud, one))
		if (is_our_url(i, one))
			return true;
	return false;
}

/* Not one made for another purpose (RFC 8725 section 3.11). */
static bool
is_assertion_type(struct bytes typ)
{
	return typ.len == 0 || bytes_equal_nocase(typ, BYTES("JWT")) ||
	       bytes_equal_nocase(typ, BYTES("client-authentication+jwt"));
}

static bool
is_timely(const struct json *claims, int64_t now_s, int64_t *ret_expires_s)
{
	int64_t exp, nbf, iat;

	if (!jwt_date(claims, "exp", &exp))
		return false;
	if (json_member(claims, "nbf") != NULL &&
	    (!jwt_date(claims, "nbf", &nbf) || nbf > now_s + ASSERTION_LEEWAY_S))
		return false;
	if (json_member(claims, "iat") != NULL) {
		if (!jwt_date(claims, "iat", &iat) || iat > now_s + ASSERTION_LEEWAY_S)
			return false;
		/* Some libraries write an hour; it counts for minutes from when it was made. */
		if (exp - ASSERTION_LIFE_MAX_S > iat)
			exp = iat + ASSERTION_LIFE_MAX_S;
	}
	if (exp + ASSERTION_LEEWAY_S <= now_s ||
	    exp > now_s + ASSERTION_LIFE_MAX_S + ASSERTION_LEEWAY_S)
		return false;
	*ret_expires_s = exp;
	return true;
}

static bool
is_signed(const struct jws *j, struct bytes keys)
{
	struct jwks *set = NULL;

	if (keys.len == 0 || failed(jwks_parse(keys, &set, NULL)))
		return false;

	const struct jwk *key = jwks_find(set, j->kid, j->alg);
	bool good = key != NULL && !failed(jws_verify(j, key));

	jwks_free(set);
	return good;
}

/* The row is there as long as the assertion could be shown again. */
static struct err
use_up(struct issuer_store *s, struct bytes client_id, struct bytes jti, int64_t expires_s)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	CLEANUP(buf_done) struct buf name = { 0 };
	struct digest hash;

	buf_put_counted(&name, client_id);
	buf_put(&name, jti);
	TRY(buf_check(&name));
	TRY(digest_of(buf_bytes(&name), &hash));
	statement_start(&q, s, "INSERT INTO assertion (hash, expires_s) VALUES (?1, ?2)");
	statement_blob(&q, 1, digest_bytes(&hash));
	statement_int(&q, 2, expires_s + ASSERTION_LEEWAY_S + 1);

	struct err e = statement_run(&q);

	return e.kind == ERR_CONFLICT ? refuse(CLIENT_ASSERTION_USED) : e;
}

struct err
assertion_check(const struct issuer *i, const struct client *c, struct bytes assertion,
                int64_t now_s, struct arena *arena)
{
	struct jws j = { 0 };
	struct bytes jti = { 0 };
	int64_t expires_s;

	if (failed(jws_parse(assertion, arena, &j)) || j.payload == NULL ||
	    !is_assertion_type(j.typ) || !member_is(j.payload, "iss", c->id) ||
	    !member_is(j.payload, "sub", c->id) || !is_for_us(i, json_member(j.payload, "aud")) ||
	    !is_timely(j.payload, now_s, &expires_s) ||
	    !json_string(json_member(j.payload, "jti"), &jti) || jti.len == 0 ||
	    jti.len > ASSERTION_JTI_MAX || !is_signed(&j, c->jwks))
		return refuse(CLIENT_ASSERTION);
	return use_up(i->store, c->id, jti, expires_s);
}
