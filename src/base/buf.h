/* buf.h - an owned, growing run of bytes with a limit set once.
 *
 * Writes never return an error: a write that would pass `limit` or that finds no
 * memory sets `overflow` and adds nothing, as do all later ones. The owner checks
 * buf_check() once, where the message is complete. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"

struct buf {
	uint8_t *at; /* owned */
	size_t len;
	size_t room;
	size_t limit; /* 0 means BUF_LIMIT_DEFAULT */
	bool overflow;
};

enum { BUF_LIMIT_DEFAULT = 64 << 20 };

/* Frees the bytes; the struct is empty and usable afterwards. */
void buf_done(struct buf *b);
/* Empties it and keeps the memory. */
void buf_clear(struct buf *b);
/* As buf_done, but wipes first: for passwords and tokens. */
void buf_wipe(struct buf *b);
/* ERR_LIMIT when anything written was lost. */
struct err buf_check(const struct buf *b);

/* Where there is not room enough: makes some. */
uint8_t *buf_reserve_more(struct buf *b, size_t len);

/* Room for `len` more bytes; NULL (and overflow) when there is none. buf_commit() makes them count.
 */
static inline uint8_t *
buf_reserve(struct buf *b, size_t len)
{
	return len <= b->room - b->len && b->at != NULL && !b->overflow ? b->at + b->len
	                                                                : buf_reserve_more(b, len);
}

static inline void
buf_commit(struct buf *b, size_t len)
{
	b->len += len;
}

/* Drops the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);

static inline void
buf_put(struct buf *b, struct bytes bytes)
{
	uint8_t *to = buf_reserve(b, bytes.len);

	if (to == NULL || bytes.len == 0)
		return;
	memcpy(to, bytes.at, bytes.len);
	b->len += bytes.len;
}

static inline void
buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, bytes_text(text));
}

static inline void
buf_put_u8(struct buf *b, uint8_t byte)
{
	uint8_t *to = buf_reserve(b, 1);

	if (to == NULL)
		return;
	*to = byte;
	b->len++;
}

void buf_put_u16le(struct buf *b, uint16_t value);
void buf_put_u32le(struct buf *b, uint32_t value);
void buf_put_u64le(struct buf *b, uint64_t value);
/* u32le length, then the bytes: what read_counted() reads. */
void buf_put_counted(struct buf *b, struct bytes bytes);
/* Decimal text of a number. */
void buf_put_decimal(struct buf *b, int64_t value);
void buf_put_unsigned(struct buf *b, uint64_t value);
/* Lower-case hex of the bytes. */
void buf_put_hex(struct buf *b, struct bytes bytes);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct bytes
buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->at, b->len };
}

#endif
