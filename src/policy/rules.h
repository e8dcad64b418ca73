/* rules.h - the compiled form of policy. Used inside src/policy only. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/policy.h"
#include "policy/routes.h"

struct rule {
	uint64_t role; /* one bit */
	enum action action;
	bool has_columns;          /* deny: only these columns; else the action as a whole */
	struct column_set columns; /* allow: what the role has */
	const struct filter *where;
	const char *role_name;
	struct bytes name; /* "resources.books.allow.reader.read" */
	struct place place;
};

static inline bool
action_uses_columns(enum action action)
{
	return action == ACTION_READ || action == ACTION_CREATE || action == ACTION_UPDATE;
}

struct resource_rules {
	const struct table *table;
	const struct rule *allow, *deny;
	size_t allow_count, deny_count;
};

struct policy {
	const struct settings *settings;
	uint32_t generation;
	const struct resource_rules *resources; /* as in settings */
	const unsigned *by_name;                /* indices of resources, sorted by name */
	struct route_tree routes;
};

/* True, and the decision says so, where a token is narrowed to another resource. */
bool is_narrowed_away(const struct principal *who, struct bytes resource, struct decision *ret);

#endif
