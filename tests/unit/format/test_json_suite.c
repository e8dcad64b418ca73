/* test_json_suite.c - JSONTestSuite: y_ files are accepted, n_ files refused, i_ files either, all
 * without harm; what is accepted survives being written and read again. */
#include <dirent.h>

#include "base/macros.h"
#include "file.h"
#include "format/json.h"
#include "test.h"

/* Well-formed by the grammar, refused by us on purpose. */
static const struct {
	const char *file, *reason;
} stricter[] = {
	{ "y_object_duplicated_key.json", "two members of one name" },
	{ "y_object_duplicated_key_and_value.json", "two members of one name" },
	{ "y_object_escaped_null_in_key.json", "escaped NUL" },
	{ "y_string_null_escape.json", "escaped NUL" },
};

static bool
is_stricter(const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(stricter); i++)
		if (strcmp(stricter[i].file, file) == 0)
			return true;
	return false;
}

/* Numbers keep their text and names their normal form, so those transform; broken text and two
 * members of one name are refused instead of being mended. */
static bool
is_expected(const char *file, bool refused)
{
	if (strncmp(file, "number_", 7) == 0 || strncmp(file, "object_key_nf", 13) == 0)
		return !refused;
	if (strncmp(file, "object_same_key", 15) == 0 || strncmp(file, "string_", 7) == 0)
		return refused;
	if (strncmp(file, "y_", 2) == 0)
		return refused == is_stricter(file);
	return strncmp(file, "i_", 2) == 0 || (strncmp(file, "n_", 2) == 0 && refused);
}

static void
check_survives(const char *file, const struct json *v)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf once = { 0 }, twice = { 0 };
	const struct json *again;

	json_put_value(&once, v);
	CHECK_ROW(!failed(json_parse(buf_bytes(&once), &arena, &again, NULL)), file);
	if (test_failed)
		return;
	json_put_value(&twice, again);
	CHECK_ROW(bytes_equal(buf_bytes(&once), buf_bytes(&twice)), file);
}

static void
check_file(const char *folder, const char *file)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct json_error error = { 0 };
	const struct json *v;
	size_t len = 0;
	char *path;

	uint8_t *at = asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : test_file(path, &len);
	CHECK_ROW(at != NULL, file);
	free(path);
	if (at == NULL)
		return;

	struct err e = json_parse((struct bytes){ at, len }, &arena, &v, &error);
	CHECK_ROW(is_expected(file, failed(e)), file);
	CHECK_ROW(!failed(e) || (error.offset <= len && error.why != NULL), file);
	if (!failed(e))
		check_survives(file, v);
	free(at);
}

static size_t
check_folder(const char *name)
{
	char *source = test_corpus("json-test-suite/SOURCE.txt"), *folder = NULL;
	size_t count = 0;

	if (source == NULL ||
	    asprintf(&folder, "%.*s/%s", (int)(strrchr(source, '/') - source), source, name) < 0)
		return 0;
	free(source);
	DIR *dir = opendir(folder);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (strstr(e->d_name, ".json") == NULL)
			continue;
		check_file(folder, e->d_name);
		count++;
	}
	if (dir != NULL)
		closedir(dir);
	free(folder);
	return count;
}

static void
test_the_parsing_suite(void)
{
	size_t count = check_folder("test_parsing");

	if (count == 0)
		SKIP("the corpora are not here");
	printf("# %zu files\n", count);
	CHECK(count >= 300);
}

static void
test_the_transform_suite(void)
{
	size_t count = check_folder("test_transform");

	if (count == 0)
		SKIP("the corpora are not here");
	printf("# %zu files\n", count);
	CHECK(count >= 20);
}

TESTS(TEST(test_the_parsing_suite), TEST(test_the_transform_suite))
