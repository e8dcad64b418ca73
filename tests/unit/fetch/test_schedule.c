/* Every transition of a source, with a clock of our own. */
#include "fetch/schedule.h"

#include "base/macros.h"
#include "test.h"

enum { COOLDOWN_S = 30, STALE_S = 86400, FRESH_S = 3600 };

static const struct schedule_limits limits = { COOLDOWN_S, STALE_S };
static const struct moment begin = { 1000000000, 1800000000 };

/* Both clocks go on. */
static struct moment
later(struct moment m, uint64_t seconds)
{
	return (struct moment){ m.mono_us + seconds * 1000000, m.wall_s + (int64_t)seconds };
}

static struct moment
set(struct moment m, int64_t seconds)
{
	return (struct moment){ m.mono_us, m.wall_s + seconds };
}

static enum schedule_step
pass(struct schedule *s, struct moment now)
{
	bool has_jumped;
	return schedule_pass(s, now, &has_jumped);
}

static struct schedule
with_keys(struct moment now)
{
	struct schedule s;

	schedule_init(&s, limits, now);
	CHECK(pass(&s, now) == SCHEDULE_FETCH);
	schedule_succeed(&s, FRESH_S, now);
	return s;
}

static void
test_a_new_one_is_fetched_at_once_and_once(void)
{
	struct schedule s;

	schedule_init(&s, limits, begin);
	CHECK(!s.has_keys);
	CHECK(schedule_next_us(&s) == begin.mono_us);
	CHECK(pass(&s, begin) == SCHEDULE_FETCH);
	CHECK(pass(&s, begin) == SCHEDULE_REST);
	CHECK(pass(&s, later(begin, 100000)) == SCHEDULE_REST);
	CHECK(schedule_next_us(&s) == UINT64_MAX);
	CHECK(schedule_ask(&s, begin) == SCHEDULE_WAIT);
}

static void
test_fresh_keys_rest_until_they_are_due(void)
{
	struct schedule s = with_keys(begin);

	CHECK(s.has_keys);
	CHECK(schedule_next_us(&s) == later(begin, FRESH_S).mono_us);
	CHECK(pass(&s, later(begin, FRESH_S - 1)) == SCHEDULE_REST);
	CHECK(pass(&s, later(begin, FRESH_S)) == SCHEDULE_FETCH);
	CHECK(s.has_keys);
}

/* Entra says a day, which is how long keys serve. */
static void
test_keys_are_renewed_long_before_they_end(void)
{
	struct schedule s = with_keys(begin);

	schedule_succeed(&s, STALE_S, begin);
	CHECK(pass(&s, later(begin, STALE_S / 2 - 1)) == SCHEDULE_REST);
	CHECK(pass(&s, later(begin, STALE_S / 2)) == SCHEDULE_FETCH);
	/* The configuration wants them for ten minutes only. */
	s = with_keys(begin);
	schedule_limit(&s, (struct schedule_limits){ COOLDOWN_S, 600 });
	CHECK(pass(&s, later(begin, 299)) == SCHEDULE_REST);
	CHECK(pass(&s, later(begin, 300)) == SCHEDULE_FETCH);
	schedule_succeed(&s, FRESH_S, later(begin, 300));
	CHECK(pass(&s, later(begin, 600)) == SCHEDULE_FETCH && s.has_keys);
	/* After a failure its own pace counts. */
	schedule_fail(&s, 0, 0, later(begin, 600));
	schedule_limit(&s, limits);
	CHECK(schedule_retry_s(&s, later(begin, 600)) == 1);
}

static void
test_an_unknown_key_refreshes_once_per_cool_down(void)
{
	struct schedule s = with_keys(begin);
	struct moment now = later(begin, 1);

	CHECK(schedule_ask(&s, now) == SCHEDULE_BEGIN);
	CHECK(schedule_ask(&s, now) == SCHEDULE_WAIT);
	CHECK(pass(&s, now) == SCHEDULE_REST);
	schedule_succeed(&s, FRESH_S, now);
	CHECK(schedule_ask(&s, now) == SCHEDULE_NOTHING_NEWER);
	CHECK(schedule_ask(&s, later(now, COOLDOWN_S - 1)) == SCHEDULE_NOTHING_NEWER);
	CHECK(schedule_ask(&s, later(now, COOLDOWN_S)) == SCHEDULE_BEGIN);
}

/* Keys that changed just after they were fetched by schedule: the token with the new one is not to
 * wait for a cool-down that nobody began. */
static void
test_a_scheduled_fetch_begins_no_cool_down(void)
{
	struct schedule s = with_keys(begin);

	CHECK(schedule_ask(&s, begin) == SCHEDULE_BEGIN);
}

static void
test_a_failure_is_tried_again_later_and_later(void)
{
	static const unsigned waits_s[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };
	struct schedule s = with_keys(begin);
	struct moment now = later(begin, FRESH_S);

	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		CHECK(pass(&s, now) == SCHEDULE_FETCH);
		schedule_fail(&s, 0, 0, now);
		CHECK(schedule_retry_s(&s, now) == waits_s[i]);
		CHECK(schedule_ask(&s, now) == SCHEDULE_NOTHING_NEWER);
		CHECK(pass(&s, later(now, waits_s[i] - 1)) == SCHEDULE_REST);
		now = later(now, waits_s[i]);
	}
	CHECK(s.has_keys);
	CHECK(pass(&s, now) == SCHEDULE_FETCH);
	schedule_succeed(&s, FRESH_S, now);
	CHECK(s.failures == 0);
	CHECK(schedule_next_us(&s) == later(now, FRESH_S).mono_us);
}

static void
test_failures_part_from_each_other(void)
{
	struct schedule a, b;

	schedule_init(&a, limits, begin);
	schedule_init(&b, limits, begin);
	schedule_fail(&a, 0, 1, begin);
	schedule_fail(&b, 0, UINT32_MAX, begin);
	CHECK(a.due_us != b.due_us);
	CHECK(a.due_us >= later(begin, 1).mono_us && b.due_us < later(begin, 2).mono_us);
}

static void
test_the_provider_may_ask_for_more_patience_not_less(void)
{
	struct schedule s;

	schedule_init(&s, limits, begin);
	schedule_fail(&s, 300, 0, begin);
	CHECK(schedule_retry_s(&s, begin) == 300);
	CHECK(schedule_ask(&s, later(begin, 299)) == SCHEDULE_NOTHING_NEWER);
	for (int i = 0; i < 6; i++)
		schedule_fail(&s, 1, 0, begin);
	CHECK(schedule_retry_s(&s, begin) == 60);
}

static void
test_after_the_wait_a_question_may_begin_it(void)
{
	struct schedule s;

	schedule_init(&s, limits, begin);
	schedule_fail(&s, 0, 0, begin);
	CHECK(schedule_ask(&s, later(begin, 1)) == SCHEDULE_BEGIN);
}

static void
test_old_keys_are_taken_away_once(void)
{
	struct schedule s = with_keys(begin);
	struct moment end = later(begin, STALE_S);

	CHECK(pass(&s, later(begin, FRESH_S)) == SCHEDULE_FETCH);
	schedule_fail(&s, 0, 0, later(begin, STALE_S - 10));
	CHECK(pass(&s, later(begin, STALE_S - 10)) == SCHEDULE_REST);
	CHECK(schedule_stale_s(&s, later(begin, 100)) == begin.wall_s + STALE_S);
	CHECK(schedule_stale_s(&s, (struct moment){ begin.mono_us + 1, begin.wall_s }) ==
	      begin.wall_s + STALE_S);
	CHECK(pass(&s, end) == SCHEDULE_DROP);
	CHECK(!s.has_keys);
	CHECK(pass(&s, end) == SCHEDULE_FETCH);
	CHECK(pass(&s, end) == SCHEDULE_REST);
}

static void
test_old_keys_are_taken_away_while_asking(void)
{
	struct schedule s = with_keys(begin);

	CHECK(pass(&s, later(begin, FRESH_S)) == SCHEDULE_FETCH);
	CHECK(schedule_next_us(&s) == later(begin, STALE_S).mono_us);
	CHECK(pass(&s, later(begin, STALE_S)) == SCHEDULE_DROP);
	schedule_succeed(&s, FRESH_S, later(begin, STALE_S + 1));
	CHECK(s.has_keys);
}

/* The wall clock was set by ten minutes: no duration changes, but keys are asked for and told
 * again, because workers judge their end by it. */
static void
test_a_clock_set_either_way_is_noticed(void)
{
	static const int64_t steps_s[] = { 600, -600, 3 * 86400, -3 * 86400 };

	for (size_t i = 0; i < ARRAY_LEN(steps_s); i++) {
		struct schedule s = with_keys(begin);
		struct moment now = set(later(begin, 5), steps_s[i]);
		bool has_jumped = false;
		enum schedule_step step = schedule_pass(&s, now, &has_jumped);

		CHECK(has_jumped);
		if (step == SCHEDULE_DROP) /* it may as well have slept for three days */
			step = schedule_pass(&s, now, &has_jumped);
		CHECK(step == SCHEDULE_FETCH);
		CHECK(s.has_keys == (steps_s[i] < STALE_S));
		if (s.has_keys)
			CHECK(schedule_stale_s(&s, now) <= now.wall_s + STALE_S);
		CHECK(schedule_pass(&s, later(now, 1), &has_jumped) == SCHEDULE_REST);
		CHECK(!has_jumped);
	}
}

static void
test_a_clock_set_back_makes_keys_no_older_nor_younger(void)
{
	struct schedule s = with_keys(begin);
	struct moment now = set(later(begin, 1000), -36000);

	CHECK(schedule_stale_s(&s, now) == now.wall_s + STALE_S - 1000);
	CHECK(pass(&s, now) == SCHEDULE_FETCH);
	schedule_fail(&s, 0, 0, now);
	CHECK(pass(&s, set(later(begin, STALE_S), -36000)) == SCHEDULE_DROP);
}

static void
test_a_clock_that_drifts_is_no_jump(void)
{
	struct schedule s = with_keys(begin);
	bool has_jumped;

	CHECK(schedule_pass(&s, set(later(begin, 5), 2), &has_jumped) == SCHEDULE_REST);
	CHECK(!has_jumped);
}

/* A provider that asked for patience gets it, whatever the clock does. */
static void
test_a_jump_does_not_end_the_wait_after_a_failure(void)
{
	struct schedule s;
	bool has_jumped;

	schedule_init(&s, limits, begin);
	schedule_fail(&s, 300, 0, begin);
	CHECK(schedule_pass(&s, set(later(begin, 5), 600), &has_jumped) == SCHEDULE_REST);
	CHECK(has_jumped);
}

static void
test_a_new_configuration_counts_from_the_last_answer(void)
{
	struct schedule s = with_keys(begin);
	const struct schedule_limits shorter = { 5, 3600 }, longer = { 60, 2 * 86400 };
	struct moment now = later(begin, 1800);

	schedule_limit(&s, shorter);
	CHECK(schedule_stale_s(&s, now) == begin.wall_s + 3600);
	CHECK(pass(&s, later(begin, 3600)) == SCHEDULE_DROP);

	s = with_keys(begin);
	schedule_limit(&s, longer);
	CHECK(schedule_stale_s(&s, now) == begin.wall_s + 2 * 86400);
	CHECK(schedule_ask(&s, now) == SCHEDULE_BEGIN);
	schedule_succeed(&s, FRESH_S, now);
	CHECK(schedule_ask(&s, later(now, 59)) == SCHEDULE_NOTHING_NEWER);
	schedule_limit(&s, shorter);
	CHECK(schedule_ask(&s, later(now, 59)) == SCHEDULE_BEGIN);
}

static void
test_retry_is_never_nought(void)
{
	struct schedule s;

	schedule_init(&s, limits, begin);
	CHECK(schedule_retry_s(&s, begin) == 1);
	CHECK(pass(&s, begin) == SCHEDULE_FETCH);
	CHECK(schedule_retry_s(&s, later(begin, 100)) == 1);
	schedule_fail(&s, 0, 0, begin);
	CHECK(schedule_retry_s(&s, later(begin, 50)) == 1);
}

TESTS(TEST(test_a_new_one_is_fetched_at_once_and_once),
      TEST(test_fresh_keys_rest_until_they_are_due),
      TEST(test_keys_are_renewed_long_before_they_end),
      TEST(test_an_unknown_key_refreshes_once_per_cool_down),
      TEST(test_a_scheduled_fetch_begins_no_cool_down),
      TEST(test_a_failure_is_tried_again_later_and_later), TEST(test_failures_part_from_each_other),
      TEST(test_the_provider_may_ask_for_more_patience_not_less),
      TEST(test_after_the_wait_a_question_may_begin_it), TEST(test_old_keys_are_taken_away_once),
      TEST(test_old_keys_are_taken_away_while_asking), TEST(test_a_clock_set_either_way_is_noticed),
      TEST(test_a_clock_set_back_makes_keys_no_older_nor_younger),
      TEST(test_a_clock_that_drifts_is_no_jump),
      TEST(test_a_jump_does_not_end_the_wait_after_a_failure),
      TEST(test_a_new_configuration_counts_from_the_last_answer), TEST(test_retry_is_never_nought))
