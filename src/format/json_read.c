/* json_read.c - see json.h. A state machine over the bytes with an explicit stack: what a peer
 * nests costs a table entry, never a stack frame. RFC 8259. */
#include "format/json.h"

#include <stdlib.h>

#include "format/json_text.h"

/* What may come next. */
enum expect {
	EXPECT_VALUE,
	EXPECT_ITEM_OR_END, /* just behind '[' */
	EXPECT_NAME_OR_END, /* just behind '{' */
	EXPECT_NAME,        /* behind ',' in an object */
	EXPECT_COLON,
	EXPECT_COMMA_OR_END,
	EXPECT_NOTHING,
};

struct parse {
	struct reader in;
	const uint8_t *start;
	struct arena *arena;
	struct json *values; /* in the arena; moves when it grows */
	uint32_t count, room;
	uint32_t open[JSON_DEPTH_MAX]; /* index of each array or object not yet ended */
	uint32_t depth;
	enum expect expect;
	const uint8_t *fault; /* where, when something failed */
};

static struct err
refuse(struct parse *p, const uint8_t *at, const char *why)
{
	p->fault = at;
	return fail(ERR_PEER, why);
}

static struct err
refuse_limit(struct parse *p, const char *why)
{
	p->fault = p->in.at;
	return fail(ERR_LIMIT, why);
}

static int
peek(const struct parse *p)
{
	return p->in.at < p->in.end ? *p->in.at : -1;
}

static void
skip_space(struct parse *p)
{
	while (p->in.at < p->in.end &&
	       (*p->in.at == ' ' || *p->in.at == '\n' || *p->in.at == '\t' || *p->in.at == '\r'))
		p->in.at++;
}

/* ---- values ---- */

static struct err
grow(struct parse *p)
{
	uint32_t room = p->room == 0 ? 32 : p->room * 2;

	if (p->count >= JSON_VALUES_MAX)
		return refuse_limit(p, "JSON holds too many values");

	struct json *values = arena_array(p->arena, room, sizeof *values);
	if (values == NULL)
		return refuse_limit(p, "JSON needs more memory than it may use");
	if (p->count > 0)
		memcpy(values, p->values, p->count * sizeof *values);
	p->values = values;
	p->room = room;
	return OK;
}

static struct err
add(struct parse *p, enum json_type type, struct bytes text)
{
	if (p->count == p->room || p->count >= JSON_VALUES_MAX)
		TRY(grow(p));
	p->values[p->count++] = (struct json){ .type = type, .span = 1, .text = text };
	return OK;
}

/* After a whole value: it is an item of what encloses it, or it is all there is. */
static void
value_done(struct parse *p)
{
	if (p->depth == 0) {
		p->expect = EXPECT_NOTHING;
		return;
	}
	p->values[p->open[p->depth - 1]].count++;
	p->expect = EXPECT_COMMA_OR_END;
}

static struct err
read_string(struct parse *p, struct bytes *ret)
{
	return json_text_read(&p->in, p->arena, ret, &p->fault);
}

/* ---- numbers and words ---- */

static const uint8_t *
skip_digits(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Kept as text (RFC 8259 section 6): decimals and 64-bit integers survive. */
static struct err
read_number(struct parse *p)
{
	const uint8_t *at = p->in.at, *end = p->in.end, *digits;

	if (at < end && *at == '-')
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits)
		return refuse(p, at, "JSON: expected a value");
	if (*digits == '0' && at - digits > 1)
		return refuse(p, digits, "JSON: a number starts with a zero");
	if (at < end && *at == '.') {
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return refuse(p, at, "JSON: a point needs digits behind it");
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return refuse(p, at, "JSON: an exponent needs digits");
	}
	TRY(add(p, JSON_NUMBER, (struct bytes){ p->in.at, (size_t)(at - p->in.at) }));
	p->in.at = at;
	value_done(p);
	return OK;
}

static struct err
read_word(struct parse *p, struct bytes word, enum json_type type)
{
	struct bytes rest = { p->in.at, reader_left(&p->in) };

	if (!bytes_starts(rest, word))
		return refuse(p, p->in.at, "JSON: expected a value");
	TRY(add(p, type, (struct bytes){ 0 }));
	p->in.at += word.len;
	value_done(p);
	return OK;
}

/* ---- arrays and objects ---- */

static struct err
begin(struct parse *p, enum json_type type)
{
	if (p->depth == JSON_DEPTH_MAX)
		return refuse_limit(p, "JSON is nested too deeply");
	TRY(add(p, type, (struct bytes){ 0 }));
	p->open[p->depth++] = p->count - 1;
	p->in.at++;
	p->expect = type == JSON_ARRAY ? EXPECT_ITEM_OR_END : EXPECT_NAME_OR_END;
	return OK;
}

static int
compare_names(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;

	return bytes_compare((*x)->text, (*y)->text);
}

/* Sorting keeps a hostile object of many members at n log n. */
static struct err
check_names_sorted(struct parse *p, const struct json *object)
{
	const struct json **names = arena_array(p->arena, object->count, sizeof *names);
	size_t count = 0;

	if (names == NULL)
		return refuse_limit(p, "JSON needs more memory than it may use");
	for (const struct json *name = json_first(object); name != NULL;
	     name = json_next(object, name))
		names[count++] = name;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 1; i < count; i++)
		if (bytes_equal(names[i - 1]->text, names[i]->text))
			return refuse(p, p->in.at, "JSON: an object has two members of one name");
	return OK;
}

static struct err
check_names(struct parse *p, const struct json *object)
{
	enum { FEW = 12 };

	if (object->count > FEW)
		return check_names_sorted(p, object);
	for (const struct json *a = json_first(object); a != NULL; a = json_next(object, a))
		for (const struct json *b = json_next(object, a); b != NULL;
		     b = json_next(object, b))
			if (bytes_equal(a->text, b->text))
				return refuse(p, p->in.at,
				              "JSON: an object has two members of one name");
	return OK;
}

static struct err
end(struct parse *p)
{
	uint32_t index = p->open[p->depth - 1];
	struct json *v = &p->values[index];

	v->span = p->count - index;
	if (v->type == JSON_OBJECT)
		TRY(check_names(p, v));
	p->in.at++;
	p->depth--;
	value_done(p);
	return OK;
}

/* ---- the machine ---- */

static struct err
read_value(struct parse *p)
{
	struct bytes text;

	switch (peek(p)) {
	case '{':
		return begin(p, JSON_OBJECT);
	case '[':
		return begin(p, JSON_ARRAY);
	case '"':
		TRY(read_string(p, &text));
		TRY(add(p, JSON_STRING, text));
		value_done(p);
		return OK;
	case 't':
		return read_word(p, BYTES("true"), JSON_TRUE);
	case 'f':
		return read_word(p, BYTES("false"), JSON_FALSE);
	case 'n':
		return read_word(p, BYTES("null"), JSON_NULL);
	default:
		return read_number(p);
	}
}

static struct err
read_name(struct parse *p)
{
	struct bytes text;

	if (peek(p) != '"')
		return refuse(p, p->in.at, "JSON: expected a member name in quotes");
	TRY(read_string(p, &text));
	TRY(add(p, JSON_STRING, text));
	p->expect = EXPECT_COLON;
	return OK;
}

static struct err
read_comma_or_end(struct parse *p)
{
	bool in_object = p->values[p->open[p->depth - 1]].type == JSON_OBJECT;

	if (peek(p) == (in_object ? '}' : ']'))
		return end(p);
	if (peek(p) != ',')
		return refuse(p, p->in.at,
		              in_object ? "JSON: expected a comma or }"
		                        : "JSON: expected a comma or ]");
	p->in.at++;
	p->expect = in_object ? EXPECT_NAME : EXPECT_VALUE;
	return OK;
}

static struct err
read_next(struct parse *p)
{
	switch (p->expect) {
	case EXPECT_ITEM_OR_END:
		return peek(p) == ']' ? end(p) : read_value(p);
	case EXPECT_VALUE:
		return read_value(p);
	case EXPECT_NAME_OR_END:
		return peek(p) == '}' ? end(p) : read_name(p);
	case EXPECT_NAME:
		return read_name(p);
	case EXPECT_COLON:
		if (peek(p) != ':')
			return refuse(p, p->in.at, "JSON: expected a colon");
		p->in.at++;
		p->expect = EXPECT_VALUE;
		return OK;
	case EXPECT_COMMA_OR_END:
		return read_comma_or_end(p);
	case EXPECT_NOTHING:
		break;
	}
	return refuse(p, p->in.at, "JSON: something follows the value");
}

static struct err
parse_all(struct parse *p)
{
	do {
		TRY(read_next(p));
		skip_space(p);
	} while (p->expect != EXPECT_NOTHING);
	return peek(p) < 0 ? OK : refuse(p, p->in.at, "JSON: something follows the value");
}

struct err
json_parse(struct bytes text, struct arena *arena, const struct json **ret,
           struct json_error *error)
{
	struct parse p = { .in = reader_of(text), .start = text.at, .arena = arena };

	skip_space(&p);
	struct err e = parse_all(&p);
	if (failed(e)) {
		if (error != NULL)
			*error = (struct json_error){ (size_t)(p.fault - p.start), e.why };
		return e;
	}
	*ret = p.values;
	return OK;
}
