/* access.c - see access.h: the claims of access tokens (RFC 9068) and ID tokens, signed. */
#include "issuer/access.h"

#include <openssl/evp.h>

#include "base/clock.h"
#include "format/base64.h"
#include "format/json.h"
#include "issuer/opaque.h"
#include "issuer/words.h"

unsigned
access_life_s(const struct issuer *i, const struct access *a)
{
	int64_t life = i->own->access_token_ttl_s;

	if (life > ACCESS_TOKEN_LIFE_MAX_S)
		life = ACCESS_TOKEN_LIFE_MAX_S;
	if (a->life_s > 0 && a->life_s < life)
		life = a->life_s;
	return (unsigned)life;
}

static void
put_number(struct buf *out, const char *name, int64_t number)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	buf_put_decimal(out, number);
}

/* RFC 7519 section 4.1.3: one audience is a string, which every library understands. */
static void
put_audience(struct buf *out, const struct issuer_settings *own)
{
	if (own->audience_count == 1) {
		json_put_text(out, "aud", bytes_text(own->audience[0]));
		return;
	}
	buf_put_text(out, ",\"aud\":[");
	for (size_t i = 0; i < own->audience_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		json_put_string(out, bytes_text(own->audience[i]));
	}
	buf_put_u8(out, ']');
}

/* Under the name our own workers look for; "roles" (RFC 9068 section 2.2.3.1) unless configured
 * otherwise. */
static void
put_roles(struct buf *out, const struct issuer_settings *own, struct bytes roles)
{
	const char *before = "";
	struct bytes role;

	buf_put_u8(out, ',');
	json_put_string(out, bytes_text(own->roles_claim));
	buf_put_text(out, ":[");
	for (; words_next(&roles, &role); before = ",") {
		buf_put_text(out, before);
		json_put_string(out, role);
	}
	buf_put_u8(out, ']');
}

static void
put_jti(struct buf *out, struct bytes jti)
{
	buf_put_text(out, ",\"jti\":\"");
	if (jti.len > 0)
		buf_put(out, jti);
	else
		name_make(out, JTI_LEN);
	buf_put_u8(out, '"');
}

/* RFC 7800: the holder must prove each of them. */
static void
put_binding(struct buf *out, const struct access *a)
{
	if (a->key.len == 0 && a->certificate.len == 0)
		return;
	buf_put_text(out, ",\"cnf\":{");
	if (a->key.len > 0) {
		json_put_name(out, "jkt");
		json_put_string(out, a->key);
	}
	if (a->key.len > 0 && a->certificate.len > 0)
		buf_put_u8(out, ',');
	if (a->certificate.len > 0) {
		json_put_name(out, "x5t#S256");
		json_put_string(out, a->certificate);
	}
	buf_put_u8(out, '}');
}

static void
put_dates(struct buf *out, const struct issuer *i, const struct access *a, int64_t now_s)
{
	put_number(out, "exp", now_s + access_life_s(i, a));
	put_number(out, "iat", now_s);
	if (a->auth_s > 0)
		put_number(out, "auth_time", a->auth_s);
}

struct err
access_put_claims(const struct issuer *i, const struct access *a, int64_t now_s, struct buf *out)
{
	buf_put_text(out, "{\"iss\":");
	json_put_string(out, bytes_text(i->settings->public_url));
	json_put_text(out, "sub", a->subject);
	json_put_text(out, "preferred_username", a->name);
	put_audience(out, i->own);
	put_dates(out, i, a, now_s);
	put_number(out, "nbf", now_s);
	put_jti(out, a->jti);
	json_put_text_if_any(out, "sid", a->sid);
	put_number(out, "gen", a->generation);
	json_put_text(out, "client_id", a->client_id);
	if (a->is_app)
		json_put_text(out, "idtyp", BYTES("app"));
	json_put_text(out, "scope", a->roles);
	put_roles(out, i->own, a->roles);
	json_put_text_if_any(out, "resource", a->resource);
	put_binding(out, a);
	if (a->act.len > 0) {
		buf_put_text(out, ",\"act\":");
		buf_put(out, a->act);
	}
	buf_put_u8(out, '}');
	return buf_check(out);
}

static struct err
sign(const struct issuer *i, const char *typ, struct bytes claims, int64_t now_s, struct buf *out)
{
	const struct signing_key *key = key_ring_current(&i->ring, now_s);

	if (key == NULL)
		return fail(ERR_UPSTREAM, "there is no signing key");
	return signing_key_sign(key, typ, claims, out);
}

struct err
access_sign(const struct issuer *i, const struct access *a, int64_t now_s, struct buf *out)
{
	CLEANUP(buf_wipe) struct buf claims = { 0 };

	TRY(access_put_claims(i, a, now_s, &claims));
	return sign(i, "at+jwt", buf_bytes(&claims), now_s, out);
}

/* OpenID Connect Core section 3.1.3.6: the left half of the hash that goes with the algorithm;
 * SHA-512 with Ed25519. It also marks the token as no access token, for those who look. */
static struct err
put_token_hash(const struct issuer *i, struct bytes access_token, int64_t now_s, struct buf *out)
{
	const struct signing_key *key = key_ring_current(&i->ring, now_s);
	bool is_long = key != NULL && signing_key_alg(key) == ALG_EDDSA;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(access_token.at, access_token.len, hash, &len,
	               is_long ? EVP_sha512() : EVP_sha256(), NULL) != 1)
		return fail(ERR_SYSTEM, "SHA-2 does not work");
	buf_put_text(out, ",\"at_hash\":\"");
	base64url_put(out, (struct bytes){ hash, len / 2 });
	buf_put_u8(out, '"');
	return OK;
}

struct err
id_token_sign(const struct issuer *i, const struct access *a, struct bytes access_token,
              int64_t now_s, struct buf *out)
{
	CLEANUP(buf_wipe) struct buf claims = { 0 };

	buf_put_text(&claims, "{\"iss\":");
	json_put_string(&claims, bytes_text(i->settings->public_url));
	json_put_text(&claims, "sub", a->subject);
	json_put_text(&claims, "aud", a->client_id);
	json_put_text(&claims, "azp", a->client_id);
	put_dates(&claims, i, a, now_s);
	json_put_text_if_any(&claims, "nonce", a->nonce);
	json_put_text(&claims, "preferred_username", a->name);
	json_put_text_if_any(&claims, "sid", a->sid);
	TRY(put_token_hash(i, access_token, now_s, &claims));
	buf_put_u8(&claims, '}');
	TRY(buf_check(&claims));
	return sign(i, "JWT", buf_bytes(&claims), now_s, out);
}
