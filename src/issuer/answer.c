/* answer.c - which question is whose: the ways into this folder for keeper. */
#include "issuer/grant.h"

void
reply_done(struct reply *r)
{
	for (size_t i = 0; i < ANSWER_FIELD_COUNT; i++)
		buf_wipe(&r->fields[i]);
	*r = (struct reply){ 0 };
}

/* What was made before it failed is not given; whom it was about is. */
static struct err
concluded(struct err e, struct reply *r)
{
	for (size_t i = 0; !failed(e) && i < ANSWER_FIELD_COUNT; i++)
		e = buf_check(&r->fields[i]);
	if (!failed(e))
		return OK;
	for (size_t i = 0; i < ANSWER_FIELD_COUNT; i++)
		if (i != ANSWER_SUBJECT && i != ANSWER_NAME)
			buf_wipe(&r->fields[i]);
	r->expires_in_s = 0;
	r->error = refusal_error(e);
	buf_put_text(&r->fields[ANSWER_REASON], refusal_reason(e));
	buf_put_text(&r->fields[ANSWER_DETAIL],
	             e.kind == ERR_IDENTITY || e.kind == ERR_PEER ? e.why : "");
	return e;
}

struct err
issuer_answer(struct issuer *i, const struct ask *ask, int64_t now_s, struct reply *ret)
{
	static struct err (*const kinds[ASK_KIND_COUNT])(struct grant *) = {
		[ASK_PASSWORD] = login_prepare,  [ASK_REFRESH] = refresh_grant,
		[ASK_CLIENT] = account_grant,    [ASK_CODE] = code_grant,
		[ASK_EXCHANGE] = exchange_grant, [ASK_AUTHORIZE] = code_authorize,
		[ASK_LOGIN] = login_prepare,     [ASK_SESSION_LOGIN] = login_prepare,
		[ASK_REVOKE] = revoke_held,      [ASK_INTROSPECT] = introspect_held,
	};
	CLEANUP(grant_done)
	struct grant g = { .issuer = i, .ask = ask, .now_s = now_s, .reply = ret };

	if ((unsigned)ask->kind >= ASK_KIND_COUNT || kinds[ask->kind] == NULL)
		return fail(ERR_PEER, "no question of an issuer");
	return concluded(kinds[ask->kind](&g), ret);
}

struct err
issuer_login(struct issuer *i, const struct user *u, const struct ask *ask, int64_t now_s,
             struct reply *ret)
{
	CLEANUP(grant_done)
	struct grant g = { .issuer = i, .ask = ask, .now_s = now_s, .reply = ret };

	if (ask->kind != ASK_PASSWORD && ask->kind != ASK_LOGIN && ask->kind != ASK_SESSION_LOGIN)
		return fail(ERR_PEER, "no login");
	return concluded(login_finish(&g, u), ret);
}
