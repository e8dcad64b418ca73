/* hash.c - SipHash-1-3: short keyed hash, so that peers cannot choose collisions.
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF". */
#include <endian.h>

#include "base/bytes.h"

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	s->a += s->b, s->c += s->d;
	s->b = rotate(s->b, 13) ^ s->a, s->d = rotate(s->d, 16) ^ s->c;
	s->a = rotate(s->a, 32);
	s->c += s->b, s->a += s->d;
	s->b = rotate(s->b, 17) ^ s->c, s->d = rotate(s->d, 21) ^ s->a;
	s->c = rotate(s->c, 32);
}

static uint64_t
load_le(const uint8_t *at, size_t width)
{
	uint64_t word = 0;

	memcpy(&word, at, width);
	return le64toh(word);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->d ^= word;
	sip_round(s);
	s->a ^= word;
}

uint64_t
bytes_hash(struct bytes a, const uint8_t key[16])
{
	uint64_t low = load_le(key, 8), high = load_le(key + 8, 8);
	struct sip s = { low ^ 0x736f6d6570736575u, high ^ 0x646f72616e646f6du,
		         low ^ 0x6c7967656e657261u, high ^ 0x7465646279746573u };
	size_t whole = a.len & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, load_le(a.at + i, 8));
	sip_word(&s, (uint64_t)(a.len & 0xff) << 56 |
	                     (a.len == whole ? 0 : load_le(a.at + whole, a.len - whole)));
	s.c ^= 0xff;
	sip_round(&s), sip_round(&s), sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}
