/* Counts by address: what the limit allows, and that an address is found again whatever was removed
 * before it. */
#include "frontend/peers.h"

#include <stdio.h>

#include "test.h"

enum { ADDRESSES = 64, CONNECTIONS = 32 };

static struct bytes
address(unsigned n)
{
	static char text[ADDRESSES * 4][16];

	snprintf(text[n], sizeof text[n], "10.0.%u.%u", n / 250, n % 250);
	return bytes_text(text[n]);
}

static void
test_an_address_has_as_many_as_the_limit(void)
{
	struct peer_counts *p;

	CHECK(!failed(peers_new(CONNECTIONS, &p)));
	for (unsigned i = 0; i < 3; i++)
		CHECK(peers_add(p, address(1), 3));
	CHECK(!peers_add(p, address(1), 3));
	CHECK(peers_add(p, address(2), 3));
	peers_remove(p, address(1));
	CHECK(peers_add(p, address(1), 3));
	CHECK(!peers_add(p, address(1), 3));
	CHECK(!peers_add(p, address(3), 0));
	peers_free(p);
}

static void
test_what_was_never_counted_is_not_counted_off(void)
{
	struct peer_counts *p;

	CHECK(!failed(peers_new(CONNECTIONS, &p)));
	peers_remove(p, address(1));
	peers_remove(p, (struct bytes){ 0 });
	CHECK(peers_add(p, address(1), 1));
	peers_remove(p, address(2));
	CHECK(!peers_add(p, address(1), 1));
	peers_free(p);
	peers_free(NULL);
}

/* Against a plain array, in an order that makes and closes gaps; the table is as full as it gets.
 */
static void
test_it_counts_as_a_plain_array_does(void)
{
	for (unsigned round = 0; round < 50; round++) {
		struct peer_counts *p;
		unsigned counts[ADDRESSES] = { 0 }, total = 0, state = round * 7919 + 1;

		CHECK(!failed(
			peers_new(CONNECTIONS, &p))); /* another key each time: other collisions */
		for (unsigned step = 0; step < 4000; step++) {
			state = state * 1103515245 + 12345;
			unsigned n = (state >> 16) % ADDRESSES;
			bool add = total == 0 || (total < CONNECTIONS && (state >> 30) != 0);

			if (add) {
				bool is_added = peers_add(p, address(n), 4);
				CHECK(is_added == (counts[n] < 4));
				counts[n] += is_added;
				total += is_added;
			} else if (counts[n] > 0) {
				peers_remove(p, address(n));
				counts[n]--;
				total--;
			}
		}
		for (unsigned n = 0; n < ADDRESSES; n++) {
			for (unsigned i = counts[n]; i < 4; i++)
				CHECK(peers_add(p, address(n), 4));
			CHECK(!peers_add(p, address(n), 4));
			for (unsigned i = 0; i < 4; i++)
				peers_remove(p, address(n));
		}
		peers_free(p);
	}
}

TESTS(TEST(test_an_address_has_as_many_as_the_limit),
      TEST(test_what_was_never_counted_is_not_counted_off),
      TEST(test_it_counts_as_a_plain_array_does))
