/* fetcher.h - the parts of the fetcher process, for its own files. */
#ifndef PROCESS_FETCHER_H
#define PROCESS_FETCHER_H

#include "base/secret.h"
#include "fetch/http_client.h"
#include "fetch/schedule.h"
#include "identity/fetch.h"
#include "process/role.h"
#include "process/sandbox.h"

struct fetcher;
struct telemetry_export;

/* A worker, as fetcher sees it: it is told of every origin, and asks. */
struct follower {
	struct list node;
	struct fetcher *fetcher;
	struct channel *channel;
};

/* Where keys come from: one source of identity/fetch.h. */
struct origin {
	struct list node;
	struct fetcher *fetcher;
	struct buf url;   /* owned, with a NUL behind it */
	bool is_used;     /* by the configuration; while it is read */
	bool is_metadata; /* else the key set itself */
	struct schedule schedule;
	struct http_exchange *exchange;
	struct buf keys; /* owned: the set as workers get it */
	struct buf token_endpoint, authorization_endpoint, end_session_endpoint; /* owned */
	struct buf refused; /* owned: bad keys of the last set, as they were logged */
	struct buf failure; /* owned: why the last try failed; empty: it did not */
	struct list waiters;
};

/* What fetcher reads while it runs. */
struct files {
	const char *at[SANDBOX_PATHS_MAX]; /* borrowed from the settings, or literals */
	size_t count;
};

struct fetcher {
	struct start *start;
	struct http_client *http;
	struct files files;
	uint64_t started_us;
	struct list followers;
	struct list origins;
	uv_timer_t timer;     /* of the origins */
	struct list queues;   /* of each issuer: questions to be asked there */
	struct deferred next; /* begins those that wait */
	struct list graph_tokens;
	struct telemetry_export *telemetry; /* owned; fetcher_telemetry.h */
};

/* fetcher.c */
/* A worker that does not read is lost on its channel. */
void fetcher_send(struct follower *w, enum fetch_message type, uint64_t id, const struct buf *body);
void fetcher_answer(struct follower *w, uint64_t id, const struct fetch_answer *answer);
/* Something failed: when a file that we may read was replaced by another (a new secret, new
 * certificates, new name servers), this process ends and is started again with it. */
void fetcher_check_files(struct fetcher *f);

/* fetcher_origin.c */
struct err origins_init(struct fetcher *f);
/* The configuration was read: origins that stay keep their keys. */
struct err origins_set(struct fetcher *f);
void origins_done(struct fetcher *f);
/* What a new worker has to know. */
void origins_tell(struct fetcher *f, struct follower *w);
/* FETCH_REFRESH */
void origins_refresh(struct fetcher *f, struct follower *w, uint64_t id, struct bytes url);
void origins_forget(struct fetcher *f, const struct follower *w);
/* NULL: there is none of this URL. */
struct origin *origin_find(struct fetcher *f, struct bytes url);

/* fetcher_question.c: FETCH_INTROSPECT, _GROUPS, _CODE */
void questions_init(struct fetcher *f);
/* false: malformed. */
bool questions_ask(struct fetcher *f, struct follower *w, const struct message *m);
void questions_forget(struct fetcher *f, const struct follower *w);
void questions_done(struct fetcher *f);

/* fetcher_files.c */
/* There or not. */
struct err files_of(const struct settings *settings, struct files *ret);
bool files_are_same(const struct files *a, const struct files *b);
/* One that is there, may be read by its mode, and cannot be opened: the sandbox was closed around
 * another. NULL: none. */
const char *files_replaced(const struct files *f);
/* The secret as it is now. ERR_CONFIG: it cannot be read. Empty where there is none. */
struct err files_secret(const struct secret_ref *ref, struct secret *ret);

#endif
