/* Which limits a request meets, and whose bucket it takes from. */
#include "frontend/quota.h"

#include "base/macros.h"
#include "frontend/request.h"
#include "identity/issuers.h"
#include "identity/principal_make.h"
#include "test.h"

static struct settings settings;
static struct route_settings routes[2];
static struct role_settings roles[3];
static struct metrics *metrics; /* large, and mostly untouched */
static struct gate gate;

static void
begin(void)
{
	free(metrics);
	metrics = calloc(1, sizeof *metrics);
	memset(routes, 0, sizeof routes);
	memset(roles, 0, sizeof roles);
	settings = (struct settings){ .routes = routes,
		                      .route_count = ARRAY_LEN(routes),
		                      .roles = roles,
		                      .role_count = ARRAY_LEN(roles) };
	gate = (struct gate){ .settings = &settings,
		              .metrics = metrics,
		              .counters = &metrics->workers[0] };
	memset(metrics->quotas.key, 7, sizeof metrics->quotas.key);
}

static struct request
from(const char *address)
{
	return (struct request){ .gate = &gate, .client = bytes_text(address), .route = -1 };
}

static const struct principal *
principal_of(const char *subject, uint64_t held)
{
	const struct principal_parts parts = { .issuer = "local",
		                               .subject = bytes_text(subject),
		                               .roles = held };
	const struct principal *p = NULL;

	CHECK(!failed(principal_new(&parts, &p)));
	return p;
}

static bool
enters(struct request *r, int route)
{
	return !failed(quota_enter(r, route, &r->held));
}

/* How many come through, of `tries`. */
static unsigned
count_entering(struct request *r, int route, unsigned tries)
{
	unsigned count = 0;

	for (unsigned i = 0; i < tries; i++)
		count += enters(r, route);
	return count;
}

static const struct quota_settings three = { .requests = 3, .per_s = 3600, .burst = 3 };

static void
test_without_limits_nothing_is_touched(void)
{
	struct request r = from("192.0.2.1");

	begin();
	CHECK(count_entering(&r, 0, 1000) == 1000 && r.held.count == 0);
	CHECK(atomic_load(&metrics->quotas.claimed) == 0);
	unsigned wait_ms = 0;
	CHECK(quota_bytes(&r, 0, 1 << 20, &wait_ms) == 1 << 20);
}

static void
test_each_caller_has_a_bucket_of_its_own(void)
{
	struct request one = from("192.0.2.1"), two = from("192.0.2.2");

	begin();
	settings.caller_quota = three;
	CHECK(count_entering(&one, -1, 10) == 3);
	CHECK(count_entering(&two, -1, 10) == 3);
	struct err e = quota_enter(&one, -1, &one.held);
	CHECK(e.kind == ERR_LIMIT && strstr(e.why, "limit: ") == e.why &&
	      strstr(e.why, "limits.caller.requests") != NULL);
	CHECK(one.retry_after_s >= 1199 && one.retry_after_s <= 1200);
	CHECK(counter_get(&gate.counters->limits_refused[QUOTA_CALLER]) == 15);
}

static void
test_of_ipv6_the_network_is_the_caller(void)
{
	static const struct {
		const char *one, *two;
		bool is_same;
	} rows[] = {
		{ "2001:db8::1", "2001:db8::2", true },
		{ "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
		{ "192.0.2.1", "192.0.2.2", false },
	};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request one = from(rows[i].one), two = from(rows[i].two);
		CHECK_ROW((quota_caller(&one) == quota_caller(&two)) == rows[i].is_same,
		          rows[i].one);
	}
}

/* What was written before our own proxies wrote, anybody may have written. */
static void
test_behind_a_proxy_the_last_hop_that_is_not_ours_counts(void)
{
	static const char *const proxies[] = { "10.0.0.1", "10.0.0.2" };
	static const struct {
		const char *client, *fields[2], *is;
	} rows[] = {
		{ "10.0.0.1", { "192.0.2.7" }, "192.0.2.7" },
		{ "10.0.0.1", { "6.6.6.6, 192.0.2.7" }, "192.0.2.7" },
		{ "10.0.0.1", { "6.6.6.6", "192.0.2.7" }, "192.0.2.7" },
		{ "10.0.0.1", { "6.6.6.6,192.0.2.7 , 10.0.0.2" }, "192.0.2.7" },
		{ "10.0.0.1", { "192.0.2.7:4711" }, "192.0.2.7" },
		{ "10.0.0.1", { "[2001:db8::9]:4711" }, "2001:db8::1" },
		{ "10.0.0.1", { "2001:db8::9" }, "2001:db8::1" },
		{ "10.0.0.1", { "192.0.2.7,," }, "192.0.2.7" },
		/* Nothing that can be believed: the proxy itself. */
		{ "10.0.0.1", { NULL }, "10.0.0.1" },
		{ "10.0.0.1", { "" }, "10.0.0.1" },
		{ "10.0.0.1", { ", ," }, "10.0.0.1" },
		{ "10.0.0.1", { "192.0.2.7, unknown" }, "10.0.0.1" },
		{ "10.0.0.1", { "192.0.2.7, [" }, "10.0.0.1" },
		{ "10.0.0.1", { "10.0.0.2" }, "10.0.0.1" },
		/* From anybody else the field is nothing. */
		{ "192.0.2.1", { "6.6.6.6" }, "192.0.2.1" },
	};

	begin();
	settings.listen.proxies = proxies;
	settings.listen.proxy_count = ARRAY_LEN(proxies);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = from(rows[i].client), expected = from(rows[i].is);

		for (size_t f = 0; f < 2 && rows[i].fields[f] != NULL; f++)
			r.head.fields[r.head.field_count++] =
				(struct http_field){ BYTES("X-Forwarded-For"),
				                     bytes_text(rows[i].fields[f]) };
		CHECK_ROW(quota_caller(&r) == quota_caller(&expected),
		          rows[i].fields[0] != NULL ? rows[i].fields[0] : "none");
	}
}

static void
test_a_principal_is_the_caller_wherever_it_calls_from(void)
{
	const struct principal *ada = principal_of("ada", 1), *bob = principal_of("bob", 1);
	struct request one = from("192.0.2.1"), two = from("192.0.2.2"), other = from("192.0.2.1");

	begin();
	one.who = two.who = ada;
	other.who = bob;
	CHECK(quota_caller(&one) == quota_caller(&two));
	CHECK(quota_caller(&one) != quota_caller(&other));
	principal_release(ada);
	principal_release(bob);
}

static unsigned
count_with_roles(uint64_t held)
{
	struct request r = from("192.0.2.1");

	r.who = principal_of("ada", held);
	unsigned count = count_entering(&r, -1, 20);
	principal_release(r.who);
	return count;
}

static void
test_the_most_generous_role_counts(void)
{
	begin();
	roles[0].quota = three;
	roles[1].quota = (struct quota_settings){ .requests = 7, .per_s = 3600, .burst = 7 };
	CHECK(count_with_roles(1) == 3);
	CHECK(count_with_roles(2) == 7);
	begin();
	roles[0].quota = three;
	roles[1].quota = (struct quota_settings){ .requests = 7, .per_s = 3600, .burst = 7 };
	CHECK(count_with_roles(3) == 7);
	CHECK(count_with_roles(1 | 4) == 20); /* the third has no limit */
	CHECK(count_with_roles(4) == 20);
}

/* What a caller is refused by its own limit costs the others nothing. */
static void
test_who_floods_does_not_use_up_what_all_share(void)
{
	struct request flood = from("192.0.2.1"), other = from("192.0.2.2");

	begin();
	routes[0].quota = (struct quota_settings){ .requests = 10, .per_s = 3600, .burst = 10 };
	routes[0].caller_quota = three;
	CHECK(count_entering(&flood, 0, 1000) == 3);
	CHECK(count_entering(&other, 0, 3) == 3);
	for (int i = 0; i < 10; i++) {
		struct request more = from(i % 2 == 0 ? "192.0.2.3" : "192.0.2.4");
		(void)count_entering(&more, 0, 1);
	}
	struct request last = from("192.0.2.5");
	struct err e = quota_enter(&last, 0, &last.held);
	CHECK(e.kind == ERR_LIMIT && strstr(e.why, "(routes.*.limits.requests)") != NULL);
	/* And what the route refused was not taken from the caller. */
	routes[0].quota.requests = 0;
	CHECK(count_entering(&last, 0, 10) == 3);
}

static void
test_routes_have_buckets_of_their_own(void)
{
	struct request r = from("192.0.2.1");

	begin();
	routes[0].caller_quota = routes[1].caller_quota = three;
	CHECK(count_entering(&r, 0, 10) == 3 && count_entering(&r, 1, 10) == 3);
	/* Other numbers after a reload are a new limit. */
	routes[0].caller_quota.burst = 2;
	CHECK(count_entering(&r, 0, 10) == 2);
}

static void
test_what_is_held_is_given_back_once(void)
{
	struct request r[4] = { from("192.0.2.1"), from("192.0.2.1"), from("192.0.2.1"),
		                from("192.0.2.1") };

	begin();
	settings.caller_quota = (struct quota_settings){ .concurrent = 2 };
	routes[0].quota = (struct quota_settings){ .concurrent = 3 };
	CHECK(enters(&r[0], 0) && r[0].held.count == 2);
	CHECK(enters(&r[1], 0));
	struct err e = quota_enter(&r[2], 0, &r[2].held);
	CHECK(e.kind == ERR_LIMIT && strstr(e.why, "(limits.caller.concurrent)") != NULL);
	CHECK(r[2].held.count == 0 && r[2].retry_after_s == 1);
	quota_leave(&r[0], &r[0].held);
	quota_leave(&r[0], &r[0].held);
	CHECK(enters(&r[2], 0) && !enters(&r[3], 0));
	quota_leave(&r[1], &r[1].held);
	quota_leave(&r[2], &r[2].held);
	CHECK(atomic_load(&metrics->quotas.holding[0]) == 0);
}

static void
test_bytes_pass_as_the_narrowest_limit_lets_them(void)
{
	struct request r = from("192.0.2.1");
	unsigned wait_ms = 0;

	begin();
	routes[0].quota.bytes_s = 100000;
	routes[0].caller_quota.bytes_s = 1000;
	CHECK(quota_bytes(&r, 0, 600, &wait_ms) == 600);
	uint64_t rest = quota_bytes(&r, 0, 600, &wait_ms);
	CHECK(rest >= 400 && rest < 500);
	CHECK(quota_bytes(&r, 0, 600, &wait_ms) == 0 && wait_ms > 0 && wait_ms <= 64);
	/* A route that only observes lets them through. */
	routes[0].is_observed = true;
	CHECK(quota_bytes(&r, 0, 600, &wait_ms) == 600);
}

TESTS(TEST(test_without_limits_nothing_is_touched), TEST(test_each_caller_has_a_bucket_of_its_own),
      TEST(test_of_ipv6_the_network_is_the_caller),
      TEST(test_behind_a_proxy_the_last_hop_that_is_not_ours_counts),
      TEST(test_a_principal_is_the_caller_wherever_it_calls_from),
      TEST(test_the_most_generous_role_counts),
      TEST(test_who_floods_does_not_use_up_what_all_share),
      TEST(test_routes_have_buckets_of_their_own), TEST(test_what_is_held_is_given_back_once),
      TEST(test_bytes_pass_as_the_narrowest_limit_lets_them))
