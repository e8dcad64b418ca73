/* service_parts.h - the nouns a service is made of; for service*.c only.
 *
 *   service     1 ── * origin       one address
 *   origin      1 ── * connection   HTTP/1.1: one exchange at a time; HTTP/2: many
 *   exchange           waits in the service, then belongs to a connection until either is done
 *
 * All that can fail happens in service_turn(), a deferred call, or in a callback of the loop: so no
 * callback of an exchange ever comes from inside a call of service.h. */
#ifndef BACKEND_SERVICE_PARTS_H
#define BACKEND_SERVICE_PARTS_H

#include "backend/service.h"
#include "base/buf.h"
#include "http/http_body.h"
#include "io/deadline.h"
#include "io/resolve.h"
#include "io/stream.h"

enum {
	ORIGIN_NAME_MAX = 72,     /* "[IPv6 address]:65535" */
	ORIGIN_HOST_MAX = 264,    /* "a name of 255 bytes:65535" */
	SERVICE_SPARES = 64,      /* ended exchanges, kept for their memory */
	SERVICE_INTERIM_MAX = 16, /* 1xx before a response: more is a service gone wrong */
};

/* ---- the service ---- */

struct service {
	struct loop *loop;
	const struct service_settings *settings;
	const char *name;               /* of the backend */
	struct address_source *sources; /* owned; one for each URL */
	struct list origins;
	unsigned origin_count;    /* ever: the next one's index */
	struct list started;      /* exchanges of this turn */
	struct list waiting;      /* for a connection, in their order */
	struct list timed;        /* exchanges without a head yet, by `timed` */
	struct list ended, spare; /* exchanges to be freed; and those kept */
	unsigned spare_count;
	struct deferred turn;
	struct deadline_list connecting, idle; /* connections */
	uv_timer_t timer;
	unsigned handles; /* that the loop still knows: freed with the last */
	bool is_closed;
	struct service_stats stats;
	struct http_response head;     /* the one that is being read */
	struct buf lines;              /* owned: of the head that is being written */
	struct tls_context *tls;       /* owned; NULL where no origin speaks TLS */
	struct tls_context *tls_http1; /* owned: for an upgrade, which HTTP/2 has none of */
};

/* Reads its certificates, where an origin speaks TLS. */
struct err service_open_tls(struct service *s);
/* Dispatches what waits, before the loop sleeps. */
void service_wake(struct service *s);
bool service_is_full(const struct service *s);
/* It is on no list of the service any more. */
void service_stop_waiting(struct exchange *x);
/* A handle of the loop is gone. */
void service_release(struct service *s);

/* ---- an origin ---- */

struct origin {
	struct list node;
	struct service *service;
	const struct origin_settings *settings;
	struct sockaddr_storage address;
	char name[ORIGIN_NAME_MAX]; /* address and port */
	char host[ORIGIN_HOST_MAX]; /* Host, where the service reads its own */
	uint64_t bit;               /* in exchange.refused and .lost */
	struct list connections;    /* all of them */
	struct list ready;          /* those that can take an exchange, last used first */
	unsigned connection_count, exchange_count, opening;
	enum speaks { SPEAKS_UNKNOWN, SPEAKS_HTTP1, SPEAKS_HTTP2 } speaks;
	bool is_gone; /* its name no longer means it */
	/* As the probes say. */
	bool is_up, is_good; /* what is believed; the last answer */
	unsigned streak;     /* of answers that say otherwise */
	struct exchange *probe;
	uint64_t probe_due_us, probe_until_us;
	/* What requests met. */
	unsigned failures;      /* in a row */
	uint64_t open_until_us; /* with the breaker open */
	uint64_t shun_until_us; /* after a failure others are asked first, for a moment */
	bool is_tried;          /* one exchange finds out whether it is well again */
	const char *why;        /* literal: its last failure; NULL: it is well */
	uint64_t logged_us;     /* when that was last logged: not at each request */
};

struct err origin_add(struct service *s, const struct origin_settings *own,
                      const struct sockaddr *address);
void origins_close(struct service *s);
void origins_tick(struct service *s, uint64_t now_us);
/* Asks it for the path of its health where it is time to, and whether the answer came in time. */
void probe_tick(struct origin *o, uint64_t now_us);
void probe_stop(struct origin *o);
/* service_address.c: from the settings' URLs to origins. */
struct err addresses_open(struct service *s);
void addresses_close(struct service *s);
void addresses_tick(struct service *s, uint64_t now_us);
/* A connection could not be made: its name may mean another address by now. */
void addresses_doubt(struct service *s, const struct origin_settings *of);
/* The one to ask, with room for an exchange and none of `avoid`; NULL: *ret says why not. */
enum origin_lack { ORIGIN_NONE_UP, ORIGIN_NONE_FREE, ORIGIN_NONE_LEFT };
struct origin *origin_choose(struct service *s, uint64_t avoid, enum origin_lack *ret);
/* It takes part again, unless what makes it fail goes on. */
bool origin_is_usable(const struct origin *o, uint64_t now_us);
/* An exchange goes there. True: it is the one that tries whether the origin is well again. */
bool origin_enter(struct origin *o);
void origin_leave(struct origin *o, bool was_trial);
void origin_answered(struct origin *o);
void origin_failed(struct origin *o, const char *why);

/* ---- an exchange ---- */

struct part {
	size_t at, len;
};

struct exchange {
	struct service *service;
	const struct exchange_ops *ops;
	void *of;
	struct list node;  /* of started, waiting, ended or spare */
	struct list timed; /* of service->timed */
	uint64_t deadline_us, began_us;
	struct origin *pinned;                 /* a probe: of this one; NULL: of any */
	struct service_connection *connection; /* NULL: it waits, or is over */
	struct origin *origin;                 /* of the connection */
	int32_t stream;                        /* HTTP/2 */
	enum http_method method;
	enum http_framing framing;
	uint64_t length, given; /* of the body */
	struct buf text;        /* owned: the request's parts */
	struct part target, authority, lines, upgrade;
	struct buf body;                   /* owned: given, and not yet taken by the connection */
	size_t taken;                      /* HTTP/2: of `body`, by the engine */
	size_t unread;                     /* HTTP/2: of the response, told while paused */
	struct buf trailers, got_trailers; /* owned: of the request, of the response */
	unsigned timeout_ms, retries, interims, refusals;
	uint64_t refused; /* bits of the origins that no connection could be made to */
	uint64_t lost;    /* and of those that lost it: asked again when there is no other */
	struct err why;   /* of the last loss */
	bool expects_continue;
	bool is_waiting;    /* in service->waiting */
	bool is_begun;      /* a byte of it may have left */
	bool is_given;      /* all of the request was given */
	bool is_sent;       /* and taken by the connection */
	bool has_answer;    /* a byte of the response came */
	bool has_head;      /* of the response */
	bool was_continued; /* 100 was told */
	bool has_end;       /* HTTP/2: the response is complete */
	bool has_left;      /* HTTP/2: some of the body was taken */
	bool is_paused;     /* exchange_read() is off */
	bool is_tunnel;     /* after 101 */
	bool is_over;       /* `end` or `failed` was called */
	bool is_ended;      /* exchange_end() was: no callback any more */
	bool wants_drained; /* body was given since `drained` */
	bool is_trial;      /* it is the one that tries its origin */
	bool needs_fresh;   /* no connection that was used before */
	char name[ORIGIN_NAME_MAX];
};

static inline struct bytes
exchange_part(const struct exchange *x, struct part p)
{
	return (struct bytes){ x->text.at + p.at, p.len };
}

/* exchange_start(), with one origin and past the queue. */
struct err exchange_probe(struct origin *o, const struct exchange_request *r,
                          const struct exchange_ops *ops);
/* What it tells the service as Host. */
struct bytes exchange_host(const struct exchange *x);
/* It belongs to the connection now / no more. */
void exchange_attach(struct exchange *x, struct service_connection *c);
void exchange_detach(struct exchange *x);
/* Its head was written: the service has the time for it from now on. */
void exchange_began(struct exchange *x);
/* Body bytes left: as exchange_began(), or, where the caller's turn is, no time runs. */
void exchange_progress(struct exchange *x);
/* Nothing of its body is given before 100 is told, which this does. */
bool exchange_waits_to_continue(const struct exchange *x);
void exchange_continue(struct exchange *x);
/* The callbacks. `x` may be ended, its connection another's, when they return. */
void exchange_interim(struct exchange *x, const struct http_response *head);
void exchange_head(struct exchange *x, const struct http_response *head);
void exchange_data(struct exchange *x, struct bytes part);
void exchange_drained(struct exchange *x);
void exchange_tunnel_end(struct exchange *x);                  /* the service's direction */
void exchange_done(struct exchange *x, struct bytes trailers); /* detached */
void exchange_fail(struct exchange *x, struct err e);
/* Its connection is gone, and it is detached: tries again where that is allowed, or fails. */
enum loss {
	LOSS_UNOPENED, /* the connection could not be made */
	LOSS_STALE,    /* it was used before, and ended where it was quiet */
	LOSS_REFUSED,  /* the peer says that it has not begun with it (RFC 9113 section 8.7) */
	LOSS_BROKEN,   /* anything else */
};
void exchange_lost(struct exchange *x, struct origin *o, enum loss loss, struct err e);
void exchange_free(struct exchange *x);

/* ---- a connection ---- */

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
	bool is_closed, is_for_upgrade;
	/* HTTP/1.1 */
	enum { READ_HEAD, READ_BODY, READ_CLOSE, READ_TUNNEL } reading;
	bool keep_alive;
	struct buf in;  /* owned: of a head that is not whole */
	struct buf out; /* owned: written in this turn */
	size_t scanned;
	struct http_body body;
	/* HTTP/2 */
	struct http2 *http2;   /* owned; NULL: HTTP/1.1 */
	struct list exchanges; /* by their `node` */
	uint64_t heard_us;     /* when the peer last said anything */
};

extern const struct connection_ops http1_connection, http2_connection;
struct err http2_connection_start(struct service_connection *c);

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
void service_connections_tick(struct service *s, uint64_t now_us);

static inline struct err
upstream_error(unsigned code, const char *why)
{
	return (struct err){ .kind = ERR_UPSTREAM, .code = code & 0xffffff, .why = why };
}

#endif
