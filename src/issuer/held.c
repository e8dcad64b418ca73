/* held.c - a token in somebody's hands: given back (RFC 7009) or asked about (RFC 7662). */
#include "format/json.h"
#include "issuer/event.h"
#include "issuer/grant.h"
#include "issuer/own_token.h"
#include "issuer/revoke.h"

/* What kind of token the text is, is seen by its form: nobody need say it (token_type_hint). */
struct held {
	bool is_access, is_refresh; /* neither: unknown */
	struct own_token access;
	struct held_family family;
	struct bytes client_id, subject, name;
	struct statement q; /* owned: keeps the family's text */
};

static void
held_done(struct held *h)
{
	statement_done(&h->q);
}

static struct err
held_find(struct grant *g, struct held *ret)
{
	struct bytes text = grant_field(g, ASK_TOKEN);

	TRY(family_held(g->issuer, text, g->now_s, &ret->q, &ret->family, &ret->is_refresh));
	if (ret->is_refresh) {
		ret->client_id = ret->family.client_id;
		ret->subject = ret->family.subject;
		ret->name = ret->family.name;
		return OK;
	}

	struct err e = own_token_read(g->issuer, text, &g->arena, &ret->access);

	if (failed(e) && e.kind != ERR_IDENTITY)
		return e;
	ret->is_access = !failed(e);
	if (ret->is_access) {
		ret->client_id = ret->access.client_id;
		ret->subject = ret->access.subject;
		ret->name = ret->access.name;
	}
	return OK;
}

/* Giving back */

/* A refresh token ends its whole login, an access token itself; in a flood of them, all that the
 * subject has. */
static struct err
held_revoke(const struct grant *g, const struct held *h)
{
	struct issuer_store *s = g->issuer->store;
	const char *issuer = g->issuer->own->name;
	struct event event = { .action = h->is_refresh ? BYTES("session.revoke")
		                                       : BYTES("token.revoke"),
		               .issuer = bytes_text(issuer),
		               .subject = h->subject,
		               .name = h->name,
		               .reason = BYTES("given back by its client") };
	bool is_crowded = false;

	TRY(revocation_is_crowded(s, &is_crowded));
	if (is_crowded) {
		event.action = BYTES("subject.revoke");
		event.reason = BYTES("too many tokens are given back");
	}
	TRY(event_add(s, &event));
	if (is_crowded)
		return revoke_own_subject(s, h->subject);
	if (h->is_refresh)
		return revoke_login(s, issuer, h->family.sid, g->now_s);
	return revocation_add(
		s, &(struct revocation){ .kind = REVOKED_TOKEN,
	                                 .issuer = bytes_text(issuer),
	                                 .value = h->access.jti,
	                                 .until_s = revocation_until_s(h->access.expires_s) });
}

/* One that has ended is not written down once more. */
static struct err
has_ended(const struct grant *g, const struct held *h, bool *ret)
{
	struct err e = h->is_access ? own_token_check(g->issuer, &h->access, g->now_s) : OK;

	*ret = e.kind == ERR_IDENTITY || (!h->is_refresh && !h->is_access);
	return *ret ? OK : e;
}

struct err
revoke_held(struct grant *g)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(held_done) struct held h = { 0 };
	bool is_over = false;

	/* Without the key of a DPoP proof: giving back needs none. */
	TRY(authenticate(g->issuer, g->ask, g->now_s, &g->arena, &g->caller));
	TRY(transaction_begin(&t, g->issuer->store));
	TRY(held_find(g, &h));
	grant_tell(g, h.subject, h.name);
	if ((h.is_refresh || h.is_access) && !bytes_equal(h.client_id, g->caller.id))
		return refuse(TOKEN_CLIENT);
	TRY(has_ended(g, &h, &is_over));
	/* RFC 7009 section 2.2: what cannot be used is what was wanted. */
	if (is_over)
		return OK;
	TRY(held_revoke(g, &h));
	held_done(&h);
	return transaction_commit(&t);
}

/* Asking about it */

/* The claims as they were signed, and what RFC 7662 adds. */
static void
put_access(const struct own_token *t, struct buf *out)
{
	bool is_bound = json_member(json_member(t->claims, "cnf"), "jkt") != NULL;

	buf_put_text(out, "{\"active\":true,\"token_type\":");
	json_put_string(out, is_bound ? BYTES("DPoP") : BYTES("Bearer"));
	buf_put_text(out, ",\"username\":");
	json_put_string(out, t->name);
	buf_put_u8(out, ',');
	buf_put(out, bytes_slice(t->text, 1, t->text.len)); /* ours: it begins with the brace */
}

static void
put_refresh(const struct grant *g, const struct held_family *f, struct buf *out)
{
	buf_put_text(out, "{\"active\":true,\"token_type\":\"refresh_token\",\"iss\":");
	json_put_string(out, bytes_text(g->issuer->settings->public_url));
	buf_put_text(out, ",\"client_id\":");
	json_put_string(out, f->client_id);
	buf_put_text(out, ",\"sub\":");
	json_put_string(out, f->subject);
	buf_put_text(out, ",\"username\":");
	json_put_string(out, f->name);
	buf_put_text(out, ",\"sid\":");
	json_put_string(out, f->sid);
	buf_put_text(out, ",\"scope\":");
	json_put_string(out, f->scope);
	buf_put_text(out, ",\"auth_time\":");
	buf_put_decimal(out, f->auth_s);
	buf_put_text(out, ",\"exp\":");
	buf_put_decimal(out, f->idle_s);
	buf_put_u8(out, '}');
}

struct err
introspect_held(struct grant *g)
{
	CLEANUP(held_done) struct held h = { 0 };
	struct buf *out = &g->reply->fields[ANSWER_CLAIMS];

	TRY(authenticate(g->issuer, g->ask, g->now_s, &g->arena, &g->caller));
	/* RFC 7662 section 4: else anyone could try tokens out. */
	if (!g->caller.is_proven)
		return refuse(CLIENT_UNPROVEN);
	TRY(held_find(g, &h));

	struct err e = h.is_access ? own_token_check(g->issuer, &h.access, g->now_s) : OK;

	if (failed(e) && e.kind != ERR_IDENTITY)
		return e;
	if (h.is_access && !failed(e))
		put_access(&h.access, out);
	else if (h.is_refresh && h.family.is_current && bytes_equal(h.client_id, g->caller.id))
		put_refresh(g, &h.family, out);
	else
		buf_put_text(out, "{\"active\":false}");
	return buf_check(out);
}
