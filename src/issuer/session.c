/* session.c - browser sessions: a worker's own data under the digest of a random name; nobody can
 * guess one, and who reads the store finds none. */
#include "base/macros.h"
#include "format/json.h"
#include "issuer/issuer.h"
#include "issuer/opaque.h"
#include "issuer/revoke.h"

enum {
	SESSIONS_PER_SUBJECT_MAX = 64,
};

struct keeping {
	struct issuer_store *store;
	const struct settings *settings;
	const struct ask *ask;
	int64_t now_s;
	struct reply *reply;
};

static struct err
not_found(void)
{
	return fail(ERR_NOT_FOUND, "there is no such session");
}

static struct err
life_read(const struct keeping *k, int64_t *ret)
{
	uint64_t asked, most = k->settings->sessions.ttl_s;

	TRY(bytes_to_u64(k->ask->fields[ASK_LIFE], &asked));
	if (asked == 0)
		return fail(ERR_PEER, "a session without life");
	*ret = (int64_t)(asked < most ? asked : most);
	return OK;
}

/* Beyond what one person has browsers, the oldest end. */
static struct err
sessions_trim(struct issuer_store *s, struct bytes issuer, struct bytes subject, int64_t now_s)
{
	static const char *const each[] = {
		"INSERT INTO revocation (kind, issuer, value, before, until_s)"
		" SELECT 3, '', hash, 0, min(expires_s, ?4) FROM session WHERE rowid IN (SELECT "
		"rowid"
		" FROM session WHERE issuer = ?1 AND subject = ?2 ORDER BY rowid DESC LIMIT -1 "
		"OFFSET ?3)",
		"DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE issuer = ?1"
		" AND subject = ?2 ORDER BY rowid DESC LIMIT -1 OFFSET ?3)",
	};

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		CLEANUP(statement_done) struct statement q;

		statement_start(&q, s, each[i]);
		statement_text(&q, 1, issuer);
		statement_text(&q, 2, subject);
		statement_int(&q, 3, SESSIONS_PER_SUBJECT_MAX);
		if (i == 0)
			statement_int(&q, 4, revocation_until_s(now_s));
		TRY(statement_run(&q));
	}
	return OK;
}

static bool
is_local(const struct settings *settings, struct bytes issuer)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		if (settings->issuers[i].type == ISSUER_LOCAL &&
		    bytes_is(issuer, settings->issuers[i].name))
			return true;
	return false;
}

/* A new name for each login: one that was there before is worth nothing after it (session
 * fixation). A user of ours who was changed after the password was looked at gets none: it would
 * outlive the row that revokes what there was before the change. */
static struct err
session_begin(struct keeping *k)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(statement_done) struct statement q = { 0 };
	const struct json *data, *claims;
	struct digest hash;
	int64_t life_s, generation = 0;

	TRY(life_read(k, &life_s));
	TRY(json_parse(k->ask->fields[ASK_DATA], &arena, &data, NULL));
	claims = json_member(data, "claims");
	if (json_member_text(data, "issuer").len == 0 || json_member_text(claims, "sub").len == 0)
		return fail(ERR_PEER, "a session of nobody");
	(void)json_int64(json_member(claims, "gen"), &generation); /* of ours only */
	TRY(opaque_make(&k->reply->fields[ANSWER_SECRET], &hash));
	TRY(transaction_begin(&t, k->store));
	statement_start(&q, k->store,
	                "INSERT INTO session (hash, issuer, subject, sid, data, expires_s)"
	                " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT ?7 OR EXISTS (SELECT 1 FROM user"
	                " WHERE subject = ?3 AND disabled = 0 AND generation = ?8)");
	statement_blob(&q, 1, digest_bytes(&hash));
	statement_text(&q, 2, json_member_text(data, "issuer"));
	statement_text(&q, 3, json_member_text(claims, "sub"));
	statement_text(&q, 4, json_member_text(claims, "sid"));
	statement_blob(&q, 5, k->ask->fields[ASK_DATA]);
	statement_int(&q, 6, k->now_s + life_s);
	statement_int(&q, 7, is_local(k->settings, json_member_text(data, "issuer")));
	statement_int(&q, 8, generation);
	k->reply->expires_in_s = (unsigned)life_s;
	TRY(statement_run(&q));
	if (store_changes(k->store) != 1)
		return not_found();
	TRY(sessions_trim(k->store, json_member_text(data, "issuer"),
	                  json_member_text(claims, "sub"), k->now_s));
	return transaction_commit(&t);
}

static struct err
session_find(struct keeping *k)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	struct digest hash;
	bool row = false;

	TRY(digest_of(k->ask->fields[ASK_SECRET], &hash));
	statement_start(&q, k->store,
	                "SELECT data, expires_s FROM session WHERE hash = ?1 AND expires_s > ?2");
	statement_blob(&q, 1, digest_bytes(&hash));
	statement_int(&q, 2, k->now_s);
	TRY(statement_row(&q, &row));
	if (!row)
		return not_found();
	buf_put(&k->reply->fields[ANSWER_DATA], statement_column(&q, 0));
	k->reply->expires_in_s = (unsigned)(statement_column_int(&q, 1) - k->now_s);
	return OK;
}

/* Other workers may know it by heart, and are told. */
static struct err
session_end(struct keeping *k)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(statement_done) struct statement q = { 0 };
	struct revocation r = { .kind = REVOKED_COOKIE };
	struct digest hash;
	bool row = false;

	TRY(digest_of(k->ask->fields[ASK_SECRET], &hash));
	TRY(transaction_begin(&t, k->store));
	statement_start(&q, k->store, "DELETE FROM session WHERE hash = ?1 RETURNING expires_s");
	statement_blob(&q, 1, digest_bytes(&hash));
	TRY(statement_row(&q, &row));
	if (!row)
		return OK;
	r.value = digest_bytes(&hash);
	r.until_s = revocation_until_s(k->now_s);
	if (r.until_s > statement_column_int(&q, 0))
		r.until_s = statement_column_int(&q, 0);
	TRY(revocation_add(k->store, &r));
	statement_done(&q);
	return transaction_commit(&t);
}

struct err
session_answer(struct issuer_store *s, const struct settings *settings, const struct ask *ask,
               int64_t now_s, struct reply *ret)
{
	static struct err (*const kinds[ASK_KIND_COUNT])(struct keeping *) = {
		[ASK_SESSION_BEGIN] = session_begin,
		[ASK_SESSION_FIND] = session_find,
		[ASK_SESSION_END] = session_end,
	};
	struct keeping k = {
		.store = s, .settings = settings, .ask = ask, .now_s = now_s, .reply = ret
	};

	if ((unsigned)ask->kind >= ASK_KIND_COUNT || kinds[ask->kind] == NULL)
		return fail(ERR_PEER, "no question of a session");
	return kinds[ask->kind](&k);
}
