/* scope.c - see scope.h. */
#include "issuer/scope.h"

#include "base/macros.h"
#include "issuer/refusal.h"

/* In what we know of it: the first three change what is given. */
static const char *const answered_words[] = { "openid", "profile", "offline_access" };
static const char *const other_words[] = { "email", "address", "phone" };

static bool
is_among(struct bytes word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_is(word, words[i]))
			return true;
	return false;
}

static bool
is_role(struct bytes word)
{
	return !is_among(word, answered_words, ARRAY_LEN(answered_words)) &&
	       !is_among(word, other_words, ARRAY_LEN(other_words));
}

static bool
names_role(struct bytes scope)
{
	struct bytes word;

	while (words_next(&scope, &word))
		if (is_role(word))
			return true;
	return false;
}

bool
scope_asks(struct bytes scope, const char *word)
{
	return words_have(scope, bytes_text(word));
}

void
scope_put_narrowed(struct buf *out, struct bytes have, struct bytes scope)
{
	struct bytes word;

	if (!names_role(scope)) {
		words_put_common(out, have, have);
		return;
	}
	while (words_next(&have, &word))
		if (is_role(word) && words_have(scope, word) && !words_have(buf_bytes(out), word))
			words_put(out, word);
}

static bool
goes_beyond(struct bytes have, struct bytes scope)
{
	struct bytes word;

	while (words_next(&scope, &word))
		if (is_role(word) && !words_have(have, word))
			return true;
	return false;
}

struct err
scope_grant(struct bytes have, struct bytes scope, enum scope_rule rule, struct buf *ret)
{
	if (rule == SCOPE_ALL && goes_beyond(have, scope))
		return refuse(SCOPE_BEYOND);
	scope_put_narrowed(ret, have, scope);
	TRY(buf_check(ret));
	return ret->len == 0 && names_role(scope) ? refuse(SCOPE_NONE) : OK;
}

void
scope_put_answer(struct buf *out, struct bytes roles, struct bytes scope)
{
	buf_put(out, roles);
	for (size_t i = 0; i < ARRAY_LEN(answered_words); i++)
		if (scope_asks(scope, answered_words[i]))
			words_put(out, bytes_text(answered_words[i]));
}

static bool
is_whole(const struct settings *settings, const struct issuer_settings *own, struct bytes asked)
{
	struct bytes url = bytes_text(settings->public_url);

	if (asked.len == 0 || is_among(asked, own->audience, own->audience_count))
		return true;
	return bytes_starts(asked, url) &&
	       (asked.len == url.len || (asked.len == url.len + 1 && asked.at[url.len] == '/'));
}

static const struct resource_settings *
resource_named(const struct settings *settings, struct bytes asked)
{
	static const char path[] = "/api/";
	struct bytes url = bytes_text(settings->public_url);
	struct bytes rest = bytes_slice(asked, url.len, asked.len);

	if (bytes_starts(asked, url) && bytes_starts(rest, bytes_text(path)))
		asked = bytes_slice(rest, sizeof path - 1, rest.len);
	for (size_t i = 0; i < settings->resource_count; i++)
		if (bytes_is(asked, settings->resources[i].name))
			return &settings->resources[i];
	return NULL;
}

struct err
target_narrow(const struct settings *settings, const struct issuer_settings *own,
              struct bytes before, struct bytes asked, struct bytes *ret)
{
	const struct resource_settings *resource;

	if (is_whole(settings, own, asked)) {
		*ret = before;
		return OK;
	}
	resource = resource_named(settings, asked);
	if (resource == NULL)
		return refuse(TARGET_UNKNOWN);
	if (before.len > 0 && !bytes_is(before, resource->name))
		return refuse(TARGET_BEYOND);
	*ret = bytes_text(resource->name);
	return OK;
}
