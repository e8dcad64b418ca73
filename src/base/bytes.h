/* bytes.h - borrowed slices and the bounds-checked cursor every parser reads through. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* A borrowed run of bytes. Never freed through this type; `at` may be NULL when len is 0. */
struct bytes {
	const uint8_t *at;
	size_t len;
};

/* For literals: BYTES("Host"). */
#define BYTES(literal) ((struct bytes){ (const uint8_t *)(literal), sizeof(literal) - 1 })

static inline struct bytes
bytes_text(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* Bytes [from, to), clamped to the slice. */
static inline struct bytes
bytes_slice(struct bytes a, size_t from, size_t to)
{
	if (to > a.len)
		to = a.len;
	if (from > to)
		from = to;
	return (struct bytes){ a.len == 0 ? a.at : a.at + from, to - from };
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Of `len` bytes each: ASCII letters fold, all else is exact. */
bool bytes_fold_equal(const uint8_t *a, const uint8_t *b, size_t len);

/* Names of fields mostly differ in length already. */
static inline bool
bytes_equal_nocase(struct bytes a, struct bytes b)
{
	return a.len == b.len && bytes_fold_equal(a.at, b.at, a.len);
}

bool bytes_is(struct bytes a, const char *text);
bool bytes_starts(struct bytes a, struct bytes prefix);
/* memcmp order, shorter first when one is a prefix of the other. */
int bytes_compare(struct bytes a, struct bytes b);
/* Equal length and content, in time that depends on the length only. */
bool bytes_equal_secret(struct bytes a, struct bytes b);
/* Index of the first `c`, or a.len. */
size_t bytes_find(struct bytes a, uint8_t c);
/* Plain decimal digits only: no sign, space, prefix or overflow. */
struct err bytes_to_u64(struct bytes a, uint64_t *ret);
/* Well-formed UTF-8 (RFC 3629): no overlong form, surrogate or value above U+10FFFF. */
bool bytes_is_utf8(struct bytes a);
/* C0, DEL or C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F): what can rewrite a terminal line. */
bool bytes_has_control(struct bytes a);
/* Keyed hash (SipHash-1-3) for tables whose keys a peer chooses. */
uint64_t bytes_hash(struct bytes a, const uint8_t key[16]);

/* A cursor over borrowed input. Every read checks the bound; a failed read
 * leaves the cursor where it was. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

static inline struct reader
reader_of(struct bytes b)
{
	return (struct reader){ b.at, b.at + b.len };
}

static inline size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

struct err read_bytes(struct reader *r, size_t len, struct bytes *ret);
struct err read_u8(struct reader *r, uint8_t *ret);
struct err read_u16le(struct reader *r, uint16_t *ret);
struct err read_u32le(struct reader *r, uint32_t *ret);
struct err read_u64le(struct reader *r, uint64_t *ret);
/* A u32le length, checked against `max`, then that many bytes. */
struct err read_counted(struct reader *r, size_t max, struct bytes *ret);

#endif
