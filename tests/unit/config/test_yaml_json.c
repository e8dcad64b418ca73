/* test_yaml_json.c - YAML that is not ours, as JSON. */
#include "config/yaml_json.h"

#include "base/macros.h"
#include "test.h"

static void
test_collections_and_words_become_json(void)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "a: 1\n", "{\"a\":\"1\"}" },
		{ "a: true\nb: \"true\"\nc: ~\nd: ''\ne:\n",
		  "{\"a\":true,\"b\":\"true\",\"c\":null,\"d\":\"\",\"e\":null}" },
		{ "a: []\nb: {}\nc: [1, [2, {x: y}], z]\n",
		  "{\"a\":[],\"b\":{},\"c\":[\"1\",[\"2\",{\"x\":\"y\"}],\"z\"]}" },
		{ "a: {b: {c: d}}\ne: f\n", "{\"a\":{\"b\":{\"c\":\"d\"}},\"e\":\"f\"}" },
		{ "- a\n- b: c\n", "[\"a\",{\"b\":\"c\"}]" },
		{ "x\n", "\"x\"" },
		{ "a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}" },
		{ "{\"a\": \"q\\\"\"}", "{\"a\":\"q\\\"\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };
		struct config_errors errors = { 0 };
		CHECK_ROW(!failed(yaml_to_json(bytes_text(rows[i].yaml), "f", &out, &errors)) &&
		                  bytes_is(buf_bytes(&out), rows[i].json),
		          rows[i].yaml);
		config_errors_done(&errors);
		buf_done(&out);
	}
}

static void
test_what_the_configuration_refuses_is_refused(void)
{
	static const char *const rows[] = { "a: &x 1\n",        "a: *x\n", "a: !!str 1\n",
		                            "a: 1\na: 2\n",     "a: [\n",  "",
		                            "a: 1\n---\nb: 2\n" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };
		struct config_errors errors = { 0 };
		struct err e = yaml_to_json(bytes_text(rows[i]), "f", &out, &errors);
		CHECK_ROW(rows[i][0] == 0 || (e.kind == ERR_CONFIG && errors.count > 0), rows[i]);
		config_errors_done(&errors);
		buf_done(&out);
	}
}

TESTS(TEST(test_collections_and_words_become_json),
      TEST(test_what_the_configuration_refuses_is_refused))
