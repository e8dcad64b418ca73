/* Buckets in a shared page: many processes take of them, and some are killed in the middle. */
#include "frontend/quota_table.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { PROCESSES = 4, ROUNDS = 20000, PAGE = 4096 };

static const uint64_t SECOND = 1000000000, START = 5000000000;

/* The page, and what its users say of themselves besides. */
struct shared {
	_Atomic uint64_t taken, inside, most;
	struct quota_table table;
};

static struct shared *
shared_new(void)
{
	void *at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static void
shared_free(struct shared *s)
{
	munmap(s, sizeof *s);
}

static pid_t
run_alone(void (*run)(struct shared *s, unsigned worker), struct shared *s, unsigned worker)
{
	pid_t pid = fork();

	if (pid == 0) {
		run(s, worker);
		_exit(0);
	}
	return pid;
}

static void
run_all(void (*run)(struct shared *s, unsigned worker), struct shared *s)
{
	pid_t pids[PROCESSES];
	int status;

	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = run_alone(run, s, i);
	for (unsigned i = 0; i < PROCESSES; i++)
		CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
}

static _Atomic uint64_t *
bucket(struct shared *s, uint64_t key, uint64_t now_ns)
{
	return &s->table.slots[quota_table_find(&s->table, key, now_ns)].requests_ns;
}

/* Rates */

static void
test_a_burst_goes_through_and_then_what_the_rate_gives(void)
{
	struct shared *s = shared_new();
	const struct quota_rate rate = { .count = 10, .per_s = 1, .burst = 5 };
	_Atomic uint64_t *b = bucket(s, 1, START);
	uint64_t wait = 0;

	for (int i = 0; i < 5; i++)
		CHECK(quota_table_take(b, &rate, START, &wait));
	CHECK(!quota_table_take(b, &rate, START, &wait) && wait == SECOND / 10);
	CHECK(!quota_table_take(b, &rate, START + SECOND / 10 - 1, &wait) && wait == 1);
	CHECK(quota_table_take(b, &rate, START + SECOND / 10, &wait));
	CHECK(!quota_table_take(b, &rate, START + SECOND / 10, &wait));
	/* It fills no higher than the burst. */
	for (int i = 0; i < 5; i++)
		CHECK(quota_table_take(b, &rate, START + 100 * SECOND, &wait));
	CHECK(!quota_table_take(b, &rate, START + 100 * SECOND, &wait));
	shared_free(s);
}

static void
test_rates_of_hours_and_of_microseconds_are_exact(void)
{
	static const struct quota_rate rates[] = { { 1, 3600, 1 },
		                                   { 1000, 3600, 10 },
		                                   { 1000000, 1, 1000 },
		                                   { 3, 1, 1 },
		                                   { UINT32_MAX, 1, UINT32_MAX } };

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		_Atomic uint64_t b = 0;
		uint64_t wait = 0, taken = 0;

		while (taken < 5000 && quota_table_take(&b, &rates[i], START, &wait))
			taken++;
		CHECK(taken == (rates[i].burst < 5000 ? rates[i].burst : 5000));
		if (taken == 5000)
			continue;
		CHECK(wait > 0 && wait <= rates[i].per_s * SECOND / rates[i].count + 1);
		CHECK(quota_table_take(&b, &rates[i], START + wait, &wait));
	}
}

static void
test_what_is_given_back_can_be_taken_again(void)
{
	const struct quota_rate rate = { .count = 1, .per_s = 60, .burst = 1 };
	_Atomic uint64_t b = 0;
	uint64_t wait;

	for (int i = 0; i < 100; i++) {
		CHECK(quota_table_take(&b, &rate, START, &wait));
		CHECK(!quota_table_take(&b, &rate, START, &wait));
		quota_table_give(&b, &rate);
	}
}

static void
test_bytes_that_were_spent_too_early_are_waited_for(void)
{
	const struct quota_rate rate = { .count = 1000, .per_s = 1, .burst = 1000 };
	_Atomic uint64_t b = 0;

	CHECK(quota_table_left(&b, &rate, START) == 1000);
	quota_table_spend(&b, &rate, 400, START);
	CHECK(quota_table_left(&b, &rate, START) == 600);
	CHECK(quota_table_wait_ns(&b, &rate, 600, START) == 0);
	CHECK(quota_table_wait_ns(&b, &rate, 700, START) == SECOND / 10);
	quota_table_spend(&b, &rate, 2600, START);
	CHECK(quota_table_left(&b, &rate, START) == 0);
	CHECK(quota_table_wait_ns(&b, &rate, 1, START) == 2 * SECOND + SECOND / 1000);
	CHECK(quota_table_left(&b, &rate, START + 3 * SECOND) == 1000);
}

enum { BURST = 1000 };

static void
take_many(struct shared *s, unsigned worker)
{
	const struct quota_rate rate = { .count = BURST, .per_s = 1, .burst = BURST };
	uint64_t wait;

	(void)worker;
	for (uint64_t second = 0; second < 3; second++)
		for (int i = 0; i < ROUNDS; i++)
			if (quota_table_take(bucket(s, 77, START + second * SECOND), &rate,
			                     START + second * SECOND, &wait))
				atomic_fetch_add(&s->taken, 1);
}

/* The clock of each runs ahead by itself: all the same, three seconds give three bursts. */
static void
test_processes_together_take_exactly_what_there_is(void)
{
	struct shared *s = shared_new();

	run_all(take_many, s);
	CHECK(atomic_load(&s->taken) == 3 * BURST);
	CHECK(atomic_load(&s->table.claimed) == 1);
	shared_free(s);
}

/* Held at the same time */

enum { PLACES = 3 };

static void
enter_and_leave(struct shared *s, unsigned worker)
{
	uint32_t slot = quota_table_find(&s->table, 5, START);

	for (int i = 0; i < ROUNDS; i++) {
		if (!quota_table_hold(&s->table, slot, worker, PLACES))
			continue;
		uint64_t inside = atomic_fetch_add(&s->inside, 1) + 1;
		uint64_t most = atomic_load(&s->most);
		while (inside > most && !atomic_compare_exchange_weak(&s->most, &most, inside))
			;
		atomic_fetch_add(&s->taken, 1);
		atomic_fetch_sub(&s->inside, 1);
		quota_table_release(&s->table, slot, worker);
	}
}

static void
test_never_more_are_inside_than_there_are_places(void)
{
	struct shared *s = shared_new();
	uint32_t slot = quota_table_find(&s->table, 5, START);

	run_all(enter_and_leave, s);
	CHECK(atomic_load(&s->most) <= PLACES && atomic_load(&s->taken) > 0);
	/* And all of them are there again. */
	for (int i = 0; i < PLACES; i++)
		CHECK(quota_table_hold(&s->table, slot, 0, PLACES));
	CHECK(!quota_table_hold(&s->table, slot, 1, PLACES));
	shared_free(s);
}

static void
enter_for_ever(struct shared *s, unsigned worker)
{
	for (;;)
		enter_and_leave(s, worker);
}

static void
test_what_a_killed_worker_held_is_there_again(void)
{
	struct shared *s = shared_new();
	uint32_t slot = quota_table_find(&s->table, 5, START);

	for (int round = 0; round < 40; round++) {
		uint64_t before = atomic_load(&s->taken);
		pid_t pid = run_alone(enter_for_ever, s, 2);

		while (atomic_load(&s->taken) < before + 50)
			usleep(50);
		CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
		quota_table_forget(&s->table, 2);
		CHECK(atomic_load(&s->table.holding[2]) == 0);
		for (int i = 0; i < PLACES; i++)
			CHECK(quota_table_hold(&s->table, slot, 2, PLACES));
		CHECK(!quota_table_hold(&s->table, slot, 3, PLACES));
		quota_table_forget(&s->table, 2);
	}
	shared_free(s);
}

static void
test_a_limit_counts_the_places_of_all_workers(void)
{
	struct shared *s = shared_new();
	uint32_t slot = quota_table_find(&s->table, 5, START);

	for (unsigned w = 0; w < 10; w++)
		CHECK(quota_table_hold(&s->table, slot, w * 20, 10));
	CHECK(!quota_table_hold(&s->table, slot, 255, 10));
	quota_table_release(&s->table, slot, 60);
	CHECK(quota_table_hold(&s->table, slot, 255, 10));
	shared_free(s);
}

/* Slots */

static uint64_t
neighbour(unsigned i)
{
	return 42 + (uint64_t)i * QUOTA_SLOTS; /* all of them begin to look at the same place */
}

static void
test_an_idle_slot_serves_another_key_and_a_busy_one_does_not(void)
{
	struct shared *s = shared_new();
	const struct quota_rate rate = { .count = 1, .per_s = 1, .burst = 1 };
	uint64_t wait;

	for (unsigned i = 0; i < QUOTA_PROBES; i++)
		CHECK(quota_table_take(bucket(s, neighbour(i), START), &rate, START, &wait));
	CHECK(quota_table_find(&s->table, neighbour(QUOTA_PROBES), START) == QUOTA_NO_SLOT);
	for (unsigned i = 0; i < QUOTA_PROBES; i++)
		CHECK(!quota_table_take(bucket(s, neighbour(i), START), &rate, START, &wait));
	CHECK(atomic_load(&s->table.claimed) == QUOTA_PROBES);

	uint64_t later = START + 2 * SECOND;
	CHECK(quota_table_find(&s->table, neighbour(QUOTA_PROBES), later) != QUOTA_NO_SLOT);
	CHECK(atomic_load(&s->table.claimed) == QUOTA_PROBES);
	shared_free(s);
}

static void
test_a_slot_that_is_held_is_not_taken_over(void)
{
	struct shared *s = shared_new();
	uint32_t slot = quota_table_find(&s->table, neighbour(0), START);

	CHECK(quota_table_hold(&s->table, slot, 9, 1));
	for (unsigned i = 1; i <= QUOTA_PROBES; i++)
		CHECK(quota_table_find(&s->table, neighbour(i), START + SECOND) != slot);
	quota_table_release(&s->table, slot, 9);
	shared_free(s);
}

static void
find_many(struct shared *s, unsigned worker)
{
	(void)worker;
	for (uint64_t key = 1; key < ROUNDS; key++) {
		uint32_t slot = quota_table_find(&s->table, key << 3 | 1, START);
		/* Marks it as in use, and counts who came. */
		if (slot != QUOTA_NO_SLOT) {
			atomic_store(&s->table.slots[slot].bytes_ns, START + SECOND);
			atomic_fetch_add(&s->table.slots[slot].requests_ns, 1);
		}
	}
}

/* Keys whose slot not every process has found. */
static unsigned
count_missed(struct shared *s)
{
	unsigned missed = 0;

	for (uint64_t key = 1; key < ROUNDS; key++) {
		uint32_t slot = quota_table_find(&s->table, key << 3 | 1, START);

		if (slot == QUOTA_NO_SLOT ||
		    atomic_exchange(&s->table.slots[slot].requests_ns, 0) != PROCESSES)
			missed++;
	}
	return missed;
}

/* In the moment in which several see a key for the first time, one of them may find it a place
 * further than the others, once: a slot is not marked as in use before it is found. From then on
 * all find the first. */
static void
test_processes_find_the_same_slot_for_a_key(void)
{
	struct shared *s = shared_new();

	run_all(find_many, s);
	CHECK(count_missed(s) < ROUNDS / 100);
	run_all(find_many, s);
	CHECK(count_missed(s) == 0);
	shared_free(s);
}

static size_t
resident(const struct shared *s)
{
	static unsigned char pages[sizeof(struct shared) / PAGE + 1];
	size_t count = 0;

	if (mincore((void *)(uintptr_t)s, sizeof *s, pages) != 0)
		abort();
	for (size_t i = 0; i < sizeof pages; i++)
		count += pages[i] & 1;
	return count;
}

static void
test_a_table_that_nobody_uses_is_not_there(void)
{
	struct shared *s = shared_new();

	for (unsigned w = 0; w < QUOTA_WORKERS; w++)
		quota_table_forget(&s->table, w);
	CHECK(resident(s) <= 2);
	CHECK(quota_table_find(&s->table, 1, START) != QUOTA_NO_SLOT);
	CHECK(resident(s) <= 4);
	shared_free(s);
}

TESTS(TEST(test_a_burst_goes_through_and_then_what_the_rate_gives),
      TEST(test_rates_of_hours_and_of_microseconds_are_exact),
      TEST(test_what_is_given_back_can_be_taken_again),
      TEST(test_bytes_that_were_spent_too_early_are_waited_for),
      TEST(test_processes_together_take_exactly_what_there_is),
      TEST(test_never_more_are_inside_than_there_are_places),
      TEST(test_what_a_killed_worker_held_is_there_again),
      TEST(test_a_limit_counts_the_places_of_all_workers),
      TEST(test_an_idle_slot_serves_another_key_and_a_busy_one_does_not),
      TEST(test_a_slot_that_is_held_is_not_taken_over),
      TEST(test_processes_find_the_same_slot_for_a_key),
      TEST(test_a_table_that_nobody_uses_is_not_there))
