/* config_problem.c - see config_problem.h. */
#include "config/config_problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/nearest.h"

enum { QUOTE_MAX = 60, LIST_MAX = 32 };

static const char *
scratch_text(struct problems *p, const struct buf *b)
{
	const char *text = b->overflow ? NULL : arena_text(p->scratch, buf_bytes(b));

	if (text == NULL)
		p->no_memory = true;
	return text != NULL ? text : "";
}

static const char *scratch_format(struct problems *p, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static const char *
scratch_format(struct problems *p, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);

	char *text = len < 0 ? NULL : arena_alloc(p->scratch, (size_t)len + 1);
	if (text == NULL) {
		p->no_memory = true;
		return "";
	}
	(void)vsnprintf(text, (size_t)len + 1, format, args); /* measured above */
	return text;
}

void
problem_add(struct problems *p, struct place at, const char *format, ...)
{
	va_list args;

	if (p->rows == NULL)
		p->rows = arena_array(p->scratch, PROBLEMS_MAX, sizeof *p->rows);
	if (p->rows == NULL || p->count == PROBLEMS_MAX) {
		p->no_memory |= p->rows == NULL;
		p->cut = true;
		return;
	}
	va_start(args, format);
	p->rows[p->count] = (struct problem){ .at = at,
		                              .order = p->count,
		                              .text = scratch_format(p, format, args) };
	va_end(args);
	p->count++;
}

static int
problem_compare(const void *left, const void *right)
{
	const struct problem *a = left, *b = right;

	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void
problems_report(struct problems *p, const char *file, struct config_errors *errors)
{
	if (p->count > 1)
		qsort(p->rows, p->count, sizeof *p->rows, problem_compare);
	for (unsigned i = 0; i < p->count; i++)
		config_error_add(errors, file, p->rows[i].at, "%s", p->rows[i].text);
	if (p->cut)
		config_error_add(errors, file, (struct place){ 0 },
		                 "more than %d errors; expected these to be corrected first",
		                 PROBLEMS_MAX);
	if (p->no_memory)
		config_error_add(
			errors, file, (struct place){ 0 },
			"the configuration is too large for its memory; expected fewer entries");
}

const char *
problem_quote(struct problems *p, struct bytes text)
{
	uint8_t at[QUOTE_MAX + 8];
	size_t len = text.len < QUOTE_MAX ? text.len : QUOTE_MAX;
	struct bytes quoted = { at, 0 };

	/* Never cut inside a UTF-8 sequence. */
	while (len < text.len && len > 0 && (text.at[len] & 0xc0) == 0x80)
		len--;
	at[quoted.len++] = '"';
	for (size_t i = 0; i < len; i++)
		at[quoted.len++] = text.at[i] < 0x20 || text.at[i] == 0x7f ? '?' : text.at[i];
	for (size_t i = 0; len < text.len && i < 3; i++)
		at[quoted.len++] = '.';
	at[quoted.len++] = '"';

	const char *ret = arena_text(p->scratch, quoted);
	p->no_memory |= ret == NULL;
	return ret != NULL ? ret : "";
}

const char *
problem_list(struct problems *p, const char *const *names, size_t count)
{
	struct buf b = { 0 };

	buf_put_text(&b, count == 0   ? "one that is configured (there is none)"
	                 : count == 1 ? ""
	                              : "one of ");
	for (size_t i = 0; i < count && i < LIST_MAX; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", names[i]);
	if (count > LIST_MAX)
		buf_put_text(&b, ", ...");

	const char *ret = scratch_text(p, &b);
	buf_done(&b);
	return ret;
}

const char *
problem_nearest(struct problems *p, struct bytes text, const char *const *names, size_t count)
{
	struct nearest nearest = nearest_to(text);
	struct buf b = { 0 };

	if (p->count == PROBLEMS_MAX)
		return "";
	for (size_t i = 0; i < count && i < ROLES_MAX; i++)
		nearest_try(&nearest, bytes_text(names[i]));
	if (nearest.name.len == 0)
		return "";
	buf_printf(&b, " (did you mean \"%.*s\"?)", (int)nearest.name.len,
	           (const char *)nearest.name.at);

	const char *ret = scratch_text(p, &b);
	buf_done(&b);
	return ret;
}
