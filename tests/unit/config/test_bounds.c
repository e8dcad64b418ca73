/* test_bounds.c - files that are too large, too deep or not to be read. */
#include "load.h"

#include "base/macros.h"

static void
test_depth_size_and_number_are_bounded(void)
{
	static const struct {
		const char *head, *text;
		size_t count;
		const char *tail, *errors;
	} rows[] = {
		{ "", "[", 100000, "", G ":1:33: nested too deep; expected at most 32 levels\n" },
		{ "x: ", "{a: ", 100000, "",
		  G ":1:128: nested too deep; expected at most 32 levels\n" },
		{ "", "- ", 100000, "x\n",
		  G ":1:65: nested too deep; expected at most 32 levels\n" },
		{ "workers: 1\n", "#", 1 << 20, "\n",
		  G ":1:1: the file has more than 1 MiB; expected at most that\n" },
		{ "%", "a", 1000000, "\n",
		  G ":1:1: directives are refused; expected settings only\n" },
		{ "x: !y!", "%41", 300000, " 1\n",
		  G ":1:307: tags are refused; expected the value alone\n" },
		{ "x: [", "1,", 60000, "1]\n",
		  G ":1:100001: too many values; expected at most 50000\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct load l =
			load_repeated(rows[i].head, rows[i].text, rows[i].count, rows[i].tail);
		CHECK_ROW(load_says(&l, rows[i].errors), rows[i].text);
		load_done(&l);
	}
}

static void
test_keys_of_a_mapping_are_bounded(void)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&b, "k%u: 1\n", i);
	struct load l = load_bytes(b.at, b.len);
	CHECK(load_says(&l, G ":4097:1: too many keys; expected at most 4096 in one mapping\n"));
	load_done(&l);
	buf_done(&b);
}

static void
test_a_billion_laughs_is_refused(void)
{
	struct load l =
		load_text("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	                  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n");
	CHECK(l.settings == NULL && l.errors.count == 3 + 27 + 4);
	load_done(&l);
}

static void
test_very_many_errors_are_cut(void)
{
	struct load l =
		load_repeated("issuers: {l: {type: local, audience: [", "'',", 30000, "'x']}}\n");
	CHECK(l.errors.count == 1); /* the list itself is too long */
	load_done(&l);

	l = load_repeated("roles:\n  r: {granted_by: [", "nobody:x,", 5000, "nobody:y]}\n");
	CHECK(l.errors.count == 1001);
	CHECK(strstr((char *)l.errors.text.at,
	             "\n" G ": more than 1000 errors; expected these to be corrected first\n"));
	load_done(&l);
}

static void
test_nul_bytes_are_refused(void)
{
	struct load l = load_bytes("workers: 1\0\n", 12);
	CHECK(load_says(&l, G ":1:11: byte 0x00; expected text without control characters\n"));
	load_done(&l);
}

static void
test_a_file_that_cannot_be_read_is_an_error(void)
{
	struct load l = { 0 };

	CHECK(config_load("/nonexistent/g.yaml", &l.arena, &l.settings, &l.errors).kind ==
	      ERR_CONFIG);
	CHECK(load_says(&l, "/nonexistent/g.yaml: cannot be read (No such file or directory); "
	                    "expected a YAML or JSON file\n"));
	config_errors_done(&l.errors);
	CHECK(config_load("/", &l.arena, &l.settings, &l.errors).kind == ERR_CONFIG);
	CHECK(load_says(&l, "/: cannot be read (Is a directory); expected a YAML or JSON file\n"));
	CHECK(l.settings == NULL);
	load_done(&l);
}

static void
test_no_memory_is_an_error(void)
{
	struct load l = { .arena = { .limit = 8192 } };
	struct buf b = { 0 };

	buf_put_text(&b, "issuers: {l: {type: local, audience: [");
	for (size_t i = 0; i < 32; i++)
		buf_printf(&b, "%s%01000zu", i == 0 ? "" : ",", i);
	buf_put_text(&b, "]}}\n");

	CHECK(config_parse(buf_bytes(&b), G, &l.arena, &l.settings, &l.errors).kind == ERR_CONFIG);
	CHECK(load_says(
		&l, G ": the configuration is too large for its memory; expected fewer entries\n"));
	CHECK(l.settings == NULL);
	buf_done(&b);
	load_done(&l);
}

TESTS(TEST(test_depth_size_and_number_are_bounded), TEST(test_keys_of_a_mapping_are_bounded),
      TEST(test_a_billion_laughs_is_refused), TEST(test_very_many_errors_are_cut),
      TEST(test_nul_bytes_are_refused), TEST(test_a_file_that_cannot_be_read_is_an_error),
      TEST(test_no_memory_is_an_error))
