/* test_attack.c - the attack cases on tokens, by the numbers of the threat list, each with a token
 * that is right in everything else and signed with the issuer's own key wherever that is possible.
 */
#include "gate.h"

#include "format/base64.h"

static void
test_honest_token_is_accepted(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(gate_accepts(&g, HEADER, CLAIMS(",\"roles\":[\"reader\"]")));
	CHECK(g.got_roles == ROLE_READER && g.report.failed == JWT_CHECK_COUNT);
}

static void
test_case_01_alg_none_is_refused(void)
{
	static const char *const spellings[] = {
		"none", "None", "NONE", "nOnE", "none ", "", "null"
	};
	static const char *const signatures[] = { ".", ".AAAA", "" };
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	for (size_t i = 0; i < ARRAY_LEN(spellings) * ARRAY_LEN(signatures); i++) {
		struct buf token CLEANUP(buf_done) = { 0 };
		char header[64];

		snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
		         spellings[i / 3]);
		put_unsigned_token(&token, header, CLAIMS(",\"roles\":[\"admin\"]"));
		buf_put_text(&token, signatures[i % 3]);
		CHECK_ROW(!gate_identify(&g, buf_bytes(&token), NOW, false), header);
		CHECK_ROW(g.report.failed == (i % 3 == 2 ? JWT_FORM : JWT_ALGORITHM), header);
		/* Also where the signature is good for another algorithm. */
		CHECK_ROW(!gate_accepts(&g, header, CLAIMS("")), header);
	}
}

static void
test_case_02_hmac_with_the_public_key_is_refused(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf secret CLEANUP(buf_done) = { 0 };
	static const char *const names[] = { "HS256", "HS384", "HS512", "hs256" };

	gate_init(&g);
	signing_key_put_jwk(g.es256, &secret);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf token CLEANUP(buf_done) = { 0 };
		uint8_t mac[64];
		size_t len = 0;
		char header[64];

		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", names[i]);
		put_unsigned_token(&token, header, CLAIMS(",\"roles\":[\"admin\"]"));
		CHECK(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.at, secret.len, token.at,
		                token.len, mac, sizeof mac, &len) != NULL);
		buf_put_u8(&token, '.');
		base64url_put(&token, (struct bytes){ mac, len });
		CHECK_ROW(!gate_identify(&g, buf_bytes(&token), NOW, false), header);
		CHECK_ROW(g.report.failed == JWT_ALGORITHM, header);
	}
	struct jwks *set CLEANUP(set_drop) =
		set_of_text("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}");
	CHECK(set != NULL && jwks_count(set) == 0);
}

/* 0, n, n - 1 and 2^256 - 1 in every pair: only (n - 1, n - 1) is in range, and that is not ours.
 */
static void
test_case_03_degenerate_ecdsa_signatures_are_refused(void)
{
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
		                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                           0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
		                           0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	uint8_t numbers[5][32] = { { 0 }, { 0 }, { 0 }, { [31] = 1 } };
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	memcpy(numbers[1], order, 32);
	memcpy(numbers[2], order, 32);
	numbers[2][31]--;
	memset(numbers[4], 0xff, 32);
	for (size_t i = 0; i < 25; i++) {
		struct buf token CLEANUP(buf_done) = { 0 };
		uint8_t sig[64];

		memcpy(sig, numbers[i / 5], 32);
		memcpy(sig + 32, numbers[i % 5], 32);
		put_unsigned_token(&token, HEADER, CLAIMS(""));
		buf_put_u8(&token, '.');
		base64url_put(&token, (struct bytes){ sig, 64 });
		CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false));
		CHECK(g.report.failed == JWT_SIGNATURE);
	}
}

static void
test_case_04_der_and_longer_signatures_are_refused(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf der CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&der, HEADER, CLAIMS(""));
	sign_es256(&der, g.es256_raw, true);
	CHECK(!gate_identify(&g, buf_bytes(&der), NOW, false));
	CHECK(g.report.failed == JWT_SIGNATURE);

	for (int extra = -2; extra <= 2; extra++) {
		struct buf token CLEANUP(buf_done) = { 0 };
		struct buf good CLEANUP(buf_done) = { 0 };
		uint8_t sig[80] = { 0 };
		size_t len;

		put_unsigned_token(&good, HEADER, CLAIMS(""));
		size_t text_len = good.len;
		sign_es256(&good, g.es256_raw, false);
		CHECK(!failed(
			base64url_decode(bytes_slice(buf_bytes(&good), text_len + 1, good.len), sig,
		                         sizeof sig, &len)));
		buf_put(&token, bytes_slice(buf_bytes(&good), 0, text_len + 1));
		base64url_put(&token, (struct bytes){ sig, (size_t)((int)len + extra) });
		CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) == (extra == 0));
	}
}

static void
test_case_05_hostile_kids_find_no_key(void)
{
	static const char *const kids[] = {
		"\"../../../../dev/null\"",
		"\"x' UNION SELECT 'secret'-- \"",
		"\"key|id\"",
		"\"a\\r\\nX-Injected: 1\"",
		"\"http://127.0.0.1:9/k\"",
		"\"%n%n%s%s\"",
		"\"no-such-key\"",
		"\"\"",
		"5",
		"null",
		"[]",
		"{}",
		"\"a\\u0000b\"",
	};
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
		char header[128];

		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":%s}", kids[i]);
		CHECK_ROW(!gate_accepts(&g, header, CLAIMS("")), header);
		CHECK_ROW(g.report.failed == JWT_KEY || g.report.failed == JWT_HEADER, header);
		for (size_t k = 0; k < g.report.findings[JWT_KEY].got.len; k++)
			CHECK_ROW(g.report.findings[JWT_KEY].got.at[k] >= 0x20, header);
	}

	struct buf longer CLEANUP(buf_done) = { 0 };
	buf_put_text(&longer, "{\"alg\":\"ES256\",\"kid\":\"");
	for (size_t i = 0; i < 65536; i++)
		buf_put_u8(&longer, 'A');
	buf_put_text(&longer, "\"}");
	buf_put_u8(&longer, 0);
	CHECK(!gate_accepts(&g, (const char *)longer.at, CLAIMS("")));
	CHECK(g.report.failed == JWT_FORM);
}

/* The attacker's own key, offered in every way a header can offer one. */
static void
test_case_06_keys_in_the_token_are_never_used(void)
{
	struct gate g CLEANUP(gate_done);
	struct signing_key *evil = NULL;
	struct buf jwk CLEANUP(buf_done) = { 0 };
	char kid[64], header[1024];

	gate_init(&g);
	CHECK(!failed(signing_key_generate(ALG_ES256, &evil)));
	EVP_PKEY *evil_raw = raw_key(evil);
	signing_key_put_jwk(evil, &jwk);
	snprintf(kid, sizeof kid, "%.*s", 43, (const char *)signing_key_id(g.es256).at);
	for (int i = 0; i < 5; i++) {
		struct buf token CLEANUP(buf_done) = { 0 };

		if (i == 0)
			snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"jwk\":%.*s}",
			         (int)jwk.len, (char *)jwk.at);
		else if (i == 1)
			snprintf(header, sizeof header,
			         "{\"alg\":\"ES256\",\"kid\":\"%s\",\"jwk\":%.*s}", kid,
			         (int)jwk.len, (char *)jwk.at);
		else
			snprintf(
				header, sizeof header,
				"{\"alg\":\"ES256\",\"kid\":\"%s\",\"%s\":\"http://127.0.0.1:9/\"}",
				kid,
				i == 2   ? "jku"
				: i == 3 ? "x5u"
					 : "x5c");
		put_unsigned_token(&token, header, CLAIMS(",\"roles\":[\"admin\"]"));
		sign_es256(&token, evil_raw, false);
		CHECK_ROW(!gate_identify(&g, buf_bytes(&token), NOW, false), header);
		CHECK_ROW(g.report.failed == JWT_SIGNATURE, header);
	}
	EVP_PKEY_free(evil_raw);
	signing_key_free(evil);
}

static void
test_case_07_crit_and_b64_are_refused(void)
{
	static const char *const members[] = {
		"\"crit\":[\"exp2\"],\"exp2\":1",
		"\"crit\":[]",
		"\"crit\":\"b64\"",
		"\"crit\":[\"b64\"],\"b64\":false",
		"\"crit\":[\"b64\"]",
		"\"crit\":null",
		"\"crit\":[\"alg\"]",
		"\"b64\":false",
		"\"b64\":true",
	};
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		char header[128];

		snprintf(header, sizeof header, "{\"alg\":\"ES256\",%s}", members[i]);
		CHECK_ROW(!gate_accepts(&g, header, CLAIMS("")), header);
		CHECK_ROW(g.report.failed == JWT_HEADER, header);
	}
}

static void
test_case_08_encrypted_tokens_are_refused(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!gate_identify(
		&g,
		BYTES("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0..AAAA.AAAA.AAAA"),
		NOW, false));
	CHECK(g.report.failed == JWT_FORM && g.error.kind == ERR_IDENTITY);
}

static void
test_case_09_many_dots_and_giant_tokens_are_refused(void)
{
	struct gate g CLEANUP(gate_done);
	size_t len = 1 << 20;
	uint8_t *text = malloc(len);

	gate_init(&g);
	for (size_t i = 0; i < len; i++)
		text[i] = '.';
	CHECK(!gate_identify(&g, (struct bytes){ text, 100000 }, NOW, false) &&
	      g.report.failed == JWT_FORM);
	memset(text, 'A', len);
	text[10] = text[20] = '.';
	CHECK(!gate_identify(&g, (struct bytes){ text, len }, NOW, false) &&
	      g.report.failed == JWT_FORM);
	CHECK(!gate_identify(&g, (struct bytes){ NULL, 0 }, NOW, false) &&
	      g.report.failed == JWT_FORM);
	CHECK(!gate_identify(&g, BYTES(".."), NOW, false));
	free(text);
}

static void
test_case_12_issuer_is_compared_byte_for_byte(void)
{
	static const char *const rows[] = {
		"\"https://idp.test\"",
		"\"https://idp.test/x\"",
		"\"https://IDP.test/\"",
		"\"https://idp.test/ \"",
		"[\"https://idp.test/\"]",
		"\"https://idp.test.evil.test/\"",
		"\"https://idp\\u3002test/\"",
		"null",
		"7",
		"\"\"",
	};
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char claims[256];

		snprintf(claims, sizeof claims,
		         "{\"iss\":%s,\"aud\":\"api://books\",\"sub\":\"u\",\"exp\":1760000900}",
		         rows[i]);
		CHECK_ROW(!gate_accepts(&g, HEADER, claims), claims);
		CHECK_ROW(g.report.failed == JWT_ISSUER && g.error.kind == ERR_IDENTITY, claims);
	}
	CHECK(!gate_accepts(&g, HEADER,
	                    "{\"aud\":\"api://books\",\"sub\":\"u\",\"exp\":1760000900}"));
	CHECK(gate_accepts(&g, HEADER, CLAIMS("")));
}

static void
test_case_13_audience_must_be_ours(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!gate_accepts(&g, HEADER,
	                    "{\"iss\":\"https://idp.test/\",\"aud\":\"api://"
	                    "book\",\"sub\":\"u\",\"exp\":1760000900}"));
	CHECK(g.report.failed == JWT_AUDIENCE);
	CHECK(!gate_accepts(&g, HEADER,
	                    "{\"iss\":\"https://idp.test/\",\"sub\":\"u\",\"exp\":1760000900}"));
	CHECK(g.report.failed == JWT_AUDIENCE);
}

static void
test_case_14_json_serialisation_is_refused(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	CHECK(!gate_identify(
		&g, BYTES("{\"payload\":\"e30\",\"protected\":\"e30\",\"signature\":\"AA\"}"), NOW,
		false));
	CHECK(g.report.failed == JWT_FORM);
	/* CVE-2022-39227: a compact token that is a JSON text as well. */
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);

	struct buf mixed CLEANUP(buf_done) = { 0 };
	buf_put_text(&mixed, "{\" ");
	buf_put(&mixed, buf_bytes(&token));
	buf_put_text(&mixed, "\":1}");
	CHECK(!gate_identify(&g, buf_bytes(&mixed), NOW, false) && g.report.failed == JWT_FORM);
}

static void
test_case_15_duplicate_members_are_refused(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!gate_accepts(&g, "{\"alg\":\"ES256\",\"alg\":\"none\"}", CLAIMS("")));
	CHECK(g.report.failed == JWT_HEADER);
	CHECK(!gate_accepts(&g, "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}", CLAIMS("")));
	CHECK(g.report.failed == JWT_HEADER);
	CHECK(!gate_accepts(&g, HEADER, CLAIMS(",\"roles\":[\"reader\"],\"roles\":[\"admin\"]")));
	CHECK(g.report.failed == JWT_ISSUER); /* such claims are no claims */
	CHECK(!gate_accepts(&g, HEADER,
	                    CLAIMS(",\"roles\":[\"reader\"],\"r\\u006fles\":[\"admin\"]")));
}

static void
test_case_16_leeway_is_exact_at_both_ends(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(",\"nbf\":1760000000,\"iat\":1760000000"));
	sign_es256(&token, g.es256_raw, false);
	for (int again = 0; again < 2;
	     again++) { /* verified, then from the cache: the same answers */
		CHECK(!gate_identify(&g, buf_bytes(&token), NOW - LEEWAY - 1, false));
		CHECK(g.report.failed == JWT_NOT_BEFORE);
		CHECK(gate_identify(&g, buf_bytes(&token), NOW - LEEWAY, false));
		CHECK(gate_identify(&g, buf_bytes(&token), NOW + 900 + LEEWAY - 1, false));
	}
	CHECK(issuers_stats(g.list).hits == 3);
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW + 900 + LEEWAY, false));
	CHECK(g.report.failed == JWT_EXPIRES && strcmp(g.report.why, "the token expired") == 0);
}

static void
test_case_17_other_kinds_of_token_are_refused(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(!gate_accepts(&g, "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}", CLAIMS("")));
	CHECK(g.report.failed == JWT_TYPE);
	CHECK(!gate_accepts(&g, "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}", CLAIMS("")));
	CHECK(!gate_accepts(&g, HEADER, CLAIMS(",\"nonce\":\"n\",\"at_hash\":\"x\"")));
	CHECK(!gate_accepts(&g, HEADER, CLAIMS(",\"token_use\":\"id\"")));
	CHECK(gate_accepts(&g, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", CLAIMS("")));
}

static void
test_case_18_token_of_another_tenant_is_refused(void)
{
	struct gate g CLEANUP(gate_done);

	g = (struct gate){ 0 };
	gate_settings(&g);
	g.issuers[0].tenant = "1111";
	gate_start(&g);
	CHECK(gate_accepts(&g, HEADER, CLAIMS(",\"tid\":\"1111\"")));
	CHECK(!gate_accepts(&g, HEADER, CLAIMS(",\"tid\":\"2222\"")));
	CHECK(g.report.failed == JWT_ISSUER);
	CHECK(strcmp(g.report.why, "the token belongs to another tenant") == 0);
	CHECK(!gate_accepts(&g, HEADER, CLAIMS(",\"tid\":[\"1111\"]")));
	CHECK(!gate_accepts(&g, HEADER, CLAIMS("")));
}

/* There is no rule by e-mail: an address grants what it grants as a value of the roles claim,
 * nothing. */
static void
test_case_19_email_is_no_role(void)
{
	struct gate g CLEANUP(gate_done);

	gate_init(&g);
	CHECK(gate_accepts(&g, HEADER,
	                   CLAIMS(",\"email\":\"admin@evil@corp\",\"email_verified\":true")));
	CHECK(g.got_roles == 0);
}

static void
test_case_20_principal_ends_with_its_token(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };
	const struct principal *p;

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	p = gate_who(&g, buf_bytes(&token));
	CHECK(principal_expires(p) == 1760000900);
	principal_release(p);
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW + 3600, false));
}

/* The last letter of a signature of 64 bytes carries 4 unused bits. */
static void
test_case_21_second_spelling_of_a_token_is_refused(void)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false));

	uint8_t *last = &token.at[token.len - 1], right = *last;
	for (size_t i = 0; i < 64; i++) {
		*last = (uint8_t)alphabet[i];
		CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) == (*last == right));
	}
	*last = right;
	buf_put_text(&token, "=");
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false) && g.report.failed == JWT_FORM);
}

static void
test_case_22_cached_token_ends_with_its_keys(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false));
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && issuers_stats(g.list).hits == 1);

	/* The same keys again: verified anew, accepted. */
	issuers_set_keys(g.list, 0, gate_keys(&g, true));
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && issuers_stats(g.list).hits == 1);
	/* Another issuer's keys do not matter. */
	issuers_set_keys(g.list, 1, gate_keys(&g, true));
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && issuers_stats(g.list).hits == 2);
	/* The key is gone. */
	issuers_set_keys(g.list, 0, set_of_text("{\"keys\":[]}"));
	CHECK(!gate_identify(&g, buf_bytes(&token), NOW, false) && g.report.failed == JWT_KEY);
}

TESTS(TEST(test_honest_token_is_accepted), TEST(test_case_01_alg_none_is_refused),
      TEST(test_case_02_hmac_with_the_public_key_is_refused),
      TEST(test_case_03_degenerate_ecdsa_signatures_are_refused),
      TEST(test_case_04_der_and_longer_signatures_are_refused),
      TEST(test_case_05_hostile_kids_find_no_key),
      TEST(test_case_06_keys_in_the_token_are_never_used),
      TEST(test_case_07_crit_and_b64_are_refused), TEST(test_case_08_encrypted_tokens_are_refused),
      TEST(test_case_09_many_dots_and_giant_tokens_are_refused),
      TEST(test_case_12_issuer_is_compared_byte_for_byte), TEST(test_case_13_audience_must_be_ours),
      TEST(test_case_14_json_serialisation_is_refused),
      TEST(test_case_15_duplicate_members_are_refused),
      TEST(test_case_16_leeway_is_exact_at_both_ends),
      TEST(test_case_17_other_kinds_of_token_are_refused),
      TEST(test_case_18_token_of_another_tenant_is_refused), TEST(test_case_19_email_is_no_role),
      TEST(test_case_20_principal_ends_with_its_token),
      TEST(test_case_21_second_spelling_of_a_token_is_refused),
      TEST(test_case_22_cached_token_ends_with_its_keys))
