/* Who may have a session's rights, and where a login may lead. */
#include "frontend/session.h"

#include "base/macros.h"
#include "frontend/session_cache.h"
#include "test.h"

static const struct settings settings = { .public_url = "https://books.example" };
static struct gate gate = { .settings = &settings };

static struct request
request(enum http_method method, const char *name, const char *value)
{
	struct request r = { .gate = &gate };

	r.head.method = method;
	if (name != NULL) {
		r.head.fields[0] = (struct http_field){ bytes_text(name), bytes_text(value) };
		r.head.field_count = 1;
	}
	return r;
}

static void
test_a_login_ends_on_a_page_of_this_service_only(void)
{
	static const char *const good[] = { "/", "/account", "/a/b?c=d&e=%2F%2Fx", "/a//b",
		                            "/?x=//y" };
	static const char *const bad[] = { "",
		                           "account",
		                           "//evil.example",
		                           "//evil.example/account",
		                           "/\\evil.example",
		                           "/a\\b",
		                           "\\/evil.example",
		                           "https://evil.example/",
		                           "/\t/evil.example",
		                           "/\n/evil.example",
		                           "/a b",
		                           "/a\r\nSet-Cookie: x",
		                           "/\x7f",
		                           "/\xc3\xa9" };
	static uint8_t text[3000];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_ROW(session_is_return_path(bytes_text(good[i])), good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(!session_is_return_path(bytes_text(bad[i])), bad[i]);
	memset(text, 'a', sizeof text);
	text[0] = '/';
	CHECK(!session_is_return_path((struct bytes){ text, sizeof text }));
	CHECK(!session_is_return_path((struct bytes){ (const uint8_t *)"/a\0b", 4 }));
}

static void
test_only_our_own_pages_change_something_by_cookie(void)
{
	static const struct {
		const char *name, *value;
		bool is_ours;
	} rows[] = {
		{ "Sec-Fetch-Site", "same-origin", true },
		{ "Sec-Fetch-Site", "same-site", false },
		{ "Sec-Fetch-Site", "cross-site", false },
		{ "Sec-Fetch-Site", "none", false },
		{ "Sec-Fetch-Site", "", false },
		{ "Sec-Fetch-Site", "same-origin, same-origin", false },
		{ "Origin", "https://books.example", true },
		{ "Origin", "https://books.example.evil.example", false },
		{ "Origin", "http://books.example", false },
		{ "Origin", "https://books.example/", false },
		{ "Origin", "null", false },
		{ "Referer", "https://books.example/account", false },
		{ NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = request(HTTP_POST, rows[i].name, rows[i].value);
		CHECK_ROW(session_is_same_origin(&r) == rows[i].is_ours,
		          rows[i].name == NULL ? "nothing" : rows[i].value);
	}
	struct request r = request(HTTP_POST, "Origin", "https://books.example");
	r.head.fields[1] = (struct http_field){ BYTES("Sec-Fetch-Site"), BYTES("cross-site") };
	r.head.field_count = 2;
	CHECK(!session_is_same_origin(&r));
}

/* A WebSocket is a GET too, and nothing else keeps another site's page from reading it. */
static void
test_a_page_of_another_origin_does_not_read_by_cookie(void)
{
	static const struct {
		const char *name, *value;
		bool counts;
	} rows[] = {
		{ NULL, NULL, true },
		{ "Sec-Fetch-Site", "cross-site", true }, /* a link */
		{ "Origin", "https://books.example", true },
		{ "Origin", "https://other.books.example", false },
		{ "Origin", "http://books.example", false },
		{ "Origin", "null", false },
		{ "Origin", "", false },
	};
	struct session_cache *sessions;

	CHECK(!failed(session_cache_new(&sessions)));
	struct gate with_sessions = { .settings = &settings, .sessions = sessions };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = request(HTTP_GET, rows[i].name, rows[i].value);

		r.gate = &with_sessions;
		r.head.fields[r.head.field_count++] =
			(struct http_field){ BYTES("Cookie"), BYTES("__Host-gatewarden=x") };
		CHECK_ROW((strcmp(session_absence(&r), "the session has ended") == 0) ==
		                  rows[i].counts,
		          rows[i].name == NULL ? "nothing" : rows[i].value);
	}
	session_cache_free(sessions);
}

/* The first byte of the hash picks the set: these all share one. */
static void
make_hash(uint8_t ret[SESSION_HASH_LEN], uint8_t n)
{
	memset(ret, n, SESSION_HASH_LEN);
	ret[0] = 7;
}

static const struct principal *
someone(void)
{
	const struct principal *who;

	CHECK(!failed(principal_for_explain(1, (struct bytes){ 0 }, &who)));
	return who;
}

static void
test_the_cache_holds_what_it_was_given_until_it_is_revoked(void)
{
	const struct principal *who = someone();
	uint8_t hash[SESSION_HASH_LEN], other[SESSION_HASH_LEN];
	struct session_cache *c;
	int64_t now_s = principal_expires(who) - 1;

	CHECK(!failed(session_cache_new(&c)));
	make_hash(hash, 1);
	make_hash(other, 2);
	CHECK(session_cache_find(c, hash, now_s) == NULL);
	session_cache_add(c, hash, who);
	session_cache_add(c, other, who);
	CHECK(session_cache_find(c, hash, now_s) == who);
	CHECK(session_cache_find(c, hash, now_s + 1) == NULL); /* it has ended */

	session_cache_revoke(
		c, &(struct revocation){ .kind = REVOKED_COOKIE, .value = { hash, sizeof hash } });
	CHECK(session_cache_find(c, hash, now_s) == NULL);
	CHECK(session_cache_find(c, other, now_s) == who);
	/* Whom it is about, the cache cannot tell: all are asked for again. */
	session_cache_revoke(
		c, &(struct revocation){ .kind = REVOKED_SUBJECT, .value = BYTES("ada") });
	CHECK(session_cache_find(c, other, now_s) == NULL);
	session_cache_free(c);
	principal_release(who);
}

static void
test_the_cache_is_bounded(void)
{
	const struct principal *who = someone();
	uint8_t hash[SESSION_HASH_LEN];
	struct session_cache *c;
	size_t found = 0;

	CHECK(!failed(session_cache_new(&c)));
	for (uint8_t i = 1; i <= 50; i++) {
		make_hash(hash, i);
		session_cache_add(c, hash, who);
		CHECK(session_cache_find(c, hash, 0) == who);
	}
	for (uint8_t i = 1; i <= 50; i++) {
		make_hash(hash, i);
		found += session_cache_find(c, hash, 0) != NULL;
	}
	CHECK(found == SESSION_CACHE_WAYS);
	session_cache_free(c);
	principal_release(who);
}

TESTS(TEST(test_a_login_ends_on_a_page_of_this_service_only),
      TEST(test_only_our_own_pages_change_something_by_cookie),
      TEST(test_a_page_of_another_origin_does_not_read_by_cookie),
      TEST(test_the_cache_holds_what_it_was_given_until_it_is_revoked),
      TEST(test_the_cache_is_bounded))
