/* What of a request's head goes on to a service: the path that was matched, and nothing a caller
 * says of itself. */
#include "base/macros.h"
#include "frontend/proxy.h"
#include "test.h"

static const struct settings settings = { .public_url = "http://127.0.0.1:8080" };
static struct gate gate = { .settings = &settings };
static struct carrier carrier = { .address = "192.0.2.1" };

static void
begin(struct request *r, const char *path, const char *query)
{
	*r = (struct request){ .gate = &gate, .carrier = &carrier, .client = BYTES("192.0.2.1") };
	r->head.path = bytes_text(path);
	r->head.host = BYTES("h");
	r->head.minor = 1;
	r->head.has_query = query != NULL;
	r->head.query = bytes_text(query == NULL ? "" : query);
}

static struct err
split(struct request *r)
{
	return url_path_split(r->head.path, &r->arena, r->segments, &r->segment_count);
}

static void
test_targets_without_what_is_stripped(void)
{
	static const struct {
		const char *path, *query, *strip, *target;
	} rows[] = {
		{ "/", NULL, NULL, "/" },
		{ "/", "", NULL, "/?" },
		{ "/a/b", "x=%2F", NULL, "/a/b?x=%2F" },
		{ "/a/b/", NULL, NULL, "/a/b/" },
		{ "/app", NULL, "/app", "/" },
		{ "/app/", NULL, "/app", "/" },
		{ "/app", "q", "/app", "/?q" },
		{ "/app/x", "q", "/app", "/x?q" },
		{ "/%61pp/x", NULL, "/app", "/x" },
		{ "/apps/x", NULL, "/app", "/apps/x" },
		{ "/a/b/c", NULL, "/a/b", "/c" },
		{ "/a/b", NULL, "/a/b", "/" },
		{ "/a", NULL, "/a/b", "/a" },
		{ "/a%20b/%3f%23/%c3%a4", NULL, NULL, "/a%20b/%3F%23/%C3%A4" },
		{ "/!$&'()*+,=:@-._~/\"<>[]^`{|}", NULL, NULL,
		  "/!$&'()*+,=:@-._~/%22%3C%3E%5B%5D%5E%60%7B%7C%7D" },
		{ "/%41%3b", NULL, NULL, "/A%3B" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route_settings route = { .strip = rows[i].strip };
		struct request r;
		struct bytes target;

		begin(&r, rows[i].path, rows[i].query);
		CHECK_ROW(!failed(split(&r)), rows[i].path);
		proxy_write_path(&r);
		CHECK_ROW(!failed(proxy_target(&r, &route, &target)), rows[i].path);
		CHECK_ROW(bytes_is(target, rows[i].target), rows[i].path);
		arena_done(&r.arena);
	}
}

/* Read once more, the path that is forwarded is the path that was matched, whatever it was. */
static void
check_same(const char *path)
{
	struct bytes matched[URL_SEGMENTS_MAX];
	struct request r;

	begin(&r, path, NULL);
	if (!failed(split(&r))) {
		size_t count = r.segment_count;

		memcpy(matched, r.segments, sizeof matched);
		proxy_write_path(&r);
		r.head.path = r.path;
		if (count == 0)
			r.head.path = BYTES("/");
		CHECK_ROW(!failed(split(&r)) && r.segment_count == count, path);
		for (size_t i = 0; i < count; i++)
			CHECK_ROW(bytes_equal(matched[i], r.segments[i]), path);
	}
	arena_done(&r.arena);
}

static void
test_what_is_forwarded_is_what_was_matched(void)
{
	static const char *const parts[] = { "/",   "a", "%",  "2e", "2F",  ".",   "%41", "%c3%a4",
		                             "%20", ";", "\\", "~",  "%3B", "%5C", "%25", "%7f",
		                             "%00", ":", "@",  "+",  "%2b", "[",   "%C3" };
	uint32_t seed = 1;

	for (int i = 0; i < 50000; i++) {
		CLEANUP(buf_done) struct buf path = { 0 };

		buf_put_u8(&path, '/');
		for (int k = 0; k < 6; k++) {
			seed = seed * 1664525 + 1013904223;
			buf_put_text(&path, parts[(seed >> 16) % ARRAY_LEN(parts)]);
		}
		buf_put_u8(&path, '\0');
		check_same((const char *)path.at);
	}
}

static void
add(struct request *r, const char *name, const char *value)
{
	r->head.fields[r->head.field_count++] =
		(struct http_field){ bytes_text(name), bytes_text(value) };
}

static bool
has(const struct buf *lines, const char *text)
{
	struct bytes in = buf_bytes(lines), wanted = bytes_text(text);

	for (size_t i = 0; i + wanted.len <= in.len; i++)
		if (bytes_starts(bytes_slice(in, i, in.len), wanted))
			return true;
	return false;
}

static void
test_what_a_caller_says_of_itself_stays_here(void)
{
	static const char *const forged[] = { "X-Forwarded-User",
		                              "x-gatewarden-assertion",
		                              "Remote-User",
		                              "X-MS-CLIENT-PRINCIPAL",
		                              "Forwarded",
		                              "X-Forwarded-For",
		                              "traceparent",
		                              "DPoP",
		                              "Authorization",
		                              "Expect",
		                              "Content-Length",
		                              "Transfer-Encoding",
		                              "Host",
		                              "Upgrade" };
	CLEANUP(buf_done) struct buf lines = { 0 };
	const struct route_settings route = { 0 };
	struct request r;

	begin(&r, "/", NULL);
	for (size_t i = 0; i < ARRAY_LEN(forged); i++)
		add(&r, forged[i], "forged");
	add(&r, "Connection", "X-Hop, x-forwarded-for");
	add(&r, "X-Hop", "forged");
	add(&r, "Cookie", " a=1;gatewarden=forged; b=2; gatewarden-login=forged");
	add(&r, "X-Other", "1");
	add(&r, "X-Other", "2");
	proxy_put_fields(&r, &route, &lines);
	CHECK(!has(&lines, "forged"));
	CHECK(has(&lines, "Cookie: a=1; b=2\r\n"));
	CHECK(has(&lines, "X-Other: 1\r\nX-Other: 2\r\n"));
	CHECK(has(&lines, "X-Forwarded-For: 192.0.2.1\r\n"));
	CHECK(has(&lines, "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"));
	buf_done(&lines);
}

static void
test_only_a_listed_proxy_says_where_a_caller_came_from(void)
{
	static const char *const proxies[] = { "192.0.2.1" };
	static const struct settings trusting = {
		.public_url = "https://x", .listen = { .proxies = proxies, .proxy_count = 1 }
	};
	static struct gate trusted = { .settings = &trusting };
	CLEANUP(buf_done) struct buf lines = { 0 };
	const struct route_settings route = { .keeps_authorization = true };
	struct request r;

	begin(&r, "/", NULL);
	r.gate = &trusted;
	add(&r, "X-Forwarded-For", "203.0.113.7");
	add(&r, "x-forwarded-for", "203.0.113.8");
	add(&r, "X-Forwarded-Proto", "https");
	add(&r, "Authorization", "Bearer x");
	proxy_put_fields(&r, &route, &lines);
	CHECK(has(&lines, "X-Forwarded-For: 203.0.113.7, 203.0.113.8, 192.0.2.1\r\n"));
	CHECK(has(&lines, "X-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n"));
	CHECK(has(&lines, "Authorization: Bearer x\r\n"));
}

static void
test_only_websocket_is_asked_for(void)
{
	static const struct {
		const char *upgrade, *connection;
		enum http_method method;
		bool asks;
	} rows[] = {
		{ "websocket", "Upgrade", HTTP_GET, true },
		{ "WebSocket", "keep-alive , UPGRADE", HTTP_GET, true },
		{ "websocket", "keep-alive", HTTP_GET, false },
		{ "websocket", "Upgraded", HTTP_GET, false },
		{ "websocket", "Upgrade", HTTP_POST, false },
		{ "h2c", "Upgrade, HTTP2-Settings", HTTP_GET, false },
		{ "websocket, h2c", "Upgrade", HTTP_GET, false },
		{ "TLS/1.0", "Upgrade", HTTP_GET, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r;

		begin(&r, "/", NULL);
		r.head.method = rows[i].method;
		add(&r, "Connection", rows[i].connection);
		add(&r, "Upgrade", rows[i].upgrade);
		CHECK_ROW(proxy_asks_upgrade(&r.head) == rows[i].asks, rows[i].upgrade);
	}
}

static void
test_what_a_service_may_not_say(void)
{
	static struct http_response head;
	CLEANUP(buf_done) struct buf lines = { 0 };
	static const struct http_field fields[] = {
		{ BYTES("X-Gatewarden-Assertion"), BYTES("forged") },
		{ BYTES("Set-Cookie"), BYTES("gatewarden=forged; Path=/") },
		{ BYTES("Set-Cookie"), BYTES(" gatewarden-login =forged") },
		{ BYTES("Set-Cookie"), BYTES("own=1") },
		{ BYTES("Content-Length"), BYTES("forged") },
		{ BYTES("Keep-Alive"), BYTES("forged") },
		{ BYTES("date"), BYTES("today") },
	};
	struct request r;
	bool has_date;

	begin(&r, "/", NULL);
	head.field_count = ARRAY_LEN(fields);
	memcpy(head.fields, fields, sizeof fields);
	proxy_put_answer_fields(&r, &head, &lines, &has_date);
	CHECK(bytes_is(buf_bytes(&lines), "Set-Cookie: own=1\r\ndate: today\r\n"));
	CHECK(has_date);
}

TESTS(TEST(test_targets_without_what_is_stripped), TEST(test_what_is_forwarded_is_what_was_matched),
      TEST(test_what_a_caller_says_of_itself_stays_here),
      TEST(test_only_a_listed_proxy_says_where_a_caller_came_from),
      TEST(test_only_websocket_is_asked_for), TEST(test_what_a_service_may_not_say))
