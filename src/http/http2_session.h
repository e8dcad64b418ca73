/* http2_session.h - what the files of the HTTP/2 engine share: http2.c (the connection and its
 * counting), http2_receive.c (what nghttp2 tells of the peer), http2_send.c (what we tell it). */
#ifndef HTTP_HTTP2_SESSION_H
#define HTTP_HTTP2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "http/http2.h"
#include "http/http2_block.h"

/* So many bytes of a body make up for a frame without use. */
enum { HTTP2_DATA_OF_USE = 1024 };

/* What is counted against the peer: it may take so many, and gets some back as time passes and as
 * work is done that was of use. */
struct http2_bucket {
	uint32_t left;
	uint64_t filled_us;
};

/* The last so many streams the peer could have opened, and what it did with them: nghttp2 forgets a
 * stream when it closes, and so would not see that more comes for it. */
enum { HTTP2_SEEN = 128 };
struct http2_seen {
	int32_t last; /* the highest that was opened */
	uint64_t opened[HTTP2_SEEN / 64], ended[HTTP2_SEEN / 64];
};

struct http2_frame {
	uint32_t len;
	uint8_t type, flags;
	int32_t id;
};

/* Where in the frames of the peer we are. */
struct http2_watched {
	uint32_t skip; /* bytes before the next head of a frame */
	uint8_t head[9], head_len;
	bool is_block, is_block_end; /* of a frame: it carries fields, and the last of them */
};

struct http2_stream {
	struct list node;
	void *user; /* http2_ops' stream; NULL: what comes is thrown away */
	int32_t id;
	enum http_method method; /* of a client's request */
	bool has_head;           /* the final one came */
	bool is_ended;           /* our side */
	bool has_trailers;
	size_t held;         /* bytes of its body that were not consumed yet */
	struct buf trailers; /* owned: of our body */
	struct buf body;     /* owned: http2_refuse() */
	size_t sent;         /* of `body` */
};

struct http2 {
	nghttp2_session *session; /* owned */
	const struct http2_ops *ops;
	void *of;
	bool is_client;
	bool is_draining; /* no new streams are wanted */
	bool has_left;    /* and the last one that is taken was named */
	bool is_over;     /* the peer broke the protocol, or wore us out */
	bool is_faulty;   /* and was told so */
	uint32_t fault;   /* why it is broken off from inside a callback (RFC 9113 section 7) */
	uint64_t now_us;
	struct http2_watched watched;
	struct http2_seen seen;
	struct http2_bucket bucket;
	uint32_t continuations; /* of this header block */
	size_t block_bytes;     /* of this header block, as they came */
	struct list streams;
	size_t stream_count;
	struct http2_block block;
};

struct http2_stream *http2_stream_new(struct http2 *h, int32_t id);
void http2_stream_free(struct http2 *h, struct http2_stream *s);
/* NULL: there is none (any more). */
struct http2_stream *http2_stream_of(const struct http2 *h, int32_t id);
/* http2_watch.c. Stops behind the head of the next frame; false: it is not there yet. */
bool http2_watch_next(struct http2 *h, struct reader *in, struct http2_frame *ret);
/* Before and after nghttp2 has read the head of the frame. false: break off, h->fault says why. */
bool http2_watch_cost(struct http2 *h, const struct http2_frame *f);
bool http2_watch_stream(struct http2 *h, const struct http2_frame *f);
/* Of a header block, not all has come. */
bool http2_watch_is_in_block(const struct http2 *h);
/* false: that was one too many. */
bool http2_count(struct http2 *h, uint32_t cost);
void http2_credit(struct http2 *h, uint32_t credit);
/* http2_receive.c, http2_send.c: what nghttp2 calls. */
void http2_receive_callbacks(nghttp2_session_callbacks *c);
void http2_send_callbacks(nghttp2_session_callbacks *c);

#endif
