/* key_check.c - number theory that OpenSSL does not do for us when it loads a public key. */
#include <openssl/bn.h>

#include "base/macros.h"
#include "jose/key.h"

static void
bn_drop(BIGNUM **n)
{
	BN_free(*n);
}

static void
bn_ctx_drop(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}

/* Is `value` a power of 65537 modulo the small prime? */
static bool
is_power_of_f4(unsigned value, unsigned prime)
{
	unsigned power = 1;

	for (unsigned i = 0; i < prime; i++) {
		if (power == value)
			return true;
		power = power * (65537 % prime) % prime;
	}
	return false;
}

/* Nemec et al., "The Return of Coppersmith's Attack", section 2: such a modulus is a power of 65537
 * modulo each of the first 39 primes; for any other this is as likely as guessing 2^-150. */
bool
key_is_roca(const BIGNUM *n)
{
	static const uint8_t primes[] = { 2,   3,   5,   7,   11,  13,  17,  19,  23,  29,
		                          31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
		                          73,  79,  83,  89,  97,  101, 103, 107, 109, 113,
		                          127, 131, 137, 139, 149, 151, 157, 163, 167 };

	for (size_t i = 0; i < ARRAY_LEN(primes); i++)
		if (!is_power_of_f4((unsigned)BN_mod_word(n, primes[i]), primes[i]))
			return false;
	return true;
}

/* The y coordinates whose points have order 1, 2, 4 or 8, least byte first: with such a key one
 * signature fits many messages. */
static bool
is_small_order(const uint8_t y[32])
{
	static const uint8_t rows[][32] = {
		{ 0 },
		{ 1 },
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
		  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
		  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
		  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
		  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
		{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (memcmp(rows[i], y, 32) == 0)
			return true;
	return false;
}

/* x^2 = (y^2 - 1) / (d y^2 + 1) has a root when numerator times denominator is a square mod p. */
static bool
has_x(const BIGNUM *y, const BIGNUM *p, const BIGNUM *d, BN_CTX *ctx)
{
	BIGNUM *top CLEANUP(bn_drop) = BN_new();
	BIGNUM *bottom CLEANUP(bn_drop) = BN_new();

	return top != NULL && bottom != NULL && BN_mod_sqr(top, y, p, ctx) == 1 &&
	       BN_mod_mul(bottom, top, d, p, ctx) == 1 && BN_add_word(bottom, 1) == 1 &&
	       BN_mod_sub(top, top, BN_value_one(), p, ctx) == 1 &&
	       BN_mod_mul(top, top, bottom, p, ctx) == 1 && BN_kronecker(top, p, ctx) >= 0;
}

bool
key_is_ed25519_point(const uint8_t y[32])
{
	static const uint8_t prime[32] = { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xed };
	static const uint8_t constant_d[32] = { 0x52, 0x03, 0x6c, 0xee, 0x2b, 0x6f, 0xfe, 0x73,
		                                0x8c, 0xc7, 0x40, 0x79, 0x77, 0x79, 0xe8, 0x98,
		                                0x00, 0x70, 0x0a, 0x4d, 0x41, 0x41, 0xd8, 0xab,
		                                0x75, 0xeb, 0x4d, 0xca, 0x13, 0x59, 0x78, 0xa3 };
	uint8_t plain[32];

	memcpy(plain, y, sizeof plain);
	plain[31] &= 0x7f; /* the sign of x */
	if (is_small_order(plain))
		return false;

	BN_CTX *ctx CLEANUP(bn_ctx_drop) = BN_CTX_new();
	BIGNUM *number CLEANUP(bn_drop) = BN_lebin2bn(plain, sizeof plain, NULL);
	BIGNUM *p CLEANUP(bn_drop) = BN_bin2bn(prime, sizeof prime, NULL);
	BIGNUM *d CLEANUP(bn_drop) = BN_bin2bn(constant_d, sizeof constant_d, NULL);
	return ctx != NULL && number != NULL && p != NULL && d != NULL && BN_cmp(number, p) < 0 &&
	       has_x(number, p, d, ctx);
}
