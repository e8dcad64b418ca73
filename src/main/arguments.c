/* arguments.c - see arguments.h. */
#include "main/arguments.h"

#include <stdio.h>
#include <string.h>

void
arguments_init(struct arguments *a, int argc, char **argv)
{
	*a = (struct arguments){ .count = argc, .next = 1, .at = argv };
}

bool
arguments_next(struct arguments *a)
{
	a->option = a->plain = a->joined = NULL;
	if (a->next >= a->count)
		return false;

	char *text = a->at[a->next++];

	if (!a->only_plain && strcmp(text, "--") == 0) {
		a->only_plain = true;
		if (a->next >= a->count)
			return false;
		text = a->at[a->next++];
	}
	if (a->only_plain || text[0] != '-' || text[1] == '\0') {
		a->plain = text;
		return true;
	}

	size_t len = strcspn(text, "=");

	a->joined = text[len] == '=' ? text + len + 1 : NULL;
	/* A longer one is no option of ours: cut, it still is none. */
	(void)snprintf(a->name, sizeof a->name, "%.*s", (int)(len < 200 ? len : 200), text);
	a->option = a->name;
	return true;
}

bool
arguments_is(const struct arguments *a, const char *option)
{
	return a->option != NULL && strcmp(a->option, option) == 0;
}

bool
arguments_value(struct arguments *a, const char **ret)
{
	if (a->joined != NULL)
		*ret = a->joined;
	else if (a->next < a->count)
		*ret = a->at[a->next++];
	else
		return false;
	return true;
}

int
usage_error(const char *command, const char *why, const char *about)
{
	if (about != NULL)
		fprintf(stderr, "gatewarden %s: %s: %s\n", command, why, about);
	else
		fprintf(stderr, "gatewarden %s: %s\n", command, why);
	return 2;
}
