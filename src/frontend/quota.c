/* quota.c - see quota.h: which limits apply to a request, and who its caller is. The buckets are
 * quota_table.h's. */
#include "frontend/quota.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/macros.h"
#include "frontend/request.h"

enum { LIMITS_MAX = QUOTA_HELD_MAX, TRIES = 4, ADDRESS_MAX = 64, NETWORK_LEN = 8 };

enum kind { KIND_REQUESTS, KIND_CONCURRENT, KIND_BYTES, KIND_COUNT };

static const uint64_t SECOND_NS = 1000000000;

/* One that applies to this request. */
struct limit {
	enum quota_scope scope;
	struct quota_settings quota;
	uint64_t key;
};

/* For the caller and the record: `limit: ` and which. */
static const char *const whys[QUOTA_SCOPE_COUNT][KIND_COUNT - 1] = {
	[QUOTA_CALLER] = { "limit: requests of each caller (limits.caller.requests)",
	                   "limit: concurrent requests of each caller "
	                   "(limits.caller.concurrent)" },
	[QUOTA_ROLE] = { "limit: requests of each caller with this role (roles.*.limits.requests)",
	                 "limit: concurrent requests of each caller with this role "
	                 "(roles.*.limits.concurrent)" },
	[QUOTA_ROUTE_CALLER] = { "limit: requests of each caller of this route "
	                         "(routes.*.limits.caller.requests)",
	                         "limit: concurrent requests of each caller of this route "
	                         "(routes.*.limits.caller.concurrent)" },
	[QUOTA_ROUTE] = { "limit: requests of this route (routes.*.limits.requests)",
	                  "limit: concurrent requests of this route "
	                  "(routes.*.limits.concurrent)" },
};

/* Who is calling */

/* An IPv4 address as IPv6 has it, and of IPv6 the network, because one caller has all of it (RFC
 * 6177 section 2). false: it is no address. */
static bool
read_address(struct bytes text, struct in6_addr *ret)
{
	char name[ADDRESS_MAX];
	struct in_addr four;

	if (text.len == 0 || text.len >= sizeof name)
		return false;
	memcpy(name, text.at, text.len);
	name[text.len] = '\0';
	if (inet_pton(AF_INET, name, &four) == 1) {
		*ret = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
		memcpy(ret->s6_addr + 12, &four, sizeof four);
		return true;
	}
	if (inet_pton(AF_INET6, name, ret) != 1)
		return false;
	if (!IN6_IS_ADDR_V4MAPPED(ret))
		memset(ret->s6_addr + NETWORK_LEN, 0, sizeof ret->s6_addr - NETWORK_LEN);
	return true;
}

static bool
is_listed(const struct settings *settings, struct bytes address)
{
	for (size_t i = 0; i < settings->listen.proxy_count; i++)
		if (bytes_is(address, settings->listen.proxies[i]))
			return true;
	return false;
}

/* Some write a port behind the address: "192.0.2.1:4711", "[2001:db8::1]:4711". */
static struct bytes
without_port(struct bytes hop)
{
	if (hop.len > 0 && hop.at[0] == '[')
		return bytes_slice(hop, 1, bytes_find(hop, ']'));

	size_t colon = bytes_find(hop, ':');
	bool is_six = bytes_find(bytes_slice(hop, colon + 1, hop.len), ':') + colon + 1 < hop.len;
	return is_six ? hop : bytes_slice(hop, 0, colon);
}

/* Takes the last element off a list; empty elements are none (RFC 9110 section 5.6.1.2). */
static struct bytes
take_last(struct bytes *list)
{
	size_t from = list->len;

	while (from > 0 && list->at[from - 1] != ',')
		from--;
	struct bytes last = http_trim(bytes_slice(*list, from, list->len));
	*list = bytes_slice(*list, 0, from > 0 ? from - 1 : 0);
	return last;
}

/* The last hop that no listed proxy was: what stands before it, anybody may have written. Empty:
 * nothing is told. */
static struct bytes
forwarded_for(const struct request *r)
{
	for (size_t i = r->head.field_count; i-- > 0;) {
		struct bytes list = r->head.fields[i].value;

		if (!bytes_equal_nocase(r->head.fields[i].name, BYTES("x-forwarded-for")))
			continue;
		while (list.len > 0) {
			struct bytes last = take_last(&list), hop = without_port(last);
			if (last.len > 0 && !is_listed(r->gate->settings, hop))
				return hop;
		}
	}
	return (struct bytes){ 0 };
}

static uint64_t
hash_of_address(const struct request *r)
{
	struct in6_addr address;

	if (request_is_proxied(r) && read_address(forwarded_for(r), &address))
		return bytes_hash((struct bytes){ address.s6_addr, sizeof address },
		                  r->gate->metrics->quotas.key);
	if (read_address(r->client, &address))
		return bytes_hash((struct bytes){ address.s6_addr, sizeof address },
		                  r->gate->metrics->quotas.key);
	return bytes_hash(r->client, r->gate->metrics->quotas.key);
}

uint64_t
quota_caller(const struct request *r)
{
	const uint8_t *key = r->gate->metrics->quotas.key;

	if (r->who == NULL)
		return hash_of_address(r);
	const uint64_t parts[] = { bytes_hash(bytes_text(principal_issuer(r->who)), key),
		                   bytes_hash(principal_subject(r->who), key) };
	return bytes_hash((struct bytes){ (const uint8_t *)parts, sizeof parts }, key);
}

/* Which limits apply */

static bool
is_set(const struct quota_settings *q)
{
	return q->requests != 0 || q->concurrent != 0 || q->bytes_s != 0;
}

/* Of two numbers of which 0 is no limit. */
static uint64_t
more_of(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

static void
widen(struct quota_settings *q, const struct quota_settings *by)
{
	if (q->requests != 0 && (by->requests == 0 || (uint64_t)by->requests * q->per_s >
	                                                      (uint64_t)q->requests * by->per_s)) {
		q->requests = by->requests;
		q->per_s = by->per_s;
		q->burst = by->burst;
	}
	q->concurrent = (unsigned)more_of(q->concurrent, by->concurrent);
	q->bytes_s = more_of(q->bytes_s, by->bytes_s);
}

/* Of each kind the most generous one of the roles the caller has: a role that does not limit it is
 * that. */
static struct quota_settings
quota_of_roles(const struct request *r)
{
	const struct settings *s = r->gate->settings;
	uint64_t roles = r->who == NULL ? 0 : principal_roles(r->who);
	struct quota_settings quota = { 0 };
	bool is_first = true;

	for (size_t i = 0; i < s->role_count && roles >> i != 0; i++) {
		if ((roles >> i & 1) == 0)
			continue;
		if (is_first)
			quota = s->roles[i].quota;
		else
			widen(&quota, &s->roles[i].quota);
		is_first = false;
	}
	return quota;
}

/* The numbers are part of the key: a limit that a reload changes begins with a full bucket, and is
 * not measured by what the former one left. */
static uint64_t
key_of(const struct request *r, const struct limit *l, int route, uint64_t caller)
{
	bool is_route = l->scope == QUOTA_ROUTE || l->scope == QUOTA_ROUTE_CALLER;
	const uint64_t parts[] = { l->scope == QUOTA_ROUTE ? 0 : caller,
		                   (uint64_t)l->scope << 32 |
		                           (is_route ? (uint32_t)route : UINT32_MAX),
		                   (uint64_t)l->quota.requests << 32 | l->quota.per_s,
		                   (uint64_t)l->quota.burst << 32 | l->quota.concurrent,
		                   l->quota.bytes_s };
	uint64_t key = bytes_hash((struct bytes){ (const uint8_t *)parts, sizeof parts },
	                          r->gate->metrics->quotas.key);

	return key != 0 ? key : 1;
}

/* First those that concern this caller alone: what it is refused there costs others nothing. */
static size_t
find_limits(const struct request *r, int route, struct limit ret[LIMITS_MAX])
{
	const struct settings *s = r->gate->settings;
	const struct route_settings *of = route >= 0 ? &s->routes[route] : NULL;
	const struct quota_settings none = { 0 };
	const struct limit all[] = {
		{ .scope = QUOTA_CALLER, .quota = s->caller_quota },
		{ .scope = QUOTA_ROLE, .quota = quota_of_roles(r) },
		{ .scope = QUOTA_ROUTE_CALLER, .quota = of != NULL ? of->caller_quota : none },
		{ .scope = QUOTA_ROUTE, .quota = of != NULL ? of->quota : none },
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (is_set(&all[i].quota))
			ret[count++] = all[i];
	uint64_t caller = count > 0 ? quota_caller(r) : 0;
	for (size_t i = 0; i < count; i++)
		ret[i].key = key_of(r, &ret[i], route, caller);
	return count;
}

static struct quota_rate
rate_of_requests(const struct quota_settings *q)
{
	return (struct quota_rate){ .count = q->requests,
		                    .per_s = q->per_s != 0 ? q->per_s : 1,
		                    .burst = q->burst != 0 ? q->burst : q->requests };
}

static struct quota_rate
rate_of_bytes(const struct quota_settings *q)
{
	return (struct quota_rate){ .count = q->bytes_s, .per_s = 1, .burst = q->bytes_s };
}

/* Requests, and how many at a time */

static struct err
refuse(struct request *r, const struct limit *l, enum kind kind, uint64_t wait_ns)
{
	uint64_t wait_s = (wait_ns + SECOND_NS - 1) / SECOND_NS;

	r->retry_after_s = wait_s == 0 ? 1 : wait_s < INT32_MAX ? (unsigned)wait_s : INT32_MAX;
	counter_add(&r->gate->counters->limits_refused[l->scope], 1);
	return fail(ERR_LIMIT, whys[l->scope][kind]);
}

/* What one limit has given, to be given back when another refuses. */
struct taken {
	uint32_t slot;
	bool has_request, is_held;
};

static void
give_back(struct request *r, const struct limit *l, const struct taken *t)
{
	struct quota_table *table = &r->gate->metrics->quotas;
	const struct quota_rate rate = rate_of_requests(&l->quota);

	if (t->has_request)
		quota_table_give(&table->slots[t->slot].requests_ns, &rate);
	if (t->is_held)
		quota_table_release(table, t->slot, r->gate->worker);
}

static struct err
take_of_slot(struct request *r, const struct limit *l, uint64_t now_ns, struct taken *t)
{
	struct quota_table *table = &r->gate->metrics->quotas;
	const struct quota_rate rate = rate_of_requests(&l->quota);
	uint64_t wait_ns;

	if (rate.count != 0 &&
	    !quota_table_take(&table->slots[t->slot].requests_ns, &rate, now_ns, &wait_ns))
		return refuse(r, l, KIND_REQUESTS, wait_ns);
	t->has_request = rate.count != 0;
	if (l->quota.concurrent != 0 &&
	    !quota_table_hold(table, t->slot, r->gate->worker, l->quota.concurrent))
		return refuse(r, l, KIND_CONCURRENT, 0);
	t->is_held = l->quota.concurrent != 0;
	return OK;
}

/* A slot that was idle may be taken over by another key in the moment it is used. */
static struct err
take(struct request *r, const struct limit *l, uint64_t now_ns, struct taken *ret)
{
	struct quota_table *table = &r->gate->metrics->quotas;

	for (unsigned i = 0; i < TRIES; i++) {
		*ret = (struct taken){ .slot = quota_table_find(table, l->key, now_ns) };
		if (ret->slot == QUOTA_NO_SLOT)
			break;
		struct err e = take_of_slot(r, l, now_ns, ret);
		if (!failed(e) && quota_table_is_owner(table, ret->slot, l->key))
			return OK;
		give_back(r, l, ret);
		*ret = (struct taken){ 0 };
		if (failed(e))
			return e;
	}
	counter_add(&r->gate->counters->limits_skipped, 1);
	return OK;
}

struct err
quota_enter(struct request *r, int route, struct quota_hold *ret)
{
	struct limit limits[LIMITS_MAX];
	struct taken taken[LIMITS_MAX];
	size_t count = find_limits(r, route, limits);
	uint64_t now_ns = count > 0 ? clock_monotonic_us() * 1000 : 0;

	for (size_t i = 0; i < count; i++) {
		struct err e = take(r, &limits[i], now_ns, &taken[i]);
		if (!failed(e))
			continue;
		while (i-- > 0)
			give_back(r, &limits[i], &taken[i]);
		return e;
	}
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		if (taken[i].is_held)
			ret->slots[ret->count++] = taken[i].slot;
	return OK;
}

void
quota_leave(struct request *r, struct quota_hold *held)
{
	while (held->count > 0)
		quota_table_release(&r->gate->metrics->quotas, held->slots[--held->count],
		                    r->gate->worker);
}

void
quota_worker_ended(struct metrics *m, unsigned worker)
{
	quota_table_forget(&m->quotas, worker);
}

/* Bytes */

/* A trickle of a few bytes at a time would cost more than it carries. */
static uint64_t
least_part(const struct quota_rate *rate, uint64_t len)
{
	uint64_t part = rate->count / 16 + 1;

	return len < part ? len : part;
}

uint64_t
quota_bytes(struct request *r, int route, uint64_t len, unsigned *ret_wait_ms)
{
	struct limit limits[LIMITS_MAX];
	_Atomic uint64_t *buckets[LIMITS_MAX];
	struct quota_table *table = &r->gate->metrics->quotas;
	bool is_observed = route >= 0 && r->gate->settings->routes[route].is_observed;
	size_t count = is_observed ? 0 : find_limits(r, route, limits);
	uint64_t now_ns = count > 0 ? clock_monotonic_us() * 1000 : 0, wait_ns = 0;

	for (size_t i = 0; i < count; i++) {
		const struct quota_rate rate = rate_of_bytes(&limits[i].quota);
		uint32_t slot = rate.count != 0 ? quota_table_find(table, limits[i].key, now_ns)
		                                : QUOTA_NO_SLOT;

		buckets[i] = slot == QUOTA_NO_SLOT ? NULL : &table->slots[slot].bytes_ns;
		if (buckets[i] == NULL)
			continue;
		uint64_t wait =
			quota_table_wait_ns(buckets[i], &rate, least_part(&rate, len), now_ns);
		uint64_t left = quota_table_left(buckets[i], &rate, now_ns);
		wait_ns = wait > wait_ns ? wait : wait_ns;
		len = left < len ? left : len;
	}
	if (wait_ns > 0 || len == 0) {
		*ret_wait_ms = (unsigned)(wait_ns / 1000000) + 1;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		const struct quota_rate rate = rate_of_bytes(&limits[i].quota);
		if (buckets[i] != NULL)
			quota_table_spend(buckets[i], &rate, len, now_ns);
	}
	return len;
}
