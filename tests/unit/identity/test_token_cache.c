/* test_token_cache.c - what is found, for how long, and what gives way. */
#include "gate.h"

#include "identity/principal_make.h"
#include "identity/token_cache.h"

static void
cache_drop(struct token_cache **c)
{
	token_cache_free(*c);
}

static const struct principal *
make_principal(const char *subject)
{
	const struct principal *p = NULL;

	CHECK(!failed(principal_new(
		&(struct principal_parts){ .issuer = "i", .subject = bytes_text(subject) }, &p)));
	return p;
}

/* Asked for, not found, added: as issuers.c does. */
static void
add(struct token_cache *c, struct bytes token, struct cached_token cached, int64_t now_s,
    const uint64_t *generations)
{
	cached.principal = make_principal("u");
	CHECK(token_cache_find(c, token, now_s, generations) == NULL);
	token_cache_add(c, token, &cached, now_s, generations);
	principal_release(cached.principal); /* the cache has its own reference */
}

static struct bytes
numbered(char text[32], const char *prefix, unsigned n)
{
	snprintf(text, 32, "%s%u", prefix, n);
	return bytes_text(text);
}

static void
test_token_is_found_within_its_time_only(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t generations[] = { 5 };

	CHECK(!failed(token_cache_new(&c)));
	add(c, BYTES("t"),
	    (struct cached_token){ .generation = 5, .not_before_s = 100, .ends_s = 200 }, 100,
	    generations);
	CHECK(token_cache_find(c, BYTES("t"), 99, generations) == NULL);  /* the clock went back */
	CHECK(token_cache_find(c, BYTES("t"), 100, generations) != NULL); /* and forth again */
	CHECK(token_cache_find(c, BYTES("t"), 199, generations) != NULL);
	CHECK(token_cache_find(c, BYTES("T"), 199, generations) == NULL);
	CHECK(token_cache_find(c, BYTES(""), 199, generations) == NULL);
	CHECK(token_cache_find(c, BYTES("tt"), 199, generations) == NULL);
	CHECK(token_cache_stats(c).entries == 1 && token_cache_stats(c).hits == 2);
	CHECK(token_cache_find(c, BYTES("t"), 200, generations) == NULL);
	CHECK(token_cache_stats(c).entries == 0 && token_cache_stats(c).bytes == 0);
	CHECK(token_cache_find(c, BYTES("t"), 150, generations) == NULL); /* gone for good */
}

static void
test_new_keys_make_earlier_tokens_unreachable(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t before[] = { 1, 1 }, after[] = { 2, 1 };

	CHECK(!failed(token_cache_new(&c)));
	add(c, BYTES("a"), (struct cached_token){ .issuer = 0, .generation = 1, .ends_s = 200 },
	    100, before);
	add(c, BYTES("b"), (struct cached_token){ .issuer = 1, .generation = 1, .ends_s = 200 },
	    100, before);
	CHECK(token_cache_find(c, BYTES("a"), 100, after) == NULL);
	CHECK(token_cache_find(c, BYTES("b"), 100, after) != NULL);
}

static void
test_entries_are_bounded(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t generations[] = { 0 };
	char text[32];

	CHECK(!failed(token_cache_new(&c)));
	for (unsigned i = 0; i < 4 * CACHE_SLOTS; i++)
		add(c, numbered(text, "t", i), (struct cached_token){ .ends_s = 200 }, 100,
		    generations);
	CHECK(token_cache_stats(c).entries <= CACHE_SLOTS);
	CHECK(token_cache_stats(c).entries > CACHE_SLOTS * 9 / 10);
	CHECK(token_cache_stats(c).entries + token_cache_stats(c).evictions == 4 * CACHE_SLOTS);
}

static void
test_bytes_are_bounded(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t generations[] = { 0 };
	static uint8_t text[CACHE_ENTRY_MAX];

	CHECK(!failed(token_cache_new(&c)));
	for (unsigned i = 0; i < 3000; i++) {
		memcpy(text, &i, sizeof i);
		add(c, (struct bytes){ text, 16000 }, (struct cached_token){ .ends_s = 200 }, 100,
		    generations);
		CHECK(token_cache_stats(c).bytes <= CACHE_BYTES_MAX);
	}
	CHECK(token_cache_stats(c).bytes > CACHE_BYTES_MAX / 2);

	size_t before = token_cache_stats(c).entries;
	memset(text, 1, sizeof text);
	add(c, (struct bytes){ text, sizeof text }, (struct cached_token){ .ends_s = 200 }, 100,
	    generations);
	CHECK(token_cache_stats(c).entries == before); /* too large to be kept at all */
}

/* Many good tokens that are used once each do not push out a hundred that are used always. */
static void
test_tokens_in_use_stay_in_a_flood_of_good_ones(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t generations[] = { 0 };
	unsigned missed = 0, asked = 0;
	char text[32];

	CHECK(!failed(token_cache_new(&c)));
	for (unsigned i = 0; i < 8 * CACHE_SLOTS; i++) {
		struct bytes hot = numbered(text, "hot", i % 100);

		asked++;
		if (token_cache_find(c, hot, 100, generations) == NULL) {
			missed++;
			add(c, hot, (struct cached_token){ .ends_s = 200 }, 100, generations);
		}
		add(c, numbered(text, "once", i), (struct cached_token){ .ends_s = 200 }, 100,
		    generations);
	}
	printf("# %u of %u missed\n", missed, asked);
	CHECK(missed < 110);
}

static void
test_ended_tokens_give_way_first(void)
{
	struct token_cache *c CLEANUP(cache_drop) = NULL;
	const uint64_t generations[] = { 0 };
	char text[32];

	CHECK(!failed(token_cache_new(&c)));
	for (unsigned i = 0; i < CACHE_SLOTS / 2; i++)
		add(c, numbered(text, "old", i), (struct cached_token){ .ends_s = 200 }, 100,
		    generations);
	uint64_t before = token_cache_stats(c).evictions;
	for (unsigned i = 0; i < CACHE_SLOTS / 4; i++)
		add(c, numbered(text, "new", i), (struct cached_token){ .ends_s = 400 }, 300,
		    generations);
	CHECK(token_cache_stats(c).evictions - before < 20); /* sets that overflow by chance */
}

/* Through the front door: a million bad tokens would change nothing; some thousands show it. */
static void
test_flood_of_bad_tokens_leaves_good_ones(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false));
	for (unsigned i = 0; i < 5000; i++) {
		struct buf bad CLEANUP(buf_done) = { 0 };
		char claims[128];

		snprintf(claims, sizeof claims, "{\"iss\":\"https://idp.test/\",\"n\":%u}", i);
		put_unsigned_token(&bad, i % 2 == 0 ? "{\"alg\":\"none\"}" : HEADER, claims);
		buf_put_text(&bad, ".AAAA");
		CHECK(!gate_identify(&g, buf_bytes(&bad), NOW, false));
	}
	CHECK(issuers_stats(g.list).entries == 1 && issuers_stats(g.list).evictions == 0);
	CHECK(gate_identify(&g, buf_bytes(&token), NOW, false) && issuers_stats(g.list).hits == 1);
}

static void
test_principal_outlives_its_cache_entry(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };
	const struct principal *first, *second;

	gate_init(&g);
	put_unsigned_token(&token, HEADER, CLAIMS(""));
	sign_es256(&token, g.es256_raw, false);
	first = gate_who(&g, buf_bytes(&token));
	second = gate_who(&g, buf_bytes(&token));
	CHECK(first == second);
	principal_release(second);
	issuers_free(g.list);
	g.list = NULL;
	CHECK(bytes_is(principal_subject(first), "u"));
	principal_release(first);
}

TESTS(TEST(test_token_is_found_within_its_time_only),
      TEST(test_new_keys_make_earlier_tokens_unreachable), TEST(test_entries_are_bounded),
      TEST(test_bytes_are_bounded), TEST(test_tokens_in_use_stay_in_a_flood_of_good_ones),
      TEST(test_ended_tokens_give_way_first), TEST(test_flood_of_bad_tokens_leaves_good_ones),
      TEST(test_principal_outlives_its_cache_entry))
