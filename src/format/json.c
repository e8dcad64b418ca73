/* json.c - see json.h: questions about parsed values. */
#include "format/json.h"

#include <math.h>
#include <stdlib.h>

const struct json *
json_first(const struct json *parent)
{
	if (parent == NULL || (parent->type != JSON_ARRAY && parent->type != JSON_OBJECT))
		return NULL;
	return parent->count == 0 ? NULL : parent + 1;
}

const struct json *
json_next(const struct json *parent, const struct json *item)
{
	const struct json *value = parent->type == JSON_OBJECT ? item + 1 : item;
	const struct json *next = value + value->span;

	return next < parent + parent->span ? next : NULL;
}

const struct json *
json_member(const struct json *object, const char *name)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;

	struct bytes wanted = bytes_text(name);
	for (const struct json *i = json_first(object); i != NULL; i = json_next(object, i))
		if (bytes_equal(i->text, wanted))
			return i + 1;
	return NULL;
}

bool
json_string(const struct json *v, struct bytes *ret)
{
	if (v == NULL || v->type != JSON_STRING)
		return false;
	*ret = v->text;
	return true;
}

struct bytes
json_member_text(const struct json *object, const char *name)
{
	struct bytes text = { 0 };

	(void)json_string(json_member(object, name), &text); /* left empty */
	return text;
}

bool
json_int64(const struct json *v, int64_t *ret)
{
	if (v == NULL || v->type != JSON_NUMBER)
		return false;

	bool negative = v->text.at[0] == '-';
	size_t point = bytes_find(v->text, '.');
	uint64_t size;
	if (failed(bytes_to_u64(bytes_slice(v->text, negative, point), &size)))
		return false;
	for (size_t i = point + 1; i < v->text.len; i++)
		if (v->text.at[i] != '0')
			return false;
	if (size > (uint64_t)INT64_MAX + negative)
		return false;
	/* Through unsigned, so that INT64_MIN is defined. */
	*ret = (int64_t)(negative ? 0 - size : size);
	return true;
}

bool
json_double(const struct json *v, double *ret)
{
	char text[1024]; /* strtod() wants an end, and the input has none */

	if (v == NULL || v->type != JSON_NUMBER || v->text.len >= sizeof text)
		return false;
	memcpy(text, v->text.at, v->text.len);
	text[v->text.len] = '\0';

	double value = strtod(text, NULL); /* the program never leaves the C locale */
	if (!isfinite(value))
		return false;
	*ret = value;
	return true;
}

bool
json_bool(const struct json *v, bool *ret)
{
	if (v == NULL || (v->type != JSON_TRUE && v->type != JSON_FALSE))
		return false;
	*ret = v->type == JSON_TRUE;
	return true;
}
