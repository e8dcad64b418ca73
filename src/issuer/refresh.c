/* refresh.c - sessions: refresh families, one row each (RFC 9700 section 4.14.2).
 *
 * A refresh token is handle (128 random bits, the family's for life) and secret (256 bits, new each
 * time). Of both only SHA-256 is stored: the family's current secret and, for FAMILY_GRACE_S, the
 * one before. So a family never grows, and *any* older token of it is known as used: right handle,
 * wrong secret. Nobody can make such a token up to end a stranger's session, for the handle is in
 * no place but the family's own tokens.
 *
 * Time of comparison (CWE-208): the family is looked up by the hash of its handle, in an index,
 * thus not in constant time. What leaks is how much of a stored SHA-256 agrees with that of what
 * was sent; nobody finds 128 random bits from their hash, and the handle alone opens nothing. The
 * secret is never looked up: its hash is compared with bytes_equal_secret().
 *
 * The next secret is HMAC-SHA-256(a key of this store, handle and secret). A client whose answer
 * was lost, and two requests at once, thus get the same successor though it is stored nowhere: a
 * family is one line and cannot branch. The first use of the successor ends the grace of its
 * parent.
 *
 * Time: what has expired is made useless whenever a session is begun or used, so a clock that later
 * jumps back finds nothing to revive. What no one touched meanwhile lives longer by the jump, never
 * more. */
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/random.h"
#include "format/base64.h"
#include "issuer/event.h"
#include "issuer/grant.h"
#include "issuer/opaque.h"
#include "issuer/revoke.h"
#include "issuer/scope.h"

enum {
	HANDLE_LEN = 16,
	SECRET_LEN = 32,
	TOKEN_LEN = HANDLE_LEN + SECRET_LEN,
	TOKEN_TEXT_LEN = 64,
};

/* On the stack only, wiped by CLEANUP. */
struct token {
	uint8_t raw[TOKEN_LEN]; /* handle, secret */
};

struct family {
	struct digest handle, current, previous;
	bool has_previous;
	int64_t expires_s, rotated_s, idle_s;
	bool is_disabled;     /* its user */
	struct access access; /* of the user as it is now; all text borrowed from the statement */
	struct bytes scope;
};

static void
token_done(struct token *t)
{
	OPENSSL_cleanse(t, sizeof *t);
}

static struct err
handle_digest(const struct token *t, struct digest *ret)
{
	return digest_of((struct bytes){ t->raw, HANDLE_LEN }, ret);
}

static struct err
secret_digest(const struct token *t, struct digest *ret)
{
	return digest_of((struct bytes){ t->raw + HANDLE_LEN, SECRET_LEN }, ret);
}

static struct err
successor_of(const struct issuer *i, const struct token *t, struct token *ret)
{
	unsigned len = 0;

	memcpy(ret->raw, t->raw, HANDLE_LEN);
	if (HMAC(EVP_sha256(), i->successor_key.at, (int)i->successor_key.len, t->raw, TOKEN_LEN,
	         ret->raw + HANDLE_LEN, &len) == NULL ||
	    len != SECRET_LEN)
		return fail(ERR_SYSTEM, "HMAC-SHA-256 does not work");
	return OK;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct err
run_with(struct issuer_store *s, const char *sql, int64_t value)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, sql);
	statement_int(&q, 1, value);
	return statement_run(&q);
}

/* What has ended stays, of no use to anybody, while a token it gave can live: with its client that
 * ends too (revoke_client()). */
#define END_FAMILY                                                                                 \
	"UPDATE family SET handle_hash = randomblob(32), current_hash = x'', previous_hash = NULL"

static struct err
families_purge(struct issuer_store *s, int64_t now_s)
{
	TRY(run_with(s, END_FAMILY " WHERE idle_s <= ?1 AND current_hash <> x''", now_s));
	TRY(run_with(s, "DELETE FROM family WHERE idle_s <= ?1", now_s - KEY_OLD_S));
	return run_with(s,
	                "UPDATE family SET previous_hash = NULL WHERE previous_hash IS NOT NULL "
	                "AND rotated_s < ?1",
	                now_s - FAMILY_GRACE_S);
}

/* Beginning a session */

static struct err
family_insert(const struct grant *g, const struct token *t, const struct access *a,
              struct bytes scope, int64_t user)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	const struct issuer_settings *own = g->issuer->own;
	struct digest handle, current;
	int64_t expires_s = a->auth_s + own->refresh_token_ttl_s;

	TRY(handle_digest(t, &handle));
	TRY(secret_digest(t, &current));
	statement_start(
		&q, g->issuer->store,
		"INSERT INTO family (handle_hash, issuer, user, client_id, auth_s, expires_s, "
		"idle_s, current_hash, rotated_s, sid, scope, resource, jkt, x5t) VALUES"
		" (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)");
	statement_blob(&q, 1, digest_bytes(&handle));
	statement_text(&q, 2, bytes_text(own->name));
	statement_int(&q, 3, user);
	statement_text(&q, 4, a->client_id);
	statement_int(&q, 5, a->auth_s);
	statement_int(&q, 6, expires_s);
	statement_int(&q, 7, earlier(expires_s, g->now_s + own->refresh_idle_ttl_s));
	statement_blob(&q, 8, digest_bytes(&current));
	statement_int(&q, 9, g->now_s);
	statement_text(&q, 10, a->sid);
	statement_text(&q, 11, scope);
	statement_text(&q, 12, a->resource);
	statement_text(&q, 13, a->key);
	statement_text(&q, 14, a->certificate);
	return statement_run(&q);
}

static struct err
families_trim(struct issuer_store *s, int64_t user, int64_t now_s)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                END_FAMILY
	                ", idle_s = min(idle_s, ?3) WHERE user = ?1 AND current_hash <> x''"
	                " AND rowid NOT IN (SELECT rowid FROM family WHERE user = ?1 AND"
	                " current_hash <> x'' ORDER BY auth_s DESC, rowid DESC LIMIT ?2)");
	statement_int(&q, 1, user);
	statement_int(&q, 2, FAMILIES_PER_USER_MAX);
	statement_int(&q, 3, now_s);
	return statement_run(&q);
}

struct err
family_begin(struct grant *g, const struct access *a, struct bytes scope, int64_t user,
             struct buf *ret)
{
	CLEANUP(token_done) struct token fresh;

	TRY(families_purge(g->issuer->store, g->now_s));
	if (g->issuer->own->refresh_token_ttl_s == 0)
		return OK;
	random_fill(fresh.raw, sizeof fresh.raw);
	TRY(family_insert(g, &fresh, a, scope, user));
	TRY(families_trim(g->issuer->store, user, g->now_s));
	base64url_put(ret, (struct bytes){ fresh.raw, TOKEN_LEN });
	return buf_check(ret);
}

/* Going on with one */

static struct err
token_parse(struct bytes text, struct token *ret)
{
	size_t len = 0;

	if (text.len != TOKEN_TEXT_LEN ||
	    failed(base64url_decode(text, ret->raw, sizeof ret->raw, &len)) || len != TOKEN_LEN)
		return refuse(REFRESH_UNKNOWN);
	return OK;
}

static struct err
hashes_read(struct statement *q, struct family *ret)
{
	TRY(statement_column_exact(q, 0, ret->current.at, DIGEST_LEN));
	ret->has_previous = statement_column(q, 1).len > 0;
	return ret->has_previous ? statement_column_exact(q, 1, ret->previous.at, DIGEST_LEN) : OK;
}

static struct err
family_find(struct statement *q, const struct issuer *i, const struct token *t, struct family *ret)
{
	bool row = false;

	*ret = (struct family){ 0 };
	TRY(handle_digest(t, &ret->handle));
	statement_start(
		q, i->store,
		"SELECT f.current_hash, f.previous_hash, f.auth_s, f.expires_s, f.rotated_s, "
		"u.disabled, u.subject, u.roles, f.client_id, u.name, u.generation, f.sid, "
		"f.scope, f.resource, f.jkt, f.x5t, f.idle_s FROM family f JOIN user u ON u.id = "
		"f.user WHERE f.handle_hash = ?1 AND f.issuer = ?2");
	statement_blob(q, 1, digest_bytes(&ret->handle));
	statement_text(q, 2, bytes_text(i->own->name));
	TRY(statement_row(q, &row));
	if (!row)
		return refuse(REFRESH_UNKNOWN);
	TRY(hashes_read(q, ret));
	ret->expires_s = statement_column_int(q, 3);
	ret->rotated_s = statement_column_int(q, 4);
	ret->is_disabled = statement_column_int(q, 5) != 0;
	ret->scope = statement_column(q, 12);
	ret->idle_s = statement_column_int(q, 16);
	ret->access = (struct access){ .auth_s = statement_column_int(q, 2),
		                       .subject = statement_column(q, 6),
		                       .roles = statement_column(q, 7),
		                       .client_id = statement_column(q, 8),
		                       .name = statement_column(q, 9),
		                       .generation = statement_column_int(q, 10),
		                       .sid = statement_column(q, 11),
		                       .resource = statement_column(q, 13),
		                       .key = statement_column(q, 14),
		                       .certificate = statement_column(q, 15) };
	return OK;
}

static struct err
family_rotate(const struct grant *g, const struct family *f, const struct token *next)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	struct digest hash;

	TRY(secret_digest(next, &hash));
	/* Compare and set: whatever else were to write, one token has one successor. */
	statement_start(&q, g->issuer->store,
	                "UPDATE family SET previous_hash = current_hash, current_hash = ?3, "
	                "rotated_s = ?4, "
	                "idle_s = ?5"
	                " WHERE handle_hash = ?1 AND current_hash = ?2");
	statement_blob(&q, 1, digest_bytes(&f->handle));
	statement_blob(&q, 2, digest_bytes(&f->current));
	statement_blob(&q, 3, digest_bytes(&hash));
	statement_int(&q, 4, g->now_s);
	statement_int(&q, 5, earlier(f->expires_s, g->now_s + g->issuer->own->refresh_idle_ttl_s));
	TRY(statement_run(&q));
	return store_changes(g->issuer->store) == 1
	               ? OK
	               : fail(ERR_UPSTREAM, "the state store changed underneath");
}

enum token_age { TOKEN_CURRENT, TOKEN_AGAIN, TOKEN_OLD };

/* Writes its successor, which is the same for the same token. */
static struct err
token_age(const struct issuer *i, const struct family *f, const struct token *t, int64_t now_s,
          struct token *ret_next, enum token_age *ret)
{
	struct digest presented, next;
	int64_t since = now_s - f->rotated_s;

	TRY(secret_digest(t, &presented));
	TRY(successor_of(i, t, ret_next));
	TRY(secret_digest(ret_next, &next));

	bool is_current = bytes_equal_secret(digest_bytes(&presented), digest_bytes(&f->current));
	bool is_again = f->has_previous &&
	                bytes_equal_secret(digest_bytes(&presented), digest_bytes(&f->previous)) &&
	                bytes_equal_secret(digest_bytes(&next), digest_bytes(&f->current)) &&
	                since >= 0 && since <= FAMILY_GRACE_S;

	*ret = is_current ? TOKEN_CURRENT : is_again ? TOKEN_AGAIN : TOKEN_OLD;
	return OK;
}

/* A public client's family goes on with the key it began with (RFC 9449 section 5); a confidential
 * client proves itself, and may take another. */
static bool
key_is_shown(const struct grant *g, const struct access *a)
{
	if (g->caller.is_proven)
		return true;
	return (a->key.len == 0 || bytes_equal(a->key, grant_field(g, ASK_KEY))) &&
	       (a->certificate.len == 0 ||
	        bytes_equal(a->certificate, grant_field(g, ASK_CERTIFICATE)));
}

static struct err
family_check(const struct grant *g, const struct family *f, enum token_age age)
{
	if (age == TOKEN_OLD)
		return refuse(REFRESH_REUSED);
	if (f->is_disabled)
		return refuse(REFRESH_DISABLED);
	if (!bytes_equal(f->access.client_id, g->caller.id))
		return refuse(REFRESH_CLIENT);
	return key_is_shown(g, &f->access) ? OK : refuse(REFRESH_KEY);
}

/* The roles the user has now, as far as the login and this request go. */
static struct err
roles_now(const struct grant *g, const struct family *f, struct buf *ret)
{
	CLEANUP(buf_done) struct buf login = { 0 };

	scope_put_narrowed(&login, f->access.roles, f->scope);
	TRY(buf_check(&login));
	return scope_grant(buf_bytes(&login), grant_field(g, ASK_SCOPE), SCOPE_ALL, ret);
}

/* All it gave ends with the family: one of two that had the token has stolen it. */
static struct err
family_end(struct grant *g, const struct family *f, struct err why)
{
	const struct event event = { .action = BYTES("session.revoke"),
		                     .issuer = bytes_text(g->issuer->own->name),
		                     .subject = f->access.subject,
		                     .name = f->access.name,
		                     .reason = bytes_text(refusal_reason(why)) };

	TRY(event_add(g->issuer->store, &event));
	return revoke_login(g->issuer->store, g->issuer->own->name, f->access.sid, g->now_s);
}

static struct err
family_go_on(struct grant *g, struct family *f, const struct token *next, enum token_age age)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	CLEANUP(buf_done) struct buf roles = { 0 }, scope = { 0 };
	struct bytes asked = grant_field(g, ASK_SCOPE);
	struct access a = f->access;

	TRY(target_narrow(g->issuer->settings, g->issuer->own, a.resource,
	                  grant_field(g, ASK_RESOURCE), &a.resource));
	TRY(roles_now(g, f, &roles));
	if (age == TOKEN_CURRENT)
		TRY(family_rotate(g, f, next));
	a.roles = buf_bytes(&roles);
	grant_bind(g, &a);
	base64url_put(&text, (struct bytes){ next->raw, TOKEN_LEN });
	TRY(buf_check(&text));
	/* No ID token for a login that did not ask for one (RFC 6749 section 6). */
	words_put_common(&scope, asked.len > 0 ? asked : f->scope, f->scope);
	TRY(buf_check(&scope));
	return grant_issue(g, &a, buf_bytes(&scope), buf_bytes(&text));
}

/* Inside the transaction: everything but its end. */
static struct err
refresh_inside(struct grant *g, const struct token *t)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	CLEANUP(token_done) struct token next;
	enum token_age age = TOKEN_OLD;
	struct family f;

	TRY(families_purge(g->issuer->store, g->now_s));
	TRY(family_find(&q, g->issuer, t, &f));
	grant_tell(g, f.access.subject, f.access.name);
	TRY(token_age(g->issuer, &f, t, g->now_s, &next, &age));

	struct err verdict = family_check(g, &f, age);

	if (verdict.kind == ERR_IDENTITY &&
	    (verdict.code == REFRESH_REUSED || verdict.code == REFRESH_DISABLED))
		TRY(family_end(g, &f, verdict));
	TRY(verdict);
	return family_go_on(g, &f, &next, age);
}

struct err
refresh_grant(struct grant *g)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(token_done) struct token presented;

	TRY(grant_authenticate(g));
	TRY(token_parse(grant_field(g, ASK_REFRESH_TOKEN), &presented));
	TRY(transaction_begin(&t, g->issuer->store));

	struct err verdict = refresh_inside(g, &presented);

	/* A refusal is kept too: it may have ended the family, and what had expired is gone. */
	if (failed(verdict) && verdict.kind != ERR_IDENTITY)
		return verdict;
	TRY(transaction_commit(&t));
	return verdict;
}

/* Held by somebody */

struct err
family_held(const struct issuer *i, struct bytes text, int64_t now_s, struct statement *q,
            struct held_family *ret, bool *ret_found)
{
	CLEANUP(token_done) struct token t, next;
	enum token_age age = TOKEN_OLD;
	struct family f;

	*ret_found = false;
	if (failed(token_parse(text, &t)))
		return OK;

	struct err e = family_find(q, i, &t, &f);

	if (e.kind == ERR_IDENTITY)
		return OK;
	TRY(e);
	TRY(token_age(i, &f, &t, now_s, &next, &age));
	*ret = (struct held_family){ .subject = f.access.subject,
		                     .name = f.access.name,
		                     .client_id = f.access.client_id,
		                     .scope = f.scope,
		                     .sid = f.access.sid,
		                     .resource = f.access.resource,
		                     .auth_s = f.access.auth_s,
		                     .idle_s = f.idle_s,
		                     .is_current = age != TOKEN_OLD && !f.is_disabled &&
		                                   f.idle_s > now_s };
	*ret_found = true;
	return OK;
}
