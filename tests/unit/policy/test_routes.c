/* test_routes.c - routes are found as a plain reading of the list finds them, and decided by their
 * rules. */
#include "policy/policy.h"

#include "base/clock.h"
#include "format/json.h"
#include "format/url.h"
#include "identity/principal_make.h"
#include "unit/policy/rules.h"

enum {
	GET = 1 << 0,
	HEAD = 1 << 1,
	POST = 1 << 2,
	DELETE = 1 << 5,
	METHOD_GET = 0,
	METHOD_DELETE = 5
};

/* Finding */

/* The reference: one route after the other, one segment after the other. */
static bool
fits_path(struct bytes pattern, const struct bytes *segments, size_t count)
{
	size_t at = 0;

	pattern = bytes_slice(pattern, 1, pattern.len);
	while (pattern.len > 0) {
		struct bytes part = bytes_slice(pattern, 0, bytes_find(pattern, '/'));
		bool is_last = part.len == pattern.len, is_star = bytes_is(part, "*");

		if (is_last && is_star)
			return true;
		if (at == count || (!is_star && !bytes_equal(part, segments[at])))
			return false;
		at++;
		pattern = bytes_slice(pattern, part.len + 1, pattern.len);
	}
	return at == count;
}

static int
reference_route(const struct settings *s, struct bytes host, const struct bytes *segments,
                size_t count)
{
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route_settings *r = &s->routes[i];
		bool fits = r->host_count == 0;

		for (size_t h = 0; h < r->host_count; h++)
			fits |= bytes_is(host, r->hosts[h]);
		if (fits && fits_path(bytes_text(r->path), segments, count))
			return (int)i;
	}
	return -1;
}

struct found {
	int route, expected;
};

static struct found
find(const struct rules *r, const struct settings *s, const char *host, const char *path)
{
	struct bytes segments[URL_SEGMENTS_MAX];
	struct arena arena = { 0 };
	size_t count;

	if (failed(url_path_split(bytes_text(path), &arena, segments, &count)))
		abort();
	struct found found = { policy_route(r->policy, bytes_text(host), segments, count),
		               reference_route(s, bytes_text(host), segments, count) };
	arena_done(&arena);
	return found;
}

#define STAR "*"

static const char *const api_hosts[] = { "api.example.com", "api.example.org" };
static const struct route_rule app_allow[] = {
	{ .role = READER, .methods = GET | HEAD, .place = { 30, 9 } },
	{ .role = ADMIN, .methods = ROUTE_METHODS_ALL, .place = { 31, 9 } },
	{ .role = INTERN, .methods = ROUTE_METHODS_ALL, .place = { 32, 9 } },
};
static const struct route_rule app_deny[] = {
	{ .role = INTERN, .methods = DELETE, .place = { 33, 9 } },
};
static const struct route_settings routes[] = {
	{ .path = "/app/public", .public = GET | HEAD, .place = { 28, 5 } },
	{ .path = "/app/" STAR "/notes", .place = { 29, 5 } },
	{ .path = "/app/" STAR,
	  .place = { 30, 5 },
	  .allow = app_allow,
	  .allow_count = ARRAY_LEN(app_allow),
	  .deny = app_deny,
	  .deny_count = ARRAY_LEN(app_deny) },
	{ .path = "/x/" STAR "/y/" STAR, .hosts = api_hosts, .host_count = 2 },
	{ .path = "/x/1/y", .hosts = api_hosts, .host_count = 1 },
	{ .path = "/x/1/y" },
	{ .path = "/" },
	{ .path = "/" STAR "/b/c/d" },
	{ .path = "/a/b/" STAR "/d" },
	{ .path = "/a/" STAR },
};

static struct settings
with_routes(const struct route_settings *at, size_t count)
{
	struct settings s = test_settings;

	s.routes = at;
	s.route_count = count;
	return s;
}

static void
open_routes(struct rules *r, const struct settings *s)
{
	if (failed(rules_compile(r, s)))
		abort();
}

static void
test_the_first_route_that_fits_host_and_path_counts(void)
{
	static const struct {
		const char *host, *path;
		int route;
	} rows[] = {
		{ "h", "/app", 2 },
		{ "h", "/app/", 2 },
		{ "h", "/app/1", 2 },
		{ "h", "/app/public", 0 },
		{ "h", "/app/public/", 0 },
		{ "h", "/app/%70ublic", 0 },
		{ "h", "/app/public/x", 2 },
		{ "h", "/app/1/notes", 1 },
		{ "h", "/app/public/notes", 1 },
		{ "h", "/App", -1 },
		{ "h", "/apps", -1 },
		{ "api.example.com", "/x/1/y", 3 },
		{ "api.example.org", "/x/1/y/z/z", 3 },
		{ "api.example.net", "/x/1/y", 5 },
		{ "api.example.net", "/x/2/y", -1 },
		{ "", "/x/1/y", 5 },
		{ "h", "/", 6 },
		{ "h", "/" STAR, -1 },
		{ "h", "/a/b/c/d", 7 },
		{ "h", "/a/b/e/d", 8 },
		{ "h", "/a/b/e/f", 9 },
		{ "h", "/z/b/c/d", 7 },
		{ "h", "/a", 9 },
	};
	const struct settings s = with_routes(routes, ARRAY_LEN(routes));
	struct rules r;

	open_routes(&r, &s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct found f = find(&r, &s, rows[i].host, rows[i].path);
		CHECK_ROW(f.route == rows[i].route && f.expected == rows[i].route, rows[i].path);
	}
	CHECK(policy_route(r.policy, BYTES("h"), &BYTES("x"), 1000) == -1);
	rules_close(&r);
}

/* Few words, so that paths and patterns meet. */
static unsigned
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(*seed >> 33);
}

static void
put_random_path(struct buf *out, uint64_t *seed, bool with_stars)
{
	static const char *const words[] = { "a", "b", "c", "aa" };
	unsigned count = next_random(seed) % 6;

	if (count == 0)
		buf_put_u8(out, '/');
	for (unsigned i = 0; i < count; i++) {
		buf_put_u8(out, '/');
		buf_put_text(out, with_stars && next_random(seed) % 3 == 0
		                          ? STAR
		                          : words[next_random(seed) % ARRAY_LEN(words)]);
	}
	buf_put_u8(out, 0);
}

static void
test_random_routes_are_found_as_the_reference_finds_them(void)
{
	enum { ROUNDS = 300, ROUTES = 40, PATHS = 200 };
	static const char *const hosts[] = { "one", "two", "three" };
	uint64_t seed = 20261122;
	size_t differences = 0, hits = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct route_settings random[ROUTES] = { 0 };
		struct arena arena = { 0 };
		struct rules r;

		for (size_t i = 0; i < ROUTES; i++) {
			struct buf path = { 0 };
			put_random_path(&path, &seed, true);
			random[i].path = arena_text(&arena, bytes_text((const char *)path.at));
			random[i].host_count = next_random(&seed) % 3;
			random[i].hosts = &hosts[random[i].host_count == 1];
			buf_done(&path);
		}
		const struct settings s = with_routes(random, next_random(&seed) % ROUTES);
		open_routes(&r, &s);
		for (unsigned i = 0; i < PATHS; i++) {
			struct buf path = { 0 };
			put_random_path(&path, &seed, false);
			struct found f =
				find(&r, &s, hosts[next_random(&seed) % 3], (const char *)path.at);
			differences += f.route != f.expected;
			hits += f.route >= 0;
			buf_done(&path);
		}
		rules_close(&r);
		arena_done(&arena);
	}
	CHECK(differences == 0);
	CHECK(hits > ROUNDS * PATHS / 4 && hits < ROUNDS * PATHS);
}

static void
test_a_thousand_routes_below_one_segment_are_found(void)
{
	enum { LOOKUPS = 100000 };
	static struct route_settings many[1000];
	struct arena arena = { 0 };
	struct rules r;
	char path[64];
	size_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		(void)snprintf(path, sizeof path, "/api/v1/things%zu/" STAR "/parts", i);
		many[i] = (struct route_settings){ .path = arena_text(&arena, bytes_text(path)) };
	}
	const struct settings s = with_routes(many, ARRAY_LEN(many));
	open_routes(&r, &s);
	uint64_t start_us = clock_monotonic_us();
	for (size_t i = 0; i < LOOKUPS; i++) {
		int length = snprintf(path, sizeof path, "things%zu", i % ARRAY_LEN(many));
		const struct bytes segments[] = { BYTES("api"),
			                          BYTES("v1"),
			                          { (uint8_t *)path, (size_t)length },
			                          BYTES("7"),
			                          BYTES("parts") };
		wrong += policy_route(r.policy, BYTES("h"), segments, 5) !=
		         (int)(i % ARRAY_LEN(many));
	}
	printf("# %.3f us a look-up\n", (double)(clock_monotonic_us() - start_us) / LOOKUPS);
	CHECK(wrong == 0);
	rules_close(&r);
	arena_done(&arena);
}

static void
test_a_thousand_hosts_with_the_same_path_are_found(void)
{
	enum { LOOKUPS = 20000 };
	static struct route_settings many[1000];
	static const char *hosts[1000];
	struct arena arena = { 0 };
	struct rules r;
	char host[64];
	size_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		(void)snprintf(host, sizeof host, "tenant%03zu.example.com", i);
		hosts[i] = arena_text(&arena, bytes_text(host));
		many[i] = (struct route_settings){ .path = "/" STAR,
			                           .hosts = &hosts[i],
			                           .host_count = 1 };
	}
	const struct settings s = with_routes(many, ARRAY_LEN(many));
	const struct bytes path[] = { BYTES("api"), BYTES("v1") };
	open_routes(&r, &s);
	uint64_t start_us = clock_monotonic_us();
	for (size_t i = 0; i < LOOKUPS; i++) {
		size_t at = i % ARRAY_LEN(many);
		wrong += policy_route(r.policy, bytes_text(hosts[at]), path, 2) != (int)at;
	}
	printf("# %.3f us a look-up by host\n",
	       (double)(clock_monotonic_us() - start_us) / LOOKUPS);
	CHECK(wrong == 0);
	CHECK(policy_route(r.policy, BYTES("tenant.example.com"), path, 2) == -1);
	rules_close(&r);
	arena_done(&arena);
}

/* More rules than a configuration of the largest size has. */
static void
test_the_most_rules_there_may_be_fit_into_memory(void)
{
	enum { ROUTES = 800 };
	static struct role_settings roles[ROLES_MAX];
	static struct route_rule allow[ROLES_MAX];
	static struct route_settings many[ROUTES];
	struct settings s = test_settings;
	struct rules r;

	for (unsigned i = 0; i < ROLES_MAX; i++) {
		roles[i] = (struct role_settings){ .name = "a-role-with-a-name" };
		allow[i] = (struct route_rule){ .role = i, .methods = ROUTE_METHODS_ALL };
	}
	for (size_t i = 0; i < ROUTES; i++)
		many[i] = (struct route_settings){ .path = "/a/path/of/some/length",
			                           .allow = allow,
			                           .allow_count = ROLES_MAX };
	s.roles = roles;
	s.role_count = ROLES_MAX;
	s.resource_count = 0;
	s.routes = many;
	s.route_count = ROUTES;
	CHECK(!failed(rules_compile(&r, &s)));
	rules_close(&r);
}

/* Deciding */

struct row {
	const char *name;
	uint64_t roles;
	bool is_nobody;
	int route;
	unsigned method;
	enum err_kind kind;
	const char *rule;
	unsigned line;
};

static void
check_row(const struct rules *r, const struct row *row)
{
	const struct principal *who = row->is_nobody ? NULL : who_is(row->roles, "{}");
	const struct grant *grant = NULL;
	struct decision d = { 0 };
	struct arena arena = { 0 };
	struct err e =
		policy_decide_route(r->policy, who, row->route, row->method, &arena, &grant, &d);

	CHECK_ROW(e.kind == row->kind, row->name);
	CHECK_ROW(bytes_is(d.rule, row->rule) && d.place.line == row->line && d.why != NULL,
	          row->name);
	CHECK_ROW((grant != NULL) == (row->kind == ERR_OK), row->name);
	if (grant != NULL)
		CHECK_ROW(grant->is_route && grant->resource == (unsigned)row->route &&
		                  grant->table == NULL && grant->who == who,
		          row->name);
	principal_release(who);
	arena_done(&arena);
}

static void
test_a_route_is_decided_by_its_rules(void)
{
	const struct row rows[] = {
		{ "a role allows", ROLE(READER), false, 2, METHOD_GET, ERR_OK,
		  "routes./app/" STAR ".allow.reader.GET", 30 },
		{ "no role allows", ROLE(READER), false, 2, METHOD_DELETE, ERR_DENIED,
		  "default deny", 0 },
		{ "all", ROLE(ADMIN), false, 2, METHOD_DELETE, ERR_OK,
		  "routes./app/" STAR ".allow.admin.DELETE", 31 },
		{ "a deny rule beats its own role", ROLE(INTERN), false, 2, METHOD_DELETE,
		  ERR_DENIED, "routes./app/" STAR ".deny.intern.DELETE", 33 },
		{ "a deny rule beats another role", ROLE(INTERN) | ROLE(ADMIN), false, 2,
		  METHOD_DELETE, ERR_DENIED, "routes./app/" STAR ".deny.intern.DELETE", 33 },
		{ "no roles", 0, false, 2, METHOD_GET, ERR_DENIED, "default deny", 0 },
		{ "nobody", 0, true, 2, METHOD_GET, ERR_IDENTITY, "default deny", 0 },
		{ "public", 0, true, 0, METHOD_GET, ERR_OK, "routes./app/public.public", 28 },
		{ "public with a token", ROLE(GUEST), false, 0, METHOD_GET, ERR_OK,
		  "routes./app/public.public", 28 },
		{ "public is by method", 0, true, 0, METHOD_DELETE, ERR_IDENTITY, "default deny",
		  0 },
		{ "no route", ROLE(ADMIN), false, -1, METHOD_GET, ERR_DENIED, "default deny", 0 },
		{ "no route, nobody", 0, true, -1, METHOD_GET, ERR_IDENTITY, "default deny", 0 },
		{ "a route past the end", ROLE(ADMIN), false, 100, METHOD_GET, ERR_DENIED,
		  "default deny", 0 },
		{ "no method", ROLE(ADMIN), false, 2, ROUTE_METHOD_COUNT, ERR_DENIED,
		  "default deny", 0 },
		{ "a route without rules", ROLE(ADMIN), false, 1, METHOD_GET, ERR_DENIED,
		  "default deny", 0 },
	};
	const struct settings s = with_routes(routes, ARRAY_LEN(routes));
	struct rules r;

	open_routes(&r, &s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&r, &rows[i]);
	rules_close(&r);
}

/* What random roles may do is what the rules say when they are read one by one. */
static void
test_random_rules_decide_as_the_reference_does(void)
{
	uint64_t seed = 7;
	size_t differences = 0;

	for (unsigned round = 0; round < 2000; round++) {
		struct route_rule allow[4], deny[2];
		struct route_settings one = { .path = "/r",
			                      .allow = allow,
			                      .deny = deny,
			                      .allow_count = next_random(&seed) % 5,
			                      .deny_count = next_random(&seed) % 3,
			                      .public = next_random(&seed) & 0x7f &
			                                next_random(&seed) };
		for (size_t i = 0; i < 4; i++)
			allow[i] = (struct route_rule){ .role = next_random(&seed) % ROLE_COUNT,
				                        .methods = next_random(&seed) & 0x7f };
		for (size_t i = 0; i < 2; i++)
			deny[i] = (struct route_rule){ .role = next_random(&seed) % ROLE_COUNT,
				                       .methods = next_random(&seed) & 0x7f };
		const struct settings s = with_routes(&one, 1);
		uint64_t roles = next_random(&seed) % (1 << ROLE_COUNT);
		unsigned method = next_random(&seed) % ROUTE_METHOD_COUNT;
		bool yes = one.public >> method & 1;
		for (size_t i = 0; i < one.allow_count; i++)
			yes |= (roles >> allow[i].role & 1) && (allow[i].methods >> method & 1);
		for (size_t i = 0; i < one.deny_count; i++)
			yes &= !((roles >> deny[i].role & 1) && (deny[i].methods >> method & 1));

		struct rules r;
		struct arena arena = { 0 };
		const struct principal *who = who_is(roles, "{}");
		const struct grant *grant = NULL;
		struct decision d;
		open_routes(&r, &s);
		struct err e = policy_decide_route(r.policy, who, 0, method, &arena, &grant, &d);
		differences += failed(e) == yes || (grant != NULL) != yes || d.rule.len == 0;
		principal_release(who);
		arena_done(&arena);
		rules_close(&r);
	}
	CHECK(differences == 0);
}

static void
test_a_token_narrowed_to_a_resource_is_good_for_no_route(void)
{
	const struct settings s = with_routes(routes, ARRAY_LEN(routes));
	struct principal_parts parts = {
		.issuer = "local", .is_local = true, .subject = BYTES("x"), .roles = ROLE(ADMIN)
	};
	const struct principal *who = NULL;
	const struct grant *grant = NULL;
	struct arena arena = { 0 };
	struct decision d;
	struct rules r;

	open_routes(&r, &s);
	if (failed(json_parse(BYTES("{\"resource\":\"books\"}"), &arena, &parts.claims, NULL)) ||
	    failed(principal_new(&parts, &who)))
		abort();
	CHECK(policy_decide_route(r.policy, who, 0, METHOD_GET, &arena, &grant, &d).kind ==
	      ERR_DENIED);
	CHECK(bytes_is(d.rule, "token.resource") && grant == NULL);
	principal_release(who);
	arena_done(&arena);
	rules_close(&r);
}

TESTS(TEST(test_the_first_route_that_fits_host_and_path_counts),
      TEST(test_random_routes_are_found_as_the_reference_finds_them),
      TEST(test_a_thousand_routes_below_one_segment_are_found),
      TEST(test_a_thousand_hosts_with_the_same_path_are_found),
      TEST(test_the_most_rules_there_may_be_fit_into_memory),
      TEST(test_a_route_is_decided_by_its_rules),
      TEST(test_random_rules_decide_as_the_reference_does),
      TEST(test_a_token_narrowed_to_a_resource_is_good_for_no_route))
