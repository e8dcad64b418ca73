/* quota_table.c - see quota_table.h. */
#include "frontend/quota_table.h"

enum { HOLD_TRIES = 8 };

static const uint64_t SECOND_NS = 1000000000;

/* Held at the same time */

static unsigned
held_by_all(const struct quota_table *t, uint32_t slot)
{
	uint32_t workers = atomic_load(&t->workers);
	unsigned sum = 0;

	for (uint32_t w = 0; w < workers && w < QUOTA_WORKERS; w++)
		sum += atomic_load(&t->held[w][slot]);
	return sum;
}

static void
use_row(struct quota_table *t, unsigned worker)
{
	uint32_t workers = atomic_load(&t->workers);

	while (workers <= worker &&
	       !atomic_compare_exchange_weak(&t->workers, &workers, worker + 1))
		;
}

/* `holding` is never less than its row, whenever this process is killed. */
static void
add(struct quota_table *t, uint32_t slot, unsigned worker)
{
	atomic_fetch_add(&t->holding[worker], 1);
	atomic_fetch_add(&t->held[worker][slot], 1);
}

void
quota_table_release(struct quota_table *t, uint32_t slot, unsigned worker)
{
	atomic_fetch_sub(&t->held[worker][slot], 1);
	atomic_fetch_sub(&t->holding[worker], 1);
}

/* Two that reach for the last place see each other and both step back, so each tries again: never
 * is one too many let in. Who finds no place writes nothing, and so is in nobody's way. */
bool
quota_table_hold(struct quota_table *t, uint32_t slot, unsigned worker, unsigned limit)
{
	use_row(t, worker);
	for (unsigned i = 0; i < HOLD_TRIES && held_by_all(t, slot) < limit; i++) {
		if (atomic_load(&t->held[worker][slot]) == UINT16_MAX)
			return false;
		add(t, slot, worker);
		if (held_by_all(t, slot) <= limit)
			return true;
		quota_table_release(t, slot, worker);
	}
	return false;
}

void
quota_table_forget(struct quota_table *t, unsigned worker)
{
	if (atomic_load(&t->holding[worker]) == 0)
		return; /* its row may never have been touched */
	for (uint32_t i = 0; i < QUOTA_SLOTS; i++)
		if (atomic_load(&t->held[worker][i]) != 0)
			atomic_store(&t->held[worker][i], 0);
	atomic_store(&t->holding[worker], 0);
}

/* Slots */

static bool
is_idle(const struct quota_table *t, uint32_t slot, uint64_t now_ns)
{
	const struct quota_slot *s = &t->slots[slot];

	return atomic_load(&s->requests_ns) <= now_ns && atomic_load(&s->bytes_ns) <= now_ns &&
	       held_by_all(t, slot) == 0;
}

bool
quota_table_is_owner(const struct quota_table *t, uint32_t slot, uint64_t key)
{
	return atomic_load(&t->slots[slot].key) == key;
}

/* The former owner's slot becomes nobody's first. When somebody took of it in this very moment, he
 * sees that it is no longer his, or we see that it is not idle, and give it back. */
static bool
take_over(struct quota_table *t, uint32_t slot, uint64_t now_ns)
{
	_Atomic uint64_t *at = &t->slots[slot].key;
	uint64_t former = atomic_load(at), nobody = 0;

	if (former == 0)
		return true;
	if (!is_idle(t, slot, now_ns) || !atomic_compare_exchange_strong(at, &former, 0))
		return false;
	if (is_idle(t, slot, now_ns)) {
		atomic_fetch_sub(&t->claimed, 1);
		return true;
	}
	if (!atomic_compare_exchange_strong(at, &nobody, former))
		atomic_fetch_sub(&t->claimed, 1);
	return false;
}

static bool
claim(struct quota_table *t, uint32_t slot, uint64_t key, uint64_t now_ns)
{
	uint64_t nobody = 0;

	if (!take_over(t, slot, now_ns) ||
	    !atomic_compare_exchange_strong(&t->slots[slot].key, &nobody, key))
		return false;
	atomic_fetch_add(&t->claimed, 1);
	return true;
}

static uint32_t
probe(uint64_t key, uint32_t i)
{
	return (uint32_t)((key + i) % QUOTA_SLOTS);
}

/* The first of `count` probes that is the key's. */
static uint32_t
look(const struct quota_table *t, uint64_t key, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (quota_table_is_owner(t, probe(key, i), key))
			return probe(key, i);
	return QUOTA_NO_SLOT;
}

uint32_t
quota_table_find(struct quota_table *t, uint64_t key, uint64_t now_ns)
{
	uint32_t found = look(t, key, QUOTA_PROBES);

	for (uint32_t i = 0; found == QUOTA_NO_SLOT && i < QUOTA_PROBES; i++) {
		if (!claim(t, probe(key, i), key, now_ns)) {
			/* Another worker may have claimed it for the same key. */
			found = look(t, key, i + 1);
			continue;
		}
		/* Or one before it, while we looked at this one: the first counts. */
		found = look(t, key, i + 1);
	}
	return found;
}

/* Rates */

/* How long `count` of a rate take, in nanoseconds; saturates. */
static uint64_t
time_of(const struct quota_rate *rate, uint64_t count)
{
	__extension__ typedef unsigned __int128 wide;
	wide ns = (wide)count * rate->per_s * SECOND_NS / rate->count;

	return ns > UINT64_MAX / 4 ? UINT64_MAX / 4 : (uint64_t)ns;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool
quota_table_take(_Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t now_ns,
                 uint64_t *ret_wait_ns)
{
	uint64_t before = atomic_load(full_ns), after;
	uint64_t one = time_of(rate, 1), end = now_ns + time_of(rate, rate->burst);

	do {
		after = later(before, now_ns) + one;
		if (after > end) {
			*ret_wait_ns = after - end;
			return false;
		}
	} while (!atomic_compare_exchange_weak(full_ns, &before, after));
	return true;
}

void
quota_table_give(_Atomic uint64_t *full_ns, const struct quota_rate *rate)
{
	atomic_fetch_sub(full_ns, time_of(rate, 1));
}

uint64_t
quota_table_left(const _Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t now_ns)
{
	uint64_t full = later(atomic_load(full_ns), now_ns);
	uint64_t end = now_ns + time_of(rate, rate->burst);
	__extension__ typedef unsigned __int128 wide;

	if (full >= end)
		return 0;
	return (uint64_t)((wide)(end - full) * rate->count / rate->per_s / SECOND_NS);
}

void
quota_table_spend(_Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t count,
                  uint64_t now_ns)
{
	uint64_t before = atomic_load(full_ns), cost = time_of(rate, count);

	while (!atomic_compare_exchange_weak(full_ns, &before, later(before, now_ns) + cost))
		;
}

uint64_t
quota_table_wait_ns(const _Atomic uint64_t *full_ns, const struct quota_rate *rate, uint64_t count,
                    uint64_t now_ns)
{
	uint64_t full = later(atomic_load(full_ns), now_ns) + time_of(rate, count);
	uint64_t end = now_ns + time_of(rate, rate->burst);

	return full > end ? full - end : 0;
}
