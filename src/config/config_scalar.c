/* config_scalar.c - the text of one scalar, ${env:NAME} put in, and the message where it will not
 * do. */
#include "config/config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "config/config_text.h"

enum { ENV_NAME_MAX = 128 };

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
value_refuse(struct config_reader *r, const struct setting *s, struct place at, const char *format,
             ...)
{
	struct buf what CLEANUP(buf_done) = { 0 };
	struct buf expected CLEANUP(buf_done) = { 0 };
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* a message may be cut */
	va_end(args);
	setting_put_expected(&expected, s);
	buf_printf(&what, "%s %s; expected %.*s", s->name, text, (int)expected.len,
	           (const char *)expected.at);
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
env_put(struct config_reader *r, const struct setting *s, struct place at, struct bytes name,
        struct buf *out)
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
		value_refuse(r, s, at, "names the environment variable %s, which is not UTF-8",
		             text);
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
value_text(struct config_reader *r, const struct setting *s, const struct node *n,
           struct bytes *ret)
{
	if (n->kind == NODE_REFUSED)
		return false;
	if (n->kind != NODE_SCALAR || node_is_null(n)) {
		value_refuse(r, s, n->place, "%s",
		             n->kind == NODE_MAP    ? "is a mapping"
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
