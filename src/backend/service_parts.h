/* service_parts.h - a service from the inside; for service*.c only.
 *
 *   service     1 ── * origin       one address (service_origin.h)
 *   origin      1 ── * connection   HTTP/1.1: one exchange at a time; HTTP/2: many
 *   exchange           waits in the service, then belongs to a connection until either is done
 *
 * All that can fail happens in the service's turn, a deferred call, or in a callback of the loop:
 * so no callback of an exchange ever comes from inside a call of service.h. */
#ifndef BACKEND_SERVICE_PARTS_H
#define BACKEND_SERVICE_PARTS_H

#include "backend/service.h"
#include "base/buf.h"
#include "io/deadline.h"
#include "io/tls.h"

struct address_source;

enum {
	SERVICE_SPARES = 64,   /* ended exchanges, kept for their memory */
	SERVICE_LOOK_MAX = 64, /* connections that are looked at together */
};

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
	uint64_t turns;                        /* ever, from 1 */
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

static inline struct err
upstream_error(unsigned code, const char *why)
{
	return (struct err){ .kind = ERR_UPSTREAM, .code = code & 0xffffff, .why = why };
}

#endif
