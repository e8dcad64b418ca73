/* test_arena.c - alignment, zeroing, limits, and that a reset stops the allocating. */
#include "base/arena.h"

#include <stdalign.h>

#include "base/macros.h"
#include "test.h"

static void
test_memory_is_zeroed_and_aligned_also_after_a_reset(void)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; size < 300; size++) {
			uint8_t *at = arena_alloc(&a, size);

			CHECK(at != NULL && (uintptr_t)at % alignof(max_align_t) == 0);
			for (size_t i = 0; at != NULL && i < size; i++)
				if (at[i] != 0)
					CHECK_ROW(false, "memory is not zeroed");
			if (at != NULL)
				memset(at, 0xee, size);
		}
		arena_reset(&a);
	}
}

static void
test_the_limit_holds(void)
{
	CLEANUP(arena_done) struct arena a = { .limit = 65536 };
	size_t given = 0;

	while (arena_alloc(&a, 1000) != NULL && given < 1 << 20)
		given += 1000;
	CHECK(given > 32768 && given <= 65536 && a.total <= 65536);
	CHECK(arena_alloc(&a, 65537) == NULL && arena_alloc(&a, SIZE_MAX) == NULL &&
	      arena_alloc(&a, SIZE_MAX - 8) == NULL);

	CLEANUP(arena_done) struct arena plain = { 0 };
	CHECK(arena_alloc(&plain, ((size_t)16 << 20) + 1) == NULL);
}

static void
test_array_products_are_checked(void)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	CHECK(arena_array(&a, SIZE_MAX / 2, 4) == NULL &&
	      arena_array(&a, (size_t)1 << 33, (size_t)1 << 33) == NULL);
	CHECK(arena_array(&a, 10, 10) != NULL);
}

static void
test_a_reset_arena_stops_allocating(void)
{
	CLEANUP(arena_done) struct arena a = { 0 };

	CHECK(arena_alloc(&a, 100) != NULL);
	size_t total = a.total;
	for (int i = 0; i < 1000; i++) {
		CHECK(arena_alloc(&a, 2000) != NULL);
		arena_reset(&a);
	}
	CHECK(a.total == total);
	CHECK(arena_alloc(&a, 100000) != NULL && a.total > total);
	arena_reset(&a);
	CHECK(a.total == total);
}

static void
test_copies(void)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct bytes copy = arena_copy(&a, BYTES("a\0b"));
	char *text = arena_text(&a, BYTES("abc"));

	CHECK(bytes_equal(copy, BYTES("a\0b")) && text != NULL && strcmp(text, "abc") == 0);
	CHECK(arena_text(&a, BYTES("a\0b")) == NULL);
	text = arena_text(&a, (struct bytes){ 0 });
	CHECK(text != NULL && text[0] == '\0' && arena_copy(&a, (struct bytes){ 0 }).len == 0);
}

TESTS(TEST(test_memory_is_zeroed_and_aligned_also_after_a_reset), TEST(test_the_limit_holds),
      TEST(test_array_products_are_checked), TEST(test_a_reset_arena_stops_allocating),
      TEST(test_copies))
