/* proxy.h - a request that a service behind us answers: found by its route, decided, recorded,
 * forwarded, its answer streamed back. Both bodies pass in constant memory: what one side does not
 * read, the other does not send.
 *
 * What cannot change anything (GET, HEAD, OPTIONS without a body) is forwarded by EXECUTE and
 * recorded with the status of its answer; when more of the answer is to come then, a completion
 * follows. Everything else is recorded first, as what is about to be done, and forwarded by COMMIT:
 * if it cannot be recorded, no byte of it reaches the service. */
#ifndef FRONTEND_PROXY_H
#define FRONTEND_PROXY_H

#include "frontend/request.h"

/* Answers what r->route names; -1: the decision that refuses it. */
extern const struct endpoint proxy_endpoint;

/* Of proxy*.c only */

enum {
	PROXY_SHORT = 65536,           /* an answer of a told length up to it is awaited whole */
	PROXY_PENDING_MAX = 65536,     /* of the service's bytes, before it is read no more */
	PROXY_UNSENT_MAX = 256 * 1024, /* of the caller's */
};

/* A request's state, in its arena. */
struct proxy {
	struct request *request;
	const struct route_settings *route;
	struct service *service;
	struct exchange *exchange; /* NULL: not begun, or over */
	struct deferred wake;      /* what the service sent in one turn of the loop is one event */
	struct buf lines;          /* owned: fields for the service; until the exchange begins */
	struct err error;          /* why there is no answer, or no more of it */
	bool is_upgrade, has_begun, has_head;
	bool is_short;           /* the answer is awaited whole */
	bool is_settled;         /* a turn ended behind its head: it is streamed */
	bool has_ended;          /* the answer is complete */
	bool is_awaited;         /* by SEND, for more of the answer */
	bool is_paused;          /* by the limits of bytes */
	unsigned interim_status; /* came before the decision was recorded; 0: none */
	struct buf interim;      /* owned: its fields */
	struct proxy_pause *pause;
};

/* proxy_exchange.c: what passes between caller and service. */
struct err proxy_begin(struct proxy *p);
void proxy_body(struct request *r, struct bytes part, bool is_last, struct err e);
/* The request goes on when this turn of the loop ends, if it waits for what has come. */
void proxy_wake(struct proxy *p);
/* Reads from either side, or not, as there is room. */
void proxy_flow(struct proxy *p);
/* No more is exchanged. */
void proxy_end(struct proxy *p);

/* proxy_pause.c: the limits of bytes. `len` more have passed: pauses both sides, and the answer,
 * for as long as they say. */
void proxy_pass(struct proxy *p, size_t len);
void proxy_pause_end(struct proxy *p);

/* proxy_fields.c */
/* Sets r->path: the matched segments, percent-encoded anew; the query stands behind it. */
void proxy_write_path(struct request *r);
/* The path without what the route strips, and the query. */
struct err proxy_target(struct request *r, const struct route_settings *route, struct bytes *ret);
/* The caller's fields that go on, and where it comes from. */
void proxy_put_fields(const struct request *r, const struct route_settings *route,
                      struct buf *lines);
/* The service's fields that go to the caller. */
void proxy_put_answer_fields(const struct request *r, const struct http_response *head,
                             struct buf *lines, bool *ret_has_date);
/* Those of `trailers` that do not say who somebody is. */
void proxy_put_trailers(struct bytes trailers, struct buf *lines);
/* Asks for WebSocket, and nothing else: behind any other protocol requests could hide that nobody
 * decides. */
bool proxy_asks_upgrade(const struct http_head *head);

#endif
