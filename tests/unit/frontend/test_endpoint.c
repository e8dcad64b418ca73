/* Which row of the table answers a path. */
#include "frontend/endpoint.h"

#include "base/macros.h"
#include "frontend/connection.h"
#include "test.h"

static struct seen {
	const struct endpoint *endpoint;
	struct err error;
	const char *allow;
} find(const struct endpoint *table, enum http_method method, const char *path)
{
	static const struct settings settings;
	static struct gate gate = { .settings = &settings };
	struct request r = { .gate = &gate, .stage = STAGE_IDENTIFY };
	struct seen a = { .error = OK };

	r.head.method = method;
	r.head.path = bytes_text(path);
	a.error = endpoint_match(table, &r, &a.endpoint);
	a.allow = r.allow_field;
	CHECK((a.endpoint == NULL) == failed(a.error));
	arena_done(&r.arena);
	return a;
}

static const char *
path_of(const struct seen a)
{
	return a.endpoint == NULL ? "" : a.endpoint->path;
}

static void
test_a_path_is_matched_by_its_segments(void)
{
	static const struct {
		const char *path, *endpoint;
	} rows[] = {
		{ "/api/books", "/api" },
		{ "/api", "/api" },
		{ "/api/", "/api" },
		{ "/api/books/1/", "/api" },
		{ "/%61pi/books", "/api" },
		{ "/apis", "" },
		{ "/ap", "" },
		{ "/API/books", "" },
		{ "/", "" },
		{ "/me", "/me" },
		{ "/me/", "/me" },
		{ "/me/x", "" },
		{ "/docs/docs.css", "/docs" },
		{ "/docsx", "" },
		{ "/.well-known/jwks.json", "/.well-known/jwks.json" },
		{ "/.well-known", "" },
		{ "/.well-known/jwks.json/x", "" },
		{ "/metrics", "" },
		{ "/healthz", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen a = find(data_endpoints, HTTP_GET, rows[i].path);

		CHECK_ROW(strcmp(path_of(a), rows[i].endpoint) == 0, rows[i].path);
		CHECK_ROW(a.endpoint != NULL || a.error.code == 404, rows[i].path);
	}
}

static void
test_paths_that_read_two_ways_are_refused(void)
{
	static const char *const bad[] = { "/api/../me",  "/api/%2e%2e/me", "//api/books",
		                           "/api//books", "/api/a%2Fb",     "/api/%00",
		                           "/api/%ff",    "/api/a;b",       "api" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(find(data_endpoints, HTTP_GET, bad[i]).error.kind == ERR_PEER, bad[i]);
}

/* RFC 9110 section 15.5.6: a 405 says what is allowed. */
static void
test_another_method_is_told_which_are_allowed(void)
{
	for (const struct endpoint *e = data_endpoints; e->path != NULL; e++) {
		struct seen a = find(data_endpoints, HTTP_OPTIONS, e->path);

		if ((e->methods >> HTTP_OPTIONS & 1) != 0)
			continue; /* /auth takes all */
		CHECK_ROW(a.error.code == 405 && a.allow != NULL &&
		                  strcmp(a.allow, "Allow:\r\n") != 0,
		          e->path);
	}
	CHECK(find(data_endpoints, HTTP_GET, "/token").error.code == 405);
	CHECK(strcmp(find(data_endpoints, HTTP_GET, "/token").allow, "Allow: POST\r\n") == 0);
	CHECK(find(data_endpoints, HTTP_DELETE, "/me").error.code == 405);
}

static void
test_head_goes_where_get_goes(void)
{
	static const struct endpoint *const tables[] = { data_endpoints, admin_endpoints };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct endpoint *e = tables[i]; e->path != NULL; e++)
			CHECK_ROW(find(tables[i], HTTP_GET, e->path).endpoint ==
			                  find(tables[i], HTTP_HEAD, e->path).endpoint,
			          e->path);
}

/* Nothing that is about data is answered without a token, and every decision on it is recorded. */
static void
test_what_needs_a_token_asks_for_it(void)
{
	CHECK(find(data_endpoints, HTTP_GET, "/api/books").endpoint->auth == AUTH_REQUIRED);
	CHECK(find(data_endpoints, HTTP_GET, "/api/books").endpoint->is_recorded);
	CHECK(find(data_endpoints, HTTP_GET, "/me").endpoint->auth == AUTH_REQUIRED);
	CHECK(find(data_endpoints, HTTP_POST, "/token").endpoint->is_recorded);
	CHECK(find(data_endpoints, HTTP_POST, "/token").endpoint->body_max <= 65536);
}

TESTS(TEST(test_a_path_is_matched_by_its_segments), TEST(test_paths_that_read_two_ways_are_refused),
      TEST(test_another_method_is_told_which_are_allowed), TEST(test_head_goes_where_get_goes),
      TEST(test_what_needs_a_token_asks_for_it))
