/* The fields of an answer, line by line. */
#include "fetch/http_reply_head.h"

#include "base/macros.h"
#include "test.h"

static bool
feed(struct reply_head *h, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!reply_head_line(h, bytes_text(lines[i])))
			return false;
	return true;
}

static void
test_fields_are_found_and_joined(void)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n",       "CACHE-control:  max-age=5\r\n",
		"Cache-Control: public\r\n", "X-Expires: no\r\n",
		"Expires:\t0 \r\n",          "\r\n"
	};
	struct reply_head h = { 0 };

	CHECK(feed(&h, lines, ARRAY_LEN(lines)));
	CHECK(bytes_is(reply_head_freshness(&h).cache_control, "max-age=5, public"));
	CHECK(bytes_is(reply_head_freshness(&h).expires, "0"));
	CHECK(reply_head_freshness(&h).age.len == 0);
	reply_head_done(&h);
}

static void
test_an_interim_answer_is_forgotten(void)
{
	static const char *const lines[] = {
		"HTTP/1.1 103 Early\r\n", "Cache-Control: max-age=9\r\n",
		"Retry-After: 9\r\n",     "\r\n",
		"HTTP/1.1 200 OK\r\n",    "Cache-Control: no-store\r\n"
	};
	struct reply_head h = { 0 };

	CHECK(feed(&h, lines, ARRAY_LEN(lines)));
	CHECK(bytes_is(reply_head_freshness(&h).cache_control, "no-store"));
	CHECK(h.fields[REPLY_RETRY_AFTER].len == 0);
	reply_head_done(&h);
}

static void
test_only_json_types_are_json(void)
{
	static const struct {
		const char *type;
		bool is_json;
	} rows[] = {
		{ "application/json", true },
		{ "Application/JSON; charset=utf-8", true },
		{ "application/jwk-set+json", true },
		{ "application/token-introspection+json", true },
		{ "application/jwt", false },
		{ "application/jsonp", false },
		{ "application/x-json-not", false },
		{ "text/json", false },
		{ "text/html; application/json", false },
		{ "application/json, text/html", false },
		{ "text/html, application/json", false },
		{ "json", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply_head h = { 0 };
		struct buf line = { 0 };

		buf_printf(&line, "Content-Type: %s\r\n", rows[i].type);
		CHECK(reply_head_line(&h, buf_bytes(&line)));
		CHECK_ROW(reply_head_is_json(&h) == rows[i].is_json, rows[i].type);
		buf_done(&line);
		reply_head_done(&h);
	}
}

static void
test_a_long_head_is_refused(void)
{
	struct reply_head h = { 0 };
	struct buf line = { 0 };

	buf_put_text(&line, "Age: ");
	while (line.len < REPLY_FIELD_MAX)
		buf_put_u8(&line, '1');
	CHECK(reply_head_line(&h, buf_bytes(&line)));
	CHECK(!reply_head_line(&h, buf_bytes(&line)));
	reply_head_done(&h);

	struct reply_head many = { 0 };
	size_t lines = 0;
	while (lines < 100000 && reply_head_line(&many, BYTES("X: y\r\n")))
		lines++;
	CHECK(lines == REPLY_HEAD_MAX / 6);
	reply_head_done(&many);
	buf_done(&line);
}

TESTS(TEST(test_fields_are_found_and_joined), TEST(test_an_interim_answer_is_forgotten),
      TEST(test_only_json_types_are_json), TEST(test_a_long_head_is_refused))
