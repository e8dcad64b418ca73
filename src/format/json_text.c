/* json_text.c - see json_text.h. RFC 8259 section 7. */
#include "format/json_text.h"

static struct err
refuse(const uint8_t **fault, const uint8_t *at, const char *why)
{
	*fault = at;
	return fail(ERR_PEER, why);
}

static struct err
refuse_memory(const uint8_t *at, const uint8_t **fault)
{
	*fault = at;
	return fail(ERR_LIMIT, "JSON needs more memory than it may use");
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at `at`, or -1. */
static int32_t
hex_unit(const uint8_t *at, const uint8_t *end)
{
	int32_t unit = 0;

	if (end - at < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static size_t
encode_utf8(uint32_t point, uint8_t *to)
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}

	size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const uint8_t leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = len; i-- > 1; point >>= 6)
		to[i] = (uint8_t)(0x80 | (point & 0x3f));
	to[0] = (uint8_t)(leads[len] | point);
	return len;
}

/* `\uXXXX`, or two of them for a surrogate pair; *at stands behind the 'u'. NUL and lone surrogates
 * are refused: what a C library or another reader makes of them differs. */
static struct err
unescape_unit(const uint8_t **at, const uint8_t *end, uint8_t **to, const uint8_t **fault)
{
	int32_t unit = hex_unit(*at, end);

	if (unit < 0)
		return refuse(fault, *at, "JSON: \\u is not followed by four hex digits");
	if (unit == 0)
		return refuse(fault, *at, "JSON: an escaped NUL is refused");
	uint32_t point = (uint32_t)unit;
	*at += 4;
	if (unit >= 0xd800 && unit <= 0xdfff) {
		bool has_pair =
			unit < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
		int32_t low = has_pair ? hex_unit(*at + 2, end) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return refuse(fault, *at, "JSON: a surrogate stands alone");
		point = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
		*at += 6;
	}
	*to += encode_utf8(point, *to);
	return OK;
}

/* The escaped text of `raw` into the arena. An escape is never shorter than what it stands for. */
static struct err
unescape(struct bytes raw, struct arena *arena, struct bytes *ret, const uint8_t **fault)
{
	uint8_t *start = arena_alloc(arena, raw.len), *to = start;
	const uint8_t *at = raw.at, *end = raw.at + raw.len;

	if (start == NULL)
		return refuse_memory(raw.at, fault);
	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at += 2; /* the scan made sure that no backslash is last */
		switch (at[-1]) {
		case '"':
		case '\\':
		case '/':
			*to++ = at[-1];
			break;
		case 'b':
			*to++ = '\b';
			break;
		case 'f':
			*to++ = '\f';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		case 'u':
			TRY(unescape_unit(&at, end, &to, fault));
			break;
		default:
			return refuse(fault, at - 1, "JSON: unknown escape in a string");
		}
	}
	*ret = (struct bytes){ start, (size_t)(to - start) };
	return OK;
}

/* Error path only: the first byte that breaks UTF-8. */
static const uint8_t *
find_bad_utf8(struct bytes raw)
{
	size_t good = 0;

	for (size_t len = 1; len <= 4 && good + len <= raw.len;) {
		bool whole = bytes_is_utf8((struct bytes){ raw.at + good, len });

		good += whole ? len : 0;
		len = whole ? 1 : len + 1;
	}
	return raw.at + good;
}

struct err
json_text_read(struct reader *in, struct arena *arena, struct bytes *ret, const uint8_t **fault)
{
	const uint8_t *start = in->at + 1, *at = start;
	bool has_escape = false;
	uint8_t seen = 0;

	for (;; at++) {
		if (at >= in->end)
			return refuse(fault, at, "JSON: a string does not end");
		seen |= *at;
		if (*at == '"')
			break;
		if (*at < 0x20)
			return refuse(fault, at, "JSON: a control byte in a string");
		if (*at == '\\') {
			has_escape = true;
			if (++at >= in->end)
				return refuse(fault, at, "JSON: a string does not end");
			seen |= *at;
		}
	}

	struct bytes raw = { start, (size_t)(at - start) };
	if (seen >= 0x80 && !bytes_is_utf8(raw))
		return refuse(fault, find_bad_utf8(raw), "JSON: a string is not UTF-8");
	if (has_escape)
		TRY(unescape(raw, arena, ret, fault));
	else
		*ret = raw;
	in->at = at + 1;
	return OK;
}
