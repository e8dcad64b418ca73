/* fuzz_http_head.c - whole or in two pieces, the answer is the same; an accepted head keeps every
 * promise of its header, and written out again is read the same. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http_head.h"

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
run(struct bytes in, size_t cut, struct http_head *h)
{
	struct outcome o = { .step = STEP_MORE };
	size_t scanned = 0;

	o.e = http_head_parse(bytes_slice(in, 0, cut), &scanned, h, &o.len, &o.step);
	if (!failed(o.e) && o.step == STEP_MORE && cut < in.len)
		o.e = http_head_parse(in, &scanned, h, &o.len, &o.step);
	return o;
}

static void
check_same(const struct http_head *a, const struct http_head *b)
{
	demand(a->method == b->method && bytes_equal(a->target, b->target) &&
	       bytes_equal(a->path, b->path));
	demand(bytes_equal(a->query, b->query) && a->has_query == b->has_query &&
	       bytes_equal(a->host, b->host));
	demand(a->minor == b->minor && a->keep_alive == b->keep_alive &&
	       a->has_length == b->has_length);
	demand(a->is_chunked == b->is_chunked && a->content_length == b->content_length);
	demand(a->expect_continue == b->expect_continue && a->field_count == b->field_count);
	for (size_t i = 0; i < a->field_count; i++)
		demand(bytes_equal(a->fields[i].name, b->fields[i].name) &&
		       bytes_equal(a->fields[i].value, b->fields[i].value));
}

static void
check_promises(const struct http_head *h)
{
	demand(h->method < HTTP_METHOD_COUNT && h->minor <= 1 && !(h->has_length && h->is_chunked));
	demand(h->minor == 1 ? h->host.len > 0 : !h->is_chunked);
	demand(h->target.len > 0 && h->target.len <= HTTP_TARGET_MAX &&
	       h->field_count <= HTTP_FIELDS_MAX);
	demand(h->path.len > 0 && (h->path.at[0] == '/' || bytes_is(h->path, "*")));
	demand(bytes_find(h->path, '?') == h->path.len &&
	       bytes_find(h->target, '#') == h->target.len);
	for (size_t i = 0; i < h->field_count; i++) {
		struct http_field f = h->fields[i];

		demand(f.name.len > 0 && bytes_find(f.name, '_') == f.name.len &&
		       bytes_find(f.name, ' ') == f.name.len);
		demand(bytes_find(f.value, '\r') == f.value.len &&
		       bytes_find(f.value, '\n') == f.value.len);
		demand(bytes_find(f.value, 0) == f.value.len && f.value.at != NULL);
	}
}

static const char *const method_names[HTTP_METHOD_COUNT] = {
	[HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS",
};

/* What we would send on to a service means the same to another strict reader: ourselves. */
static void
check_written_again(const struct http_head *h)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	static struct http_head again;
	struct outcome o;

	buf_put_text(&text, method_names[h->method]);
	buf_put_u8(&text, ' ');
	buf_put(&text, h->target);
	buf_printf(&text, " HTTP/1.%d\r\n", h->minor);
	for (size_t i = 0; i < h->field_count; i++) {
		buf_put(&text, h->fields[i].name);
		buf_put_u8(&text, ':');
		buf_put(&text, h->fields[i].value);
		buf_put(&text, BYTES("\r\n"));
	}
	buf_put(&text, BYTES("\r\n"));
	o = run(buf_bytes(&text), text.len, &again);
	demand(!failed(o.e) && o.step == STEP_DONE && o.len == text.len);
	check_same(h, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head whole, pieces;
	struct bytes in = { data, size };
	struct outcome o = run(in, size, &whole);

	for (size_t cut = 0; cut <= size; cut += 1 + size / 64) {
		struct outcome p = run(in, cut, &pieces);

		demand(failed(o.e) == failed(p.e) && o.e.code == p.e.code && o.step == p.step);
		if (!failed(o.e) && o.step == STEP_DONE) {
			demand(o.len == p.len);
			check_same(&whole, &pieces);
		}
	}
	if (failed(o.e) || o.step != STEP_DONE) {
		demand(!failed(o.e) ||
		       (o.e.kind == ERR_PEER && o.e.code >= 400 && o.e.code <= 505));
		return 0;
	}
	demand(o.len <= size && o.len <= HTTP_HEAD_MAX);
	check_promises(&whole);
	check_written_again(&whole);
	return 0;
}
