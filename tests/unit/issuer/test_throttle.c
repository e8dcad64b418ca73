/* Growing delays, their cap, and floods that try to make the throttle forget or lock someone out.
 */
#include "issuer/issuer.h"
#include "test.h"

static const uint64_t S = 1000000;

static struct throttle *
fresh(void)
{
	struct throttle *t = NULL;

	CHECK(!failed(throttle_new(&t)));
	return t;
}

static void
fail_times(struct throttle *t, const char *user, const char *address, unsigned times, uint64_t now)
{
	for (unsigned i = 0; i < times; i++)
		throttle_failed(t, bytes_text(user), bytes_text(address), now);
}

static unsigned
wait_of(struct throttle *t, const char *user, const char *address, uint64_t now)
{
	return throttle_wait_s(t, bytes_text(user), bytes_text(address), now);
}

static void
test_delay_of_a_user_grows_to_its_cap(void)
{
	static const unsigned delays[] = { 0,  0,  0,  0,  1,  2,  4,  8,  16, 30,
		                           30, 30, 30, 30, 30, 30, 30, 30, 30, 30 };
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	for (size_t failures = 0; failures < sizeof delays / sizeof *delays; failures++) {
		char address[16];

		CHECK(wait_of(t, "alice", "198.51.100.200", now) == delays[failures]);
		snprintf(address, sizeof address, "192.0.2.%zu", failures); /* a botnet */
		fail_times(t, "alice", address, 1, now);
	}
	CHECK(wait_of(t, "bob", "198.51.100.200", now) == 0);
	throttle_free(t);
}

static void
test_delay_of_an_address_grows_after_ten(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	for (unsigned i = 0; i < 30; i++) {
		char user[16];

		CHECK(wait_of(t, "nobody", "192.0.2.1", now) == (i <= 10  ? 0
		                                                 : i > 15 ? 30
		                                                          : 1u << (i - 11)));
		snprintf(user, sizeof user, "user%u", i); /* password spraying */
		fail_times(t, user, "192.0.2.1", 1, now);
	}
	CHECK(wait_of(t, "nobody", "192.0.2.2", now) == 0);
	throttle_free(t);
}

static void
test_who_waits_as_told_is_let_in(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S + 1;

	fail_times(t, "alice", "192.0.2.1", 6, now);
	CHECK(wait_of(t, "alice", "192.0.2.9", now + 1) == 4);
	CHECK(wait_of(t, "alice", "192.0.2.9", now + 3 * S + 1) == 1);
	CHECK(wait_of(t, "alice", "192.0.2.9", now + 4 * S) == 0);
	throttle_free(t);
}

static void
test_quiet_minutes_are_forgiven_one_by_one(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	fail_times(t, "alice", "192.0.2.1", 100, now); /* remembered: 16 */
	now += 9 * 60 * S;                             /* 7 left */
	fail_times(t, "alice", "192.0.2.2", 1, now);   /* 8 */
	CHECK(wait_of(t, "alice", "192.0.2.9", now) == 16);
	now += 20 * 60 * S;
	fail_times(t, "alice", "192.0.2.3", 3, now);
	CHECK(wait_of(t, "alice", "192.0.2.9", now) == 0);
	throttle_free(t);
}

/* Behind a proxy: what a stranger fails there must not keep everybody out. */
static void
test_unknown_address_is_not_counted(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	for (unsigned i = 0; i < 100; i++) {
		char user[16];

		snprintf(user, sizeof user, "user%u", i);
		fail_times(t, user, "", 1, now);
	}
	CHECK(wait_of(t, "alice", "", now) == 0);
	fail_times(t, "alice", "", 4, now);
	CHECK(wait_of(t, "alice", "", now) == 1);
	throttle_free(t);
}

static void
test_success_clears_the_user_but_not_the_address(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	fail_times(t, "alice", "192.0.2.1", 20, now);
	throttle_succeeded(t, BYTES("alice"), BYTES("192.0.2.1"));
	CHECK(wait_of(t, "alice", "192.0.2.9", now) == 0);
	CHECK(wait_of(t, "alice", "192.0.2.1", now) == 30);
	throttle_free(t);
}

static void
test_ipv6_counts_by_its_64_bit_network_and_mapped_ipv4_as_ipv4(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	for (unsigned i = 0; i < 30; i++) {
		char address[64], user[16];

		snprintf(address, sizeof address, "2001:db8:1:2:%x::%x", i, i);
		snprintf(user, sizeof user, "user%u", i);
		fail_times(t, user, address, 1, now);
	}
	CHECK(wait_of(t, "nobody", "2001:db8:1:2::ffff", now) == 30);
	CHECK(wait_of(t, "nobody", "2001:db8:1:3::ffff", now) == 0);
	fail_times(t, "x", "::ffff:192.0.2.7", 30, now);
	CHECK(wait_of(t, "nobody", "192.0.2.7", now) == 30);
	throttle_free(t);
}

static void
test_flood_of_names_does_not_make_a_heavily_failing_one_forgotten(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	fail_times(t, "alice", "192.0.2.1", 16, now);
	for (unsigned i = 0; i < 40000; i++) { /* five times the table */
		char user[16], address[32];

		snprintf(user, sizeof user, "n%u", i);
		snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		fail_times(t, user, address, 1, now);
	}
	CHECK(wait_of(t, "alice", "198.51.100.1", now) == 30);
	CHECK(wait_of(t, "nobody", "192.0.2.1", now) == 30);
	throttle_free(t);
}

/* Every set full of names that fail much: a newcomer costs one of them a failure, not its place. */
static void
test_flood_into_a_full_table_wears_entries_down_but_does_not_replace_them(void)
{
	enum { NAMES = 16000 };
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;
	static bool was_delayed[NAMES];
	unsigned tracked = 0, lost = 0;
	char user[16];

	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(user, sizeof user, "n%u", i);
		fail_times(t, user, user, 16, now);
	}
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(user, sizeof user, "n%u", i);
		was_delayed[i] = wait_of(t, user, "198.51.100.1", now) == 30;
		tracked += was_delayed[i];
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(user, sizeof user, "flood%u", i);
		fail_times(t, user, user, 1, now);
	}
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(user, sizeof user, "n%u", i);
		lost += was_delayed[i] && wait_of(t, user, "198.51.100.1", now) < 4;
	}
	CHECK(tracked > 4000);
	CHECK(lost == 0);
	throttle_free(t);
}

static void
test_flood_of_names_delays_nobody_else(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;
	unsigned delayed = 0;

	for (unsigned i = 0; i < 40000; i++) {
		char user[16], address[32];

		snprintf(user, sizeof user, "n%u", i);
		snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		fail_times(t, user, address, 1, now);
	}
	for (unsigned i = 0; i < 1000; i++) {
		char user[16];

		snprintf(user, sizeof user, "honest%u", i);
		delayed += wait_of(t, user, "198.51.100.1", now) > 0;
	}
	CHECK(delayed == 0);
	throttle_free(t);
}

static void
test_new_failures_get_into_a_full_table_when_the_old_ones_are_forgiven(void)
{
	struct throttle *t = fresh();
	uint64_t now = 1000 * S;

	for (unsigned i = 0; i < 20000; i++) {
		char user[16];

		snprintf(user, sizeof user, "n%u", i);
		fail_times(t, user, user, 4, now);
	}
	now += 5 * 60 * S;
	fail_times(t, "mallory", "192.0.2.1", 6, now);
	CHECK(wait_of(t, "mallory", "198.51.100.1", now) == 4);
	throttle_free(t);
}

static void
test_odd_addresses_and_a_clock_that_stands_still_do_no_harm(void)
{
	struct throttle *t = fresh();
	char longest[300];

	memset(longest, ':', sizeof longest);
	longest[299] = 0;
	fail_times(t, "", "", 30, 0);
	fail_times(t, longest, longest, 30, 0);
	fail_times(t, "alice", "unix", 30, UINT64_MAX / 2);
	CHECK(wait_of(t, "", "x", 0) == 30);
	CHECK(wait_of(t, "bob", longest, 0) == 30);
	/* Earlier than the failure: the monotonic clock does not do that, but it must not wrap. */
	CHECK(wait_of(t, "alice", "x", UINT64_MAX / 2 - S) == 31);
	throttle_free(t);
}

TESTS(TEST(test_delay_of_a_user_grows_to_its_cap), TEST(test_delay_of_an_address_grows_after_ten),
      TEST(test_who_waits_as_told_is_let_in), TEST(test_quiet_minutes_are_forgiven_one_by_one),
      TEST(test_unknown_address_is_not_counted),
      TEST(test_success_clears_the_user_but_not_the_address),
      TEST(test_ipv6_counts_by_its_64_bit_network_and_mapped_ipv4_as_ipv4),
      TEST(test_flood_of_names_does_not_make_a_heavily_failing_one_forgotten),
      TEST(test_flood_into_a_full_table_wears_entries_down_but_does_not_replace_them),
      TEST(test_flood_of_names_delays_nobody_else),
      TEST(test_new_failures_get_into_a_full_table_when_the_old_ones_are_forgiven),
      TEST(test_odd_addresses_and_a_clock_that_stands_still_do_no_harm))
