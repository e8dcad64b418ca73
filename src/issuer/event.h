/* event.h - what happened to users, clients, keys and tokens that is no request: kept in the state
 * store, in the transaction of the change, until the ledger has it. */
#ifndef ISSUER_EVENT_H
#define ISSUER_EVENT_H

#include "issuer/issuer.h"

/* All borrowed. */
struct event {
	int64_t id;                 /* grows */
	struct bytes decision;      /* ULID: the same however often it is sent */
	struct bytes action;        /* noun.verb: "user.disable", "key.rotate" */
	struct bytes issuer;        /* name in the configuration; when added empty: the local one */
	struct bytes subject, name; /* whom or what it is about */
	struct bytes reason;
};

/* In the caller's transaction, or alone. id and decision are made. */
struct err event_add(struct issuer_store *s, const struct event *e);
typedef void event_fn(void *of, const struct event *e);
/* Those after the row `after`, oldest first, at most `most`. */
struct err event_read_after(struct issuer_store *s, int64_t after, unsigned most, event_fn *each,
                            void *of);
/* All up to this one are in the audit log. */
struct err event_delete_to(struct issuer_store *s, int64_t id);

#endif
