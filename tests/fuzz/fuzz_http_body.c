/* fuzz_http_body.c - the first byte says how the body is framed and limited; the rest is fed whole
 * and in two pieces, with the same answer. What was decoded, sent as our own chunks, decodes to the
 * same. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http_body.h"
#include "http/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

struct outcome {
	struct err e;
	bool done;
	size_t used;
};

static void
feed(struct http_body *b, struct bytes piece, struct buf *out, struct outcome *o)
{
	struct reader in = reader_of(piece);
	enum step step = STEP_MORE;

	do {
		struct bytes run;

		o->e = http_body_feed(b, &in, &run, &step);
		if (!failed(o->e))
			buf_put(out, run);
	} while (!failed(o->e) && step == STEP_MORE && reader_left(&in) > 0);
	o->done = !failed(o->e) && step == STEP_DONE;
	o->used += piece.len - reader_left(&in);
}

/* Whole lines, each of a field that may be passed on. */
static void
check_trailers(struct bytes lines)
{
	while (lines.len > 0) {
		struct bytes line = bytes_slice(lines, 0, bytes_find(lines, '\n') + 1);
		struct http_field f;

		demand(line.len > 2 && line.at[line.len - 1] == '\n' &&
		       line.at[line.len - 2] == '\r');
		demand(!failed(http_field_parse(bytes_slice(line, 0, line.len - 2), &f)));
		demand(http_trailer_is_allowed(f.name));
		lines = bytes_slice(lines, line.len, lines.len);
	}
}

static struct outcome
run(const struct http_head *head, uint64_t limit, struct bytes in, size_t cut, struct buf *out)
{
	CLEANUP(buf_done) struct buf trailers = { 0 };
	struct outcome o = { 0 };
	struct http_body b;

	http_body_init(&b, head, limit);
	b.trailers = &trailers;
	feed(&b, bytes_slice(in, 0, cut), out, &o);
	if (!failed(o.e) && !o.done && cut < in.len)
		feed(&b, bytes_slice(in, cut, in.len), out, &o);
	if (o.done)
		check_trailers(buf_bytes(&trailers));
	demand(b.total <= limit && b.overhead <= HTTP_OVERHEAD_MAX + 1);
	return o;
}

static void
check_sent_again(struct bytes decoded)
{
	static const struct http_head chunked = { .is_chunked = true };
	CLEANUP(buf_done) struct buf sent = { 0 }, again = { 0 };
	size_t half = decoded.len / 2;

	http_reply_chunk(&sent, bytes_slice(decoded, 0, half));
	http_reply_chunk(&sent, bytes_slice(decoded, half, decoded.len));
	http_reply_last_chunk(&sent, (struct bytes){ 0 });
	struct outcome o = run(&chunked, decoded.len, buf_bytes(&sent), sent.len, &again);
	demand(o.done && o.used == sent.len && bytes_equal(buf_bytes(&again), decoded));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = { 0 };

	if (size == 0)
		return 0;
	struct http_head head = { .is_chunked = data[0] & 1,
		                  .has_length = !(data[0] & 1),
		                  .content_length = data[0] >> 2 };
	uint64_t limit = data[0] & 2 ? 1 << 20 : 16;
	struct bytes in = { data + 1, size - 1 };
	struct outcome o = run(&head, limit, in, in.len, &whole);

	for (size_t cut = 0; cut <= in.len; cut += 1 + in.len / 64) {
		CLEANUP(buf_done) struct buf pieces = { 0 };
		struct outcome p = run(&head, limit, in, cut, &pieces);

		demand(failed(o.e) == failed(p.e) && o.e.code == p.e.code && o.done == p.done &&
		       o.used == p.used);
		demand(bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)));
	}
	demand(!failed(o.e) || o.e.code == HTTP_BAD ||
	       (o.e.kind == ERR_LIMIT && o.e.code == HTTP_BODY_LARGE));
	if (o.done)
		check_sent_again(buf_bytes(&whole));
	return 0;
}
