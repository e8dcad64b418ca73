/* test.h - the test runner: one line a test, `ok name`, `not ok name` or `skip name # why`.
 *
 *   static void test_expired_token_is_refused(void) { CHECK(...); }
 *   TESTS(test_expired_token_is_refused, ...)
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
};

static bool test_failed;
static const char *test_skipped;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
			test_failed = true;                                                        \
		}                                                                                  \
	} while (0)

/* For table-driven tests: names the row. */
#define CHECK_ROW(condition, row)                                                                  \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, row, #condition);          \
			test_failed = true;                                                        \
		}                                                                                  \
	} while (0)

#define SKIP(why)                                                                                  \
	do {                                                                                       \
		test_skipped = (why);                                                              \
		return;                                                                            \
	} while (0)

/* Path of a corpus file, or NULL when the corpora are not here: then SKIP. Freed by the caller. */
static inline char *
test_corpus(const char *file)
{
	const char *root = getenv("GATEWARDEN_CORPORA");
	char *path = NULL;

	if (root == NULL || asprintf(&path, "%s/%s", root, file) < 0)
		return NULL;

	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		free(path);
		return NULL;
	}
	fclose(f);
	return path;
}

static inline int
test_main(const struct test *tests, size_t count)
{
	int bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++) {
		test_failed = false;
		test_skipped = NULL;
		tests[i].run();
		if (test_failed)
			printf("not ok %s\n", tests[i].name);
		else if (test_skipped != NULL)
			printf("skip %s # %s\n", tests[i].name, test_skipped);
		else
			printf("ok %s\n", tests[i].name);
		bad += test_failed;
	}
	return bad > 0;
}

#define TEST(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
#define TESTS(...)                                                                                 \
	int main(void)                                                                             \
	{                                                                                          \
		const struct test tests[] = { __VA_ARGS__ };                                       \
		return test_main(tests, sizeof tests / sizeof *tests);                             \
	}

#endif
