/* login.c - what a verified password gives: tokens (RFC 6749 section 4.3), a code for the client
 * whose login page it was typed into, or the claims of a browser session. */
#include "issuer/grant.h"
#include "issuer/opaque.h"
#include "issuer/scope.h"

/* In the transaction of the grant: the password took a while to check. *ret is in the arena. */
static struct err
user_again(struct grant *g, const struct user *u, struct access *ret, int64_t *ret_id)
{
	CLEANUP(statement_done) struct statement q;
	bool row = false;

	statement_start(
		&q, g->issuer->store,
		"SELECT id, roles, disabled, generation, name FROM user WHERE subject = ?1");
	statement_text(&q, 1, u->subject);
	TRY(statement_row(&q, &row));
	if (!row || statement_column_int(&q, 2) != 0 ||
	    statement_column_int(&q, 3) != u->generation)
		return refuse(REFUSED);
	*ret_id = statement_column_int(&q, 0);
	ret->roles = statement_column(&q, 1);
	ret->name = statement_column(&q, 4);
	ret->subject = u->subject;
	ret->generation = u->generation;
	return bytes_keep(&g->arena, (struct bytes *[]){ &ret->roles, &ret->name, NULL });
}

static struct err
give_tokens(struct grant *g, struct access *a, int64_t user)
{
	CLEANUP(buf_wipe) struct buf refresh = { 0 };
	CLEANUP(buf_done) struct buf roles = { 0 };
	struct bytes scope = grant_field(g, ASK_SCOPE);

	TRY(scope_grant(a->roles, scope, SCOPE_PART, &roles));
	a->roles = buf_bytes(&roles);
	grant_bind(g, a);
	TRY(family_begin(g, a, scope, user, &refresh));
	return grant_issue(g, a, scope, buf_bytes(&refresh));
}

static struct err
give_code(struct grant *g, struct access *a, int64_t user)
{
	CLEANUP(buf_done) struct buf roles = { 0 };

	/* Only asked whether there is any: what is granted is decided when the code is used. */
	TRY(scope_grant(a->roles, grant_field(g, ASK_SCOPE), SCOPE_PART, &roles));
	TRY(code_issue(g, a, user));
	grant_tell(g, a->subject, a->name);
	return OK;
}

static struct err
give_claims(struct grant *g, struct access *a, int64_t user)
{
	(void)user; /* a session has no refresh family */
	a->client_id = BYTES("gatewarden");
	TRY(access_put_claims(g->issuer, a, g->now_s, &g->reply->fields[ANSWER_CLAIMS]));
	g->reply->expires_in_s = access_life_s(g->issuer, a);
	grant_tell(g, a->subject, a->name);
	return OK;
}

struct err
login_prepare(struct grant *g)
{
	struct bytes ignored;

	if (g->ask->kind == ASK_SESSION_LOGIN)
		return OK;
	TRY(target_narrow(g->issuer->settings, g->issuer->own, (struct bytes){ 0 },
	                  grant_field(g, ASK_RESOURCE), &ignored));
	return g->ask->kind == ASK_LOGIN ? code_authorize(g) : grant_authenticate(g);
}

struct err
login_finish(struct grant *g, const struct user *u)
{
	static struct err (*const give[ASK_KIND_COUNT])(struct grant *, struct access *,
	                                                int64_t) = {
		[ASK_PASSWORD] = give_tokens,
		[ASK_LOGIN] = give_code,
		[ASK_SESSION_LOGIN] = give_claims,
	};
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(buf_done) struct buf sid = { 0 };
	struct access a = { .auth_s = g->now_s };
	int64_t user = 0;

	TRY(caller_find(g->issuer, g->ask, &g->arena, &g->caller));
	TRY(target_narrow(g->issuer->settings, g->issuer->own, a.resource,
	                  grant_field(g, ASK_RESOURCE), &a.resource));
	name_make(&sid, SID_LEN);
	TRY(buf_check(&sid));
	a.sid = buf_bytes(&sid);
	a.client_id = g->caller.id;
	TRY(transaction_begin(&t, g->issuer->store));
	TRY(user_again(g, u, &a, &user));
	TRY(give[g->ask->kind](g, &a, user));
	return transaction_commit(&t);
}
