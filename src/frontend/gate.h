/* gate.h - what every request of a worker works with: settings, policy, issuers, backends, and the
 * two processes it asks. One per worker and generation; made by src/process/worker.c. */
#ifndef FRONTEND_GATE_H
#define FRONTEND_GATE_H

#include "audit/record.h"
#include "backend/backend.h"
#include "backend/service.h"
#include "frontend/metrics.h"
#include "identity/issuers.h"
#include "identity/ask.h"
#include "identity/fetch.h"
#include "io/channel.h"

struct request;
struct session_cache;
struct source;

enum { FINGERPRINTS = 64 };

/* Somebody waits for an answer of keeper, ledger or fetcher. `answer` is NULL when the process was
 * lost, which is to be answered with 503. Off the list when called; zeroed: not waiting. */
struct waiter {
	struct list node;
	uint64_t id;
	void (*wake)(struct waiter *w, const struct message *answer, struct err e);
};

struct gate {
	struct loop *loop;
	const struct settings *settings;
	const struct policy *policy;
	struct issuers *issuers;
	struct backend **backends;     /* by index in settings; NULL where it is a service */
	struct service **services;     /* by the same index; NULL where it is data */
	struct assertions *assertions; /* owned; assertion.h */
	struct telemetry *telemetry;   /* owned; telemetry.h */
	struct metrics *metrics;
	struct metrics_worker *counters; /* this worker's slot */
	unsigned worker;
	struct channel *keeper, *ledger, *fetcher; /* NULL: gone, a new one will come */
	struct list keeper_waiters, ledger_waiters, fetcher_waiters;
	uint64_t keeper_next, ledger_next, fetcher_next; /* next id */
	size_t keeper_count, ledger_count, fetcher_count;
	struct source *sources; /* owned; source.h */
	size_t source_count;
	struct session_cache *sessions; /* owned; NULL: no sessions are configured */
	bool has_shared_keys;
	uint8_t cursor_key[SHARED_KEY_LEN], fingerprint_key[SHARED_KEY_LEN];
	struct buf jwks;           /* the local issuer's public keys, as keeper sent them */
	struct buf assertion_jwks; /* those that services check our assertions with */
	uint8_t ticket_key[SHARED_KEY_LEN];
	uint8_t random[4096]; /* drawn in one call, handed out in pieces: for ids, never keys */
	size_t random_left;
	int64_t date_s;    /* second that `date` is of */
	struct buf date;   /* for the Date field */
	struct buf record; /* the one that is being handed over */
	struct {
		struct buf sql;
		uint8_t fingerprint[FINGERPRINT_LEN];
	} seen[FINGERPRINTS];  /* by hash of the text */
	unsigned streams;      /* lists that leave in parts and hold a connection to the data */
	struct request *spare; /* finished requests, kept for their memory */
	unsigned spare_count;
};

struct err gate_init(struct gate *g);
void gate_done(struct gate *g);

/* Takes the descriptor. What waited for the old process is woken with ERR_UPSTREAM. */
struct err gate_set_keeper(struct gate *g, int fd);
struct err gate_set_ledger(struct gate *g, int fd);
/* Where no issuer needs it, there is no fetcher. */
struct err gate_set_fetcher(struct gate *g, int fd);
/* Our own keys, keeper and ledger there, backends answering? *why names what is missing. Not the
 * keys of other issuers: an identity provider that is down must not keep everybody else out. */
bool gate_is_ready(struct gate *g, const char **why);
/* Index of the next issuer from *i on whose keys cannot be used now, and why; false: no more. */
bool gate_issuer_missing(struct gate *g, size_t *i, struct bytes *ret_why);

/* ERR_UPSTREAM when the process is not there; then `w` is not called. ERR_PEER: a field is longer
 * than keeper takes. */
struct err gate_ask_keeper(struct gate *g, const struct ask *ask, struct waiter *w);
/* `type` is FETCH_REFRESH, _INTROSPECT, _GROUPS or _CODE; `w` is woken with FETCH_ANSWER. */
struct err gate_ask_fetcher(struct gate *g, enum fetch_message type, struct bytes body,
                            struct waiter *w);
struct err gate_record(struct gate *g, const struct audit_record *record, struct waiter *w);
/* Nobody waits any more. Safe on a zeroed waiter. */
void gate_forget(struct waiter *w);

/* Copies what is counted elsewhere into the counters. */
void gate_count(struct gate *g);
/* request.c: frees the finished requests that were kept. */
void gate_free_spares(struct gate *g);

struct bytes gate_date(struct gate *g);
/* sql_fingerprint() under the shared key, remembered for statements seen before. */
void gate_fingerprint(struct gate *g, struct bytes sql, uint8_t ret[FINGERPRINT_LEN]);
void gate_random(struct gate *g, uint8_t *ret, size_t len);

#endif
