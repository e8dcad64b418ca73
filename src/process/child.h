/* child.h - one process the supervisor has started. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <sys/types.h>

#include "process/role.h"

struct supervisor;

enum child_state {
	CHILD_STARTING, /* not READY yet */
	CHILD_READY,
	CHILD_DRAINING, /* told to end */
	CHILD_ENDED,    /* reaped; to be started again, or freed */
};

struct child {
	struct list node;
	struct supervisor *supervisor;
	enum role role;
	enum child_state state;
	unsigned slot, generation;
	pid_t pid;
	struct channel *control; /* NULL: it closed its end */
	unsigned index; /* worker: which one of its generation, and so its listening socket */
	unsigned local_issuer; /* see CONTROL_WORKER */
	bool has_services;     /* likewise */
	uint64_t started_us;
	unsigned failures;     /* in a row, each within a second of the start */
	unsigned silent_ticks; /* of the watchdog, since it last answered */
	uv_timer_t timer;      /* ended: until it is started again; draining: until it is killed */
};

/* What a child gets besides its control channel. -1: none. */
struct child_descriptors {
	int config, metrics, http, admin;
};

/* Forks and executes this program in the child's role. *control is our end. */
struct err child_spawn(struct child *c, const struct child_descriptors *fds,
                       const char *config_file, int *ret_control);

/* A sealed memfd that holds the text. */
struct err child_memfd(const char *name, struct bytes text, int *ret);

/* listen.c: a listening socket. */
enum listen_use {
	LISTEN_ALONE,
	LISTEN_SHARED, /* SO_REUSEPORT, one for each worker */
	LISTEN_CHECK,  /* bound only: nobody connects to a socket that is closed at once */
};
struct err listen_open(const struct address *address, enum listen_use use, int *ret);

/* notify.c: tells systemd, when it asked to be told ("READY=1"). */
void notify_systemd(const char *state);

#endif
