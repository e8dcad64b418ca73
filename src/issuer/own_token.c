/* own_token.c - see own_token.h. */
#include "issuer/own_token.h"

#include "issuer/revoke.h"
#include "issuer/words.h"
#include "jose/jwt.h"

static int64_t
member_number(const struct json *claims, const char *name)
{
	int64_t number = 0;

	(void)json_int64(json_member(claims, name), &number); /* stays 0: it is not said */
	return number;
}

static struct err
roles_read(const struct json *array, struct arena *arena, struct bytes *ret)
{
	CLEANUP(buf_done) struct buf words = { 0 };
	struct bytes role;

	for (const struct json *one = json_first(array); one != NULL; one = json_next(array, one))
		if (json_string(one, &role))
			words_put(&words, role);
	TRY(buf_check(&words));
	*ret = buf_bytes(&words);
	return bytes_keep(arena, (struct bytes *[]){ ret, NULL });
}

struct err
own_token_read(const struct issuer *i, struct bytes token, struct arena *arena,
               struct own_token *ret)
{
	struct jws j = { 0 };

	if (failed(jws_parse(token, arena, &j)) || j.payload == NULL || !bytes_is(j.typ, "at+jwt"))
		return refuse(SUBJECT_TOKEN);

	const struct jwk *key = jwks_find(i->published, j.kid, j.alg);

	if (key == NULL || failed(jws_verify(&j, key)) ||
	    !bytes_is(json_member_text(j.payload, "iss"), i->settings->public_url))
		return refuse(SUBJECT_TOKEN);
	*ret = (struct own_token){
		.claims = j.payload,
		.text = j.payload_bytes,
		.subject = json_member_text(j.payload, "sub"),
		.name = json_member_text(j.payload, "preferred_username"),
		.client_id = json_member_text(j.payload, "client_id"),
		.sid = json_member_text(j.payload, "sid"),
		.jti = json_member_text(j.payload, "jti"),
		.resource = json_member_text(j.payload, "resource"),
		.expires_s = member_number(j.payload, "exp"),
		.auth_s = member_number(j.payload, "auth_time"),
		.generation = member_number(j.payload, "gen"),
		.is_app = bytes_is(json_member_text(j.payload, "idtyp"), "app"),
	};
	return roles_read(json_member(j.payload, i->own->roles_claim), arena, &ret->roles);
}

/* The user or client as it is now. */
static struct err
subject_is_good(const struct issuer *i, const struct own_token *t, bool *ret)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, i->store,
	                "SELECT 1 FROM user WHERE subject = ?1 AND disabled = 0 AND generation <= "
	                "?2 UNION ALL"
	                " SELECT 1 FROM client WHERE subject = ?1 AND disabled = 0 AND generation "
	                "<= ?2");
	statement_text(&q, 1, t->subject);
	statement_int(&q, 2, t->generation);
	return statement_row(&q, ret);
}

struct err
own_token_check(const struct issuer *i, const struct own_token *t, int64_t now_s)
{
	const char *name = i->own->name;
	bool is_good = false, token = false, login = false;

	if (t->expires_s <= now_s)
		return refuse(SUBJECT_TOKEN);
	TRY(subject_is_good(i, t, &is_good));
	TRY(revocation_has(i->store, REVOKED_TOKEN, name, t->jti, &token));
	TRY(revocation_has(i->store, REVOKED_SESSION, name, t->sid, &login));
	return is_good && !token && !login ? OK : refuse(SUBJECT_REVOKED);
}
