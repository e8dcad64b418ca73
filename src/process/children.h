/* children.h - the processes the supervisor keeps, and what it knows of itself: for its own files.
 */
#ifndef PROCESS_CHILDREN_H
#define PROCESS_CHILDREN_H

#include "process/child.h"
#include "process/generation.h"

enum { KILL_GRACE_MS = 5000 }; /* after the time to drain */

struct supervisor {
	struct loop loop;
	const char *config_file;
	struct metrics *metrics;
	int metrics_fd;
	struct generation *current;
	struct generation *next; /* being started by a reload */
	unsigned generations;    /* made so far */
	struct list children;
	uv_signal_t signals[4];
	uv_timer_t reload_timer, kill_timer, watchdog, renewal;
	uint64_t certificates_tried; /* certificates_seen() that a reload has had its chance with */
	uint64_t certificates_changed; /* at the last look */
	bool is_stopping, has_announced;
	bool is_reload_wanted; /* asked for while it starts: done as soon as it has started */
	int status;
};

/* NULL: there is none. For the roles there is one of; not the one that is ending. */
struct child *find_child(struct supervisor *s, enum role role);
/* Workers of a generation in a state. */
unsigned count_workers(const struct supervisor *s, const struct generation *g,
                       enum child_state state);

/* Adds a child to the list, and starts it. `index`: which worker of its generation. */
struct err add_child(struct supervisor *s, enum role role, const struct generation *g,
                     unsigned index);
/* Starts one that has ended again, after a wait that grows with its failures. */
void retry_later(struct child *c);
/* To finish what it does, and end; killed when it does not. `g` says how long it may take. */
void drain_child(struct child *c, const struct generation *g, bool has_successor);
/* One that has ended. */
void free_child(struct child *c);
/* A process that takes no messages is logged, and no more. */
void tell(struct child *c, enum control_message type, uint64_t id);

/* supervisor.c: what a child says. */
void on_control(void *of, struct channel *channel, const struct message *m);

#endif
