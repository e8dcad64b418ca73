/* quota_table.h - the buckets of limits in the shared page: pure, without a request or a clock.
 *
 * A slot is one bucket, owned by the key that stands in it. What it holds of time is the moment at
 * which it is full again (GCRA: ITU-T I.371 annex A, the "theoretical arrival time"), so a bucket
 * of which nothing was taken for a while needs no care, and can be taken over by another key.
 *
 * Every worker may write every slot, by compare-and-swap alone. Of what is held at the same time a
 * worker writes its own row only, and the sum of the rows is what counts: what a worker held that
 * was killed is gone with its row. Memory that no limit uses is never touched. */
#ifndef FRONTEND_QUOTA_TABLE_H
#define FRONTEND_QUOTA_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { QUOTA_SLOTS = 65536, QUOTA_PROBES = 16, QUOTA_WORKERS = 256, QUOTA_KEY_LEN = 16 };
static const uint32_t QUOTA_NO_SLOT = UINT32_MAX;

/* What a bucket is of. */
enum quota_scope {
	QUOTA_CALLER,       /* of each caller, whatever it calls */
	QUOTA_ROLE,         /* of each caller, by its roles */
	QUOTA_ROUTE_CALLER, /* of each caller of a route */
	QUOTA_ROUTE,        /* of all callers of a route */
	QUOTA_SCOPE_COUNT,
};

struct quota_slot {
	_Atomic uint64_t key;                   /* 0: nobody's */
	_Atomic uint64_t requests_ns, bytes_ns; /* monotonic: when it is full again */
	uint64_t unused;
};

struct quota_table {
	uint8_t key[QUOTA_KEY_LEN]; /* of the hash that makes keys; by the supervisor, before any
	                               child */
	_Atomic uint64_t claimed;   /* slots that have an owner, also one that left it idle */
	_Atomic uint32_t workers;   /* rows that were ever used */
	_Atomic uint64_t holding[QUOTA_WORKERS]; /* no row holds more than this */
	struct quota_slot slots[QUOTA_SLOTS];
	_Atomic uint16_t held[QUOTA_WORKERS][QUOTA_SLOTS];
};

/* `count` in any `per_s` seconds, spread evenly, and `burst` of them at once. */
struct quota_rate {
	uint64_t count, per_s, burst;
};

/* The slot of `key` (not 0), made its own where it has none. QUOTA_NO_SLOT: all that it may have
 * are in use. */
uint32_t quota_table_find(struct quota_table *t, uint64_t key, uint64_t now_ns);
/* Does it still belong to `key`? One that was taken over meanwhile has to be found anew. */
bool quota_table_is_owner(const struct quota_table *t, uint32_t slot, uint64_t key);

/* One of `rate`. false: nothing was taken, and *ret_wait_ns says when there will be one. */
bool quota_table_take(_Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t now_ns,
                      uint64_t *ret_wait_ns);
/* It was taken for nothing. */
void quota_table_give(_Atomic uint64_t *full_ns, const struct quota_rate *rate);
/* How many of a rate can be taken now. */
uint64_t quota_table_left(const _Atomic uint64_t *full_ns, const struct quota_rate *rate,
                          uint64_t now_ns);
/* Takes `count`, also more than are there: then the next have to wait longer. */
void quota_table_spend(_Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t count,
                       uint64_t now_ns);
/* Until `count` of a rate are there. */
uint64_t quota_table_wait_ns(const _Atomic uint64_t *full_ns, const struct quota_rate *rate,
                             uint64_t count, uint64_t now_ns);

/* One more at the same time, of `limit`. false: there are as many. */
bool quota_table_hold(struct quota_table *t, uint32_t slot, unsigned worker, unsigned limit);
void quota_table_release(struct quota_table *t, uint32_t slot, unsigned worker);
/* Nothing of this row is held any more; by the supervisor, when its worker has ended. */
void quota_table_forget(struct quota_table *t, unsigned worker);

#endif
