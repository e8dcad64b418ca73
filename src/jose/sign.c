/* sign.c - see sign.h. */
#include "jose/sign.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/macros.h"
#include "format/base64.h"
#include "jose/key.h"

enum { PKCS8_MAX = 16384, HEADER_MAX = 512 };

struct signing_key {
	EVP_PKEY *key; /* owned */
	const struct alg *alg;
	char id[JWK_THUMBPRINT_LEN + 1];
};

static struct err
broken(const char *why)
{
	ERR_clear_error();
	return fail(ERR_SYSTEM, why);
}

/* Takes the key over, also on failure. */
static struct err
signing_key_wrap(EVP_PKEY *key, const struct alg *alg, struct signing_key **ret)
{
	struct signing_key *k = calloc(1, sizeof *k);

	if (k == NULL) {
		EVP_PKEY_free(key);
		return fail(ERR_SYSTEM, "out of memory for a key");
	}
	*k = (struct signing_key){ .key = key, .alg = alg };

	struct err e = key_thumbprint(key, alg->kind, k->id);
	if (failed(e)) {
		signing_key_free(k);
		return e;
	}
	*ret = k;
	return OK;
}

static EVP_PKEY *
generate(enum key_kind kind)
{
	switch (kind) {
	case KEY_RSA:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS_MIN);
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", key_kind_info(kind)->group);
	case KEY_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KEY_KIND_COUNT:
		break;
	}
	return NULL;
}

struct err
signing_key_generate(enum jws_alg_bit alg, struct signing_key **ret)
{
	const struct alg *row = alg_of(alg);

	if (row == NULL)
		return fail(ERR_CONFIG, "no such signature algorithm");

	EVP_PKEY *key = generate(row->kind);
	if (key == NULL)
		return broken("a signing key could not be made");
	return signing_key_wrap(key, row, ret);
}

/* Does a key read from storage belong to the algorithm it is to be used with? */
static bool
is_of_kind(const EVP_PKEY *key, enum key_kind kind)
{
	const struct key_kind_info *info = key_kind_info(kind);
	char group[32] = "";

	if (kind == KEY_RSA)
		return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
	if (kind == KEY_ED25519)
		return EVP_PKEY_is_a(key, "ED25519");
	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
	       OBJ_sn2nid(group) != NID_undef &&
	       OBJ_sn2nid(group) == EC_curve_nist2nid(info->group);
}

static EVP_PKEY *
read_pkcs8(struct bytes der)
{
	const unsigned char *at = der.at;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	EVP_PKEY *key = NULL;

	if (der.len == 0 || der.len > PKCS8_MAX)
		return NULL;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
	if (info != NULL && at == der.at + der.len)
		key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

struct err
signing_key_from_der(struct bytes pkcs8, enum jws_alg_bit alg, struct signing_key **ret)
{
	const struct alg *row = alg_of(alg);
	EVP_PKEY *key = row == NULL ? NULL : read_pkcs8(pkcs8);

	if (key == NULL)
		return broken("the signing key cannot be read");
	if (!is_of_kind(key, row->kind)) {
		EVP_PKEY_free(key);
		return broken("the signing key is not for its algorithm");
	}
	return signing_key_wrap(key, row, ret);
}

struct err
signing_key_der(const struct signing_key *k, struct secret *ret)
{
	unsigned char *der = NULL;
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->key);
	int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	PKCS8_PRIV_KEY_INFO_free(info);
	if (len <= 0)
		return broken("the signing key cannot be written");

	struct err e = secret_from((struct bytes){ der, (size_t)len }, ret);
	OPENSSL_clear_free(der, (size_t)len);
	return e;
}

void
signing_key_free(struct signing_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->key); /* OpenSSL wipes the private numbers */
	free(k);
}

struct bytes
signing_key_id(const struct signing_key *k)
{
	return bytes_text(k->id);
}

enum jws_alg_bit
signing_key_alg(const struct signing_key *k)
{
	return k->alg->bit;
}

void
signing_key_put_jwk(const struct signing_key *k, struct buf *out)
{
	buf_put_u8(out, '{');
	if (failed(key_put_members(k->key, k->alg->kind, out)))
		out->overflow = true; /* the caller's buf_check() says that the text is not whole */
	buf_printf(out, ",\"use\":\"sig\",\"alg\":\"%s\",\"kid\":\"%s\"}", k->alg->name, k->id);
}

static void
md_ctx_drop(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void
ecdsa_sig_drop(ECDSA_SIG **sig)
{
	ECDSA_SIG_free(*sig);
}

static bool
start_signing(EVP_MD_CTX *ctx, const struct signing_key *k)
{
	EVP_PKEY_CTX *inner;

	if (EVP_DigestSignInit_ex(ctx, &inner, k->alg->digest, NULL, NULL, k->key, NULL) != 1)
		return false;
	if (!k->alg->pss)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* RFC 7518 section 3.4: r and s side by side, each as wide as the curve. In place. */
static bool
flatten(uint8_t signature[SIGNATURE_MAX], size_t *len, size_t coordinate)
{
	const unsigned char *at = signature;
	ECDSA_SIG *sig CLEANUP(ecdsa_sig_drop) = d2i_ECDSA_SIG(NULL, &at, (long)*len);

	if (sig == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, (int)coordinate) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + coordinate, (int)coordinate) < 0)
		return false;
	*len = 2 * coordinate;
	return true;
}

static bool
sign(const struct signing_key *k, struct bytes message, uint8_t signature[SIGNATURE_MAX],
     size_t *ret_len)
{
	EVP_MD_CTX *ctx CLEANUP(md_ctx_drop) = EVP_MD_CTX_new();
	const struct key_kind_info *info = key_kind_info(k->alg->kind);
	size_t len = SIGNATURE_MAX;

	if (ctx == NULL || !start_signing(ctx, k) ||
	    EVP_DigestSign(ctx, signature, &len, message.at, message.len) != 1)
		return false;
	if (info->group != NULL && !flatten(signature, &len, info->coordinate))
		return false;
	*ret_len = len;
	return true;
}

struct err
signing_key_sign(const struct signing_key *k, const char *typ, struct bytes claims, struct buf *out)
{
	struct buf header CLEANUP(buf_done) = { .limit = HEADER_MAX };
	uint8_t signature[SIGNATURE_MAX];
	size_t start = out->len, len;

	buf_printf(&header, "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", k->alg->name, typ,
	           k->id);
	TRY(buf_check(&header));
	base64url_put(out, buf_bytes(&header));
	buf_put_u8(out, '.');
	base64url_put(out, claims);
	TRY(buf_check(out));
	if (!sign(k, bytes_slice(buf_bytes(out), start, out->len), signature, &len))
		return broken("the token could not be signed");
	buf_put_u8(out, '.');
	base64url_put(out, (struct bytes){ signature, len });
	return buf_check(out);
}
