/* role_map.c - see role_map.h. Sorted once, then searched: a token may list thousands of groups. */
#include "identity/role_map.h"

#include <stdlib.h>

#include "jose/claim.h"

struct grant {
	struct bytes value;
	uint64_t roles;
};

struct role_map {
	const struct issuer_settings *settings; /* borrowed: the claims that are looked at */
	size_t count;
	struct grant grants[]; /* sorted by value; a value may stand here more than once */
};

static int
compare_grants(const void *a, const void *b)
{
	const struct grant *left = a, *right = b;

	return bytes_compare(left->value, right->value);
}

static size_t
count_sources(const struct settings *settings)
{
	size_t count = 0;

	for (size_t i = 0; i < settings->role_count; i++)
		count += settings->roles[i].granted_by_count;
	return count;
}

static void
add_role(struct role_map *m, const struct role_settings *role, size_t index, unsigned issuer)
{
	for (size_t i = 0; i < role->granted_by_count; i++)
		if (role->granted_by[i].issuer == issuer)
			m->grants[m->count++] =
				(struct grant){ bytes_text(role->granted_by[i].value),
				                (uint64_t)1 << index };
}

struct err
role_map_new(const struct settings *settings, unsigned issuer, struct role_map **ret)
{
	struct role_map *m;

	if (settings->role_count > ROLES_MAX)
		return fail(ERR_CONFIG, "more than 64 roles");
	m = calloc(1, sizeof *m + count_sources(settings) * sizeof m->grants[0]);
	if (m == NULL)
		return fail(ERR_SYSTEM, "out of memory for the roles");
	m->settings = &settings->issuers[issuer];
	for (size_t i = 0; i < settings->role_count; i++)
		add_role(m, &settings->roles[i], i, issuer);
	qsort(m->grants, m->count, sizeof m->grants[0], compare_grants);
	*ret = m;
	return OK;
}

void
role_map_free(struct role_map *m)
{
	free(m);
}

static uint64_t
roles_of_value(const struct role_map *m, struct bytes value)
{
	size_t low = 0, high = m->count;
	uint64_t roles = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes_compare(m->grants[middle].value, value) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->count && bytes_equal(m->grants[low].value, value); low++)
		roles |= m->grants[low].roles;
	return roles;
}

static uint64_t
roles_of_words(const struct role_map *m, struct bytes words)
{
	struct bytes word;
	uint64_t roles = 0;

	while (claim_word(&words, &word))
		roles |= roles_of_value(m, word);
	return roles;
}

static uint64_t
roles_of_claim(const struct role_map *m, struct bytes path, const struct json *claims)
{
	const struct json *claim = claim_find(claims, path);
	bool is_scope = bytes_is(path, "scp") || bytes_is(path, "scope");
	struct bytes text;
	uint64_t roles = 0;

	if (is_scope && json_string(claim, &text))
		return roles_of_words(m, text);
	if (claim == NULL || claim->type != JSON_ARRAY)
		return 0;
	for (const struct json *i = json_first(claim); i != NULL; i = json_next(claim, i)) {
		if (!json_string(i, &text))
			return 0;
		roles |= roles_of_value(m, text);
	}
	return roles;
}

uint64_t
role_map_roles(const struct role_map *m, const struct json *claims)
{
	uint64_t roles = 0;

	for (size_t i = 0; i < m->settings->roles_claim_count; i++)
		roles |= roles_of_claim(m, bytes_text(m->settings->roles_claims[i]), claims);
	return roles;
}
