/* The certificate a proxy tells, in both forms it may be written. */
#include "frontend/certificate.h"

#include <openssl/sha.h>

#include "base/macros.h"
#include "test.h"

/* Four bytes stand for a certificate: what it says is the proxy's business. */
static const uint8_t der[] = { 0x30, 0x02, 0xfb, 0xff };
static const char base64[] = "MAL7/w==";

static bool
is_digest(const char *value)
{
	struct arena arena = { 0 };
	uint8_t digest[CERTIFICATE_DIGEST_LEN], expected[CERTIFICATE_DIGEST_LEN];
	bool good = !failed(certificate_digest(bytes_text(value), &arena, digest));

	SHA256(der, sizeof der, expected);
	arena_done(&arena);
	return good && memcmp(digest, expected, sizeof digest) == 0;
}

static struct err
error_of(struct bytes value)
{
	struct arena arena = { 0 };
	uint8_t digest[CERTIFICATE_DIGEST_LEN];
	struct err e = certificate_digest(value, &arena, digest);

	arena_done(&arena);
	return e;
}

static void
test_both_forms_have_the_digest_of_the_der(void)
{
	CHECK(strlen(base64) == 8);
	CHECK(is_digest(":MAL7/w==:"));
	CHECK(is_digest(
		"-----BEGIN%20CERTIFICATE-----%0AMAL7%2Fw%3D%3D%0A-----END%20CERTIFICATE-----%0A"));
	CHECK(is_digest(
		"-----BEGIN%20CERTIFICATE-----%0aMAL7%2fw==%0a-----END%20CERTIFICATE-----"));
	CHECK(is_digest("-----BEGIN%20CERTIFICATE-----%0D%0AMA%0D%0AL7/"
	                "w==%0D%0A-----END%20CERTIFICATE-----%0A"));
	CHECK(is_digest("-----BEGIN CERTIFICATE-----%0AMAL7/w==%0A-----END CERTIFICATE-----"));
}

static void
test_everything_else_is_refused(void)
{
	static const char *const bad[] = {
		"",
		":",
		"::",
		":MAL7/w==",
		"MAL7/w==",
		":MAL7/w:",
		":MAL7_w==:",
		":MAL7/w==:;x=1",
		": MAL7/w==:",
		":MAL7/w==:, :MAL7/w==:",
		"-----BEGIN%20CERTIFICATE-----%0A",
		"-----BEGIN%20CERTIFICATE----------END%20CERTIFICATE-----",
		"-----BEGIN%20CERTIFICATE-----%0AMAL7/w==%0A-----END%20CERTIFICATE-----%0Ax",
		"-----BEGIN%20CERTIFICATE-----%0AMAL7/"
		"w==%0A-----END%20CERTIFICATE-----%0A-----BEGIN%20CERTIFICATE-----%0AMAL7/"
		"w==%0A-----END%20CERTIFICATE-----",
		"-----BEGIN+CERTIFICATE-----%0AMAL7/w==%0A-----END+CERTIFICATE-----",
		"-----BEGIN%20CERTIFICATE-----%0AMAL7/w=%3%0A-----END%20CERTIFICATE-----",
		"-----BEGIN%20CERTIFICATE-----%0AMAL7/w==%0A-----END%20CERTIFICATE-----%0",
		"-----BEGIN%20CERTIFICATE-----%0AMAL7/w==%0A-----END%20CERTIFICATE-----%",
		"-----BEGIN%20CERTIFICATE-----%0AMA L7/w==%0A-----END%20CERTIFICATE-----",
		"-----BEGIN%20PRIVATE%20KEY-----%0AMAL7/w==%0A-----END%20PRIVATE%20KEY-----",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(error_of(bytes_text(bad[i])).kind == ERR_PEER, bad[i]);
}

static void
test_a_field_that_is_too_long_is_refused(void)
{
	static uint8_t text[CERTIFICATE_FIELD_MAX + 1];

	memset(text, 'A', sizeof text);
	text[0] = ':';
	text[CERTIFICATE_FIELD_MAX - 1] = ':';
	CHECK(error_of((struct bytes){ text, CERTIFICATE_FIELD_MAX }).kind == ERR_PEER);
	/* 16382 letters are no whole groups of four; 16380 are. */
	text[CERTIFICATE_FIELD_MAX - 3] = ':';
	CHECK(!failed(error_of((struct bytes){ text, CERTIFICATE_FIELD_MAX - 2 })));
	CHECK(error_of((struct bytes){ text, sizeof text }).kind == ERR_PEER);
}

TESTS(TEST(test_both_forms_have_the_digest_of_the_der), TEST(test_everything_else_is_refused),
      TEST(test_a_field_that_is_too_long_is_refused))
