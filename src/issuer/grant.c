/* grant.c - see grant.h. */
#include "issuer/grant.h"

#include "issuer/scope.h"

void
grant_done(struct grant *g)
{
	arena_done(&g->arena);
}

void
grant_tell(struct grant *g, struct bytes subject, struct bytes name)
{
	buf_clear(&g->reply->fields[ANSWER_SUBJECT]);
	buf_clear(&g->reply->fields[ANSWER_NAME]);
	buf_put(&g->reply->fields[ANSWER_SUBJECT], subject);
	buf_put(&g->reply->fields[ANSWER_NAME], name);
}

struct err
grant_authenticate(struct grant *g)
{
	struct err e = authenticate(g->issuer, g->ask, g->now_s, &g->arena, &g->caller);

	if (g->caller.is_registered)
		grant_tell(g, g->caller.client.subject, g->caller.id);
	TRY(e);
	/* RFC 9449 section 5.2: such a client is given nothing else. */
	return g->caller.client.is_dpop_required && grant_field(g, ASK_KEY).len == 0
	               ? refuse(CLIENT_KEY)
	               : OK;
}

struct err
grant_allows(const struct grant *g, enum client_grant grant)
{
	if (!g->caller.is_registered)
		return refuse(CLIENT_UNKNOWN);
	return (g->caller.client.grants & grant) != 0 ? OK : refuse(CLIENT_GRANT);
}

void
grant_bind(const struct grant *g, struct access *a)
{
	a->key = grant_field(g, ASK_KEY);
	a->certificate = grant_field(g, ASK_CERTIFICATE);
}

static struct err
issue_id_token(struct grant *g, const struct access *a, struct bytes scope)
{
	struct buf *fields = g->reply->fields;

	if (!scope_asks(scope, "openid") || a->auth_s == 0)
		return OK;
	return id_token_sign(g->issuer, a, buf_bytes(&fields[ANSWER_ACCESS_TOKEN]), g->now_s,
	                     &fields[ANSWER_ID_TOKEN]);
}

struct err
grant_issue(struct grant *g, const struct access *a, struct bytes scope, struct bytes refresh_token)
{
	struct buf *fields = g->reply->fields;

	TRY(access_sign(g->issuer, a, g->now_s, &fields[ANSWER_ACCESS_TOKEN]));
	TRY(issue_id_token(g, a, scope));
	buf_put(&fields[ANSWER_REFRESH_TOKEN], refresh_token);
	buf_put_text(&fields[ANSWER_TOKEN_TYPE], a->key.len > 0 ? "DPoP" : "bearer");
	scope_put_answer(&fields[ANSWER_SCOPE], a->roles, scope);
	grant_tell(g, a->subject, a->name);
	g->reply->expires_in_s = access_life_s(g->issuer, a);
	return OK;
}
