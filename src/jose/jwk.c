/* jwk.c - see jwk.h. Reads the members of each key; the numbers are judged in key.c. */
#include "jose/jwk.h"

#include <stdlib.h>

#include "base/macros.h"
#include "format/base64.h"
#include "jose/jws.h"
#include "jose/key.h"
#include "jose/verifier.h"

enum { KEY_VERIFIERS_MAX = 6, REFUSED_KID_MAX = 64 };

struct jwk {
	EVP_PKEY *key; /* owned */
	enum key_kind kind;
	struct bytes kid;    /* in the set's arena; empty when absent */
	struct bytes issuer; /* likewise */
	unsigned algs;       /* enum jws_alg_bit */
	size_t verifier_count;
	struct verifier verifiers[KEY_VERIFIERS_MAX]; /* one for each bit of algs */
};

struct jwks {
	struct arena arena;
	struct jwk *keys; /* in the arena */
	size_t count;
};

static void
arena_drop(struct arena *a)
{
	arena_done(a);
}

static void
jwk_done(struct jwk *k)
{
	for (size_t i = 0; i < k->verifier_count; i++)
		verifier_done(&k->verifiers[i]);
	EVP_PKEY_free(k->key);
	*k = (struct jwk){ 0 };
}

/* An optional member that must be a text that is not empty. */
static struct err
read_text(const struct json *object, const char *name, struct bytes *ret)
{
	const struct json *member = json_member(object, name);

	*ret = (struct bytes){ NULL, 0 };
	if (member != NULL && (!json_string(member, ret) || ret->len == 0))
		return fail(ERR_PEER, "kid, use, alg or issuer is no text");
	return OK;
}

/* A required member that is base64url of a number. */
static struct err
read_number(const struct json *object, const char *name, struct arena *arena, struct bytes *ret)
{
	struct bytes text;
	size_t len;

	if (!json_string(json_member(object, name), &text) || text.len == 0)
		return fail(ERR_PEER, "a number of the key is missing");

	uint8_t *at = arena_alloc(arena, text.len);
	if (at == NULL)
		return fail(ERR_LIMIT, "a number of the key is too long");
	if (failed(base64url_decode(text, at, text.len, &len)))
		return fail(ERR_PEER, "a number of the key is no base64url");
	*ret = (struct bytes){ at, len };
	return OK;
}

/* RFC 7518 sections 6.2.2, 6.3.2, 6.4: whoever publishes these has lost the key. */
static struct err
refuse_private(const struct json *object)
{
	static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (json_member(object, names[i]) != NULL)
			return fail(ERR_PEER, "the set shows a private or symmetric key");
	return OK;
}

/* RFC 7517 section 4.3: an array of texts. */
static bool
operations_verify(const struct json *operations)
{
	struct bytes text;
	bool found = false;

	if (operations->type != JSON_ARRAY)
		return false;
	for (const struct json *i = json_first(operations); i != NULL;
	     i = json_next(operations, i)) {
		if (!json_string(i, &text))
			return false;
		found |= bytes_is(text, "verify");
	}
	return found;
}

static struct err
read_purpose(const struct json *object)
{
	const struct json *operations = json_member(object, "key_ops");
	struct bytes use;

	TRY(read_text(object, "use", &use));
	if (use.len != 0 && !bytes_is(use, "sig"))
		return fail(ERR_PEER, "the key is not for signatures (use)");
	if (operations != NULL && !operations_verify(operations))
		return fail(ERR_PEER, "the key is not for verifying (key_ops)");
	return OK;
}

static struct err
read_kind(const struct json *object, enum key_kind *ret)
{
	struct bytes kty, crv = json_member_text(object, "crv"); /* empty: matches no curve */

	if (!json_string(json_member(object, "kty"), &kty))
		return fail(ERR_PEER, "kty is missing");
	for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
		const struct key_kind_info *info = key_kind_info(kind);

		if (!bytes_is(kty, info->kty) || (info->crv != NULL && !bytes_is(crv, info->crv)))
			continue;
		*ret = kind;
		return OK;
	}
	return fail(ERR_PEER, "unknown kty or crv");
}

/* The member `alg` pins the key to one algorithm; without it the kind decides. */
static struct err
read_algs(const struct json *object, enum key_kind kind, unsigned *ret)
{
	struct bytes name;

	TRY(read_text(object, "alg", &name));
	if (name.len == 0) {
		*ret = algs_of_kind(kind);
		return OK;
	}

	const struct alg *alg = alg_named(name);
	if (alg == NULL || alg->kind != kind)
		return fail(ERR_PEER, "alg does not fit the key");
	*ret = (unsigned)alg->bit;
	return OK;
}

static struct err
read_key(const struct json *object, enum key_kind kind, struct arena *arena, EVP_PKEY **ret)
{
	struct bytes first, second;

	TRY(read_number(object, kind == KEY_RSA ? "n" : "x", arena, &first));
	if (kind == KEY_ED25519)
		return key_ed25519(first, ret);
	TRY(read_number(object, kind == KEY_RSA ? "e" : "y", arena, &second));
	return kind == KEY_RSA ? key_rsa(first, second, ret) : key_ec(kind, first, second, ret);
}

static struct err
prepare_verifiers(struct jwk *k)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		const struct alg *alg = alg_at(i);

		if (!jwk_fits(k, alg->bit))
			continue;
		TRY(verifier_init(&k->verifiers[k->verifier_count], alg, k->key));
		k->verifier_count++;
	}
	return OK;
}

static struct err
keep_text(struct arena *arena, struct bytes text, struct bytes *ret)
{
	*ret = arena_copy(arena, text);
	return ret->len == text.len ? OK : fail(ERR_LIMIT, "out of memory for a key set");
}

/* What says whether a key is one of ours to use at all, then its numbers. On failure *k may hold
 * parts: jwk_done(). */
static struct err
read_public(struct jwk *k, const struct json *object, struct arena *scratch)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return fail(ERR_PEER, "a key is no object");
	TRY(read_kind(object, &k->kind));
	TRY(refuse_private(object));
	TRY(read_purpose(object));
	TRY(read_algs(object, k->kind, &k->algs));
	return read_key(object, k->kind, scratch, &k->key);
}

/* `scratch` is for the parsing only. */
static struct err
jwk_read(struct jwk *k, const struct json *object, struct arena *scratch, struct arena *arena)
{
	struct bytes kid, issuer;

	TRY(read_public(k, object, scratch));
	TRY(read_text(object, "kid", &kid));
	TRY(read_text(object, "issuer", &issuer));
	TRY(keep_text(arena, kid, &k->kid));
	TRY(keep_text(arena, issuer, &k->issuer));
	return prepare_verifiers(k);
}

struct err
jwk_new(const struct json *object, enum jws_alg_bit alg, struct jwk **ret)
{
	struct arena scratch CLEANUP(arena_drop) = { 0 };
	struct jwk *k = calloc(1, sizeof *k);

	if (k == NULL)
		return fail(ERR_SYSTEM, "out of memory for a key");

	struct err e = read_public(k, object, &scratch);
	k->algs &= (unsigned)alg;
	if (!failed(e) && k->algs == 0)
		e = fail(ERR_PEER, "alg does not fit the key");
	if (!failed(e))
		e = prepare_verifiers(k);
	if (failed(e)) {
		jwk_free(k);
		return e;
	}
	*ret = k;
	return OK;
}

void
jwk_free(struct jwk *k)
{
	if (k == NULL)
		return;
	jwk_done(k);
	free(k);
}

static void
note_refused(struct buf *refused, size_t index, const struct json *object, const char *why)
{
	struct bytes kid;

	if (refused == NULL)
		return;
	buf_printf(refused, "key %zu", index + 1);
	if (json_string(json_member(object, "kid"), &kid)) {
		buf_put_u8(refused, ' ');
		json_put_string(refused, bytes_slice(kid, 0, REFUSED_KID_MAX));
	}
	buf_printf(refused, ": %s\n", why);
}

static struct err
find_keys(struct bytes text, struct arena *scratch, const struct json **ret)
{
	const struct json *document, *keys;

	if (text.len > JWKS_BYTES_MAX)
		return fail(ERR_LIMIT, "the key set is larger than 1 MiB");
	TRY(json_parse(text, scratch, &document, NULL));
	keys = json_member(document, "keys");
	if (keys == NULL || keys->type != JSON_ARRAY)
		return fail(ERR_PEER, "no key set: the member `keys` is missing or no array");
	if (keys->count > JWKS_KEYS_MAX)
		return fail(ERR_LIMIT, "the key set holds more than 100 keys");
	*ret = keys;
	return OK;
}

struct err
jwks_parse(struct bytes text, struct jwks **ret, struct buf *refused)
{
	struct arena scratch CLEANUP(arena_drop) = { 0 };
	const struct json *keys;
	size_t index = 0;

	TRY(find_keys(text, &scratch, &keys));

	struct jwks *set = calloc(1, sizeof *set);
	if (set == NULL)
		return fail(ERR_SYSTEM, "out of memory for a key set");
	set->keys = arena_array(&set->arena, keys->count, sizeof *set->keys);
	if (set->keys == NULL) {
		jwks_free(set);
		return fail(ERR_SYSTEM, "out of memory for a key set");
	}
	for (const struct json *i = json_first(keys); i != NULL; i = json_next(keys, i), index++) {
		struct jwk *k = &set->keys[set->count];
		struct err e = jwk_read(k, i, &scratch, &set->arena);

		if (failed(e)) {
			jwk_done(k);
			note_refused(refused, index, i, e.why);
			continue;
		}
		set->count++;
	}
	*ret = set;
	return OK;
}

void
jwks_free(struct jwks *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		jwk_done(&s->keys[i]);
	arena_done(&s->arena);
	free(s);
}

size_t
jwks_count(const struct jwks *s)
{
	return s->count;
}

const struct jwk *
jwks_at(const struct jwks *s, size_t index)
{
	return &s->keys[index];
}

/* A key that may be used with one algorithm only names it: reading it back pins it again. */
static void
put_key(struct buf *out, const struct jwk *k)
{
	const struct alg *pinned = alg_of((enum jws_alg_bit)k->algs);

	buf_put_u8(out, '{');
	(void)key_put_members(k->key, k->kind,
	                      out); /* only for want of memory: the reader sees it */
	json_put_text_if_any(out, "use", BYTES("sig"));
	json_put_text_if_any(out, "kid", k->kid);
	json_put_text_if_any(out, "alg",
	                     pinned == NULL ? (struct bytes){ 0 } : bytes_text(pinned->name));
	json_put_text_if_any(out, "issuer", k->issuer);
	buf_put_u8(out, '}');
}

void
jwks_put(const struct jwks *s, struct buf *out)
{
	buf_put_text(out, "{\"keys\":[");
	for (size_t i = 0; i < s->count; i++) {
		if (i != 0)
			buf_put_u8(out, ',');
		put_key(out, &s->keys[i]);
	}
	buf_put_text(out, "]}");
}

const struct jwk *
jwks_find(const struct jwks *s, struct bytes kid, enum jws_alg_bit alg)
{
	const struct jwk *found = NULL;

	for (size_t i = 0; i < s->count; i++) {
		const struct jwk *k = &s->keys[i];

		if (!jwk_fits(k, alg) || (kid.len != 0 && !bytes_equal(k->kid, kid)))
			continue;
		if (found != NULL)
			return NULL;
		found = k;
	}
	return found;
}

struct bytes
jwk_issuer(const struct jwk *k)
{
	return k->issuer;
}

struct err
jwk_thumbprint(const struct jwk *k, char ret[JWK_THUMBPRINT_LEN + 1])
{
	return key_thumbprint(k->key, k->kind, ret);
}

bool
jwk_fits(const struct jwk *k, enum jws_alg_bit alg)
{
	return (k->algs & (unsigned)alg) != 0;
}

struct err
jwk_verify(const struct jwk *key, enum jws_alg_bit alg, struct bytes message,
           struct bytes signature)
{
	for (size_t i = 0; i < key->verifier_count; i++) {
		if (key->verifiers[i].alg->bit != alg)
			continue;
		if (verifier_accepts(&key->verifiers[i], message, signature))
			return OK;
		return fail(ERR_IDENTITY, "the signature is not of this key");
	}
	return fail(ERR_IDENTITY, "the key is not for this algorithm");
}
