/* keeper.h - the parts of the keeper process, for its own two files. */
#ifndef PROCESS_KEEPER_H
#define PROCESS_KEEPER_H

#include "identity/ask.h"
#include "issuer/issuer.h"
#include "process/role.h"

struct keeper;

/* A worker, as keeper sees it. */
struct asker {
	struct list node;
	struct keeper *keeper;
	struct channel *channel;
	unsigned issuer; /* index of the local issuer in the configuration of its generation */
};

struct keeper {
	struct start *start;
	struct issuer_store *store;
	struct issuer *issuer; /* NULL: no local issuer is configured */
	struct throttle *throttle;
	struct secret cursor_key, fingerprint_key;
	struct list askers;
	struct list waiting; /* logins whose password is not being hashed yet */
	struct list running; /* logins whose password is with a thread */
	unsigned waiting_count, running_count;
	uv_timer_t timer;
};

/* login.c */
/* Answers at once, or when the password has been checked. */
void login_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask);
void login_refresh(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask);
/* The worker is gone: its answers go nowhere. */
void login_forget(struct keeper *k, const struct asker *a);

#endif
