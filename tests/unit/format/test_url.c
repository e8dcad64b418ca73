/* test_url.c - the one normaliser of paths, and forms. */
#include "format/url.h"

#include "base/macros.h"
#include "test.h"

/* The decoded segments joined by '|', or "refused". */
static const char *
split(struct bytes path)
{
	static char text[4096];
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct bytes segments[URL_SEGMENTS_MAX];
	size_t count = 0, len = 0;

	if (failed(url_path_split(path, &arena, segments, &count)))
		return "refused";
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i == 0 ? "" : "|",
		                        (int)segments[i].len, (const char *)segments[i].at);
	return text;
}

static bool
path_is(const char *path, const char *wanted)
{
	return strcmp(split(bytes_text(path)), wanted) == 0;
}

static void
test_paths_become_decoded_segments(void)
{
	CHECK(path_is("/", "") && path_is("/a", "a") && path_is("/a/", "a") &&
	      path_is("/api/books/42", "api|books|42"));
	CHECK(path_is("/a%20b/%41%2d%7E", "a b|A-~") && path_is("/%C3%A9", "\xc3\xa9"));
	CHECK(path_is("/...", "...") && path_is("/.a/a.", ".a|a.") &&
	      path_is("/a%3Bb:@!$&'()*+,=", "a;b:@!$&'()*+,="));
}

static void
test_case_43_every_spelling_of_another_path_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"a",
		"*",
		"/info/../private",
		"/.",
		"/..",
		"/./a",
		"/a/.",
		"/a/./",
		"/%2e",
		"/%2E%2e/a",
		"/.%2e",
		"/%2e./",
		"/a%2fb",
		"/a%2Fb",
		"/a%5cb",
		"/a%5Cb",
		"/a\\b",
		"//",
		"//a",
		"/a//b",
		"/a//",
		"/a;x",
		"/;",
		"/a;jsessionid=1/b",
		"/%252e%252e",
		"/a%25",
		"/a%2",
		"/a%",
		"/%g0",
		"/%0g",
		"/%%41",
		"/%00",
		"/a%0ab",
		"/%7f",
		"/%1f",
		"/a b",
		"/a\tb",
		"/a\x7f",
		"/caf\xc3\xa9",
		"/%c0%ae",
		"/%c0%af",
		"/%ff",
		"/%ed%a0%80",
		"/%c3",
		"/a#b",
		"/a?b",
		"/%e2%82",
		"/a\r\nb",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(path_is(bad[i], "refused"), bad[i]);
	CHECK(strcmp(split(BYTES("/a\0b")), "refused") == 0);
}

static void
test_segments_are_counted(void)
{
	CLEANUP(buf_done) struct buf path = { 0 };

	for (size_t i = 0; i < URL_SEGMENTS_MAX; i++)
		buf_put_text(&path, "/x");
	CHECK(strcmp(split(buf_bytes(&path)), "refused") != 0);
	buf_put_text(&path, "/x");
	CHECK(strcmp(split(buf_bytes(&path)), "refused") == 0);
}

static void
test_clean_segments_are_borrowed(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct bytes segments[URL_SEGMENTS_MAX], path = BYTES("/api/books/42");
	size_t count = 0;

	CHECK(!failed(url_path_split(path, &arena, segments, &count)) && count == 3);
	CHECK(arena.total == 0 && segments[2].at == path.at + 11);
}

static bool
form_is(const char *form, const char *wanted)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	struct url_parameter params[URL_PARAMETERS_MAX];
	size_t count = 0;

	if (failed(url_form_split(bytes_text(form), &arena, params, &count)))
		return strcmp(wanted, "refused") == 0;
	for (size_t i = 0; i < count; i++) {
		buf_put(&text, params[i].name);
		buf_put_u8(&text, '>');
		buf_put(&text, params[i].value);
		buf_put_u8(&text, '|');
	}
	return bytes_is(buf_bytes(&text), wanted);
}

static void
test_forms_split_in_order_with_duplicates(void)
{
	CHECK(form_is("", "") && form_is("a", "a>|") && form_is("a=", "a>|") &&
	      form_is("=b", ">b|"));
	CHECK(form_is("a=1&a=2&b=x=y", "a>1|a>2|b>x=y|") && form_is("&&a=1&", "a>1|"));
	CHECK(form_is("%24filter=a+eq+%271%2B1%27", "$filter>a eq '1+1'|") &&
	      form_is("a%3db=%26", "a=b>&|"));
	CHECK(form_is("p=caf\xc3\xa9", "p>caf\xc3\xa9|") && form_is("$select=a,b", "$select>a,b|"));
}

static void
test_malformed_forms_are_refused(void)
{
	static const char *const bad[] = {
		"a=%",   "a=%2",  "a=%zz",  "%=1",      "a=%00",
		"%00=1", "a=%ff", "a=\xff", "a=%c0%af", "a=%ed%a0%80",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(form_is(bad[i], "refused"), bad[i]);

	CLEANUP(buf_done) struct buf form = { 0 };
	for (size_t i = 0; i < URL_PARAMETERS_MAX; i++)
		buf_put_text(&form, "a&");
	buf_put_u8(&form, 0);
	form.len--;
	CHECK(!form_is((const char *)form.at, "refused"));
	buf_put_text(&form, "a");
	buf_put_u8(&form, 0);
	CHECK(form_is((const char *)form.at, "refused"));
}

static void
test_encoding_reads_back(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct url_parameter params[URL_PARAMETERS_MAX];
	struct bytes from = BYTES("A-z_0.9~ /%&+=\xc3\xa9\n");
	size_t count = 0;

	url_put_encoded(&text, from);
	CHECK(bytes_is(buf_bytes(&text), "A-z_0.9~%20%2F%25%26%2B%3D%C3%A9%0A"));
	CHECK(!failed(url_form_split(buf_bytes(&text), &arena, params, &count)) && count == 1);
	CHECK(count == 1 && bytes_equal(params[0].name, from));
}

static void
test_a_host_that_could_be_read_as_a_number_is_told_from_a_name(void)
{
	static const char *const numbers[] = { "127.0.0.1", "127.1", "2130706433",
		                               "0x7f.1",    "a.0x1", "017700000001",
		                               "a.0X7f",    "0x",    "a.7",
		                               "" };
	static const char *const names[] = { "keycloak-0", "idp1",  "auth0.com", "3scale",
		                             "a.b2",       "x1.y2", "1.2.x",     "x0x1" };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		CHECK_ROW(url_ends_in_number(bytes_text(numbers[i])), numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK_ROW(!url_ends_in_number(bytes_text(names[i])), names[i]);
}

TESTS(TEST(test_paths_become_decoded_segments),
      TEST(test_case_43_every_spelling_of_another_path_is_refused), TEST(test_segments_are_counted),
      TEST(test_clean_segments_are_borrowed), TEST(test_forms_split_in_order_with_duplicates),
      TEST(test_malformed_forms_are_refused), TEST(test_encoding_reads_back),
      TEST(test_a_host_that_could_be_read_as_a_number_is_told_from_a_name))
