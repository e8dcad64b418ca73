/* test_json.c - the JSON reader and writer: what is refused, where, and what it costs. */
#include "format/json.h"

#include <math.h>
#include <time.h>

#include "base/macros.h"
#include "test.h"

static struct err
parse(const char *text, struct arena *arena, const struct json **ret)
{
	return json_parse(bytes_text(text), arena, ret, NULL);
}

static bool
accepts(const char *text)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *v;

	return !failed(parse(text, &arena, &v));
}

/* The compact form of `text`, or the refusal, compared with `wanted`. */
static bool
becomes(const char *text, const char *wanted)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	const struct json *v;

	if (failed(parse(text, &arena, &v)))
		return false;
	json_put_value(&out, v);
	return bytes_is(buf_bytes(&out), wanted);
}

static void
test_values_and_order_survive(void)
{
	static const char *const same[] = {
		"1",
		"-0",
		"1.50",
		"123456789012345678901234567890.5e-7",
		"true",
		"null",
		"[]",
		"{}",
		"\"\"",
		"[[],{}]",
		"[1,[2,[3]],{\"b\":{\"a\":[]},\"a\":null}]",
		"{\"z\":1,\"a\":[true,false,null],\"\":\"\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		CHECK_ROW(becomes(same[i], same[i]), same[i]);
	CHECK(becomes(" \t\r\n[ 1 , { \"a\" : 2 } ]\n", "[1,{\"a\":2}]"));
	CHECK(becomes("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
	              "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\\b\\f\\n\\r\\t\\\"\\\\\""));
	CHECK(becomes("\"\\u2028<\\u001f\\u007f\"", "\"\\u2028\\u003c\\u001f\x7f\""));
}

static void
test_malformed_is_refused_at_its_place(void)
{
	static const struct {
		const char *text;
		size_t offset;
	} rows[] = {
		{ "", 0 },
		{ " ", 1 },
		{ "[1,]", 3 },
		{ "[1 2]", 3 },
		{ "{\"a\" 1}", 5 },
		{ "{\"a\":1,}", 7 },
		{ "{a:1}", 1 },
		{ "01", 0 },
		{ "1.", 2 },
		{ "1e", 2 },
		{ "1e+", 3 },
		{ "-", 1 },
		{ "+1", 0 },
		{ ".5", 0 },
		{ "NaN", 0 },
		{ "nul", 0 },
		{ "truex", 4 },
		{ "1 1", 2 },
		{ "\"abc", 4 },
		{ "\"a\\", 3 },
		{ "\"\\x\"", 2 },
		{ "\"\\u12g4\"", 3 },
		{ "\"\\u0000\"", 3 },
		{ "\"\\ud800\"", 7 },
		{ "\"\\udc00\"", 7 },
		{ "\"\\ud800\\u0041\"", 7 },
		{ "\"a\nb\"", 2 },
		{ "\"a\xff\"", 2 },
		{ "\"\xc3\xa9\xed\xa0\x80\"", 3 },
		{ "\"\xc0\xaf\"", 1 },
		{ "\xef\xbb\xbf{}", 0 },
		{ "[1}", 2 },
		{ "{]", 1 },
		{ "]", 0 },
		{ "{\"a\":1,\"b\":2,\"a\":3}", 18 },
		{ "[1]]", 3 },
		{ "'a'", 0 },
		{ "/**/1", 0 },
		{ "\"\xe2\x82", 3 },
		{ "\"\xe2\x82\"", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		struct json_error error = { 0 };
		const struct json *v;
		struct err e = json_parse(bytes_text(rows[i].text), &arena, &v, &error);

		CHECK_ROW(e.kind == ERR_PEER, rows[i].text);
		CHECK_ROW(error.offset == rows[i].offset, rows[i].text);
		CHECK_ROW(error.why != NULL, rows[i].text);
	}
}

static void
test_raw_nul_is_refused(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *v;

	CHECK(failed(json_parse(BYTES("\"a\0b\""), &arena, &v, NULL)));
	CHECK(failed(json_parse(BYTES("1\0"), &arena, &v, NULL)));
	CHECK(failed(json_parse(BYTES("\0"), &arena, &v, NULL)));
}

static void
test_case_15_duplicate_members_are_refused_also_after_unescaping(void)
{
	CHECK(!accepts("{\"exp\":1,\"exp\":2}"));
	CHECK(!accepts("{\"exp\":1,\"\\u0065xp\":2}"));
	CHECK(!accepts("{\"a\":{\"b\":1,\"\\u0062\":1}}"));
	CHECK(!accepts("{\"\":1,\"\":2}"));
	CHECK(accepts("{\"a\":{\"a\":{\"a\":1}},\"A\":1}"));
}

/* `count` members "kN"; the last one repeats the first when `duplicate`. */
static void
put_members(struct buf *out, size_t count, bool duplicate)
{
	buf_put_u8(out, '{');
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s\"k%zu\":1", i == 0 ? "" : ",",
		           duplicate && i + 1 == count ? 0 : i);
	buf_put_u8(out, '}');
}

static void
test_many_members_are_checked_and_cheap(void)
{
	for (size_t count = 2; count < 40; count++) {
		CLEANUP(buf_done) struct buf good = { 0 }, bad = { 0 };
		CLEANUP(arena_done) struct arena arena = { 0 };
		const struct json *v;

		put_members(&good, count, false);
		put_members(&bad, count, true);
		CHECK(!failed(json_parse(buf_bytes(&good), &arena, &v, NULL)));
		CHECK(failed(json_parse(buf_bytes(&bad), &arena, &v, NULL)));
	}

	CLEANUP(buf_done) struct buf many = { 0 };
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *v;
	put_members(&many, 49999, false);
	clock_t start = clock();
	CHECK(!failed(json_parse(buf_bytes(&many), &arena, &v, NULL)));
	/* Comparing all pairs would be 1.2e9 comparisons: several seconds. */
	CHECK(clock() - start < 2 * CLOCKS_PER_SEC);
	CHECK(v->count == 49999 && v->span == 2 * 49999 + 1);
}

static struct err
parse_nested(size_t depth)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct json *v;

	for (size_t i = 0; i < depth; i++)
		buf_put_text(&text, i % 2 ? "{\"a\":" : "[");
	buf_put_text(&text, "1");
	for (size_t i = depth; i-- > 0;)
		buf_put_u8(&text, i % 2 ? '}' : ']');
	return json_parse(buf_bytes(&text), &arena, &v, NULL);
}

static void
test_depth_values_and_memory_are_bounded(void)
{
	CHECK(!failed(parse_nested(JSON_DEPTH_MAX)));
	CHECK(parse_nested(JSON_DEPTH_MAX + 1).kind == ERR_LIMIT);
	CHECK(parse_nested(1000000).kind == ERR_LIMIT);

	for (size_t extra = 0; extra < 2; extra++) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		CLEANUP(buf_done) struct buf text = { 0 };
		const struct json *v;

		buf_put_u8(&text, '[');
		for (size_t i = 1; i < JSON_VALUES_MAX + extra; i++)
			buf_put_text(&text, i == 1 ? "0" : ",0");
		buf_put_u8(&text, ']');
		CHECK(json_parse(buf_bytes(&text), &arena, &v, NULL).kind ==
		      (extra ? ERR_LIMIT : ERR_OK));
	}

	CLEANUP(arena_done) struct arena small = { .limit = 8192 };
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct json *v;
	put_members(&text, 1000, false);
	CHECK(json_parse(buf_bytes(&text), &small, &v, NULL).kind == ERR_LIMIT);
}

static void
test_questions_answer_only_when_they_can(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *v;
	struct bytes text = { 0 };
	int64_t number = 7;
	double real = 7;
	bool flag = false;

	CHECK(!failed(parse("{\"s\":\"x\",\"i\":-12,\"d\":2.5,\"t\":true,\"a\":[1,2,[3]],\"o\":{}}",
	                    &arena, &v)));
	CHECK(json_string(json_member(v, "s"), &text) && bytes_is(text, "x"));
	CHECK(bytes_is(json_member_text(v, "s"), "x") && json_member_text(v, "i").len == 0 &&
	      json_member_text(v, "x").len == 0 && json_member_text(NULL, "s").len == 0);
	CHECK(json_int64(json_member(v, "i"), &number) && number == -12);
	CHECK(json_double(json_member(v, "d"), &real) && real == 2.5);
	CHECK(json_bool(json_member(v, "t"), &flag) && flag);
	CHECK(json_member(v, "x") == NULL && json_member(NULL, "s") == NULL &&
	      json_member(v + 1, "s") == NULL);
	CHECK(!json_string(json_member(v, "i"), &text) &&
	      !json_int64(json_member(v, "s"), &number));
	CHECK(!json_bool(json_member(v, "i"), &flag) && !json_double(NULL, &real));
	CHECK(!json_int64(json_member(v, "d"), &number) && number == -12);

	const struct json *a = json_member(v, "a"), *i = json_first(a);
	CHECK(a->count == 3 && i != NULL && i->type == JSON_NUMBER);
	i = json_next(a, json_next(a, i));
	CHECK(i != NULL && i->type == JSON_ARRAY && json_next(a, i) == NULL);
	CHECK(json_first(json_member(v, "o")) == NULL && json_first(json_member(v, "s")) == NULL);
}

static void
test_integers_at_their_edges(void)
{
	static const struct {
		const char *text;
		bool fits;
		int64_t value;
	} rows[] = {
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "-9223372036854775809", false, 0 },
		{ "18446744073709551616", false, 0 },
		{ "-0", true, 0 },
		{ "1.000", true, 1 },
		{ "1.001", false, 0 },
		{ "1e3", false, 0 },
		{ "1.0e3", false, 0 },
		{ "0", true, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		const struct json *v;
		int64_t value = 0;

		CHECK_ROW(!failed(parse(rows[i].text, &arena, &v)), rows[i].text);
		CHECK_ROW(json_int64(v, &value) == rows[i].fits, rows[i].text);
		CHECK_ROW(value == rows[i].value, rows[i].text);
	}
}

static bool
double_is(double value, const char *wanted)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	json_put_double(&out, value);
	return bytes_is(buf_bytes(&out), wanted);
}

static void
test_doubles_take_their_shortest_form(void)
{
	CHECK(double_is(0, "0") && double_is(-0.0, "-0") && double_is(1, "1") &&
	      double_is(-12.99, "-12.99"));
	CHECK(double_is(0.1, "0.1") && double_is(1.0 / 3, "0.3333333333333333"));
	CHECK(double_is(0.1 + 0.2, "0.30000000000000004") &&
	      double_is(123456.000001, "123456.000001"));
	CHECK(double_is(1e300, "1e+300") && double_is(5e-324, "5e-324") &&
	      double_is(1e-7, "1e-07"));
	CHECK(double_is(999999999999999, "999999999999999") && double_is(1e15, "1e+15"));
	CHECK(double_is(9007199254740992, "9007199254740992"));
	CHECK(double_is(1.7976931348623157e308, "1.7976931348623157e+308"));
	CHECK(double_is(NAN, "null") && double_is(INFINITY, "null") &&
	      double_is(-INFINITY, "null"));
}

static void
test_doubles_read_back_the_same(void)
{
	uint64_t bits = 88172645463325252u;

	for (size_t i = 0; i < 200000; i++) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		CLEANUP(buf_done) struct buf out = { 0 };
		const struct json *v;
		double value, back = 0;

		bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
		memcpy(&value, &bits, sizeof value);
		if (i % 2)
			value = (double)(int64_t)(bits % 100000000) / 1000;
		if (!isfinite(value))
			continue;
		json_put_double(&out, value);
		if (failed(json_parse(buf_bytes(&out), &arena, &v, NULL)) ||
		    !json_double(v, &back) || back != value) {
			CHECK_ROW(false, "a double did not survive");
			return;
		}
	}
}

static bool
string_is(struct bytes text, const char *wanted)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	json_put_string(&out, text);
	return bytes_is(buf_bytes(&out), wanted);
}

static void
test_strings_are_escaped_at_every_place(void)
{
	CHECK(string_is(BYTES(""), "\"\""));
	CHECK(string_is(BYTES("a\0b"), "\"a\\u0000b\""));
	CHECK(string_is(BYTES("</script>\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
	                "\"\\u003c/script>\\u2028\\u2029\xe2\x80\xaa\""));
	CHECK(string_is(BYTES("a\xff"
	                      "b\xc3"),
	                "\"a\xef\xbf\xbd"
	                "b\xef\xbf\xbd\""));
	CHECK(string_is(BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));

	static const char filler[] = "abcdefghijklmnopqrstuvwxyz~!0123456789ABCDEF";
	static const char *const special[][2] = {
		{ "\"", "\\\"" },
		{ "\\", "\\\\" },
		{ "<", "\\u003c" },
		{ "\n", "\\n" },
		{ "\x1f", "\\u001f" },
		{ "\xc3\xa9", "\xc3\xa9" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};
	/* One special character at each of 40 places: every lane of the fast scan. */
	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		for (int at = 0; at < 40; at++) {
			char text[128], wanted[128];

			snprintf(text, sizeof text, "%.*s%s%.*s", at, filler, special[i][0],
			         40 - at, filler);
			snprintf(wanted, sizeof wanted, "\"%.*s%s%.*s\"", at, filler, special[i][1],
			         40 - at, filler);
			CHECK_ROW(string_is(bytes_text(text), wanted), text);
		}
}

static void
test_members_follow_each_other(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	json_put_text(&out, "a", BYTES("x\"y"));
	json_put_text(&out, "b", (struct bytes){ 0 });
	json_put_text_if_any(&out, "c", (struct bytes){ 0 });
	json_put_text_if_any(&out, "d", BYTES("z"));
	CHECK(bytes_is(buf_bytes(&out), ",\"a\":\"x\\\"y\",\"b\":\"\",\"d\":\"z\""));
}

static void
test_a_full_buffer_marks_overflow(void)
{
	CLEANUP(buf_done) struct buf out = { .limit = 8 };

	json_put_name(&out, "abc");
	json_put_string(&out, BYTES("too long for it"));
	json_put_string(&out, BYTES("\n"));
	CHECK(failed(buf_check(&out)) && out.len == 6);
}

TESTS(TEST(test_values_and_order_survive), TEST(test_malformed_is_refused_at_its_place),
      TEST(test_raw_nul_is_refused),
      TEST(test_case_15_duplicate_members_are_refused_also_after_unescaping),
      TEST(test_many_members_are_checked_and_cheap), TEST(test_depth_values_and_memory_are_bounded),
      TEST(test_questions_answer_only_when_they_can), TEST(test_integers_at_their_edges),
      TEST(test_doubles_take_their_shortest_form), TEST(test_doubles_read_back_the_same),
      TEST(test_strings_are_escaped_at_every_place), TEST(test_members_follow_each_other),
      TEST(test_a_full_buffer_marks_overflow))
