/* claims.c - see claims.h. */
#include "identity/claims.h"

static bool
is_whole(struct bytes number)
{
	for (size_t i = 0; i < number.len; i++)
		if (number.at[i] != '-' && (number.at[i] < '0' || number.at[i] > '9'))
			return false;
	return true;
}

/* A number is an int64 where it can be one; a whole number beyond that would lose digits as a
 * double. */
static bool
scalar(const struct json *item, struct value *ret)
{
	struct value v = { .type = VALUE_NULL };

	if (json_string(item, &v.bytes))
		v.type = VALUE_TEXT;
	else if (json_bool(item, &v.boolean))
		v.type = VALUE_BOOL;
	else if (json_int64(item, &v.int64))
		v.type = VALUE_INT64;
	else if (item->type == JSON_NUMBER && !is_whole(item->text) && json_double(item, &v.real))
		v.type = VALUE_DOUBLE;
	else
		return false;
	*ret = v;
	return true;
}

size_t
claim_values(const struct json *claim, struct value *ret, size_t max)
{
	size_t count = 0;

	if (claim == NULL || max == 0)
		return 0;
	if (claim->type != JSON_ARRAY)
		return scalar(claim, ret) ? 1 : 0;
	if (claim->count > max)
		return 0;
	for (const struct json *i = json_first(claim); i != NULL; i = json_next(claim, i))
		if (!scalar(i, &ret[count++]))
			return 0;
	return count;
}
