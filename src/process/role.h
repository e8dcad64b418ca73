/* role.h - the processes of the program, and what each is started with.
 *
 * The supervisor starts this same program again as "gatewarden @worker SLOT GENERATION" (@keeper,
 * @ledger, @fetcher): a fresh address space, nothing inherited but the descriptors below and the
 * environment.
 */
#ifndef PROCESS_ROLE_H
#define PROCESS_ROLE_H

#include "config/config.h"
#include "frontend/metrics.h"
#include "io/channel.h"

enum role { ROLE_WORKER, ROLE_KEEPER, ROLE_LEDGER, ROLE_FETCHER, ROLE_COUNT };

/* Descriptors a child finds open. */
enum {
	FD_CONTROL = 3, /* channel to the supervisor */
	FD_CONFIG,      /* memfd: the configuration's text */
	FD_METRICS,     /* memfd: struct metrics */
	FD_HTTP,        /* worker: its listening socket */
	FD_ADMIN,       /* worker: the admin listener, shared by all; may be absent */
};

/* Control messages. */
enum control_message {
	CONTROL_KEEPER = 1, /* to a worker: fd of its channel to keeper */
	CONTROL_LEDGER,     /* to a worker or keeper: fd of its channel to the ledger */
	CONTROL_FETCHER,    /* to a worker: fd of its channel to fetcher */
	CONTROL_WORKER,     /* to keeper, ledger or fetcher: fd of a channel to worker `id` (to the
	                     * ledger also SLOT_KEEPER); body: u32le, where its configuration has the
	                     * local issuer (ISSUER_NONE: it has none); u8, has it services to be
	                     * told of callers */
	CONTROL_CONFIG,     /* to keeper and fetcher: fd of a new configuration */
	CONTROL_ACCEPT,     /* to a worker: begin to accept connections */
	CONTROL_DRAIN, /* to a worker: accept no more, finish, end. id 1: a new generation is there,
	                * which idle connections are to be handed to */
	CONTROL_ADOPT, /* from a draining worker, on to a new one: fd of an idle connection. id 1:
	                * to the admin listener */
	CONTROL_STOP,  /* to keeper, ledger, fetcher: end */
	CONTROL_READY, /* from a child: at work */
	CONTROL_PING,  /* to a child: to be answered with */
	CONTROL_PONG,
};

enum { ISSUER_NONE = UINT16_MAX };
/* Index of the issuer of type local, or ISSUER_NONE. */
unsigned role_local_issuer(const struct settings *settings);
/* Is there anything to fetch (keys, groups, introspection, a browser login elsewhere), or a
 * collector to tell? */
bool role_needs_fetcher(const struct settings *settings);

/* What the ledger calls keeper, which has records of its own: no worker's number. */
enum { SLOT_KEEPER = METRICS_WORKERS_MAX };

/* Everything a child starts with. */
struct start {
	enum role role;
	unsigned slot, generation;
	const char *version;     /* of the program */
	const char *config_file; /* for messages and relative paths */
	struct arena arena;      /* owns settings */
	const struct settings *settings;
	struct metrics *metrics;
	struct loop *loop;
	struct channel *control;
};

const char *role_name(enum role r);

/* The part of main() for a child: reads its descriptors and settings, then runs the role. Exit
 * status. */
int role_main(int argc, char **argv, const char *version);

/* Each runs until it is told to stop. Returns an exit status: 0, or 2 when it cannot run as
 * configured. */
int worker_main(struct start *s);
int keeper_main(struct start *s);
int ledger_main(struct start *s);
int fetcher_main(struct start *s);

/* A configuration out of a memfd. */
struct err role_read_config(int fd, const char *file, struct arena *arena,
                            const struct settings **ret);

#endif
