/* usage.c - see usage.h. One table of principals, found by a keyed hash; one number for each rule.
 */
#include "audit/usage.h"

#include <stdlib.h>

#include "audit/record.h"
#include "audit/verify.h"
#include "base/macros.h"
#include "base/random.h"

enum { SLOTS = 1 << 18 }; /* slots: at most 40 in 100 are taken */
_Static_assert(SLOTS > 2 * USAGE_PRINCIPALS_MAX, "free slots must be found soon");

struct rule_use {
	struct bytes name; /* in the arena */
	int64_t last_ms;
};

struct usage {
	const struct settings *settings; /* borrowed */
	int64_t from_ms;
	struct arena arena; /* owned: all texts */
	uint8_t key[16];
	uint32_t *slots;                    /* owned: index in principals plus 1; 0: free */
	struct usage_principal *principals; /* owned */
	size_t count;
	struct rule_use *rules; /* owned; sorted by name */
	size_t rule_count;
	int64_t *roles_ms; /* owned: of issuer i and role r: [i * ROLES_MAX + r] */
	struct usage_totals totals;
};

/* Rules by name */

static const char *
name_of(enum action action)
{
	static const char *const names[ACTION_COUNT] = { "read", "create", "update", "delete",
		                                         "execute" };

	return names[action];
}

static int
compare_rules(const void *a, const void *b)
{
	const struct rule_use *left = a, *right = b;

	return bytes_compare(left->name, right->name);
}

/* As src/policy names them in a record. */
static void
put_rule(struct buf *out, const struct settings *s, size_t resource, size_t rule)
{
	const struct resource_settings *r = &s->resources[resource];

	buf_printf(out, "resources.%s.allow.%s.%s", r->name, s->roles[r->allow[rule].role].name,
	           name_of(r->allow[rule].action));
}

static void
put_route_rule(struct buf *out, const struct settings *s, size_t route, size_t rule,
               unsigned method)
{
	const struct route_settings *r = &s->routes[route];

	buf_printf(out, "routes.%s.allow.%s.%s", r->path, s->roles[r->allow[rule].role].name,
	           route_methods[method]);
}

static struct err
add_rule(struct usage *u, struct buf *name)
{
	struct rule_use *rule = &u->rules[u->rule_count++];

	TRY(buf_check(name));
	rule->name = arena_copy(&u->arena, buf_bytes(name));
	buf_clear(name);
	return rule->name.len == 0 ? fail(ERR_LIMIT, "out of memory for the rules") : OK;
}

static size_t
count_rules(const struct settings *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->resource_count; i++)
		count += s->resources[i].allow_count;
	for (size_t i = 0; i < s->route_count; i++)
		count += s->routes[i].allow_count * ROUTE_METHOD_COUNT;
	return count;
}

static struct err
list_rules(struct usage *u)
{
	CLEANUP(buf_done) struct buf name = { 0 };
	const struct settings *s = u->settings;

	u->rules = calloc(count_rules(s) + 1, sizeof *u->rules);
	if (u->rules == NULL)
		return fail(ERR_SYSTEM, "out of memory for the rules");
	for (size_t i = 0; i < s->resource_count; i++)
		for (size_t n = 0; n < s->resources[i].allow_count; n++) {
			put_rule(&name, s, i, n);
			TRY(add_rule(u, &name));
		}
	for (size_t i = 0; i < s->route_count; i++)
		for (size_t n = 0; n < s->routes[i].allow_count; n++)
			for (unsigned m = 0; m < ROUTE_METHOD_COUNT; m++) {
				put_route_rule(&name, s, i, n, m);
				TRY(add_rule(u, &name));
			}
	qsort(u->rules, u->rule_count, sizeof *u->rules, compare_rules);
	return OK;
}

/* NULL: it is of another configuration. */
static struct rule_use *
find_rule(const struct usage *u, struct bytes name)
{
	const struct rule_use wanted = { .name = name };

	return bsearch(&wanted, u->rules, u->rule_count, sizeof *u->rules, compare_rules);
}

static void
use_rule(struct usage *u, struct bytes name, int64_t ms)
{
	struct rule_use *rule = find_rule(u, name);

	if (rule != NULL && ms > rule->last_ms)
		rule->last_ms = ms;
}

/* A record lists several rules with ", " between them where all had a condition. */
static void
use_rules(struct usage *u, struct bytes names, int64_t ms)
{
	while (names.len > 0) {
		size_t len = bytes_find(names, ',');

		use_rule(u, bytes_slice(names, 0, len), ms);
		names = bytes_slice(names, len + 2, names.len);
	}
}

/* Principals */

static size_t
slot_of(const struct usage *u, struct bytes issuer, struct bytes subject)
{
	uint64_t hash = bytes_hash(subject, u->key) ^ (bytes_hash(issuer, u->key) << 1);
	size_t slot = (size_t)hash & (SLOTS - 1);

	for (; u->slots[slot] != 0; slot = (slot + 1) & (SLOTS - 1)) {
		const struct usage_principal *p = &u->principals[u->slots[slot] - 1];

		if (bytes_equal(p->subject, subject) && bytes_equal(p->issuer, issuer))
			break;
	}
	return slot;
}

static struct usage_principal *
find_or_add(struct usage *u, struct bytes issuer, struct bytes subject)
{
	size_t slot = slot_of(u, issuer, subject);
	struct usage_principal *p;

	if (u->slots[slot] != 0)
		return &u->principals[u->slots[slot] - 1];
	if (u->count == USAGE_PRINCIPALS_MAX)
		return NULL;
	p = &u->principals[u->count];
	*p = (struct usage_principal){ .issuer = arena_copy(&u->arena, issuer),
		                       .subject = arena_copy(&u->arena, subject) };
	if (p->issuer.len != issuer.len || p->subject.len != subject.len || p->issuer.at == NULL ||
	    p->subject.at == NULL)
		return NULL;
	u->slots[slot] = (uint32_t)++u->count;
	return p;
}

/* The first one: whoever changes it all the time would fill the memory. */
static void
take_name(struct usage *u, struct usage_principal *p, struct bytes name)
{
	if (name.len == 0 || p->name.len != 0)
		return;

	struct bytes copy = arena_copy(&u->arena, name);

	if (copy.at != NULL)
		p->name = copy;
}

/* Records */

static size_t
find_role(const struct settings *s, struct bytes name)
{
	size_t i = 0;

	while (i < s->role_count && !bytes_is(name, s->roles[i].name))
		i++;
	return i;
}

static uint64_t
roles_of(const struct usage *u, const struct json *user)
{
	const struct json *groups = json_member(user, "groups");
	uint64_t roles = 0;

	if (groups == NULL || groups->type != JSON_ARRAY)
		return 0;
	for (const struct json *i = json_first(groups); i != NULL; i = json_next(groups, i)) {
		size_t role = find_role(u->settings, audit_field(i, NULL, "name"));

		if (role < u->settings->role_count && role < ROLES_MAX)
			roles |= UINT64_C(1) << role;
	}
	return roles;
}

static void
take_roles(struct usage *u, struct usage_principal *p, uint64_t roles, int64_t ms)
{
	/* Inside the window all count; before it, the last ones. */
	p->roles = p->last_ms >= u->from_ms && ms >= u->from_ms ? p->roles | roles : roles;
	for (size_t i = 0; i < u->settings->issuer_count; i++) {
		if (!bytes_is(p->issuer, u->settings->issuers[i].name))
			continue;
		for (size_t role = 0; role < u->settings->role_count && role < ROLES_MAX; role++)
			if ((roles >> role & 1) != 0)
				u->roles_ms[i * ROLES_MAX + role] = ms;
	}
}

static void
take_principal(struct usage *u, const struct json *record, int64_t class, int64_t ms)
{
	const struct json *actor = json_member(record, "actor"), *user = json_member(actor, "user");
	struct bytes issuer = audit_field(actor, "idp", "name"),
		     subject = audit_field(user, NULL, "uid"),
		     agent = audit_field(record, "unmapped", "agent");
	struct usage_principal *p;

	if (subject.len == 0 || issuer.len == 0)
		return;
	p = find_or_add(u, issuer, subject);
	if (p != NULL) {
		take_name(u, p, audit_field(user, NULL, "name"));
		/* A login has no roles yet: its token has them. */
		if (class != AUDIT_AUTHENTICATION)
			take_roles(u, p, roles_of(u, user), ms);
		p->last_ms = ms;
	}
	if (agent.len > 0) {
		struct usage_principal *acting = find_or_add(u, issuer, agent);

		if (acting != NULL)
			acting->last_ms = ms;
		p = acting == NULL ? NULL : p;
	}
	u->totals.left_out += p == NULL;
}

/* Somebody who failed to show who it is was not here: who is named may be another. Nor is anybody
 * where no request was answered (status 0): what happened to an account, a key, the log. */
static bool
is_proven(const struct json *record, int64_t class, bool is_allowed)
{
	struct bytes status = audit_field(record, NULL, "status_code");

	return class != AUDIT_ACCOUNT && (class != AUDIT_AUTHENTICATION || is_allowed) &&
	       !bytes_is(status, "401") && !bytes_is(status, "0");
}

void
usage_take(struct usage *u, const struct json *record)
{
	bool is_denied = bytes_is(audit_field(record, "unmapped", "outcome"), "denied");
	bool is_allowed = bytes_is(audit_field(record, "unmapped", "outcome"), "allowed");
	int64_t ms = 0, class = 0;

	(void)json_int64(json_member(record, "class_uid"), &class); /* left 0: of no class */
	u->totals.records++;
	if (!json_int64(json_member(record, "time"), &ms))
		return;
	u->totals.first_ms = u->totals.first_ms == 0 ? ms : u->totals.first_ms;
	u->totals.last_ms = ms;
	if (!is_proven(record, class, is_allowed))
		return;
	take_principal(u, record, class, ms);
	/* A denial may name the allow rule that fell short. */
	if (!is_denied)
		use_rules(u, audit_field(record, "unmapped", "rule"), ms);
}

bool
usage_expect(struct usage *u, struct bytes issuer, struct bytes subject)
{
	return find_or_add(u, issuer, subject) != NULL;
}

/* Answers */

size_t
usage_count(const struct usage *u)
{
	return u->count;
}

const struct usage_principal *
usage_at(const struct usage *u, size_t index)
{
	return &u->principals[index];
}

const struct usage_principal *
usage_find(const struct usage *u, struct bytes issuer, struct bytes subject)
{
	uint32_t index = u->slots[slot_of(u, issuer, subject)];

	return index == 0 ? NULL : &u->principals[index - 1];
}

static int64_t
rule_ms(const struct usage *u, const struct buf *name)
{
	const struct rule_use *rule = find_rule(u, buf_bytes(name));

	return rule != NULL ? rule->last_ms : 0;
}

int64_t
usage_rule_ms(const struct usage *u, size_t resource, size_t rule)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	put_rule(&name, u->settings, resource, rule);
	return rule_ms(u, &name);
}

int64_t
usage_route_rule_ms(const struct usage *u, size_t route, size_t rule, unsigned method)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	put_route_rule(&name, u->settings, route, rule, method);
	return rule_ms(u, &name);
}

int64_t
usage_role_ms(const struct usage *u, size_t issuer, size_t role)
{
	return u->roles_ms[issuer * ROLES_MAX + role];
}

struct usage_totals
usage_totals(const struct usage *u)
{
	return u->totals;
}

/* Life */

static struct err
usage_init(struct usage *u, const struct settings *settings, int64_t from_ms)
{
	u->settings = settings;
	u->from_ms = from_ms;
	u->arena.limit = USAGE_BYTES_MAX;
	random_fill(u->key, sizeof u->key);
	u->slots = calloc(SLOTS, sizeof *u->slots);
	u->principals = calloc(USAGE_PRINCIPALS_MAX, sizeof *u->principals);
	u->roles_ms = calloc((settings->issuer_count + 1) * ROLES_MAX, sizeof *u->roles_ms);
	if (u->slots == NULL || u->principals == NULL || u->roles_ms == NULL)
		return fail(ERR_SYSTEM, "out of memory for the review");
	return list_rules(u);
}

struct err
usage_new(const struct settings *settings, int64_t from_ms, struct usage **ret)
{
	struct usage *u = calloc(1, sizeof *u);

	if (u == NULL)
		return fail(ERR_SYSTEM, "out of memory for the review");

	struct err e = usage_init(u, settings, from_ms);

	if (failed(e)) {
		usage_free(u);
		return e;
	}
	*ret = u;
	return OK;
}

void
usage_free(struct usage *u)
{
	if (u == NULL)
		return;
	free(u->slots);
	free(u->principals);
	free(u->rules);
	free(u->roles_ms);
	arena_done(&u->arena);
	free(u);
}
