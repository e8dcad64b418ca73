/* account.c - the grant client_credentials (RFC 6749 section 4.4): a service account, which is a
 * client with roles of its own. */
#include "issuer/grant.h"
#include "issuer/scope.h"

struct err
account_grant(struct grant *g)
{
	CLEANUP(buf_done) struct buf roles = { 0 };
	const struct client *c = &g->caller.client;
	struct access a = { .is_app = true };

	TRY(grant_authenticate(g));
	TRY(grant_allows(g, CLIENT_CREDENTIALS));
	if (!g->caller.is_proven)
		return refuse(CLIENT_UNPROVEN);
	TRY(target_narrow(g->issuer->settings, g->issuer->own, a.resource,
	                  grant_field(g, ASK_RESOURCE), &a.resource));
	TRY(scope_grant(c->roles, grant_field(g, ASK_SCOPE), SCOPE_PART, &roles));
	a.client_id = g->caller.id;
	a.subject = c->subject;
	a.name = c->name.len > 0 ? c->name : c->id;
	a.roles = buf_bytes(&roles);
	a.generation = c->generation;
	grant_bind(g, &a);
	/* No refresh token (RFC 6749 section 4.4.3): it can ask again. */
	return grant_issue(g, &a, grant_field(g, ASK_SCOPE), (struct bytes){ 0 });
}
