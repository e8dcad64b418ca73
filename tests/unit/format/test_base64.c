/* test_base64.c - RFC 4648 section 10 vectors, and one spelling for each value. */
#include "format/base64.h"

#include "base/macros.h"
#include "test.h"

static const struct {
	const char *plain, *padded;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void
test_vectors_both_ways(void)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		CLEANUP(buf_done) struct buf padded = { 0 }, bare = { 0 }, url = { 0 };
		uint8_t out[16];
		size_t len = 99;
		struct bytes plain = bytes_text(vectors[i].plain),
			     text = bytes_text(vectors[i].padded);

		base64_put(&padded, plain, true);
		base64_put(&bare, plain, false);
		base64url_put(&url, plain);
		CHECK_ROW(bytes_equal(buf_bytes(&padded), text), vectors[i].plain);
		CHECK_ROW(
			bytes_equal(buf_bytes(&bare), bytes_slice(text, 0, bytes_find(text, '='))),
			vectors[i].plain);
		CHECK_ROW(bytes_equal(buf_bytes(&bare), buf_bytes(&url)), vectors[i].plain);
		CHECK_ROW(!failed(base64_decode(text, true, out, sizeof out, &len)),
		          vectors[i].plain);
		CHECK_ROW(bytes_equal((struct bytes){ out, len }, plain), vectors[i].plain);
		len = 99;
		CHECK_ROW(!failed(base64url_decode(buf_bytes(&url), out, sizeof out, &len)),
		          vectors[i].plain);
		CHECK_ROW(bytes_equal((struct bytes){ out, len }, plain), vectors[i].plain);
		CHECK_ROW(!failed(base64_decode(buf_bytes(&bare), false, out, sizeof out, &len)),
		          vectors[i].plain);
	}
}

static void
test_alphabets_differ(void)
{
	uint8_t out[4];
	size_t len;

	CHECK(!failed(base64url_decode(BYTES("-_-_"), out, sizeof out, &len)) && len == 3 &&
	      out[0] == 0xfb);
	CHECK(failed(base64url_decode(BYTES("+/+/"), out, sizeof out, &len)));
	CHECK(!failed(base64_decode(BYTES("+/+/"), true, out, sizeof out, &len)) && len == 3 &&
	      out[2] == 0xbf);
	CHECK(failed(base64_decode(BYTES("-_-_"), true, out, sizeof out, &len)));
}

static void
test_case_21_other_spellings_are_refused(void)
{
	static const char *const url[] = {
		"Zg==",   "Zg=",   "Zh",    "Zm9", "Zm8=", "Z",    "Zm9vY",   "Zm 9v",
		"Zm9v\n", " Zm9v", "Zm9v=", "=",   "====", "Z=9v", "Zm\x80v", "Zm9\xff",
	};
	static const char *const padded[] = { "Zg", "Zg=",      "Zh==", "Zm9=", "====",
		                              "=",  "Zg==Zg==", "Z===", "Zm8" };
	static const char *const bare[] = { "Zg==", "Zh", "Zm9vYmE=" };
	uint8_t out[16];
	size_t len = 99;

	for (size_t i = 0; i < ARRAY_LEN(url); i++)
		CHECK_ROW(failed(base64url_decode(bytes_text(url[i]), out, sizeof out, &len)),
		          url[i]);
	for (size_t i = 0; i < ARRAY_LEN(padded); i++)
		CHECK_ROW(failed(base64_decode(bytes_text(padded[i]), true, out, sizeof out, &len)),
		          padded[i]);
	for (size_t i = 0; i < ARRAY_LEN(bare); i++)
		CHECK_ROW(failed(base64_decode(bytes_text(bare[i]), false, out, sizeof out, &len)),
		          bare[i]);
	CHECK(failed(base64url_decode(BYTES("Zm\0v"), out, sizeof out, &len)));
	CHECK(len == 99);
}

/* Of all texts of two and three characters, exactly one stands for each value. */
static void
test_each_value_has_one_spelling(void)
{
	size_t two = 0, three = 0, len;
	uint8_t text[3], out[2];

	for (unsigned i = 0; i < 1u << 24; i++) {
		text[0] = (uint8_t)i, text[1] = (uint8_t)(i >> 8), text[2] = (uint8_t)(i >> 16);
		three += !failed(base64url_decode((struct bytes){ text, 3 }, out, 2, &len));
		if (i < 1u << 16)
			two += !failed(base64url_decode((struct bytes){ text, 2 }, out, 2, &len));
	}
	CHECK(two == 256 && three == 65536);
}

static void
test_all_bytes_round_trip_at_every_length(void)
{
	uint8_t from[256], to[256];
	size_t len = 0;

	for (size_t i = 0; i < sizeof from; i++)
		from[i] = (uint8_t)(255 - i);
	for (size_t n = 0; n <= sizeof from; n++) {
		CLEANUP(buf_done) struct buf text = { 0 };

		base64url_put(&text, (struct bytes){ from, n });
		CHECK(!failed(base64url_decode(buf_bytes(&text), to, n, &len)));
		CHECK(bytes_equal((struct bytes){ to, len }, (struct bytes){ from, n }));
		if (n > 0)
			CHECK(base64url_decode(buf_bytes(&text), to, n - 1, &len).kind ==
			      ERR_LIMIT);
	}
}

TESTS(TEST(test_vectors_both_ways), TEST(test_alphabets_differ),
      TEST(test_case_21_other_spellings_are_refused), TEST(test_each_value_has_one_spelling),
      TEST(test_all_bytes_round_trip_at_every_length))
