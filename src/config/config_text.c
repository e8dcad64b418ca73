/* config_text.c - see config_text.h. */
#include "config/config_text.h"

#include "base/macros.h"

static const struct unit duration_rows[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
static const struct unit size_rows[] = {
	{ "B", 1 },         { "KB", 1000 },       { "KiB", 1 << 10 }, { "MB", 1000000 },
	{ "MiB", 1 << 20 }, { "GB", 1000000000 }, { "GiB", 1 << 30 },
};
const struct units units_duration = { "a duration", "30s", "s", duration_rows,
	                              ARRAY_LEN(duration_rows) };
const struct units units_size = { "a size", "64KiB", "B", size_rows, ARRAY_LEN(size_rows) };

const struct units *
setting_units(const struct setting *s, uint64_t *scale)
{
	*scale = s->kind == SETTING_SECONDS ? 1000 : 1;
	if (s->kind == SETTING_SECONDS || s->kind == SETTING_MILLISECONDS)
		return &units_duration;
	return s->kind == SETTING_SIZE || s->kind == SETTING_RATE || s->kind == SETTING_SPEED
	               ? &units_size
	               : NULL;
}

enum quantity
quantity_parse(struct bytes text, const struct units *units, uint64_t *ret)
{
	size_t digits = 0;
	uint64_t number, value;

	while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
		digits++;
	if (digits == 0)
		return QUANTITY_NO_NUMBER;
	if (digits == text.len)
		return QUANTITY_NO_UNIT;
	for (size_t i = 0; i < units->count; i++) {
		if (!bytes_is(bytes_slice(text, digits, text.len), units->rows[i].name))
			continue;
		if (failed(bytes_to_u64(bytes_slice(text, 0, digits), &number)) ||
		    __builtin_mul_overflow(number, units->rows[i].factor, &value))
			return QUANTITY_OVERFLOW;
		*ret = value;
		return QUANTITY_OK;
	}
	return QUANTITY_UNKNOWN_UNIT;
}

bool
share_parse(struct bytes text, uint64_t *ret)
{
	enum { DECIMALS = 4, PPM_PERCENT = 10000 };
	size_t dot = bytes_find(text, '.');
	uint64_t whole, part = 0;

	if (text.len == 0 || text.at[text.len - 1] != '%')
		return false;
	text.len--;
	struct bytes after = bytes_slice(text, dot + 1, text.len);
	if (failed(bytes_to_u64(bytes_slice(text, 0, dot), &whole)) || whole > PPM_ALL ||
	    (dot < text.len && (after.len > DECIMALS || failed(bytes_to_u64(after, &part)))))
		return false;
	for (size_t i = after.len; i < DECIMALS; i++)
		part *= 10;
	*ret = whole * PPM_PERCENT + part;
	return true;
}

unsigned
frequency_seconds(struct bytes unit)
{
	return bytes_is(unit, "s")     ? 1
	       : bytes_is(unit, "min") ? MINUTE_S
	       : bytes_is(unit, "h")   ? HOUR_S
	                               : 0;
}

void
quantity_put(struct buf *out, uint64_t value, const struct units *units)
{
	const struct unit *best = &units->rows[0];

	for (size_t i = 1; i < units->count; i++)
		if (value % units->rows[i].factor == 0)
			best = &units->rows[i];
	buf_put_unsigned(out, value / best->factor);
	buf_put_text(out, value == 0 ? units->base : best->name);
}

static void
put_choices(struct buf *out, const struct setting *s)
{
	bool first = true;

	for (size_t i = 0; i < s->choice_count; i++) {
		if (s->choices[i].refused != NULL)
			continue;
		buf_printf(out, "%s%s", first ? "" : ", ", s->choices[i].name);
		first = false;
	}
}

static void
put_number(struct buf *out, const struct setting *s)
{
	for (size_t i = 0; i < s->choice_count; i++)
		buf_printf(out, "%s, or ", s->choices[i].name);
	buf_printf(out, "a whole number from %ju to %ju", (uintmax_t)s->min, (uintmax_t)s->max);
}

static void
put_quantity(struct buf *out, const struct setting *s)
{
	uint64_t scale;
	const struct units *units = setting_units(s, &scale);
	const char *end = s->kind == SETTING_SPEED ? "/s" : "";

	buf_printf(out, "%s%s from ", units->what,
	           s->kind == SETTING_RATE || s->kind == SETTING_SPEED ? " for each second" : "");
	quantity_put(out, s->min * scale, units);
	buf_printf(out, "%s to ", end);
	quantity_put(out, s->max * scale, units);
	buf_printf(out, "%s, such as %s%s", end, s->fallback != NULL ? s->fallback : units->example,
	           s->fallback != NULL ? "" : end);
}

static void
put_text(struct buf *out, const struct setting *s)
{
	if (s->form != NULL)
		buf_put_text(out, s->form->expected);
	else
		buf_printf(out, "text of %ju to %ju bytes", (uintmax_t)s->min, (uintmax_t)s->max);
}

static void
put_texts(struct buf *out, const struct setting *s)
{
	buf_printf(out, "%s, or a list of %ju to %ju %s",
	           s->form != NULL ? s->form->expected : "text", (uintmax_t)s->min,
	           (uintmax_t)s->max, s->form != NULL ? "of them" : "texts");
}

static void
put_section(struct buf *out, const struct setting *s)
{
	if (s->section->expected != NULL) {
		buf_put_text(out, s->section->expected);
		return;
	}
	if (s->section->short_key != NULL) {
		setting_put_expected(out, &s->section->settings[0]);
		return;
	}
	buf_put_text(out, "a mapping with ");
	for (size_t i = 0; i < s->section->count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : ", ", s->section->settings[i].name);
}

static const char an_address[] = "an address such as 127.0.0.1:8080, [::1]:8080, localhost:8080, "
				 "or 8080 for loopback";
static const char some_rules[] = "a mapping from roles to `all`, a list of actions, or a mapping "
				 "from actions to `all` or ";

static void
put_collection(struct buf *out, const struct setting *s)
{
	if (s->kind == SETTING_ENTRY)
		buf_printf(out, "a name in %s", s->of);
	else if (s->kind == SETTING_CLAIMS)
		buf_printf(out,
		           "a mapping from %ju to %ju claims to a value each, or a list of values",
		           (uintmax_t)s->min, (uintmax_t)s->max);
	else if (s->kind == SETTING_RULES)
		buf_printf(out, "%s%s", some_rules, s->section->title);
	else if (s->kind == SETTING_SECTION)
		put_section(out, s);
	else if (s->kind == SETTING_MAP)
		buf_printf(out, "a mapping from names to %s each, at most %ju", s->section->title,
		           (uintmax_t)s->max);
	else
		buf_printf(out, "a list of at most %ju, each %s", (uintmax_t)s->max,
		           s->section->title);
}

/* Kinds whose rows all expect the same. */
static const char *const fixed[] = {
	[SETTING_PATH] = "a path",
	[SETTING_ADDRESS] = an_address,
	[SETTING_BOOL] = "true or false",
	[SETTING_SHARE] = "a share from 0% to 100%, such as 10%",
	[SETTING_FREQUENCY] = "a number for each s, min or h, such as 100/s, 600/min or 1000/h",
	[SETTING_GRANTS] = "a list of ISSUER:VALUE",
};

void
setting_put_expected(struct buf *out, const struct setting *s)
{
	switch (s->kind) {
	case SETTING_TEXT:
		put_text(out, s);
		return;
	case SETTING_TEXTS:
		put_texts(out, s);
		return;
	case SETTING_PATH:
	case SETTING_ADDRESS:
	case SETTING_BOOL:
	case SETTING_SHARE:
	case SETTING_FREQUENCY:
	case SETTING_GRANTS:
		buf_put_text(out, fixed[s->kind]);
		return;
	case SETTING_NUMBER:
		put_number(out, s);
		return;
	case SETTING_SECONDS:
	case SETTING_MILLISECONDS:
	case SETTING_SIZE:
	case SETTING_RATE:
	case SETTING_SPEED:
		put_quantity(out, s);
		return;
	case SETTING_FLAG:
	case SETTING_CHOICE:
		buf_put_text(out, s->choice_count > 1 ? "one of " : "");
		put_choices(out, s);
		return;
	case SETTING_CHOICES:
	case SETTING_METHODS:
		buf_put_text(out, s->kind == SETTING_METHODS ? "a mapping from roles to " : "");
		buf_put_text(out, "a list of any of ");
		put_choices(out, s);
		return;
	case SETTING_ENTRY:
	case SETTING_CLAIMS:
	case SETTING_RULES:
	case SETTING_SECTION:
	case SETTING_MAP:
	case SETTING_LIST:
		put_collection(out, s);
		return;
	}
}
