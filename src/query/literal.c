/* literal.c - see literal.h. */
#include "query/literal.h"

#include <math.h>
#include <stdlib.h>

#include "base/macros.h"
#include "format/moment.h"

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static size_t
digits_from(struct bytes text, size_t at)
{
	size_t end = at;

	while (end < text.len && is_digit(text.at[end]))
		end++;
	return end - at;
}

/* What the spelling of a number says about it. */
struct number {
	bool has_point, has_exponent;
};

/* -?digits[.digits][e[+-]digits] and nothing else. */
static bool
number_read(struct bytes text, struct number *ret)
{
	struct number n = { 0 };
	size_t at = text.len != 0 && text.at[0] == '-' ? 1 : 0;
	size_t digits = digits_from(text, at);

	if (digits == 0 || text.len > LITERAL_NUMBER_MAX)
		return false;
	at += digits;
	if (at < text.len && text.at[at] == '.') {
		digits = digits_from(text, at + 1);
		if (digits == 0)
			return false;
		n.has_point = true;
		at += 1 + digits;
	}
	if (at < text.len && (text.at[at] | 0x20) == 'e') {
		at++;
		if (at < text.len && (text.at[at] == '+' || text.at[at] == '-'))
			at++;
		digits = digits_from(text, at);
		if (digits == 0)
			return false;
		n.has_exponent = true;
		at += digits;
	}
	if (at != text.len)
		return false;
	*ret = n;
	return true;
}

static bool
read_int64(struct bytes text, int64_t *ret)
{
	bool negative = text.at[0] == '-';
	int64_t value = 0;

	/* Counting downwards reaches INT64_MIN. */
	for (size_t i = negative ? 1 : 0; i < text.len; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, (int64_t)(text.at[i] - '0'), &value))
			return false;
	if (!negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*ret = value;
	return true;
}

static bool
read_double(struct bytes text, double *ret)
{
	char copy[LITERAL_NUMBER_MAX + 1] = { 0 };

	memcpy(copy, text.at, text.len); /* number_read() bounded it */
	*ret = strtod(copy, NULL);
	return isfinite(*ret);
}

static bool
fit_number(enum value_type type, struct bytes text, struct value *ret)
{
	struct value v = { .type = type };
	struct number n;

	if (!number_read(text, &n))
		return false;
	if (type == VALUE_DOUBLE || n.has_exponent) {
		v.type = VALUE_DOUBLE;
		if (!read_double(text, &v.real))
			return false;
	} else if (type == VALUE_DECIMAL || n.has_point || !read_int64(text, &v.int64)) {
		v.type = VALUE_DECIMAL;
		v.bytes = text;
	}
	*ret = v;
	return true;
}

static bool
fit_timestamp(struct bytes text, struct arena *arena, struct value *ret)
{
	CLEANUP(buf_done) struct buf whole = { 0 };
	int64_t us;

	buf_put(&whole, text);
	if (moment_is_date(text))
		buf_put_text(&whole, "T00:00:00Z");
	if (failed(buf_check(&whole)) || !moment_parse_timestamp(buf_bytes(&whole), &us))
		return false;
	buf_clear(&whole);
	moment_put_timestamp(&whole, us);
	ret->type = VALUE_TIMESTAMP;
	ret->bytes = arena_copy(arena, buf_bytes(&whole));
	return ret->bytes.len != 0;
}

bool
literal_is_uuid(struct bytes text)
{
	if (text.len != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		uint8_t c = text.at[i], low = (uint8_t)(c | 0x20);
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? c != '-' : !is_digit(c) && (low < 'a' || low > 'f'))
			return false;
	}
	return true;
}

static bool
fit_uuid(struct bytes text, struct arena *arena, struct value *ret)
{
	uint8_t *copy = literal_is_uuid(text) ? arena_alloc(arena, text.len) : NULL;

	if (copy == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = text.at[i] == '-' || is_digit(text.at[i]) ? text.at[i]
		                                                    : (uint8_t)(text.at[i] | 0x20);
	*ret = (struct value){ .type = VALUE_UUID, .bytes = { copy, text.len } };
	return true;
}

static bool
fit_bool(struct bytes text, struct value *ret)
{
	bool yes = bytes_is(text, "true");

	if (!yes && !bytes_is(text, "false"))
		return false;
	*ret = (struct value){ .type = VALUE_BOOL, .boolean = yes };
	return true;
}

static bool
fit_as_is(enum value_type type, struct bytes text, struct value *ret)
{
	*ret = (struct value){ .type = type, .bytes = text };
	return true;
}

bool
literal_fit(enum value_type type, struct bytes text, enum literal_form form, struct arena *arena,
            struct value *ret)
{
	switch (type) {
	case VALUE_BOOL:
		return form != LITERAL_QUOTED && fit_bool(text, ret);
	case VALUE_INT64:
	case VALUE_DECIMAL:
	case VALUE_DOUBLE:
		return form != LITERAL_QUOTED && fit_number(type, text, ret);
	case VALUE_TEXT:
		return form != LITERAL_BARE && fit_as_is(type, text, ret);
	case VALUE_DATE:
		return moment_is_date(text) && fit_as_is(type, text, ret);
	case VALUE_TIME:
		return moment_is_time(text) && fit_as_is(type, text, ret);
	case VALUE_TIMESTAMP:
		return fit_timestamp(text, arena, ret);
	case VALUE_UUID:
		return fit_uuid(text, arena, ret);
	case VALUE_NULL:
	case VALUE_BYTES:
	case VALUE_JSON:
		break;
	}
	return false;
}

static bool
is_number(enum value_type type)
{
	return type == VALUE_INT64 || type == VALUE_DECIMAL || type == VALUE_DOUBLE;
}

bool
literal_fit_value(enum value_type type, struct value from, struct arena *arena, struct value *ret)
{
	if (from.type == VALUE_TEXT)
		return literal_fit(type, from.bytes, LITERAL_QUOTED, arena, ret);
	if (from.type == VALUE_DOUBLE && !isfinite(from.real))
		return false;
	if (from.type == VALUE_BOOL ? type != VALUE_BOOL
	                            : !is_number(from.type) || !is_number(type))
		return false;
	*ret = from;
	return true;
}

const char *
literal_expected(enum value_type type)
{
	switch (type) {
	case VALUE_BOOL:
		return "the column takes true or false";
	case VALUE_INT64:
	case VALUE_DECIMAL:
	case VALUE_DOUBLE:
		return "the column takes a number, without quotes";
	case VALUE_TEXT:
		return "the column takes text in single quotes";
	case VALUE_DATE:
		return "the column takes a date such as 2026-11-22";
	case VALUE_TIME:
		return "the column takes a time such as 13:04:05";
	case VALUE_TIMESTAMP:
		return "the column takes a timestamp such as 2026-11-22T13:04:05Z";
	case VALUE_UUID:
		return "the column takes a uuid";
	case VALUE_NULL:
	case VALUE_BYTES:
	case VALUE_JSON:
		break;
	}
	return "the column can only be compared with null";
}
