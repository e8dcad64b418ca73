/* code.c - authorization codes (RFC 6749 section 4.1, RFC 7636): given by the login page, used once
 * within a minute.
 *
 * A code that was used stays known as long as a token it gave can live, so that a second use ends
 * what the first one gave (RFC 9700 section 4.5). */
#include "issuer/event.h"
#include "issuer/grant.h"
#include "issuer/opaque.h"
#include "issuer/revoke.h"
#include "issuer/scope.h"
#include "format/base64.h"

enum {
	CODE_LIFE_S = 60,
	CODE_KNOWN_S = CODE_LIFE_S + KEY_OLD_S,
	VERIFIER_MIN = 43, /* RFC 7636 section 4.1 */
	VERIFIER_MAX = 128,
	NONCE_MAX = 512,
};

/* base64url of a SHA-256: the length is all that can be wrong before a verifier is there. */
static bool
is_challenge(struct bytes challenge)
{
	uint8_t raw[DIGEST_LEN];
	size_t len = 0;

	return challenge.len == OPAQUE_TEXT_LEN &&
	       !failed(base64url_decode(challenge, raw, sizeof raw, &len)) && len == DIGEST_LEN;
}

struct err
code_authorize(struct grant *g)
{
	const struct client *c = &g->caller.client;

	TRY(caller_find(g->issuer, g->ask, &g->arena, &g->caller));
	TRY(grant_allows(g, CLIENT_CODE));
	if (grant_field(g, ASK_REDIRECT_URI).len == 0 ||
	    !words_have(c->redirect_uris, grant_field(g, ASK_REDIRECT_URI)))
		return refuse(CLIENT_REDIRECT);
	if (g->ask->kind == ASK_LOGIN && !is_challenge(grant_field(g, ASK_CHALLENGE)))
		return refuse(CODE_CHALLENGE);
	if (grant_field(g, ASK_NONCE).len > NONCE_MAX)
		return fail(ERR_PEER, "nonce is longer than 512 bytes");
	buf_put(&g->reply->fields[ANSWER_CLIENT_NAME], c->name.len > 0 ? c->name : c->id);
	return buf_check(&g->reply->fields[ANSWER_CLIENT_NAME]);
}

struct err
code_issue(struct grant *g, const struct access *a, int64_t user)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	struct digest hash;

	TRY(opaque_make(&g->reply->fields[ANSWER_CODE], &hash));
	statement_start(&q, g->issuer->store,
	                "INSERT INTO code (hash, issuer, client_id, redirect_uri, challenge, "
	                "nonce, scope, resource, user, generation, sid, auth_s, purge_s) VALUES"
	                " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
	statement_blob(&q, 1, digest_bytes(&hash));
	statement_text(&q, 2, bytes_text(g->issuer->own->name));
	statement_text(&q, 3, a->client_id);
	statement_text(&q, 4, grant_field(g, ASK_REDIRECT_URI));
	statement_text(&q, 5, grant_field(g, ASK_CHALLENGE));
	statement_text(&q, 6, grant_field(g, ASK_NONCE));
	statement_text(&q, 7, grant_field(g, ASK_SCOPE));
	statement_text(&q, 8, a->resource);
	statement_int(&q, 9, user);
	statement_int(&q, 10, a->generation);
	statement_text(&q, 11, a->sid);
	statement_int(&q, 12, a->auth_s);
	statement_int(&q, 13, a->auth_s + CODE_KNOWN_S);
	return statement_run(&q);
}

/* Using it */

struct code {
	struct access access; /* of the user as it is now */
	struct bytes redirect_uri, challenge, scope;
	int64_t user;
	bool is_used, has_changed; /* the user, since the login */
};

static struct err
code_find(struct grant *g, const struct digest *hash, struct statement *q, struct code *ret)
{
	bool row = false;

	statement_start(q, g->issuer->store,
	                "SELECT c.client_id, c.redirect_uri, c.challenge, c.nonce, c.scope, "
	                "c.resource, c.sid, c.auth_s, c.used, u.id, u.subject, u.name, u.roles, "
	                "u.generation, u.disabled <> 0 OR u.generation <> c.generation"
	                " FROM code c JOIN user u ON u.id = c.user"
	                " WHERE c.hash = ?1 AND c.issuer = ?2");
	statement_blob(q, 1, digest_bytes(hash));
	statement_text(q, 2, bytes_text(g->issuer->own->name));
	TRY(statement_row(q, &row));
	if (!row)
		return refuse(CODE_UNKNOWN);
	*ret = (struct code){
		.access = { .client_id = statement_column(q, 0),
		            .nonce = statement_column(q, 3),
		            .resource = statement_column(q, 5),
		            .sid = statement_column(q, 6),
		            .auth_s = statement_column_int(q, 7),
		            .subject = statement_column(q, 10),
		            .name = statement_column(q, 11),
		            .roles = statement_column(q, 12),
		            .generation = statement_column_int(q, 13) },
		.redirect_uri = statement_column(q, 1),
		.challenge = statement_column(q, 2),
		.scope = statement_column(q, 4),
		.user = statement_column_int(q, 9),
		.is_used = statement_column_int(q, 8) != 0,
		.has_changed = statement_column_int(q, 14) != 0,
	};
	return OK;
}

/* RFC 7636 section 4.6, method S256. */
static bool
verifies(struct bytes challenge, struct bytes verifier)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct digest hash;

	if (verifier.len < VERIFIER_MIN || verifier.len > VERIFIER_MAX ||
	    failed(digest_of(verifier, &hash)))
		return false;
	base64url_put(&text, digest_bytes(&hash));
	return !failed(buf_check(&text)) && bytes_equal_secret(buf_bytes(&text), challenge);
}

static struct err
code_check(const struct grant *g, const struct code *c)
{
	int64_t age_s = g->now_s - c->access.auth_s;

	/* Another's code is not ended by whoever found it: the verifier keeps it safe. */
	if (!bytes_equal(c->access.client_id, g->caller.id))
		return refuse(CODE_CLIENT);
	if (c->is_used)
		return refuse(CODE_REUSED);
	if (age_s < 0 || age_s >= CODE_LIFE_S)
		return refuse(CODE_EXPIRED);
	if (!bytes_equal(c->redirect_uri, grant_field(g, ASK_REDIRECT_URI)))
		return refuse(CODE_REDIRECT);
	if (!verifies(c->challenge, grant_field(g, ASK_VERIFIER)))
		return refuse(CODE_VERIFIER);
	return c->has_changed ? refuse(CODE_USER) : OK;
}

static struct err
code_use(struct grant *g, const struct digest *hash, struct code *c)
{
	CLEANUP(statement_done) struct statement q;
	CLEANUP(buf_wipe) struct buf refresh = { 0 };
	CLEANUP(buf_done) struct buf roles = { 0 };

	statement_start(&q, g->issuer->store, "UPDATE code SET used = 1 WHERE hash = ?1");
	statement_blob(&q, 1, digest_bytes(hash));
	TRY(statement_run(&q));
	TRY(target_narrow(g->issuer->settings, g->issuer->own, c->access.resource,
	                  grant_field(g, ASK_RESOURCE), &c->access.resource));
	TRY(scope_grant(c->access.roles, c->scope, SCOPE_PART, &roles));
	c->access.roles = buf_bytes(&roles);
	grant_bind(g, &c->access);
	TRY(family_begin(g, &c->access, c->scope, c->user, &refresh));
	return grant_issue(g, &c->access, c->scope, buf_bytes(&refresh));
}

/* Whoever came second: one of the two has stolen it. Whoever comes third ends nothing more. */
static struct err
code_reused(struct grant *g, const struct code *c)
{
	struct bytes issuer = bytes_text(g->issuer->own->name);
	bool has_ended = false;

	TRY(revocation_has(g->issuer->store, REVOKED_SESSION, g->issuer->own->name, c->access.sid,
	                   &has_ended));
	if (has_ended)
		return OK;
	TRY(revoke_login(g->issuer->store, g->issuer->own->name, c->access.sid, g->now_s));
	return event_add(g->issuer->store,
	                 &(struct event){ .action = BYTES("session.revoke"),
	                                  .issuer = issuer,
	                                  .subject = c->access.subject,
	                                  .name = c->access.name,
	                                  .reason = BYTES("a code was used again") });
}

static struct err
code_inside(struct grant *g, const struct digest *hash)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	struct code c;

	TRY(code_find(g, hash, &q, &c));
	grant_tell(g, c.access.subject, c.access.name);

	struct err verdict = code_check(g, &c);

	if (verdict.kind == ERR_IDENTITY && verdict.code == CODE_REUSED)
		TRY(code_reused(g, &c));
	TRY(verdict);
	return code_use(g, hash, &c);
}

struct err
code_grant(struct grant *g)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	struct digest hash;

	TRY(grant_authenticate(g));
	TRY(grant_allows(g, CLIENT_CODE));
	TRY(digest_of(grant_field(g, ASK_CODE_TEXT), &hash));
	TRY(transaction_begin(&t, g->issuer->store));

	struct err verdict = code_inside(g, &hash);

	if (failed(verdict) && (verdict.kind != ERR_IDENTITY || verdict.code != CODE_REUSED))
		return verdict;
	TRY(transaction_commit(&t));
	return verdict;
}
