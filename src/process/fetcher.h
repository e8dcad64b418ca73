/* fetcher.h - the parts of the fetcher process, for its own files. */
#ifndef PROCESS_FETCHER_H
#define PROCESS_FETCHER_H

#include "identity/fetch.h"
#include "process/role.h"

struct fetcher;

/* A worker, as fetcher sees it: it is told of every source. */
struct follower {
	struct list node;
	struct fetcher *fetcher;
	struct channel *channel;
};

struct fetcher {
	struct start *start;
	struct list followers;
};

/* A worker that does not read is lost on its channel. */
void fetcher_answer(struct follower *w, uint64_t id, const struct fetch_answer *answer);

#endif
