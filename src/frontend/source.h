/* source.h - where keys of issuers come from, as this worker knows it: what fetcher has told of
 * each source, and who waits until its keys are as new as they can be. */
#ifndef FRONTEND_SOURCE_H
#define FRONTEND_SOURCE_H

#include "frontend/gate.h"

struct source {
	struct gate *gate;
	struct bytes url;           /* issuer_source() of one issuer or more */
	int64_t stale_until_s;      /* of the keys that are here; 0: there are none */
	struct buf parts;           /* owned: of the set that is on its way */
	struct buf keys;            /* owned: the set that is here, as text */
	struct buf told;            /* owned: the last FETCH_STATE */
	struct fetched_state state; /* borrows `told` */
	struct list waiters;        /* requests: one question for all of them */
	struct waiter question;
};

/* One for each source of the settings. */
struct err sources_init(struct gate *g);
void sources_done(struct gate *g);
/* A new fetcher tells everything anew. */
void sources_forget_parts(struct gate *g);

/* NULL: its keys are not fetched. */
struct source *source_of(struct gate *g, unsigned issuer);
/* Are its keys here, and not too old? */
bool source_has_keys(const struct source *s, int64_t now_s);
/* Why not, for the operator. Borrowed until fetcher says something else. */
struct bytes source_why(const struct source *s);

/* Messages of fetcher. */
struct err source_take_keys(struct gate *g, struct bytes body);
struct err source_take_state(struct gate *g, struct bytes body);

/* A token names a key that is not in the set: asks for a newer one. `w` will be woken, with or
 * without FETCH_ANSWER. ERR_UPSTREAM: there is no fetcher. */
struct err source_refresh(struct source *s, struct waiter *w);

#endif
