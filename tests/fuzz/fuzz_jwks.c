/* fuzz_jwks.c - any bytes as a key set; whatever is taken must be usable and refuse a wrong
 * signature. */
#include <stdlib.h>

#include "jose/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written of a set is read as that set, whatever its texts held. */
static void
check_written(const struct jwks *set)
{
	struct buf text = { 0 };
	struct jwks *again = NULL;

	if (set == NULL)
		return;
	jwks_put(set, &text);
	/* Escapes make it longer than what came in: the limit is the one way to fail. */
	if (failed(jwks_parse(buf_bytes(&text), &again, NULL)) != (text.len > JWKS_BYTES_MAX))
		abort();
	if (again != NULL && jwks_count(again) != jwks_count(set))
		abort();
	jwks_free(again);
	buf_done(&text);
}

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
	check_written(set);
	jwks_free(set);
	buf_done(&refused);
	return 0;
}
