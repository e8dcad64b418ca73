/* load.h - one configuration text, loaded for a test. */
#ifndef TEST_CONFIG_LOAD_H
#define TEST_CONFIG_LOAD_H

#include "config/config.h"
#include "test.h"

/* The name of every file. */
#define G "/srv/gw/g.yaml"

struct load {
	struct arena arena;
	struct config_errors errors;
	const struct settings *settings; /* NULL: refused */
};

static inline struct load
load_bytes(const void *text, size_t len)
{
	struct load l = { 0 };
	struct err e =
		config_parse((struct bytes){ text, len }, G, &l.arena, &l.settings, &l.errors);

	CHECK(failed(e) == (l.settings == NULL));
	CHECK(failed(e) == (l.errors.count > 0));
	CHECK(!failed(e) || e.kind == ERR_CONFIG);
	return l;
}

static inline struct load
load_text(const char *text)
{
	return load_bytes(text, strlen(text));
}

static inline void
load_done(struct load *l)
{
	config_errors_done(&l->errors);
	arena_done(&l->arena);
}

/* Shows what it was where it differs. */
static inline bool
load_says(const struct load *l, const char *expected)
{
	bool same = bytes_is(buf_bytes(&l->errors.text), expected);

	if (!same)
		printf("# expected:\n%s# got:\n%.*s", expected, (int)l->errors.text.len,
		       (const char *)l->errors.text.at);
	return same;
}

/* A file, and all that is said of it. */
struct mistake {
	const char *text, *errors;
};

static inline void
check_mistakes(const struct mistake *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct load l = load_text(rows[i].text);
		CHECK_ROW(load_says(&l, rows[i].errors), rows[i].text);
		load_done(&l);
	}
}

/* A file of the source tree, or NULL. Freed by the caller. */
static inline char *
source_file(const char *name)
{
	const char *root = getenv("GATEWARDEN_SOURCE");
	char *path = NULL, *text = calloc(1, 1 << 20);

	if (root == NULL || text == NULL || asprintf(&path, "%s/%s", root, name) < 0) {
		free(text);
		return NULL;
	}
	FILE *f = fopen(path, "rb");
	free(path);
	if (f == NULL) {
		free(text);
		return NULL;
	}
	size_t len = fread(text, 1, (1 << 20) - 1, f);
	text[len] = 0;
	fclose(f);
	return text;
}

/* `count` times `text`, between `head` and `tail`. */
static inline struct load
load_repeated(const char *head, const char *text, size_t count, const char *tail)
{
	struct buf b = { 0 };

	buf_put_text(&b, head);
	for (size_t i = 0; i < count; i++)
		buf_put_text(&b, text);
	buf_put_text(&b, tail);
	CHECK(!b.overflow);
	struct load l = load_bytes(b.at, b.len);
	buf_done(&b);
	return l;
}

#endif
