/* config_value.c - one scalar, or a list of them, into a field of the settings. */
#include "config/config_reader.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "config/config_text.h"

enum { HOST_BYTES_MAX = 253, ENV_NAME_MAX = 128 };

void *
reader_array(struct config_reader *r, size_t count, size_t size)
{
	/* One more than asked for: a list of none is not NULL, which means "not given". */
	void *at = arena_array(r->arena, count + 1, size);

	r->problems.no_memory |= at == NULL;
	return at;
}

const char *
reader_text(struct config_reader *r, struct bytes text)
{
	const char *copy = arena_text(r->arena, text);

	r->problems.no_memory |= copy == NULL;
	return copy != NULL ? copy : "";
}

void
value_refuse(struct config_reader *r, const struct setting *s, struct place at, const char *format, ...)
{
	struct buf what CLEANUP(buf_done) = { 0 };
	struct buf expected CLEANUP(buf_done) = { 0 };
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* a message may be cut */
	va_end(args);
	setting_put_expected(&expected, s);
	buf_printf(&what, "%s %s; expected %.*s", s->name, text, (int)expected.len, (const char *)expected.at);
	problem_add(&r->problems, at, "%.*s", (int)what.len, (const char *)what.at);
}

/* ${env:NAME} */

static bool
is_env_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i], lower = c | 0x20;
		if (c != '_' && (lower < 'a' || lower > 'z') && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len > 0 && name.len <= ENV_NAME_MAX;
}

/* `rest` begins behind "${env:". */
static bool
env_put(struct config_reader *r, const struct setting *s, struct place at, struct bytes name, struct buf *out)
{
	char text[ENV_NAME_MAX + 1] = { 0 };

	if (!is_env_name(name)) {
		value_refuse(r, s, at, "has a malformed ${env:NAME}");
		return false;
	}
	memcpy(text, name.at, name.len);

	/* secure_getenv: a privileged start takes nothing from its caller. */
	const char *value = secure_getenv(text);
	if (value == NULL) {
		value_refuse(r, s, at, "names the environment variable %s, which is not set", text);
		return false;
	}
	if (!bytes_is_utf8(bytes_text(value))) {
		value_refuse(r, s, at, "names the environment variable %s, which is not UTF-8", text);
		return false;
	}
	buf_put_text(out, value);
	return true;
}

static bool
env_expand(struct config_reader *r, const struct setting *s, const struct node *n, struct buf *out)
{
	static const struct bytes opening = BYTES("${env:");
	struct bytes left = n->text;

	while (left.len > 0) {
		size_t at = bytes_find(left, '$');
		buf_put(out, bytes_slice(left, 0, at));
		left = bytes_slice(left, at, left.len);
		if (!bytes_starts(left, opening)) {
			buf_put(out, bytes_slice(left, 0, 1));
			left = bytes_slice(left, 1, left.len);
			continue;
		}
		size_t end = bytes_find(left, '}');
		if (!env_put(r, s, n->place, bytes_slice(left, opening.len, end), out))
			return false;
		left = bytes_slice(left, end + 1, left.len);
	}
	if (failed(buf_check(out)))
		value_refuse(r, s, n->place, "is too long with its variables put in");
	return !out->overflow;
}

bool
value_text(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes *ret)
{
	if (n->kind == NODE_REFUSED)
		return false;
	if (n->kind != NODE_SCALAR || node_is_null(n)) {
		value_refuse(r, s, n->place, "%s", n->kind == NODE_MAP    ? "is a mapping"
		                                   : n->kind == NODE_LIST ? "is a list"
		                                                          : "has no value");
		return false;
	}
	if (bytes_find(n->text, '$') == n->text.len) {
		*ret = n->text;
		return true;
	}

	struct buf expanded CLEANUP(buf_done) = { .limit = SETTING_TEXT_MAX * 4 };
	if (!env_expand(r, s, n, &expanded))
		return false;
	*ret = arena_copy(&r->scratch, buf_bytes(&expanded));
	r->problems.no_memory |= ret->len != expanded.len;
	return true;
}

/* What is quoted in a message is the text of the file: a variable's value stays out of it. */
static void
value_bad(struct config_reader *r, const struct setting *s, const struct node *n, const char *why)
{
	value_refuse(r, s, n->place, "%s: %s", why, problem_quote(&r->problems, n->text));
}

/* Each kind */

static void
read_text(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, const char **ret)
{
	if (text.len < s->min || text.len > s->max)
		value_refuse(r, s, n->place, "is %s", text.len < s->min ? "empty" : "too long");
	else
		*ret = reader_text(r, text);
}

static void
read_path(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, const char **ret)
{
	struct buf path CLEANUP(buf_done) = { 0 };

	if (text.len == 0 || text.len > SETTING_TEXT_MAX) {
		value_refuse(r, s, n->place, "is %s", text.len == 0 ? "empty" : "too long");
		return;
	}
	if (text.at[0] != '/')
		buf_printf(&path, "%s/", r->settings->directory);
	while (bytes_starts(text, BYTES("./")))
		text = bytes_slice(text, 2, text.len);
	while (text.len > 1 && text.at[text.len - 1] == '/')
		text.len--;
	buf_put(&path, text);
	*ret = reader_text(r, buf_bytes(&path));
}

static bool
is_host_name(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i], lower = c | 0x20;
		bool inner = (c == '-' || c == '.') && i > 0 && i + 1 < host.len;
		if (!inner && (lower < 'a' || lower > 'z') && (c < '0' || c > '9'))
			return false;
	}
	return host.len > 0;
}

/* Splits HOST:PORT, [HOST]:PORT or, where no port is needed, HOST; the brackets go. */
static bool
split_host(struct bytes text, bool need_port, char host[HOST_BYTES_MAX + 1], uint16_t *port)
{
	bool bracket = text.len > 0 && text.at[0] == '[';
	size_t end = bytes_find(text, bracket ? ']' : ':');
	struct bytes name = bytes_slice(text, bracket, end), rest = bytes_slice(text, end + bracket, text.len);
	struct in6_addr six;
	struct in_addr four;
	uint64_t number = 0;

	if (name.len > HOST_BYTES_MAX || (rest.len == 0 && need_port))
		return false;
	if (rest.len != 0 && (rest.at[0] != ':' || failed(bytes_to_u64(bytes_slice(rest, 1, rest.len), &number)) ||
	                      number == 0 || number > UINT16_MAX))
		return false;
	memset(host, 0, HOST_BYTES_MAX + 1);
	if (name.len != 0)
		memcpy(host, name.at, name.len);
	if (bracket ? end == text.len || inet_pton(AF_INET6, host, &six) != 1 : !is_host_name(name))
		return false;
	/* "1.2.3" and "0x7f.1" are numbers to some resolvers, names to others. */
	if (!bracket && name.at[name.len - 1] >= '0' && name.at[name.len - 1] <= '9' &&
	    inet_pton(AF_INET, host, &four) != 1)
		return false;
	*port = (uint16_t)number;
	return true;
}

static void
read_address(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text,
             struct address *ret)
{
	char host[HOST_BYTES_MAX + 1];
	uint64_t number;
	uint16_t port;

	if (!failed(bytes_to_u64(text, &number)) && number > 0 && number <= UINT16_MAX)
		*ret = (struct address){ "127.0.0.1", (uint16_t)number, n->place };
	else if (split_host(text, true, host, &port))
		*ret = (struct address){ reader_text(r, bytes_text(host)), port, n->place };
	else
		value_bad(r, s, n, "is no address and port");
}

static bool
is_loopback(const char *host)
{
	struct in_addr four;

	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* Returns why it is none, or NULL. */
static const char *
check_url(struct bytes text, bool origin)
{
	bool secure = bytes_starts(text, BYTES("https://"));
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;

	if (!secure && !bytes_starts(text, BYTES("http://")))
		return "is no http(s) URL";
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f || strchr("\"<>\\^`{|}@?#", text.at[i]) != NULL)
			return "has a byte that may not stand here";

	struct bytes rest = bytes_slice(text, secure ? 8 : 7, text.len);
	size_t slash = bytes_find(rest, '/');
	if (!split_host(bytes_slice(rest, 0, slash), false, host, &port))
		return "has no proper host and port";
	if (origin && slash != rest.len)
		return "has a path";
	return secure || origin || is_loopback(host) ? NULL : "is not https";
}

static void
read_url(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, const char **ret)
{
	const char *why = text.len > SETTING_TEXT_MAX ? "is too long" : check_url(text, s->kind == SETTING_ORIGIN);

	if (why != NULL)
		value_bad(r, s, n, why);
	else
		*ret = reader_text(r, text);
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
read_number(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, unsigned *ret)
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
read_bool(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, bool *ret)
{
	if (bytes_is(text, "true") || bytes_is(text, "false"))
		*ret = bytes_is(text, "true");
	else
		value_bad(r, s, n, "is neither");
}

static bool
read_quantity(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, uint64_t *ret)
{
	static const char *const why[] = {
		[QUANTITY_NO_UNIT] = "has no unit",
		[QUANTITY_NO_NUMBER] = "is no number with a unit",
		[QUANTITY_UNKNOWN_UNIT] = "has an unknown unit",
		[QUANTITY_OVERFLOW] = "is out of bounds",
	};
	uint64_t scale, value = 0;
	const struct units *units = setting_units(s, &scale);
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

static const struct choice *
read_choice(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text)
{
	const struct choice *found = find_choice(s, text);

	if (found != NULL && found->refused == NULL)
		return found;
	if (found == NULL)
		value_bad(r, s, n, "is unknown");
	else
		value_refuse(r, s, n->place, "refuses %s (%s)", found->name, found->refused);
	return NULL;
}

static void
read_scalar(struct config_reader *r, const struct setting *s, const struct node *n, struct bytes text, void *field)
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
	case SETTING_ISSUER:
	case SETTING_ORIGIN:
		read_url(r, s, n, text, field);
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
		(void)read_quantity(r, s, n, text, field); /* false: it was said */
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
	case SETTING_BACKEND:
	case SETTING_GRANTS:
	case SETTING_RULES:
	case SETTING_SECTION:
	case SETTING_MAP:
		return; /* not scalars: config_read.c and config_rules.c */
	}
}

/* One text stands for a list of one. */
static void
read_texts(struct config_reader *r, const struct setting *s, const struct node *n, const char *const **field,
           size_t *count)
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
read_choices(struct config_reader *r, const struct setting *s, const struct node *n, unsigned *field)
{
	struct bytes text;

	if (n->kind == NODE_LIST && n->count == 0)
		value_refuse(r, s, n->place, "is an empty list");
	for (const struct node *i = n->kind == NODE_LIST ? n->first : n; i != NULL; i = n->kind == NODE_LIST ? i->next : NULL)
		if (value_text(r, s, i, &text))
			read_scalar(r, s, i, text, field);
}

void
value_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field, size_t *count)
{
	struct bytes text;

	if (s->kind == SETTING_TEXTS && n->kind != NODE_REFUSED)
		read_texts(r, s, n, field, count);
	else if (s->kind == SETTING_CHOICES)
		read_choices(r, s, n, field);
	else if (value_text(r, s, n, &text))
		read_scalar(r, s, n, text, field);
}
