/* http2_block.h - one header block of HTTP/2 (RFC 9113 section 8), turned into the text that
 * HTTP/1.1 would have, so that the very same readers take it apart: what they refuse is refused
 * here, and nothing can be meant that could not be said there. The blocks of a connection come one
 * after the other: it needs one of these. */
#ifndef HTTP_HTTP2_BLOCK_H
#define HTTP_HTTP2_BLOCK_H

#include "base/buf.h"
#include "http/http_response.h"

enum http2_block_kind { HTTP2_BLOCK_REQUEST, HTTP2_BLOCK_RESPONSE, HTTP2_BLOCK_TRAILERS };

struct http2_block {
	uint8_t kind;
	enum http_byte names; /* of which their names are */
	bool is_open;
	bool has_host, has_length;
	uint16_t count;   /* of lines */
	size_t size;      /* of all fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	struct err fault; /* the first; what follows is not kept */
	struct buf method, path, authority, cookie; /* owned */
	struct buf text;                            /* owned */
};

/* `names`: HTTP_BYTE_NAME of callers, HTTP_BYTE_TOKEN of services. */
void http2_block_open(struct http2_block *b, enum http2_block_kind kind, enum http_byte names);
/* false: it is larger than anybody means: end the connection. */
bool http2_block_add(struct http2_block *b, struct bytes name, struct bytes value);
/* `is_last`: no body follows. All of *ret borrows b->text, which the caller may take. Errors:
 * ERR_PEER, .code as http_head_parse(). */
struct err http2_block_request(struct http2_block *b, bool is_last, struct http_head *ret);
/* Errors: ERR_UPSTREAM, .code 502. */
struct err http2_block_response(struct http2_block *b, enum http_method method, bool is_last,
                                struct http_response *ret);
/* "name: value\r\n" lines, borrowed from b->text. */
struct err http2_block_trailers(struct http2_block *b, struct bytes *ret);
/* Empties it, wipes what may have been secret, keeps little. */
void http2_block_close(struct http2_block *b);

#endif
