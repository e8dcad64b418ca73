/* http2_carrier.h - one stream of an HTTP/2 connection, which carries one request. */
#ifndef FRONTEND_HTTP2_CARRIER_H
#define FRONTEND_HTTP2_CARRIER_H

#include "frontend/http2_connection.h"

/* Owned by its connection; freed when both the stream has closed and the request has ended. */
struct http2_carrier {
	struct carrier carrier; /* its request is NULL when it has ended */
	struct http2_connection *connection;
	struct list node, woken;
	int32_t id;
	uint64_t moved_us; /* when the work began, or last got on */
	/* Of the body: since when its rate counts, when it was held, when its last byte came. */
	uint64_t body_started_us, held_us, body_moved_us;
	uint64_t body_bytes;  /* that came */
	struct buf held;      /* owned: of the body, not asked for yet; wiped */
	struct buf trailers;  /* owned */
	bool is_receiving;    /* the body is awaited whole */
	bool is_streaming;    /* what comes goes to the endpoint */
	bool is_held;         /* and must wait */
	bool awaits_continue; /* its caller sends nothing before it is told to */
	bool body_ended;
	bool is_waiting; /* the request waits in SEND for bytes to leave */
	bool is_ended;   /* the answer was taken to its end */
	bool is_closed;  /* by the engine */
};

/* The stream's request begins; *ret NULL: there is no memory for it. */
void http2_carrier_begin(struct http2_connection *c, int32_t id, struct http_head *head,
                         struct buf *text, bool is_last, void **ret);
/* From the engine. */
void http2_carrier_data(struct http2_carrier *s, struct bytes part);
void http2_carrier_end(struct http2_carrier *s, struct bytes trailers);
void http2_carrier_pull(struct http2_carrier *s, uint8_t *at, size_t room, size_t *ret_len,
                        bool *ret_end);
void http2_carrier_closed(struct http2_carrier *s);
/* From the connection: does what it was woken for. May free it. */
void http2_carrier_run(struct http2_carrier *s);
/* May free it. */
void http2_carrier_tick(struct http2_carrier *s, uint64_t now_us);
/* The connection goes: abandons the request and frees it. */
void http2_carrier_abandon(struct http2_carrier *s);

#endif
