/* test_sign.c - private keys: round trips, storage, thumbprints. */
#include "vectors.h"

#include "jose/jwt.h"
#include "jose/sign.h"

static void
key_drop(struct signing_key **k)
{
	signing_key_free(*k);
}

static struct jwks *
set_of_key(const struct signing_key *k)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	struct jwks *set = NULL;

	buf_put_text(&text, "{\"keys\":[");
	signing_key_put_jwk(k, &text);
	buf_put_text(&text, "]}");
	CHECK(!failed(jwks_parse(buf_bytes(&text), &set, NULL)) && jwks_count(set) == 1);
	return set;
}

/* PKCS#8 out and in again; what the second key signs, the first key's public half accepts. */
static void
check_round_trip(enum jws_alg_bit alg)
{
	struct signing_key *made CLEANUP(key_drop) = NULL;
	struct signing_key *read CLEANUP(key_drop) = NULL;
	struct secret der CLEANUP(secret_done) = { 0 };
	struct buf token CLEANUP(buf_done) = { 0 };
	const char *name = jws_alg_name(alg);

	CHECK_ROW(!failed(signing_key_generate(alg, &made)), name);
	CHECK_ROW(!failed(signing_key_der(made, &der)), name);
	CHECK_ROW(!failed(signing_key_from_der(secret_bytes(&der), alg, &read)), name);
	CHECK_ROW(signing_key_alg(read) == alg, name);
	CHECK_ROW(bytes_equal(signing_key_id(made), signing_key_id(read)) &&
	                  signing_key_id(read).len == 43,
	          name);

	struct jwks *set CLEANUP(set_drop) = set_of_key(made);
	buf_put_text(&token, "before ");
	CHECK_ROW(!failed(signing_key_sign(read, "at+jwt", BYTES("{\"sub\":\"u\"}"), &token)),
	          name);
	buf_consume(&token, 7);
	CHECK_ROW(set_accepts(set, buf_bytes(&token)), name);

	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct jws j;
	CHECK_ROW(!failed(jws_parse(buf_bytes(&token), &arena, &j)), name);
	CHECK_ROW(j.alg == alg && bytes_is(j.typ, "at+jwt") &&
	                  bytes_equal(j.kid, signing_key_id(made)),
	          name);
	CHECK_ROW(bytes_is(j.payload_bytes, "{\"sub\":\"u\"}"), name);
	for (size_t i = 0; i < j.signature.len; i += 7) { /* any bit of the signature counts */
		uint8_t *at = (uint8_t *)(uintptr_t)&j.signature.at[i];

		*at ^= 1;
		CHECK_ROW(failed(jws_verify(&j, jwks_at(set, 0))), name);
		*at ^= 1;
	}
	CHECK_ROW(!failed(jws_verify(&j, jwks_at(set, 0))), name);
}

static void
test_every_algorithm_signs_and_verifies(void)
{
	for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1)
		check_round_trip((enum jws_alg_bit)bit);
}

static void
test_many_signatures_verify_with_one_prepared_key(void)
{
	static const enum jws_alg_bit algs[] = { ALG_ES256, ALG_ES512, ALG_EDDSA, ALG_RS256,
		                                 ALG_PS256 };

	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		struct signing_key *k CLEANUP(key_drop) = NULL;

		CHECK(!failed(signing_key_generate(algs[i], &k)));
		struct jwks *set CLEANUP(set_drop) = set_of_key(k);
		/* Enough for r and s with leading zero bytes; a bad one in between must leave no
		 * trace. */
		for (int n = 0; n < (algs[i] == ALG_ES256 ? 600 : 20); n++) {
			struct buf token CLEANUP(buf_done) = { 0 };

			CHECK(!failed(signing_key_sign(k, "JWT", BYTES("{}"), &token)));
			CHECK(set_accepts(set, buf_bytes(&token)));
			token.at[token.len - 9] ^= 1; /* another letter of the alphabet, or none */
			CHECK(!set_accepts(set, buf_bytes(&token)));
		}
	}
}

/* RFC 8037 appendix A: private key, its thumbprint, and a signature that has no randomness in it.
 */
static void
test_ed25519_example_of_rfc_8037(void)
{
	static const uint8_t pkcs8[] = {
		0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
		0x04, 0x22, 0x04, 0x20, 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60,
		0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69,
		0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
	};
	struct signing_key *k CLEANUP(key_drop) = NULL;
	struct buf jwk CLEANUP(buf_done) = { 0 };

	CHECK(!failed(signing_key_from_der((struct bytes){ pkcs8, sizeof pkcs8 }, ALG_EDDSA, &k)));
	CHECK(bytes_is(signing_key_id(k), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
	signing_key_put_jwk(k, &jwk);
	CHECK(bytes_equal(
		buf_bytes(&jwk),
		BYTES("{\"crv\":\"Ed25519\",\"kty\":\"OKP\","
	              "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"use\":\"sig\","
	              "\"alg\":\"EdDSA\",\"kid\":\"kPrK_"
	              "qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"}")));
}

static void
test_stored_keys_that_do_not_fit_are_refused(void)
{
	struct signing_key *made CLEANUP(key_drop) = NULL;
	struct signing_key *read = NULL;
	struct secret der CLEANUP(secret_done) = { 0 };

	CHECK(!failed(signing_key_generate(ALG_ES256, &made)));
	CHECK(!failed(signing_key_der(made, &der)));

	struct bytes whole = secret_bytes(&der);
	CHECK(failed(signing_key_from_der(whole, ALG_RS256, &read)));
	CHECK(failed(signing_key_from_der(whole, ALG_ES384, &read)));
	CHECK(failed(signing_key_from_der(whole, ALG_EDDSA, &read)));
	CHECK(failed(signing_key_from_der(whole, (enum jws_alg_bit)0, &read)));
	for (size_t len = 0; len < whole.len; len++)
		CHECK(failed(signing_key_from_der(bytes_slice(whole, 0, len), ALG_ES256, &read)));

	uint8_t longer[512] = { 0 };
	memcpy(longer, whole.at, whole.len);
	CHECK(failed(
		signing_key_from_der((struct bytes){ longer, whole.len + 1 }, ALG_ES256, &read)));
	CHECK(read == NULL);
}

static void
test_token_that_does_not_fit_is_an_error(void)
{
	struct signing_key *k CLEANUP(key_drop) = NULL;
	struct buf token CLEANUP(buf_done) = { .limit = 100 };

	CHECK(!failed(signing_key_generate(ALG_ES256, &k)));
	CHECK(signing_key_sign(k, "at+jwt", BYTES("{\"sub\":\"u\"}"), &token).kind == ERR_LIMIT);
}

TESTS(TEST(test_every_algorithm_signs_and_verifies),
      TEST(test_many_signatures_verify_with_one_prepared_key),
      TEST(test_ed25519_example_of_rfc_8037), TEST(test_stored_keys_that_do_not_fit_are_refused),
      TEST(test_token_that_does_not_fit_is_an_error))
