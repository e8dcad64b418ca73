/* policy.c - settings -> compiled rules: column names become sets, row conditions become filters,
 * and whatever names something that does not exist is an error with its place. */
#include "policy/rules.h"

#include "base/macros.h"
#include "config/nearest.h"

/* Where rules of one resource are compiled. */
struct compiler {
	const struct settings *settings;
	const struct resource_settings *resource;
	const struct table *table;
	struct arena *arena;
	struct config_errors *errors;
};

enum { COLUMNS_TOLD_MAX = 32 };

static const struct err no_memory = { .kind = ERR_LIMIT,
	                              .why = "the policy does not fit into memory" };

const char *
action_name(enum action action)
{
	switch (action) {
	case ACTION_READ:
		return "read";
	case ACTION_CREATE:
		return "create";
	case ACTION_UPDATE:
		return "update";
	case ACTION_DELETE:
		return "delete";
	case ACTION_EXECUTE:
		return "execute";
	case ACTION_COUNT:
		break;
	}
	return "unknown";
}

/* Columns */

/* ` (did you mean "x"?)`, or all there are. */
static void
put_expected(struct buf *out, const struct table *table, struct bytes name)
{
	struct nearest nearest = nearest_to(name);

	for (size_t i = 0; i < table->column_count; i++)
		nearest_try(&nearest, table->columns[i].name);
	if (nearest.name.len > 0) {
		buf_printf(out, " (did you mean \"%.*s\"?)", (int)nearest.name.len,
		           (const char *)nearest.name.at);
		return;
	}
	for (size_t i = 0; i < table->column_count && i < COLUMNS_TOLD_MAX; i++) {
		buf_put_text(out, i == 0 ? "; expected one of " : ", ");
		buf_put(out, table->columns[i].name);
	}
	buf_put_text(out, table->column_count > COLUMNS_TOLD_MAX ? ", ..." : "");
}

/* Of a table that is not known nothing is asked: why it is not was said where it was looked for. */
static void
read_columns(struct compiler *c, const char *const *names, size_t count, struct place at,
             struct column_set *ret)
{
	*ret = (struct column_set){ { 0 } };
	for (size_t i = 0; c->table != NULL && i < count; i++) {
		CLEANUP(buf_done) struct buf expected = { 0 };
		int column = table_column(c->table, bytes_text(names[i]));

		if (column >= 0) {
			column_set_add(ret, (size_t)column);
			continue;
		}
		put_expected(&expected, c->table, bytes_text(names[i]));
		config_error_add(c->errors, c->settings->file, at, "`%s` has no column `%s`%.*s",
		                 c->resource->name, names[i], (int)expected.len,
		                 expected.len == 0 ? "" : (const char *)expected.at);
	}
}

static void
compile_columns(struct compiler *c, const struct rule_settings *from, struct rule *rule)
{
	struct column_set exclude;

	if (from->has_include)
		read_columns(c, from->include, from->include_count, from->place, &rule->columns);
	else if (c->table != NULL)
		column_set_add_all(&rule->columns, c->table);
	read_columns(c, from->exclude, from->exclude_count, from->place, &exclude);
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		if (column_set_has(&exclude, i))
			column_set_remove(&rule->columns, i);
	rule->has_columns = from->has_include;
}

/* Row conditions */

/* The place of a byte of a text that began at `start`; the text may run over several lines. */
static struct place
place_inside(struct place start, const char *text, size_t offset)
{
	for (size_t i = 0; i < offset && text[i] != '\0'; i++) {
		start.column++;
		if (text[i] == '\n')
			start.line++, start.column = 1;
	}
	return start;
}

static void
refuse_where(struct compiler *c, const struct rule_settings *from, unsigned code,
             const struct filter_error *error)
{
	CLEANUP(buf_done) struct buf near = { 0 }, expected = { 0 };

	if (error->near.len == 0)
		buf_put_text(&near, "at the end");
	else
		buf_printf(&near, "at `%.*s`", (int)error->near.len, (const char *)error->near.at);
	if (code == FILTER_UNKNOWN_COLUMN)
		put_expected(&expected, c->table, error->near);
	config_error_add(c->errors, c->settings->file,
	                 place_inside(from->where_place, from->where, error->offset),
	                 "row condition of `%s`, %.*s: %s%.*s", c->resource->name, (int)near.len,
	                 (const char *)near.at, error->why, (int)expected.len,
	                 expected.len == 0 ? "" : (const char *)expected.at);
}

static struct err
compile_where(struct compiler *c, const struct rule_settings *from, struct rule *rule)
{
	struct filter_error error;

	if (from->where == NULL || c->table == NULL)
		return OK;

	struct err e = filter_parse(bytes_text(from->where), c->table, true, c->arena, &rule->where,
	                            &error);
	if (e.kind != ERR_PEER)
		return e;
	refuse_where(c, from, e.code, &error);
	return OK;
}

/* Rules */

static struct err
name_rule(struct compiler *c, const char *effect, struct rule *rule)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_printf(&text, "resources.%s.%s.%s.%s", c->resource->name, effect, rule->role_name,
	           action_name(rule->action));
	TRY(buf_check(&text));
	rule->name = arena_copy(c->arena, buf_bytes(&text));
	return rule->name.len == 0 ? no_memory : OK;
}

static struct err
compile_rule(struct compiler *c, const struct rule_settings *from, bool allows, struct rule *rule)
{
	if (from->role >= c->settings->role_count || from->role >= ROLES_MAX)
		return fail(ERR_CONFIG, "a rule names a role that does not exist");
	rule->role = UINT64_C(1) << from->role;
	rule->role_name = c->settings->roles[from->role].name;
	rule->action = from->action;
	rule->place = from->place;
	TRY(name_rule(c, allows ? "allow" : "deny", rule));
	compile_columns(c, from, rule);
	/* What a deny rule cannot express must not be dropped in silence. */
	if (!allows && (from->where != NULL || from->exclude_count != 0))
		config_error_add(c->errors, c->settings->file, from->place,
		                 "a deny rule takes no row condition and no `exclude`");
	return allows ? compile_where(c, from, rule) : OK;
}

static struct err
compile_rules(struct compiler *c, const struct rule_settings *from, size_t count, bool allows,
              const struct rule **ret)
{
	struct rule *rules = arena_array(c->arena, count, sizeof *rules);

	if (rules == NULL)
		return no_memory;
	for (size_t i = 0; i < count; i++)
		TRY(compile_rule(c, &from[i], allows, &rules[i]));
	*ret = rules;
	return OK;
}

static struct err
compile_resource(struct compiler *c, struct resource_rules *ret)
{
	const struct resource_settings *from = c->resource;

	ret->table = c->table;
	ret->allow_count = from->allow_count;
	ret->deny_count = from->deny_count;
	TRY(compile_rules(c, from->allow, from->allow_count, true, &ret->allow));
	return compile_rules(c, from->deny, from->deny_count, false, &ret->deny);
}

/* Names */

/* Insertion sort: once per configuration, and the file is limited to a mebibyte. */
static struct err
sort_names(const struct settings *settings, struct arena *arena, const unsigned **ret)
{
	unsigned *order = arena_array(arena, settings->resource_count, sizeof *order);

	if (order == NULL)
		return no_memory;
	for (unsigned i = 0; i < settings->resource_count; i++) {
		unsigned at = i;

		for (; at > 0 && strcmp(settings->resources[order[at - 1]].name,
		                        settings->resources[i].name) > 0;
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	*ret = order;
	return OK;
}

int
policy_resource(const struct policy *policy, struct bytes name)
{
	size_t low = 0, high = policy->settings->resource_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		unsigned index = policy->by_name[middle];
		int order =
			bytes_compare(name, bytes_text(policy->settings->resources[index].name));

		if (order == 0)
			return (int)index;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

struct err
policy_compile(const struct settings *settings, const struct table *const *tables,
               uint32_t generation, struct arena *arena, const struct policy **ret,
               struct config_errors *errors)
{
	unsigned before = errors->count;
	bool is_whole = true; /* every table is known */
	struct policy *policy = arena_alloc(arena, sizeof *policy);
	struct resource_rules *resources =
		arena_array(arena, settings->resource_count, sizeof *resources);

	if (policy == NULL || resources == NULL)
		return no_memory;
	*policy = (struct policy){ .settings = settings,
		                   .generation = generation,
		                   .resources = resources };
	TRY(sort_names(settings, arena, &policy->by_name));
	TRY(routes_compile(settings, arena, &policy->routes));
	for (size_t i = 0; i < settings->resource_count; i++) {
		struct compiler c = { .settings = settings,
			              .resource = &settings->resources[i],
			              .table = tables != NULL ? tables[i] : NULL,
			              .arena = arena,
			              .errors = errors };

		is_whole &= tables == NULL || c.table != NULL;
		TRY(compile_resource(&c, &resources[i]));
	}
	if (errors->count != before || !is_whole)
		return fail(ERR_CONFIG, "the policy names what does not exist");
	*ret = policy;
	return OK;
}

const struct table *
policy_table(const struct policy *policy, unsigned resource)
{
	return policy->resources[resource].table;
}
