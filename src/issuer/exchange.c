/* exchange.c - token exchange (RFC 8693): an agent turns the token of somebody it works for into
 * one of its own, that says so and can do less: some of the roles, one resource, a shorter life.
 *
 * Nothing widens: each is cut from what the subject token has, so that exchanging again cuts again.
 */
#include "format/json.h"
#include "issuer/grant.h"
#include "issuer/own_token.h"
#include "issuer/opaque.h"
#include "issuer/scope.h"
#include "jose/jwt.h"

enum { ACTORS_MAX = 4 };

/* A token that is bound is worth nothing without its key, here too (RFC 9449, 8705). */
static struct err
binding_check(const struct grant *g, const struct own_token *t)
{
	struct jwt_binding b = jwt_binding_of(t->claims);

	if (b.is_unknown || (b.key.len > 0 && !bytes_equal(b.key, grant_field(g, ASK_KEY))) ||
	    (b.certificate.len > 0 && !bytes_equal(b.certificate, grant_field(g, ASK_CERTIFICATE))))
		return refuse(SUBJECT_UNPROVEN);
	return OK;
}

/* Who is to act may show a token of its own; it can be no other than the client that asks. */
static struct err
actor_check(struct grant *g)
{
	struct own_token t;

	if (grant_field(g, ASK_ACTOR_TOKEN).len == 0)
		return OK;

	struct err e = own_token_read(g->issuer, grant_field(g, ASK_ACTOR_TOKEN), &g->arena, &t);

	if (!failed(e))
		e = own_token_check(g->issuer, &t, g->now_s);
	if (failed(e) && e.kind != ERR_IDENTITY)
		return e;
	return !failed(e) && bytes_equal(t.subject, g->caller.client.subject) ? OK
	                                                                      : refuse(ACTOR_TOKEN);
}

/* The newest acts; whom it acts through stands inside (RFC 8693 section 4.1). By the name of the
 * client, which people know it by. */
static struct err
put_act(const struct grant *g, const struct own_token *t, struct buf *out)
{
	const struct json *before = json_member(t->claims, "act");
	unsigned actors = 1;

	for (const struct json *one = before; one != NULL; one = json_member(one, "act"))
		actors++;
	if (actors > ACTORS_MAX)
		return refuse(SUBJECT_CHAIN);
	buf_put_text(out, "{\"sub\":");
	json_put_string(out, g->caller.client.id);
	if (before != NULL) {
		buf_put_text(out, ",\"act\":");
		json_put_value(out, before);
	}
	buf_put_u8(out, '}');
	return buf_check(out);
}

/* What is left of the subject token, or less. */
static int64_t
life(const struct grant *g, const struct own_token *t)
{
	int64_t left_s = t->expires_s - g->now_s, most_s = g->issuer->own->exchanged_token_ttl_s;

	return left_s < most_s ? left_s : most_s;
}

/* Kept while it lives: it ends with its client. */
static struct err
note(const struct grant *g, const struct access *a)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, g->issuer->store,
	                "INSERT INTO exchanged (jti, issuer, client_id, expires_s) VALUES (?1, ?2, "
	                "?3, ?4)");
	statement_text(&q, 1, a->jti);
	statement_text(&q, 2, bytes_text(g->issuer->own->name));
	statement_text(&q, 3, a->client_id);
	statement_int(&q, 4, g->now_s + KEY_OLD_S);
	return statement_run(&q);
}

static struct err
give(struct grant *g, const struct own_token *t)
{
	CLEANUP(buf_done) struct buf roles = { 0 }, act = { 0 }, jti = { 0 };
	struct access a = { .subject = t->subject,
		            .name = t->name,
		            .client_id = g->caller.id,
		            .sid = t->sid,
		            .auth_s = t->auth_s,
		            .generation = t->generation,
		            .is_app = t->is_app,
		            .life_s = life(g, t) };

	TRY(target_narrow(g->issuer->settings, g->issuer->own, t->resource,
	                  grant_field(g, ASK_RESOURCE), &a.resource));
	TRY(scope_grant(t->roles, grant_field(g, ASK_SCOPE), SCOPE_ALL, &roles));
	TRY(put_act(g, t, &act));
	name_make(&jti, JTI_LEN);
	TRY(buf_check(&jti));
	a.roles = buf_bytes(&roles);
	a.act = buf_bytes(&act);
	a.jti = buf_bytes(&jti);
	grant_bind(g, &a);
	TRY(note(g, &a));
	TRY(grant_issue(g, &a, (struct bytes){ 0 }, (struct bytes){ 0 }));
	buf_put(&g->reply->fields[ANSWER_AGENT], g->caller.client.id);
	return buf_check(&g->reply->fields[ANSWER_AGENT]);
}

struct err
exchange_grant(struct grant *g)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	struct own_token subject;

	TRY(grant_authenticate(g));
	TRY(grant_allows(g, CLIENT_EXCHANGE));
	if (!g->caller.is_proven)
		return refuse(CLIENT_UNPROVEN);
	TRY(own_token_read(g->issuer, grant_field(g, ASK_SUBJECT_TOKEN), &g->arena, &subject));
	grant_tell(g, subject.subject, subject.name);
	TRY(binding_check(g, &subject));
	TRY(actor_check(g));
	/* The state that lets it pass and the note of what it gives are one. */
	TRY(transaction_begin(&t, g->issuer->store));
	TRY(own_token_check(g->issuer, &subject, g->now_s));
	TRY(give(g, &subject));
	return transaction_commit(&t);
}
