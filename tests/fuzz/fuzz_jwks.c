/* fuzz_jwks.c - any bytes as a key set; whatever is taken must be usable and refuse a wrong
 * signature. */
#include <stdlib.h>

#include "jose/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t signature[1024] = { 1 };
	static const size_t lengths[] = { 0, 64, 96, 132, 256, 1024 };
	struct buf refused = { 0 };
	struct jwks *set = NULL;
	struct err e = jwks_parse((struct bytes){ data, size }, &set, &refused);

	if (failed(e) != (set == NULL))
		abort();
	for (size_t i = 0; set != NULL && i < jwks_count(set) && i < 3; i++) {
		const struct jwk *k = jwks_at(set, i);

		for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1)
			for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++)
				if (!failed(jwk_verify(k, (enum jws_alg_bit)bit, BYTES("message"),
				                       (struct bytes){ signature, lengths[n] })))
					abort();
		(void)jwks_find(set, BYTES(""), ALG_RS256);
	}
	jwks_free(set);
	buf_done(&refused);
	return 0;
}
