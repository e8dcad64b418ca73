/* vectors.h - what the tests of tokens share: corpus files, hex, key sets without private parts. */
#ifndef VECTORS_H
#define VECTORS_H

#include "base/macros.h"
#include "format/base64.h"
#include "jose/jws.h"
#include "test.h"

struct vectors {
	struct arena arena;
	struct buf text;
	const struct json *root;
};

static inline void
vectors_done(struct vectors *v)
{
	arena_done(&v->arena);
	buf_done(&v->text);
}

/* The bytes of a corpus file; false where the corpora are not here. */
static inline bool
vectors_read(const char *file, struct buf *out)
{
	char *path = test_corpus(file);
	FILE *f = path == NULL ? NULL : fopen(path, "rb");

	free(path);
	if (f == NULL)
		return false;
	for (;;) {
		uint8_t *at = buf_reserve(out, 65536);
		size_t len = at == NULL ? 0 : fread(at, 1, 65536, f);

		if (len == 0)
			break;
		buf_commit(out, len);
	}
	fclose(f);
	return out->len != 0;
}

static inline bool
vectors_load(const char *file, struct vectors *v)
{
	*v = (struct vectors){ .arena.limit = (size_t)256 << 20 };
	if (!vectors_read(file, &v->text))
		return false;
	if (!failed(json_parse(buf_bytes(&v->text), &v->arena, &v->root, NULL)))
		return true;
	printf("# %s is no JSON\n", file);
	test_failed = true;
	vectors_done(v);
	return false;
}

/* Next line of a JSONL file, or an empty slice at its end. */
static inline struct bytes
vectors_line(struct bytes *rest)
{
	size_t end = bytes_find(*rest, '\n');
	struct bytes line = bytes_slice(*rest, 0, end);

	*rest = bytes_slice(*rest, end + 1, rest->len);
	return line;
}

static inline struct bytes
member_text(const struct json *object, const char *name)
{
	struct bytes text = { NULL, 0 };

	(void)json_string(json_member(object, name), &text);
	return text;
}

static inline int
hex_digit(uint8_t c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static inline struct bytes
unhex(struct bytes text, struct arena *arena)
{
	uint8_t *at = arena_alloc(arena, text.len / 2 + 1);

	for (size_t i = 0; i < text.len / 2; i++)
		at[i] = (uint8_t)(hex_digit(text.at[2 * i]) << 4 | hex_digit(text.at[2 * i + 1]));
	return (struct bytes){ at, text.len / 2 };
}

/* `"name":"base64url",` */
static inline void
put_number(struct buf *out, const char *name, struct bytes number)
{
	buf_printf(out, "\"%s\":\"", name);
	base64url_put(out, number);
	buf_put_text(out, "\",");
}

/* One JWK without its private parts, as an issuer would publish it. */
static inline void
put_public(struct buf *out, const struct json *key)
{
	static const char *const private[] = { "d", "p", "q", "dp", "dq", "qi" };
	const char *separator = "{";

	for (const struct json *i = json_first(key); i != NULL; i = json_next(key, i)) {
		bool skip = false;

		for (size_t k = 0; k < ARRAY_LEN(private); k++)
			skip |= bytes_is(i->text, private[k]);
		if (skip)
			continue;
		buf_put_text(out, separator);
		json_put_string(out, i->text);
		buf_put_u8(out, ':');
		json_put_value(out, i + 1);
		separator = ",";
	}
	buf_put_u8(out, '}');
}

/* A key set of one key, or of the keys of a set. Freed by the caller. */
static inline struct jwks *
public_set(const struct json *key_or_set)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	const struct json *keys = json_member(key_or_set, "keys");
	struct jwks *set = NULL;
	const char *separator = "";

	buf_put_text(&text, "{\"keys\":[");
	if (keys == NULL)
		put_public(&text, key_or_set);
	for (const struct json *i = json_first(keys); i != NULL; i = json_next(keys, i)) {
		buf_put_text(&text, separator);
		put_public(&text, i);
		separator = ",";
	}
	buf_put_text(&text, "]}");
	if (failed(jwks_parse(buf_bytes(&text), &set, NULL)))
		return NULL;
	return set;
}

static inline struct jwks *
set_of_text(const char *text)
{
	struct jwks *set = NULL;

	if (failed(jwks_parse(bytes_text(text), &set, NULL)))
		return NULL;
	return set;
}

static inline void
set_drop(struct jwks **set)
{
	jwks_free(*set);
}

static inline void
arena_drop(struct arena *a)
{
	arena_done(a);
}

/* Is the token a compact JWS signed by a key of the set? */
static inline bool
set_accepts(const struct jwks *set, struct bytes token)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct jws j;

	if (set == NULL || failed(jws_parse(token, &arena, &j)))
		return false;

	const struct jwk *key = jwks_find(set, j.kid, j.alg);
	return key != NULL && !failed(jws_verify(&j, key));
}

#endif
