/* issuer.c - one local issuer: opened on its store, its keys kept up to date, its access tokens
 * signed. Sessions (refresh families) are refresh.c's. */
#include "issuer/access.h"

#include <stdlib.h>

#include "base/random.h"
#include "format/base64.h"
#include "format/json.h"

enum { JTI_LEN = 16 };

static struct err
issuer_fill(struct issuer *i, int64_t now_s)
{
	bool changed;

	TRY(issuer_store_shared_key(i->store, "refresh_successor", &i->successor_key));
	return issuer_rotate(i, now_s, &changed);
}

struct err
issuer_open(const struct settings *settings, unsigned index, struct issuer_store *store,
            int64_t now_s, struct issuer **ret)
{
	if (index >= settings->issuer_count || settings->issuers[index].type != ISSUER_LOCAL)
		return fail(ERR_CONFIG, "only an issuer of type local can issue");

	struct issuer *i = calloc(1, sizeof *i);

	if (i == NULL)
		return fail(ERR_SYSTEM, "out of memory for an issuer");
	*i = (struct issuer){ .settings = settings,
		              .own = &settings->issuers[index],
		              .store = store };

	struct err e = issuer_fill(i, now_s);

	if (failed(e)) {
		issuer_close(i);
		return e;
	}
	*ret = i;
	return OK;
}

void
issuer_close(struct issuer *i)
{
	if (i == NULL)
		return;
	key_ring_done(&i->ring);
	secret_done(&i->successor_key);
	free(i);
}

struct err
issuer_rotate(struct issuer *i, int64_t now_s, bool *ret_changed)
{
	return key_ring_rotate(&i->ring, i->store, i->own, now_s, ret_changed);
}

void
issuer_put_jwks(const struct issuer *i, struct buf *out)
{
	key_ring_put_jwks(&i->ring, out);
}

void
issued_done(struct issued *t)
{
	buf_wipe(&t->access_token);
	buf_wipe(&t->refresh_token);
	buf_done(&t->subject);
	buf_done(&t->name);
	t->expires_in_s = 0;
}

/* Access tokens */

unsigned
access_life_s(const struct issuer *i)
{
	unsigned wanted = i->own->access_token_ttl_s;

	return wanted < ACCESS_TOKEN_LIFE_MAX_S ? wanted : ACCESS_TOKEN_LIFE_MAX_S;
}

static void
put_member(struct buf *out, const char *name, struct bytes text)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	json_put_string(out, text);
}

static void
put_date(struct buf *out, const char *name, int64_t seconds)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	buf_put_decimal(out, seconds);
}

/* RFC 7519 section 4.1.3: one audience is a string, which every library understands. */
static void
put_audience(struct buf *out, const struct issuer_settings *own)
{
	if (own->audience_count == 1) {
		put_member(out, "aud", bytes_text(own->audience[0]));
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

	buf_put_u8(out, ',');
	json_put_string(out, bytes_text(own->roles_claim));
	buf_put_text(out, ":[");
	while (roles.len > 0) {
		size_t len = bytes_find(roles, ' ');

		if (len > 0) {
			buf_put_text(out, before);
			json_put_string(out, bytes_slice(roles, 0, len));
			before = ",";
		}
		roles = bytes_slice(roles, len + 1, roles.len);
	}
	buf_put_u8(out, ']');
}

static void
put_jti(struct buf *out)
{
	uint8_t raw[JTI_LEN];

	random_fill(raw, sizeof raw);
	buf_put_text(out, ",\"jti\":\"");
	base64url_put(out, (struct bytes){ raw, sizeof raw });
	buf_put_u8(out, '"');
}

struct err
access_sign(const struct issuer *i, const struct access *a, int64_t now_s, struct buf *out)
{
	CLEANUP(buf_wipe) struct buf claims = { 0 };
	const struct signing_key *key = key_ring_current(&i->ring, now_s);

	if (key == NULL)
		return fail(ERR_UPSTREAM, "there is no signing key");
	buf_put_text(&claims, "{\"iss\":");
	json_put_string(&claims, bytes_text(i->settings->public_url));
	put_member(&claims, "sub", a->subject);
	put_member(&claims, "preferred_username", a->name);
	put_audience(&claims, i->own);
	put_date(&claims, "exp", now_s + access_life_s(i));
	put_date(&claims, "iat", now_s);
	put_date(&claims, "nbf", now_s);
	put_jti(&claims);
	put_member(&claims, "client_id", a->client_id);
	put_date(&claims, "auth_time", a->auth_s);
	put_roles(&claims, i->own, a->roles);
	buf_put_u8(&claims, '}');
	TRY(buf_check(&claims));
	return signing_key_sign(key, "at+jwt", buf_bytes(&claims), out);
}
