/* service_exchange.h - an exchange from the inside: what is to be sent, and what becomes of it. For
 * service*.c only. */
#ifndef BACKEND_SERVICE_EXCHANGE_H
#define BACKEND_SERVICE_EXCHANGE_H

#include "backend/service_origin.h"

struct service_connection;

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

#endif
