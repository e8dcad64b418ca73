/* test_jws.c - compact JWS: the published examples (RFC 7515, 7520, 8037) and the shape of a token.
 */
#include "vectors.h"

#include "jose/jwt.h"

/* Token and key of the latchset collection; the files end without a newline. */
static bool
latchset_accepts(const char *token_file, const char *key_file, bool *ret)
{
	struct vectors key CLEANUP(vectors_done) = { 0 };
	struct buf token CLEANUP(buf_done) = { 0 };
	char path[128];

	snprintf(path, sizeof path, "jose-rfc-vectors-latchset/%s", token_file);
	if (!vectors_read(path, &token))
		return false;
	snprintf(path, sizeof path, "jose-rfc-vectors-latchset/%s", key_file);
	if (!vectors_load(path, &key))
		return false;

	struct jwks *set CLEANUP(set_drop) = public_set(key.root);
	*ret = set_accepts(set, buf_bytes(&token));
	return true;
}

static void
test_rfc_examples(void)
{
	static const struct {
		const char *token, *key;
		bool accepted;
	} rows[] = {
		{ "vectors/rfc7515_A.1.jwsc", "vectors/rfc7515_A.1.jwk", false }, /* HS256 */
		{ "vectors/rfc7515_A.2.jwsc", "vectors/rfc7515_A.2.jwk", true },  /* RS256 */
		{ "vectors/rfc7515_A.3.jwsc", "vectors/rfc7515_A.3.jwk", true },  /* ES256 */
		{ "vectors/rfc7515_A.4.jwsc", "vectors/rfc7515_A.4.jwk", true },  /* ES512 */
		{ "vectors/rfc7515_A.5.jwsc", "vectors/rfc7515_A.2.jwk", false }, /* none */
		{ "vectors/rfc7515_A.6.jwsg", "vectors/rfc7515_A.6.1.jwk",
		  false }, /* JSON, two signatures */
		{ "vectors/rfc7515_A.7.jwsf", "vectors/rfc7515_A.3.jwk", false }, /* JSON */
		{ "vectors/rfc7520_4.1.jwsc", "vectors/rfc7520_3.4.jwk", true },  /* RS256 */
		{ "vectors/rfc7520_4.1.jwsf", "vectors/rfc7520_3.4.jwk", false },
		{ "vectors/rfc7520_4.2.jwsc", "vectors/rfc7520_3.4.jwk", true },  /* PS384 */
		{ "vectors/rfc7520_4.3.jwsc", "vectors/rfc7520_3.2.jwk", true },  /* ES512 */
		{ "vectors/rfc7520_4.4.jwsc", "vectors/rfc7520_3.5.jwk", false }, /* HS256 */
		{ "vectors/rfc7520_4.5.jwsc", "vectors/rfc7520_3.5.jwk",
		  false }, /* HS256, detached */
		{ "vectors/rfc7520_4.8.jwsg", "vectors/rfc7520_4.8.jwkset", false },
		{ "vectors/rfc7520_5.1.jwec", "vectors/rfc7520_5.1.jwk", false }, /* JWE */
		{ "cve-2023-50967/cve-2023-50967.jwe", "cve-2023-50967/cve-2023-50967.jwk", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool accepted;

		if (!latchset_accepts(rows[i].token, rows[i].key, &accepted))
			SKIP("no corpora");
		CHECK_ROW(accepted == rows[i].accepted, rows[i].token);
	}
}

static void
test_cookbook_examples(void)
{
	static const struct {
		const char *file;
		bool accepted;
	} rows[] = {
		{ "jws/4_1.rsa_v15_signature.json", true },
		{ "jws/4_2.rsa-pss_signature.json", true },
		{ "jws/4_3.ecdsa_signature.json", true },
		{ "jws/4_4.hmac-sha2_integrity_protection.json", false },
		{ "jws/4_5.signature_with_detached_content.json", false },
		{ "jws/4_6.protecting_specific_header_fields.json", false },
		{ "jws/4_7.protecting_content_only.json", false },
		{ "jws/4_8.multiple_signatures.json", false },
		{ "curve25519/jws.json", true },
		{ "rfc7797/4.2.hmac-sha2_b64_false.json", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vectors v CLEANUP(vectors_done) = { 0 };
		char path[128];

		snprintf(path, sizeof path, "jose-cookbook-rfc7520/%s", rows[i].file);
		if (!vectors_load(path, &v))
			SKIP("no corpora");

		const struct json *output = json_member(v.root, "output");
		const struct json *key = json_member(json_member(v.root, "input"), "key");
		struct buf json CLEANUP(buf_done) = { 0 };
		struct bytes compact = member_text(output, "compact");

		if (compact.at == NULL) { /* these exist as JSON only */
			json_put_value(&json, json_member(output, "json"));
			compact = buf_bytes(&json);
		}
		struct jwks *set CLEANUP(set_drop) = public_set(key);
		CHECK_ROW(set_accepts(set, compact) == rows[i].accepted, rows[i].file);
	}
}

/* Header, payload and signature given as text -> the check that jws_parse says failed, or -1. */
static int
parse_failure(const char *header, const char *payload)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct buf token CLEANUP(buf_done) = { 0 };
	struct jws j;

	base64url_put(&token, bytes_text(header));
	buf_put_u8(&token, '.');
	base64url_put(&token, bytes_text(payload));
	buf_put_text(&token, ".AAAA");

	struct err e = jws_parse(buf_bytes(&token), &arena, &j);
	if (!failed(e))
		return -1;
	CHECK_ROW(e.kind == ERR_IDENTITY && e.why != NULL && j.alg == 0, header);
	return (int)e.code;
}

static void
test_header_checks_are_told_apart(void)
{
	static const struct {
		const char *header;
		int failure;
	} rows[] = {
		{ "{\"alg\":\"RS256\"}", -1 },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"JWT\",\"jwk\":{},\"x5c\":[],\"jku\":"
		  "5,\"x\":1}",
		  -1 },
		{ " { \"alg\" : \"ES256\" } ", -1 },
		{ "", JWT_HEADER },
		{ "[]", JWT_HEADER },
		{ "null", JWT_HEADER },
		{ "{\"alg\":\"RS256\"", JWT_HEADER },
		{ "{\"alg\":\"RS256\"}}", JWT_HEADER },
		{ "{\"alg\":\"none\",\"alg\":\"RS256\"}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"crit\":[]}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"crit\":null}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"b64\":true}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"kid\":1}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"kid\":null}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"kid\":\"\"}", JWT_HEADER },
		{ "{\"alg\":\"RS256\",\"typ\":[\"JWT\"]}", JWT_HEADER },
		{ "{}", JWT_ALGORITHM },
		{ "{\"alg\":\"none\"}", JWT_ALGORITHM },
		{ "{\"alg\":\"\"}", JWT_ALGORITHM },
		{ "{\"alg\":\"rs256\"}", JWT_ALGORITHM },
		{ "{\"alg\":\"RS256 \"}", JWT_ALGORITHM },
		{ "{\"alg\":\"HS256\"}", JWT_ALGORITHM },
		{ "{\"alg\":\"ES256K\"}", JWT_ALGORITHM },
		{ "{\"alg\":[\"RS256\"]}", JWT_ALGORITHM },
		{ "{\"alg\":256}", JWT_ALGORITHM },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(parse_failure(rows[i].header, "{}") == rows[i].failure, rows[i].header);
}

static void
test_payload_that_is_no_object_is_no_claims(void)
{
	static const char *const rows[] = {
		"", "[]", "7", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{}x", "\xef\xbb\xbf{}"
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena CLEANUP(arena_drop) = { 0 };
		struct buf token CLEANUP(buf_done) = { 0 };
		struct jws j;

		buf_put_text(&token, "eyJhbGciOiJSUzI1NiJ9.");
		base64url_put(&token, bytes_text(rows[i]));
		buf_put_text(&token, ".AAAA");
		CHECK_ROW(!failed(jws_parse(buf_bytes(&token), &arena, &j)), rows[i]);
		CHECK_ROW(j.payload == NULL && bytes_is(j.payload_bytes, rows[i]), rows[i]);
	}
}

static void
test_tokens_of_another_shape_are_refused(void)
{
	static const char *const rows[] = {
		"",
		".",
		"..",
		"...",
		"a",
		"e30",
		"e30.e30",
		"e30.e30.AA.AA",
		"e30.e30.AA.",
		"e30.e30.AA.AA.AA",
		"e30=.e30.AA",
		"e30.e30.A",
		"e30.e30.AB",
		"e30.e30.AA\n",
		" e30.e30.AA",
		"e3 0.e30.AA",
		"e30.e3+.AA",
		"e30.e30.A/==",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena CLEANUP(arena_drop) = { 0 };
		struct jws j;
		struct err e = jws_parse(bytes_text(rows[i]), &arena, &j);

		/* ".." has three parts, all empty: no header. */
		CHECK_ROW(failed(e) &&
		                  e.code == (strcmp(rows[i], "..") == 0 ? JWT_HEADER : JWT_FORM),
		          rows[i]);
	}
}

static void
test_case_09_many_dots_and_long_tokens_are_refused_without_allocating(void)
{
	struct arena arena = { 0 };
	struct jws j;
	size_t len = 1 << 20;
	char *text = malloc(len);

	memset(text, '.', len);
	CHECK(jws_parse((struct bytes){ (uint8_t *)text, 100000 }, &arena, &j).code == JWT_FORM);
	CHECK(failed(jws_parse((struct bytes){ (uint8_t *)text, 100000 }, &arena, &j)));
	CHECK(failed(jws_parse((struct bytes){ (uint8_t *)text, JWS_BYTES_MAX }, &arena, &j)));
	memset(text, 'A', len);
	CHECK(failed(jws_parse((struct bytes){ (uint8_t *)text, len }, &arena, &j)));
	CHECK(arena.total == 0);
	free(text);
}

static void
test_case_08_five_parts_are_refused_before_any_work(void)
{
	struct arena arena = { 0 };
	struct jws j;
	struct err e = jws_parse(BYTES("eyJhbGciOiJQQkVTMi1IUzUxMitBMjU2S1ciLCJwMmMiOjIxNDc0ODM2NDd"
	                               "9.AAAA.AAAA.AAAA.AAAA"),
	                         &arena, &j);

	CHECK(e.kind == ERR_IDENTITY && e.code == JWT_FORM);
	CHECK(arena.total == 0); /* not even decoded */
}

static void
test_algorithm_names_go_both_ways(void)
{
	for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1) {
		const char *name = jws_alg_name((enum jws_alg_bit)bit);

		CHECK(name != NULL && jws_alg_from(bytes_text(name)) == bit);
	}
	CHECK(jws_alg_name((enum jws_alg_bit)0) == NULL);
	CHECK(jws_alg_name((enum jws_alg_bit)(ALG_RS256 | ALG_RS384)) == NULL);
	CHECK(jws_alg_from(BYTES("none")) == 0);
}

TESTS(TEST(test_rfc_examples), TEST(test_cookbook_examples),
      TEST(test_header_checks_are_told_apart), TEST(test_payload_that_is_no_object_is_no_claims),
      TEST(test_tokens_of_another_shape_are_refused),
      TEST(test_case_08_five_parts_are_refused_before_any_work),
      TEST(test_case_09_many_dots_and_long_tokens_are_refused_without_allocating),
      TEST(test_algorithm_names_go_both_ways))
