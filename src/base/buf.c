/* buf.c - see buf.h. */
#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_done(struct buf *b)
{
	free(b->at);
	*b = (struct buf){ .limit = b->limit };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
}

void
buf_wipe(struct buf *b)
{
	if (b->at != NULL)
		explicit_bzero(b->at, b->room);
	buf_done(b);
}

struct err
buf_check(const struct buf *b)
{
	return b->overflow ? fail(ERR_LIMIT, "a message outgrew its limit") : OK;
}

static bool
buf_grow(struct buf *b, size_t need)
{
	size_t limit = b->limit != 0 ? b->limit : BUF_LIMIT_DEFAULT;
	size_t room = b->room != 0 ? b->room : 256;

	if (need > limit)
		return false;
	while (room < need)
		room *= 2;
	if (room > limit)
		room = limit;

	uint8_t *at = realloc(b->at, room);
	if (at == NULL)
		return false;
	b->at = at;
	b->room = room;
	return true;
}

uint8_t *
buf_reserve_more(struct buf *b, size_t len)
{
	size_t need;

	if (b->overflow || __builtin_add_overflow(b->len, len, &need) ||
	    ((need > b->room || b->at == NULL) && !buf_grow(b, need))) {
		b->overflow = true;
		return NULL;
	}
	return b->at + b->len;
}

void
buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->at, b->at + len, b->len - len);
	b->len -= len;
}

static inline void
put_word(struct buf *b, uint64_t value, size_t width)
{
	uint64_t word = htole64(value);
	uint8_t *to = buf_reserve(b, width);

	if (to == NULL)
		return;
	memcpy(to, &word, width);
	b->len += width;
}

void
buf_put_u16le(struct buf *b, uint16_t value)
{
	put_word(b, value, 2);
}

void
buf_put_u32le(struct buf *b, uint32_t value)
{
	put_word(b, value, 4);
}

void
buf_put_u64le(struct buf *b, uint64_t value)
{
	put_word(b, value, 8);
}

void
buf_put_counted(struct buf *b, struct bytes bytes)
{
	if (bytes.len > UINT32_MAX) {
		b->overflow = true;
		return;
	}
	buf_put_u32le(b, (uint32_t)bytes.len);
	buf_put(b, bytes);
}

void
buf_put_unsigned(struct buf *b, uint64_t value)
{
	uint8_t digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	buf_put(b, (struct bytes){ digits + at, sizeof digits - at });
}

void
buf_put_decimal(struct buf *b, int64_t value)
{
	if (value < 0)
		buf_put_u8(b, '-');
	/* Negating through unsigned keeps INT64_MIN defined. */
	buf_put_unsigned(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
buf_put_hex(struct buf *b, struct bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = buf_reserve(b, bytes.len * 2);

	if (to == NULL)
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		to[2 * i] = (uint8_t)digits[bytes.at[i] >> 4];
		to[2 * i + 1] = (uint8_t)digits[bytes.at[i] & 15];
	}
	buf_commit(b, bytes.len * 2);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);

	uint8_t *to = len < 0 ? NULL : buf_reserve(b, (size_t)len + 1);
	if (to == NULL) {
		b->overflow = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf((char *)to, (size_t)len + 1, format, args); /* measured above */
	va_end(args);
	b->len += (size_t)len;
}
