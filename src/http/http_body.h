/* http_body.h - request bodies: length or chunked (RFC 9112 sections 6 and 7.1), strictly. */
#ifndef HTTP_HTTP_BODY_H
#define HTTP_HTTP_BODY_H

#include "base/buf.h"
#include "http/http_head.h"

struct http_body {
	uint8_t state;
	bool is_chunked;
	uint64_t left;  /* of the length or of this chunk */
	uint64_t total; /* decoded so far */
	uint64_t limit;
	uint32_t overhead; /* bytes of chunk extensions and trailers: bounded too */
	uint8_t digits;    /* of the chunk size */
	size_t line;       /* of the trailer that is read: where it begins in `trailers` */
	/* Borrowed, set after init: gets the trailers that may be passed on, as "Name: value\r\n"
	 * lines. NULL: all are checked and dropped. */
	struct buf *trailers;
};

enum { HTTP_OVERHEAD_MAX = 16384 };

void http_body_init(struct http_body *b, const struct http_head *head, uint64_t limit);
/* The same for any message: of a response, say. `length` counts where it is not chunked. */
void http_body_start(struct http_body *b, bool is_chunked, uint64_t length, uint64_t limit);
/* Takes bytes from `in`; *ret is the next run of decoded bytes (may be empty), borrowed from it.
 * STEP_MORE: call again while `in` is not empty, then with more. STEP_DONE: the body is complete
 * (after *ret) and `in` stands at the next message. Extensions are checked and dropped
 * (RFC 9112 section 7.1). Errors: ERR_PEER with .code 400, ERR_LIMIT with HTTP_BODY_LARGE; the
 * engine then refuses all that follows.
 */
struct err http_body_feed(struct http_body *b, struct reader *in, struct bytes *ret,
                          enum step *step);

/* May a trailer of that name be passed on? Not what frames, routes, authenticates or controls a
 * message, or says how its content is to be read (RFC 9110 section 6.5.1): whoever merged it into
 * the head would read another message than the one that was decided. */
bool http_trailer_is_allowed(struct bytes name);

#endif
