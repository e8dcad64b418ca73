/* A ticket comes back for its page, its browser and its ten minutes, and in no other way; and
 * cookies are found by their whole name. */
#include "base/macros.h"
#include "frontend/cookie.h"
#include "frontend/login_ticket.h"

#include "test.h"

enum { NOW = 1700000000 };

static const struct ticket_seal seal = { { (const uint8_t *)"0123456789abcdef0123456789abcdef",
	                                   32 },
	                                 "authorize",
	                                 { (const uint8_t *)"browser", 7 } };

static void
put(struct buf *out)
{
	CHECK(!failed(ticket_put(&seal, BYTES("what it is for"), NOW, out)));
}

static bool
reads(const struct ticket_seal *s, struct bytes ticket, int64_t now_s)
{
	struct arena arena = { 0 };
	struct bytes text;
	struct err e = ticket_read(s, ticket, now_s, &arena, &text);
	bool good = !failed(e) && bytes_is(text, "what it is for");

	CHECK(!failed(e) || e.kind == ERR_PEER);
	arena_done(&arena);
	return good;
}

static void
test_a_ticket_is_good_for_ten_minutes(void)
{
	CLEANUP(buf_done) struct buf ticket = { 0 };

	put(&ticket);
	CHECK(reads(&seal, buf_bytes(&ticket), NOW));
	CHECK(reads(&seal, buf_bytes(&ticket), NOW + TICKET_LIFE_S));
	CHECK(!reads(&seal, buf_bytes(&ticket), NOW + TICKET_LIFE_S + 1));
}

static void
test_a_ticket_is_good_for_its_page_and_browser_only(void)
{
	CLEANUP(buf_done) struct buf ticket = { 0 };
	struct ticket_seal others[] = { seal, seal, seal };

	put(&ticket);
	others[0].key = BYTES("0123456789abcdef0123456789abcdeF");
	others[1].purpose = "login";
	others[2].browser = BYTES("Browser");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		CHECK(!reads(&others[i], buf_bytes(&ticket), NOW));
}

/* The same again for the same seal and salt, and for no other. */
static void
test_a_secret_comes_of_its_seal_and_salt_alone(void)
{
	struct ticket_seal others[] = { seal, seal, seal };
	CLEANUP(buf_done) struct buf first = { 0 }, again = { 0 }, salted = { 0 };

	others[0].key = BYTES("0123456789abcdef0123456789abcdeF");
	others[1].purpose = "nonce";
	others[2].browser = BYTES("another");
	CHECK(!failed(ticket_secret(&seal, BYTES("salt"), &first)) && first.len == 43);
	CHECK(!failed(ticket_secret(&seal, BYTES("salt"), &again)));
	CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&again)));
	CHECK(!failed(ticket_secret(&seal, BYTES("Salt"), &salted)));
	CHECK(!bytes_equal(buf_bytes(&first), buf_bytes(&salted)));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP(buf_done) struct buf other = { 0 };

		CHECK(!failed(ticket_secret(&others[i], BYTES("salt"), &other)));
		CHECK(!bytes_equal(buf_bytes(&first), buf_bytes(&other)));
	}
}

static void
test_a_ticket_that_was_changed_or_cut_is_refused(void)
{
	CLEANUP(buf_done) struct buf ticket = { 0 };

	put(&ticket);
	for (size_t i = 0; i < ticket.len; i++) {
		uint8_t was = ticket.at[i];
		ticket.at[i] = was == 'A' ? 'B' : 'A';
		CHECK(!reads(&seal, buf_bytes(&ticket), NOW));
		ticket.at[i] = was;
		CHECK(!reads(&seal, (struct bytes){ ticket.at, i }, NOW));
	}
	buf_put_u8(&ticket, 'A');
	CHECK(!reads(&seal, buf_bytes(&ticket), NOW));
}

static void
test_a_cookie_is_found_by_its_whole_name(void)
{
	static const struct {
		const char *field, *value;
	} rows[] = {
		{ "gatewarden=a", "a" },
		{ "x=1; gatewarden=a=b ;y=2", "a=b" },
		{ "x=1;gatewarden=a", "a" },
		{ "gatewarden=", "" },
		{ "gatewarden", "" },
		{ "agatewarden=a; gatewarden-login=b", "" },
		{ "gatewarden=a; gatewarden=b", "" },
		{ ";;;", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(bytes_is(cookie_in(bytes_text(rows[i].field), BYTES("gatewarden")),
		                   rows[i].value),
		          rows[i].field);
}

static void
test_cookies_over_tls_belong_to_this_host_alone(void)
{
	static const struct {
		const char *url, *line;
	} rows[] = {
		{ "https://x.example",
		  "Set-Cookie: __Host-gatewarden-login=v; Path=/; Max-Age=600; HttpOnly; "
		  "SameSite=Lax; Secure\r\n" },
		{ "http://127.0.0.1:8080", "Set-Cookie: gatewarden-login=v; Path=/; Max-Age=600; "
		                           "HttpOnly; SameSite=Lax\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct settings settings = { .public_url = rows[i].url };
		struct gate gate = { .settings = &settings };
		struct request *r = calloc(1, sizeof *r);

		r->gate = &gate;
		r->head.field_count = 1;
		r->head.fields[0] = (struct http_field){
			BYTES("Cookie"),
			BYTES("gatewarden-login=plain; __Host-gatewarden-login=tls")
		};
		cookie_put(r, COOKIE_LOGIN, BYTES("v"), TICKET_LIFE_S);
		CHECK_ROW(bytes_is(buf_bytes(&r->reply.fields), rows[i].line), rows[i].url);
		CHECK_ROW(bytes_is(cookie_find(r, COOKIE_LOGIN), i == 0 ? "tls" : "plain"),
		          rows[i].url);
		buf_done(&r->reply.fields);
		free(r);
	}
}

static void
test_a_service_sets_none_of_ours(void)
{
	static const struct {
		const char *set;
		bool is_ours;
	} rows[] = {
		{ "gatewarden=x; Path=/", true },
		{ " gatewarden = x", true },
		{ "gatewarden", true },
		{ "=gatewarden=x; Path=/", true }, /* a browser sends it as gatewarden=x */
		{ " = gatewarden-login=x", true },
		{ "gatewarden2=x", false },
		{ "a=gatewarden=x", false },
		{ "a=b; gatewarden=x", false },
		{ "==========", false },
		{ "", false },
	};
	static const struct settings plain = { .public_url = "http://127.0.0.1:8080" };
	static struct gate plain_gate = { .settings = &plain };
	const struct request r = { .gate = &plain_gate };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(cookie_is_own(&r, bytes_text(rows[i].set)) == rows[i].is_ours,
		          rows[i].set);
}

static void
test_a_browser_is_known_by_its_cookie_and_forms_of_other_sites_are_refused(void)
{
	struct settings settings = { .public_url = "http://127.0.0.1" };
	struct gate gate = { .settings = &settings };
	struct request *r = calloc(1, sizeof *r);
	struct bytes first, again;

	r->gate = &gate;
	CHECK(login_browser_known(r, &first).kind == ERR_PEER);
	CHECK(!failed(login_browser(r, &first)) && first.len == BROWSER_LEN);
	CLEANUP(buf_done) struct buf field = { 0 };
	buf_put_text(&field, "gatewarden-login=");
	buf_put(&field, first);
	r->head.field_count = 1;
	r->head.fields[0] = (struct http_field){ BYTES("cookie"), buf_bytes(&field) };
	CHECK(!failed(login_browser(r, &again)) && bytes_equal(first, again));
	CHECK(!failed(login_browser_known(r, &again)) && bytes_equal(first, again));

	CHECK(!failed(login_check_site(r)));
	static const struct {
		const char *site;
		bool is_ours;
	} sites[] = { { "same-origin", true },
		      { "none", true },
		      { "same-site", false },
		      { "cross-site", false },
		      { "", false } };
	for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
		r->head.fields[0] =
			(struct http_field){ BYTES("sec-fetch-site"), bytes_text(sites[i].site) };
		CHECK_ROW(failed(login_check_site(r)) != sites[i].is_ours, sites[i].site);
	}
	buf_done(&r->reply.fields);
	arena_done(&r->arena);
	free(r);
}

TESTS(TEST(test_a_ticket_is_good_for_ten_minutes),
      TEST(test_a_ticket_is_good_for_its_page_and_browser_only),
      TEST(test_a_secret_comes_of_its_seal_and_salt_alone),
      TEST(test_a_ticket_that_was_changed_or_cut_is_refused),
      TEST(test_a_cookie_is_found_by_its_whole_name),
      TEST(test_cookies_over_tls_belong_to_this_host_alone), TEST(test_a_service_sets_none_of_ours),
      TEST(test_a_browser_is_known_by_its_cookie_and_forms_of_other_sites_are_refused))
