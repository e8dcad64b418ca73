/* config_schema.c - the JSON Schema (draft 2020-12) of the configuration, from the tables.
 *
 * For editors and agents: it knows names, types and choices. It is wider than the loader where
 * JSON Schema has no words for a rule (bounds of quantities, references between entries). */
#include "base/macros.h"
#include "config/config.h"
#include "config/config_text.h"
#include "format/json.h"

/* A pattern that also lets any text with ${env: pass: its value is not known to an editor. */
static void
put_pattern(struct buf *out, const char *pattern)
{
	struct buf text = { 0 };

	buf_printf(&text, "^(%s)$|\\$\\{env:", pattern);
	json_put_name(out, "pattern");
	json_put_string(out, buf_bytes(&text));
	buf_done(&text);
}

static void
put_patterned(struct buf *out, const char *pattern)
{
	buf_put_text(out, "\"type\":\"string\",");
	put_pattern(out, pattern);
}

static void
put_quantity(struct buf *out, const struct setting *s)
{
	uint64_t scale;
	const struct units *units = setting_units(s, &scale);
	struct buf pattern = { 0 };

	buf_put_text(&pattern, "[0-9]+(");
	for (size_t i = 0; i < units->count; i++)
		buf_printf(&pattern, "%s%s", i == 0 ? "" : "|", units->rows[i].name);
	buf_printf(&pattern, ")%s", s->kind == SETTING_SPEED ? "/s" : "");
	buf_put_u8(&pattern, 0);
	put_patterned(out, pattern.overflow ? "" : (const char *)pattern.at);
	buf_done(&pattern);
}

static void
put_names(struct buf *out, const struct choice *choices, size_t count)
{
	bool first = true;

	buf_put_text(out, "{\"enum\":[");
	for (size_t i = 0; i < count; i++) {
		if (choices[i].refused != NULL)
			continue;
		buf_put_text(out, first ? "" : ",");
		json_put_string(out, bytes_text(choices[i].name));
		first = false;
	}
	buf_put_text(out, "]}");
}

static void put_type(struct buf *out, const struct setting *s);
static void put_section(struct buf *out, const struct section *section, const char *without);

static void
put_row(struct buf *out, const struct setting *s)
{
	json_put_name(out, s->name);
	buf_put_text(out, "{");
	json_put_name(out, "description");
	json_put_string(out, bytes_text(s->help));
	if (s->fallback != NULL) {
		buf_put_u8(out, ',');
		json_put_name(out, "default");
		/* Numbers, true, false stand as they are; a list is told in words. */
		if (s->kind == SETTING_BOOL || (s->kind == SETTING_NUMBER && s->choice_count == 0))
			buf_put_text(out, s->fallback);
		else
			json_put_string(out, bytes_text(s->fallback));
	}
	buf_put_u8(out, ',');
	put_type(out, s);
	buf_put_u8(out, '}');
}

static void
put_required(struct buf *out, const struct rows *rows, bool first)
{
	for (size_t i = 0; i < rows->count; i++) {
		bool alternative = false;
		for (size_t j = 0; j < rows->count; j++)
			alternative |= rows->at[j]->instead_of != NULL &&
			               strcmp(rows->at[j]->instead_of, rows->at[i]->name) == 0;
		if (!rows->at[i]->required || alternative)
			continue;
		buf_put_text(out, first ? "" : ",");
		json_put_string(out, bytes_text(rows->at[i]->name));
		first = false;
	}
}

static void
put_alternatives(struct buf *out, const struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct setting *s = rows->at[i];
		if (s->instead_of != NULL)
			buf_printf(out,
			           ",\"oneOf\":[{\"required\":[\"%s\"]},{\"required\":[\"%s\"]}]",
			           s->instead_of, s->name);
	}
}

static void
put_object(struct buf *out, const struct section *section, const struct variant *v,
           const char *without)
{
	const struct rows rows = section_rows(section, v);
	bool first = v == NULL;

	buf_put_text(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	if (v != NULL)
		buf_printf(out, "\"type\":{\"const\":\"%s\"}", v->name);
	for (size_t i = 0; i < rows.count; i++) {
		if (without != NULL && strcmp(rows.at[i]->name, without) == 0)
			continue;
		buf_put_text(out, first ? "" : ",");
		put_row(out, rows.at[i]);
		first = false;
	}
	buf_put_text(out, "},\"required\":[");
	buf_put_text(out, v != NULL ? "\"type\"" : "");
	put_required(out, &rows, v == NULL);
	buf_put_u8(out, ']');
	put_alternatives(out, &rows);
}

static void
put_section(struct buf *out, const struct section *section, const char *without)
{
	if (section->short_key != NULL) {
		buf_put_text(out, "\"anyOf\":[{");
		put_type(out, &section->settings[0]);
		buf_put_text(out, "},{");
		put_object(out, section, NULL, without);
		buf_put_text(out, "}]");
		return;
	}
	if (section->variants == NULL) {
		put_object(out, section, NULL, without);
		return;
	}
	buf_put_text(out, "\"oneOf\":[");
	for (size_t i = 0; i < section->variant_count; i++) {
		buf_put_text(out, i == 0 ? "{" : ",{");
		put_object(out, section, &section->variants[i], without);
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

static void
put_rules(struct buf *out, const struct section *rule)
{
	buf_put_text(out, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{\"anyOf\":[{"
	                  "\"const\":\"all\"},"
	                  "{\"type\":\"array\",\"minItems\":1,\"items\":");
	put_names(out, config_actions, ACTION_COUNT);
	buf_put_text(out, "},{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":"
	                  "false,\"properties\":{");
	for (enum action a = 0; a < ACTION_COUNT; a++) {
		buf_put_text(out, a == 0 ? "" : ",");
		json_put_name(out, config_actions[a].name);
		buf_put_text(out, "{\"anyOf\":[{\"const\":\"all\"},{\"minProperties\":1,");
		put_section(out, rule, action_has_fields(a) ? NULL : "fields");
		buf_put_text(out, "}]}");
	}
	buf_put_text(out, "}}]}");
}

static void
put_map(struct buf *out, const struct setting *s)
{
	buf_printf(out,
	           "\"type\":[\"object\",\"null\"],\"maxProperties\":%ju,\"propertyNames\":{"
	           "\"pattern\":"
	           "\"^[%sa-z0-9_-]{1,%d}$\"},\"additionalProperties\":{",
	           (uintmax_t)s->max, s->section->lower_names ? "" : "A-Z", NAME_BYTES_MAX);
	put_section(out, s->section, NULL);
	buf_put_u8(out, '}');
}

static void
put_number(struct buf *out, const struct setting *s)
{
	buf_printf(out, "\"anyOf\":[{\"type\":\"integer\",\"minimum\":%ju,\"maximum\":%ju},",
	           (uintmax_t)s->min, (uintmax_t)s->max);
	if (s->choice_count > 0) {
		put_names(out, s->choices, s->choice_count);
		buf_put_u8(out, ',');
	}
	buf_put_text(out, "{\"$ref\":\"#/$defs/env\"}]");
}

static void
put_text(struct buf *out, const struct setting *s, uint64_t min, uint64_t max)
{
	buf_printf(out, "\"type\":\"string\",\"minLength\":%ju,\"maxLength\":%ju", (uintmax_t)min,
	           (uintmax_t)max);
	if (s->form != NULL) {
		buf_put_u8(out, ',');
		put_pattern(out, s->form->pattern);
	}
}

static void
put_texts(struct buf *out, const struct setting *s)
{
	buf_put_text(out, "\"anyOf\":[{");
	put_text(out, s, 1, SETTING_TEXT_MAX);
	buf_printf(out, "},{\"type\":\"array\",\"minItems\":%ju,\"maxItems\":%ju,\"items\":{",
	           (uintmax_t)s->min, (uintmax_t)s->max);
	put_text(out, s, 1, SETTING_TEXT_MAX);
	buf_put_text(out, "}}]");
}

/* Values of claims are compared as they are written: numbers and booleans too. */
static void
put_claims(struct buf *out, const struct setting *s)
{
	static const char scalar[] = "\"type\":[\"string\",\"number\",\"boolean\"]";

	buf_printf(out,
	           "\"type\":\"object\",\"minProperties\":%ju,\"maxProperties\":%ju,"
	           "\"additionalProperties\":{\"anyOf\":[{%s},"
	           "{\"type\":\"array\",\"minItems\":1,\"items\":{%s}}]}",
	           (uintmax_t)s->min, (uintmax_t)s->max, scalar, scalar);
}

/* A list, or one of them. */
static void
put_choices(struct buf *out, const struct setting *s)
{
	static const char *const forms[] = { "{",
		                             ",{\"type\":\"array\",\"minItems\":1,\"items\":{" };

	buf_put_text(out, "\"anyOf\":[");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		buf_printf(out, "%s\"anyOf\":[", forms[i]);
		put_names(out, s->choices, s->choice_count);
		buf_put_text(out, ",{\"$ref\":\"#/$defs/env\"}]}");
	}
	buf_put_text(out, "}]");
}

/* Kinds whose rows all have the same schema. */
static const char *const fixed[] = {
	[SETTING_PATH] = "\"type\":\"string\",\"minLength\":1",
	[SETTING_ENTRY] = "\"type\":\"string\",\"minLength\":1",
	[SETTING_ADDRESS] = "\"anyOf\":[{\"type\":\"string\",\"minLength\":1},"
			    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":65535}]",
	[SETTING_BOOL] = "\"anyOf\":[{\"type\":\"boolean\"},{\"$ref\":\"#/$defs/env\"}]",
	[SETTING_GRANTS] = "\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\","
			   "\"pattern\":\"^[^:]+:.+$\"}",
};

static void
put_scalar(struct buf *out, const struct setting *s)
{
	if (s->kind == SETTING_TEXT)
		put_text(out, s, s->min, s->max);
	else if (s->kind == SETTING_TEXTS)
		put_texts(out, s);
	else if (s->kind == SETTING_NUMBER)
		put_number(out, s);
	else if (s->kind == SETTING_SHARE)
		put_patterned(out, "[0-9]+([.][0-9]+)?%");
	else if (s->kind == SETTING_FREQUENCY)
		put_patterned(out, "[0-9]+/(s|min|h)");
	else
		put_quantity(out, s);
}

static void
put_choice(struct buf *out, const struct setting *s)
{
	buf_put_text(out, "\"anyOf\":[");
	put_names(out, s->choices, s->choice_count);
	buf_put_text(out, ",{\"$ref\":\"#/$defs/env\"}]");
}

static void
put_methods(struct buf *out, const struct setting *s)
{
	buf_put_text(out, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{");
	put_choices(out, s);
	buf_put_u8(out, '}');
}

static void
put_list(struct buf *out, const struct setting *s)
{
	buf_printf(out, "\"type\":[\"array\",\"null\"],\"maxItems\":%ju,\"items\":{",
	           (uintmax_t)s->max);
	put_section(out, s->section, NULL);
	buf_put_u8(out, '}');
}

static void
put_type(struct buf *out, const struct setting *s)
{
	switch (s->kind) {
	case SETTING_PATH:
	case SETTING_ENTRY:
	case SETTING_ADDRESS:
	case SETTING_BOOL:
	case SETTING_GRANTS:
		buf_put_text(out, fixed[s->kind]);
		return;
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_NUMBER:
	case SETTING_SHARE:
	case SETTING_FREQUENCY:
	case SETTING_SECONDS:
	case SETTING_MILLISECONDS:
	case SETTING_SIZE:
	case SETTING_RATE:
	case SETTING_SPEED:
		put_scalar(out, s);
		return;
	case SETTING_FLAG:
	case SETTING_CHOICE:
		put_choice(out, s);
		return;
	case SETTING_CHOICES:
		put_choices(out, s);
		return;
	case SETTING_CLAIMS:
		put_claims(out, s);
		return;
	case SETTING_RULES:
		put_rules(out, s->section);
		return;
	case SETTING_METHODS:
		put_methods(out, s);
		return;
	case SETTING_SECTION:
		put_section(out, s->section, NULL);
		return;
	case SETTING_MAP:
		put_map(out, s);
		return;
	case SETTING_LIST:
		put_list(out, s);
		return;
	}
}

void
config_put_schema(struct buf *out)
{
	buf_put_text(
		out,
		"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
		"\"title\":\"Gatewarden configuration\",\"$defs\":{\"env\":{\"type\":\"string\","
		"\"pattern\":\"\\\\$\\\\{env:[A-Za-z_][A-Za-z0-9_]*\\\\}\"}},");
	put_section(out, &config_root, NULL);
	buf_put_text(out, "}\n");
}
