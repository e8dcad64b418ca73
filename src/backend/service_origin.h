/* service_origin.h - one address of a service: whether it may be asked, and what it met. For
 * service*.c only. */
#ifndef BACKEND_SERVICE_ORIGIN_H
#define BACKEND_SERVICE_ORIGIN_H

#include "backend/service_parts.h"

enum {
	ORIGIN_NAME_MAX = 72,  /* "[IPv6 address]:65535" */
	ORIGIN_HOST_MAX = 264, /* "a name of 255 bytes:65535" */
};

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
struct origin *origin_choose(struct service *s, uint64_t avoid, bool is_upgrade,
                             enum origin_lack *ret);
/* It takes part again, unless what makes it fail goes on. */
bool origin_is_usable(const struct origin *o, uint64_t now_us);
/* An exchange goes there. True: it is the one that tries whether the origin is well again. */
bool origin_enter(struct origin *o);
void origin_leave(struct origin *o, bool was_trial);
void origin_answered(struct origin *o);
void origin_failed(struct origin *o, const char *why);

#endif
