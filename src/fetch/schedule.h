/* schedule.h - when the keys of one issuer are fetched: a state machine without a clock, a socket
 * or a byte of what is fetched. The time is passed in.
 *
 * Durations go by the monotonic clock, so a wall clock that is set changes none of them. But a wall
 * clock that moved by itself may also mean that the machine slept: then keys are as old as it says,
 * and are asked for at once. */
#ifndef FETCH_SCHEDULE_H
#define FETCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SCHEDULE_RETRY_FIRST_S = 1,
	SCHEDULE_RETRY_MAX_S = 60,
	SCHEDULE_JUMP_S = 60, /* clocks that part by more have been set, or slept */
};

struct moment {
	uint64_t mono_us;
	int64_t wall_s;
};

struct schedule_limits {
	unsigned cooldown_s; /* at most one refresh for an unknown key in this time */
	unsigned stale_s;    /* how long keys serve after the last good answer */
};

struct schedule {
	struct schedule_limits limits;
	struct moment seen; /* last */
	uint64_t due_us;    /* the next try */
	uint64_t cool_us;   /* until then nobody else has it refreshed */
	bool is_asking;
	bool has_keys;
	unsigned failures; /* in a row */
	uint64_t stale_us; /* has_keys: when they end, by either clock */
	int64_t stale_wall_s;
};

/* Due at once. */
void schedule_init(struct schedule *s, struct schedule_limits limits, struct moment now);
/* A new configuration: keys that are there serve as long as it says, from the last good answer. */
void schedule_limit(struct schedule *s, struct schedule_limits limits);

enum schedule_step {
	SCHEDULE_REST,  /* nothing to do */
	SCHEDULE_FETCH, /* it is time: begin, and say how it went */
	SCHEDULE_DROP,  /* the keys are too old: take them away. Said once */
};
/* Called when time has passed. SCHEDULE_DROP comes before SCHEDULE_FETCH. *ret_jumped: the clocks
 * parted; what others were told by the wall clock is to be told again. */
enum schedule_step schedule_pass(struct schedule *s, struct moment now, bool *ret_jumped);

enum schedule_asked {
	SCHEDULE_NOTHING_NEWER, /* answer now: in the cool-down, or it failed and rests */
	SCHEDULE_WAIT,          /* answer when the fetch under way has ended */
	SCHEDULE_BEGIN,         /* fetch now, then answer */
};
/* A token names a key that is not in the set. */
enum schedule_asked schedule_ask(struct schedule *s, struct moment now);

/* How a fetch ended. `fresh_s`: until the next one, but half of `stale_s` at most. */
void schedule_succeed(struct schedule *s, unsigned fresh_s, struct moment now);
/* `retry_after_s`: 0, or what the provider asked for. `random`: any number, so that many that
 * failed together do not come back together. */
void schedule_fail(struct schedule *s, unsigned retry_after_s, uint32_t random, struct moment now);

/* When schedule_pass() has something to do again; never while asking without keys. */
uint64_t schedule_next_us(const struct schedule *s);
/* Seconds until the next try, at least 1. */
uint32_t schedule_retry_s(const struct schedule *s, struct moment now);
/* By the wall clock of now: when the keys end. */
int64_t schedule_stale_s(const struct schedule *s, struct moment now);

#endif
