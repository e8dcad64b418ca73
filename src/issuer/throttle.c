/* throttle.c - see issuer.h. Two tables of fixed size, sets of WAYS entries found by a keyed hash,
 * so nobody can choose names that meet in one set.
 *
 * A newcomer that finds its set full does not push out an entry that failed more often: it takes
 * one failure off the weakest, as in counting sketches. To get rid of an entry with 16 failures a
 * flood must land 16 failures of other names in its one set of SETS, each paid with a password
 * hash. What is lost meanwhile is the memory of the flood's own names; the address they come from
 * has its own entry. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/random.h"
#include "issuer/issuer.h"

enum {
	SETS = 1024,
	WAYS = 8,
	FREE_USER = 3,
	FREE_ADDRESS = 10,
	FAILURES_BEYOND_FREE_MAX =
		13, /* remembered, so that quiet time is needed before tries are quick again */
	DELAY_MAX_S = 30,
	FORGET_S = 60, /* one failure less for each */
	ADDRESS_TEXT_MAX = 64,
};

static const uint64_t SECOND_US = 1000000;

struct entry {
	uint64_t hash;
	uint64_t last_us;  /* of the newest failure, monotonic */
	uint32_t failures; /* 0: free */
};

struct table_of_failures {
	struct entry entries[SETS][WAYS];
};

struct throttle {
	uint8_t key[16]; /* SipHash */
	struct table_of_failures users, addresses;
};

struct err
throttle_new(struct throttle **ret)
{
	struct throttle *t = calloc(1, sizeof *t);

	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory for the login throttle");
	random_fill(t->key, sizeof t->key);
	*ret = t;
	return OK;
}

void
throttle_free(struct throttle *t)
{
	free(t);
}

/* An IPv6 subscriber has a whole /64 of addresses; IPv4 written as IPv6 is IPv4. Other text stands
 * for itself. */
static uint64_t
address_hash(const struct throttle *t, struct bytes address)
{
	char text[ADDRESS_TEXT_MAX] = { 0 };
	struct in_addr four;
	struct in6_addr six;

	if (address.len >= sizeof text || address.len == 0)
		return bytes_hash(address, t->key);
	memcpy(text, address.at, address.len);
	if (inet_pton(AF_INET, text, &four) == 1)
		return bytes_hash((struct bytes){ (const uint8_t *)&four, sizeof four }, t->key);
	if (inet_pton(AF_INET6, text, &six) != 1)
		return bytes_hash(address, t->key);
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return bytes_hash((struct bytes){ six.s6_addr + 12, 4 }, t->key);
	return bytes_hash((struct bytes){ six.s6_addr, 8 }, t->key);
}

static struct entry *
set_of(struct table_of_failures *table, uint64_t hash)
{
	return table->entries[hash % SETS];
}

static struct entry *
find(struct table_of_failures *table, uint64_t hash)
{
	struct entry *set = set_of(table, hash);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].failures > 0 && set[i].hash == hash)
			return &set[i];
	return NULL;
}

/* What is left of the failures after the quiet time since. */
static uint32_t
failures_now(const struct entry *e, uint64_t now_us)
{
	uint64_t quiet = now_us > e->last_us ? (now_us - e->last_us) / (FORGET_S * SECOND_US) : 0;

	return quiet >= e->failures ? 0 : e->failures - (uint32_t)quiet;
}

static uint64_t
delay_s(uint32_t failures, uint32_t free_of_charge)
{
	if (failures <= free_of_charge)
		return 0;
	if (failures - free_of_charge > 5)
		return DELAY_MAX_S;
	return UINT64_C(1) << (failures - free_of_charge - 1);
}

static unsigned
entry_wait_s(const struct entry *e, uint32_t free_of_charge, uint64_t now_us)
{
	if (e == NULL)
		return 0;

	uint64_t until_us =
		e->last_us + delay_s(failures_now(e, now_us), free_of_charge) * SECOND_US;

	/* Rounded up: who waits as told is not refused again. */
	return until_us <= now_us ? 0 : (unsigned)((until_us - now_us + SECOND_US - 1) / SECOND_US);
}

unsigned
throttle_wait_s(struct throttle *t, struct bytes user, struct bytes address, uint64_t now_us)
{
	unsigned by_user =
		entry_wait_s(find(&t->users, bytes_hash(user, t->key)), FREE_USER, now_us);
	unsigned by_address = address.len == 0
	                              ? 0
	                              : entry_wait_s(find(&t->addresses, address_hash(t, address)),
	                                             FREE_ADDRESS, now_us);

	return by_user > by_address ? by_user : by_address;
}

/* A free entry, or the weakest; of equals the one quiet for longest. */
static struct entry *
weakest(struct entry *set, uint64_t now_us)
{
	struct entry *best = &set[0];

	for (size_t i = 1; i < WAYS; i++) {
		uint32_t failures = failures_now(&set[i], now_us),
			 least = failures_now(best, now_us);

		if (failures < least || (failures == least && set[i].last_us < best->last_us))
			best = &set[i];
	}
	return best;
}

static void
count_failure(struct table_of_failures *table, uint64_t hash, uint32_t most, uint64_t now_us)
{
	struct entry *e = find(table, hash);

	if (e == NULL) {
		e = weakest(set_of(table, hash), now_us);
		if (failures_now(e, now_us) > 1) {
			e->failures--;
			return;
		}
		*e = (struct entry){ .hash = hash };
	}

	uint32_t failures = failures_now(e, now_us);

	e->failures = failures < most ? failures + 1 : most;
	e->last_us = now_us;
}

void
throttle_failed(struct throttle *t, struct bytes user, struct bytes address, uint64_t now_us)
{
	count_failure(&t->users, bytes_hash(user, t->key), FREE_USER + FAILURES_BEYOND_FREE_MAX,
	              now_us);
	if (address.len > 0)
		count_failure(&t->addresses, address_hash(t, address),
		              FREE_ADDRESS + FAILURES_BEYOND_FREE_MAX, now_us);
}

void
throttle_succeeded(struct throttle *t, struct bytes user, struct bytes address)
{
	struct entry *e = find(&t->users, bytes_hash(user, t->key));

	/* The address keeps its count: else who has one account could use it to try others without
	 * delay. */
	(void)address;
	if (e != NULL)
		*e = (struct entry){ 0 };
}
