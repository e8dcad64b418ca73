/* keeper.h - the parts of the keeper process, for its own files. */
#ifndef PROCESS_KEEPER_H
#define PROCESS_KEEPER_H

#include "identity/ask.h"
#include "issuer/assertion_signer.h"
#include "issuer/proofs.h"
#include "issuer/revocation.h"
#include "process/role.h"

struct keeper;

/* A worker, as keeper sees it. */
struct asker {
	struct list node;
	struct keeper *keeper;
	struct channel *channel;
	unsigned issuer;   /* index of the local issuer in the configuration of its generation */
	bool has_services; /* in that configuration: it needs assertions */
	bool is_new;       /* it has no keys yet: what is revoked first */
	bool is_behind;    /* more was revoked than it has read: the rest follows */
	int64_t told;      /* the last revocation it was told, while it is behind */
};

/* The ledger, as keeper sees it: one batch of events at a time. */
struct event_sender {
	struct channel *channel; /* NULL: the ledger is away */
	uint64_t sequence;       /* of the last record on this channel */
	uint64_t batch_end;      /* sequence of the batch's last; 0: none is under way */
	int64_t batch_event;     /* id of its last event */
	bool is_refused;         /* part of the batch was not kept: all of it is sent again */
};

struct keeper {
	struct start *start;
	struct issuer_store *store;
	struct issuer *issuer;               /* NULL: no local issuer is configured */
	struct assertion_signer *assertions; /* NULL: there is no service to tell anything */
	struct throttle *throttle;
	struct proofs *proofs;
	struct secret cursor_key, fingerprint_key, ticket_key;
	struct list askers;
	struct list waiting; /* logins whose password is not being hashed yet */
	struct list running; /* logins whose password is with a thread */
	unsigned waiting_count, running_count;
	struct store_mark mark;
	int64_t told; /* the last revocation that workers were told, but those that are behind */
	struct deferred news; /* tell_news(), at the end of this round of the loop */
	struct event_sender events;
	uv_timer_t timer, poll;
};

int64_t keeper_now_s(void);

/* keeper.c */
/* A worker that knows of every revocation gets the keys by which it begins to accept. */
void keeper_welcome(struct asker *a);

/* keeper_answer.c */
/* Answers at once, or hands a password to login.c. */
void keeper_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask);
/* Takes NULL: the worker is gone. */
void keeper_send(const struct asker *a, uint64_t id, const struct answer *answer);
void keeper_send_wait(const struct asker *a, uint64_t id, unsigned wait_s, const char *reason);
/* What issuer_answer() and its like gave. */
void keeper_send_reply(const struct asker *a, uint64_t id, struct err e, const struct reply *r);
/* When keeper has no local issuer. */
void keeper_send_failed(const struct asker *a, uint64_t id, const char *reason);

/* keeper_tell.c */
/* Revocations from a->told on, as many as its channel takes now; tell_news() goes on. Behind the
 * last of them a new worker is welcomed. */
struct err tell_revoked(struct keeper *k, struct asker *a);
/* What is new in the store: revocations to all workers, events to the ledger. Not from inside a
 * worker's question: it may drop workers. */
void tell_news(struct keeper *k);
void ledger_attach(struct keeper *k, int fd);

/* login.c */
/* Answers at once, or when the password has been checked. */
void login_ask(struct keeper *k, struct asker *a, uint64_t id, const struct ask *ask);
/* The worker is gone: its answers go nowhere. */
void login_forget(struct keeper *k, const struct asker *a);

#endif
