/* user.c - local users in the state store. What a password is worth is password.c's business. */
#include "issuer/store.h"

#include "base/clock.h"
#include "base/random.h"
#include "issuer/phc.h"

enum { UUID_LEN = 36, USER_ROLES_MAX = 4096 };

static struct err
name_check(struct bytes name)
{
	if (name.len == 0 || name.len > USER_NAME_MAX)
		return fail(ERR_INVALID, "a user name has 1 to 128 bytes");
	if (!bytes_is_utf8(name) || bytes_has_control(name))
		return fail(ERR_INVALID, "a user name is UTF-8 without control characters");
	return OK;
}

static struct err
roles_check(struct bytes roles)
{
	if (roles.len > USER_ROLES_MAX)
		return fail(ERR_INVALID, "too many roles");
	if (!bytes_is_utf8(roles) || bytes_has_control(roles))
		return fail(ERR_INVALID, "roles are UTF-8 without control characters");
	return OK;
}

/* RFC 9562 section 5.4. */
static void
uuid_v4(char text[UUID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[16];
	size_t at = 0;

	random_fill(raw, sizeof raw);
	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof raw; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = digits[raw[i] >> 4];
		text[at++] = digits[raw[i] & 15];
	}
}

struct err
user_add(struct issuer_store *s, struct bytes name, struct bytes roles, struct bytes phc)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	char subject[UUID_LEN];
	struct phc parsed;

	TRY(name_check(name));
	TRY(roles_check(roles));
	/* Refused here, so that no login ever meets a hash it cannot afford. */
	TRY(phc_parse(phc, &parsed));
	uuid_v4(subject);
	statement_start(&q, s,
	                "INSERT INTO user (name, subject, hash, roles, created_s) VALUES (?1, ?2, "
	                "?3, ?4, ?5)");
	statement_text(&q, 1, name);
	statement_text(&q, 2, (struct bytes){ (const uint8_t *)subject, sizeof subject });
	statement_text(&q, 3, phc);
	statement_text(&q, 4, roles);
	statement_int(&q, 5, clock_wall_us() / 1000000);

	struct err e = statement_run(&q);

	return e.kind == ERR_CONFLICT ? fail(ERR_CONFLICT, "there is a user of this name already")
	                              : e;
}

static const char find_sql[] = "SELECT name, subject, hash, roles, disabled, created_s, generation "
			       "FROM user WHERE name = ?1";
static const char list_sql[] = "SELECT name, subject, hash, roles, disabled, created_s, generation "
			       "FROM user ORDER BY name";

/* A row of either. */
static void
user_read(struct statement *q, struct user *ret)
{
	*ret = (struct user){
		.name = statement_column(q, 0),
		.subject = statement_column(q, 1),
		.hash = statement_column(q, 2),
		.roles = statement_column(q, 3),
		.is_disabled = statement_column_int(q, 4) != 0,
		.created_s = statement_column_int(q, 5),
		.generation = statement_column_int(q, 6),
	};
}

static struct err
bytes_keep(struct arena *arena, struct bytes *b)
{
	if (b->len == 0)
		return OK;
	*b = arena_copy(arena, *b);
	return b->at == NULL ? fail(ERR_LIMIT, "out of memory for a user") : OK;
}

struct err
user_find(struct issuer_store *s, struct bytes name, struct arena *arena, struct user *ret)
{
	CLEANUP(statement_done) struct statement q;
	struct user u;
	bool row = false;

	statement_start(&q, s, find_sql);
	statement_text(&q, 1, name);
	TRY(statement_row(&q, &row));
	if (!row)
		return fail(ERR_NOT_FOUND, "there is no user of this name");
	user_read(&q, &u);
	TRY(bytes_keep(arena, &u.name));
	TRY(bytes_keep(arena, &u.subject));
	TRY(bytes_keep(arena, &u.hash));
	TRY(bytes_keep(arena, &u.roles));
	*ret = u;
	return OK;
}

static struct err
families_revoke(struct issuer_store *s, struct bytes name)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "DELETE FROM family WHERE user = (SELECT id FROM user WHERE name = ?1)");
	statement_text(&q, 1, name);
	return statement_run(&q);
}

static struct err
user_changed(struct issuer_store *s)
{
	return store_changes(s) == 1 ? OK : fail(ERR_NOT_FOUND, "there is no user of this name");
}

static struct err
password_store(struct issuer_store *s, struct bytes name, struct bytes phc)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "UPDATE user SET hash = ?2, generation = generation + 1 WHERE name = ?1");
	statement_text(&q, 1, name);
	statement_text(&q, 2, phc);
	TRY(statement_run(&q));
	return user_changed(s);
}

struct err
user_set_password(struct issuer_store *s, struct bytes name, struct bytes phc)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	struct phc parsed;

	TRY(phc_parse(phc, &parsed));
	TRY(transaction_begin(&t, s));
	TRY(password_store(s, name, phc));
	TRY(families_revoke(s, name));
	return transaction_commit(&t);
}

static struct err
disabled_store(struct issuer_store *s, struct bytes name, bool disabled)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(
		&q, s,
		"UPDATE user SET disabled = ?2, generation = generation + 1 WHERE name = ?1");
	statement_text(&q, 1, name);
	statement_int(&q, 2, disabled);
	TRY(statement_run(&q));
	return user_changed(s);
}

struct err
user_set_disabled(struct issuer_store *s, struct bytes name, bool disabled)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };

	TRY(transaction_begin(&t, s));
	TRY(disabled_store(s, name, disabled));
	TRY(families_revoke(s, name));
	return transaction_commit(&t);
}

struct err
user_rehash(struct issuer_store *s, const struct user *u, struct bytes phc)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	struct phc parsed;

	TRY(phc_parse(phc, &parsed));
	statement_start(&q, s, "UPDATE user SET hash = ?3 WHERE subject = ?1 AND hash = ?2");
	statement_text(&q, 1, u->subject);
	statement_text(&q, 2, u->hash);
	statement_text(&q, 3, phc);
	return statement_run(&q);
}

struct err
user_list(struct issuer_store *s, user_list_fn *each, void *of)
{
	CLEANUP(statement_done) struct statement q;
	struct user u;

	statement_start(&q, s, list_sql);
	for (bool row;;) {
		TRY(statement_row(&q, &row));
		if (!row)
			return OK;
		user_read(&q, &u);
		each(of, &u);
	}
}
