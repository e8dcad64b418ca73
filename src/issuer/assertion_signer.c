/* assertion_signer.c - see assertion_signer.h. A worker says of whom and for whom the assertion is,
 * for only it has verified the caller; when and until when it holds, and under which name, is said
 * here. */
#include "issuer/assertion_signer.h"

#include <stdlib.h>

#include "base/macros.h"
#include "format/json.h"
#include "issuer/keys.h"
#include "issuer/opaque.h"

enum { DEFAULT_ROTATION_S = 30 * 86400, ASSERTION_JTI_LEN = 16 };

struct assertion_signer {
	const struct settings *settings; /* borrowed */
	struct issuer_store *store;      /* borrowed */
	struct key_ring ring;            /* owned */
};

bool
assertion_signer_is_needed(const struct settings *settings)
{
	if (settings->route_count != 0)
		return true;
	for (size_t i = 0; i < settings->backend_count; i++)
		if (settings->backends[i].type == BACKEND_HTTP)
			return true;
	return false;
}

/* As often as the local issuer's, so that there is one rhythm to know of. */
static int64_t
rotation_s(const struct settings *settings)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		if (settings->issuers[i].type == ISSUER_LOCAL)
			return settings->issuers[i].key_rotation_s;
	return DEFAULT_ROTATION_S;
}

struct err
assertion_signer_open(const struct settings *settings, struct issuer_store *store, int64_t now_s,
                      struct assertion_signer **ret)
{
	struct assertion_signer *a = calloc(1, sizeof *a);
	bool changed;

	if (a == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*a = (struct assertion_signer){ .settings = settings, .store = store };

	struct err e = assertion_signer_rotate(a, now_s, &changed);

	if (failed(e))
		assertion_signer_close(a);
	else
		*ret = a;
	return e;
}

void
assertion_signer_close(struct assertion_signer *a)
{
	if (a == NULL)
		return;
	key_ring_done(&a->ring);
	free(a);
}

struct err
assertion_signer_rotate(struct assertion_signer *a, int64_t now_s, bool *ret_changed)
{
	/* No issuer can have this name in a configuration. */
	const struct key_plan plan = { "@assertion", ALG_ES256, rotation_s(a->settings) };

	return key_ring_rotate(&a->ring, a->store, &plan, now_s, ret_changed);
}

void
assertion_signer_put_jwks(const struct assertion_signer *a, struct buf *out)
{
	key_ring_put_jwks(&a->ring, out);
}

static struct err
check_claims(const struct json *claims)
{
	static const char *const ours[] = { "iss", "iat", "nbf", "exp", "jti" };

	if (claims->type != JSON_OBJECT)
		return fail(ERR_PEER, "an assertion is no object");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (json_member(claims, ours[i]) != NULL)
			return fail(ERR_PEER, "an assertion says what only its signer may");
	if (json_member_text(claims, "aud").len == 0 || json_member_text(claims, "sub").len == 0)
		return fail(ERR_PEER, "an assertion of nobody, or for nobody");
	return OK;
}

static void
put_claims(struct buf *out, const struct assertion_signer *a, const struct json *claims,
           int64_t now_s, int64_t life_s)
{
	buf_put_text(out, "{\"iss\":");
	json_put_string(out, bytes_text(a->settings->public_url));
	for (const struct json *name = json_first(claims); name != NULL;
	     name = json_next(claims, name)) {
		buf_put_u8(out, ',');
		json_put_string(out, name->text);
		buf_put_u8(out, ':');
		json_put_value(out, name + 1);
	}
	buf_put_text(out, ",\"iat\":");
	buf_put_decimal(out, now_s);
	buf_put_text(out, ",\"nbf\":");
	buf_put_decimal(out, now_s);
	buf_put_text(out, ",\"exp\":");
	buf_put_decimal(out, now_s + life_s);
	buf_put_text(out, ",\"jti\":\"");
	name_make(out, ASSERTION_JTI_LEN);
	buf_put_text(out, "\"}");
}

static struct err
read_life(struct bytes text, int64_t *ret)
{
	uint64_t life;

	TRY(bytes_to_u64(text, &life));
	if (life == 0)
		return fail(ERR_PEER, "an assertion without life");
	*ret = life < ASSERTION_LIFE_MAX_S ? (int64_t)life : ASSERTION_LIFE_MAX_S;
	return OK;
}

static struct err
sign(struct assertion_signer *a, const struct ask *ask, int64_t now_s, struct arena *arena,
     struct reply *ret)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct signing_key *key = key_ring_current(&a->ring, now_s);
	const struct json *claims;
	int64_t life_s;

	if (key == NULL)
		return fail(ERR_UPSTREAM, "there is no key for assertions");
	if (ask->fields[ASK_DATA].len > ASK_ASSERTION_MAX)
		return fail(ERR_PEER, "an assertion is too long");
	TRY(read_life(ask->fields[ASK_LIFE], &life_s));
	TRY(json_parse(ask->fields[ASK_DATA], arena, &claims, NULL));
	TRY(check_claims(claims));
	put_claims(&text, a, claims, now_s, life_s);
	TRY(buf_check(&text));
	ret->expires_in_s = (unsigned)life_s;
	return signing_key_sign(key, "gatewarden-assertion+jwt", buf_bytes(&text),
	                        &ret->fields[ANSWER_ACCESS_TOKEN]);
}

struct err
assertion_signer_answer(struct assertion_signer *a, const struct ask *ask, int64_t now_s,
                        struct reply *ret)
{
	struct arena arena = { 0 };
	struct err e = sign(a, ask, now_s, &arena, ret);

	arena_done(&arena);
	return e;
}
