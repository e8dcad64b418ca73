/* claim.c - see claim.h. */
#include "jose/claim.h"

static const struct json *
member_named(const struct json *object, struct bytes name)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *i = json_first(object); i != NULL; i = json_next(object, i))
		if (bytes_equal(i->text, name))
			return i + 1;
	return NULL;
}

const struct json *
claim_find(const struct json *claims, struct bytes path)
{
	const struct json *at = member_named(claims, path);
	size_t dot = bytes_find(path, '.');

	if (at != NULL || dot == path.len)
		return at;
	at = claims;
	for (;;) {
		at = member_named(at, bytes_slice(path, 0, dot));
		if (at == NULL || dot == path.len)
			return at;
		path = bytes_slice(path, dot + 1, path.len);
		dot = bytes_find(path, '.');
	}
}

bool
claim_text(const struct json *claim, struct bytes *ret)
{
	bool truth;

	if (json_string(claim, ret))
		return true;
	if (json_bool(claim, &truth))
		*ret = truth ? BYTES("true") : BYTES("false");
	else if (claim != NULL && claim->type == JSON_NUMBER)
		*ret = claim->text;
	else
		return false;
	return true;
}

bool
claim_holds(const struct json *claim, struct bytes value)
{
	struct bytes text;

	if (claim_text(claim, &text))
		return bytes_equal(text, value);
	if (claim == NULL || claim->type != JSON_ARRAY)
		return false;
	for (const struct json *i = json_first(claim); i != NULL; i = json_next(claim, i))
		if (claim_text(i, &text) && bytes_equal(text, value))
			return true;
	return false;
}

bool
claim_word(struct bytes *words, struct bytes *ret)
{
	while (words->len != 0) {
		size_t space = bytes_find(*words, ' ');

		*ret = bytes_slice(*words, 0, space);
		*words = bytes_slice(*words, space + 1, words->len);
		if (ret->len != 0)
			return true;
	}
	return false;
}
