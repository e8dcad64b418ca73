/* replay.c - see replay.h. */
#include "main/replay.h"

#include <stdio.h>

#include "audit/record.h"
#include "audit/verify.h"
#include "base/macros.h"
#include "base/random.h"
#include "format/url.h"
#include "identity/issuers.h"

enum { SLOT_COUNT = 1 << 16, GROUP_BYTES_MAX = 64 << 20 };
_Static_assert(SLOT_COUNT >= 2 * REPLAY_GROUPS_MAX, "the table must stay half empty");

/* One decision, as the log tells it and as it is made again. */
struct decided {
	struct bytes resource, action, rule, path, roles;
	uint64_t role_bits;
	bool is_route, is_nobody;
	enum action kind; /* of a resource */
	unsigned method;  /* of a route */
	bool passed;      /* it went through */
	const char *then;
	int64_t at_ms;
	/* now */
	struct bytes rule_now;
	bool allows, is_observed;
	const char *unsure; /* NULL: it is certain */
};

const char *
replay_change_name(enum replay_change change)
{
	static const char *const names[] = { "refused", "allowed", "observed", "cannot tell",
		                             "same" };

	return names[change];
}

struct err
replay_new(const struct settings *settings, struct replay *ret, struct config_errors *errors)
{
	struct replay r = { .settings = settings, .arena = { .limit = GROUP_BYTES_MAX } };
	struct err e = policy_compile(settings, NULL, 1, &r.arena, &r.policy, errors);

	r.groups = arena_array(&r.arena, REPLAY_GROUPS_MAX, sizeof *r.groups);
	r.slots = arena_array(&r.arena, SLOT_COUNT, sizeof *r.slots);
	if (!failed(e) && (r.groups == NULL || r.slots == NULL))
		e = fail(ERR_SYSTEM, "out of memory");
	if (failed(e)) {
		replay_done(&r);
		return e;
	}
	random_fill(r.key, sizeof r.key);
	*ret = r;
	return OK;
}

void
replay_done(struct replay *r)
{
	arena_done(&r->arena);
	arena_done(&r->scratch);
}

/* Reading */

static bool
is_true(const struct json *record, const char *object, const char *name)
{
	bool value = false;

	return json_bool(json_member(json_member(record, object), name), &value) && value;
}

static bool
ends_with(struct bytes text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len && bytes_is(bytes_slice(text, text.len - len, text.len), end);
}

static bool
has_word(struct bytes rule, const char *word)
{
	return memmem(rule.at, rule.len, word, strlen(word)) != NULL;
}

/* The roles the caller held, by name: those the new policy does not have give nothing. */
static void
read_roles(struct replay *r, const struct json *record, struct decided *d)
{
	const struct json *user = json_member(json_member(record, "actor"), "user");
	const struct json *groups = json_member(user, "groups");
	struct buf names CLEANUP(buf_done) = { 0 };

	for (const struct json *i = json_first(groups); i != NULL; i = json_next(groups, i)) {
		struct bytes name = json_member_text(i, "name");
		buf_put_text(&names, names.len > 0 ? " " : "");
		buf_put(&names, name);
		for (size_t role = 0; role < r->settings->role_count && role < ROLES_MAX; role++)
			if (bytes_is(name, r->settings->roles[role].name))
				d->role_bits |= UINT64_C(1) << role;
	}
	d->roles = arena_copy(&r->scratch, buf_bytes(&names));
	d->is_nobody = audit_field(user, NULL, "uid").len == 0;
}

static bool
read_action(struct decided *d)
{
	for (unsigned m = 0; d->is_route && m < ROUTE_METHOD_COUNT; m++)
		if (bytes_is(d->action, route_methods[m])) {
			d->method = m;
			return true;
		}
	for (enum action a = ACTION_READ; !d->is_route && a < ACTION_COUNT; a++)
		if (bytes_is(d->action, action_name(a))) {
			d->kind = a;
			return true;
		}
	return false;
}

/* What was decided by rules. A failure behind a yes was a yes; any other was none of policy's. */
static bool
read_outcome(const struct json *record, struct decided *d)
{
	struct bytes outcome = audit_field(record, "unmapped", "outcome");
	bool yes = has_word(d->rule, ".allow.") || ends_with(d->rule, ".public");

	d->passed = bytes_is(outcome, "allowed") || (bytes_is(outcome, "failed") && yes);
	d->then = d->passed ? "allowed" : "denied";
	if (!d->passed && is_true(record, "unmapped", "observed")) {
		d->then = "observed";
		d->passed = true;
		return bytes_is(outcome, "denied");
	}
	return d->passed || bytes_is(outcome, "denied");
}

static bool
read_record(struct replay *r, const struct json *record, struct decided *d)
{
	int64_t class = 0;

	*d = (struct decided){
		.resource = audit_field(record, "unmapped", "resource"),
		.action = audit_field(record, "unmapped", "action"),
		.rule = audit_field(record, "unmapped", "rule"),
		.path = audit_field(json_member(record, "http_request"), "url", "path"),
	};
	d->is_route = json_int64(json_member(record, "class_uid"), &class) && class == AUDIT_API;
	if ((class != AUDIT_API && class != AUDIT_DATASTORE) ||
	    is_true(record, "unmapped", "completion") || (d->is_route && d->path.len == 0) ||
	    !json_int64(json_member(record, "time"), &d->at_ms))
		return false;
	read_roles(r, record, d);
	return read_action(d) && read_outcome(record, d);
}

/* Deciding again */

static const struct principal *
who_of(const struct decided *d)
{
	const struct principal *who = NULL;

	if (d->is_nobody || failed(principal_for_explain(d->role_bits, (struct bytes){ 0 }, &who)))
		return NULL;
	return who;
}

/* A view that shows some rows or some columns only: what the caller got of it is not in the log. */
static bool
is_partial(const struct replay *r, const struct decided *d, const struct grant *g)
{
	const struct resource_settings *resource = &r->settings->resources[g->resource];

	for (size_t i = 0; i < resource->allow_count; i++) {
		const struct rule_settings *rule = &resource->allow[i];
		bool applies = (d->role_bits >> rule->role & 1) && rule->action == d->kind;
		if (applies && rule->where == NULL && !rule->has_include &&
		    rule->exclude_count == 0 && resource->deny_count == 0)
			return false;
	}
	return true;
}

static void
decide_resource(struct replay *r, struct decided *d)
{
	const struct principal *who = who_of(d);
	const struct grant *grant = NULL;
	struct decision decision = { .rule = BYTES("default deny") };

	if (who != NULL)
		d->allows = !failed(policy_decide(r->policy, who, d->resource, d->kind, NULL,
		                                  &r->scratch, &grant, &decision));
	d->rule_now = decision.rule;
	if (d->allows && is_partial(r, d, grant)) {
		r->conditional += d->passed;
		/* A rule of the role denied it before: a column was named, and perhaps still is. */
		if (!d->passed && (has_word(d->rule, ".allow.") || has_word(d->rule, ".deny.")))
			d->unsure = "which columns the request named";
	}
	principal_release(who);
}

/* The route that was taken, where the new policy has it too, and once; else NULL. */
static const struct route_settings *
taken_route(const struct replay *r, const struct decided *d)
{
	const struct route_settings *found = NULL;

	for (size_t i = 0; i < r->settings->route_count; i++) {
		if (!bytes_is(d->resource, r->settings->routes[i].path))
			continue;
		if (found != NULL)
			return NULL;
		found = &r->settings->routes[i];
	}
	return found;
}

static void
decide_route_of(struct replay *r, struct decided *d, const struct principal *who, int route)
{
	const struct grant *grant = NULL;
	struct decision decision;
	struct err e = policy_decide_route(r->policy, who, route, d->method, &r->scratch, &grant,
	                                   &decision);

	d->allows = !failed(e);
	d->rule_now = decision.rule;
	d->is_observed = failed(e) && route >= 0 && r->settings->routes[route].is_observed;
}

struct asked_path {
	struct bytes segments[URL_SEGMENTS_MAX];
	size_t count;
};

static bool
hosts_differ(const struct replay *r, const struct route_settings *of, const struct asked_path *p,
             int route)
{
	for (size_t h = 0; h < of->host_count; h++)
		if (policy_route(r->policy, bytes_text(of->hosts[h]), p->segments, p->count) !=
		    route)
			return true;
	return false;
}

/* The host is not in the log. Of the route that was taken it was one of its hosts; else any. */
static bool
hangs_on_host(const struct replay *r, const struct route_settings *taken,
              const struct asked_path *p, int route)
{
	if (taken != NULL && taken->host_count > 0)
		return hosts_differ(r, taken, p, route);
	for (size_t i = 0; i < r->settings->route_count; i++)
		if (hosts_differ(r, &r->settings->routes[i], p, route))
			return true;
	return false;
}

static void
decide_route(struct replay *r, struct decided *d)
{
	const struct route_settings *taken = taken_route(r, d);
	const char *host = taken != NULL && taken->host_count > 0 ? taken->hosts[0] : "";
	const struct principal *who = who_of(d);
	struct asked_path p;

	if (d->path.len >= AUDIT_TEXT_MAX - 3 ||
	    failed(url_path_split(d->path, &r->scratch, p.segments, &p.count))) {
		d->unsure = "the whole path";
	} else {
		int route = policy_route(r->policy, bytes_text(host), p.segments, p.count);
		decide_route_of(r, d, who, route);
		if (hangs_on_host(r, taken, &p, route))
			d->unsure = "the host";
		else if (d->allows && d->is_nobody && !d->passed)
			d->unsure = "whether a token was shown";
	}
	principal_release(who);
}

static enum replay_change
change_of(const struct decided *d)
{
	if (d->unsure != NULL)
		return REPLAY_UNSURE;
	if (d->is_observed)
		return REPLAY_OBSERVED;
	if (d->passed == d->allows)
		return REPLAY_SAME;
	return d->allows ? REPLAY_ALLOWED : REPLAY_REFUSED;
}

/* Groups */

static bool
is_group(const struct replay_group *g, const struct decided *d, enum replay_change change)
{
	return g->change == change && g->then == d->then && bytes_equal(g->roles, d->roles) &&
	       bytes_equal(g->resource, d->resource) && bytes_equal(g->action, d->action) &&
	       bytes_equal(g->rule_then, d->rule) && bytes_equal(g->rule_now, d->rule_now) &&
	       strcmp(g->why, d->unsure == NULL ? "" : d->unsure) == 0;
}

static uint64_t
group_hash(const struct replay *r, const struct decided *d)
{
	const struct bytes parts[] = { d->roles, d->resource, d->action, d->rule, d->rule_now };
	uint64_t hash = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		hash = hash * 31 + bytes_hash(parts[i], r->key);
	return hash;
}

static bool
group_fill(struct replay *r, struct replay_group *g, const struct decided *d,
           enum replay_change change)
{
	const struct bytes from[] = { d->roles, d->resource, d->action, d->rule, d->rule_now };
	struct bytes *to[] = { &g->roles, &g->resource, &g->action, &g->rule_then, &g->rule_now };

	*g = (struct replay_group){ .change = change,
		                    .then = d->then,
		                    .why = d->unsure == NULL ? "" : d->unsure,
		                    .first_ms = d->at_ms };
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		*to[i] = arena_copy(&r->arena, from[i]);
		if (to[i]->len != from[i].len)
			return false;
	}
	return true;
}

/* NULL: there is no room for another. */
static struct replay_group *
group_of(struct replay *r, const struct decided *d, enum replay_change change)
{
	size_t slot = group_hash(r, d) % SLOT_COUNT;

	for (; r->slots[slot] != 0; slot = (slot + 1) % SLOT_COUNT)
		if (is_group(&r->groups[r->slots[slot] - 1], d, change))
			return &r->groups[r->slots[slot] - 1];
	if (r->group_count == REPLAY_GROUPS_MAX ||
	    !group_fill(r, &r->groups[r->group_count], d, change))
		return NULL;
	r->slots[slot] = (uint32_t)++r->group_count;
	return &r->groups[r->group_count - 1];
}

static void
count(struct replay *r, const struct decided *d)
{
	enum replay_change change = change_of(d);

	r->counts[change]++;
	r->first_ms = r->first_ms == 0 || d->at_ms < r->first_ms ? d->at_ms : r->first_ms;
	r->last_ms = d->at_ms > r->last_ms ? d->at_ms : r->last_ms;
	if (change == REPLAY_SAME)
		return;
	struct replay_group *g = group_of(r, d, change);
	if (g == NULL) {
		r->left_out++;
		return;
	}
	g->count++;
	g->last_ms = d->at_ms;
}

void
replay_take(struct replay *r, const struct json *record)
{
	struct decided d;

	arena_reset(&r->scratch);
	if (!read_record(r, record, &d)) {
		r->undecided += !is_true(record, "unmapped", "completion");
		return;
	}
	if (bytes_is(d.rule, "token.resource"))
		d.unsure = "which resource the token was narrowed to";
	else if (d.is_route)
		decide_route(r, &d);
	else
		decide_resource(r, &d);
	count(r, &d);
}
