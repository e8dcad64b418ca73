/* connection_parts.h - a connection, for connection*.c only. */
#ifndef FRONTEND_CONNECTION_PARTS_H
#define FRONTEND_CONNECTION_PARTS_H

#include "frontend/connection.h"
#include "http/http_body.h"

struct http2_connection;

struct connection {
	struct carrier carrier;         /* its request is NULL while idle */
	struct http2_connection *http2; /* owned; NULL: this is HTTP/1.1 */
	struct stream stream;
	struct list node;
	struct deadline deadline;
	struct buf in; /* owned: bytes of the next head, or of this body */
	size_t scanned;
	struct http_body body;
	/* Of a body: since when its rate counts, when it was held, when its last byte came. */
	uint64_t body_started_us, held_us, body_moved_us;
	struct deferred read_on;
	bool is_fresh;     /* no request has come yet */
	bool is_advancing; /* advance() is on the stack */
	bool peer_ended, is_lingering, close_after;
	bool is_cut;          /* an answer that only the close would end broke off */
	bool is_streaming;    /* what comes goes to the endpoint */
	bool is_held;         /* and must wait */
	bool awaits_continue; /* its caller sends nothing before it is told to */
	char address[STREAM_ADDRESS_MAX];
};

/* connection.c */
void http1_close(struct connection *c);
void http1_read_on(struct connection *c);
/* Answers what is no request, and closes behind it. */
void http1_refuse(struct connection *c, struct err e);
/* Of TLS: it has to be done before anything else. */
bool http1_in_handshake(const struct connection *c);

/* connection_time.c */
/* Puts it on the list of what its request waits for. */
void http1_watch(struct connection *c);

/* connection_body.c */
struct err http1_receive(struct carrier *carrier);
struct err http1_stream(struct carrier *carrier);
void http1_read(struct carrier *carrier, bool on);
struct err http1_interim(struct carrier *carrier, unsigned status, struct bytes fields);
/* More of a body that is awaited whole has come, into c->in. */
void http1_body_data(struct connection *c);
/* More of one that is streamed; false: there is no memory for what follows it. */
bool http1_stream_data(struct connection *c, struct bytes data);
/* The caller sends no more into its tunnel. */
void http1_stream_end(struct connection *c);
/* A second of a body has gone by. */
void http1_check_body(struct connection *c, uint64_t now);

#endif
