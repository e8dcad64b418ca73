/* config_read.c - mappings by their tables: unknown, missing and default keys, types, named
 * entries.
 *
 * The functions call one another as deep as the tables do, never as deep as the text does. */
#include "config/config_reader.h"

#include "base/macros.h"
#include "config/config_text.h"

static bool
is_among(struct bytes key, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_is(key, names[i]))
			return true;
	return false;
}

static void
check_keys(struct config_reader *r, const struct section *section, const struct rows *rows,
           const struct node *n)
{
	struct problems *p = &r->problems;
	const char *names[ROWS_MAX + 1];
	size_t count = 0;

	if (section->variants != NULL)
		names[count++] = "type";
	for (size_t i = 0; i < rows->count; i++)
		names[count++] = rows->at[i]->name;
	for (const struct node *i = n->first; i != NULL; i = i->next)
		if (!is_among(i->key, names, count) && !bytes_is(i->key, "<<"))
			problem_add(p, i->key_place, "unknown key %s in %s%s; expected %s",
			            problem_quote(p, i->key), section->title,
			            problem_nearest(p, i->key, names, count),
			            problem_list(p, names, count));
}

/* A missing key is reported where its mapping was named. */
static struct place
place_of(const struct node *n)
{
	return n->key.at != NULL ? n->key_place : n->place;
}

static const struct variant *
variant_read(struct config_reader *r, const struct section *section, const struct node *n,
             void *base)
{
	struct problems *p = &r->problems;
	struct setting type = {
		.name = "type", .kind = SETTING_TEXT, .min = 1, .max = NAME_BYTES_MAX
	};
	const struct node *value = node_member(n, type.name);
	const char *names[ROWS_MAX];
	struct bytes text;

	for (size_t i = 0; i < section->variant_count; i++)
		names[i] = section->variants[i].name;
	if (value == NULL) {
		problem_add(p, place_of(n), "type is missing in %s; expected %s", section->title,
		            problem_list(p, names, section->variant_count));
		return NULL;
	}
	if (!value_text(r, &type, value, &text))
		return NULL;
	for (size_t i = 0; i < section->variant_count; i++)
		if (bytes_is(text, names[i])) {
			*(unsigned *)(void *)((char *)base + section->type_offset) =
				section->variants[i].value;
			return &section->variants[i];
		}
	problem_add(p, value->place, "unknown type %s of %s%s; expected %s",
	            problem_quote(p, value->text), section->title,
	            problem_nearest(p, text, names, section->variant_count),
	            problem_list(p, names, section->variant_count));
	return NULL;
}

static bool
is_name(struct bytes name, bool lower_only)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
		          c == '-' || (c >= 'A' && c <= 'Z' && !lower_only);
		if (!ok)
			return false;
	}
	return name.len > 0 && name.len <= NAME_BYTES_MAX;
}

static void
entry_name_check(struct config_reader *r, const struct section *section, const struct node *n)
{
	if (!is_name(n->key, section->lower_names))
		problem_add(&r->problems, n->key_place,
		            "%s is no name for %s; expected 1 to %d of %s",
		            problem_quote(&r->problems, n->key), section->title, NAME_BYTES_MAX,
		            section->lower_names ? "a-z 0-9 _ -" : "A-Z a-z 0-9 _ -");
}

/* Of a map, where it has a name, or of a list. */
static void
entry_read(struct config_reader *r, const struct setting *s, const struct node *n, char *entry)
{
	const struct section *section = s->section;
	char *draft =
		section->draft_size == 0 ? entry : arena_alloc(&r->scratch, section->draft_size);

	if (draft == NULL) {
		r->problems.no_memory = true;
		return;
	}
	/* Set whatever follows: a reference to a broken entry is no second error. */
	if (s->kind == SETTING_MAP) {
		entry_name_check(r, section, n);
		*(const char **)(void *)(draft + section->name_offset) = reader_text(r, n->key);
	}
	*(struct place *)(void *)(draft + section->place_offset) = n->key_place;
	section_read(r, section, n, s, draft);
	if (draft != entry)
		memcpy(entry, draft, section->size);
}

static void
map_read(struct config_reader *r, const struct setting *s, const struct node *n, void **field,
         size_t *count)
{
	const struct section *section = s->section;

	if (node_is_null(n) || n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_MAP) {
		value_refuse(r, s, n->place, "is %s", n->kind == NODE_LIST ? "a list" : "text");
		return;
	}
	if (n->count > s->max)
		value_refuse(r, s, place_of(n), "has %zu entries", n->count);

	char *entries = reader_array(r, n->count, section->size);
	size_t used = 0;
	for (const struct node *i = n->first; i != NULL && entries != NULL; i = i->next)
		entry_read(r, s, i, entries + used++ * section->size);
	*field = entries;
	*count = used;
}

static void
list_read(struct config_reader *r, const struct setting *s, const struct node *n, void **field,
          size_t *count)
{
	const struct section *section = s->section;

	if (node_is_null(n) || n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_LIST) {
		value_refuse(r, s, n->place, "is %s", n->kind == NODE_MAP ? "a mapping" : "text");
		return;
	}
	if (n->count > s->max)
		value_refuse(r, s, n->place, "has %zu entries", n->count);

	char *entries = reader_array(r, n->count, section->size);
	size_t used = 0;
	*field = entries;
	for (const struct node *i = n->first; i != NULL && entries != NULL; i = i->next)
		entry_read(r, s, i, entries + used++ * section->size);
	*count = used;
}

static void
setting_read(struct config_reader *r, const struct setting *s, const struct node *n, char *base)
{
	void *field = s->offset == SETTING_UNKEPT ? NULL : base + s->offset;
	void *count = base + s->count_offset;

	if (s->place_offset != 0)
		*(struct place *)(void *)(base + s->place_offset) = n->place;
	if (s->kind == SETTING_SECTION)
		section_read(r, s->section, n, s, field);
	else if (s->kind == SETTING_MAP)
		map_read(r, s, n, field, count);
	else if (s->kind == SETTING_ENTRY)
		entry_name_read(r, s, n, field);
	else if (s->kind == SETTING_CLAIMS)
		claims_read(r, s, n, field, count);
	else if (s->kind == SETTING_GRANTS)
		grants_read(r, s, n, field, count);
	else if (s->kind == SETTING_RULES)
		rules_read(r, s, n, field, count);
	else if (s->kind == SETTING_METHODS)
		methods_read(r, s, n, field, count);
	else if (s->kind == SETTING_LIST)
		list_read(r, s, n, field, count);
	else if (s->kind == SETTING_FREQUENCY)
		frequency_read(r, s, n, field, count);
	else
		value_read(r, s, n, field, count);
}

/* Defaults are read as if they were written in the file, so they obey the same bounds. */
static void
default_read(struct config_reader *r, const struct setting *s, char *base)
{
	const struct node *n =
		s->fallback != NULL ? yaml_parse(bytes_text(s->fallback), &r->problems) : NULL;

	if (n != NULL)
		setting_read(r, s, n, base);
	else if (s->kind == SETTING_SECTION)
		section_read(r, s->section, NULL, s, base + s->offset);
}

/* The row that may stand for `s`, or NULL. */
static const struct setting *
row_instead(const struct rows *rows, const struct setting *s)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->at[i]->instead_of != NULL &&
		    strcmp(rows->at[i]->instead_of, s->name) == 0)
			return rows->at[i];
	return NULL;
}

static void
row_read(struct config_reader *r, const struct rows *rows, const struct setting *s,
         const struct node *n, char *base)
{
	const struct node *value = n != NULL ? node_member(n, s->name) : NULL;
	const struct setting *other = row_instead(rows, s);
	bool has_other = n != NULL && other != NULL && node_member(n, other->name) != NULL;

	if (value != NULL && has_other)
		value_refuse(r, s, value->key_place, "stands beside %s, but only one may",
		             other->name);
	else if (value != NULL)
		setting_read(r, s, value, base);
	else if (s->required && !has_other && n != NULL)
		value_refuse(r, s, place_of(n), "is missing%s%s",
		             other != NULL ? ", and so is " : "", other != NULL ? other->name : "");
	else if (!s->required)
		default_read(r, s, base);
}

void
section_read(struct config_reader *r, const struct section *section, const struct node *n,
             const struct setting *of, void *base)
{
	const struct variant *v = NULL;
	struct node wrapped = { .kind = NODE_MAP, .count = 1 }, only;

	if (n != NULL && n->kind == NODE_REFUSED)
		return;
	if (n != NULL && n->kind == NODE_SCALAR && !node_is_null(n) && section->short_key != NULL) {
		only = *n;
		only.key = bytes_text(section->short_key);
		only.next = NULL;
		wrapped.first = &only;
		wrapped.place = wrapped.key_place = n->place;
		n = &wrapped;
	}
	if (n != NULL && n->kind != NODE_MAP && !node_is_null(n)) {
		value_refuse(r, of, n->place, "is %s", n->kind == NODE_LIST ? "a list" : "text");
		return;
	}
	if (section->variants != NULL) {
		v = n != NULL ? variant_read(r, section, n, base) : NULL;
		if (v == NULL)
			return; /* without a type nobody knows which keys there are */
	}
	const struct rows rows = section_rows(section, v);
	if (n != NULL)
		check_keys(r, section, &rows, n);
	for (size_t i = 0; i < rows.count; i++)
		row_read(r, &rows, rows.at[i], n, base);
	if (section->finish != NULL)
		section->finish(r, n, base);
}
