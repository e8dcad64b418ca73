/* source.h - when the keys of one issuer are fetched: a state machine without a clock, a socket or
 * a byte of what is fetched. The time is passed in.
 *
 * Durations go by the monotonic clock, so a wall clock that is set changes none of them. But a wall
 * clock that moved by itself may also mean that the machine slept: then keys are as old as it says,
 * and are asked for at once. */
#ifndef FETCH_SOURCE_H
#define FETCH_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SOURCE_RETRY_FIRST_S = 1,
	SOURCE_RETRY_MAX_S = 60,
	SOURCE_JUMP_S = 60, /* clocks that part by more have been set, or slept */
};

struct moment {
	uint64_t mono_us;
	int64_t wall_s;
};

struct source_limits {
	unsigned cooldown_s; /* at most one refresh for an unknown key in this time */
	unsigned stale_s;    /* how long keys serve after the last good answer */
};

struct source {
	struct source_limits limits;
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
void source_init(struct source *s, struct source_limits limits, struct moment now);
/* A new configuration: keys that are there serve as long as it says, from the last good answer. */
void source_limit(struct source *s, struct source_limits limits);

enum source_step {
	SOURCE_REST,  /* nothing to do */
	SOURCE_FETCH, /* it is time: begin, and say how it went */
	SOURCE_DROP,  /* the keys are too old: take them away. Said once */
};
/* Called when time has passed. SOURCE_DROP comes before SOURCE_FETCH. *ret_jumped: the clocks
 * parted; what others were told by the wall clock is to be told again. */
enum source_step source_pass(struct source *s, struct moment now, bool *ret_jumped);

enum source_asked {
	SOURCE_NOTHING_NEWER, /* answer now: in the cool-down, or it failed and rests */
	SOURCE_WAIT,          /* answer when the fetch under way has ended */
	SOURCE_BEGIN,         /* fetch now, then answer */
};
/* A token names a key that is not in the set. */
enum source_asked source_ask(struct source *s, struct moment now);

/* How a fetch ended. `fresh_s`: until the next one. */
void source_succeed(struct source *s, unsigned fresh_s, struct moment now);
/* `retry_after_s`: 0, or what the provider asked for. `random`: any number, so that many that
 * failed together do not come back together. */
void source_fail(struct source *s, unsigned retry_after_s, uint32_t random, struct moment now);

/* When source_pass() has something to do again; never while asking without keys. */
uint64_t source_next_us(const struct source *s);
/* Seconds until the next try, at least 1. */
uint32_t source_retry_s(const struct source *s, struct moment now);
/* By the wall clock of now: when the keys end. */
int64_t source_stale_s(const struct source *s, struct moment now);

#endif
