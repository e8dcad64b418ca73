/* clock.c - see clock.h. */
#include "base/clock.h"

#include <time.h>

static int64_t
now_us(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t); /* cannot fail for these two clocks */
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t
clock_monotonic_us(void)
{
	return (uint64_t)now_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}
