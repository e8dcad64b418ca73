/* review.c - see review.h. */
#include "policy/review.h"

#include <string.h>

#include "policy/rules.h"

static bool
applies(const struct rule_settings *rule, uint64_t roles, enum action action)
{
	return (roles >> rule->role & 1) != 0 && rule->action == action;
}

/* Does a deny rule of these roles forbid the action as a whole? */
static bool
is_forbidden(const struct resource_settings *r, uint64_t roles, enum action action)
{
	for (size_t i = 0; i < r->deny_count; i++)
		if (applies(&r->deny[i], roles, action) && !r->deny[i].has_include)
			return true;
	return false;
}

static bool
is_named(const char *column, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], column) == 0)
			return true;
	return false;
}

static bool
is_hidden(const struct resource_settings *r, uint64_t roles, enum action action, const char *column)
{
	for (size_t i = 0; i < r->deny_count; i++)
		if (applies(&r->deny[i], roles, action) &&
		    is_named(column, r->deny[i].include, r->deny[i].include_count))
			return true;
	return false;
}

static bool
hides_columns(const struct resource_settings *r, uint64_t roles, enum action action)
{
	for (size_t i = 0; i < r->deny_count; i++)
		if (applies(&r->deny[i], roles, action) && r->deny[i].include_count > 0)
			return true;
	return false;
}

/* A rule that names columns gives nothing when every one of them is taken away again. */
static bool
is_emptied(const struct resource_settings *r, uint64_t roles, const struct rule_settings *rule)
{
	for (size_t i = 0; i < rule->include_count; i++)
		if (!is_named(rule->include[i], rule->exclude, rule->exclude_count) &&
		    !is_hidden(r, roles, rule->action, rule->include[i]))
			return false;
	return rule->has_include;
}

static void
add_rule(const struct resource_settings *r, uint64_t roles, const struct rule_settings *rule,
         struct reach *to)
{
	unsigned bit = 1u << rule->action;
	bool uses_columns = action_uses_columns(rule->action);

	if (is_forbidden(r, roles, rule->action) || (uses_columns && is_emptied(r, roles, rule)))
		return;
	to->actions |= bit;
	if (rule->where != NULL)
		to->some_rows |= bit;
	if (uses_columns &&
	    (rule->has_include || rule->exclude_count > 0 || hides_columns(r, roles, rule->action)))
		to->some_columns |= bit;
}

static void
review_resource(const struct settings *s, unsigned resource, uint64_t roles, reach_fn *each,
                void *of)
{
	const struct resource_settings *r = &s->resources[resource];

	for (unsigned role = 0; role < s->role_count && role < ROLES_MAX; role++) {
		struct reach reach = { .resource = resource, .role = role };

		for (size_t i = 0; i < r->allow_count; i++)
			if (r->allow[i].role == role && (roles >> role & 1) != 0)
				add_rule(r, roles, &r->allow[i], &reach);
		if (reach.actions != 0)
			each(of, &reach);
	}
}

/* Methods that are public are everybody's, and no role's. */
static void
review_route(const struct settings *s, unsigned route, uint64_t roles, reach_fn *each, void *of)
{
	const struct route_settings *r = &s->routes[route];
	unsigned denied = 0;

	for (size_t i = 0; i < r->deny_count; i++)
		if ((roles >> r->deny[i].role & 1) != 0)
			denied |= r->deny[i].methods;
	for (unsigned role = 0; role < s->role_count && role < ROLES_MAX; role++) {
		struct reach reach = { .is_route = true, .resource = route, .role = role };

		for (size_t i = 0; i < r->allow_count; i++)
			if (r->allow[i].role == role && (roles >> role & 1) != 0)
				reach.actions |= r->allow[i].methods & ~denied;
		if (reach.actions != 0)
			each(of, &reach);
	}
}

void
policy_review(const struct settings *s, uint64_t roles, reach_fn *each, void *of)
{
	for (unsigned i = 0; i < s->resource_count; i++)
		review_resource(s, i, roles, each, of);
	for (unsigned i = 0; i < s->route_count; i++)
		review_route(s, i, roles, each, of);
}
