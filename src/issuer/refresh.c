/* refresh.c - sessions: refresh families, one row each (RFC 9700 section 4.14.2).
 *
 * A refresh token is handle (128 random bits, the family's for life) and secret (256 bits, new each
 * time). Of both only SHA-256 is stored: the family's current secret and, for GRACE_S, the one
 * before. So a family never grows, and *any* older token of it is known as used: right handle,
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
 * Time: what has expired is deleted whenever a session is begun or used, so a clock that later
 * jumps back finds nothing to revive. What no one touched meanwhile lives longer by the jump, never
 * more. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/random.h"
#include "format/base64.h"
#include "issuer/access.h"

enum {
	HANDLE_LEN = 16,
	SECRET_LEN = 32,
	TOKEN_LEN = HANDLE_LEN + SECRET_LEN,
	TOKEN_TEXT_LEN = 64,
	HASH_LEN = 32,
	GRACE_S = 10
};

/* On the stack only, wiped by CLEANUP. */
struct token {
	uint8_t raw[TOKEN_LEN]; /* handle, secret */
};

struct family {
	uint8_t handle_hash[HASH_LEN];
	uint8_t current[HASH_LEN], previous[HASH_LEN];
	bool has_previous;
	int64_t auth_s, expires_s, rotated_s;
	bool is_disabled;                             /* its user */
	struct bytes subject, name, roles, client_id; /* borrowed from the statement that read it */
};

static void
token_done(struct token *t)
{
	OPENSSL_cleanse(t, sizeof *t);
}

static struct err
refused(enum refresh_code code)
{
	struct err e = fail(ERR_IDENTITY, "the refresh token is not valid");

	e.code = code;
	return e;
}

static struct err
sha256(const uint8_t *at, size_t len, uint8_t ret[HASH_LEN])
{
	return EVP_Digest(at, len, ret, NULL, EVP_sha256(), NULL) == 1
	               ? OK
	               : fail(ERR_SYSTEM, "SHA-256 does not work");
}

static struct bytes
hash_bytes(const uint8_t hash[HASH_LEN])
{
	return (struct bytes){ hash, HASH_LEN };
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

/* An absent client_id is one of our own; RFC 6749 appendix A.1: the rest is printable ASCII. */
static struct err
client_check(struct bytes *client_id)
{
	if (client_id->len == 0)
		*client_id = BYTES("gatewarden");
	if (client_id->len > CLIENT_ID_MAX)
		return fail(ERR_PEER, "client_id is longer than 256 bytes");
	for (size_t i = 0; i < client_id->len; i++)
		if (client_id->at[i] < 0x20 || client_id->at[i] > 0x7e)
			return fail(ERR_PEER, "client_id is not printable ASCII");
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

static struct err
families_purge(struct issuer_store *s, int64_t now_s)
{
	TRY(run_with(s, "DELETE FROM family WHERE idle_s <= ?1", now_s));
	return run_with(s,
	                "UPDATE family SET previous_hash = NULL WHERE previous_hash IS NOT NULL "
	                "AND rotated_s < ?1",
	                now_s - GRACE_S);
}

/* Fills what the caller gets. On failure *ret holds nothing. */
static struct err
issue(const struct issuer *i, const struct access *a, const struct token *refresh, int64_t now_s,
      struct issued *ret)
{
	CLEANUP(issued_done) struct issued t = { .expires_in_s = access_life_s(i) };

	TRY(access_sign(i, a, now_s, &t.access_token));
	if (refresh != NULL)
		base64url_put(&t.refresh_token, (struct bytes){ refresh->raw, TOKEN_LEN });
	buf_put(&t.subject, a->subject);
	buf_put(&t.name, a->name);
	TRY(buf_check(&t.access_token));
	TRY(buf_check(&t.refresh_token));
	TRY(buf_check(&t.subject));
	TRY(buf_check(&t.name));
	*ret = t;
	t = (struct issued){ 0 };
	return OK;
}

/* Beginning a session */

static struct err
family_insert(const struct issuer *i, const struct token *t, const struct access *a, int64_t user)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	uint8_t handle_hash[HASH_LEN], current[HASH_LEN];
	int64_t expires_s = a->auth_s + i->own->refresh_token_ttl_s;

	TRY(sha256(t->raw, HANDLE_LEN, handle_hash));
	TRY(sha256(t->raw + HANDLE_LEN, SECRET_LEN, current));
	statement_start(
		&q, i->store,
		"INSERT INTO family (handle_hash, issuer, user, client_id, auth_s, expires_s, "
		"idle_s, current_hash,"
		" rotated_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5)");
	statement_blob(&q, 1, hash_bytes(handle_hash));
	statement_text(&q, 2, bytes_text(i->own->name));
	statement_int(&q, 3, user);
	statement_text(&q, 4, a->client_id);
	statement_int(&q, 5, a->auth_s);
	statement_int(&q, 6, expires_s);
	statement_int(&q, 7, earlier(expires_s, a->auth_s + i->own->refresh_idle_ttl_s));
	statement_blob(&q, 8, hash_bytes(current));
	return statement_run(&q);
}

static struct err
families_trim(struct issuer_store *s, int64_t user)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "DELETE FROM family WHERE user = ?1 AND rowid NOT IN (SELECT rowid FROM "
	                "family WHERE "
	                "user = ?1"
	                " ORDER BY auth_s DESC, rowid DESC LIMIT ?2)");
	statement_int(&q, 1, user);
	statement_int(&q, 2, FAMILIES_PER_USER_MAX);
	return statement_run(&q);
}

/* In the transaction of the grant: the password took a while to check. The statement keeps roles
 * and name. */
static struct err
user_again(struct statement *q, const struct issuer *i, const struct user *u, struct access *ret,
           int64_t *ret_id)
{
	bool row = false;

	statement_start(
		q, i->store,
		"SELECT id, roles, disabled, generation, name FROM user WHERE subject = ?1");
	statement_text(q, 1, u->subject);
	TRY(statement_row(q, &row));
	if (!row || statement_column_int(q, 2) != 0 || statement_column_int(q, 3) != u->generation)
		return fail(ERR_IDENTITY, "the user name or the password is wrong");
	*ret_id = statement_column_int(q, 0);
	ret->roles = statement_column(q, 1);
	ret->name = statement_column(q, 4);
	return OK;
}

struct err
issuer_grant(struct issuer *i, const struct user *u, struct bytes client_id, int64_t now_s,
             struct issued *ret)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(statement_done) struct statement q = { 0 };
	CLEANUP(token_done) struct token fresh;
	CLEANUP(issued_done) struct issued result = { 0 };
	struct access a = { .subject = u->subject, .auth_s = now_s };
	bool has_session = i->own->refresh_token_ttl_s > 0;
	int64_t user;

	TRY(client_check(&client_id));
	a.client_id = client_id;
	random_fill(fresh.raw, sizeof fresh.raw);
	TRY(transaction_begin(&t, i->store));
	TRY(families_purge(i->store, now_s));
	TRY(user_again(&q, i, u, &a, &user));
	if (has_session) {
		TRY(family_insert(i, &fresh, &a, user));
		TRY(families_trim(i->store, user));
	}
	TRY(issue(i, &a, has_session ? &fresh : NULL, now_s, &result));
	statement_done(&q);
	TRY(transaction_commit(&t));
	*ret = result;
	result = (struct issued){ 0 };
	return OK;
}

/* Going on with one */

static struct err
token_parse(struct bytes text, struct token *ret)
{
	size_t len = 0;

	if (text.len != TOKEN_TEXT_LEN ||
	    failed(base64url_decode(text, ret->raw, sizeof ret->raw, &len)) || len != TOKEN_LEN)
		return refused(REFRESH_UNKNOWN);
	return OK;
}

static struct err
family_find(struct statement *q, const struct issuer *i, const struct token *t, struct family *ret)
{
	bool row = false;

	TRY(sha256(t->raw, HANDLE_LEN, ret->handle_hash));
	statement_start(
		q, i->store,
		"SELECT f.current_hash, f.previous_hash, f.auth_s, f.expires_s, f.rotated_s, "
		"u.disabled, u.subject,"
		" u.roles, f.client_id, u.name FROM family f JOIN user u ON u.id = f.user"
		" WHERE f.handle_hash = ?1 AND f.issuer = ?2");
	statement_blob(q, 1, hash_bytes(ret->handle_hash));
	statement_text(q, 2, bytes_text(i->own->name));
	TRY(statement_row(q, &row));
	if (!row)
		return refused(REFRESH_UNKNOWN);
	TRY(statement_column_exact(q, 0, ret->current, HASH_LEN));
	ret->has_previous = statement_column(q, 1).len > 0;
	if (ret->has_previous)
		TRY(statement_column_exact(q, 1, ret->previous, HASH_LEN));
	ret->auth_s = statement_column_int(q, 2);
	ret->expires_s = statement_column_int(q, 3);
	ret->rotated_s = statement_column_int(q, 4);
	ret->is_disabled = statement_column_int(q, 5) != 0;
	ret->subject = statement_column(q, 6);
	ret->roles = statement_column(q, 7);
	ret->client_id = statement_column(q, 8);
	ret->name = statement_column(q, 9);
	return OK;
}

static struct err
family_rotate(const struct issuer *i, const struct family *f, const uint8_t next[HASH_LEN],
              int64_t now_s)
{
	CLEANUP(statement_done) struct statement q;

	/* Compare and set: whatever else were to write, one token has one successor. */
	statement_start(&q, i->store,
	                "UPDATE family SET previous_hash = current_hash, current_hash = ?3, "
	                "rotated_s = ?4, "
	                "idle_s = ?5"
	                " WHERE handle_hash = ?1 AND current_hash = ?2");
	statement_blob(&q, 1, hash_bytes(f->handle_hash));
	statement_blob(&q, 2, hash_bytes(f->current));
	statement_blob(&q, 3, hash_bytes(next));
	statement_int(&q, 4, now_s);
	statement_int(&q, 5, earlier(f->expires_s, now_s + i->own->refresh_idle_ttl_s));
	TRY(statement_run(&q));
	return store_changes(i->store) == 1
	               ? OK
	               : fail(ERR_UPSTREAM, "the state store changed underneath");
}

static struct err
family_delete(const struct issuer *i, const struct family *f)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, i->store, "DELETE FROM family WHERE handle_hash = ?1");
	statement_blob(&q, 1, hash_bytes(f->handle_hash));
	return statement_run(&q);
}

/* May this token go on? Writes its successor and moves the family where it is the token's first
 * use. */
static struct err
family_use(const struct issuer *i, const struct family *f, const struct token *t,
           struct bytes client_id, int64_t now_s, struct token *ret)
{
	uint8_t presented[HASH_LEN], next[HASH_LEN];
	int64_t since = now_s - f->rotated_s;

	TRY(sha256(t->raw + HANDLE_LEN, SECRET_LEN, presented));
	TRY(successor_of(i, t, ret));
	TRY(sha256(ret->raw + HANDLE_LEN, SECRET_LEN, next));

	bool is_current = bytes_equal_secret(hash_bytes(presented), hash_bytes(f->current));
	bool is_again = f->has_previous &&
	                bytes_equal_secret(hash_bytes(presented), hash_bytes(f->previous)) &&
	                bytes_equal_secret(hash_bytes(next), hash_bytes(f->current)) &&
	                since >= 0 && since <= GRACE_S;

	if (!is_current && !is_again)
		return refused(REFRESH_REUSED);
	if (f->is_disabled)
		return refused(REFRESH_DISABLED);
	if (!bytes_equal(f->client_id, client_id))
		return refused(REFRESH_CLIENT);
	return is_current ? family_rotate(i, f, next, now_s) : OK;
}

static bool
ends_family(struct err e)
{
	return e.kind == ERR_IDENTITY && (e.code == REFRESH_REUSED || e.code == REFRESH_DISABLED);
}

/* Whose session was refused: for the audit record. Short of memory it tells less, but the verdict
 * stands. */
static void
tell_whose(const struct family *f, struct issued *ret)
{
	buf_put(&ret->subject, f->subject);
	buf_put(&ret->name, f->name);
}

/* Inside the transaction: everything but its end. */
static struct err
refresh_inside(const struct issuer *i, const struct token *t, struct bytes client_id, int64_t now_s,
               struct issued *ret)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	CLEANUP(token_done) struct token next;
	struct family f;

	TRY(families_purge(i->store, now_s));
	TRY(family_find(&q, i, t, &f));

	struct err verdict = family_use(i, &f, t, client_id, now_s, &next);

	if (verdict.kind == ERR_IDENTITY)
		tell_whose(&f, ret);
	if (ends_family(verdict))
		TRY(family_delete(i, &f));
	TRY(verdict);

	struct access a = { .subject = f.subject,
		            .name = f.name,
		            .roles = f.roles,
		            .client_id = client_id,
		            .auth_s = f.auth_s };

	return issue(i, &a, &next, now_s, ret);
}

struct err
issuer_refresh(struct issuer *i, struct bytes refresh_token, struct bytes client_id, int64_t now_s,
               struct issued *ret)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(token_done) struct token presented;
	CLEANUP(issued_done) struct issued result = { 0 };

	TRY(client_check(&client_id));
	TRY(token_parse(refresh_token, &presented));
	TRY(transaction_begin(&t, i->store));

	struct err verdict = refresh_inside(i, &presented, client_id, now_s, &result);

	/* A refusal is kept too: it may have ended the family, and what had expired is gone. */
	if (failed(verdict) && verdict.kind != ERR_IDENTITY)
		return verdict;
	TRY(transaction_commit(&t));
	*ret = result;
	result = (struct issued){ 0 };
	return verdict;
}
