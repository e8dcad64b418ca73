/* base64.c - see base64.h. RFC 4648 sections 4 and 5; section 3.5 on canonical encoding. */
#include "format/base64.h"

static const char URL_ALPHABET[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char PLAIN_ALPHABET[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NOT_A_DIGIT = 0x80 };

/* Digit value plus one: what is not named stays 0, and 0 - 1 as a byte has the top bit set. */
static const uint8_t URL_DIGITS[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63,
	['_'] = 64,
};
static const uint8_t PLAIN_DIGITS[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

static uint32_t
digit(const uint8_t digits[256], uint8_t c)
{
	return (uint32_t)(uint8_t)(digits[c] - 1);
}

/* The last 2 or 3 characters: one or two bytes, the unused bits zero. */
static struct err
decode_tail(const uint8_t digits[256], struct bytes tail, uint8_t *out)
{
	uint32_t word = 0, seen = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t value = i < tail.len ? digit(digits, tail.at[i]) : 0;

		seen |= value;
		word = word << 6 | (value & 63);
	}
	if (seen & NOT_A_DIGIT)
		return fail(ERR_PEER, "base64 holds a character outside its alphabet");
	if (word & (tail.len == 2 ? 0xffffu : 0xffu))
		return fail(ERR_PEER, "base64 is not canonical: unused bits are set");
	out[0] = (uint8_t)(word >> 16);
	if (tail.len == 3)
		out[1] = (uint8_t)(word >> 8);
	return OK;
}

static struct err
decode(const uint8_t digits[256], struct bytes text, uint8_t *out, size_t room, size_t *ret_len)
{
	size_t tail = text.len % 4, whole = text.len - tail;
	size_t len = whole / 4 * 3 + (tail == 0 ? 0 : tail - 1);

	if (tail == 1)
		return fail(ERR_PEER, "base64 has an impossible length");
	if (len > room)
		return fail(ERR_LIMIT, "base64 text is longer than its limit");
	for (size_t i = 0; i < whole; i += 4, out += 3) {
		uint32_t a = digit(digits, text.at[i]), b = digit(digits, text.at[i + 1]);
		uint32_t c = digit(digits, text.at[i + 2]), d = digit(digits, text.at[i + 3]);

		if ((a | b | c | d) & NOT_A_DIGIT)
			return fail(ERR_PEER, "base64 holds a character outside its alphabet");
		out[0] = (uint8_t)(a << 2 | b >> 4);
		out[1] = (uint8_t)(b << 4 | c >> 2);
		out[2] = (uint8_t)(c << 6 | d);
	}
	if (tail != 0)
		TRY(decode_tail(digits, bytes_slice(text, whole, text.len), out));
	*ret_len = len;
	return OK;
}

struct err
base64url_decode(struct bytes text, uint8_t *out, size_t room, size_t *ret_len)
{
	return decode(URL_DIGITS, text, out, room, ret_len);
}

struct err
base64_decode(struct bytes text, bool padded, uint8_t *out, size_t room, size_t *ret_len)
{
	if (padded && text.len % 4 != 0)
		return fail(ERR_PEER, "base64 lacks its padding");
	/* At most two, and only where they complete a group of four: "====" stays an error. */
	for (size_t i = 0; padded && i < 2 && text.len > 0 && text.at[text.len - 1] == '='; i++)
		text.len--;
	return decode(PLAIN_DIGITS, text, out, room, ret_len);
}

static void
put(struct buf *out, const char *alphabet, struct bytes from, bool padded)
{
	size_t tail = from.len % 3, whole = from.len - tail;
	size_t len = whole / 3 * 4 + (tail == 0 ? 0 : padded ? 4 : tail + 1);
	uint8_t *to = buf_reserve(out, len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < whole; i += 3, to += 4) {
		uint32_t word =
			(uint32_t)from.at[i] << 16 | (uint32_t)from.at[i + 1] << 8 | from.at[i + 2];

		for (unsigned k = 0; k < 4; k++)
			to[k] = (uint8_t)alphabet[word >> (18 - 6 * k) & 63];
	}
	if (tail != 0) {
		uint32_t word = (uint32_t)from.at[whole] << 16 |
		                (tail == 2 ? (uint32_t)from.at[whole + 1] << 8 : 0);

		for (unsigned k = 0; k < (padded ? 4 : tail + 1); k++)
			to[k] = k <= tail ? (uint8_t)alphabet[word >> (18 - 6 * k) & 63] : '=';
	}
	buf_commit(out, len);
}

void
base64url_put(struct buf *out, struct bytes from)
{
	put(out, URL_ALPHABET, from, false);
}

void
base64_put(struct buf *out, struct bytes from, bool padded)
{
	put(out, PLAIN_ALPHABET, from, padded);
}
