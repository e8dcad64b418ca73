/* config_yaml.h - YAML text -> a bounded tree of nodes. Private to src/config.
 *
 * Built from libfyaml's events, not its documents: nothing here recurses, nothing is expanded.
 * Refused: aliases and anchors (so no "billion laughs"), merge keys, tags, keys that are not
 * text, duplicate keys, a second document, more than YAML_DEPTH_MAX levels. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "config/config_problem.h"

enum { YAML_DEPTH_MAX = 32, YAML_NODES_MAX = 50000, YAML_KEYS_MAX = 4096 };

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
	NODE_REFUSED, /* already complained about: readers pass over it */
};

/* Lives in the scratch arena of the load. */
struct node {
	enum node_kind kind;
	bool plain; /* scalar without quotes: may be null */
	struct place place;
	struct bytes text; /* scalar */
	struct bytes key;  /* as a member of a map */
	struct place
		key_place; /* where a message about the whole member points; == place in a list */
	struct node *first, *next;
	size_t count; /* children */
};

/* NULL when the text cannot be read as one document; the reasons are in `p`. Even with a tree
 * there may be problems. */
const struct node *yaml_parse(struct bytes text, struct problems *p);
/* NULL where there is none, or no map. */
const struct node *node_member(const struct node *map, const char *key);
/* Nothing, `~` or `null`, unquoted. */
bool node_is_null(const struct node *n);

#endif
