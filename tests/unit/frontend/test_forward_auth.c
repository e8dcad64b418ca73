/* test_forward_auth.c - which request a proxy asks about, and when nothing is decided about it. */
#include "frontend/forward_auth.h"

#include "base/macros.h"
#include "test.h"

static const char *const proxies[] = { "192.0.2.1", "2001:db8::1" };
static const char *const hosts[] = { "one.example", "::1" };
static const struct route_settings routes[] = {
	{ .path = "/host", .backend = -1, .hosts = hosts, .host_count = 2, .public = 1 },
	{ .path = "/app/*", .backend = -1, .public = ROUTE_METHODS_ALL },
	{ .path = "/mine/*", .backend = -1 },
};
static const struct settings settings = { .listen = { .proxies = proxies, .proxy_count = 2 },
	                                  .public_url = "https://one.example",
	                                  .routes = routes,
	                                  .route_count = ARRAY_LEN(routes) };

struct scene {
	struct gate gate;
	struct request request;
	struct arena arena;
	const struct policy *policy;
};

/* The request as far as it is decided; `lines` are the fields but for Host. */
static struct err
ask(struct scene *s, const char *client, const char *line, const char *host, const char *lines)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct request *r = &s->request;
	struct buf text = { 0 };
	enum step step = STEP_MORE;
	size_t scanned = 0, len;

	memset(s, 0, sizeof *s);
	CHECK(!failed(policy_compile(&settings, NULL, 1, &s->arena, &s->policy, &errors)));
	buf_printf(&text, "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", line, host, lines);
	struct bytes head = arena_copy(&s->arena, buf_bytes(&text));
	buf_done(&text);
	s->gate = (struct gate){ .settings = &settings, .policy = s->policy };
	r->gate = &s->gate;
	r->route = -1;
	r->client = bytes_text(client);
	r->reply.status = 200;
	CHECK(!failed(http_head_parse(head, &scanned, &r->head, &len, &step)));
	CHECK(step == STEP_DONE);
	forward_auth_describe(r);
	return forward_auth_decide(r);
}

static void
end(struct scene *s)
{
	arena_done(&s->request.arena);
	buf_done(&s->request.reply.fields);
	arena_done(&s->arena);
}

static void
test_each_form_tells_of_one_request(void)
{
	static const struct {
		const char *line, *host, *lines, *method, *path, *query;
		int route;
	} rows[] = {
		{ "GET /auth", "x", "X-Original-Method: POST\r\nX-Original-URI: /app/a?b=c\r\n",
		  "POST", "/app/a", "b=c", 1 },
		{ "GET /auth", "one.example:80",
		  "X-Original-Method: GET\r\nX-Original-URI: /host\r\n", "GET", "/host", "", 0 },
		{ "GET /auth", "x",
		  "X-Original-Method: GET\r\nX-Original-URL: https://ONE.example/host\r\n", "GET",
		  "/host", "", 0 },
		{ "GET /auth", "x",
		  "X-Original-Method: GET\r\nX-Original-URL: http://[::1]:8080/host?\r\n", "GET",
		  "/host", "", 0 },
		{ "GET /auth?uri=/app/z", "one.example",
		  "X-Forwarded-Method: DELETE\r\nX-Forwarded-Host: x\r\nX-Forwarded-Uri: "
		  "/app/%41%20/\r\n",
		  "DELETE", "/app/A%20/", "", 1 },
		{ "PATCH /auth/app/x/y?z", "x", "X-Forwarded-For: 1.2.3.4\r\n", "PATCH", "/app/x/y",
		  "z", 1 },
		{ "HEAD /auth/app", "x", "", "HEAD", "/app", "", 1 },
		{ "GET http://x/auth/app/q", "x", "", "GET", "/app/q", "", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		struct err e = ask(&s, "192.0.2.1", rows[i].line, rows[i].host, rows[i].lines);
		const struct request *r = &s.request;

		CHECK_ROW(!failed(e) && r->grant != NULL, rows[i].lines);
		CHECK_ROW(r->auth == AUTH_OPTIONAL, rows[i].lines);
		CHECK_ROW(bytes_is(r->action, rows[i].method), rows[i].lines);
		CHECK_ROW(bytes_is(r->path, rows[i].path), rows[i].lines);
		CHECK_ROW(bytes_is(r->head.query, rows[i].query), rows[i].lines);
		CHECK_ROW(r->route == rows[i].route, rows[i].lines);
		CHECK_ROW(r->route >= 0 && bytes_is(r->resource, routes[r->route].path),
		          rows[i].lines);
		CHECK_ROW(r->backend.len == 0, rows[i].lines);
		end(&s);
	}
}

static void
test_what_is_not_told_plainly_is_not_decided(void)
{
	static const struct {
		const char *line, *lines, *why;
	} rows[] = {
		{ "GET /auth", "", "no request" },
		{ "GET /auth?/app/x", "", "no request" },
		{ "GET /auth/", "X-Original-Method: GET\r\nX-Original-URI: /app\r\n", "two forms" },
		{ "GET /auth/app", "X-Forwarded-Uri: /app\r\n", "two forms" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Forwarded-Method: GET\r\n",
		  "two forms" },
		{ "GET /auth",
		  "X-Original-Method: GET\r\nX-Original-URI: /app\r\nX-Original-URL: "
		  "http://x/app\r\n",
		  "two forms" },
		{ "GET /auth",
		  "X-Original-Method: GET\r\nX-Original-URI: /app\r\nX-Original-URI: /app\r\n",
		  "twice" },
		{ "GET /auth",
		  "X-Original-Method: GET\r\nX-Original-Method: GET\r\nX-Original-URI: /app\r\n",
		  "twice" },
		{ "GET /auth",
		  "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /app\r\nX-Forwarded-Host: "
		  "a\r\nX-Forwarded-Host: b\r\n",
		  "twice" },
		{ "GET /auth", "X-Original-URI: /app\r\n", "method" },
		{ "GET /auth", "X-Original-Method: TRACE\r\nX-Original-URI: /app\r\n", "method" },
		{ "GET /auth", "X-Original-Method: get\r\nX-Original-URI: /app\r\n", "method" },
		{ "GET /auth", "X-Original-Method: GET,POST\r\nX-Original-URI: /app\r\n",
		  "method" },
		{ "GET /auth", "X-Original-Method: GET\r\n", "path" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: app\r\n", "slash" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app/x y\r\n", "path" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app#x\r\n", "path" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app/../x\r\n", "" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app/%2e%2E/x\r\n", "" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app//x\r\n", "" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app/a%2fb\r\n", "" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URI: /app/%ff\r\n", "" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URL: /app\r\n", "URL" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URL: http:///app\r\n",
		  "host" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URL: http://a@b/app\r\n",
		  "host" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URL: http://b\\c/app\r\n",
		  "host" },
		{ "GET /auth", "X-Original-Method: GET\r\nX-Original-URL: http://b?c/app\r\n",
		  "host" },
		{ "GET /auth",
		  "X-Original-Method: GET\r\nX-Original-URL: http://[one.example]/host\r\n",
		  "host" },
		{ "GET /auth",
		  "X-Original-Method: GET\r\nX-Original-URL: http://one.example:80:80/host\r\n",
		  "host" },
		{ "GET /auth",
		  "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /host\r\nX-Forwarded-Host: "
		  "[one.example]\r\n",
		  "host" },
		{ "GET /auth", "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /app\r\n", "host" },
		{ "GET /%61uth/app", "", "spelled" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		struct err e = ask(&s, "192.0.2.1", rows[i].line, "x", rows[i].lines);

		CHECK_ROW(e.kind == ERR_DENIED && strstr(e.why, rows[i].why) != NULL,
		          e.why != NULL ? e.why : rows[i].lines);
		CHECK_ROW(s.request.auth == AUTH_NONE && s.request.route == -1, rows[i].lines);
		CHECK_ROW(bytes_is(s.request.resource, "/auth"), rows[i].lines);
		end(&s);
	}
}

static void
test_only_listed_addresses_may_ask(void)
{
	static const struct {
		const char *client;
		bool may;
	} rows[] = { { "192.0.2.1", true },  { "::ffff:192.0.2.1", true }, { "2001:db8::1", true },
		     { "192.0.2.2", false }, { "192.0.2.11", false },      { "127.0.0.1", false },
		     { "", false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		struct err e = ask(&s, rows[i].client, "GET /auth", "x",
		                   "X-Original-Method: GET\r\nX-Original-URI: /app\r\n");

		CHECK_ROW(failed(e) != rows[i].may, rows[i].client);
		CHECK_ROW(e.kind == (rows[i].may ? ERR_OK : ERR_DENIED), rows[i].client);
		end(&s);
	}
}

static void
test_nobody_is_asked_to_prove_who_it_is_and_everybody_else_is_refused(void)
{
	static const struct {
		const char *uri;
		enum err_kind kind;
	} rows[] = { { "/app/x", ERR_OK },
		     { "/mine/x", ERR_IDENTITY },
		     { "/host", ERR_IDENTITY },
		     { "/nowhere", ERR_IDENTITY } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		char lines[128];

		snprintf(lines, sizeof lines, "X-Original-Method: GET\r\nX-Original-URI: %s\r\n",
		         rows[i].uri);
		CHECK_ROW(ask(&s, "192.0.2.1", "GET /auth", "x", lines).kind == rows[i].kind,
		          rows[i].uri);
		end(&s);
	}
}

TESTS(TEST(test_each_form_tells_of_one_request), TEST(test_what_is_not_told_plainly_is_not_decided),
      TEST(test_only_listed_addresses_may_ask),
      TEST(test_nobody_is_asked_to_prove_who_it_is_and_everybody_else_is_refused))
