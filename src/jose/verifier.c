/* verifier.c - see verifier.h. */
#include "jose/verifier.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/macros.h"

/* Salt as long as the hash, MGF1 with the same hash: RFC 7518 section 3.5. */
static bool
set_padding(EVP_PKEY_CTX *check, const struct verifier *v)
{
	if (EVP_PKEY_CTX_set_signature_md(check, v->digest) != 1)
		return false;
	if (v->alg->kind != KEY_RSA)
		return true;
	if (!v->alg->pss)
		return EVP_PKEY_CTX_set_rsa_padding(check, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(check, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(check, v->digest) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(check, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
prepare(struct verifier *v, EVP_PKEY *key)
{
	v->hash = EVP_MD_CTX_new();
	if (v->hash == NULL)
		return false;
	if (v->alg->kind == KEY_ED25519)
		return EVP_DigestVerifyInit(v->hash, NULL, NULL, NULL, key) == 1;
	v->digest = EVP_MD_fetch(NULL, v->alg->digest, NULL);
	v->check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	return v->digest != NULL && v->check != NULL &&
	       EVP_DigestInit_ex2(v->hash, v->digest, NULL) == 1 &&
	       EVP_PKEY_verify_init(v->check) == 1 && set_padding(v->check, v);
}

struct err
verifier_init(struct verifier *v, const struct alg *alg, EVP_PKEY *key)
{
	const struct key_kind_info *info = key_kind_info(alg->kind);

	*v = (struct verifier){ .alg = alg };
	v->signature_len =
		alg->kind == KEY_RSA ? (size_t)EVP_PKEY_get_size(key) : 2 * info->coordinate;
	if (!prepare(v, key)) {
		verifier_done(v);
		ERR_clear_error();
		return fail(ERR_SYSTEM, "the cryptographic library cannot do this algorithm");
	}
	return OK;
}

void
verifier_done(struct verifier *v)
{
	EVP_MD_CTX_free(v->hash);
	EVP_MD_free(v->digest);
	EVP_PKEY_CTX_free(v->check);
	*v = (struct verifier){ 0 };
}

/* CVE-2022-21449: 1 to n - 1, checked here whatever the library below does. */
static bool
is_in_range(const uint8_t *number, const struct key_kind_info *curve)
{
	static const uint8_t zero[COORDINATE_MAX];

	return memcmp(number, zero, curve->coordinate) != 0 &&
	       memcmp(number, curve->order, curve->coordinate) < 0;
}

/* One ASN.1 INTEGER: shortest form, a zero byte where the top bit would read as a sign. */
static size_t
put_integer(uint8_t *to, const uint8_t *number, size_t len)
{
	while (len > 1 && *number == 0)
		number++, len--;

	size_t pad = *number >> 7;
	to[0] = 0x02;
	to[1] = (uint8_t)(len + pad);
	to[2] = 0;
	memcpy(to + 2 + pad, number, len);
	return 2 + pad + len;
}

/* OpenSSL wants SEQUENCE { r, s }; JWS has r and s side by side. Built on the stack. */
static bool
ecdsa_accepts(const struct verifier *v, struct bytes hash, struct bytes signature)
{
	const struct key_kind_info *curve = key_kind_info(v->alg->kind);
	const uint8_t *r = signature.at, *s = signature.at + curve->coordinate;
	uint8_t der[3 + 2 * (3 + COORDINATE_MAX)];
	size_t len;

	if (!is_in_range(r, curve) || !is_in_range(s, curve))
		return false;
	len = put_integer(der + 3, r, curve->coordinate);
	len += put_integer(der + 3 + len, s, curve->coordinate);

	/* A length above 127 takes a second byte (P-521): the header then starts one byte earlier.
	 */
	uint8_t *start = len > 127 ? der : der + 1;
	start[0] = 0x30;
	if (len > 127)
		start[1] = 0x81;
	der[2] = (uint8_t)len;
	return EVP_PKEY_verify(v->check, start, (size_t)(der + 3 - start) + len, hash.at,
	                       hash.len) == 1;
}

static bool
accepts(const struct verifier *v, struct bytes message, struct bytes signature)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_len = 0;

	if (v->check == NULL) /* EdDSA hashes by itself; the context is only wound back */
		return EVP_DigestVerifyInit(v->hash, NULL, NULL, NULL, NULL) == 1 &&
		       EVP_DigestVerify(v->hash, signature.at, signature.len, message.at,
		                        message.len) == 1;
	if (EVP_DigestInit_ex2(v->hash, NULL, NULL) != 1 ||
	    EVP_DigestUpdate(v->hash, message.at, message.len) != 1 ||
	    EVP_DigestFinal_ex(v->hash, hash, &hash_len) != 1)
		return false;
	if (v->alg->kind != KEY_RSA)
		return ecdsa_accepts(v, (struct bytes){ hash, hash_len }, signature);
	return EVP_PKEY_verify(v->check, signature.at, signature.len, hash, hash_len) == 1;
}

bool
verifier_accepts(const struct verifier *v, struct bytes message, struct bytes signature)
{
	if (signature.len != v->signature_len)
		return false;
	if (accepts(v, message, signature))
		return true;
	ERR_clear_error();
	return false;
}
