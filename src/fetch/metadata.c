/* metadata.c - see metadata.h. */
#include "fetch/metadata.h"

#include "fetch/url_guard.h"
#include "format/json.h"

/* A member that is a URL we may use. ERR_PEER without one. */
static struct err
read_url(const struct json *document, const char *name, const struct metadata_rules *rules,
         struct bytes *ret)
{
	struct guarded_url parts;
	struct bytes text;

	if (!json_string(json_member(document, name), &text) || text.len == 0)
		return fail(ERR_PEER, "the metadata lack a URL");
	TRY(url_guard_parse(text, rules->outbound, &parts));
	if (parts.is_loopback && !rules->may_be_loopback)
		return fail(ERR_PEER, "the metadata point to this machine");
	*ret = text;
	return OK;
}

static struct bytes
read_optional(const struct json *document, const char *name, const struct metadata_rules *rules)
{
	struct bytes url = { 0 };
	struct err e = read_url(document, name, rules, &url);

	return failed(e) ? (struct bytes){ 0 } : url;
}

/* Issuers that share a document and expect different things of it are not all right. */
static struct err
check_issuer(const struct json *document, const struct metadata_rules *rules)
{
	struct bytes issuer;

	if (!json_string(json_member(document, "issuer"), &issuer))
		return fail(ERR_PEER, "the metadata name no issuer");
	for (size_t i = 0; i < rules->issuer_count; i++)
		if (!bytes_is(issuer, rules->issuers[i]))
			return fail(ERR_PEER, "the metadata are of another issuer");
	return OK;
}

struct err
metadata_parse(struct bytes text, const struct metadata_rules *rules, struct arena *arena,
               struct metadata *ret)
{
	const struct json *document;

	if (failed(json_parse(text, arena, &document, NULL)) || document->type != JSON_OBJECT)
		return fail(ERR_PEER, "the metadata are no JSON object");
	TRY(check_issuer(document, rules));
	struct metadata m = {
		.token_endpoint = read_optional(document, "token_endpoint", rules),
		.authorization_endpoint = read_optional(document, "authorization_endpoint", rules),
		.end_session_endpoint = read_optional(document, "end_session_endpoint", rules),
	};
	TRY(read_url(document, "jwks_uri", rules, &m.jwks_uri));
	*ret = m;
	return OK;
}
