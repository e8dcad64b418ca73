/* revocation.c - see revocation.h and revoke.h. */
#include "base/clock.h"
#include "issuer/event.h"
#include "issuer/keys.h"
#include "issuer/revoke.h"
#include "jose/jwt.h"

enum {
	/* How long a token of another issuer may live: longer than any provider lets one. */
	FOREIGN_LIFE_S = 30 * 86400,
	CROWD = 16384, /* a quarter of what a worker has room for */
};

int64_t
revocation_until_s(int64_t now_s)
{
	return now_s + KEY_OLD_S;
}

struct err
revocation_add(struct issuer_store *s, const struct revocation *r)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "INSERT INTO revocation (kind, issuer, value, before, until_s) VALUES (?1, "
	                "?2, ?3, ?4, ?5)");
	statement_int(&q, 1, r->kind);
	statement_text(&q, 2, r->issuer);
	statement_blob(&q, 3, r->value);
	statement_int(&q, 4, r->before);
	statement_int(&q, 5, r->until_s);
	return statement_run(&q);
}

struct err
revocation_has(struct issuer_store *s, enum revocation_kind kind, const char *issuer,
               struct bytes value, bool *ret)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "SELECT 1 FROM revocation WHERE value = ?3 AND kind = ?1 AND issuer = ?2");
	statement_int(&q, 1, kind);
	statement_text(&q, 2, bytes_text(issuer));
	statement_blob(&q, 3, value);
	return statement_row(&q, ret);
}

struct err
revocation_is_crowded(struct issuer_store *s, bool *ret)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, "SELECT 1 FROM revocation WHERE kind IN (0, 1) LIMIT 1 OFFSET ?1");
	statement_int(&q, 1, CROWD - 1);
	return statement_row(&q, ret);
}

/* One statement with a text and up to two numbers, where it names them. */
static struct err
run_on(struct issuer_store *s, const char *sql, struct bytes text, int64_t a, int64_t b)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, sql);
	statement_text(&q, 1, text);
	if (sqlite3_bind_parameter_count(q.at) > 1)
		statement_int(&q, 2, a);
	if (sqlite3_bind_parameter_count(q.at) > 2)
		statement_int(&q, 3, b);
	return statement_run(&q);
}

/* Browser sessions end with the row that tells workers, who may know them by heart; it is needed
 * until they were told, and not as long as the session would have lived. The numbers are those of
 * enum revocation_kind. */
_Static_assert(REVOKED_TOKEN == 0 && REVOKED_SESSION == 1 && REVOKED_SUBJECT == 2 &&
                       REVOKED_COOKIE == 3,
               "the statements below spell them out");

struct err
revoke_generation(struct issuer_store *s, struct bytes subject, int64_t generation)
{
	int64_t until_s = revocation_until_s(clock_wall_us() / 1000000);

	/* An issuer that never had a key has no token out. */
	TRY(run_on(s,
	           "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	           " SELECT DISTINCT 2, issuer, CAST(?1 AS BLOB), ?2, ?3 FROM signing_key",
	           subject, generation, until_s));
	TRY(run_on(s,
	           "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	           " SELECT 3, '', hash, 0, min(expires_s, ?2) FROM session WHERE subject = ?1"
	           " AND issuer IN (SELECT issuer FROM signing_key)",
	           subject, until_s, 0));
	return run_on(s,
	              "DELETE FROM session WHERE subject = ?1"
	              " AND issuer IN (SELECT issuer FROM signing_key)",
	              subject, 0, 0);
}

struct err
revoke_login(struct issuer_store *s, const char *issuer, struct bytes sid, int64_t now_s)
{
	const struct revocation r = { .kind = REVOKED_SESSION,
		                      .issuer = bytes_text(issuer),
		                      .value = sid,
		                      .until_s = revocation_until_s(now_s) };

	TRY(revocation_add(s, &r));
	TRY(run_on(s, "DELETE FROM family WHERE sid = ?1", sid, 0, 0));
	TRY(run_on(s,
	           "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	           " SELECT 3, '', hash, 0, min(expires_s, ?2) FROM session WHERE sid = ?1 AND sid "
	           "<> ''",
	           sid, r.until_s, 0));
	return run_on(s, "DELETE FROM session WHERE sid = ?1 AND sid <> ''", sid, 0, 0);
}

struct err
revoke_client(struct issuer_store *s, struct bytes client_id, int64_t now_s)
{
	/* Only logins that gave a token which can still live: a row for each of a hundred thousand
	 * would be more than workers have room for. */
	TRY(run_on(s,
	           "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	           " SELECT 1, issuer, CAST(sid AS BLOB), 0, ?2 FROM family WHERE client_id = ?1"
	           " AND rotated_s > ?3",
	           client_id, revocation_until_s(now_s), now_s - KEY_OLD_S - FAMILY_GRACE_S));
	TRY(run_on(s,
	           "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	           " SELECT 0, issuer, CAST(jti AS BLOB), 0, ?2 FROM exchanged WHERE client_id = "
	           "?1",
	           client_id, revocation_until_s(now_s), 0));
	TRY(run_on(s, "DELETE FROM family WHERE client_id = ?1", client_id, 0, 0));
	TRY(run_on(s, "DELETE FROM code WHERE client_id = ?1", client_id, 0, 0));
	return run_on(s, "DELETE FROM exchanged WHERE client_id = ?1", client_id, 0, 0);
}

/* The command line */

/* True when the statement, which gives the new generation, found the subject. */
static struct err
next_generation(struct issuer_store *s, const char *sql, struct bytes subject, int64_t *ret,
                bool *ret_found)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, sql);
	statement_text(&q, 1, subject);
	TRY(statement_row(&q, ret_found));
	if (!*ret_found)
		return OK;
	*ret = statement_column_int(&q, 0);
	return statement_run(&q);
}

struct err
revoke_own_subject(struct issuer_store *s, struct bytes subject)
{
	int64_t generation = 0;
	bool found = false;

	TRY(next_generation(s,
	                    "UPDATE user SET generation = generation + 1 WHERE subject = ?1"
	                    " RETURNING generation",
	                    subject, &generation, &found));
	if (!found)
		TRY(next_generation(s,
		                    "UPDATE client SET generation = generation + 1 WHERE subject = "
		                    "?1 RETURNING generation",
		                    subject, &generation, &found));
	if (!found)
		return fail(ERR_NOT_FOUND, "there is no user and no client of this subject");
	TRY(run_on(s, "DELETE FROM family WHERE user = (SELECT id FROM user WHERE subject = ?1)",
	           subject, 0, 0));
	/* The row to come says all that those of former generations do. */
	TRY(run_on(
		s,
		"DELETE FROM revocation WHERE kind = 2 AND value = CAST(?1 AS BLOB) AND before < "
		"?2 AND issuer IN (SELECT issuer FROM signing_key)",
		subject, generation, 0));
	return revoke_generation(s, subject, generation);
}

static struct err
sessions_of(struct issuer_store *s, const char *sql, const char *issuer, struct bytes subject,
            int64_t until_s)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, sql);
	statement_text(&q, 1, bytes_text(issuer));
	statement_text(&q, 2, subject);
	if (sqlite3_bind_parameter_count(q.at) > 2)
		statement_int(&q, 3, until_s);
	return statement_run(&q);
}

static struct err
revoke_foreign_subject(struct issuer_store *s, const char *issuer, struct bytes subject,
                       int64_t now_s)
{
	/* Its `iat` has whole seconds: those of this one are meant too. */
	const struct revocation r = { .kind = REVOKED_SUBJECT,
		                      .issuer = bytes_text(issuer),
		                      .value = subject,
		                      .before = now_s + 1,
		                      .until_s = now_s + FOREIGN_LIFE_S };

	TRY(revocation_add(s, &r));
	TRY(sessions_of(s,
	                "INSERT INTO revocation (kind, issuer, value, before, until_s)"
	                " SELECT 3, '', hash, 0, min(expires_s, ?3) FROM session WHERE issuer = ?1"
	                " AND subject = ?2",
	                issuer, subject, revocation_until_s(now_s)));
	return sessions_of(s, "DELETE FROM session WHERE issuer = ?1 AND subject = ?2", issuer,
	                   subject, 0);
}

struct err
revoke_subject(struct issuer_store *s, const char *issuer, bool is_local, struct bytes subject,
               int64_t now_s)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	const struct event event = { .action = BYTES("subject.revoke"),
		                     .issuer = bytes_text(issuer),
		                     .subject = subject };

	if (!jwt_is_subject(subject))
		return fail(ERR_INVALID, "no token has such a subject: it is a text of 1 to 1024 "
		                         "bytes without control characters");
	TRY(transaction_begin(&t, s));
	TRY(is_local ? revoke_own_subject(s, subject)
	             : revoke_foreign_subject(s, issuer, subject, now_s));
	TRY(event_add(s, &event));
	return transaction_commit(&t);
}

struct err
revoke_token(struct issuer_store *s, const char *issuer, struct bytes jti, int64_t expires_s)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	const struct revocation r = { .kind = REVOKED_TOKEN,
		                      .issuer = bytes_text(issuer),
		                      .value = jti,
		                      .until_s = revocation_until_s(expires_s) };
	const struct event event = { .action = BYTES("token.revoke"),
		                     .issuer = bytes_text(issuer),
		                     .name = jti };

	if (jti.len == 0)
		return fail(ERR_INVALID, "the token has no jti");
	TRY(transaction_begin(&t, s));
	TRY(revocation_add(s, &r));
	TRY(event_add(s, &event));
	return transaction_commit(&t);
}

/* Keeper */

static void
row_read(struct statement *q, int64_t *ret_id, struct revocation *ret)
{
	*ret_id = statement_column_int(q, 0);
	*ret = (struct revocation){
		.kind = (enum revocation_kind)statement_column_int(q, 1),
		.issuer = statement_column(q, 2),
		.value = statement_column(q, 3),
		.before = statement_column_int(q, 4),
		.until_s = statement_column_int(q, 5),
	};
}

struct err
revocation_read_after(struct issuer_store *s, int64_t now_s, int64_t *cursor, revocation_fn *each,
                      void *of)
{
	CLEANUP(statement_done) struct statement q;
	struct revocation r;
	int64_t id;

	statement_start(&q, s,
	                "SELECT id, kind, issuer, value, before, until_s FROM revocation"
	                " WHERE id > ?1 AND until_s > ?2 ORDER BY id");
	statement_int(&q, 1, *cursor);
	statement_int(&q, 2, now_s);
	for (bool row;;) {
		TRY(statement_row(&q, &row));
		if (!row)
			return OK;
		row_read(&q, &id, &r);
		TRY(each(of, &r));
		*cursor = id;
	}
}

struct err
issuer_store_purge(struct issuer_store *s, int64_t now_s)
{
	static const char *const tables[] = {
		"DELETE FROM revocation WHERE until_s <= ?1",
		"DELETE FROM session WHERE expires_s <= ?1",
		"DELETE FROM code WHERE purge_s <= ?1",
		"DELETE FROM exchanged WHERE expires_s <= ?1",
		"DELETE FROM assertion WHERE expires_s <= ?1",
	};
	CLEANUP(transaction_done) struct transaction t = { 0 };

	TRY(transaction_begin(&t, s));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		CLEANUP(statement_done) struct statement q;

		statement_start(&q, s, tables[i]);
		statement_int(&q, 1, now_s);
		TRY(statement_run(&q));
	}
	return transaction_commit(&t);
}

struct err
issuer_store_changed(struct issuer_store *s, struct store_mark *mark, bool *ret)
{
	CLEANUP(statement_done) struct statement q;
	struct store_mark now = { .own = sqlite3_total_changes64(s->db) };
	bool row = false;

	/* It tells of other connections only. */
	statement_start(&q, s, "PRAGMA data_version");
	TRY(statement_row(&q, &row));
	if (row)
		now.others = statement_column_int(&q, 0);
	*ret = now.others != mark->others || now.own != mark->own;
	*mark = now;
	return OK;
}
