/* jws.c - see jws.h. RFC 7515 sections 3.1, 4.1, 5.2 and 7.1; nothing else is a token here. */
#include "jose/jws.h"

#include "format/base64.h"
#include "jose/alg.h"
#include "jose/jwt.h"

static struct err
refuse(enum jwt_check check, const char *why)
{
	return (struct err){ .kind = ERR_IDENTITY,
		             .code = (unsigned)check & 0xffffffu,
		             .why = why };
}

const char *
jws_alg_name(enum jws_alg_bit alg)
{
	const struct alg *row = alg_of(alg);

	return row == NULL ? NULL : row->name;
}

unsigned
jws_alg_from(struct bytes name)
{
	const struct alg *row = alg_named(name);

	return row == NULL ? 0 : (unsigned)row->bit;
}

/* Looks for two dots and makes sure that there is no third: 100,000 dots cost three searches. */
static struct err
split(struct bytes token, struct bytes parts[3])
{
	struct bytes rest = token;

	if (token.len > JWS_BYTES_MAX)
		return refuse(JWT_FORM, "the token is too long");
	for (size_t i = 0; i < 2; i++) {
		size_t dot = bytes_find(rest, '.');

		if (dot == rest.len)
			return refuse(JWT_FORM, "the token has not three parts");
		parts[i] = bytes_slice(rest, 0, dot);
		rest = bytes_slice(rest, dot + 1, rest.len);
	}
	if (bytes_find(rest, '.') != rest.len)
		return refuse(JWT_FORM, "the token has not three parts");
	parts[2] = rest;
	return OK;
}

/* All three into one run of memory, which base64 only makes shorter. */
static struct err
decode(const struct bytes parts[3], struct arena *arena, struct bytes decoded[3])
{
	size_t room = parts[0].len + parts[1].len + parts[2].len;
	uint8_t *at = arena_alloc(arena, room + 1);

	if (at == NULL)
		return refuse(JWT_FORM, "the token is too long");
	for (size_t i = 0; i < 3; i++) {
		size_t len;

		if (failed(base64url_decode(parts[i], at, room, &len)))
			return refuse(JWT_FORM, "a part of the token is not canonical base64url");
		decoded[i] = (struct bytes){ at, len };
		at += len, room -= len;
	}
	return OK;
}

/* A member that, where there is one, must be a text that is not empty. */
static bool
read_text(const struct json *header, const char *name, struct bytes *ret)
{
	const struct json *member = json_member(header, name);

	return member == NULL || (json_string(member, ret) && ret->len != 0);
}

static struct err
read_header(const struct json *header, struct jws *j)
{
	/* RFC 7515 section 4.1.11: we understand no extension, so any `crit` names one we do not.
	 */
	if (json_member(header, "crit") != NULL)
		return refuse(JWT_HEADER, "the token demands an extension (crit)");
	/* RFC 7797 section 7 allows b64 only with crit, and RFC 7519 has no use for it. */
	if (json_member(header, "b64") != NULL)
		return refuse(JWT_HEADER, "the payload of the token is not encoded (b64)");
	if (!read_text(header, "kid", &j->kid))
		return refuse(JWT_HEADER, "the kid of the token is no text");
	if (!read_text(header, "typ", &j->typ))
		return refuse(JWT_HEADER, "the typ of the token is no text");
	return OK;
}

static struct err
read_alg(const struct json *header, enum jws_alg_bit *ret)
{
	struct bytes name;

	if (!json_string(json_member(header, "alg"), &name))
		return refuse(JWT_ALGORITHM, "the token names no algorithm");

	unsigned alg = jws_alg_from(name);
	if (alg == 0)
		return refuse(JWT_ALGORITHM, "the algorithm of the token is not accepted");
	*ret = (enum jws_alg_bit)alg;
	return OK;
}

struct err
jws_parse(struct bytes token, struct arena *arena, struct jws *ret)
{
	struct bytes parts[3], decoded[3];
	const struct json *payload;

	*ret = (struct jws){ 0 };
	TRY(split(token, parts));
	TRY(decode(parts, arena, decoded));
	ret->signing_input = bytes_slice(token, 0, parts[0].len + 1 + parts[1].len);
	ret->payload_bytes = decoded[1];
	ret->signature = decoded[2];
	if (failed(json_parse(decoded[0], arena, &ret->header, NULL)) ||
	    ret->header->type != JSON_OBJECT) {
		ret->header = NULL;
		return refuse(JWT_HEADER, "the header of the token is no JSON object");
	}
	if (!failed(json_parse(decoded[1], arena, &payload, NULL)) && payload->type == JSON_OBJECT)
		ret->payload = payload;
	TRY(read_header(ret->header, ret));
	return read_alg(ret->header, &ret->alg);
}

struct err
jws_verify(const struct jws *j, const struct jwk *key)
{
	return jwk_verify(key, j->alg, j->signing_input, j->signature);
}
