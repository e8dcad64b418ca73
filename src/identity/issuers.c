/* issuers.c - see issuers.h: what is kept of issuers, and how it changes. The checks are in
 * examine.c.
 */
#include "identity/issuers.h"

#include <stdlib.h>

#include "base/macros.h"
#include "identity/examine.h"

/* Entra, Okta and Cognito name the client in every access token, and not in ID tokens: where one
 * registration is both client and API, nothing else tells them apart for certain. */
static bool
always_names_client(enum issuer_type type)
{
	return type == ISSUER_ENTRA || type == ISSUER_OKTA || type == ISSUER_COGNITO;
}

static struct jwt_rules
rules_of(const struct issuer_settings *from)
{
	return (struct jwt_rules){
		.issuer = from->issuer,
		.tenant = from->tenant,
		.names = from->names,
		.name_count = from->name_count,
		.audience = from->audience,
		.audience_count = from->audience_count,
		.clients = from->clients,
		.client_count = from->client_count,
		.client_claim = from->client_claim,
		.client_required = always_names_client(from->type),
		.required = from->required,
		.required_count = from->required_count,
		.callers = from->callers,
		.guests_refused = from->guests_refused,
		.bindings = from->bindings,
		.algorithms = from->algorithms,
		.leeway_s = from->leeway_s,
	};
}

/* The source of that URL, where an issuer before this one has it, else one of its own. */
static struct key_source *
source_for(struct issuers *s, unsigned index)
{
	struct bytes url = issuer_source(&s->settings->issuers[index]);

	for (unsigned i = 0; url.len != 0 && i < index; i++)
		if (bytes_equal(s->sources[i].url, url))
			return &s->sources[i];
	s->sources[index].url = url;
	return &s->sources[index];
}

static struct err
issuers_init(struct issuers *s, const struct settings *settings)
{
	s->settings = settings;
	s->issuers = calloc(settings->issuer_count + 1, sizeof *s->issuers);
	s->sources = calloc(settings->issuer_count + 1, sizeof *s->sources);
	s->generations = calloc(settings->issuer_count + 1, sizeof *s->generations);
	if (s->issuers == NULL || s->sources == NULL || s->generations == NULL)
		return fail(ERR_SYSTEM, "out of memory for the issuers");
	s->count = settings->issuer_count;
	for (unsigned i = 0; i < s->count; i++) {
		s->issuers[i].settings = &settings->issuers[i];
		s->issuers[i].rules = rules_of(&settings->issuers[i]);
		s->issuers[i].source = source_for(s, i);
		TRY(role_map_new(settings, i, &s->issuers[i].roles));
	}
	TRY(revocations_new(&s->revocations));
	return token_cache_new(&s->cache);
}

struct err
issuers_new(const struct settings *settings, struct issuers **ret)
{
	struct issuers *s = calloc(1, sizeof *s);

	if (s == NULL)
		return fail(ERR_SYSTEM, "out of memory for the issuers");

	struct err e = issuers_init(s, settings);
	if (failed(e)) {
		issuers_free(s);
		return e;
	}
	*ret = s;
	return OK;
}

void
issuers_free(struct issuers *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++) {
		role_map_free(s->issuers[i].roles);
		jwks_free(s->sources[i].keys);
	}
	revocations_free(s->revocations);
	token_cache_free(s->cache);
	free(s->generations);
	free(s->sources);
	free(s->issuers);
	free(s);
}

const struct settings *
issuers_settings(const struct issuers *s)
{
	return s->settings;
}

/* Keys */

/* Entries of the cache know the number they were made under. */
static void
replace_keys(struct issuers *s, struct key_source *source, struct jwks *keys, int64_t stale_until_s)
{
	jwks_free(source->keys);
	source->keys = keys;
	source->stale_until_s = stale_until_s;
	for (size_t i = 0; i < s->count; i++)
		if (s->issuers[i].source == source)
			s->generations[i]++;
}

void
issuers_set_keys(struct issuers *s, unsigned issuer, struct jwks *keys)
{
	if (issuer < s->count)
		replace_keys(s, s->issuers[issuer].source, keys, INT64_MAX);
	else
		jwks_free(keys);
}

static struct key_source *
find_source(struct issuers *s, struct bytes url)
{
	for (size_t i = 0; url.len != 0 && i < s->count; i++)
		if (bytes_equal(s->sources[i].url, url))
			return &s->sources[i];
	return NULL;
}

void
issuers_set_source(struct issuers *s, struct bytes source, struct jwks *keys, int64_t stale_until_s)
{
	struct key_source *found = find_source(s, source);

	if (found != NULL)
		replace_keys(s, found, keys, stale_until_s);
	else
		jwks_free(keys);
}

void
issuers_extend_source(struct issuers *s, struct bytes source, int64_t stale_until_s)
{
	struct key_source *found = find_source(s, source);

	if (found != NULL && found->keys != NULL)
		found->stale_until_s = stale_until_s;
}

void
issuers_set_retry(struct issuers *s, struct bytes source, int64_t retry_at_s)
{
	struct key_source *found = find_source(s, source);

	if (found != NULL)
		found->retry_at_s = retry_at_s;
}

const struct jwks *
key_source_keys(const struct key_source *source, int64_t now_s)
{
	return now_s < source->stale_until_s ? source->keys : NULL;
}

/* What was proven before */

void
issuers_revoke(struct issuers *s, const struct revocation *r, int64_t now_s)
{
	revocations_add(s->revocations, r, now_s);
}

static const struct issuer *
find_named(const struct issuers *s, struct bytes name)
{
	for (size_t i = 0; i < s->count; i++)
		if (bytes_is(name, s->issuers[i].settings->name))
			return &s->issuers[i];
	return NULL;
}

struct err
issuers_adopt(struct issuers *s, struct bytes issuer, struct bytes claims, int64_t expires_s,
              int64_t now_s, struct arena *arena, const struct principal **ret)
{
	const struct issuer *i = find_named(s, issuer);
	struct principal_parts parts = { .expires_s = expires_s };

	if (i == NULL)
		return fail(ERR_IDENTITY, "the issuer of the session is not known any more");
	TRY(json_parse(claims, arena, &parts.claims, NULL));
	if (expires_s <= now_s)
		return fail(ERR_IDENTITY, "the session has ended");
	if (!json_string(json_member(parts.claims, "sub"), &parts.subject) ||
	    !jwt_is_subject(parts.subject))
		return fail(ERR_IDENTITY, "the session names no subject");
	parts.issuer = i->settings->name;
	parts.is_local = i->settings->type == ISSUER_LOCAL;
	parts.roles = role_map_roles(i->roles, parts.claims);
	parts.revocable = revocable_of(s->revocations, parts.issuer, parts.is_local, parts.claims);
	if (revocations_have(s->revocations, &parts.revocable, now_s))
		return fail(ERR_IDENTITY, "the session was revoked");
	return principal_new(&parts, ret);
}

struct issuers_stats
issuers_stats(const struct issuers *s)
{
	struct token_cache_stats stats = token_cache_stats(s->cache);

	return (struct issuers_stats){ stats.hits, stats.misses, stats.evictions, stats.entries };
}
