/* The PHC parser: one spelling of each hash, every bound checked. */
#include "issuer/phc.h"
#include "test.h"

#define SALT "wagCPXjifgvUFBzq4hqe3w"
#define TAG "CYaIb8sB+wtD+Vu/P4uod1+Qof8h+1g7bbDlBID48Rc"

static void
test_all_types_and_versions_are_read(void)
{
	static const struct {
		const char *text;
		enum phc_type type;
		uint32_t version;
	} rows[] = {
		{ "$argon2d$v=19$m=65536,t=3,p=4$" SALT "$" TAG, PHC_ARGON2D, 19 },
		{ "$argon2i$v=16$m=65536,t=3,p=4$" SALT "$" TAG, PHC_ARGON2I, 16 },
		{ "$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG, PHC_ARGON2ID, 19 },
		{ "$argon2i$m=65536,t=3,p=4$" SALT "$" TAG, PHC_ARGON2I, 16 },
		{ "$argon2id$v=19$m=262144,t=10,p=16$" SALT "$" TAG, PHC_ARGON2ID, 19 },
		{ "$argon2id$v=19$m=8,t=1,p=1$" SALT "$" TAG, PHC_ARGON2ID, 19 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct phc p = { 0 };

		CHECK_ROW(!failed(phc_parse(bytes_text(rows[i].text), &p)), rows[i].text);
		CHECK_ROW(p.type == rows[i].type && p.version == rows[i].version, rows[i].text);
		CHECK_ROW(p.salt_len == 16 && p.tag_len == 32, rows[i].text);
	}
}

static void
test_malformed_and_unbounded_strings_are_refused(void)
{
	static const char *const rows[] = {
		"",
		"$",
		"$$",
		"$argon2id",
		"argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		/* case 29: what costs too much */
		"$argon2id$v=19$m=4194304,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=262145,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=11,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=17$" SALT "$" TAG,
		"$argon2id$v=19$m=99999999999999999999999,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=4294967297,t=3,p=4$" SALT "$" TAG,
		/* what argon2 cannot do */
		"$argon2id$v=19$m=31,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=0,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=0,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=0$" SALT "$" TAG,
		/* other spellings */
		"$argon2id$v=19$m=065536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=+65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m= 65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=0x100,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$t=3,m=65536,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4,x=1$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4,$" SALT "$" TAG,
		"$argon2id$v=18$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=019$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		"$Argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2idx$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		"$2b$12$abcdefghijklmnopqrstuv",
		/* salt and tag */
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "==$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG "=",
		"$argon2id$v=19$m=65536,t=3,p=4$wagCPXjifgvUFBzq4hqe3x$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4$$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$",
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT,
		"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$c2hvcnR0YWc",
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG "$",
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG "$x",
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG "\n",
		" $argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG,
		"$argon2id$v=19$m=65536,t=3,p=4$" SALT
		"$CYaIb8sB-wtD_Vu_P4uod1-Qof8h-1g7bbDlBID48Rc",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct phc p;

		CHECK_ROW(phc_parse(bytes_text(rows[i]), &p).kind == ERR_CONFIG, rows[i]);
	}
}

static void
test_too_long_strings_are_refused(void)
{
	char text[4096];
	struct phc p;
	int len = snprintf(text, sizeof text, "$argon2id$v=19$m=65536,t=3,p=4$%0*d$" TAG, 2000, 0);

	CHECK(phc_parse((struct bytes){ (uint8_t *)text, (size_t)len }, &p).kind == ERR_CONFIG);
	len = snprintf(text, sizeof text, "$argon2id$v=19$m=65536,t=3,p=4$%0*d$" TAG, 87, 0);
	CHECK(phc_parse((struct bytes){ (uint8_t *)text, (size_t)len }, &p).kind == ERR_CONFIG);
	/* 64 bytes of each are the most. */
	len = snprintf(text, sizeof text, "$argon2id$v=19$m=65536,t=3,p=4$%.*s$%.*s", 86,
	               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	               "AAAAAAAAAA"
	               "AAAAAAA",
	               86,
	               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	               "AAAAAAAAAA"
	               "AAAAAAA");
	CHECK(!failed(phc_parse((struct bytes){ (uint8_t *)text, (size_t)len }, &p)));
	CHECK(p.salt_len == 64 && p.tag_len == 64);
}

static void
test_every_cut_of_a_good_string_is_refused_or_shorter_tag(void)
{
	static const char text[] = "$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG;

	for (size_t len = 0; len < sizeof text - 1; len++) {
		struct phc p = { 0 };
		struct err e = phc_parse((struct bytes){ (const uint8_t *)text, len }, &p);

		CHECK(failed(e) || (p.tag_len < 32 && p.tag_len >= PHC_TAG_MIN));
	}
}

static void
test_what_is_written_reads_back(void)
{
	struct phc p = { .type = PHC_ARGON2D,
		         .version = 16,
		         .memory_kib = 1024,
		         .passes = 2,
		         .lanes = 3,
		         .salt_len = 11,
		         .tag_len = 20 },
		   again = { 0 };
	struct buf text = { 0 };

	memset(p.salt, 0xfb, p.salt_len);
	memset(p.tag, 0xff, p.tag_len);
	phc_put(&p, &text);
	CHECK(!failed(phc_parse(buf_bytes(&text), &again)));
	CHECK(memcmp(&p, &again, sizeof p) == 0);
	buf_done(&text);
}

TESTS(TEST(test_all_types_and_versions_are_read),
      TEST(test_malformed_and_unbounded_strings_are_refused),
      TEST(test_too_long_strings_are_refused),
      TEST(test_every_cut_of_a_good_string_is_refused_or_shorter_tag),
      TEST(test_what_is_written_reads_back))
