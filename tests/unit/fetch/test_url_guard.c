/* Which URLs may be asked, and which addresses connected to for them. */
#include "fetch/url_guard.h"

#include <arpa/inet.h>

#include "base/macros.h"
#include "test.h"

static const char *const listed[] = { "idp.corp", "10.1.2.3", "fd00::7" };
static const struct outbound_settings outbound = { .private_hosts = listed,
	                                           .private_host_count = ARRAY_LEN(listed) };

static struct err
parse(const char *url, struct guarded_url *ret)
{
	return url_guard_parse(bytes_text(url), &outbound, ret);
}

static void
test_urls_are_split(void)
{
	static const struct {
		const char *url, *host;
		unsigned port;
		bool is_https, is_loopback, is_address, may_be_private;
	} rows[] = {
		{ "https://login.example.com/a?b=c", "login.example.com", 443, true, false, false,
		  false },
		{ "https://x:8443", "x", 8443, true, false, false, false },
		{ "https://IDP.corp?x", "IDP.corp", 443, true, false, false, true },
		{ "https://10.1.2.3/", "10.1.2.3", 443, true, false, true, true },
		{ "https://[fd00::7]:1/", "[fd00::7]", 1, true, false, true, true },
		{ "https://[2001:db8::1]", "[2001:db8::1]", 443, true, false, true, false },
		{ "http://127.0.0.1:80/x", "127.0.0.1", 80, false, true, true, false },
		{ "http://127.9.8.7", "127.9.8.7", 80, false, true, true, false },
		{ "http://LocalHost/", "LocalHost", 80, false, true, false, false },
		{ "http://[::1]:65535/", "[::1]", 65535, false, true, true, false },
		{ "https://a.b-c_d.example1/", "a.b-c_d.example1", 443, true, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guarded_url u;

		CHECK_ROW(!failed(parse(rows[i].url, &u)), rows[i].url);
		CHECK_ROW(strcmp(u.host, rows[i].host) == 0, rows[i].url);
		CHECK_ROW(u.port == rows[i].port, rows[i].url);
		CHECK_ROW(u.is_https == rows[i].is_https, rows[i].url);
		CHECK_ROW(u.is_loopback == rows[i].is_loopback, rows[i].url);
		CHECK_ROW(u.is_address == rows[i].is_address, rows[i].url);
		CHECK_ROW(u.may_be_private == rows[i].may_be_private, rows[i].url);
	}
}

/* What one parser takes for another host than the next one, or what is no https. */
static void
test_doubtful_urls_are_refused(void)
{
	static const char *const urls[] = {
		"",
		"https",
		"https://",
		"https:///x",
		"HTTPS://a",
		"ftp://a/",
		"file:///etc/passwd",
		"gopher://127.0.0.1/",
		"http://example.com/",
		"http://10.1.2.3/",
		"http://localhost.example.com/",
		"http://127.0.0.1.example.com/",
		"http://127.1/",
		"http://0x7f000001/",
		"http://2130706433/",
		"https://017700000001/",
		"https://0x7f.1/",
		"https://1.2.3/",
		"https://1.2.3.4.5/",
		"https://example.1/",
		"https://a.0x1/",
		"https://example.com./",
		"https://user@a/",
		"https://a@b/",
		"https://a:b@c/",
		"https://a\\@b/",
		"https://a\\b/",
		"https://a/#f",
		"https://a#@b/",
		"https://a b/",
		"https://a\t/",
		"https://a/\r\nHost: b",
		"https://a%2eb/",
		"https://a\xc3\xa9/",
		"https://a:/",
		"https://a:0/",
		"https://a:65536/",
		"https://a:+1/",
		"https://a:80:80/",
		"https://[::1/",
		"https://[]/",
		"https://[1.2.3.4]/",
		"https://[fe80::1%25eth0]/",
		"https://[::1]x/",
		"https://x[::1]/",
		"https://::1/",
		"https://a,b/",
		"https://*/",
	};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct guarded_url u;
		struct err e = parse(urls[i], &u);

		CHECK_ROW(e.kind == ERR_PEER && e.why != NULL, urls[i]);
	}
}

static void
test_long_hosts_and_urls_are_refused(void)
{
	char url[GUARD_URL_MAX + 3];
	struct guarded_url u;

	memset(url, 'a', sizeof url - 1);
	url[sizeof url - 1] = '\0';
	memcpy(url, "https://", 8);
	CHECK(failed(parse(url, &u)));
	url[8 + GUARD_HOST_MAX + 1] = '\0';
	CHECK(failed(parse(url, &u)));
	url[8 + GUARD_HOST_MAX] = '\0';
	CHECK(!failed(parse(url, &u)));
}

static bool
allows(const char *url, const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct guarded_url u;

	if (failed(parse(url, &u)))
		return false;
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return url_guard_allows(&u, (const struct sockaddr *)&v4);
	return inet_pton(AF_INET6, address, &v6.sin6_addr) == 1 &&
	       url_guard_allows(&u, (const struct sockaddr *)&v6);
}

static const char *const not_public[] = {
	"0.0.0.0",
	"0.1.2.3",
	"10.0.0.1",
	"10.255.255.255",
	"100.64.0.1",
	"100.127.255.1",
	"127.0.0.1",
	"127.255.255.255",
	"169.254.169.254",
	"172.16.0.1",
	"172.31.255.255",
	"192.0.0.1",
	"192.0.2.1",
	"192.88.99.1",
	"192.168.0.1",
	"198.18.0.1",
	"198.19.255.1",
	"198.51.100.1",
	"203.0.113.80",
	"224.0.0.1",
	"239.1.1.1",
	"240.0.0.1",
	"255.255.255.255",
	"::",
	"::1",
	"::ffff:10.0.0.1",
	"::ffff:127.0.0.1",
	"::ffff:169.254.169.254",
	"::ffff:0:10.0.0.1",
	"64:ff9b::10.0.0.1",
	"64:ff9b::7f00:1",
	"2002:0a00:0001::",
	"2002:7f00:1::1",
	"fc00::1",
	"fd12:3456::1",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"ff02::1",
	"2001:db8::1",
	"2001::1",
	"100::1",
	"::7f00:1",
	"3fff::1",
};

static const char *const public[] = {
	"1.1.1.1",          "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
	"100.128.0.0",      "126.255.255.255", "128.0.0.0",       "169.253.1.1",
	"172.15.255.255",   "172.32.0.0",      "192.167.255.255", "192.169.0.0",
	"198.17.255.1",     "198.20.0.0",      "223.255.255.255", "::ffff:1.1.1.1",
	"64:ff9b::101:101", "2002:101:101::1", "2606:4700::1111", "2a00:1450::1",
};

static void
test_only_public_addresses_are_connected_to(void)
{
	for (size_t i = 0; i < ARRAY_LEN(not_public); i++)
		CHECK_ROW(!allows("https://example.com/", not_public[i]), not_public[i]);
	for (size_t i = 0; i < ARRAY_LEN(public); i++)
		CHECK_ROW(allows("https://example.com/", public[i]), public[i]);
}

static void
test_listed_hosts_may_be_private(void)
{
	CHECK(allows("https://idp.corp/", "10.0.0.1"));
	CHECK(allows("https://idp.corp/", "127.0.0.1"));
	CHECK(allows("https://idp.corp/", "169.254.1.1"));
	CHECK(allows("https://idp.corp/", "fd00::1"));
	CHECK(allows("https://idp.corp/", "::1"));
	CHECK(!allows("https://idp.corp/", "0.0.0.0"));
	CHECK(!allows("https://idp.corp/", "224.0.0.1"));
	CHECK(!allows("https://idp.corp/", "255.255.255.255"));
	CHECK(!allows("https://idp.corp/", "ff02::1"));
	CHECK(!allows("https://idp.corp/", "::"));
	CHECK(!allows("https://x.idp.corp/", "10.0.0.1"));
}

/* Plain http goes there: it must not leave the machine. */
static void
test_loopback_hosts_are_loopback(void)
{
	CHECK(allows("http://localhost/", "127.0.0.1"));
	CHECK(allows("http://localhost/", "::1"));
	CHECK(allows("http://127.0.0.1/", "127.0.0.1"));
	CHECK(!allows("http://localhost/", "1.1.1.1"));
	CHECK(!allows("http://localhost/", "10.0.0.1"));
	CHECK(!allows("http://localhost/", "2606:4700::1111"));
}

static void
test_other_families_are_refused(void)
{
	const struct sockaddr unix_address = { .sa_family = AF_UNIX };
	struct guarded_url u;

	CHECK(!failed(parse("https://idp.corp/", &u)));
	CHECK(!url_guard_allows(&u, &unix_address));
}

static void
test_redirects_stay_with_the_host_and_with_tls(void)
{
	static const struct {
		const char *from, *to;
		bool follows;
	} rows[] = {
		{ "https://a/x", "https://a/y", true },
		{ "https://a/x", "https://A:443/y", true },
		{ "https://a/x", "https://b/x", false },
		{ "https://a/x", "https://a:8443/x", false },
		{ "https://a.example/", "https://b.a.example/", false },
		{ "http://localhost/", "https://localhost/", true },
		{ "http://localhost:80/", "http://localhost:81/", false },
		{ "http://localhost:81/", "https://localhost/", false },
		{ "https://localhost/", "http://localhost/", false },
		{ "http://localhost/", "http://127.0.0.1/", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guarded_url from, to;

		CHECK(!failed(parse(rows[i].from, &from)) && !failed(parse(rows[i].to, &to)));
		CHECK_ROW(url_guard_follows(&from, &to) == rows[i].follows, rows[i].to);
	}
}

TESTS(TEST(test_urls_are_split), TEST(test_doubtful_urls_are_refused),
      TEST(test_long_hosts_and_urls_are_refused), TEST(test_only_public_addresses_are_connected_to),
      TEST(test_listed_hosts_may_be_private), TEST(test_loopback_hosts_are_loopback),
      TEST(test_other_families_are_refused), TEST(test_redirects_stay_with_the_host_and_with_tls))
