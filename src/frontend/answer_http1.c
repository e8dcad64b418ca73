/* answer_http1.c - an answer as HTTP/1.1 frames it: by its length, or in chunks. */
#include "base/macros.h"
#include "frontend/answer.h"
#include "http/http_reply.h"

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

static void
put_head(struct request *r, struct buf *out, bool close)
{
	const struct reply *reply = &r->reply;

	http_reply_begin(out, reply->status, gate_date(r->gate));
	answer_fields(r, out);
	if (reply->is_streamed)
		http_reply_chunked(out);
	else if (answer_has_body(r))
		http_reply_length(out, answer_length(r));
	if (close)
		http_reply_close(out);
	http_reply_end(out);
}

static void
put_end(struct request *r, struct buf *out)
{
	if (!r->reply.is_streamed || r->reply.has_ended || !answer_may_end(r))
		return;
	r->reply.has_ended = true;
	http_reply_last_chunk(out);
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
	if (r->reply.is_streamed)
		http_reply_chunk(out, part);
	else
		buf_put(out, part);
	put_end(r, out);
	return buf_check(out);
}
