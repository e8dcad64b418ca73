/* How secrets are compared, by what is compared and not by a stopwatch: doubles stand in for
 * CRYPTO_memcmp(), which takes the same time wherever the difference is, and for memcmp(), which
 * does not. */
#include <openssl/evp.h>

#include "format/base64.h"
#include "scene.h"

enum {
	HANDLE_LEN = 16,
	SECRET_LEN = 32,
	TOKEN_LEN = HANDLE_LEN + SECRET_LEN,
	HASH_LEN = 32,
	PROBE_LEN = 8
};

enum watched { HANDLE, SECRET, SECRET_HASH, HANDLE_HASH, WATCHED_COUNT };
static uint8_t watched[WATCHED_COUNT][PROBE_LEN]; /* first bytes of each */
static unsigned in_memcmp[WATCHED_COUNT], in_constant[WATCHED_COUNT];
static unsigned constant_count;
static size_t constant_len;
static bool is_watching;

__attribute__((no_sanitize("address", "undefined"))) static bool
is_probe(const uint8_t *at, const uint8_t *probe)
{
	unsigned different = 0;

	for (size_t i = 0; i < PROBE_LEN; i++)
		different |= at[i] ^ probe[i];
	return different == 0;
}

__attribute__((no_sanitize("address", "undefined"))) static void
watch(const void *a, const void *b, size_t len, unsigned seen[WATCHED_COUNT])
{
	for (size_t i = 0; is_watching && len >= PROBE_LEN && i < WATCHED_COUNT; i++)
		seen[i] += is_probe(a, watched[i]) || is_probe(b, watched[i]);
}

/* Of the whole program, SQLite included. */
__attribute__((no_sanitize("address", "undefined"))) int
memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	watch(a, b, len, in_memcmp);
	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

int
CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;
	int different = 0;

	if (is_watching) {
		constant_count++;
		constant_len = len;
	}
	watch(a, b, len, in_constant);
	for (size_t i = 0; i < len; i++)
		different |= x[i] ^ y[i];
	return different;
}

static void
hash_probe(const uint8_t *at, size_t len, uint8_t probe[PROBE_LEN])
{
	uint8_t hash[HASH_LEN];

	CHECK(EVP_Digest(at, len, hash, NULL, EVP_sha256(), NULL) == 1);
	memcpy(probe, hash, PROBE_LEN);
}

static void
watch_start(const uint8_t token[TOKEN_LEN])
{
	memcpy(watched[HANDLE], token, PROBE_LEN);
	memcpy(watched[SECRET], token + HANDLE_LEN, PROBE_LEN);
	hash_probe(token, HANDLE_LEN, watched[HANDLE_HASH]);
	hash_probe(token + HANDLE_LEN, SECRET_LEN, watched[SECRET_HASH]);
	memset(in_memcmp, 0, sizeof in_memcmp);
	memset(in_constant, 0, sizeof in_constant);
	constant_count = 0;
	is_watching = true;
}

/* A session's token with one bit of byte `at` turned is presented: what was compared, and how? */
static void
check_wrong_token(struct scene *s, struct issuer *i, size_t at)
{
	struct user u = scene_user(s, "alice");
	struct reply t = { 0 }, got = { 0 };
	struct buf text = { 0 };
	uint8_t raw[TOKEN_LEN];
	size_t len = 0;

	CHECK(!failed(scene_grant(i, &u, BYTES(""), SCENE_NOW_S, &t)));
	CHECK(!failed(base64url_decode(buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), raw, sizeof raw,
	                               &len)) &&
	      len == TOKEN_LEN);
	raw[at] ^= 1;
	base64url_put(&text, (struct bytes){ raw, sizeof raw });
	watch_start(raw);
	struct err e = scene_refresh(i, buf_bytes(&text), BYTES(""), SCENE_NOW_S, &got);
	is_watching = false;

	CHECK(e.code == REFRESH_REUSED);
	CHECK(constant_count == 1 && constant_len == HASH_LEN && in_constant[SECRET_HASH] == 1);
	CHECK(in_memcmp[HANDLE] == 0 && in_memcmp[SECRET] == 0 && in_memcmp[SECRET_HASH] == 0);
	CHECK(in_constant[HANDLE] == 0 && in_constant[SECRET] == 0);
	/* The store looks the family up by the hash of its handle: so it is seen that SQLite is
	 * watched. */
	CHECK(in_memcmp[HANDLE_HASH] > 0);
	reply_done(&got);
	reply_done(&t);
	buf_done(&text);
}

static void
test_case_25_refresh_compares_only_hashes_and_in_constant_time(void)
{
	struct scene s;
	struct issuer *i = NULL;

	scene_store(&s);
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	check_wrong_token(&s, i, HANDLE_LEN);    /* wrong from its first byte on */
	check_wrong_token(&s, i, TOKEN_LEN - 1); /* in its last only */
	issuer_close(i);
	scene_done(&s);
}

static void
test_case_25_password_tags_are_compared_in_constant_time(void)
{
	struct user u = { .hash = bytes_text(scene_phc) };
	bool rehash;

	constant_count = 0;
	is_watching = true;
	CHECK(user_check_password(&u, BYTES("Secret"), &rehash).kind == ERR_IDENTITY);
	CHECK(constant_count == 1 && constant_len == 32);
	CHECK(user_check_password(NULL, BYTES("Secret"), &rehash).kind == ERR_IDENTITY);
	CHECK(constant_count == 2 && constant_len == 32);
	CHECK(!failed(user_check_password(&u, BYTES("secret"), &rehash)));
	is_watching = false;
	CHECK(constant_count == 3);
}

TESTS(TEST(test_case_25_refresh_compares_only_hashes_and_in_constant_time),
      TEST(test_case_25_password_tags_are_compared_in_constant_time))
