#include "io/deadline.h"
#include "test.h"

static void
test_deadlines_end_in_order_and_not_before(void)
{
	struct deadline_list l;
	struct deadline a = { 0 }, b = { 0 };

	deadline_list_init(&l, 10);
	deadline_start(&l, &a, 1000);
	deadline_start(&l, &b, 2000);
	CHECK(deadline_next(&l, 10999) == NULL);
	CHECK(deadline_next(&l, 11000) == &a);
	CHECK(deadline_next(&l, 11000) == NULL);
	CHECK(deadline_next(&l, 12000) == &b);
	CHECK(deadline_next(&l, UINT64_MAX) == NULL);
}

static void
test_a_started_deadline_moves_to_the_end(void)
{
	struct deadline_list l, other;
	struct deadline a = { 0 }, b = { 0 };

	deadline_list_init(&l, 10);
	deadline_list_init(&other, 10);
	deadline_start(&l, &a, 0);
	deadline_start(&l, &b, 0);
	deadline_start(&l, &a, 5000);
	CHECK(deadline_next(&l, 10000) == &b);
	CHECK(deadline_next(&l, 10000) == NULL);
	deadline_start(&other, &a, 0);
	CHECK(deadline_next(&l, UINT64_MAX) == NULL);
	deadline_stop(&a);
	deadline_stop(&a);
	CHECK(deadline_next(&other, UINT64_MAX) == NULL);
}

TESTS(TEST(test_deadlines_end_in_order_and_not_before),
      TEST(test_a_started_deadline_moves_to_the_end))
