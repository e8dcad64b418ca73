/* local_roles.c - see local_roles.h. */
#include "main/local_roles.h"

#include <stdio.h>

#include "issuer/words.h"
#include "main/arguments.h"

static bool
is_local(const struct settings *s, const struct grant_source *source)
{
	return s->issuers[source->issuer].type == ISSUER_LOCAL;
}

uint64_t
local_roles_of(const struct settings *s, struct bytes value)
{
	uint64_t roles = 0;

	for (size_t i = 0; i < s->role_count && i < ROLES_MAX; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++) {
			const struct grant_source *source = &s->roles[i].granted_by[n];

			if (is_local(s, source) && bytes_is(value, source->value))
				roles |= UINT64_C(1) << i;
		}
	return roles;
}

uint64_t
local_roles_of_all(const struct settings *s, struct bytes values)
{
	struct bytes value;
	uint64_t roles = 0;

	while (words_next(&values, &value))
		roles |= local_roles_of(s, value);
	return roles;
}

static void
print_known(const struct settings *s)
{
	for (size_t i = 0; i < s->role_count; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++) {
			const struct grant_source *source = &s->roles[i].granted_by[n];

			if (is_local(s, source))
				fprintf(stderr, "  --role %s   gives the role %s\n", source->value,
				        s->roles[i].name);
		}
}

int
local_roles_check(const struct settings *s, const char *command, const char *const *values,
                  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (local_roles_of(s, bytes_text(values[i])) != 0 && strchr(values[i], ' ') == NULL)
			continue;
		usage_error(command, "no `granted_by: local:…` of the configuration names this",
		            values[i]);
		print_known(s);
		return 2;
	}
	return 0;
}

void
local_roles_put(const char *const *values, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		buf_put_text(out, i == 0 ? "" : " ");
		buf_put_text(out, values[i]);
	}
}
