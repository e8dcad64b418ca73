/* arguments.h - the arguments of one command, read one at a time: options anywhere, `--option
 * value` or
 * `--option=value`, and `--` before plain arguments that begin with a dash. */
#ifndef MAIN_ARGUMENTS_H
#define MAIN_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
	int count, next;
	char **at;          /* borrowed */
	const char *option; /* "--role", or NULL for a plain argument */
	const char *plain;  /* the argument that is no option */
	const char *joined; /* the part behind `=`, or NULL */
	bool only_plain;    /* after `--` */
	char name[32];      /* what `option` points to */
};

/* argv[0] is the name of the command and is skipped. */
void arguments_init(struct arguments *a, int argc, char **argv);
/* false at the end. A lone `-` is a plain argument. */
bool arguments_next(struct arguments *a);
bool arguments_is(const struct arguments *a, const char *option);
/* The value of the option just read. false when it has none. */
bool arguments_value(struct arguments *a, const char **ret);

/* Wrong usage: `gatewarden COMMAND: why`, or `why: about` when there is something to name.
 * Returns 2. */
int usage_error(const char *command, const char *why, const char *about);

#endif
