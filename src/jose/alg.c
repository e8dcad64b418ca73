/* alg.c - see alg.h. */
#include "jose/alg.h"

#include "base/macros.h"

static const struct alg algs[ALG_COUNT] = {
	{ ALG_RS256, "RS256", KEY_RSA, "SHA256", false },
	{ ALG_RS384, "RS384", KEY_RSA, "SHA384", false },
	{ ALG_RS512, "RS512", KEY_RSA, "SHA512", false },
	{ ALG_PS256, "PS256", KEY_RSA, "SHA256", true },
	{ ALG_PS384, "PS384", KEY_RSA, "SHA384", true },
	{ ALG_PS512, "PS512", KEY_RSA, "SHA512", true },
	{ ALG_ES256, "ES256", KEY_P256, "SHA256", false },
	{ ALG_ES384, "ES384", KEY_P384, "SHA384", false },
	{ ALG_ES512, "ES512", KEY_P521, "SHA512", false },
	{ ALG_EDDSA, "EdDSA", KEY_ED25519, NULL, false },
};

/* Orders of the base points: NIST SP 800-186 sections 3.2.1.3 to 3.2.1.5. */
static const struct key_kind_info kinds[KEY_KIND_COUNT] = {
	[KEY_RSA] = { .kty = "RSA" },
	[KEY_P256] = { "EC",
	               "P-256",
	               "P-256",
	               32,
	               { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
	                 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
	                 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 } },
	[KEY_P384] = { "EC",
	               "P-384",
	               "P-384",
	               48,
	               { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
	                 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73 } },
	[KEY_P521] = { "EC", "P-521", "P-521", 66, { 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                             0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f,
	                                             0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09,
	                                             0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c,
	                                             0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38,
	                                             0x64, 0x09 } },
	[KEY_ED25519] = { .kty = "OKP", .crv = "Ed25519", .coordinate = 32 },
};

const struct alg *
alg_at(size_t index)
{
	return &algs[index];
}

const struct alg *
alg_of(enum jws_alg_bit bit)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++)
		if (algs[i].bit == bit)
			return &algs[i];
	return NULL;
}

const struct alg *
alg_named(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++)
		if (bytes_is(name, algs[i].name))
			return &algs[i];
	return NULL;
}

unsigned
algs_of_kind(enum key_kind kind)
{
	unsigned mask = 0;

	for (size_t i = 0; i < ARRAY_LEN(algs); i++)
		if (algs[i].kind == kind)
			mask |= (unsigned)algs[i].bit;
	return mask;
}

const struct key_kind_info *
key_kind_info(enum key_kind kind)
{
	return &kinds[kind];
}
