/* key.c - see key.h. Keys go through OpenSSL's providers (EVP_PKEY_fromdata), never through the
 * deprecated RSA and EC_KEY interfaces. */
#include "jose/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"

static const struct err no_memory = { .kind = ERR_SYSTEM, .why = "out of memory for a key" };

static void
bn_drop(BIGNUM **n)
{
	BN_free(*n);
}

static void
bld_drop(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void
params_drop(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

static void
pkey_ctx_drop(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

/* Errors stay in OpenSSL's queue of this thread until somebody else trips over them. */
static struct err
refuse(const char *why)
{
	ERR_clear_error();
	return fail(ERR_PEER, why);
}

static struct err
key_from_params(const char *type, OSSL_PARAM *params, EVP_PKEY **ret)
{
	EVP_PKEY_CTX *ctx CLEANUP(pkey_ctx_drop) = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL)
		return no_memory;
	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
		EVP_PKEY_free(key);
		return refuse("the numbers are no key of this type");
	}
	*ret = key;
	return OK;
}

/* RFC 8725 section 3.5 and CWE-400: weak keys lend themselves to forgery, giant ones to idling us.
 */
static struct err
rsa_check(const BIGNUM *n, const BIGNUM *e)
{
	int bits = BN_num_bits(n);

	if (bits < RSA_BITS_MIN)
		return refuse("the RSA modulus is shorter than 2048 bits");
	if (bits > RSA_BITS_MAX)
		return refuse("the RSA modulus is longer than 8192 bits");
	if (!BN_is_odd(n))
		return refuse("the RSA modulus is even");
	if (!BN_is_odd(e) || BN_num_bits(e) > 32 || BN_is_one(e))
		return refuse("the RSA exponent is even, below 3 or above 2^32 - 1");
	if (key_is_roca(n))
		return refuse("the RSA modulus was made by a broken generator (CVE-2017-15361)");
	return OK;
}

struct err
key_rsa(struct bytes n, struct bytes e, EVP_PKEY **ret)
{
	/* One more than needed: writers that prefix a zero byte for the sign are common. */
	if (n.len > RSA_BITS_MAX / 8 + 1)
		return refuse("the RSA modulus is longer than 8192 bits");
	if (e.len > 8)
		return refuse("the RSA exponent is even, below 3 or above 2^32 - 1");

	BIGNUM *modulus CLEANUP(bn_drop) = BN_bin2bn(n.at, (int)n.len, NULL);
	BIGNUM *exponent CLEANUP(bn_drop) = BN_bin2bn(e.at, (int)e.len, NULL);
	OSSL_PARAM_BLD *builder CLEANUP(bld_drop) = OSSL_PARAM_BLD_new();
	if (modulus == NULL || exponent == NULL || builder == NULL)
		return no_memory;
	TRY(rsa_check(modulus, exponent));
	if (OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
		return no_memory;

	OSSL_PARAM *params CLEANUP(params_drop) = OSSL_PARAM_BLD_to_param(builder);
	if (params == NULL)
		return no_memory;
	return key_from_params("RSA", params, ret);
}

/* RFC 8725 section 3.4: the point must be on the curve; for these curves of prime order that is
 * all there is to check but the point at infinity, which has no such encoding. */
struct err
key_ec(enum key_kind kind, struct bytes x, struct bytes y, EVP_PKEY **ret)
{
	const struct key_kind_info *info = key_kind_info(kind);
	uint8_t point[1 + 2 * COORDINATE_MAX] = { POINT_CONVERSION_UNCOMPRESSED };
	char group[8] = "";

	if (x.len != info->coordinate || y.len != info->coordinate)
		return refuse("a coordinate has not the width of the curve");
	memcpy(point + 1, x.at, x.len);
	memcpy(point + 1 + x.len, y.at, y.len);
	memcpy(group, info->group, strlen(info->group));

	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
		                                  1 + 2 * info->coordinate),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	if (failed(key_from_params("EC", params, &key)))
		return refuse("the point is not on its curve");

	EVP_PKEY_CTX *ctx CLEANUP(pkey_ctx_drop) = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (ctx == NULL || EVP_PKEY_public_check(ctx) != 1) {
		EVP_PKEY_free(key);
		return refuse("the point is not on its curve");
	}
	*ret = key;
	return OK;
}

struct err
key_ed25519(struct bytes x, EVP_PKEY **ret)
{
	if (x.len != 32)
		return refuse("an Ed25519 key has 32 bytes");
	if (!key_is_ed25519_point(x.at))
		return refuse("no point of edwards25519, or one of small order");

	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.at, x.len);
	if (key == NULL)
		return refuse("the numbers are no key of this type");
	*ret = key;
	return OK;
}

/* `,"name":"base64url"`, the number padded on the left to `width`, or as short as it is. */
static struct err
put_number(const EVP_PKEY *key, const char *parameter, const char *name, size_t width,
           struct buf *out)
{
	BIGNUM *number CLEANUP(bn_drop) = NULL;
	uint8_t bytes[RSA_BITS_MAX / 8];

	if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1)
		return refuse("the key has no public numbers");
	if (width == 0)
		width = (size_t)BN_num_bytes(number);
	if (width > sizeof bytes || BN_bn2binpad(number, bytes, (int)width) < 0)
		return refuse("a public number is too long");
	json_put_name(out, name);
	buf_put_u8(out, '"');
	base64url_put(out, (struct bytes){ bytes, width });
	buf_put_u8(out, '"');
	return OK;
}

static struct err
put_ed25519(const EVP_PKEY *key, struct buf *out)
{
	uint8_t x[32];
	size_t len = sizeof x;

	if (EVP_PKEY_get_raw_public_key(key, x, &len) != 1 || len != sizeof x)
		return refuse("the key has no public numbers");
	buf_put_text(out, "\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
	base64url_put(out, (struct bytes){ x, sizeof x });
	buf_put_u8(out, '"');
	return OK;
}

struct err
key_put_members(const EVP_PKEY *key, enum key_kind kind, struct buf *out)
{
	const struct key_kind_info *info = key_kind_info(kind);

	if (kind == KEY_ED25519)
		return put_ed25519(key, out);
	if (kind == KEY_RSA) {
		TRY(put_number(key, OSSL_PKEY_PARAM_RSA_E, "e", 0, out));
		buf_put_text(out, ",\"kty\":\"RSA\",");
		return put_number(key, OSSL_PKEY_PARAM_RSA_N, "n", 0, out);
	}
	buf_printf(out, "\"crv\":\"%s\",\"kty\":\"EC\",", info->crv);
	TRY(put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", info->coordinate, out));
	buf_put_u8(out, ',');
	return put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", info->coordinate, out);
}

struct err
key_thumbprint(const EVP_PKEY *key, enum key_kind kind, char ret[JWK_THUMBPRINT_LEN + 1])
{
	struct buf text CLEANUP(buf_done) = { .limit = 4096 };
	struct buf print CLEANUP(buf_done) = { .limit = JWK_THUMBPRINT_LEN };
	uint8_t hash[32];

	buf_put_u8(&text, '{');
	TRY(key_put_members(key, kind, &text));
	buf_put_u8(&text, '}');
	TRY(buf_check(&text));
	if (EVP_Digest(text.at, text.len, hash, NULL, EVP_sha256(), NULL) != 1)
		return no_memory;
	base64url_put(&print, (struct bytes){ hash, sizeof hash });
	TRY(buf_check(&print));
	memcpy(ret, print.at, JWK_THUMBPRINT_LEN);
	ret[JWK_THUMBPRINT_LEN] = '\0';
	return OK;
}
