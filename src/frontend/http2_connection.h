/* http2_connection.h - the HTTP/2 of a caller's connection: many requests at once, each on a stream
 * with a carrier of its own (http2_carrier.c). The socket stays connection.c's, which hands over
 * what comes from it.
 *
 * Nothing is written, and nothing freed, from inside what the engine or a request calls: all that
 * one round of events made to be sent leaves together, before the loop sleeps. */
#ifndef FRONTEND_HTTP2_CONNECTION_H
#define FRONTEND_HTTP2_CONNECTION_H

#include "frontend/carrier.h"
#include "frontend/server.h"
#include "http/http2.h"

/* What it is given of its connection; all borrowed, and outlives it. */
struct http2_place {
	struct server *server;
	struct stream *stream;
	struct deadline *deadline;
	const char *address;
	const struct tls_peer *secure;
	void (*finish)(void *owner); /* all was said: free it, and close the connection */
	void (*broken)(void *owner); /* free it, and close the connection at once */
	void *owner;
};

struct http2_connection {
	struct http2_place place;
	struct http2 *http2; /* owned */
	struct deferred flush;
	struct list streams; /* of struct http2_carrier, by .node */
	struct list woken;   /* those of them that have something to do, by .woken */
	struct list orphans; /* requests that go on though their streams were reset */
	uint64_t head_us;    /* since when a head is not whole; 0: none is */
	uint64_t stuck_us;   /* since when the socket takes nothing; 0: it does */
	uint64_t refused_us; /* since when all its streams are heads that were refused; 0: not */
	uint64_t drain_us;   /* since when it ends; 0: it does not */
	struct deadline_list *list; /* that its deadline is on */
	bool has_served, was_used;  /* ever; since that deadline began */
	bool is_lost;               /* out of memory, or the socket broke */
};

struct err http2_connection_new(const struct http2_place *place, struct http2_connection **ret);
/* Takes NULL. Its requests are abandoned. */
void http2_connection_free(struct http2_connection *c);
void http2_connection_data(struct http2_connection *c, struct bytes data);
void http2_connection_drained(struct http2_connection *c);
/* Each second while it is active: ends what has lasted too long. */
void http2_connection_tick(struct http2_connection *c, uint64_t now_us);
/* What was begun is finished, then GOAWAY is sent and `finish` called. A client that never pauses
 * is told after a second: it may know no better than to give up all it has asked for. */
void http2_connection_drain(struct http2_connection *c);

/* For http2_carrier.c: something is to be sent. */
void http2_connection_flush(struct http2_connection *c);

#endif
