/* service_connection.h - a connection to an origin, and what is spoken on it. For service*.c only.
 */
#ifndef BACKEND_SERVICE_CONNECTION_H
#define BACKEND_SERVICE_CONNECTION_H

#include "backend/service_exchange.h"
#include "http/http_body.h"
#include "io/stream.h"

struct http2;

enum { SERVICE_INTERIM_MAX = 16 }; /* 1xx before a response: more is a service gone wrong */

struct connection_ops {
	void (*begin)(struct service_connection *c, struct exchange *x);
	void (*flush)(struct service_connection *c);
	/* There is more to send. */
	void (*given)(struct service_connection *c, struct exchange *x);
	void (*read)(struct service_connection *c, struct exchange *x, bool on);
	size_t (*unsent)(const struct service_connection *c, const struct exchange *x);
	/* The exchange ends; it is detached after it. */
	void (*leave)(struct service_connection *c, struct exchange *x);
	void (*data)(struct service_connection *c, struct bytes data);
	void (*end)(struct service_connection *c);
	void (*drained)(struct service_connection *c);
	/* All its exchanges, detached, are told. */
	void (*lost)(struct service_connection *c, struct err e);
};

struct service_connection {
	struct stream stream;
	struct service *service;
	struct origin *origin;
	const struct connection_ops *ops; /* NULL: it is being made */
	struct list node;                 /* of origin->connections */
	struct list ready;                /* of origin->ready */
	struct deadline deadline;         /* connecting, or idle */
	struct deferred flush;
	struct exchange *exchange; /* HTTP/1.1: the one at work; or whom it is made for */
	unsigned served;
	uint64_t silent_in; /* connections_look() saw nothing on it in this turn of the service */
	bool is_closed, is_for_upgrade;
	/* HTTP/1.1 */
	enum { READ_HEAD, READ_BODY, READ_CLOSE, READ_TUNNEL } reading;
	bool keep_alive;
	bool is_deaf;   /* it takes no more; what it said before may be there to be read */
	struct buf in;  /* owned: of a head that is not whole */
	struct buf out; /* owned: written in this turn */
	size_t scanned;
	struct http_body body;
	/* HTTP/2 */
	struct http2 *http2;   /* owned; NULL: HTTP/1.1 */
	struct list exchanges; /* by their `node` */
	uint64_t heard_us;     /* when the peer last said anything */
	bool is_doubted; /* it was silent for too long: takes nobody until it says something */
};

extern const struct connection_ops http1_connection, http2_connection;
struct err http2_connection_start(struct service_connection *c);

/* Looks whether the first `count` that wait to be used still can be: one call instead of one each.
 */
void connections_look(struct origin *o, size_t count);
/* A connection for `x` that waits to be used, or NULL. It takes the exchange. */
struct service_connection *connection_take(struct origin *o, struct exchange *x);
/* A new one, for `x`, which is lost where it cannot be made. */
void connection_dial(struct origin *o, struct exchange *x);
/* Can take an exchange: it goes to the front. */
void connection_ready(struct service_connection *c);
void connection_busy(struct service_connection *c);
/* It has no exchange: for how long is counted. */
void connection_idle(struct service_connection *c);
/* Freed when the loop has let go of it. Its exchanges must be detached. */
void connection_end(struct service_connection *c);
/* It is closed; what it carried is told. */
void connection_lost(struct service_connection *c, struct err e);
void connection_wake(struct service_connection *c);
/* HTTP/2: an exchange was too late, and nothing else was heard meanwhile. */
void connection_doubt(struct service_connection *c);
void service_connections_tick(struct service *s, uint64_t now_us);

#endif
