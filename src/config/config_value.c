/* config_value.c - one scalar, or a list of them, into a field of the settings. */
#include "config/config_reader.h"

#include "base/macros.h"
#include "config/config_host.h"
#include "config/config_text.h"

/* What is quoted in a message is the text of the file: a variable's value stays out of it. */
static void
value_bad(struct config_reader *r, const struct setting *s, const struct node *n, const char *why)
{
	value_refuse(r, s, n->place, "%s: %s", why, problem_quote(&r->problems, n->text));
}

/* Before an @ in a URL a password may stand. */
static void
text_bad(struct config_reader *r, const struct setting *s, const struct node *n, const char *why)
{
	if (bytes_find(n->text, '@') < n->text.len)
		value_refuse(r, s, n->place, "%s: a user or an @", why);
	else
		value_bad(r, s, n, why);
}

enum { CLAIM_BYTES_MAX = 256, CLAIM_VALUES_MAX = 32 };

/* Each kind */

static void
read_text(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text,
          const char **ret)
{
	const char *why = text.len < s->min ? "is empty" : text.len > s->max ? "is too long" : NULL;

	if (why != NULL)
		value_refuse(r, s, n->place, "%s", why);
	else if (s->form != NULL && (why = s->form->fault(text)) != NULL)
		text_bad(r, s, n, why);
	else
		*ret = reader_text(r, text);
}

const char *
reader_path(struct config_reader *r, struct bytes text)
{
	struct buf path CLEANUP(buf_done) = { 0 };

	if (text.at[0] != '/')
		buf_printf(&path, "%s/", r->settings->directory);
	while (bytes_starts(text, BYTES("./")))
		text = bytes_slice(text, 2, text.len);
	while (text.len > 1 && text.at[text.len - 1] == '/')
		text.len--;
	buf_put(&path, text);
	return reader_text(r, buf_bytes(&path));
}

static void
read_path(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text,
          const char **ret)
{
	if (text.len == 0 || text.len > SETTING_TEXT_MAX)
		value_refuse(r, s, n->place, "is %s", text.len == 0 ? "empty" : "too long");
	else
		*ret = reader_path(r, text);
}

static void
read_address(struct config_reader *r, const struct setting *s, const struct node *n,
             struct bytes text, struct address *ret)
{
	char host[HOST_BYTES_MAX + 1];
	uint64_t number;
	uint16_t port;

	if (!failed(bytes_to_u64(text, &number)) && number > 0 && number <= UINT16_MAX)
		*ret = (struct address){ "127.0.0.1", (uint16_t)number, n->place };
	else if (host_split(text, true, host, &port))
		*ret = (struct address){ reader_text(r, bytes_text(host)), port, n->place };
	else
		value_bad(r, s, n, "is no address and port");
}

static const struct choice *
find_choice(const struct setting *s, struct bytes text)
{
	for (size_t i = 0; i < s->choice_count; i++)
		if (bytes_is(text, s->choices[i].name))
			return &s->choices[i];
	return NULL;
}

static void
read_number(struct config_reader *r, const struct setting *s, const struct node *n,
            struct bytes text, unsigned *ret)
{
	const struct choice *word = find_choice(s, text);
	uint64_t number;

	if (word != NULL)
		*ret = word->value;
	else if (failed(bytes_to_u64(text, &number)))
		value_bad(r, s, n, "is no whole number");
	else if (number < s->min || number > s->max)
		value_bad(r, s, n, "is out of bounds");
	else
		*ret = (unsigned)number;
}

static void
read_bool(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text,
          bool *ret)
{
	if (bytes_is(text, "true") || bytes_is(text, "false"))
		*ret = bytes_is(text, "true");
	else
		value_bad(r, s, n, "is neither");
}

/* "0.5%" */
static void
read_share(struct config_reader *r, const struct setting *s, const struct node *n,
           struct bytes text, unsigned *ret)
{
	uint64_t ppm;

	if (!share_parse(text, &ppm))
		value_bad(r, s, n, "is no number of percent");
	else if (ppm < s->min || ppm > s->max)
		value_bad(r, s, n, "is out of bounds");
	else
		*ret = (unsigned)ppm;
}

/* Cuts "/s" off the end. */
static bool
take_second(struct bytes *text)
{
	static const struct bytes end = BYTES("/s");

	if (text->len < end.len ||
	    !bytes_equal(bytes_slice(*text, text->len - end.len, text->len), end))
		return false;
	text->len -= end.len;
	return true;
}

static bool
read_quantity(struct config_reader *r, const struct setting *s, const struct node *n,
              struct bytes text, uint64_t *ret)
{
	static const char *const why[] = {
		[QUANTITY_NO_UNIT] = "has no unit",
		[QUANTITY_NO_NUMBER] = "is no number with a unit",
		[QUANTITY_UNKNOWN_UNIT] = "has an unknown unit",
		[QUANTITY_OVERFLOW] = "is out of bounds",
	};
	uint64_t scale, value = 0;
	const struct units *units = setting_units(s, &scale);

	if (s->kind == SETTING_SPEED && !take_second(&text)) {
		value_bad(r, s, n, "has no /s");
		return false;
	}
	enum quantity q = quantity_parse(text, units, &value);
	if (q != QUANTITY_OK)
		value_bad(r, s, n, why[q]);
	else if (value % scale != 0)
		value_bad(r, s, n, "is no whole number of seconds");
	else if (value / scale < s->min || value / scale > s->max)
		value_bad(r, s, n, "is out of bounds");
	else {
		*ret = value / scale;
		return true;
	}
	return false;
}

enum { CHOICES_MAX = 32 };

static void
choice_unknown(struct config_reader *r, const struct setting *s, const struct node *n,
               struct bytes text)
{
	const char *names[CHOICES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < s->choice_count && count < CHOICES_MAX; i++)
		if (s->choices[i].refused == NULL)
			names[count++] = s->choices[i].name;
	value_refuse(r, s, n->place, "is unknown: %s%s", problem_quote(&r->problems, n->text),
	             problem_nearest(&r->problems, text, names, count));
}

static const struct choice *
read_choice(struct config_reader *r, const struct setting *s, const struct node *n,
            struct bytes text)
{
	const struct choice *found = find_choice(s, text);

	if (found != NULL && found->refused == NULL)
		return found;
	if (found == NULL)
		choice_unknown(r, s, n, text);
	else
		value_refuse(r, s, n->place, "refuses %s (%s)", found->name, found->refused);
	return NULL;
}

static void
read_scalar(struct config_reader *r, const struct setting *s, const struct node *n,
            struct bytes text, void *field)
{
	const struct choice *choice;
	uint64_t number;

	switch (s->kind) {
	case SETTING_TEXT:
		read_text(r, s, n, text, field);
		return;
	case SETTING_PATH:
		read_path(r, s, n, text, field);
		return;
	case SETTING_ADDRESS:
		read_address(r, s, n, text, field);
		return;
	case SETTING_NUMBER:
		read_number(r, s, n, text, field);
		return;
	case SETTING_BOOL:
		read_bool(r, s, n, text, field);
		return;
	case SETTING_SECONDS:
	case SETTING_MILLISECONDS:
	case SETTING_RATE:
		if (read_quantity(r, s, n, text, &number))
			*(unsigned *)field = (unsigned)number;
		return;
	case SETTING_SIZE:
	case SETTING_SPEED:
		(void)read_quantity(r, s, n, text, field); /* false: it was said */
		return;
	case SETTING_SHARE:
		read_share(r, s, n, text, field);
		return;
	case SETTING_FLAG:
		choice = read_choice(r, s, n, text);
		*(bool *)field = choice != NULL && choice->value != 0;
		return;
	case SETTING_CHOICE:
		choice = read_choice(r, s, n, text);
		if (choice != NULL && s->offset != SETTING_UNKEPT)
			*(unsigned *)field = choice->value;
		return;
	case SETTING_CHOICES:
		choice = read_choice(r, s, n, text);
		*(unsigned *)field |= choice != NULL ? choice->value : 0;
		return;
	case SETTING_TEXTS:
	case SETTING_ENTRY:
	case SETTING_CLAIMS:
	case SETTING_GRANTS:
	case SETTING_RULES:
	case SETTING_METHODS:
	case SETTING_FREQUENCY:
	case SETTING_SECTION:
	case SETTING_MAP:
	case SETTING_LIST:
		return; /* not scalars: config_read.c and config_rules.c */
	}
}

/* One text stands for a list of one. */
static void
read_texts(struct config_reader *r, const struct setting *s, const struct node *n,
           const char *const **field, size_t *count)
{
	const struct node *first = n->kind == NODE_LIST ? n->first : n;
	size_t len = n->kind == NODE_LIST ? n->count : 1, used = 0;

	if (len < s->min || len > s->max) {
		value_refuse(r, s, n->place, "has %zu entries", len);
		return;
	}
	const char **texts = reader_array(r, len, sizeof *texts);
	struct setting one = *s;
	one.kind = SETTING_TEXT;
	one.min = 1;
	one.max = SETTING_TEXT_MAX;
	for (const struct node *i = first; i != NULL && texts != NULL && used < len; i = i->next) {
		struct bytes text;
		texts[used] = "";
		if (value_text(r, s, i, &text))
			read_text(r, &one, i, text, &texts[used]);
		used++;
	}
	*field = texts;
	*count = texts != NULL ? used : 0;
}

static void
read_choices(struct config_reader *r, const struct setting *s, const struct node *n,
             unsigned *field)
{
	struct bytes text;

	if (n->kind == NODE_LIST && n->count == 0)
		value_refuse(r, s, n->place, "is an empty list");
	for (const struct node *i = n->kind == NODE_LIST ? n->first : n; i != NULL;
	     i = n->kind == NODE_LIST ? i->next : NULL)
		if (value_text(r, s, i, &text))
			read_scalar(r, s, i, text, field);
}

void
value_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
           size_t *count)
{
	struct bytes text;

	if (s->kind == SETTING_TEXTS && n->kind != NODE_REFUSED)
		read_texts(r, s, n, field, count);
	else if (s->kind == SETTING_CHOICES)
		read_choices(r, s, n, field);
	else if (value_text(r, s, n, &text))
		read_scalar(r, s, n, text, field);
}

/* "600/min" */
void
frequency_read(struct config_reader *r, const struct setting *s, const struct node *n,
               unsigned *ret, unsigned *ret_s)
{
	struct bytes text;
	uint64_t number;

	if (!value_text(r, s, n, &text))
		return;
	size_t slash = bytes_find(text, '/');
	unsigned per_s = frequency_seconds(bytes_slice(text, slash + 1, text.len));
	if (failed(bytes_to_u64(bytes_slice(text, 0, slash), &number)))
		value_bad(r, s, n, "is no whole number for a time");
	else if (slash == text.len)
		value_bad(r, s, n, "has no time");
	else if (per_s == 0)
		value_bad(r, s, n, "has an unknown time");
	else if (number < s->min || number > s->max)
		value_bad(r, s, n, "is out of bounds");
	else {
		*ret = (unsigned)number;
		*ret_s = per_s;
	}
}

static void
claim_read(struct config_reader *r, const struct setting *s, const struct node *n,
           struct required_claim *ret)
{
	const struct setting one = {
		.name = ret->path,
		.kind = SETTING_TEXTS,
		.min = 1,
		.max = CLAIM_VALUES_MAX,
		.offset = offsetof(struct required_claim, values),
		.count_offset = offsetof(struct required_claim, count),
	};

	if (n->key.len == 0 || n->key.len > CLAIM_BYTES_MAX)
		value_refuse(r, s, n->key_place, "has a claim whose name is %s",
		             n->key.len == 0 ? "empty" : "too long");
	else
		value_read(r, &one, n, &ret->values, &ret->count);
}

void
claims_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
            size_t *count)
{
	if (n->kind == NODE_REFUSED)
		return;
	if (n->kind != NODE_MAP || node_is_null(n)) {
		value_refuse(r, s, n->place, "is %s", n->kind == NODE_LIST ? "a list" : "text");
		return;
	}
	if (n->count < s->min || n->count > s->max) {
		value_refuse(r, s, n->place, "has %zu entries", n->count);
		return;
	}
	struct required_claim *claims = reader_array(r, n->count, sizeof *claims);
	size_t used = 0;
	for (const struct node *i = n->first; i != NULL && claims != NULL; i = i->next) {
		claims[used].path = reader_text(r, i->key);
		claim_read(r, s, i, &claims[used++]);
	}
	*(const struct required_claim **)field = claims;
	*count = used;
}
