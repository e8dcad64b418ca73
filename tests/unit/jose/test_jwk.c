/* test_jwk.c - key sets: what is refused, and that a bad key spoils only itself. */
#include "vectors.h"

#include "jose/key.h"

#define GOOD_X "Ssy3Ffl_CaGVM9nnfqah0Ewaz7BldzNPUJCuXOqM0mY"
#define GOOD_Y "_8v8jXYN2KDrsEDvyjZG8ELPctgYCeofnp8cZfSIIY0"
#define ZERO_X "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define GOOD_EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" GOOD_X "\",\"y\":\"" GOOD_Y "\""
#define GOOD_ED                                                                                    \
	"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"                               \
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

/* How many of the keys, given as the members of one JWK, are taken beside one good key. */
static size_t
taken(const char *members)
{
	char text[16384];
	size_t count;

	snprintf(text, sizeof text, "{\"keys\":[{%s},{\"kid\":\"good\"," GOOD_ED "}]}", members);

	struct jwks *set CLEANUP(set_drop) = set_of_text(text);
	if (set == NULL)
		return 99;
	count = jwks_count(set);
	CHECK_ROW(count >= 1 && jwks_find(set, BYTES("good"), ALG_EDDSA) == jwks_at(set, count - 1),
	          members);
	return count - 1;
}

static void
test_good_keys_are_taken(void)
{
	CHECK(taken(GOOD_EC) == 1);
	CHECK(taken(GOOD_ED) == 1);
	CHECK(taken(GOOD_EC
	            ",\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],\"x5c\":[\"?\"],"
	            "\"new\":{}") == 1);
}

static void
test_key_members_that_do_not_fit_are_refused(void)
{
	static const char *const rows[] = {
		"",
		"\"kty\":5",
		"\"kty\":\"XYZ\"",
		"\"kty\":\"oct\",\"k\":\"c2VjcmV0\"",
		GOOD_EC ",\"k\":\"AA\"",
		GOOD_EC ",\"d\":\"AA\"",
		GOOD_EC ",\"use\":\"enc\"",
		GOOD_EC ",\"use\":7",
		GOOD_EC ",\"use\":\"\"",
		GOOD_EC ",\"key_ops\":[\"sign\"]",
		GOOD_EC ",\"key_ops\":\"verify\"",
		GOOD_EC ",\"key_ops\":[]",
		GOOD_EC ",\"key_ops\":[\"verify\",1]",
		GOOD_EC ",\"alg\":\"ES384\"",
		GOOD_EC ",\"alg\":\"RS256\"",
		GOOD_EC ",\"alg\":\"HS256\"",
		GOOD_EC ",\"alg\":null",
		GOOD_EC ",\"kid\":5",
		GOOD_EC ",\"kid\":\"\"",
		GOOD_ED ",\"alg\":\"ES256\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(taken(rows[i]) == 0, rows[i]);
}

static void
test_case_11_points_off_the_curve_are_refused(void)
{
	static const char *const rows[] = {
		"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" GOOD_X
		"\",\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"",
		"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" GOOD_X "\"",
		"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" GOOD_X "\",\"y\":7",
		"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" GOOD_X "\",\"y\":\"" GOOD_Y "=\"",
		"\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" GOOD_X "\",\"y\":\"" GOOD_Y "\"",
		"\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" GOOD_X "\",\"y\":\"" GOOD_Y "\"",
		"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZERO_X "\",\"y\":\"" ZERO_X "\"",
		/* Ed25519: orders 4, 1, 2 and 8; y = p and p + 1; y = 2, which no point has; 31
		 * bytes; Ed448.
		 */
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		"\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P____________________________________"
		"___38\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JuiVj8KyJ7BFw_SJ8u-"
		"Y8NXfrAXTxjM5sTgCiG1T_AU\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"xxdqcD1N2E-6PAt2DRBnDyogU_"
		"osOczGTsf9d5KsA3o\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7f____________________________________"
		"___38\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7v____________________________________"
		"___38\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		"\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		"7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"",
		"\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"11qYAYKxCrfVS_"
		"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(taken(rows[i]) == 0, rows[i]);
}

/* An RSA key of `bits` ones, then n and e as asked for: loading looks at size and oddness only. */
static size_t
taken_rsa(size_t bits, uint8_t last, struct bytes exponent)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	uint8_t n[16384];
	size_t len = bits / 8;

	memset(n, 0xb7, sizeof n);
	n[len - 1] = last;
	put_number(&text, "n", (struct bytes){ n, len });
	put_number(&text, "e", exponent);
	buf_put_text(&text, "\"kty\":\"RSA\"");
	buf_put_u8(&text, 0);
	return taken((const char *)text.at);
}

static void
test_case_10_weak_and_giant_rsa_keys_are_refused(void)
{
	static const uint8_t f4[] = { 1, 0, 1 }, three[] = { 3 }, one[] = { 1 }, two[] = { 2 },
			     zero[] = { 0 };
	static const uint8_t top[] = { 0xff, 0xff, 0xff, 0xff }, above[] = { 1, 0, 0, 0, 1 };
	static const uint8_t giant[256] = { [0] = 0xff, [255] = 1 };

	CHECK(taken_rsa(2048, 1, (struct bytes){ f4, sizeof f4 }) == 1);
	CHECK(taken_rsa(8192, 1, (struct bytes){ f4, sizeof f4 }) == 1);
	CHECK(taken_rsa(2048, 1, (struct bytes){ three, 1 }) == 1);
	CHECK(taken_rsa(2048, 1, (struct bytes){ top, sizeof top }) == 1);

	CHECK(taken_rsa(1024, 1, (struct bytes){ f4, sizeof f4 }) == 0);
	CHECK(taken_rsa(2040, 1, (struct bytes){ f4, sizeof f4 }) == 0);
	CHECK(taken_rsa(8200, 1, (struct bytes){ f4, sizeof f4 }) == 0);
	CHECK(taken_rsa(65536, 1, (struct bytes){ f4, sizeof f4 }) == 0);
	CHECK(taken_rsa(2048, 2, (struct bytes){ f4, sizeof f4 }) == 0);
	CHECK(taken_rsa(2048, 1, (struct bytes){ one, 1 }) == 0);
	CHECK(taken_rsa(2048, 1, (struct bytes){ two, 1 }) == 0);
	CHECK(taken_rsa(2048, 1, (struct bytes){ zero, 1 }) == 0);
	CHECK(taken_rsa(2048, 1, (struct bytes){ above, sizeof above }) == 0);
	CHECK(taken_rsa(2048, 1, (struct bytes){ giant, sizeof giant }) == 0);
}

static void
test_documents_that_are_no_key_sets_are_refused(void)
{
	static const char *const rows[] = { "",
		                            "{}",
		                            "[]",
		                            "null",
		                            "{\"keys\":{}}",
		                            "{\"keys\":[",
		                            "{\"keys\":[]}x",
		                            "{\"keys\":[],\"keys\":[]}",
		                            "{\"kty\":\"EC\"}" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jwks *set = NULL;
		struct err e = jwks_parse(bytes_text(rows[i]), &set, NULL);

		CHECK_ROW(e.kind == ERR_PEER && set == NULL, rows[i]);
	}
}

static void
test_more_than_a_hundred_keys_are_refused(void)
{
	for (size_t count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
		struct buf text CLEANUP(buf_done) = { 0 };
		struct jwks *set CLEANUP(set_drop) = NULL;

		buf_put_text(&text, "{\"keys\":[");
		for (size_t i = 0; i < count; i++)
			buf_printf(&text, "%s{\"kid\":\"%zu\"," GOOD_ED "}", i == 0 ? "" : ",", i);
		buf_put_text(&text, "]}");

		struct err e = jwks_parse(buf_bytes(&text), &set, NULL);
		CHECK(e.kind == (count > JWKS_KEYS_MAX ? ERR_LIMIT : ERR_OK));
		CHECK(set == NULL || jwks_count(set) == JWKS_KEYS_MAX);
	}
}

static void
test_refused_keys_are_named_on_one_line(void)
{
	struct buf refused CLEANUP(buf_done) = { 0 };
	struct jwks *set CLEANUP(set_drop) = NULL;

	CHECK(!failed(jwks_parse(
		BYTES("{\"keys\":[{" GOOD_ED "},{\"kty\":\"oct\",\"kid\":\"a\\n\\u001bb\"},7]}"),
		&set, &refused)));
	CHECK(bytes_equal(buf_bytes(&refused), BYTES("key 2 \"a\\n\\u001bb\": unknown kty or crv\n"
	                                             "key 3: a key is no object\n")));
}

static void
test_key_is_found_by_kid_and_algorithm(void)
{
	struct jwks *set CLEANUP(set_drop) =
		set_of_text("{\"keys\":[{\"kid\":\"a\"," GOOD_EC "},{\"kid\":\"a\"," GOOD_ED
	                    "},{\"kid\":\"b\"," GOOD_ED "}]}");

	CHECK(set != NULL && jwks_count(set) == 3);
	CHECK(jwks_find(set, BYTES("a"), ALG_ES256) == jwks_at(set, 0));
	CHECK(jwks_find(set, BYTES("a"), ALG_EDDSA) == jwks_at(set, 1));
	CHECK(jwks_find(set, BYTES("b"), ALG_EDDSA) == jwks_at(set, 2));
	CHECK(jwks_find(set, BYTES("b"), ALG_ES256) == NULL);
	CHECK(jwks_find(set, BYTES("A"), ALG_ES256) == NULL);
	CHECK(jwks_find(set, BYTES("a "), ALG_ES256) == NULL);
	CHECK(jwks_find(set, BYTES(""), ALG_ES256) == jwks_at(set, 0)); /* the only one */
	CHECK(jwks_find(set, BYTES(""), ALG_EDDSA) == NULL);            /* two of them */
	CHECK(jwks_find(set, BYTES("a"), (enum jws_alg_bit)0) == NULL);
}

static void
test_two_keys_of_one_name_and_algorithm_are_not_used(void)
{
	struct jwks *set CLEANUP(set_drop) =
		set_of_text("{\"keys\":[{\"kid\":\"a\"," GOOD_ED
	                    "},{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
	                    "\"x\":\"nBsMgp7tL9CykbLep3lf8-RetTm-IC4LdKZCsZCnKEM\"}]}");

	CHECK(set != NULL && jwks_count(set) == 2);
	CHECK(jwks_find(set, BYTES("a"), ALG_EDDSA) == NULL);
}

/* The keys of jwks_bad.jsonl that are left, by case; a set of its own for what is no set at all. */
static void
test_bad_key_sets_of_the_corpus(void)
{
	static const struct {
		const char *id;
		int keys; /* -1: the document is refused */
	} other[] = {
		{ "dup-kid", 2 },    { "keys-not-array", -1 },        { "keys-missing", -1 },
		{ "keys-empty", 0 }, { "mixed-good-and-unknown", 1 }, { "ten-thousand-keys", -1 }
	};
	struct buf file CLEANUP(buf_done) = { 0 };
	unsigned count = 0;

	if (!vectors_read("jwt-attacks/jwks_bad.jsonl", &file))
		SKIP("no corpora");
	for (struct bytes rest = buf_bytes(&file); rest.len != 0; count++) {
		struct arena arena CLEANUP(arena_drop) = { .limit = 64 << 20 };
		struct buf text CLEANUP(buf_done) = { 0 };
		struct jwks *set CLEANUP(set_drop) = NULL;
		const struct json *row;
		int expected = 0;
		char id[64];

		struct err parsed = json_parse(vectors_line(&rest), &arena, &row, NULL);
		CHECK(!failed(parsed));
		if (failed(parsed))
			return;
		snprintf(id, sizeof id, "%.*s", (int)member_text(row, "id").len,
		         (const char *)member_text(row, "id").at);
		for (size_t i = 0; i < ARRAY_LEN(other); i++)
			if (strcmp(other[i].id, id) == 0)
				expected = other[i].keys;

		const struct json *document = json_member(row, "jwks");
		if (document->type == JSON_STRING)
			buf_put(&text, document->text);
		else
			json_put_value(&text, document);

		struct err e = jwks_parse(buf_bytes(&text), &set, NULL);
		CHECK_ROW(failed(e) == (expected < 0), id);
		CHECK_ROW(set == NULL || jwks_count(set) == (size_t)expected, id);
		if (strcmp(id, "dup-kid") == 0)
			CHECK(jwks_find(set, BYTES("w"), ALG_RS256) == NULL);
	}
	CHECK(count == 21);
}

static void
test_rsa_thumbprint_of_rfc_7638(void)
{
	struct vectors v CLEANUP(vectors_done) = { 0 };
	struct bytes n, e;
	uint8_t modulus[512], exponent[8];
	size_t n_len, e_len;
	EVP_PKEY *key = NULL;
	char print[JWK_THUMBPRINT_LEN + 1];

	if (!vectors_load("jose-rfc-vectors-latchset/vectors/rfc7638_3.1.jwk", &v))
		SKIP("no corpora");
	n = member_text(v.root, "n"), e = member_text(v.root, "e");
	CHECK(!failed(base64url_decode(n, modulus, sizeof modulus, &n_len)));
	CHECK(!failed(base64url_decode(e, exponent, sizeof exponent, &e_len)));
	CHECK(!failed(key_rsa((struct bytes){ modulus, n_len }, (struct bytes){ exponent, e_len },
	                      &key)));
	CHECK(!failed(key_thumbprint(key, KEY_RSA, print)));
	CHECK(strcmp(print, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs") == 0);
	EVP_PKEY_free(key);
}

static void
test_written_set_is_read_as_the_same_set(void)
{
	static const char text[] =
		"{\"keys\":[{\"kid\":\"a\\\"<\",\"alg\":\"ES256\",\"use\":\"sig\",\"x5c\":[\"AA\"],"
		"\"issuer\":\"https://login.test/{tenantid}/v2.0\"," GOOD_EC "},{" GOOD_ED
		"}],\"z\":1}";
	struct jwks *set CLEANUP(set_drop) = set_of_text(text);
	struct buf first CLEANUP(buf_done) = { 0 };
	struct buf second CLEANUP(buf_done) = { 0 };
	struct jwks *again CLEANUP(set_drop) = NULL;

	jwks_put(set, &first);
	CHECK(memmem(first.at, first.len, "x5c", 3) == NULL);
	CHECK(!failed(jwks_parse(buf_bytes(&first), &again, NULL)) && jwks_count(again) == 2);
	jwks_put(again, &second);
	CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));

	const struct jwk *ec = jwks_find(again, BYTES("a\"<"), ALG_ES256);
	CHECK(ec == jwks_at(again, 0));
	CHECK(bytes_is(jwk_issuer(ec), "https://login.test/{tenantid}/v2.0"));
	CHECK(jwk_issuer(jwks_at(again, 1)).len == 0 && jwk_fits(jwks_at(again, 1), ALG_EDDSA));
}

/* A key that fits several algorithms still does after it was written. */
static void
test_written_rsa_set_keeps_its_algorithms(void)
{
	struct vectors keys CLEANUP(vectors_done) = { 0 };
	struct buf text CLEANUP(buf_done) = { 0 };
	struct jwks *again CLEANUP(set_drop) = NULL;

	if (!vectors_load("jwt-attacks/jwks.json", &keys))
		SKIP("no corpora");

	struct jwks *set CLEANUP(set_drop) = public_set(keys.root);
	jwks_put(set, &text);
	CHECK(!failed(jwks_parse(buf_bytes(&text), &again, NULL)));
	CHECK(jwks_count(set) >= 6 && jwks_count(again) == jwks_count(set));
	for (size_t i = 0; i < jwks_count(set); i++)
		for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1)
			CHECK(jwk_fits(jwks_at(set, i), (enum jws_alg_bit)bit) ==
			      jwk_fits(jwks_at(again, i), (enum jws_alg_bit)bit));
}

/* RFC 7638 section 3.1. */
static void
test_single_key_has_its_thumbprint(void)
{
	static const char text[] =
		"{\"kty\":\"RSA\",\"n\":"
		"\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAA"
		"tVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-"
		"5JsGY4Hc5n9yBXAr"
		"wl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
		"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
		"vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
		"xBniIqb"
		"w0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":"
		"\"2011-04-29\"}";
	struct arena arena CLEANUP(arena_drop) = { 0 };
	const struct json *object;
	struct jwk *k = NULL;
	char print[JWK_THUMBPRINT_LEN + 1];

	CHECK(!failed(json_parse(bytes_text(text), &arena, &object, NULL)));
	CHECK(jwk_new(object, ALG_PS256, &k).kind == ERR_PEER && k == NULL);
	CHECK(jwk_new(object, ALG_ES256, &k).kind == ERR_PEER && k == NULL);
	CHECK(!failed(jwk_new(object, ALG_RS256, &k)));
	CHECK(!failed(jwk_thumbprint(k, print)));
	CHECK(strcmp(print, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs") == 0);
	jwk_free(k);
	jwk_free(NULL);
}

TESTS(TEST(test_written_set_is_read_as_the_same_set),
      TEST(test_written_rsa_set_keeps_its_algorithms), TEST(test_single_key_has_its_thumbprint),
      TEST(test_good_keys_are_taken), TEST(test_key_members_that_do_not_fit_are_refused),
      TEST(test_case_10_weak_and_giant_rsa_keys_are_refused),
      TEST(test_case_11_points_off_the_curve_are_refused),
      TEST(test_documents_that_are_no_key_sets_are_refused),
      TEST(test_more_than_a_hundred_keys_are_refused),
      TEST(test_refused_keys_are_named_on_one_line), TEST(test_key_is_found_by_kid_and_algorithm),
      TEST(test_two_keys_of_one_name_and_algorithm_are_not_used),
      TEST(test_bad_key_sets_of_the_corpus), TEST(test_rsa_thumbprint_of_rfc_7638))
