/* json_write.c - see json.h. Strings are the hot path of every list of rows: clean text is found
 * eight bytes at a time and copied in one piece. */
#include "format/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"

static const uint64_t EACH = 0x0101010101010101u, TOP = 0x8080808080808080u;

/* Not zero when one of the eight bytes is `c`; rarely also otherwise, where a borrow runs on. */
static uint64_t
holds(uint64_t word, uint8_t c)
{
	uint64_t x = word ^ EACH * c;

	return (x - EACH) & ~x & TOP;
}

static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<';
}

/* Length of the leading run of ASCII that needs no escape. */
static size_t
plain_run(struct bytes text)
{
	size_t i = 0;
	uint64_t word;

	for (; text.len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, text.at + i, sizeof word);
		if ((((word - EACH * 0x20) | word) & TOP) | holds(word, '"') | holds(word, '\\') |
		    holds(word, '<'))
			break;
	}
	while (i < text.len && is_plain(text.at[i]))
		i++;
	return i;
}

/* Length of the UTF-8 sequence at the start, which is not ASCII; 0 when it is not well-formed. */
static size_t
sequence(struct bytes text)
{
	size_t len = text.at[0] < 0xe0 ? 2 : text.at[0] < 0xf0 ? 3 : 4;

	return len <= text.len && bytes_is_utf8((struct bytes){ text.at, len }) ? len : 0;
}

static void
put_escape(struct buf *out, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};
	const uint8_t unicode[] = {
		'\\', 'u', '0', '0', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]
	};

	if (c == '"' || c == '\\')
		buf_put(out, (struct bytes){ (const uint8_t[]){ '\\', c }, 2 });
	else if (c < sizeof shorts && shorts[c] != 0)
		buf_put(out, (struct bytes){ (const uint8_t[]){ '\\', (uint8_t)shorts[c] }, 2 });
	else
		buf_put(out, (struct bytes){ unicode, sizeof unicode });
}

/* Puts the sequence or byte at the start that plain_run() stopped at; answers its length. */
static size_t
put_special(struct buf *out, struct bytes text)
{
	if (text.at[0] < 0x80) {
		put_escape(out, text.at[0]);
		return 1;
	}

	size_t len = sequence(text);
	struct bytes one = bytes_slice(text, 0, len);
	if (len == 0) {
		buf_put(out, BYTES("\xef\xbf\xbd"));
		return 1;
	}
	/* Line and paragraph separator end a line in older JavaScript. */
	if (bytes_equal(one, BYTES("\xe2\x80\xa8")))
		buf_put(out, BYTES("\\u2028"));
	else if (bytes_equal(one, BYTES("\xe2\x80\xa9")))
		buf_put(out, BYTES("\\u2029"));
	else
		buf_put(out, one);
	return len;
}

/* The rest of a string from its first byte that is not plain, and the closing quote. */
static void
put_rest(struct buf *out, struct bytes text)
{
	while (text.len > 0 && !out->overflow) {
		size_t run = plain_run(text);

		buf_put(out, (struct bytes){ text.at, run });
		if (run < text.len)
			run += put_special(out, bytes_slice(text, run, text.len));
		text = bytes_slice(text, run, text.len);
	}
	buf_put_u8(out, '"');
}

void
json_put_string(struct buf *out, struct bytes text)
{
	size_t run = plain_run(text);
	uint8_t *to = buf_reserve(out, run + 2);

	if (to == NULL)
		return;
	to[0] = to[run + 1] = '"';
	if (run > 0)
		memcpy(to + 1, text.at, run);
	buf_commit(out, run + (run == text.len ? 2 : 1));
	if (run < text.len)
		put_rest(out, bytes_slice(text, run, text.len));
}

void
json_put_name(struct buf *out, const char *name)
{
	size_t len = strlen(name);
	uint8_t *to = buf_reserve(out, len + 3);

	if (to == NULL)
		return;
	to[0] = '"';
	memcpy(to + 1, name, len);
	to[len + 1] = '"';
	to[len + 2] = ':';
	buf_commit(out, len + 3);
}

void
json_put_text(struct buf *out, const char *name, struct bytes text)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	json_put_string(out, text);
}

void
json_put_text_if_any(struct buf *out, const char *name, struct bytes text)
{
	if (text.len != 0)
		json_put_text(out, name, text);
}

static const uint64_t POWERS[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };

/* scaled / 10^decimals, all decimals shown. */
static void
put_scaled(struct buf *out, uint64_t scaled, size_t decimals)
{
	uint8_t digits[ARRAY_LEN(POWERS)] = { '.' };

	buf_put_unsigned(out, scaled / POWERS[decimals]);
	for (size_t i = 1; i <= decimals; i++)
		digits[i] = (uint8_t)('0' + scaled / POWERS[decimals - i] % 10);
	if (decimals > 0)
		buf_put(out, (struct bytes){ digits, decimals + 1 });
}

/* Prices, counts and ratings: at most 15 digits, at most six of them after the point. Two decimals
 * of 15 digits never mean the same double, so what reads back is the shortest. Numerator and scale
 * are exact, and division rounds as reading does. */
static bool
put_short_decimal(struct buf *out, double value)
{
	double size = fabs(value);

	for (size_t decimals = 0; decimals < ARRAY_LEN(POWERS); decimals++) {
		double scale = (double)POWERS[decimals];

		if (size * scale >= 1e15)
			return false;
		uint64_t scaled = (uint64_t)(size * scale + 0.5);
		if ((double)scaled / scale != size)
			continue;
		if (signbit(value))
			buf_put_u8(out, '-');
		put_scaled(out, scaled, decimals);
		return true;
	}
	return false;
}

void
json_put_double(struct buf *out, double value)
{
	char text[40];

	if (!isfinite(value)) {
		buf_put_text(out, "null");
		return;
	}
	if (put_short_decimal(out, value))
		return;
	/* DBL_DIG digits are always the shortest when they suffice, except for subnormal numbers.
	 * The program never leaves the C locale, so the point is a point. */
	for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG;
	     digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits,
		               value); /* 24 characters at most */
		if (strtod(text, NULL) == value)
			break;
	}
	buf_put_text(out, text);
}

static void
put_scalar(struct buf *out, const struct json *v)
{
	static const char *const words[] = {
		[JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true"
	};

	if (v->type == JSON_STRING)
		json_put_string(out, v->text);
	else if (v->type == JSON_NUMBER)
		buf_put(out, v->text);
	else
		buf_put_text(out, words[v->type]);
}

void
json_put_value(struct buf *out, const struct json *v)
{
	struct {
		const struct json *end;
		bool is_object, name_next;
	} open[JSON_DEPTH_MAX + 1];
	size_t depth = 0;

	for (const struct json *end = v + v->span, *first = v; v < end; v++) {
		bool is_name = depth > 0 && open[depth - 1].is_object && open[depth - 1].name_next;
		bool is_member = depth > 0 && open[depth - 1].is_object && !is_name;

		if (v != first && !is_member)
			buf_put_u8(out, ',');
		if (depth > 0)
			open[depth - 1].name_next = !is_name;
		first = NULL;
		if ((v->type == JSON_ARRAY || v->type == JSON_OBJECT) && depth <= JSON_DEPTH_MAX) {
			bool is_object = v->type == JSON_OBJECT;

			buf_put_u8(out, is_object ? '{' : '[');
			open[depth].end = v + v->span, open[depth].is_object = is_object;
			open[depth++].name_next = true;
			first = v + 1;
		} else {
			put_scalar(out, v);
		}
		if (is_name)
			buf_put_u8(out, ':');
		for (; depth > 0 && open[depth - 1].end == v + 1; depth--) {
			buf_put_u8(out, open[depth - 1].is_object ? '}' : ']');
			first = NULL;
		}
	}
}
