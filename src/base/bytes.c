/* bytes.c - see bytes.h. Words are copied, then turned: alignment and byte order do not matter. */
#include "base/bytes.h"

#include <endian.h>
#include <openssl/crypto.h>

#include "base/macros.h"

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool
bytes_fold_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool
bytes_is(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_text(text));
}

bool
bytes_starts(struct bytes a, struct bytes prefix)
{
	return a.len >= prefix.len && bytes_equal(bytes_slice(a, 0, prefix.len), prefix);
}

int
bytes_compare(struct bytes a, struct bytes b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared == 0 ? 0 : memcmp(a.at, b.at, shared);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool
bytes_has_control(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < 0x20 || text.at[i] == 0x7f)
			return true;
		if (text.at[i] == 0xc2 && i + 1 < text.len && text.at[i + 1] < 0xa0)
			return true;
	}
	return false;
}

bool
bytes_equal_secret(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.at, b.at, a.len) == 0);
}

size_t
bytes_find(struct bytes a, uint8_t c)
{
	const uint8_t *hit = a.len == 0 ? NULL : memchr(a.at, c, a.len);

	return hit == NULL ? a.len : (size_t)(hit - a.at);
}

struct err
bytes_to_u64(struct bytes a, uint64_t *ret)
{
	uint64_t value = 0;

	if (a.len == 0)
		return fail(ERR_PEER, "a number is missing");
	for (size_t i = 0; i < a.len; i++) {
		if (a.at[i] < '0' || a.at[i] > '9')
			return fail(ERR_PEER, "a number holds something that is no digit");
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(a.at[i] - '0'), &value))
			return fail(ERR_PEER, "a number is too large");
	}
	*ret = value;
	return OK;
}

/* Length of the well-formed sequence at `at`, 0 when there is none (RFC 3629 section 4). */
static size_t
utf8_sequence(const uint8_t *at, size_t len)
{
	static const struct {
		uint8_t first, last, low, high; /* lead byte range, range of the second byte */
		size_t len;
	} rows[] = {
		{ 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
		{ 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 },
		{ 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 },
		{ 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (at[0] < rows[i].first || at[0] > rows[i].last)
			continue;
		if (len < rows[i].len || at[1] < rows[i].low || at[1] > rows[i].high)
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if ((at[k] & 0xC0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* Length of the leading run of ASCII, eight bytes at a time. */
static size_t
ascii_run(struct bytes a)
{
	size_t i = 0;
	uint64_t word;

	for (; a.len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, a.at + i, sizeof word);
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	return i;
}

bool
bytes_is_utf8(struct bytes a)
{
	for (size_t i = ascii_run(a); i < a.len;) {
		size_t step = a.at[i] < 0x80 ? 1 : utf8_sequence(a.at + i, a.len - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

static const struct err short_read = { .kind = ERR_PEER, .why = "message is shorter than it says" };

struct err
read_bytes(struct reader *r, size_t len, struct bytes *ret)
{
	if (reader_left(r) < len)
		return short_read;
	*ret = (struct bytes){ r->at, len };
	r->at += len;
	return OK;
}

/* `width` bytes, least significant first. */
static inline struct err
read_word(struct reader *r, size_t width, uint64_t *ret)
{
	uint64_t word = 0;

	if (reader_left(r) < width)
		return short_read;
	memcpy(&word, r->at, width);
	r->at += width;
	*ret = le64toh(word);
	return OK;
}

struct err
read_u8(struct reader *r, uint8_t *ret)
{
	uint64_t word;
	TRY(read_word(r, 1, &word));
	*ret = (uint8_t)word;
	return OK;
}

struct err
read_u16le(struct reader *r, uint16_t *ret)
{
	uint64_t word;
	TRY(read_word(r, 2, &word));
	*ret = (uint16_t)word;
	return OK;
}

struct err
read_u32le(struct reader *r, uint32_t *ret)
{
	uint64_t word;
	TRY(read_word(r, 4, &word));
	*ret = (uint32_t)word;
	return OK;
}

struct err
read_u64le(struct reader *r, uint64_t *ret)
{
	return read_word(r, 8, ret);
}

struct err
read_counted(struct reader *r, size_t max, struct bytes *ret)
{
	struct reader at = *r;
	uint32_t len;

	TRY(read_u32le(&at, &len));
	if (len > max)
		return fail(ERR_PEER, "a counted field is longer than its limit");
	TRY(read_bytes(&at, len, ret));
	*r = at;
	return OK;
}
