/* What people and browsers read of the pages is what was meant, whatever stands in it. */
#include "base/macros.h"
#include "frontend/login_page.h"

#include "test.h"

static bool
has(const struct buf *b, const char *text)
{
	return memmem(b->at, b->len, text, strlen(text)) != NULL;
}

static void
test_markup_in_text_is_text(void)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "plain \xc3\xa9", "plain \xc3\xa9" },
		{ "<script>", "&lt;script&gt;" },
		{ "\" onfocus='x' &lt;", "&quot; onfocus=&#39;x&#39; &amp;lt;" },
		{ "a\r\nb\x7f", "a\xef\xbf\xbd\xef\xbf\xbd"
		                "b\xef\xbf\xbd" },
		{ "a\xc3", "a\xef\xbf\xbd" }, /* would swallow the quote behind it */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		html_put(&out, bytes_text(rows[i].from));
		CHECK_ROW(bytes_is(buf_bytes(&out), rows[i].to), rows[i].from);
	}
}

static void
test_every_field_of_the_page_is_escaped(void)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	login_page_put(&out, &(struct login_page){ .action = "/a\"<x>",
	                                           .hidden = "h\"<x>",
	                                           .value = BYTES("v\"<x>"),
	                                           .client = BYTES("c\"<x>"),
	                                           .host = BYTES("o\"<x>"),
	                                           .problem = "xp\"<x>",
	                                           .username = BYTES("u\"<x>") });
	CHECK(!has(&out, "<x>"));
	for (const char *c = "ahvcopu"; *c != '\0'; c++) {
		const char text[] = { *c, '&', 'q', 'u', 'o', 't', ';', '&', 'l', 't', ';', '\0' };
		CHECK_ROW(has(&out, text), text);
	}
}

static void
test_a_screen_reader_finds_its_way(void)
{
	CLEANUP(buf_done) struct buf page = { 0 }, again = { 0 };
	struct login_page p = { .action = "/login", .hidden = "ticket", .value = BYTES("t") };

	login_page_put(&page, &p);
	CHECK(has(&page, "<html lang=\"en\">") && has(&page, "<title>Log in</title>"));
	CHECK(has(&page, "<label for=\"username\">") && has(&page, "id=\"username\""));
	CHECK(has(&page, "<label for=\"password\">") && has(&page, "id=\"password\""));
	CHECK(has(&page, "autocomplete=\"username\""));
	CHECK(has(&page, "autocomplete=\"current-password\""));
	CHECK(!has(&page, "role=\"alert\"") && !has(&page, "Cancel"));
	CHECK(!has(&page, "<script") && !has(&page, " style=\""));
	p.problem = "wrong";
	login_page_put(&again, &p);
	CHECK(has(&again, "<title>Error: Log in</title>"));
	CHECK(has(&again, "role=\"alert\" id=\"problem\">Wrong."));
	CHECK(has(&again, "aria-describedby=\"problem\""));
}

static void
test_the_form_may_lead_to_the_client_only(void)
{
	static const struct {
		const char *uri, *directive;
	} rows[] = {
		{ "", "form-action 'self';" },
		{ "https://shop.example/cb?x=1", "form-action 'self' https://shop.example;" },
		{ "http://127.0.0.1:4711/cb", "form-action 'self' http://127.0.0.1:4711;" },
		{ "http://[::1]:4711/cb", "form-action 'self' http:;" },
		{ "com.example.app:/cb", "form-action 'self' com.example.app:;" },
		{ "https://a;script-src *", "form-action 'self' https:;" },
		{ "https://a b", "form-action 'self' https:;" },
		{ "no uri", "form-action 'self';" },
		{ "x\r\ny:z", "form-action 'self';" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf fields = { 0 };
		page_put_fields(&fields, bytes_text(rows[i].uri));
		CHECK_ROW(has(&fields, rows[i].directive), rows[i].uri);
		CHECK(has(&fields, "default-src 'none'; style-src 'sha256-"));
		CHECK(has(&fields, "frame-ancestors 'none'; base-uri 'none'\r\n"));
	}
}

TESTS(TEST(test_markup_in_text_is_text), TEST(test_every_field_of_the_page_is_escaped),
      TEST(test_a_screen_reader_finds_its_way), TEST(test_the_form_may_lead_to_the_client_only))
