/* routes.h - the compiled form of routes. Used inside src/policy only. */
#ifndef POLICY_ROUTES_H
#define POLICY_ROUTES_H

#include "policy/policy.h"

/* One allow or deny rule of a route. */
struct method_rule {
	uint64_t role;    /* one bit */
	unsigned methods; /* bit = enum http_method */
	struct place place;
	struct bytes name; /* "routes./app.allow.reader."; the method follows */
};
struct compiled_route {
	const struct route_settings *settings;
	const struct method_rule *allow, *deny;
	struct bytes public_name;
};

enum { ROUTE_NONE = UINT32_MAX, NODE_ROOT = 0, NODE_NONE = 0 /* the root is nobody's child */ };

/* Where routes end: one with exactly these segments, or one that goes on with any number. */
struct route_end {
	unsigned any;   /* the first route for every host, or ROUTE_NONE */
	bool has_hosts; /* there are routes for some hosts */
};
/* A tree of segments. The literal children of all nodes stand in one table, found by parent and
 * segment, and so do the routes for some hosts, found by end and host: a look-up costs a hash per
 * segment, however many routes there are. */
struct route_node {
	unsigned star; /* child for any segment, or NODE_NONE */
	struct route_end exact, tail;
	unsigned least; /* the first of all routes here and below */
};
struct route_edge {
	struct bytes text; /* a segment, or a host; .at NULL: the slot is free */
	unsigned from, to; /* a node and its child; or an end (end_key()) and its first route */
};
struct route_tree {
	const struct compiled_route *routes; /* as in settings */
	struct route_node *nodes;
	struct route_edge *edges;
	size_t node_count, edge_mask;
};

struct err routes_compile(const struct settings *settings, struct arena *arena,
                          struct route_tree *ret);

#endif
