/* fuzz_http2.c - bytes of a peer into the HTTP/2 engine: the first says which end we are and how
 * they are cut, the rest is what comes behind the preface. The callee does at once all it may:
 * takes bodies, keeps some back, answers, adds trailers, resets. What is promised is checked: no
 * more streams than allowed, heads that HTTP/1.1 could say, and an end. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http2.h"

struct callee {
	struct http2 *http2;
	size_t open;
	uint8_t behaviour;
};

static int32_t
id_of(const void *stream)
{
	return (int32_t)(intptr_t)stream;
}

static void
must(bool is_so)
{
	if (!is_so)
		abort();
}

static void
check_fields(const struct http_field *fields, size_t count)
{
	must(count <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < count; i++)
		must(http_run(fields[i].name, HTTP_BYTE_TOKEN) == fields[i].name.len &&
		     http_value_is_clean(fields[i].value));
}

static void
on_request(void *of, int32_t id, struct http_head *head, struct buf *text, bool is_last, void **ret)
{
	struct callee *c = of;

	(void)text;
	check_fields(head->fields, head->field_count);
	must(head->host.len > 0 && head->path.len > 0 && head->target.len <= HTTP_TARGET_MAX);
	must(is_last ? !head->is_chunked : head->is_chunked || head->has_length);
	if ((c->behaviour & 1) != 0 && id % 8 == 5)
		return;
	*ret = (void *)(intptr_t)id;
	c->open++;
	must(c->open <= HTTP2_STREAMS_MAX);
	if ((c->behaviour & 2) != 0)
		(void)http2_respond(c->http2, id, 103, BYTES("Link: x\r\n"),
		                    false); /* may be over */
	(void)http2_respond(c->http2, id, 200, BYTES("Content-Type: x\r\nConnection: close\r\n"),
	                    id % 4 == 3);
}

static void
on_refused(void *of, int32_t id, struct err e)
{
	struct callee *c = of;

	must(e.code >= 400 && e.code < 600);
	(void)http2_refuse(c->http2, id, e.code, BYTES("A: b\r\n"), BYTES("no")); /* may be over */
}

static void
on_response(void *of, void *stream, struct http_response *head, bool is_last)
{
	(void)of, (void)stream, (void)is_last;
	check_fields(head->fields, head->field_count);
	must(head->status >= 100 && head->status < 600 && head->status != 101);
}

static void
on_data(void *of, void *stream, struct bytes part)
{
	struct callee *c = of;

	must(stream != NULL);
	if ((c->behaviour & 4) == 0)
		http2_consume(c->http2, id_of(stream), part.len);
}

static void
on_end(void *of, void *stream, struct bytes trailers)
{
	struct callee *c = of;

	must(stream != NULL && trailers.len <= HTTP_HEAD_MAX);
	if ((c->behaviour & 8) != 0)
		http2_reset(c->http2, id_of(stream), 8);
}

static void
on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	struct callee *c = of;

	*ret_len = room < 100 ? room : 100;
	memset(at, 'x', *ret_len);
	*ret_end = id_of(stream) % 8 != 1;
	if (*ret_end && (c->behaviour & 16) != 0)
		(void)http2_trailers(c->http2, id_of(stream),
		                     BYTES("X-Sum: 1\r\n")); /* may be over */
}

static void
on_closed(void *of, void *stream, uint32_t code)
{
	struct callee *c = of;

	(void)stream, (void)code;
	c->open--;
}

static const struct http2_ops ops = {
	.request = on_request,
	.refused = on_refused,
	.response = on_response,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
};

static void
pull(struct callee *c)
{
	CLEANUP(buf_done) struct buf wire = { 0 };

	(void)http2_pull(c->http2, &wire, 1 << 20); /* may be out of memory */
}

static void
begin(struct callee *c, bool is_client)
{
	int32_t id;

	if (http2_new(is_client, &ops, c, &c->http2).kind != ERR_OK)
		abort();
	if (!is_client) {
		(void)http2_feed(c->http2,
		                 BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), 1);
		return;
	}
	(void)http2_feed(c->http2, BYTES("\0\0\0\4\0\0\0\0\0"), 1);
	for (int i = 0; i < 3; i++) {
		const struct http2_request r = { .method = i == 0 ? BYTES("HEAD") : BYTES("POST"),
			                         .scheme = BYTES("http"),
			                         .authority = BYTES("a"),
			                         .path = BYTES("/"),
			                         .lines = BYTES("A: b\r\n"),
			                         .is_last = i != 2 };
		if (http2_request(c->http2, &r, (void *)(intptr_t)(2 * i + 1), &id).kind == ERR_OK)
			c->open++;
	}
	pull(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct callee c = { .behaviour = size > 0 ? data[0] >> 3 : 0 };
	struct bytes in = { data + 1, size > 0 ? size - 1 : 0 };
	size_t stride = size > 0 && (data[0] & 2) != 0 ? 7 : SIZE_MAX;
	uint64_t now_us = 2;

	if (size == 0)
		return 0;
	begin(&c, (data[0] & 1) != 0);
	while (in.len > 0) {
		struct bytes part = bytes_slice(in, 0, in.len < stride ? in.len : stride);

		if (failed(http2_feed(c.http2, part, now_us)))
			break;
		if ((data[0] & 4) != 0)
			pull(&c);
		in = bytes_slice(in, part.len, in.len);
		now_us += 1000;
	}
	pull(&c);
	http2_drain(c.http2);
	http2_leave(c.http2);
	pull(&c);
	http2_free(c.http2);
	return 0;
}
