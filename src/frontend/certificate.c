/* certificate.c - see certificate.h. The certificate itself is not looked at: the proxy has checked
 * it, and only a token that names its digest gives it a meaning here. */
#include "frontend/certificate.h"

#include <openssl/sha.h>

#include "base/macros.h"
#include "format/base64.h"

static const struct bytes pem_begin = { (const uint8_t *)"-----BEGIN CERTIFICATE-----", 27 },
			  pem_end = { (const uint8_t *)"-----END CERTIFICATE-----", 25 };

static struct err
malformed(void)
{
	return fail(ERR_PEER, "the client certificate is malformed");
}

static bool
hex_value(uint8_t c, unsigned *ret)
{
	uint8_t letter = (uint8_t)(c | 0x20);

	if (c >= '0' && c <= '9')
		*ret = (unsigned)(c - '0');
	else if (letter >= 'a' && letter <= 'f')
		*ret = (unsigned)(letter - 'a' + 10);
	else
		return false;
	return true;
}

/* Percent-decoding; `+` is itself, as base64 has it. `out` has room for text.len. */
static bool
decode_percent(struct bytes text, uint8_t *out, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned high, low;

		if (text.at[i] != '%') {
			out[len++] = text.at[i];
			continue;
		}
		if (text.len - i < 3 || !hex_value(text.at[i + 1], &high) ||
		    !hex_value(text.at[i + 2], &low))
			return false;
		out[len++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	*ret_len = len;
	return true;
}

/* What stands between the two lines of a PEM (RFC 7468), without its line ends; in place. */
static bool
pem_body(struct bytes pem, uint8_t *out, size_t *ret_len)
{
	size_t len = 0;

	while (pem.len > 0 && pem.at[pem.len - 1] == '\n')
		pem = bytes_slice(pem, 0, pem.len - 1);
	if (pem.len < pem_begin.len + pem_end.len || !bytes_starts(pem, pem_begin) ||
	    !bytes_equal(bytes_slice(pem, pem.len - pem_end.len, pem.len), pem_end))
		return false;
	pem = bytes_slice(pem, pem_begin.len, pem.len - pem_end.len);
	for (size_t i = 0; i < pem.len; i++)
		if (pem.at[i] != '\n' && pem.at[i] != '\r')
			out[len++] = pem.at[i];
	*ret_len = len;
	return true;
}

static struct err
digest(struct bytes base64, uint8_t *der, size_t room, uint8_t ret[CERTIFICATE_DIGEST_LEN])
{
	size_t len;

	if (failed(base64_decode(base64, true, der, room, &len)) || len == 0)
		return malformed();
	SHA256(der, len, ret);
	return OK;
}

struct err
certificate_digest(struct bytes value, struct arena *arena, uint8_t ret[CERTIFICATE_DIGEST_LEN])
{
	if (value.len > CERTIFICATE_FIELD_MAX)
		return fail(ERR_PEER, "the client certificate is too long");

	uint8_t *text = arena_alloc(arena, value.len + 1), *der = arena_alloc(arena, value.len + 1);
	if (text == NULL || der == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	size_t len;
	if (value.len >= 2 && value.at[0] == ':' && value.at[value.len - 1] == ':')
		return digest(bytes_slice(value, 1, value.len - 1), der, value.len, ret);
	if (!decode_percent(value, text, &len) || !pem_body((struct bytes){ text, len }, der, &len))
		return malformed();
	memcpy(text, der, len);
	return digest((struct bytes){ text, len }, der, value.len, ret);
}
