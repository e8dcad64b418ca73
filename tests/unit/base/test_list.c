/* test_list.c - the intrusive list. */
#include "base/list.h"

#include "base/macros.h"
#include "test.h"

struct item {
	int number;
	struct list node;
};

static int
digits(const struct list *l)
{
	int all = 0;

	for (const struct list *n = l->next; n != l; n = n->next)
		all = all * 10 + container_of(n, struct item, node)->number;
	return all;
}

static void
test_order_and_removal(void)
{
	struct item items[] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct list l;

	list_init(&l);
	CHECK(list_is_empty(&l));
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		list_append(&l, &items[i].node);
	CHECK(digits(&l) == 123 && !list_is_empty(&l));
	list_remove(&items[1].node);
	CHECK(digits(&l) == 13);
	list_remove(&items[1].node);
	CHECK(digits(&l) == 13);
	list_append(&l, &items[1].node);
	CHECK(digits(&l) == 132);
	list_remove(&items[0].node), list_remove(&items[2].node), list_remove(&items[1].node);
	CHECK(list_is_empty(&l) && l.prev == &l);
}

static void
test_a_zeroed_node_is_on_no_list(void)
{
	struct item item = { 0 };

	list_remove(&item.node);
	CHECK(item.node.next == NULL && item.node.prev == NULL);
}

TESTS(TEST(test_order_and_removal), TEST(test_a_zeroed_node_is_on_no_list))
