/* fuzz_http_response.c - whole or in two pieces, the answer is the same; an accepted head keeps
 * every promise of its header, and written out again is read the same. The first byte is the
 * method. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

struct outcome {
	struct err e;
	enum step step;
	size_t len;
};

static struct outcome
run(struct bytes in, size_t cut, enum http_method method, struct http_response *r)
{
	struct outcome o = { .step = STEP_MORE };
	size_t scanned = 0;

	o.e = http_response_parse(bytes_slice(in, 0, cut), &scanned, method, r, &o.len, &o.step);
	if (!failed(o.e) && o.step == STEP_MORE && cut < in.len)
		o.e = http_response_parse(in, &scanned, method, r, &o.len, &o.step);
	return o;
}

static void
check_same(const struct http_response *a, const struct http_response *b)
{
	demand(a->status == b->status && a->minor == b->minor && a->keep_alive == b->keep_alive);
	demand(a->framing == b->framing && a->has_length == b->has_length &&
	       a->content_length == b->content_length && a->field_count == b->field_count);
	for (size_t i = 0; i < a->field_count; i++)
		demand(bytes_equal(a->fields[i].name, b->fields[i].name) &&
		       bytes_equal(a->fields[i].value, b->fields[i].value));
}

static void
check_promises(const struct http_response *r, enum http_method method)
{
	bool is_bodiless =
		method == HTTP_HEAD || r->status < 200 || r->status == 204 || r->status == 304;

	demand(r->status >= 100 && r->status <= 599 && r->minor <= 1);
	demand(r->field_count <= HTTP_FIELDS_MAX);
	demand((r->framing == HTTP_BODY_TUNNEL) == (r->status == 101));
	demand(!is_bodiless || r->framing == HTTP_BODY_NONE || r->framing == HTTP_BODY_TUNNEL);
	demand(r->framing != HTTP_BODY_CLOSE || !r->keep_alive);
	demand(r->framing != HTTP_BODY_LENGTH || (r->has_length && r->content_length > 0));
	demand(r->framing != HTTP_BODY_CHUNKED || (!r->has_length && r->minor == 1));
	for (size_t i = 0; i < r->field_count; i++) {
		struct http_field f = r->fields[i];

		demand(f.name.len > 0 && http_run(f.name, HTTP_BYTE_TOKEN) == f.name.len);
		demand(http_run(f.value, HTTP_BYTE_VALUE) == f.value.len && f.value.at != NULL);
		(void)http_field_is_hop(f.name, r->fields, r->field_count);
	}
}

static void
check_written_again(const struct http_response *r, enum http_method method)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	static struct http_response again;
	struct outcome o;

	buf_printf(&text, "HTTP/1.%d %u\r\n", r->minor, r->status);
	for (size_t i = 0; i < r->field_count; i++) {
		buf_put(&text, r->fields[i].name);
		buf_put_u8(&text, ':');
		buf_put(&text, r->fields[i].value);
		buf_put(&text, BYTES("\r\n"));
	}
	buf_put(&text, BYTES("\r\n"));
	o = run(buf_bytes(&text), text.len, method, &again);
	demand(!failed(o.e) && o.step == STEP_DONE && o.len == text.len);
	check_same(r, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_response whole, pieces;

	if (size == 0)
		return 0;
	enum http_method method = data[0] % HTTP_METHOD_COUNT;
	struct bytes in = { data + 1, size - 1 };
	struct outcome o = run(in, in.len, method, &whole);

	for (size_t cut = 0; cut <= in.len; cut += 1 + in.len / 64) {
		struct outcome p = run(in, cut, method, &pieces);

		demand(failed(o.e) == failed(p.e) && o.step == p.step);
		if (!failed(o.e) && o.step == STEP_DONE) {
			demand(o.len == p.len);
			check_same(&whole, &pieces);
		}
	}
	if (failed(o.e) || o.step != STEP_DONE) {
		demand(!failed(o.e) || (o.e.kind == ERR_UPSTREAM && o.e.code == 502));
		return 0;
	}
	demand(o.len <= in.len && o.len <= HTTP_HEAD_MAX);
	check_promises(&whole, method);
	check_written_again(&whole, method);
	return 0;
}
