/* policy.h - may this principal do this action on this resource? Pure: no I/O, no clock.
 *
 * Nothing granted means denied; a deny rule beats every allow rule; all roles of a principal
 * hold at once. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "config/config.h"
#include "identity/principal.h"
#include "query/filter.h"

struct policy; /* compiled rules of one configuration generation; immutable */

/* `tables[i]` describes resource i; NULL: its table is not known, which was reported. Row
 * conditions and column names are checked here; every error is added to `errors`, and ERR_CONFIG
 * returned, also when a table is not known: the other resources are checked all the same.
 * `tables` NULL: no data is looked at, and nothing of it is checked. What such a policy decides is
 * right by roles and actions; its grants are for no backend.
 * `generation` marks decisions and cached tokens. */
struct err policy_compile(const struct settings *settings, const struct table *const *tables,
                          uint32_t generation, struct arena *arena, const struct policy **ret,
                          struct config_errors *errors);

/* One way of seeing rows: these columns, where this holds (NULL: every row). A grant has one view
 * for each role that allows the action; a row may be used when any view's condition holds, and a
 * column of it when a view that has the column holds for that row. */
struct grant_view {
	struct column_set columns;
	const struct filter *where;
	const char *role;
};

/* Proof that policy said yes. Only policy_decide() makes one; no backend works without one. */
struct grant {
	unsigned resource; /* index in settings; of a route: in the routes */
	bool is_route;
	const struct table *table; /* of the resource; NULL where it has none */
	enum action action;
	const struct grant_view *views;
	size_t view_count; /* at least 1; of a route 0 */
	const struct principal *who;
};

/* Why it was decided so; always filled. For the audit record and `explain`, never for the caller.
 * Allowed: the first rule without a row condition, or, where all have one, every rule that gave a
 * view, joined by ", " (`place` is the first one's). Denied: the deny rule; or the first allow
 * rule, when the request names columns that no single rule gives; or "default deny"; or
 * "token.resource", when the token is narrowed to another resource. */
struct decision {
	struct bytes rule;  /* "resources.books.allow.reader.read", "default deny", … */
	const char *why;    /* literal */
	struct place place; /* line of the rule in the configuration; 0 for the default */
};

/* ERR_DENIED (*ret untouched) for a resource that does not exist and one that may not be used
 * alike. `needed` (may be NULL) are the columns the request names (select, filter, order, body):
 * views that lack any of them do not count, and when none is left the answer is ERR_DENIED. */
struct err policy_decide(const struct policy *policy, const struct principal *who,
                         struct bytes resource, enum action action, const struct column_set *needed,
                         struct arena *arena, const struct grant **ret,
                         struct decision *ret_decision);

/* Index of a resource by name, or -1. For parsing a request before it is decided; never answered
 * from. */
int policy_resource(const struct policy *policy, struct bytes name);
const struct table *policy_table(const struct policy *policy, unsigned resource);

/* Routes to HTTP services */

/* The first route whose host and path fit, or -1. `host` without port, lower case, an IPv6 address
 * without brackets; segments as url_path_split() gives them. What is matched is what is forwarded.
 * Never answered from before it is decided: no route and a route that may not be used are the same
 * 403. */
int policy_route(const struct policy *policy, struct bytes host, const struct bytes *segments,
                 size_t segment_count);
/* May `who` (NULL: nobody was identified) use `method` (enum http_method) on this route (-1: none)?
 * ERR_DENIED, or ERR_IDENTITY for nobody. *ret_decision is always filled:
 * "routes./app.allow.reader.GET" (the path as it is written), "routes./app.public",
 * "routes./app.deny.reader.GET", "token.resource", "default deny". A deny rule beats all; a token
 * that is narrowed to a resource is good for no route. Only OK makes a grant: `resource` is the
 * index of the route there, `table` NULL, no views, and `who` may be NULL. */
struct err policy_decide_route(const struct policy *policy, const struct principal *who, int route,
                               unsigned method, struct arena *arena, const struct grant **ret,
                               struct decision *ret_decision);

const char *action_name(enum action action);

#endif
