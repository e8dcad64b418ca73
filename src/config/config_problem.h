/* config_problem.h - errors while they are being collected: kept with their place, sorted by it
 * at the end. Private to src/config. */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "config/config.h"

/* More than this many are counted as one: the text stays bounded however bad the file is. */
enum { PROBLEMS_MAX = 1000 };

struct problem {
	struct place at;
	unsigned order; /* of discovery: keeps the sort stable */
	const char *text;
};

struct problems {
	struct arena *scratch; /* borrowed: holds the texts */
	struct problem *rows;  /* in scratch */
	unsigned count;
	bool cut;       /* there were more than PROBLEMS_MAX */
	bool no_memory; /* an allocation of the loader failed: nothing may be trusted */
};

void problem_add(struct problems *p, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Sorts by place and hands all to `errors`. */
void problems_report(struct problems *p, const char *file, struct config_errors *errors);

/* A value as it may stand in a message: quoted, cut after 60 bytes, control bytes shown as `?`. */
const char *problem_quote(struct problems *p, struct bytes text);
/* `one of a, b, c`; the first 32. */
const char *problem_list(struct problems *p, const char *const *names, size_t count);
/* ` (did you mean "x"?)` for the name nearest to `text` by edit distance, or empty text. */
const char *problem_nearest(struct problems *p, struct bytes text, const char *const *names,
                            size_t count);

#endif
