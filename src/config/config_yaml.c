/* config_yaml.c - see config_yaml.h. YAML 1.2.2; JSON is a subset of it. */
#include "config/config_yaml.h"

#include <libfyaml.h>

enum { TAG_ESCAPES_MAX = 100 };

struct frame {
	struct node *node, *last;
	bool has_key; /* a map: the key was read, its value comes next */
	struct bytes key;
	struct place key_place;
};

struct builder {
	struct problems *problems;
	struct bytes input;
	struct frame stack[YAML_DEPTH_MAX];
	size_t depth, nodes;
	unsigned documents;
	struct node *root;
	struct place last; /* of the latest event that had a place */
};

static const struct place START = { 1, 1 };

bool
node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	       (n->text.len == 0 || bytes_is(n->text, "~") || bytes_is(n->text, "null"));
}

const struct node *
node_member(const struct node *map, const char *key)
{
	for (const struct node *n = map != NULL && map->kind == NODE_MAP ? map->first : NULL;
	     n != NULL; n = n->next)
		if (bytes_is(n->key, key))
			return n;
	return NULL;
}

/* `back` is 1 where the library points behind an opening quote, `*` or `&`. */
static struct place
mark_place(struct builder *b, const struct fy_mark *mark, unsigned back)
{
	if (mark != NULL && mark->line >= 0 && mark->column >= (int)back)
		b->last = (struct place){ (unsigned)mark->line + 1,
			                  (unsigned)mark->column + 1 - back };
	return b->last;
}

static struct place
token_place(struct builder *b, struct fy_token *token, unsigned back)
{
	return mark_place(b, token == NULL ? NULL : fy_token_start_mark(token), back);
}

/* libfyaml 0.7.12 reads 'a''''b' as a'''b, and a row condition may well hold such quotes: what
 * stands between single quotes is decoded here, each pair to one (YAML 1.2.2, 7.3.2). */
static void
put_single_quoted(struct buf *out, struct bytes raw)
{
	while (raw.len > 0) {
		size_t quote = bytes_find(raw, '\'');
		buf_put(out, bytes_slice(raw, 0, quote + 1));
		raw = bytes_slice(raw, quote + 2, raw.len);
	}
}

/* Piece by piece, because version 0.7.12's fy_token_get_text() leaks 1 KiB for a text of many
 * pieces. */
static bool
put_token(struct buf *out, struct fy_token *token)
{
	struct fy_token_iter *iter = fy_token_iter_create(token);
	const struct fy_iter_chunk *chunk = NULL;
	int error = 0;

	if (iter == NULL)
		return false;
	while ((chunk = fy_token_iter_chunk_next(iter, chunk, &error)) != NULL)
		if (chunk->len > 0)
			buf_put(out, (struct bytes){ (const uint8_t *)chunk->str, chunk->len });
	fy_token_iter_destroy(iter);
	return error == 0;
}

/* A copy: the library's text ends with its event. */
static struct bytes
token_text(struct builder *b, struct fy_token *token, enum fy_scalar_style style)
{
	const struct fy_mark *start = token == NULL ? NULL : fy_token_start_mark(token);
	const struct fy_mark *end = token == NULL ? NULL : fy_token_end_mark(token);
	struct buf text = { 0 };
	bool good = true;

	if (start == NULL || end == NULL)
		return (struct bytes){ NULL, 0 };
	if (style == FYSS_SINGLE_QUOTED)
		put_single_quoted(&text, bytes_slice(b->input, start->input_pos, end->input_pos));
	else
		good = put_token(&text, token);

	struct bytes copy = arena_copy(b->problems->scratch, buf_bytes(&text));
	b->problems->no_memory |= !good || copy.len != text.len;
	buf_done(&text);
	return copy;
}

static bool
text_is_clean(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.at[i] < 0x20 && text.at[i] != '\t' && text.at[i] != '\n') ||
		    text.at[i] == 0x7f)
			return false;
	return bytes_is_utf8(text);
}

static bool
builder_is_key(const struct builder *b)
{
	const struct frame *top = b->depth == 0 ? NULL : &b->stack[b->depth - 1];

	return top != NULL && top->node->kind == NODE_MAP && !top->has_key;
}

/* Returns NULL when a bound is reached: the rest of the document is not looked at. */
static struct node *
builder_add(struct builder *b, enum node_kind kind, struct place place)
{
	struct frame *top = b->depth == 0 ? NULL : &b->stack[b->depth - 1];
	struct node *n =
		b->nodes == YAML_NODES_MAX ? NULL : arena_alloc(b->problems->scratch, sizeof *n);

	if (n == NULL) {
		problem_add(b->problems, place, "too many values; expected at most %d",
		            YAML_NODES_MAX);
		return NULL;
	}
	b->nodes++;
	*n = (struct node){ .kind = kind, .place = place, .key_place = place };
	if (top == NULL) {
		b->root = n;
		return n;
	}
	if (top->has_key) {
		n->key = top->key;
		n->key_place = top->key_place;
		top->has_key = false;
	}
	if (top->last == NULL)
		top->node->first = n;
	else
		top->last->next = n;
	top->last = n;
	top->node->count++;
	return n;
}

static bool
builder_open(struct builder *b, enum node_kind kind, struct place place)
{
	if (builder_is_key(b)) {
		problem_add(b->problems, place, "a key is a %s; expected text",
		            kind == NODE_MAP ? "mapping" : "list");
		return false;
	}
	if (b->depth == YAML_DEPTH_MAX) {
		problem_add(b->problems, place, "nested too deep; expected at most %d levels",
		            YAML_DEPTH_MAX);
		return false;
	}

	struct node *n = builder_add(b, kind, place);
	if (n != NULL)
		b->stack[b->depth++] = (struct frame){ .node = n };
	return n != NULL;
}

static bool
builder_key(struct builder *b, struct bytes text, struct place place)
{
	struct frame *top = &b->stack[b->depth - 1];

	if (top->node->count == YAML_KEYS_MAX) {
		problem_add(b->problems, place, "too many keys; expected at most %d in one mapping",
		            YAML_KEYS_MAX);
		return false;
	}
	for (const struct node *n = top->node->first; n != NULL; n = n->next)
		if (bytes_equal(n->key, text))
			problem_add(b->problems, place,
			            "duplicate key %s; expected it once (first on line %u)",
			            problem_quote(b->problems, text), n->key_place.line);
	if (bytes_is(text, "<<"))
		problem_add(b->problems, place,
		            "merge keys (<<) are refused; expected the keys themselves");
	top->has_key = true;
	top->key = text;
	top->key_place = place;
	return true;
}

/* The library folds the lines of quoted text wrongly around escapes. */
static bool
spans_lines(struct fy_token *token)
{
	const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);

	return start != NULL && end != NULL && start->line != end->line;
}

static bool
builder_scalar(struct builder *b, struct fy_token *token)
{
	enum fy_scalar_style style = token == NULL ? FYSS_PLAIN : fy_token_scalar_style(token);
	bool quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED,
	     spans = quoted && spans_lines(token);
	struct place place = token_place(b, token, quoted);
	struct bytes text = spans ? (struct bytes){ NULL, 0 } : token_text(b, token, style);
	bool clean = text_is_clean(text);

	if (spans)
		problem_add(
			b->problems, place,
			"quoted text over several lines; expected one line, or a block after |");
	if (!clean)
		problem_add(b->problems, place,
		            "control characters in a value; expected printable text");
	if (builder_is_key(b))
		return builder_key(b, text, place);

	struct node *n = builder_add(b, clean && !spans ? NODE_SCALAR : NODE_REFUSED, place);
	if (n == NULL)
		return false;
	n->plain = style == FYSS_PLAIN;
	n->text = text;
	/* `key:` and nothing: the library has no place for it. */
	if (n->plain && text.len == 0)
		n->place = n->key_place;
	return true;
}

static bool
builder_alias(struct builder *b, struct fy_token *token)
{
	struct place place = token_place(b, token, 1);

	problem_add(b->problems, place, "aliases are refused; expected the value itself");
	return !builder_is_key(b) && builder_add(b, NODE_REFUSED, place) != NULL;
}

static void
builder_properties(struct builder *b, struct fy_event *event)
{
	struct fy_token *anchor = fy_event_get_anchor_token(event),
			*tag = fy_event_get_tag_token(event);

	if (event->type == FYET_ALIAS)
		return;
	if (anchor != NULL)
		problem_add(b->problems, token_place(b, anchor, 1),
		            "anchors are refused; expected the value alone");
	if (tag != NULL)
		problem_add(b->problems, token_place(b, tag, 0),
		            "tags are refused; expected the value alone");
}

static bool
builder_document(struct builder *b, struct fy_event *event)
{
	if (b->documents++ == 0)
		return true;
	problem_add(b->problems, mark_place(b, fy_event_start_mark(event), 0),
	            "a second document begins; expected one only");
	return false;
}

/* False ends the reading. */
static bool
builder_event(struct builder *b, struct fy_event *event)
{
	builder_properties(b, event);
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return builder_document(b, event);
	case FYET_MAPPING_START:
		return builder_open(b, NODE_MAP,
		                    token_place(b, event->mapping_start.mapping_start, 0));
	case FYET_SEQUENCE_START:
		return builder_open(b, NODE_LIST,
		                    token_place(b, event->sequence_start.sequence_start, 0));
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		b->depth--;
		return true;
	case FYET_SCALAR:
		return builder_scalar(b, event->scalar.value);
	case FYET_ALIAS:
		return builder_alias(b, event->alias.anchor);
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		return true;
	}
	return true;
}

static void
builder_run(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	bool more = true;

	while (more && (event = fy_parser_parse(parser)) != NULL) {
		more = builder_event(b, event);
		fy_parser_event_free(parser, event);
	}
	if (!more) {
		b->root = NULL;
		return;
	}
	if (!fy_parser_get_stream_error(parser))
		return;

	void *previous = NULL;
	const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &previous);
	bool placed = e != NULL && e->line > 0 && e->column > 0;
	struct place at =
		placed ? (struct place){ (unsigned)e->line, (unsigned)e->column } : b->last;
	problem_add(b->problems, at, "not YAML: %s; expected YAML 1.2 or JSON",
	            e != NULL && e->msg != NULL ? e->msg : "it cannot be read on from here");
	b->root = NULL;
}

/* The library takes time that grows with the square of a directive's or a tag's escapes. Both are
 * refused anyway, so they are refused before it looks at them. */
struct slow_text {
	bool in_tag; /* since a `!` without white space */
	unsigned escapes;
};

static const char *
slow_text_fault(struct slow_text *s, uint8_t c, bool starts_line)
{
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		*s = (struct slow_text){ 0 };
	s->in_tag |= c == '!';
	s->escapes += s->in_tag && c == '%';
	if (c == '%' && starts_line)
		return "directives are refused; expected settings only";
	return s->escapes > TAG_ESCAPES_MAX ? "tags are refused; expected the value alone" : NULL;
}

/* `? key` at the start of a line: with tabs behind it the library frees what it does not own. Only
 * mappings with odd keys need it. */
static bool
is_explicit_key(struct bytes text, size_t at)
{
	return text.at[at] == '?' &&
	       (at + 1 == text.len || strchr(" \t\r\n", text.at[at + 1]) != NULL);
}

static bool
is_control(uint8_t c)
{
	return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

/* What libfyaml is never shown: bytes that are no text. */
static bool
text_check(struct bytes text, struct problems *p)
{
	struct place at = START;
	struct slow_text slow = { 0 };
	size_t start = 0;
	bool is_indent = true;

	if (text.len > CONFIG_BYTES_MAX) {
		problem_add(p, START, "the file has more than 1 MiB; expected at most that");
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		const char *fault = slow_text_fault(&slow, c, i == start);
		at.column = (unsigned)(i - start) + 1;
		if (is_control(c)) {
			problem_add(p, at, "byte 0x%02x; expected text without control characters",
			            c);
			return false;
		}
		if (is_indent && is_explicit_key(text, i))
			fault = "a key with `?` before it is refused; expected `key: value`";
		is_indent = c == '\n' || (is_indent && c == ' ');
		if (fault != NULL) {
			problem_add(p, at, "%s", fault);
			return false;
		}
		if (c != '\n' && i + 1 < text.len)
			continue;
		at.column = 1;
		if (!bytes_is_utf8(bytes_slice(text, start, i + 1))) {
			problem_add(p, at, "this line is not UTF-8; expected UTF-8 text");
			return false;
		}
		at.line++;
		start = i + 1;
	}
	return true;
}

const struct node *
yaml_parse(struct bytes text, struct problems *p)
{
	struct builder b = { .problems = p, .last = START };
	struct fy_diag_cfg diag_cfg;

	if (bytes_starts(text, BYTES("\xef\xbb\xbf")))
		text = bytes_slice(text, 3, text.len);
	if (!text_check(text, p))
		return NULL;
	b.input = text;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL; /* errors are collected, never printed */
	struct fy_diag *diag = fy_diag_create(&diag_cfg);
	struct fy_parse_cfg cfg = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE,
		                    .diag = diag };
	struct fy_parser *parser = diag == NULL ? NULL : fy_parser_create(&cfg);
	if (parser == NULL || fy_parser_set_string(parser, (const char *)text.at, text.len) != 0) {
		p->no_memory = true;
	} else {
		fy_diag_set_collect_errors(diag, true);
		builder_run(&b, parser, diag);
		if (b.documents == 0 && p->count == 0)
			problem_add(p, START, "the file is empty; expected a mapping of settings");
	}
	fy_parser_destroy(parser);
	if (diag != NULL)
		fy_diag_destroy(diag);
	return b.root;
}
