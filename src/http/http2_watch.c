/* http2_watch.c - the frames of the peer as they come, before nghttp2 reads them: what they cost,
 * and whether they come for a stream that is over. nghttp2 tells of neither: much of what it
 * ignores it ignores in silence.
 *
 * The bucket: frames that cost us work and carry nothing for a request take from it; time, requests
 * that end well and bytes that move give back to it. So a busy honest peer never comes near its
 * bottom, and one that only makes work reaches it at the rate it works at. */
#include "http/http2_session.h"

enum { FRAME_HEAD = 9, CONTINUATIONS_MAX = 8, RESET_COST = 1 };

/* Frames */

static bool
carries_fields(const struct http2_frame *f)
{
	return f->type == NGHTTP2_HEADERS || f->type == NGHTTP2_PUSH_PROMISE ||
	       f->type == NGHTTP2_CONTINUATION;
}

/* Stops behind the head of each frame. */
bool
http2_watch_next(struct http2 *h, struct reader *in, struct http2_frame *ret)
{
	struct http2_watched *w = &h->watched;
	size_t len = reader_left(in) < w->skip ? reader_left(in) : w->skip;
	uint8_t byte;

	in->at += len;
	w->skip -= (uint32_t)len;
	while (w->head_len < FRAME_HEAD && !failed(read_u8(in, &byte)))
		w->head[w->head_len++] = byte;
	if (w->head_len < FRAME_HEAD)
		return false;

	const uint8_t *at = w->head;
	w->head_len = 0;
	w->skip = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
	*ret = (struct http2_frame){
		.len = w->skip,
		.type = at[3],
		.flags = at[4],
		.id = (int32_t)((uint32_t)(at[5] & 0x7f) << 24 | (uint32_t)at[6] << 16 |
		                (uint32_t)at[7] << 8 | at[8]),
	};
	w->is_block = carries_fields(ret);
	w->is_block_end = (ret->flags & NGHTTP2_FLAG_END_HEADERS) != 0;
	return true;
}

bool
http2_watch_is_in_block(const struct http2 *h)
{
	const struct http2_watched *w = &h->watched;

	return w->is_block && (!w->is_block_end || w->skip > 0);
}

/* The bucket */

bool
http2_count(struct http2 *h, uint32_t cost)
{
	struct http2_bucket *b = &h->bucket;
	uint64_t elapsed = h->now_us - b->filled_us;
	uint64_t more = elapsed * HTTP2_GLITCHES_S / 1000000;

	if (more > 0) {
		b->filled_us = h->now_us;
		http2_credit(h, more > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)more);
	}
	if (b->left < cost) {
		b->left = 0;
		return false;
	}
	b->left -= cost;
	return true;
}

void
http2_credit(struct http2 *h, uint32_t credit)
{
	uint32_t max = h->is_client ? HTTP2_GLITCHES_OF_SERVICE : HTTP2_GLITCHES;

	h->bucket.left = credit < max - h->bucket.left ? h->bucket.left + credit : max;
}

/* What a frame costs beyond what it carries. WINDOW_UPDATE is paid back by what is then sent. A
 * service cannot know yet of streams that its callers gave up. */
static uint32_t
cost_of(const struct http2 *h, const struct http2_frame *f)
{
	switch (f->type) {
	case NGHTTP2_HEADERS:
		return 0;
	case NGHTTP2_DATA:
		return (f->len == 0 && (f->flags & NGHTTP2_FLAG_END_STREAM) == 0) ||
		       (!h->is_client && http2_stream_of(h, f->id) == NULL);
	case NGHTTP2_RST_STREAM:
		return RESET_COST;
	default:
		return 1;
	}
}

/* A header block must be read to its end, whatever it holds: its size is bounded as it comes
 * (CVE-2024-27316). */
static bool
count_block(struct http2 *h, const struct http2_frame *f)
{
	bool is_more = f->type == NGHTTP2_CONTINUATION;

	if (!carries_fields(f))
		return true;
	h->continuations = is_more ? h->continuations + 1 : 0;
	h->block_bytes = is_more ? h->block_bytes + f->len : f->len;
	return h->continuations <= CONTINUATIONS_MAX && h->block_bytes <= (size_t)HTTP_HEAD_MAX * 2;
}

/* Streams that were */

static uint64_t
seen_bit(int32_t id, size_t *word)
{
	uint32_t i = (uint32_t)id / 2 % HTTP2_SEEN;

	*word = i / 64;
	return UINT64_C(1) << i % 64;
}

static void
see_opened(struct http2_seen *seen, int32_t id)
{
	size_t word;

	if (((uint32_t)id - (uint32_t)seen->last) / 2 >= HTTP2_SEEN) /* unsigned: it may be far */
		*seen = (struct http2_seen){ 0 };
	else
		for (int32_t between = seen->last + 2; between < id; between += 2) {
			uint64_t bit = seen_bit(between, &word);
			seen->opened[word] &= ~bit;
			seen->ended[word] &= ~bit;
		}
	seen->last = id;
	uint64_t bit = seen_bit(id, &word);
	seen->opened[word] |= bit;
	seen->ended[word] &= ~bit;
}

static void
see_ended(struct http2_seen *seen, int32_t id)
{
	size_t word;
	uint64_t bit = seen_bit(id, &word);

	if (id <= seen->last && (seen->last - id) / 2 < HTTP2_SEEN)
		seen->ended[word] |= bit;
}

/* Does it come for a stream that the peer has ended, or passed over (RFC 9113 sections 5.1 and
 * 5.1.1)? One that we have reset may still be sent to: the peer need not know yet. */
static bool
is_for_ended(struct http2 *h, const struct http2_frame *f)
{
	const struct http2_seen *seen = &h->seen;
	size_t word;
	uint64_t bit = seen_bit(f->id, &word);

	if (f->id > seen->last || (seen->last - f->id) / 2 >= HTTP2_SEEN ||
	    http2_stream_of(h, f->id) != NULL)
		return false;
	h->fault = (seen->opened[word] & bit) != 0 ? NGHTTP2_STREAM_CLOSED : NGHTTP2_PROTOCOL_ERROR;
	return h->fault == NGHTTP2_PROTOCOL_ERROR || (seen->ended[word] & bit) != 0;
}

bool
http2_watch_stream(struct http2 *h, const struct http2_frame *f)
{
	bool is_message = f->type == NGHTTP2_HEADERS || f->type == NGHTTP2_DATA;

	if (h->is_client || f->id % 2 == 0)
		return true; /* nghttp2 refuses what comes for no stream, or one of ours */
	if (is_message && is_for_ended(h, f))
		return false;
	if (f->type == NGHTTP2_HEADERS && f->id > h->seen.last)
		see_opened(&h->seen, f->id);
	if (f->type == NGHTTP2_RST_STREAM ||
	    (is_message && (f->flags & NGHTTP2_FLAG_END_STREAM) != 0))
		see_ended(&h->seen, f->id);
	return true;
}

bool
http2_watch_cost(struct http2 *h, const struct http2_frame *f)
{
	h->fault = NGHTTP2_ENHANCE_YOUR_CALM;
	return count_block(h, f) && http2_count(h, cost_of(h, f));
}
