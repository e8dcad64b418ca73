/* Passwords against argon2 vectors and hashes other tools made. */
#include "format/json.h"
#include "issuer/issuer.h"
#include "test.h"

/* A user of this hash logs in. */
static struct err
check(struct bytes phc, struct bytes password, bool *ret_rehash)
{
	struct user u = { .name = BYTES("alice"), .hash = phc, .generation = 1 };

	return user_check_password(&u, password, ret_rehash);
}

static void
test_hash_of_another_tool_verifies(void)
{
	struct bytes phc =
		BYTES("$argon2id$v=19$m=65536,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$CYaIb8sB+wtD+Vu/"
	              "P4uod1+Qof8h+1g7bbDlBID48Rc");
	bool rehash = true;

	CHECK(!failed(check(phc, BYTES("secret"), &rehash)));
	CHECK(!rehash);
	CHECK(check(phc, BYTES("Secret"), &rehash).kind == ERR_IDENTITY);
	CHECK(check(phc, BYTES("secret "), &rehash).kind == ERR_IDENTITY);
	CHECK(check(phc, BYTES(""), &rehash).kind == ERR_IDENTITY);
}

static void
test_own_hash_verifies_and_differs_each_time(void)
{
	struct buf first = { 0 }, second = { 0 };
	struct bytes password = BYTES("correct horse battery");
	bool rehash = true;

	CHECK(!failed(password_hash(password, &first)));
	CHECK(!failed(password_hash(password, &second)));
	CHECK(bytes_starts(buf_bytes(&first), BYTES("$argon2id$v=19$m=65536,t=3,p=4$")));
	CHECK(!bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	CHECK(!failed(check(buf_bytes(&first), password, &rehash)));
	CHECK(!rehash);
	buf_done(&first);
	buf_done(&second);
}

/* One row: must verify, or be refused when beyond our bounds. Counts both. */
static void
vector_check(const struct json *row, unsigned *verified, unsigned *beyond)
{
	struct bytes encoded, password;
	int64_t memory_kib;
	bool rehash = false;

	if (!json_string(json_member(row, "encoded"), &encoded) ||
	    !json_string(json_member(row, "password"), &password) ||
	    !json_int64(json_member(row, "m_kib"), &memory_kib)) {
		CHECK_ROW(false, "a vector has all members");
		return;
	}

	struct err e = check(encoded, password, &rehash);

	if (memory_kib > 256 << 10) {
		CHECK(e.kind == ERR_IDENTITY);
		(*beyond)++;
		return;
	}
	CHECK(!failed(e));
	CHECK(rehash); /* none has our parameters */
	CHECK(check(encoded, BYTES("another password"), &rehash).kind == ERR_IDENTITY);
	(*verified)++;
}

static void
test_reference_vectors(void)
{
	char *path = test_corpus("argon2-phc/test_c_vectors.jsonl");
	char line[2048];
	unsigned verified = 0, beyond = 0;

	if (path == NULL)
		SKIP("no corpora here");

	FILE *f = fopen(path, "r");

	free(path);
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		struct arena arena = { 0 };
		const struct json *row = NULL;

		CHECK(!failed(json_parse(bytes_text(line), &arena, &row, NULL)));
		vector_check(row, &verified, &beyond);
		arena_done(&arena);
	}
	if (f != NULL)
		fclose(f);
	CHECK(verified == 24);
	CHECK(beyond == 2);
}

/* Case 27: a megabyte of password costs nothing. */
static void
test_case_27_long_password_is_refused(void)
{
	char *huge = calloc(1, 1 << 20);
	struct bytes password = { (uint8_t *)huge, 1 << 20 };
	struct buf out = { 0 };
	bool rehash;

	CHECK(password_hash(password, &out).kind == ERR_INVALID);
	CHECK(out.len == 0);
	CHECK(check(BYTES("$argon2id$v=19$m=65536,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$"
	                  "CYaIb8sB+wtD+Vu/P4uod1+Qof8h+1g7bbDlBID48Rc"),
	            password, &rehash)
	              .kind == ERR_IDENTITY);
	password.len = PASSWORD_MAX;
	memset(huge, 'x', PASSWORD_MAX);
	CHECK(!failed(password_hash(password, &out)));
	CHECK(!failed(check(buf_bytes(&out), password, &rehash)));
	password.len--;
	CHECK(check(buf_bytes(&out), password, &rehash).kind == ERR_IDENTITY);
	free(huge);
	buf_done(&out);
}

static void
test_acceptable_passwords(void)
{
	static const char *const rows[] = { "correct horse battery", "Tr0ub4dor&3xy",
		                            "aaaaaaaaaaab",          "žluťoučký kůň",
		                            "123456789012345x",      "0123456789ab" };
	const char *why;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(password_acceptable(bytes_text(rows[i]), &why), rows[i]);
}

static void
test_unacceptable_passwords_say_why(void)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "12 characters" },
		{ "elevenchars", "12 characters" },
		{ "žžžžžžž", "12 characters" },
		{ "aaaaaaaaaaaaaaaa", "over and over" },
		{ "abcabcabcabcabc", "over and" },
		{ "passpasspass", "over and over" },
		{ "123456789012", "plain run" },
		{ "abcdefghijklmno", "plain run" },
		{ "zyxwvutsrqponm", "plain run" },
		{ "210987654321", "plain run" },
		{ "with\ta\ttabulator", "control" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "UTF-8" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why = NULL;

		CHECK_ROW(!password_acceptable(bytes_text(rows[i].text), &why), rows[i].text);
		CHECK_ROW(why != NULL && strstr(why, rows[i].says) != NULL, rows[i].text);
	}
}

TESTS(TEST(test_hash_of_another_tool_verifies), TEST(test_own_hash_verifies_and_differs_each_time),
      TEST(test_reference_vectors), TEST(test_case_27_long_password_is_refused),
      TEST(test_acceptable_passwords), TEST(test_unacceptable_passwords_say_why))
