/* test_wycheproof.c - Project Wycheproof's vectors for JWS, JWK, ECDSA, RSA and EdDSA. */
#include "vectors.h"

/* Vectors that call valid what we refuse by policy. The rest of the policy is a rule, not a list: a
 * token with HS256, HS384 or HS512 is refused, because who can check it can also make it. */
static const struct {
	int64_t id;
	const char *why;
} refused_by_policy[] = {
	{ 346, "the key says alg PS256, the token PS384: a key is pinned to its algorithm" },
	{ 347, "the key says alg ES521, which does not exist (RFC 7518 section 3.1)" },
	{ 350, "the key says alg PS256, the token PS384" },
	{ 351, "the key says alg ES521, which does not exist" },
	{ 372, "HS256, and a `?` inside base64url (RFC 7515 section 2)" },
	{ 373, "HS256, and a `?` inside base64url" },
};

struct count {
	unsigned valid, invalid, policy;
};

static bool
is_symmetric(struct bytes token)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct jws j;

	(void)jws_parse(token, &arena, &j);
	return bytes_starts(member_text(j.header, "alg"), BYTES("HS"));
}

static bool
is_listed(int64_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_by_policy); i++)
		if (refused_by_policy[i].id == id)
			return true;
	return false;
}

static void
check_token(const struct jwks *set, const struct json *test, bool has_list, struct count *count)
{
	struct bytes jws = member_text(test, "jws"), jwe = member_text(test, "jwe");
	bool valid = bytes_is(member_text(test, "result"), "valid");
	bool accepted = set_accepts(set, jws.at != NULL ? jws : jwe);
	int64_t id = 0;
	char row[64];

	(void)json_int64(json_member(test, "tcId"), &id);
	snprintf(row, sizeof row, "%lld", (long long)id);
	if (jwe.at != NULL || is_symmetric(jws) || (has_list && is_listed(id))) {
		CHECK_ROW(!accepted, row);
		count->policy++;
		return;
	}
	CHECK_ROW(accepted == valid, row);
	if (valid)
		count->valid++;
	else
		count->invalid++;
}

static struct count
check_token_file(const char *file, bool has_list)
{
	struct vectors v CLEANUP(vectors_done) = { 0 };
	struct count count = { 0 };
	const struct json *groups;

	if (!vectors_load(file, &v))
		return count;
	groups = json_member(v.root, "testGroups");
	for (const struct json *g = json_first(groups); g != NULL; g = json_next(groups, g)) {
		const struct json *key = json_member(g, "public"), *tests = json_member(g, "tests");
		struct jwks *set CLEANUP(set_drop) =
			public_set(key != NULL ? key : json_member(g, "private"));

		for (const struct json *t = json_first(tests); t != NULL; t = json_next(tests, t))
			check_token(set, t, has_list, &count);
	}
	printf("# %s: %u valid, %u invalid, %u refused by policy\n", file, count.valid,
	       count.invalid, count.policy);
	return count;
}

#define DIR "wycheproof/testvectors_v1/"

static void
test_json_web_signature_vectors(void)
{
	struct count count = check_token_file(DIR "json_web_signature_test.json", true);

	if (count.valid + count.invalid == 0)
		SKIP("no corpora");
	CHECK(count.valid >= 30 && count.valid + count.invalid + count.policy == 401);
}

static void
test_json_web_key_vectors(void)
{
	struct count count = check_token_file(DIR "json_web_key_test.json", false);

	if (count.valid + count.invalid == 0)
		SKIP("no corpora");
	CHECK(count.valid + count.invalid + count.policy == 26);
}

static void
test_json_web_crypto_vectors(void)
{
	struct count count = check_token_file(DIR "json_web_crypto_test.json", false);

	if (count.valid + count.invalid == 0)
		SKIP("no corpora");
	CHECK(count.valid + count.invalid + count.policy == 83);
}

/* Raw signatures */

/* From the numbers of a group; NULL where we know no such key. */
static struct jwks *
group_set(const struct json *group, struct arena *arena)
{
	const struct json *key = json_member(group, "publicKey");
	struct bytes point = unhex(member_text(key, "uncompressed"), arena);
	struct bytes n = unhex(member_text(key, "modulus"), arena);
	struct buf text CLEANUP(buf_done) = { 0 };
	struct jwks *set = NULL;

	buf_put_text(&text, "{\"keys\":[{");
	if (point.len > 1) {
		size_t width = point.len / 2;

		put_number(&text, "x", bytes_slice(point, 1, 1 + width));
		put_number(&text, "y", bytes_slice(point, 1 + width, point.len));
		buf_printf(&text, "\"kty\":\"EC\",\"crv\":\"P-%s\"",
		           width == 32   ? "256"
		           : width == 48 ? "384"
		                         : "521");
	} else if (n.len != 0) {
		put_number(&text, "n", n);
		put_number(&text, "e", unhex(member_text(key, "publicExponent"), arena));
		buf_put_text(&text, "\"kty\":\"RSA\"");
	} else {
		put_number(&text, "x", unhex(member_text(key, "pk"), arena));
		buf_put_text(&text, "\"kty\":\"OKP\",\"crv\":\"Ed25519\"");
	}
	buf_put_text(&text, "}]}");
	(void)jwks_parse(buf_bytes(&text), &set, NULL); /* NULL on failure */
	return set;
}

/* "SHA-256" of family 'R' -> RS256; 0 for hashes JOSE does not have. */
static enum jws_alg_bit
alg_for(const struct json *group, char family)
{
	struct bytes sha = member_text(group, "sha");
	char name[8];

	if (family == 'd')
		return ALG_EDDSA;
	snprintf(name, sizeof name, "%cS%.3s", family,
	         sha.len == 7 ? (const char *)sha.at + 4 : "");
	return (enum jws_alg_bit)jws_alg_from(bytes_text(name));
}

/* PSnnn means salt and MGF1 of the same hash (RFC 7518 section 3.5). */
static bool
is_jose_pss(const struct json *group)
{
	struct bytes sha = member_text(group, "sha");
	int64_t salt = 0, bits = sha.len == 7 ? atoi((const char *)sha.at + 4) : 0;

	(void)json_int64(json_member(group, "sLen"), &salt);
	return bytes_equal(sha, member_text(group, "mgfSha")) && salt * 8 == bits;
}

static void
check_raw(const struct jwks *set, enum jws_alg_bit alg, const struct json *test, bool all_refused,
          struct arena *arena, struct count *count)
{
	struct bytes message = unhex(member_text(test, "msg"), arena),
		     sig = unhex(member_text(test, "sig"), arena);
	struct bytes result = member_text(test, "result");
	bool accepted = set != NULL && jwks_count(set) == 1 &&
	                !failed(jwk_verify(jwks_at(set, 0), alg, message, sig));
	int64_t id = 0;
	char row[32];

	(void)json_int64(json_member(test, "tcId"), &id);
	snprintf(row, sizeof row, "%lld", (long long)id);
	if (all_refused) {
		CHECK_ROW(!accepted, row);
		count->policy++;
	} else if (bytes_is(result, "valid")) {
		CHECK_ROW(accepted, row);
		count->valid++;
	} else if (bytes_is(result, "invalid")) {
		CHECK_ROW(!accepted, row);
		count->invalid++;
	} else {
		count->policy++; /* acceptable: either answer */
	}
}

static struct count
check_raw_file(const char *file, char family, bool all_refused)
{
	struct vectors v CLEANUP(vectors_done) = { 0 };
	struct count count = { 0 };
	const struct json *groups;

	if (!vectors_load(file, &v))
		return count;
	groups = json_member(v.root, "testGroups");
	for (const struct json *g = json_first(groups); g != NULL; g = json_next(groups, g)) {
		struct jwks *set CLEANUP(set_drop) = group_set(g, &v.arena);
		const struct json *tests = json_member(g, "tests");
		enum jws_alg_bit alg = alg_for(g, family);
		bool refused = all_refused || alg == 0 || (family == 'P' && !is_jose_pss(g));

		for (const struct json *t = json_first(tests); t != NULL; t = json_next(tests, t))
			check_raw(set, alg, t, refused, &v.arena, &count);
	}
	printf("# %s: %u valid, %u invalid, %u refused by policy or open\n", file, count.valid,
	       count.invalid, count.policy);
	return count;
}

static void
test_ecdsa_vectors(void)
{
	struct count a = check_raw_file(DIR "ecdsa_secp256r1_sha256_p1363_test.json", 'E', false);
	struct count b = check_raw_file(DIR "ecdsa_secp384r1_sha384_p1363_test.json", 'E', false);
	struct count c = check_raw_file(DIR "ecdsa_secp521r1_sha512_p1363_test.json", 'E', false);

	if (a.valid + b.valid + c.valid == 0)
		SKIP("no corpora");
	CHECK(a.valid == 173 && a.invalid == 89 && b.valid > 100 && b.invalid > 50 &&
	      c.valid > 100 && c.invalid > 50);
}

/* RFC 7518 section 3.4 has r and s side by side: whatever is DER is refused. */
static void
test_case_04_ecdsa_der_vectors_are_no_jws_signatures(void)
{
	struct count count = check_raw_file(DIR "ecdsa_secp256r1_sha256_test.json", 'E', true);

	if (count.policy == 0)
		SKIP("no corpora");
	CHECK(count.policy == 484);
}

static void
test_rsa_vectors(void)
{
	static const char *const files[] = {
		DIR "rsa_signature_2048_sha256_test.json",
		DIR "rsa_signature_2048_sha384_test.json",
		DIR "rsa_signature_2048_sha512_test.json",
		DIR "rsa_signature_3072_sha256_test.json",
		DIR "rsa_signature_4096_sha256_test.json",
	};
	unsigned seen = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct count count = check_raw_file(files[i], 'R', false);

		seen += count.valid;
		CHECK_ROW(count.valid == 0 || (count.valid >= 7 && count.invalid > 200), files[i]);
	}
	if (seen == 0)
		SKIP("no corpora");
}

/* The file `misc` mixes hashes and salt lengths: only those that RFC 7518 names may pass. */
static void
test_rsa_pss_vectors(void)
{
	static const char *const files[] = {
		DIR "rsa_pss_2048_sha256_mgf1_32_test.json",
		DIR "rsa_pss_3072_sha256_mgf1_32_test.json",
		DIR "rsa_pss_4096_sha384_mgf1_48_test.json",
		DIR "rsa_pss_4096_sha512_mgf1_64_test.json",
		DIR "rsa_pss_misc_test.json",
	};
	unsigned seen = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct count count = check_raw_file(files[i], 'P', false);

		seen += count.valid;
		CHECK_ROW(count.valid == 0 || count.valid >= 3, files[i]);
	}
	if (seen == 0)
		SKIP("no corpora");
}

static void
test_ed25519_vectors(void)
{
	struct count count = check_raw_file(DIR "ed25519_test.json", 'd', false);

	if (count.valid == 0)
		SKIP("no corpora");
	CHECK(count.valid == 88 && count.invalid == 63);
}

TESTS(TEST(test_json_web_signature_vectors), TEST(test_json_web_key_vectors),
      TEST(test_json_web_crypto_vectors), TEST(test_ecdsa_vectors),
      TEST(test_case_04_ecdsa_der_vectors_are_no_jws_signatures), TEST(test_rsa_vectors),
      TEST(test_rsa_pss_vectors), TEST(test_ed25519_vectors))
