/* test_secret.c - owned secrets, with and without the secure heap. */
#include "base/secret.h"

#include "base/macros.h"
#include "test.h"

static void
check_secrets(void)
{
	CLEANUP(secret_done) struct secret copy = { 0 }, one = { 0 }, two = { 0 }, empty = { 0 };

	CHECK(!failed(secret_from(BYTES("p\0w"), &copy)) &&
	      bytes_equal(secret_bytes(&copy), BYTES("p\0w")));
	CHECK(!failed(secret_from((struct bytes){ 0 }, &empty)) && empty.len == 0);
	CHECK(!failed(secret_random(32, &one)) && !failed(secret_random(32, &two)) &&
	      one.len == 32);
	CHECK(!bytes_equal(secret_bytes(&one), secret_bytes(&two)));
	secret_done(&copy);
	CHECK(copy.at == NULL && copy.len == 0);
	secret_done(&copy);
}

static void
test_secrets_in_ordinary_memory(void)
{
	check_secrets();
}

static void
test_secrets_in_the_secure_heap_are_wiped(void)
{
	struct secret s, next;

	secret_heap_init();
	secret_heap_init();
	check_secrets();

	CHECK(!failed(secret_from(BYTES("correct horse battery staple"), &s)));
	secret_done(&s);
	/* The heap gives the same block again: it must hold nothing of the old secret. */
	CHECK(!failed(secret_from(BYTES(""), &next)));
	for (size_t i = 0; next.at != NULL && i < 28; i++)
		CHECK(next.at[i] == 0);
	secret_done(&next);
}

TESTS(TEST(test_secrets_in_ordinary_memory), TEST(test_secrets_in_the_secure_heap_are_wiped))
