/* metrics.h - counters that all processes write and the admin listener reads: the one shared page.
 *
 * A worker writes its own slot only, the supervisor `restarts`; all loads and stores are relaxed: a
 * reader may see one counter a moment before another. */
#ifndef FRONTEND_METRICS_H
#define FRONTEND_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/settings.h"
#include "frontend/quota_table.h"

enum {
	METRICS_WORKERS_MAX = 256,
	METRICS_RESOURCES_MAX = 64,
	METRICS_SERVICES_MAX = 64,
	METRICS_BUCKETS = 16,
	METRICS_CLASSES = 6, /* of a status, by its first digit */
	METRICS_LABELS_MAX = 3,
};

enum metrics_role {
	METRICS_WORKER,
	METRICS_KEEPER,
	METRICS_LEDGER,
	METRICS_FETCHER,
	METRICS_ROLE_COUNT
};

/* What kind of rule denied. */
enum metrics_rule {
	METRICS_RULE_DEFAULT,   /* nothing allows it */
	METRICS_RULE_DENY,      /* a deny rule */
	METRICS_RULE_COLUMNS,   /* allowed, but not with these columns */
	METRICS_RULE_CONDITION, /* allowed, but not for this row: what is written would break the
	                           condition */
	METRICS_RULE_COUNT,
};

typedef _Atomic uint64_t counter;

static inline void
counter_add(counter *c, uint64_t n)
{
	/* One writer: a plain add, without the bus lock of an atomic one. */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

static inline void
counter_set(counter *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* Of one backend of type http, as this worker sees it. */
struct metrics_service {
	counter latency[METRICS_BUCKETS], latency_us; /* until the head of its answer */
	counter origins, origins_up, connections, idle, exchanges, waiting;
	counter opened, reused, failed, retried, refused;
};

/* Written by one worker; kept when it restarts, so that counters only grow. */
struct metrics_worker {
	counter requests[METRICS_CLASSES];
	counter decisions[3]; /* by enum audit_outcome */
	counter denials[METRICS_RESOURCES_MAX + 1][ACTION_COUNT]
		       [METRICS_RULE_COUNT]; /* last row: no such resource */
	counter refusals[16];                /* 401 by failed check (enum jwt_check) */
	counter latency[METRICS_BUCKETS], latency_us;
	counter token_hits, token_misses, token_entries;
	counter connections, connections_open, connections_refused;
	counter fetcher_waits, fetcher_waiting; /* tokens that wait for the fetcher */
	counter session_hits, session_asks;     /* found here, looked for at keeper */
	counter revocations;
	counter audit_waiting, audit_unavailable, keeper_waiting;
	counter bytes_in, bytes_out;
	counter is_ready;
	counter limits_refused[QUOTA_SCOPE_COUNT];
	counter limits_skipped; /* no slot was left: let through */
	counter spans_dropped, access_lines_dropped;
	counter tls_handshakes, tls_resumptions, tls_failures;
	counter http2_streams, http2_faults;
	struct metrics_service services[METRICS_SERVICES_MAX]; /* by index in the backends */
	counter routes[ROUTES_MAX][METRICS_CLASSES];           /* by index in the routes */
};

struct metrics {
	counter started_us; /* wall */
	counter generation;
	counter restarts[METRICS_ROLE_COUNT];
	counter reloads, reloads_failed;
	counter certificate_ends_s; /* the first of the listeners'; by workers, all the same */
	counter spans_dropped;      /* by fetcher: the collector did not take them */
	counter worker_count;
	struct metrics_worker workers[METRICS_WORKERS_MAX];
	struct quota_table quotas; /* last, and large: only what is used of it is there */
};

_Static_assert((int)METRICS_WORKERS_MAX == (int)QUOTA_WORKERS, "each worker has a row");

void metrics_observe_latency(struct metrics_worker *w, uint64_t us);
/* A service's head came `us` after it was asked. */
void metrics_observe_service(struct metrics_worker *w, unsigned backend, uint64_t us);
/* The worker has ended: what it had open or waited for is no more. Its counters stay. */
void metrics_worker_ended(struct metrics_worker *w);

/* Reading: each family, and its points; summed over the workers. Who reads writes them down in a
 * form of its own. */
enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_family {
	const char *name; /* without prefix and suffix: "sent_bytes", "request_duration_seconds" */
	enum metrics_type type;
	const char *help;
};

struct metrics_point {
	struct {
		const char *name;
		struct bytes value;
	} labels[METRICS_LABELS_MAX];
	size_t label_count;
	uint64_t value; /* of a histogram the sum */
	bool is_micro;  /* `value` is in millionths */
	uint64_t buckets[METRICS_BUCKETS];
};

struct metrics_reader {
	void (*family)(void *of, const struct metrics_family *f);
	void (*point)(void *of, const struct metrics_family *f, const struct metrics_point *p);
};

void metrics_read(const struct metrics *m, const struct settings *settings,
                  const struct metrics_reader *reader, void *of);
/* Upper bounds of the buckets but the last, which has none; microseconds. */
extern const uint64_t METRICS_BOUNDS_US[METRICS_BUCKETS - 1];

/* metrics_text.c: Prometheus text format 0.0.4. */
void metrics_put(struct buf *out, const struct metrics *m, const struct settings *settings);

#endif
