/* service.h - an HTTP service behind us: its addresses, connections, health and circuit breaker;
 * and one exchange with it, a request out and a response in, streamed both ways.
 *
 * One service per backend of type http and worker. An origin that fails is left out until it
 * answers again; among the others the one with the fewest exchanges is taken. Names are looked up
 * again in the background; the last good addresses stay.
 *
 * Bodies are never gathered: what one side does not read, the other does not send.
 *
 * What counts against an origin is a connection that cannot be made, breaks, or brings what is not
 * HTTP, and silence until the response's deadline; never a status, which is the application's.
 * After a failure others are asked first for a second; after `breaker.failures` in a row nobody is,
 * but one that tries when `breaker.open` has passed. */
#ifndef BACKEND_SERVICE_H
#define BACKEND_SERVICE_H

#include "base/arena.h"
#include "config/settings.h"
#include "http/http_response.h"
#include "io/loop.h"

struct service;
struct exchange;

/* Reads certificates and looks up names: before the sandbox closes. Nothing is connected yet.
 * `settings` and `arena` must outlive it. ERR_CONFIG where the operator must change something; a
 * name that cannot be resolved now is no error. */
struct err service_open(const struct settings *settings, unsigned backend, struct loop *loop,
                        struct arena *arena, struct service **ret);
/* Every exchange has ended or is cancelled. Takes NULL. */
void service_close(struct service *s);
/* Is any origin up? *ret_why (literal) names what is wrong with the others. For readiness. */
bool service_is_up(const struct service *s, const char **ret_why);
struct service_stats {
	unsigned origins, origins_up, connections, idle, exchanges, waiting;
	uint64_t opened, reused, failed, retried, refused; /* since the start */
};
struct service_stats service_stats(const struct service *s);

/* Callbacks come from the loop only, never from inside a call of this header; any of them may call
 * exchange_end(). */
struct exchange_ops {
	/* 1xx but 101; 100 only where expects_continue, once, and after a second also where the
	 * service has not said it: not all know of it. May be NULL. */
	void (*interim)(struct exchange *x, const struct http_response *head);
	/* The head of the response; borrowed for the call. 101: what follows is raw, both ways. */
	void (*head)(struct exchange *x, const struct http_response *head);
	void (*data)(struct exchange *x, struct bytes part); /* borrowed for the call */
	/* The response is complete. `trailers`: lines that may be passed on; may be empty. After
	 * 101: the service sends no more. */
	void (*end)(struct exchange *x, struct bytes trailers);
	void (*drained)(struct exchange *x); /* what was given has left: give more */
	/* ERR_UPSTREAM: .code 502 (it broke the protocol or the connection), 503 (nobody is up, or
	 * no room), 504 (too late). Nothing comes after it. */
	void (*failed)(struct exchange *x, struct err e);
};

struct exchange_request {
	enum http_method method;
	struct bytes target;       /* path and query, as the service is to read them */
	struct bytes authority;    /* what the caller sent as Host; used with SERVICE_HOST_KEEP */
	struct bytes lines;        /* "Name: value\r\n", all fields but Host, Expect, those of the
	                            * connection and of the framing */
	enum http_framing framing; /* of the body: NONE, LENGTH, CHUNKED */
	uint64_t length;
	struct bytes upgrade;         /* "websocket": ask to change the protocol; empty: no */
	bool expects_continue;        /* the body is given only after interim 100, or head */
	unsigned response_timeout_ms; /* until the head, from the last byte of the request on that
	                               * we had to give; 0: the service's */
};

/* Begins. All in `r` is copied. A request without body that is idempotent is tried again on another
 * connection where this one was lost before a byte of the response (RFC 9110 section 9.2.2); any
 * request is, where it could not be begun at all. Who waits for a connection to be free does so for
 * connect_timeout. ERR_LIMIT: no room in the queue (503). ERR_UPSTREAM: an upgrade of HTTP/2. */
struct err exchange_start(struct service *s, const struct exchange_request *r,
                          const struct exchange_ops *ops, void *of, struct exchange **ret);
void *exchange_of(const struct exchange *x);
/* Body bytes; copied. Stop giving while exchange_unsent() is more than you like: `drained` comes.
 */
struct err exchange_send(struct exchange *x, struct bytes part);
/* The body is complete. `trailers` (lines) only with CHUNKED. In a tunnel: we send no more. */
struct err exchange_send_end(struct exchange *x, struct bytes trailers);
size_t exchange_unsent(const struct exchange *x);
/* Back-pressure on the response body. On at first. What was read before it went off still comes: at
 * most a read (64 KiB), of HTTP/2 a window (256 KiB). */
void exchange_read(struct exchange *x, bool on);
/* It is freed. Where both sides were complete its connection serves again; otherwise it is closed
 * (HTTP/2: the stream is reset). */
void exchange_end(struct exchange *x);
/* "127.0.0.1:8000", for the log and the span; empty until a connection was chosen. */
const char *exchange_origin(const struct exchange *x);
/* When a refused caller should come again. */
unsigned service_retry_s(const struct service *s);

#endif
