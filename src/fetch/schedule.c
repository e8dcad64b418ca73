/* schedule.c - see schedule.h. */
#include "fetch/schedule.h"

static uint64_t
us(uint64_t seconds)
{
	return seconds * 1000000;
}

void
schedule_init(struct schedule *s, struct schedule_limits limits, struct moment now)
{
	*s = (struct schedule){ .limits = limits, .seen = now, .due_us = now.mono_us };
}

/* Not later than when half of the keys' time has passed: a document may say that it keeps for a
 * day, which is as long as keys serve, and then they would go before new ones were asked for; and
 * there must be time to try again. */
static void
bound_due(struct schedule *s)
{
	uint64_t latest_us = s->stale_us - us(s->limits.stale_s) / 2;

	if (s->has_keys && s->failures == 0 && s->due_us > latest_us)
		s->due_us = latest_us;
}

void
schedule_limit(struct schedule *s, struct schedule_limits limits)
{
	int64_t more_s = (int64_t)limits.stale_s - (int64_t)s->limits.stale_s;

	if (s->has_keys) {
		s->stale_us += (uint64_t)(more_s * 1000000); /* wraps to what it should be */
		s->stale_wall_s += more_s;
	}
	/* A cool-down that runs is not made longer. */
	if (limits.cooldown_s < s->limits.cooldown_s)
		s->cool_us = 0;
	s->limits = limits;
	bound_due(s);
}

static bool
has_jumped(const struct schedule *s, struct moment now)
{
	int64_t mono_s = (int64_t)((now.mono_us - s->seen.mono_us) / 1000000);
	int64_t parted_s = now.wall_s - s->seen.wall_s - mono_s;

	return parted_s > SCHEDULE_JUMP_S || parted_s < -SCHEDULE_JUMP_S;
}

static bool
is_stale(const struct schedule *s, struct moment now)
{
	return s->has_keys && (now.mono_us >= s->stale_us || now.wall_s >= s->stale_wall_s);
}

enum schedule_step
schedule_pass(struct schedule *s, struct moment now, bool *ret_jumped)
{
	*ret_jumped = has_jumped(s, now);
	s->seen = now;
	if (*ret_jumped && s->failures == 0)
		s->due_us = now.mono_us;
	if (is_stale(s, now)) {
		s->has_keys = false;
		return SCHEDULE_DROP;
	}
	if (s->is_asking || now.mono_us < s->due_us)
		return SCHEDULE_REST;
	s->is_asking = true;
	return SCHEDULE_FETCH;
}

enum schedule_asked
schedule_ask(struct schedule *s, struct moment now)
{
	if (s->is_asking)
		return SCHEDULE_WAIT;
	if (now.mono_us < s->cool_us || (s->failures > 0 && now.mono_us < s->due_us))
		return SCHEDULE_NOTHING_NEWER;
	s->cool_us = now.mono_us + us(s->limits.cooldown_s);
	s->is_asking = true;
	return SCHEDULE_BEGIN;
}

void
schedule_succeed(struct schedule *s, unsigned fresh_s, struct moment now)
{
	s->is_asking = false;
	s->failures = 0;
	s->has_keys = true;
	s->seen = now;
	s->due_us = now.mono_us + us(fresh_s);
	s->stale_us = now.mono_us + us(s->limits.stale_s);
	s->stale_wall_s = now.wall_s + s->limits.stale_s;
	bound_due(s);
}

void
schedule_fail(struct schedule *s, unsigned retry_after_s, uint32_t random, struct moment now)
{
	uint64_t wait_s = SCHEDULE_RETRY_FIRST_S;

	for (unsigned i = 0; i < s->failures && wait_s < SCHEDULE_RETRY_MAX_S; i++)
		wait_s *= 2;
	if (wait_s > SCHEDULE_RETRY_MAX_S)
		wait_s = SCHEDULE_RETRY_MAX_S;
	s->is_asking = false;
	s->failures++;
	if (retry_after_s > wait_s)
		wait_s = retry_after_s;
	/* Between the whole and one and a half times of it. */
	s->due_us = now.mono_us + us(wait_s) + us(wait_s) / 2 * (random % 1024) / 1024;
}

uint64_t
schedule_next_us(const struct schedule *s)
{
	uint64_t next = s->is_asking ? UINT64_MAX : s->due_us;

	return s->has_keys && s->stale_us < next ? s->stale_us : next;
}

uint32_t
schedule_retry_s(const struct schedule *s, struct moment now)
{
	if (s->is_asking || s->due_us <= now.mono_us + us(1))
		return 1;
	return (uint32_t)((s->due_us - now.mono_us + us(1) - 1) / us(1));
}

int64_t
schedule_stale_s(const struct schedule *s, struct moment now)
{
	/* Rounded up: keys that were fetched again never end before those of a moment ago. */
	int64_t left_s = s->stale_us > now.mono_us
	                         ? (int64_t)((s->stale_us - now.mono_us + us(1) - 1) / us(1))
	                         : 0;

	return now.wall_s + left_s < s->stale_wall_s ? now.wall_s + left_s : s->stale_wall_s;
}
