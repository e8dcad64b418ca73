/* quota.h - limits per role, route and caller that hold across workers: requests (GCRA),
 * concurrency, bytes. The buckets are slots of one table in the shared page, found by a keyed hash,
 * changed by compare-and-swap; nothing is locked. A slot that is full again and used by nobody is
 * free for another. When the table is full, the request is let through and counted: a limit must
 * not become an outage. */
#ifndef FRONTEND_QUOTA_H
#define FRONTEND_QUOTA_H

#include "frontend/metrics.h"

struct request;

enum { QUOTA_HELD_MAX = 4 };

/* What a request holds of concurrency; zeroed: nothing. */
struct quota_hold {
	uint32_t slots[QUOTA_HELD_MAX];
	unsigned count;
};

/* Takes one request from every limit that applies: of the caller, of its most generous role, of the
 * route for this caller (-1: none), of the route. ERR_LIMIT (429): r->retry_after_s says when, and
 * .why ("limit: ...") which, for the caller and the record; nothing was taken then. After DECIDE,
 * before anything is done; what is held is given back when the request is freed. */
struct err quota_enter(struct request *r, int route, struct quota_hold *ret);
/* How many of `len` bytes (at least 1) may pass now; *ret_wait_ms when 0. All of them are taken.
 * `len` where nothing limits them, or the route only observes. */
uint64_t quota_bytes(struct request *r, int route, uint64_t len, unsigned *ret_wait_ms);
void quota_leave(struct request *r, struct quota_hold *held);
/* The principal, else the address it calls from: a keyed hash. Of IPv6 the network (/64) counts.
 * Behind a listed proxy the address is the last hop of X-Forwarded-For that is not listed itself.
 */
uint64_t quota_caller(const struct request *r);
/* By the supervisor: what a worker that ended held is given back. */
void quota_worker_ended(struct metrics *m, unsigned worker);

#endif
