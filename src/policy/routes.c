/* routes.c - routes -> a tree of segments and rules with their names. See routes.h. */
#include "policy/routes.h"

#include "base/macros.h"
#include "config/route_path.h"
#include "policy/rules.h"

static const struct err no_memory = { .kind = ERR_LIMIT,
	                              .why = "the routes do not fit into memory" };

/* The tree */

/* Who sends requests does not choose what is in the table, so the key need not be secret. */
static struct route_edge *
edge_find(const struct route_tree *t, unsigned from, struct bytes text)
{
	static const uint8_t key[16] = { 0 };
	size_t i = (bytes_hash(text, key) + from * UINT64_C(0x9e3779b97f4a7c15)) & t->edge_mask;

	while (t->edges[i].text.at != NULL &&
	       (t->edges[i].from != from || !bytes_equal(t->edges[i].text, text)))
		i = (i + 1) & t->edge_mask;
	return &t->edges[i];
}

/* No node has so high a number. */
static unsigned
end_key(unsigned node, bool is_tail)
{
	return 1u << 31 | node << 1 | is_tail;
}

static unsigned
node_add(struct route_tree *t)
{
	static const struct route_end none = { .any = ROUTE_NONE };

	t->nodes[t->node_count] = (struct route_node){ NODE_NONE, none, none, ROUTE_NONE };
	return (unsigned)t->node_count++;
}

static unsigned
child_of(struct route_tree *t, unsigned parent, struct bytes segment)
{
	if (route_path_is_star(segment)) {
		if (t->nodes[parent].star == NODE_NONE)
			t->nodes[parent].star = node_add(t);
		return t->nodes[parent].star;
	}
	struct route_edge *e = edge_find(t, parent, segment);
	if (e->text.at == NULL)
		*e = (struct route_edge){ segment, parent, node_add(t) };
	return e->to;
}

/* The first to come to an end has it: a later one for the same host is never reached. */
static void
end_add(struct route_tree *t, unsigned node, bool is_tail, unsigned index)
{
	const struct route_settings *route = t->routes[index].settings;
	struct route_end *end = is_tail ? &t->nodes[node].tail : &t->nodes[node].exact;

	if (route->host_count == 0 && end->any == ROUTE_NONE)
		end->any = index;
	for (size_t i = 0; i < route->host_count; i++) {
		struct bytes host = bytes_text(route->hosts[i]);
		struct route_edge *e = edge_find(t, end_key(node, is_tail), host);
		if (e->text.at == NULL)
			*e = (struct route_edge){ host, end_key(node, is_tail), index };
		end->has_hosts = true;
	}
}

/* Routes are added in their order: the first to come to a node is its least. */
static void
tree_add(struct route_tree *t, unsigned index)
{
	struct bytes rest = bytes_text(t->routes[index].settings->path), segment;
	unsigned at = NODE_ROOT;
	bool is_tail = false;

	for (;;) {
		struct route_node *n = &t->nodes[at];
		n->least = n->least == ROUTE_NONE ? index : n->least;
		if (!route_path_next(&rest, &segment))
			break;
		is_tail = route_path_is_star(segment) && rest.len == 0;
		if (is_tail)
			break;
		at = child_of(t, at, segment);
	}
	end_add(t, at, is_tail, index);
}

static struct err
tree_build(const struct settings *s, struct arena *arena, struct route_tree *t)
{
	size_t segments = 0, hosts = 0, slots = 2;

	for (size_t i = 0; i < s->route_count; i++) {
		struct bytes rest = bytes_text(s->routes[i].path), segment;
		while (route_path_next(&rest, &segment))
			segments++;
		hosts += s->routes[i].host_count;
	}
	while (slots < 2 * (segments + hosts + 1)) /* at least every second slot is free */
		slots *= 2;
	t->nodes = arena_array(arena, segments + 1, sizeof *t->nodes);
	t->edges = arena_array(arena, slots, sizeof *t->edges);
	if (t->nodes == NULL || t->edges == NULL)
		return no_memory;
	t->edge_mask = slots - 1;
	(void)node_add(t); /* the root */
	for (unsigned i = 0; i < s->route_count; i++)
		tree_add(t, i);
	return OK;
}

/* Rules */

static struct err
put_name(struct arena *arena, struct bytes *ret, const char *path, const char *effect,
         const char *role)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_printf(&text, "routes.%s.%s%s%s%s", path, effect, role[0] == 0 ? "" : ".", role,
	           role[0] == 0 ? "" : ".");
	TRY(buf_check(&text));
	*ret = arena_copy(arena, buf_bytes(&text));
	return ret->len == 0 ? no_memory : OK;
}

static struct err
compile_rule(const struct settings *s, const char *path, const char *effect,
             const struct route_rule *from, struct arena *arena, struct method_rule *ret)
{
	if (from->role >= s->role_count || from->role >= ROLES_MAX)
		return fail(ERR_CONFIG, "a route names a role that does not exist");
	ret->role = UINT64_C(1) << from->role;
	ret->methods = from->methods;
	ret->place = from->place;
	return put_name(arena, &ret->name, path, effect, s->roles[from->role].name);
}

static struct err
compile_rules(const struct settings *s, const struct route_settings *route, bool allows,
              struct arena *arena, const struct method_rule **ret)
{
	const struct route_rule *from = allows ? route->allow : route->deny;
	size_t count = allows ? route->allow_count : route->deny_count;
	struct method_rule *rules = arena_array(arena, count + 1, sizeof *rules);

	if (rules == NULL)
		return no_memory;
	for (size_t i = 0; i < count; i++)
		TRY(compile_rule(s, route->path, allows ? "allow" : "deny", &from[i], arena,
		                 &rules[i]));
	*ret = rules;
	return OK;
}

struct err
routes_compile(const struct settings *s, struct arena *arena, struct route_tree *ret)
{
	struct compiled_route *routes = arena_array(arena, s->route_count + 1, sizeof *routes);

	if (routes == NULL)
		return no_memory;
	for (size_t i = 0; i < s->route_count; i++) {
		struct compiled_route *route = &routes[i];
		route->settings = &s->routes[i];
		TRY(compile_rules(s, route->settings, true, arena, &route->allow));
		TRY(compile_rules(s, route->settings, false, arena, &route->deny));
		TRY(put_name(arena, &route->public_name, route->settings->path, "public", ""));
	}
	ret->routes = routes;
	return tree_build(s, arena, ret);
}

/* Matching */

/* The first route that ends here and fits the host, where it stands before `best`; else `best`. */
static unsigned
first_fitting(const struct route_tree *t, unsigned node, bool is_tail, struct bytes host,
              unsigned best)
{
	const struct route_end *end = is_tail ? &t->nodes[node].tail : &t->nodes[node].exact;

	if (end->any < best)
		best = end->any;
	if (end->has_hosts) {
		const struct route_edge *e = edge_find(t, end_key(node, is_tail), host);
		if (e->text.at != NULL && e->to < best)
			best = e->to;
	}
	return best;
}

/* Literal and star may both lead on; what cannot hold a route before the best one is left out. The
 * stack holds at most one sibling for each segment of the path. */
int
policy_route(const struct policy *policy, struct bytes host, const struct bytes *segments,
             size_t segment_count)
{
	const struct route_tree *t = &policy->routes;
	struct {
		unsigned node;
		size_t depth;
	} stack[ROUTE_SEGMENTS_MAX + 2] = { { NODE_ROOT, 0 } };
	size_t open = 1;
	unsigned best = ROUTE_NONE;

	if (segment_count > ROUTE_SEGMENTS_MAX)
		return -1;
	while (open > 0) {
		open--;
		size_t depth = stack[open].depth;
		unsigned at = stack[open].node;

		if (t->nodes[at].least >= best)
			continue;
		best = first_fitting(t, at, true, host, best);
		if (depth == segment_count) {
			best = first_fitting(t, at, false, host, best);
			continue;
		}
		const struct route_edge *literal = edge_find(t, at, segments[depth]);
		if (t->nodes[at].star != NODE_NONE)
			stack[open].node = t->nodes[at].star, stack[open++].depth = depth + 1;
		if (literal->text.at != NULL)
			stack[open].node = literal->to, stack[open++].depth = depth + 1;
	}
	return best == ROUTE_NONE ? -1 : (int)best;
}

/* Deciding */

static const struct method_rule *
find_rule(const struct method_rule *rules, size_t count, uint64_t roles, unsigned method)
{
	for (size_t i = 0; i < count; i++)
		if ((rules[i].role & roles) != 0 && (rules[i].methods >> method & 1) != 0)
			return &rules[i];
	return NULL;
}

/* The name is put together here: those of all methods of all rules would take many times the
 * memory. Where there is none left, it ends without the method. */
static struct decision
decision_by(const struct method_rule *rule, unsigned method, const char *why, struct arena *arena)
{
	size_t len = strlen(route_methods[method]);
	uint8_t *name = arena_alloc(arena, rule->name.len + len);
	struct decision d = { .rule = rule->name, .why = why, .place = rule->place };

	if (name != NULL) {
		memcpy(name, rule->name.at, rule->name.len);
		memcpy(name + rule->name.len, route_methods[method], len);
		d.rule = (struct bytes){ name, rule->name.len + len };
	}
	return d;
}

/* What was found in *ret_decision; true: allowed. */
static bool
is_allowed(const struct compiled_route *route, const struct principal *who, unsigned method,
           struct arena *arena, struct decision *ret)
{
	const struct route_settings *s = route->settings;
	uint64_t roles = who != NULL ? principal_roles(who) : 0;
	const struct method_rule *rule = find_rule(route->deny, s->deny_count, roles, method);

	if (rule != NULL) {
		*ret = decision_by(rule, method, "a role of the caller is denied the method",
		                   arena);
		return false;
	}
	if ((s->public >> method & 1) != 0) {
		*ret = (struct decision){ route->public_name, "the method is public", s->place };
		return true;
	}
	rule = find_rule(route->allow, s->allow_count, roles, method);
	if (rule != NULL)
		*ret = decision_by(rule, method, "a role of the caller allows the method", arena);
	return rule != NULL;
}

struct err
policy_decide_route(const struct policy *policy, const struct principal *who, int route,
                    unsigned method, struct arena *arena, const struct grant **ret,
                    struct decision *ret_decision)
{
	bool known = route >= 0 && (size_t)route < policy->settings->route_count &&
	             method < ROUTE_METHOD_COUNT;

	*ret_decision = (struct decision){ .rule = BYTES("default deny"),
		                           .why = known ? "no role of the caller allows the method"
		                                        : "no route fits" };
	if (who != NULL && is_narrowed_away(who, (struct bytes){ 0 }, ret_decision))
		return fail(ERR_DENIED, "not allowed");
	if (!known || !is_allowed(&policy->routes.routes[route], who, method, arena, ret_decision))
		return who == NULL ? fail(ERR_IDENTITY, "nobody was identified")
		                   : fail(ERR_DENIED, "not allowed");

	struct grant *grant = arena_alloc(arena, sizeof *grant);
	if (grant == NULL)
		return fail(ERR_LIMIT, "the grant does not fit into the memory of the request");
	*grant = (struct grant){
		.resource = (unsigned)route, .is_route = true, .action = ACTION_EXECUTE, .who = who
	};
	*ret = grant;
	return OK;
}
