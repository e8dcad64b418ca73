/* fuzz_shown.c - what callers and proxies show in fields besides tokens: a certificate, cookies,
 * the path to go back to. One certificate has one digest however it is written; a cookie's value
 * lies in its field; a path to go back to stays on this service. */
#include <stdlib.h>

#include "base/macros.h"
#include "format/base64.h"
#include "frontend/certificate.h"
#include "frontend/cookie.h"
#include "frontend/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static void
check_certificate(struct bytes input)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf other = { 0 };
	uint8_t digest[CERTIFICATE_DIGEST_LEN], again[CERTIFICATE_DIGEST_LEN];

	if (failed(certificate_digest(input, &arena, digest)))
		return;
	demand(input.len <= CERTIFICATE_FIELD_MAX);
	if (input.at[0] != ':')
		return;
	buf_put_text(&other, "-----BEGIN%20CERTIFICATE-----%0A");
	buf_put(&other, bytes_slice(input, 1, input.len - 1));
	buf_put_text(&other, "%0A-----END%20CERTIFICATE-----%0A");
	if (other.len > CERTIFICATE_FIELD_MAX)
		return;
	demand(!failed(certificate_digest(buf_bytes(&other), &arena, again)));
	demand(memcmp(digest, again, sizeof digest) == 0);
}

static void
check_cookie(struct bytes input)
{
	struct bytes value = cookie_in(input, BYTES("gatewarden"));

	if (value.at == NULL)
		return;
	demand(value.at >= input.at + sizeof "gatewarden" - 1);
	demand(value.at + value.len <= input.at + input.len);
	demand(bytes_find(value, ';') == value.len);
}

static void
check_return_path(struct bytes input)
{
	if (!session_is_return_path(input))
		return;
	demand(input.len > 0 && input.at[0] == '/');
	demand(input.len < 2 || (input.at[1] != '/' && input.at[1] != '\\'));
	for (size_t i = 0; i < input.len; i++)
		demand(input.at[i] > 0x20 && input.at[i] < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size };

	check_certificate(input);
	check_cookie(input);
	check_return_path(input);
	return 0;
}
