/* http2.h - HTTP/2 (RFC 9113), one end of a connection, over nghttp2. Pure: bytes in, bytes out; no
 * sockets, no clock but what the caller tells.
 *
 * A head is turned into the one form that the rest of the program reads (struct http_head, struct
 * http_response) by the readers of HTTP/1.1: what could not be said there is a stream error (RFC
 * 9113 section 8.2.1), or refused with a status, so nothing can be smuggled by a downgrade.
 *
 * Floods (CVE-2023-44487 rapid reset, CVE-2025-8671 MadeYouReset, CVE-2024-27316 CONTINUATION,
 * CVE-2019-9511 to 9518): every frame that makes work and carries nothing is counted in a bucket
 * that time and work of use refill; a peer that empties it gets GOAWAY with ENHANCE_YOUR_CALM. So
 * does one whose header block is larger than any we would read. */
#ifndef HTTP_HTTP2_H
#define HTTP_HTTP2_H

#include "base/buf.h"
#include "http/http_response.h"

enum {
	HTTP2_STREAMS_MAX = 100,  /* at once, of one connection */
	HTTP2_WINDOW = 256 << 10, /* of a stream, given to a client; of a connection: four times */
	/* Of a stream, given to a service. What its callers do not read waits for each stream
	 * alone: a connection that carries many callers must not stand still for one. */
	HTTP2_ANSWER_WINDOW = 64 << 10,
	/* Frames without use in a row, refilled by HTTP2_GLITCHES_S a second. A service has more:
	 * its connection carries many callers, and what they break off it may still answer. */
	HTTP2_GLITCHES = 200,
	HTTP2_GLITCHES_OF_SERVICE = 10 * HTTP2_GLITCHES,
	HTTP2_GLITCHES_S = 20,
};

struct http2;

/* Called from inside http2_feed() and http2_pull() only; none may free the http2. `stream` is
 * what `request` or http2_request() tied to the id; never NULL. */
struct http2_ops {
	/* Server: a request's head is whole. All of `head` borrows `text`, which the callee may
	 * take (it is emptied then). *ret_stream: what the stream is from now on; NULL: refused
	 * with REFUSED_STREAM. `is_last`: no body comes. */
	void (*request)(void *of, int32_t id, struct http_head *head, struct buf *text,
	                bool is_last, void **ret_stream);
	/* Server: a head that is not served; e.code is the status to be told with http2_refuse().
	 */
	void (*refused)(void *of, int32_t id, struct err e);
	/* Client. Interim ones too (status below 200). */
	void (*response)(void *of, void *stream, struct http_response *head, bool is_last);
	void (*data)(void *of, void *stream, struct bytes part);
	/* The peer's side is complete. `trailers`: "name: value\r\n" lines, of those that may be
	 * passed on; may be empty. Not called when the head was told to be the last. */
	void (*end)(void *of, void *stream, struct bytes trailers);
	/* The next bytes of our body, at most `room`; *ret_len 0 without *ret_end: none now, see
	 * http2_resume(). */
	void (*pull)(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len,
	             bool *ret_end);
	/* Last call for this stream: `code` 0 when both sides ended well (RFC 9113 section 7).
	 * Client: REFUSED_STREAM also where the request never left. */
	void (*closed)(void *of, void *stream, uint32_t code);
};

struct err http2_new(bool is_client, const struct http2_ops *ops, void *of, struct http2 **ret);
void http2_free(struct http2 *h); /* takes NULL; `closed` is not called */
/* ERR_PEER: worn out or not HTTP/2 at all. Then as ever: pull, send, and close when
 * http2_is_done(). */
struct err http2_feed(struct http2 *h, struct bytes in, uint64_t now_us);
/* What is to be sent now, at most about `max` bytes more. */
struct err http2_pull(struct http2 *h, struct buf *wire, size_t max);
/* Neither wants anything any more: close. */
bool http2_is_done(const struct http2 *h);
/* It ends because the peer broke the protocol or wore us out. */
bool http2_is_faulty(const struct http2 *h);

/* Head of an answer, or an interim one (1xx, is_last false). `lines`: "Name: value\r\n", written by
 * us; names are folded, fields of a connection dropped. A body is asked for by `pull` unless
 * is_last. */
struct err http2_respond(struct http2 *h, int32_t id, unsigned status, struct bytes lines,
                         bool is_last);
struct http2_request {
	struct bytes method, scheme, authority, path; /* path with its query */
	struct bytes lines;
	bool is_last;
};
struct err http2_request(struct http2 *h, const struct http2_request *r, void *stream,
                         int32_t *ret_id);
/* Server, for a head that was not served: a whole answer. */
struct err http2_refuse(struct http2 *h, int32_t id, unsigned status, struct bytes lines,
                        struct bytes body);
/* There is something to pull again. */
void http2_resume(struct http2 *h, int32_t id);
/* Trailer lines, to be sent when `pull` tells the end; before or inside that. */
struct err http2_trailers(struct http2 *h, int32_t id, struct bytes lines);
/* `len` bytes of `data` were used up: the peer may send as many more. Without it, it waits. */
void http2_consume(struct http2 *h, int32_t id, size_t len);
void http2_reset(struct http2 *h, int32_t id, uint32_t code);
/* Nobody wants to hear of the stream any more: no callback names it, what still comes is thrown
 * away. */
void http2_forget(struct http2 *h, int32_t id);
/* GOAWAY: no new streams, those there are finish. What a client has sent meanwhile is still taken,
 * until it has heard of it (RFC 9113 section 6.8). */
void http2_drain(struct http2 *h);
/* GOAWAY that names the last stream: what comes from now on is not taken, and its sender knows it.
 */
void http2_leave(struct http2 *h);
/* Streams that are open now, and how many more a client may open. */
size_t http2_streams(const struct http2 *h);
size_t http2_room(const struct http2 *h);
/* A head has begun and is not whole. */
bool http2_is_in_head(const struct http2 *h);

#endif
