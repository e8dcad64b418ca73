/* decide.c - the decision. Every way out but one is the same ERR_DENIED; what the caller must not
 * learn is in struct decision only. A resource that does not exist is decided like one without
 * rules, by the same steps. */
#include "base/macros.h"
#include "policy/rules.h"

static const struct err denied = { .kind = ERR_DENIED, .why = "not allowed" };

/* What is asked, and what was found so far. */
struct question {
	const struct resource_rules *rules;
	uint64_t roles;
	enum action action;
	const struct column_set *needed; /* or NULL */
	struct column_set hidden;        /* by deny rules */
};

static bool
applies(const struct question *q, const struct rule *rule)
{
	return (rule->role & q->roles) != 0 && rule->action == q->action;
}

static bool
intersects(const struct column_set *a, const struct column_set *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->bits); i++)
		if ((a->bits[i] & b->bits[i]) != 0)
			return true;
	return false;
}

/* A deny rule that forbids the action as a whole, or NULL. Gathers the columns the others hide. */
static const struct rule *
find_deny(struct question *q)
{
	for (size_t i = 0; i < q->rules->deny_count; i++) {
		const struct rule *rule = &q->rules->deny[i];

		if (!applies(q, rule))
			continue;
		if (!rule->has_columns)
			return rule;
		column_set_unite(&q->hidden, &rule->columns);
	}
	return NULL;
}

/* The first deny rule that hides a needed column, or NULL. */
static const struct rule *
find_hiding(const struct question *q)
{
	if (q->needed == NULL || !intersects(q->needed, &q->hidden))
		return NULL;
	for (size_t i = 0; i < q->rules->deny_count; i++) {
		const struct rule *rule = &q->rules->deny[i];

		if (applies(q, rule) && intersects(q->needed, &rule->columns))
			return rule;
	}
	return NULL;
}

static const struct rule *
find_allow(const struct question *q)
{
	for (size_t i = 0; i < q->rules->allow_count; i++)
		if (applies(q, &q->rules->allow[i]))
			return &q->rules->allow[i];
	return NULL;
}

/* Does the rule give a view for this request? */
static bool
gives_view(const struct question *q, const struct rule *rule, struct column_set *columns)
{
	if (!applies(q, rule))
		return false;
	*columns = rule->columns;
	for (size_t i = 0; i < ARRAY_LEN(columns->bits); i++)
		columns->bits[i] &= ~q->hidden.bits[i];
	if (action_uses_columns(q->action) && q->rules->table != NULL &&
	    column_set_is_empty(columns))
		return false;
	return q->needed == NULL || column_set_covers(columns, q->needed);
}

static struct decision
decision_by(const struct rule *rule, const char *why)
{
	return (struct decision){ .rule = rule->name, .why = why, .place = rule->place };
}

/* Granting */

/* The first rule without a condition decided alone: it lets every row through. Else all of them
 * did, and are listed. */
static struct err
name_grant(const struct question *q, struct arena *arena, struct decision *ret)
{
	CLEANUP(buf_done) struct buf names = { 0 };
	struct column_set columns;
	const struct rule *first = NULL;

	for (size_t i = 0; i < q->rules->allow_count; i++) {
		const struct rule *rule = &q->rules->allow[i];

		if (!gives_view(q, rule, &columns))
			continue;
		if (rule->where == NULL) {
			*ret = decision_by(rule, "a role of the caller allows the action");
			return OK;
		}
		buf_put_text(&names, first == NULL ? "" : ", ");
		buf_put(&names, rule->name);
		first = first == NULL ? rule : first;
	}
	TRY(buf_check(&names));
	*ret = decision_by(first, "allowed where a row condition holds");
	ret->rule = arena_copy(arena, buf_bytes(&names));
	return ret->rule.len == 0
	               ? fail(ERR_LIMIT, "the decision does not fit into the memory of the request")
	               : OK;
}

static struct err
make_grant(const struct question *q, struct arena *arena, struct grant **ret)
{
	struct grant *grant = arena_alloc(arena, sizeof *grant);
	struct grant_view *views = arena_array(arena, q->rules->allow_count, sizeof *views);

	if (grant == NULL || views == NULL)
		return fail(ERR_LIMIT, "the grant does not fit into the memory of the request");
	grant->views = views;
	for (size_t i = 0; i < q->rules->allow_count; i++) {
		const struct rule *rule = &q->rules->allow[i];
		struct grant_view *view = &views[grant->view_count];

		if (!gives_view(q, rule, &view->columns))
			continue;
		view->where = rule->where;
		view->role = rule->role_name;
		grant->view_count++;
	}
	*ret = grant;
	return OK;
}

/* true when there is something to grant; else *ret says what denied. */
static bool
is_allowed(struct question *q, struct decision *ret)
{
	const struct rule *deny = find_deny(q);
	const struct rule *allow = find_allow(q);
	struct column_set columns;

	*ret = (struct decision){ .rule = BYTES("default deny"),
		                  .why = "no role of the caller allows the action" };
	if (deny != NULL) {
		*ret = decision_by(deny, "a role of the caller is denied the action");
		return false;
	}
	if (allow == NULL)
		return false;
	deny = find_hiding(q);
	if (deny != NULL) {
		*ret = decision_by(
			deny, "the request names a column that a role of the caller is denied");
		return false;
	}
	for (size_t i = 0; i < q->rules->allow_count; i++)
		if (gives_view(q, &q->rules->allow[i], &columns))
			return true;
	*ret = decision_by(allow, "the rule does not give every column the request names");
	return false;
}

/* A token may be narrowed to one resource by token exchange (RFC 8693). That gives nothing: its
 * roles still have to allow. */
bool
is_narrowed_away(const struct principal *who, struct bytes resource, struct decision *ret)
{
	struct bytes only = principal_resource(who);

	if (only.len == 0 || bytes_equal(only, resource))
		return false;
	*ret = (struct decision){ .rule = BYTES("token.resource"),
		                  .why = "the token is narrowed to another resource" };
	return true;
}

struct err
policy_decide(const struct policy *policy, const struct principal *who, struct bytes resource,
              enum action action, const struct column_set *needed, struct arena *arena,
              const struct grant **ret, struct decision *ret_decision)
{
	static const struct resource_rules nothing = { 0 };
	int index = policy_resource(policy, resource);
	struct question q = { .rules = index < 0 ? &nothing : &policy->resources[index],
		              .roles = principal_roles(who),
		              .action = action,
		              .needed = needed };
	struct grant *grant;

	if (is_narrowed_away(who, resource, ret_decision) || !is_allowed(&q, ret_decision))
		return denied;
	TRY(name_grant(&q, arena, ret_decision));
	TRY(make_grant(&q, arena, &grant));
	grant->resource = (unsigned)index;
	grant->table = q.rules->table;
	grant->action = action;
	grant->who = who;
	*ret = grant;
	return OK;
}
