/* opaque.c - see opaque.h. */
#include "issuer/opaque.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/random.h"
#include "format/base64.h"

struct err
digest_of(struct bytes text, struct digest *ret)
{
	return EVP_Digest(text.at, text.len, ret->at, NULL, EVP_sha256(), NULL) == 1
	               ? OK
	               : fail(ERR_SYSTEM, "SHA-256 does not work");
}

struct err
opaque_make(struct buf *out, struct digest *ret)
{
	size_t from = out->len;

	name_make(out, OPAQUE_LEN);
	TRY(buf_check(out));
	return digest_of(bytes_slice(buf_bytes(out), from, out->len), ret);
}

void
name_make(struct buf *out, size_t len)
{
	uint8_t raw[OPAQUE_LEN];

	random_fill(raw, sizeof raw);
	base64url_put(out, (struct bytes){ raw, len < sizeof raw ? len : sizeof raw });
	OPENSSL_cleanse(raw, sizeof raw);
}

void
uuid_make(char ret[UUID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[16];
	size_t at = 0;

	random_fill(raw, sizeof raw);
	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof raw; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		ret[at++] = digits[raw[i] >> 4];
		ret[at++] = digits[raw[i] & 15];
	}
}
