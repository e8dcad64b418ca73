/* answer_http1.c - an answer as HTTP/1.1 frames it: by its length, or in chunks. */
#include "base/macros.h"
#include "frontend/answer.h"
#include "http/http_reply.h"

enum { HEAD_ROOM = 512 }; /* for the lines that are ours */

void
answer_put_refusal(struct gate *g, struct buf *out, struct err e)
{
	CLEANUP(buf_done) struct buf lines = { 0 }, body = { 0 };
	unsigned status = answer_refusal(e, &lines, &body);

	http_reply_begin(out, status, gate_date(g));
	buf_put(out, buf_bytes(&lines));
	http_reply_length(out, body.len);
	http_reply_close(out);
	http_reply_end(out);
	buf_put(out, buf_bytes(&body));
}

/* How the caller finds the end: by the length, in chunks, or, before HTTP/1.1 had them, by the
 * close. */
static void
put_framing(const struct request *r, struct buf *out)
{
	const struct reply *reply = &r->reply;

	if (reply->is_tunnel)
		buf_put_text(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	else if (reply->has_length && reply->status != 204)
		http_reply_length(out, reply->length);
	else if (!answer_has_body(r) || (reply->is_forwarded && r->is_head))
		return;
	else if (!reply->is_streamed)
		http_reply_length(out, answer_length(r));
	else if (r->head.minor > 0)
		http_reply_chunked(out);
}

static bool
is_chunked(const struct request *r)
{
	const struct reply *reply = &r->reply;

	return reply->is_streamed && !reply->has_length && !reply->is_tunnel && r->head.minor > 0;
}

static void
put_head(struct request *r, struct buf *out, bool close)
{
	const struct reply *reply = &r->reply;
	size_t len = answer_length(r);

	/* Room for most, so that it is not moved while it grows; fails again when it is put. */
	(void)buf_reserve(out, HEAD_ROOM + reply->fields.len + (len < ANSWER_PART ? len : 0));
	http_reply_begin(out, reply->status,
	                 reply->has_date ? (struct bytes){ 0 } : gate_date(r->gate));
	answer_fields(r, out);
	put_framing(r, out);
	if (close && !reply->is_tunnel)
		http_reply_close(out);
	http_reply_end(out);
}

static void
put_end(struct request *r, struct buf *out)
{
	if (!is_chunked(r) || r->reply.has_ended || !answer_may_end(r))
		return;
	r->reply.has_ended = true;
	http_reply_last_chunk(out, buf_bytes(&r->reply.trailers));
}

struct err
answer_next(struct request *r, struct buf *out, bool close, enum step *step)
{
	if (!r->reply.has_begun) {
		put_head(r, out, close);
		answer_begin(r);
	}
	TRY(answer_fill(r, step));
	if (*step == STEP_MORE)
		return OK;

	struct bytes part = answer_take(r, ANSWER_PART);
	if (is_chunked(r))
		http_reply_chunk(out, part);
	else
		buf_put(out, part);
	put_end(r, out);
	return buf_check(out);
}
