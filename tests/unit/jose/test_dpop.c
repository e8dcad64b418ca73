/* test_dpop.c - proofs of RFC 9449: its own examples, and each check of section 4.3. */
#include "vectors.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "jose/dpop.h"

/* Sections 4.1 and 7.1; the key is that of section 6.1. */
#define RFC_HEADER                                                                                 \
	"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0" \
	"VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10" \
	"NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
#define RFC_THUMBPRINT "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
static const char rfc_4_1[] =
	RFC_HEADER ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2Vyd"
		   "mVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0"
		   "zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
static const char rfc_7_1[] =
	RFC_HEADER ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvd"
		   "XJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoi"
		   "ZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP8"
		   "6L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
static const char rfc_token[] = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

static struct dpop_request
rfc_request(void)
{
	return (struct dpop_request){ .proof = bytes_text(rfc_7_1),
		                      .method = BYTES("GET"),
		                      .url = BYTES(
					      "https://resource.example.org/protectedresource"),
		                      .token = bytes_text(rfc_token),
		                      .now_s = 1562262618 };
}

static const char *
why_of(const struct dpop_request *r, struct dpop_proof *ret)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct err e = dpop_check(r, &arena, ret);

	CHECK(!failed(e) || e.kind == ERR_IDENTITY);
	return failed(e) ? e.why : NULL;
}

static void
test_examples_of_the_rfc_are_accepted(void)
{
	struct dpop_request r = rfc_request();
	struct dpop_proof resource, token;

	CHECK(why_of(&r, &resource) == NULL && strcmp(resource.thumbprint, RFC_THUMBPRINT) == 0);
	r = (struct dpop_request){ .proof = bytes_text(rfc_4_1),
		                   .method = BYTES("POST"),
		                   .url = BYTES("https://server.example.com/token"),
		                   .now_s = 1562262616 };
	CHECK(why_of(&r, &token) == NULL && strcmp(token.thumbprint, RFC_THUMBPRINT) == 0);
	/* Two proofs of one key are two. */
	CHECK(memcmp(resource.id, token.id, DPOP_ID_LEN) != 0);

	uint8_t id[DPOP_ID_LEN];
	static const char named[] = RFC_THUMBPRINT ".e1j3V_bKic8-LAEB";
	CHECK(EVP_Digest(named, strlen(named), id, NULL, EVP_sha256(), NULL) == 1);
	CHECK(memcmp(resource.id, id, DPOP_ID_LEN) == 0);
}

static void
test_proof_for_something_else_is_refused(void)
{
	struct dpop_request r = rfc_request();
	struct dpop_proof p;

	r.method = BYTES("get");
	CHECK(strstr(why_of(&r, &p), "another method") != NULL);
	r = rfc_request();
	r.token = BYTES("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxV");
	CHECK(strstr(why_of(&r, &p), "another token") != NULL);
	r = rfc_request();
	r.proof = bytes_text(rfc_4_1); /* no ath */
	r.method = BYTES("POST");
	r.url = BYTES("https://server.example.com/token");
	CHECK(strstr(why_of(&r, &p), "another token") != NULL);
}

static void
test_time_of_a_proof_is_exact_at_both_ends(void)
{
	static const struct {
		int64_t offset_s;
		bool accepted;
	} rows[] = { { 300, true }, { 301, false }, { -300, true }, { -301, false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dpop_request r = rfc_request();
		struct dpop_proof p;

		r.now_s += rows[i].offset_s;
		CHECK((why_of(&r, &p) == NULL) == rows[i].accepted);
	}
}

static void
test_url_is_compared_after_normalisation(void)
{
	static const struct {
		const char *url;
		bool accepted;
	} rows[] = {
		{ "https://resource.example.org:443/protectedresource", true },
		{ "HTTPS://Resource.EXAMPLE.org/protectedresource", true },
		{ "https://resource.example.org/protectedresource?a=b", true },
		{ "https://resource.example.org/protectedresource#f?a", true },
		{ "http://resource.example.org/protectedresource", false },
		{ "https://resource.example.org:80/protectedresource", false },
		{ "https://resource.example.org:8443/protectedresource", false },
		{ "https://resource.example.org/Protectedresource", false },
		{ "https://resource.example.org/protectedresource/", false },
		{ "https://resource.example.org/", false },
		{ "https://resource.example.org", false },
		{ "https://resource.example.org.evil.test/protectedresource", false },
		{ "https://u@resource.example.org/protectedresource", false },
		{ "/protectedresource", false },
		{ "https:///protectedresource", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dpop_request r = rfc_request();
		struct dpop_proof p;

		r.url = bytes_text(rows[i].url);
		CHECK_ROW((why_of(&r, &p) == NULL) == rows[i].accepted, rows[i].url);
	}
}

/* Proofs of our own making */

struct maker {
	EVP_PKEY *key;
	struct buf jwk; /* members without braces */
};

static void
maker_done(struct maker *m)
{
	EVP_PKEY_free(m->key);
	buf_done(&m->jwk);
}

static void
maker_init(struct maker *m)
{
	uint8_t point[65];
	size_t len;

	*m = (struct maker){ .key = EVP_EC_gen("P-256") };
	CHECK(EVP_PKEY_get_octet_string_param(m->key, "pub", point, sizeof point, &len) == 1);
	buf_put_text(&m->jwk, "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"");
	base64url_put(&m->jwk, (struct bytes){ point + 1, 32 });
	buf_put_text(&m->jwk, "\",\"y\":\"");
	base64url_put(&m->jwk, (struct bytes){ point + 33, 32 });
	buf_put_text(&m->jwk, "\"");
}

static void
put_signature(struct maker *m, struct buf *proof)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[128], flat[64];
	const unsigned char *at = sig;
	size_t len = sizeof sig;

	CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, m->key) == 1);
	CHECK(EVP_DigestSign(ctx, sig, &len, proof->at, proof->len) == 1);
	EVP_MD_CTX_free(ctx);

	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)len);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), flat, 32) == 32);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), flat + 32, 32) == 32);
	ECDSA_SIG_free(numbers);
	buf_put_u8(proof, '.');
	base64url_put(proof, (struct bytes){ flat, sizeof flat });
}

/* What is said of a proof with these header members beside `alg` (`%s`: those of the key). */
static const char *
verdict(struct maker *m, const char *header, const char *claims)
{
	struct buf proof CLEANUP(buf_done) = { 0 };
	struct dpop_proof result;
	struct buf text CLEANUP(buf_done) = { 0 };
	const char *key = strstr(header, "KEY");

	buf_put(&text, bytes_slice(bytes_text(header), 0,
	                           key == NULL ? strlen(header) : (size_t)(key - header)));
	if (key != NULL) {
		buf_put(&text, buf_bytes(&m->jwk));
		buf_put_text(&text, key + 3);
	}
	base64url_put(&proof, buf_bytes(&text));
	buf_put_u8(&proof, '.');
	base64url_put(&proof, bytes_text(claims));
	put_signature(m, &proof);
	return why_of(&(struct dpop_request){ .proof = buf_bytes(&proof),
	                                      .method = BYTES("GET"),
	                                      .url = BYTES("https://a.test/x"),
	                                      .now_s = 1000 },
	              &result);
}

#define GOOD_HEADER "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY}}"
#define GOOD_CLAIMS "\"htm\":\"GET\",\"htu\":\"https://a.test/x\",\"iat\":1000"

static void
test_header_of_a_proof_is_checked(void)
{
	static const struct {
		const char *header, *why;
	} rows[] = {
		{ GOOD_HEADER, NULL },
		{ "{\"alg\":\"ES256\",\"typ\":\"DPOP+JWT\",\"jwk\":{KEY}}", NULL },
		{ "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"jwk\":{KEY}}", "holds no proof" },
		{ "{\"alg\":\"ES256\",\"jwk\":{KEY}}", "holds no proof" },
		{ "{\"alg\":\"none\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY}}", "holds no proof" },
		{ "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY}}", "holds no proof" },
		{ "{\"alg\":\"ES384\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY}}", "cannot be used" },
		{ "{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY}}", "cannot be used" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY,\"d\":\"AA\"}}",
		  "cannot be used" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":{KEY,\"k\":\"AA\"}}",
		  "cannot be used" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":[{KEY}]}", "cannot be used" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}", "cannot be used" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"crit\":[\"x\"],\"jwk\":{KEY}}",
		  "holds no proof" },
		{ "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":{\"kty\":\"EC\",\"crv\":"
		  "\"P-256\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\",\"y\":\"9VE4jf_"
		  "Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"},\"z\":{KEY}}",
		  "signature" },
	};
	struct maker m CLEANUP(maker_done);

	maker_init(&m);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why = verdict(&m, rows[i].header, "{\"jti\":\"j\"," GOOD_CLAIMS "}");

		CHECK_ROW(rows[i].why == NULL ? why == NULL
		                              : why != NULL && strstr(why, rows[i].why) != NULL,
		          rows[i].header);
	}
}

static void
test_claims_of_a_proof_are_checked(void)
{
	static const struct {
		const char *claims, *why;
	} rows[] = {
		{ "{\"jti\":\"j\"," GOOD_CLAIMS "}", NULL },
		{ "{" GOOD_CLAIMS "}", "no jti" },
		{ "{\"jti\":\"\"," GOOD_CLAIMS "}", "no jti" },
		{ "{\"jti\":7," GOOD_CLAIMS "}", "no jti" },
		{ "{\"jti\":\"j\",\"htu\":\"https://a.test/x\",\"iat\":1000}", "method" },
		{ "{\"jti\":\"j\",\"htm\":[\"GET\"],\"htu\":\"https://a.test/x\",\"iat\":1000}",
		  "method" },
		{ "{\"jti\":\"j\",\"htm\":\"GET\",\"iat\":1000}", "URL" },
		{ "{\"jti\":\"j\",\"htm\":\"GET\",\"htu\":\"https://b.test/x\",\"iat\":1000}",
		  "URL" },
		{ "{\"jti\":\"j\",\"htm\":\"GET\",\"htu\":\"https://a.test/x?q#f\",\"iat\":1000}",
		  NULL },
		{ "{\"jti\":\"j\",\"htm\":\"GET\",\"htu\":\"https://a.test/x\"}", "just now" },
		{ "{\"jti\":\"j\",\"htm\":\"GET\",\"htu\":\"https://a.test/x\",\"iat\":\"1000\"}",
		  "just now" },
		{ "[]", "no proof" },
	};
	struct maker m CLEANUP(maker_done);

	maker_init(&m);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why = verdict(&m, GOOD_HEADER, rows[i].claims);

		CHECK_ROW(rows[i].why == NULL ? why == NULL
		                              : why != NULL && strstr(why, rows[i].why) != NULL,
		          rows[i].claims);
	}
}

static void
test_jti_is_bounded(void)
{
	struct maker m CLEANUP(maker_done);

	maker_init(&m);
	for (size_t len = 255; len <= 257; len++) {
		char claims[512], jti[300] = "";

		memset(jti, 'j', len);
		jti[len] = '\0';
		snprintf(claims, sizeof claims, "{\"jti\":\"%s\"," GOOD_CLAIMS "}", jti);
		CHECK((verdict(&m, GOOD_HEADER, claims) == NULL) == (len <= DPOP_JTI_MAX));
	}
}

TESTS(TEST(test_examples_of_the_rfc_are_accepted), TEST(test_proof_for_something_else_is_refused),
      TEST(test_time_of_a_proof_is_exact_at_both_ends),
      TEST(test_url_is_compared_after_normalisation), TEST(test_header_of_a_proof_is_checked),
      TEST(test_claims_of_a_proof_are_checked), TEST(test_jti_is_bounded))
