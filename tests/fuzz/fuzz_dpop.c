/* fuzz_dpop.c - any bytes as a DPoP proof, or (first byte `e`) as header and payload split at a
 * zero byte and encoded here. Without our key nothing but a proof from the RFC can be accepted. */
#include <stdlib.h>

#include "format/base64.h"
#include "jose/dpop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct bytes proof)
{
	struct arena arena = { 0 };
	struct dpop_proof result;
	struct dpop_request request = { .proof = proof,
		                        .method = BYTES("POST"),
		                        .url = BYTES("https://server.example.com/token"),
		                        .now_s = 1562262616 };
	struct err e = dpop_check(&request, &arena, &result);

	if (failed(e) && e.why == NULL)
		abort();
	if (!failed(e) && strlen(result.thumbprint) != JWK_THUMBPRINT_LEN)
		abort();
	/* The token is not in it, so with one the same proof is worth nothing. */
	request.token = BYTES("token");
	e = dpop_check(&request, &arena, &result);
	if (!failed(e))
		abort();
	arena_done(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size };
	struct buf proof = { 0 };

	if (size == 0)
		return 0;
	if (data[0] != 'e') {
		run(bytes_slice(input, 1, size));
		return 0;
	}
	input = bytes_slice(input, 1, size);

	size_t zero = bytes_find(input, 0);
	base64url_put(&proof, bytes_slice(input, 0, zero));
	buf_put_u8(&proof, '.');
	base64url_put(&proof, bytes_slice(input, zero + 1, input.len));
	buf_put_u8(&proof, '.');
	base64url_put(&proof, (struct bytes){ (const uint8_t[64]){ 1 }, 64 });
	run(buf_bytes(&proof));
	buf_done(&proof);
	return 0;
}
