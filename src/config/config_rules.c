/* config_rules.c - settings that refer to others by name: a backend or an issuer, granted_by, allow
 * and deny of resources and of routes. */
#include "config/config_reader.h"

#include "base/macros.h"

/* Names of the entries of a map that was read before, for look-ups and messages. */
struct names {
	const char **at;
	size_t count;
	const char *what;
};

static void
refuse_unknown(struct config_reader *r, const struct names *names, struct bytes name,
               struct place at)
{
	struct problems *p = &r->problems;

	problem_add(p, at, "unknown %s %s%s; expected %s", names->what, problem_quote(p, name),
	            problem_nearest(p, name, names->at, names->count),
	            problem_list(p, names->at, names->count));
}

static int
names_find(const struct names *names, struct bytes name)
{
	for (size_t i = 0; i < names->count; i++)
		if (bytes_is(name, names->at[i]))
			return (int)i;
	return -1;
}

/* `map` is a key of the file whose entries were read already. */
static struct names
names_of(struct config_reader *r, const char *map)
{
	const struct setting *s = config_root.settings;

	while (strcmp(s->name, map) != 0)
		s++;

	const char *base = (const char *)r->settings;
	const char *entries = *(const char *const *)(const void *)(base + s->offset);
	size_t count = *(const size_t *)(const void *)(base + s->count_offset);
	const char **at = arena_array(&r->scratch, count + 1, sizeof *at);
	r->problems.no_memory |= at == NULL;
	for (size_t i = 0; i < count && at != NULL; i++)
		at[i] = *(const char *const *)(const void *)(entries + i * s->section->size +
		                                             s->section->name_offset);
	/* Without the article. */
	return (struct names){ at, at != NULL ? count : 0, strchr(s->section->title, ' ') + 1 };
}

void
entry_name_read(struct config_reader *r, const struct setting *s, const struct node *n,
                unsigned *ret)
{
	struct names names = names_of(r, s->of);
	struct bytes text;

	if (!value_text(r, s, n, &text))
		return;
	int found = names_find(&names, text);
	if (found < 0)
		refuse_unknown(r, &names, n->text, n->place);
	else
		*ret = (unsigned)found;
}

static void
grant_read(struct config_reader *r, const struct setting *s, const struct node *n,
           const struct names *issuers, struct grant_source *ret)
{
	struct bytes text;

	*ret = (struct grant_source){ 0, "" };
	if (!value_text(r, s, n, &text))
		return;

	size_t colon = bytes_find(text, ':');
	if (colon + 1 >= text.len) {
		value_refuse(r, s, n->place, "has an entry that is no ISSUER:VALUE: %s",
		             problem_quote(&r->problems, n->text));
		return;
	}
	int issuer = names_find(issuers, bytes_slice(text, 0, colon));
	if (issuer < 0) {
		refuse_unknown(r, issuers, bytes_slice(n->text, 0, bytes_find(n->text, ':')),
		               n->place);
		return;
	}
	*ret = (struct grant_source){ (unsigned)issuer,
		                      reader_text(r, bytes_slice(text, colon + 1, text.len)) };
}

void
grants_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
            size_t *count)
{
	struct names issuers = names_of(r, "issuers");

	if (n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_LIST || n->count == 0) {
		value_refuse(r, s, n->place, "%s",
		             n->kind == NODE_LIST ? "is an empty list" : "is no list");
		return;
	}

	struct grant_source *grants = reader_array(r, n->count, sizeof *grants);
	size_t used = 0;
	for (const struct node *i = n->first; i != NULL && grants != NULL; i = i->next)
		grant_read(r, s, i, &issuers, &grants[used++]);
	*(const struct grant_source **)field = grants;
	*count = used;
}

/* The rules of one `allow` or `deny` while they are read. */
struct rules {
	const struct setting *setting;
	struct rule_settings *at;
	size_t count;
	unsigned role;
	unsigned seen; /* bit n: this role has a rule for action n already */
};

static int
action_find(struct config_reader *r, struct bytes text, struct bytes shown, struct place at)
{
	const char *names[ACTION_COUNT];
	struct names actions = { names, ACTION_COUNT, "action" };

	for (size_t i = 0; i < ACTION_COUNT; i++)
		names[i] = config_actions[i].name;
	int found = names_find(&actions, text);
	if (found < 0)
		refuse_unknown(r, &actions, shown, at);
	return found;
}

static struct rule_settings *
rule_add(struct config_reader *r, struct rules *rules, enum action action, struct place place)
{
	if (rules->seen >> action & 1) {
		problem_add(&r->problems, place, "action \"%s\" stands twice; expected it once",
		            config_actions[action].name);
		return NULL;
	}
	rules->seen |= 1u << action;

	struct rule_settings *rule = &rules->at[rules->count++];
	*rule = (struct rule_settings){ .role = rules->role, .action = action, .place = place };
	return rule;
}

static void
rule_read(struct config_reader *r, struct rules *rules, const struct node *n)
{
	const struct section *section = rules->setting->section;
	int action = action_find(r, n->key, n->key, n->key_place);
	struct rule_settings *rule =
		action < 0 ? NULL : rule_add(r, rules, (enum action)action, n->key_place);
	const struct node *fields = node_member(n, "fields");

	if (rule == NULL || n->kind == NODE_REFUSED ||
	    (n->kind == NODE_SCALAR && bytes_is(n->text, "all")))
		return;
	if (n->kind != NODE_MAP || n->count == 0) {
		problem_add(&r->problems, n->place,
		            "not a rule for \"%s\"; expected all, or a mapping with %s",
		            config_actions[action].name,
		            section->count > 1 ? "fields or where" : "fields");
		return;
	}
	section_read(r, section, n, rules->setting, rule);
	rule->has_include = rule->include != NULL;
	if (fields != NULL && !action_has_fields(rule->action))
		problem_add(&r->problems, fields->key_place,
		            "fields does not go with \"%s\"; expected whole rows",
		            config_actions[action].name);
}

static void
rules_of_role(struct config_reader *r, struct rules *rules, const struct node *n)
{
	struct bytes text;

	if (n->kind == NODE_SCALAR && bytes_is(n->text, "all")) {
		for (enum action a = 0; a < ACTION_COUNT; a++)
			(void)rule_add(r, rules, a,
			               n->place); /* NULL: a duplicate, which was said */
		return;
	}
	if ((n->kind != NODE_LIST && n->kind != NODE_MAP) || n->count == 0) {
		if (n->kind != NODE_REFUSED)
			problem_add(&r->problems, n->place,
			            "no actions; expected all, a list of actions, or a mapping "
			            "from actions to all or %s",
			            rules->setting->section->title);
		return;
	}
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		if (n->kind == NODE_MAP) {
			rule_read(r, rules, i);
			continue;
		}
		int action = value_text(r, rules->setting, i, &text)
		                     ? action_find(r, text, i->text, i->place)
		                     : -1;
		if (action >= 0)
			(void)rule_add(r, rules, (enum action)action, i->place); /* as above */
	}
}

void
rules_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
           size_t *count)
{
	struct names roles = names_of(r, "roles");
	struct rules rules = { .setting = s };

	if (node_is_null(n) || n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_MAP) {
		value_refuse(r, s, n->place, "is %s", n->kind == NODE_LIST ? "a list" : "text");
		return;
	}
	rules.at = reader_array(r, (n->count < ROLES_MAX ? n->count : ROLES_MAX) * ACTION_COUNT,
	                        sizeof *rules.at);
	for (const struct node *i = n->first; i != NULL && rules.at != NULL; i = i->next) {
		int role = names_find(&roles, i->key);
		if (role < 0)
			refuse_unknown(r, &roles, i->key, i->key_place);
		if (role < 0 || role >= ROLES_MAX)
			continue;
		rules.role = (unsigned)role;
		rules.seen = 0;
		rules_of_role(r, &rules, i);
	}
	*(const struct rule_settings **)field = rules.at;
	*count = rules.count;
}

void
methods_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
             size_t *count)
{
	struct names roles = names_of(r, "roles");
	struct setting one = *s;
	size_t used = 0;

	if (node_is_null(n) || n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_MAP) {
		value_refuse(r, s, n->place, "is %s", n->kind == NODE_LIST ? "a list" : "text");
		return;
	}
	one.kind = SETTING_CHOICES;
	struct route_rule *rules = reader_array(r, n->count, sizeof *rules);
	for (const struct node *i = n->first; i != NULL && rules != NULL; i = i->next) {
		int role = names_find(&roles, i->key);
		if (role < 0)
			refuse_unknown(r, &roles, i->key, i->key_place);
		if (role < 0 || role >= ROLES_MAX)
			continue;
		rules[used] = (struct route_rule){ .role = (unsigned)role, .place = i->key_place };
		value_read(r, &one, i, &rules[used++].methods, NULL);
	}
	*(const struct route_rule **)field = rules;
	*count = used;
}
