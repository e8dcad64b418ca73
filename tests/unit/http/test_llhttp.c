/* test_llhttp.c - the strict request cases of llhttp, each fed as a whole connection: message after
 * message. What llhttp refuses is refused; what it accepts is accepted, or listed below with the
 * reason. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "file.h"
#include "format/json.h"
#include "http/http_body.h"
#include "http/http_target.h"
#include "test.h"

static const struct {
	const char *id, *reason;
} differing[] = {
	{ "llhttp-connection-004", "two empty lines before a request line: we skip one" },
	{ "llhttp-connection-013",
	  "Upgrade: llhttp pauses, which is no refusal; we ignore the field (RFC 9110 7.8)" },
	{ "llhttp-connection-017", "Upgrade, as above" },
	{ "llhttp-connection-018", "Upgrade, as above" },
	{ "llhttp-connection-019", "Upgrade, as above" },
	{ "llhttp-connection-020", "Upgrade, as above" },
	{ "llhttp-content-length-021",
	  "leading zeros in Content-Length, which some readers take for octal" },
	{ "llhttp-content-length-022", "leading zeros in Content-Length" },
	{ "llhttp-method-076", "a method we do not serve" },
	{ "llhttp-method-080", "a method we do not serve" },
	{ "llhttp-method-082", "a method we do not serve" },
	{ "llhttp-method-083", "a method we do not serve" },
	{ "llhttp-method-084", "a method we do not serve" },
	{ "llhttp-method-085", "a method we do not serve" },
	{ "llhttp-method-086", "a method we do not serve" },
	{ "llhttp-method-087", "another protocol: ICE" },
	{ "llhttp-method-088", "another protocol: RTSP" },
	{ "llhttp-method-089", "another protocol: RTSP" },
	{ "llhttp-method-091", "a method we do not serve" },
	{ "llhttp-sample-108", "Host is not a name or address: 0.0.0.0=5000" },
	{ "llhttp-sample-109", "Host is not a name or address: 0.0.0.0=5000" },
	{ "llhttp-sample-115", "HTTP/0.9: no version" },
	{ "llhttp-transfer-encoding-143", "a coding before chunked, and a fragment in the target" },
	{ "llhttp-transfer-encoding-144", "a coding before chunked, and a fragment in the target" },
	{ "llhttp-uri-162", "a fragment in the target" },
	{ "llhttp-uri-164", "user information in the target" },
};

static const char *
find_reason(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(differing); i++)
		if (strcmp(differing[i].id, id) == 0)
			return differing[i].reason;
	return NULL;
}

/* The tapes are mostly HTTP/1.1 without Host, which would hide why they are refused: it is put in.
 */
static void
insert_host(struct buf *tape, size_t at, struct http_head *h)
{
	CLEANUP(buf_done) struct buf rest = { 0 };
	struct bytes authority = BYTES("a");

	CHECK(!failed(http_target_split(h, &authority)));
	buf_put_text(&rest, "Host: ");
	buf_put(&rest, authority);
	buf_put_text(&rest, "\r\n");
	size_t line_end =
		at + bytes_find(bytes_slice(buf_bytes(tape), at + 2, tape->len), '\n') + 3;

	buf_put(&rest, bytes_slice(buf_bytes(tape), line_end, tape->len));
	tape->len = line_end;
	buf_put(tape, buf_bytes(&rest));
}

static struct err
run_body(const struct http_head *h, struct buf *tape, size_t *at, enum step *step)
{
	struct reader in = reader_of(bytes_slice(buf_bytes(tape), *at, tape->len));
	struct http_body body;
	struct bytes run;

	http_body_init(&body, h, 1 << 20);
	do
		TRY(http_body_feed(&body, &in, &run, step));
	while (*step == STEP_MORE && reader_left(&in) > 0);
	*at = tape->len - reader_left(&in);
	return OK;
}

/* Takes messages until the tape ends or one is refused. */
static struct err
run_connection(struct buf *tape, size_t *messages)
{
	static struct http_head h;

	for (size_t at = 0; at < tape->len;) {
		size_t scanned = 0, len = 0;
		enum step step;
		struct err e = http_head_parse(bytes_slice(buf_bytes(tape), at, tape->len),
		                               &scanned, &h, &len, &step);

		if (failed(e) && strcmp(e.why, "Host is missing") == 0) {
			insert_host(tape, at, &h);
			continue;
		}
		TRY(e);
		if (step == STEP_MORE)
			return OK;
		at += len;
		++*messages;
		TRY(run_body(&h, tape, &at, &step));
		if (step == STEP_MORE)
			return OK;
		if (!h.keep_alive)
			return at == tape->len ? OK : fail(ERR_PEER, "data after the last message");
	}
	return OK;
}

static bool
put_unhexed(struct buf *out, struct bytes hex)
{
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		char digits[3] = { (char)hex.at[i], (char)hex.at[i + 1], 0 }, *end;
		unsigned long value = strtoul(digits, &end, 16);

		if (*end != '\0')
			return false;
		buf_put_u8(out, (uint8_t)value);
	}
	return hex.len % 2 == 0;
}

static void
check_case(const struct json *v)
{
	CLEANUP(buf_done) struct buf tape = { 0 };
	struct bytes id = { 0 }, hex = { 0 }, expected = { 0 };
	char name[64];
	size_t messages = 0;

	CHECK(json_string(json_member(v, "id"), &id) &&
	      json_string(json_member(v, "raw_hex"), &hex) &&
	      json_string(json_member(v, "expect"), &expected));
	snprintf(name, sizeof name, "%.*s", (int)id.len, (const char *)id.at);
	CHECK_ROW(put_unhexed(&tape, hex), name);

	struct err e = run_connection(&tape, &messages);
	bool accepted = !failed(e) && messages > 0, wanted = bytes_is(expected, "ok");
	if (accepted == wanted) {
		/* A row that is no longer needed must go. */
		CHECK_ROW(find_reason(name) == NULL, name);
		return;
	}
	CHECK_ROW(find_reason(name) != NULL, name);
	if (find_reason(name) == NULL)
		printf("#   expected %.*s, got %s %zu\n", (int)expected.len,
		       (const char *)expected.at, failed(e) ? e.why : "ok", messages);
}

static void
test_strict_request_cases(void)
{
	char *path = test_corpus("http1-llhttp/request-cases.jsonl");
	size_t len = 0, count = 0;
	if (path == NULL)
		SKIP("the corpora are not here");

	uint8_t *text = test_file(path, &len);
	free(path);
	for (struct bytes rest = { text, len }; rest.len > 0;) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		struct bytes line = bytes_slice(rest, 0, bytes_find(rest, '\n')), type = { 0 };
		const struct json *v;

		rest = bytes_slice(rest, line.len + 1, rest.len);
		if (line.len == 0)
			continue;
		CHECK(!failed(json_parse(line, &arena, &v, NULL)));
		if (test_failed && count == 0)
			break;
		if (json_string(json_member(json_member(v, "meta"), "type"), &type) &&
		    bytes_is(type, "request")) {
			check_case(v);
			count++;
		}
	}
	free(text);
	printf("# %zu cases, %zu differ for a reason\n", count, ARRAY_LEN(differing));
	CHECK(count >= 130);
}

TESTS(TEST(test_strict_request_cases))
