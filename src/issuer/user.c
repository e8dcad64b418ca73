/* user.c - local users in the state store. What a password is worth is password.c's business. */
#include "issuer/store.h"

#include "base/clock.h"
#include "issuer/event.h"
#include "issuer/opaque.h"
#include "issuer/phc.h"
#include "issuer/revoke.h"

static struct err
name_check(struct bytes name)
{
	if (name.len == 0 || name.len > USER_NAME_MAX)
		return fail(ERR_INVALID, "a user name has 1 to 128 bytes");
	if (!bytes_is_utf8(name) || bytes_has_control(name))
		return fail(ERR_INVALID, "a user name is UTF-8 without control characters");
	return OK;
}

struct err
roles_check(struct bytes roles)
{
	if (roles.len > ROLES_TEXT_MAX)
		return fail(ERR_INVALID, "too many roles");
	if (!bytes_is_utf8(roles) || bytes_has_control(roles))
		return fail(ERR_INVALID, "roles are UTF-8 without control characters");
	return OK;
}

static struct err
user_insert(struct issuer_store *s, const struct user *u)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "INSERT INTO user (name, subject, hash, roles, created_s) VALUES (?1, ?2, "
	                "?3, ?4, ?5)");
	statement_text(&q, 1, u->name);
	statement_text(&q, 2, u->subject);
	statement_text(&q, 3, u->hash);
	statement_text(&q, 4, u->roles);
	statement_int(&q, 5, clock_wall_us() / 1000000);

	struct err e = statement_run(&q);

	return e.kind == ERR_CONFLICT ? fail(ERR_CONFLICT, "there is a user of this name already")
	                              : e;
}

struct err
user_add(struct issuer_store *s, struct bytes name, struct bytes roles, struct bytes phc)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	char subject[UUID_LEN];
	const struct user u = { .name = name,
		                .subject = { (const uint8_t *)subject, sizeof subject },
		                .hash = phc,
		                .roles = roles };
	struct phc parsed;

	TRY(name_check(name));
	TRY(roles_check(roles));
	/* Refused here, so that no login ever meets a hash it cannot afford. */
	TRY(phc_parse(phc, &parsed));
	uuid_make(subject);
	TRY(transaction_begin(&t, s));
	TRY(user_insert(s, &u));
	TRY(event_add(s, &(struct event){ .action = BYTES("user.add"),
	                                  .subject = u.subject,
	                                  .name = name,
	                                  .reason = roles }));
	return transaction_commit(&t);
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
	TRY(bytes_keep(arena, (struct bytes *[]){ &u.name, &u.subject, &u.hash, &u.roles, NULL }));
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

/* What every change has in common: a new generation, and the old one's tokens are refused.
 * `sql` sets it for the user ?1 with the value ?2, and gives subject and generation back. */
static struct err
user_change(struct issuer_store *s, const char *sql, struct bytes name, struct bytes value,
            const struct event *event)
{
	CLEANUP(statement_done) struct statement q;
	struct event about = *event;
	bool row = false;

	statement_start(&q, s, sql);
	statement_text(&q, 1, name);
	if (sqlite3_bind_parameter_count(q.at) > 1)
		statement_text(&q, 2, value);
	TRY(statement_row(&q, &row));
	if (!row)
		return fail(ERR_NOT_FOUND, "there is no user of this name");
	about.subject = statement_column(&q, 0);
	about.name = name;
	TRY(revoke_generation(s, about.subject, statement_column_int(&q, 1)));
	TRY(event_add(s, &about));
	return statement_run(&q);
}

struct err
user_set_password(struct issuer_store *s, struct bytes name, struct bytes phc)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	struct phc parsed;

	TRY(phc_parse(phc, &parsed));
	TRY(transaction_begin(&t, s));
	TRY(user_change(s,
	                "UPDATE user SET hash = ?2, generation = generation + 1 WHERE name = ?1"
	                " RETURNING subject, generation",
	                name, phc, &(struct event){ .action = BYTES("user.password") }));
	TRY(families_revoke(s, name));
	return transaction_commit(&t);
}

struct err
user_set_disabled(struct issuer_store *s, struct bytes name, bool disabled)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };

	TRY(transaction_begin(&t, s));
	TRY(disabled ? user_change(s,
	                           "UPDATE user SET disabled = 1, generation = generation + 1"
	                           " WHERE name = ?1 RETURNING subject, generation",
	                           name, BYTES(""),
	                           &(struct event){ .action = BYTES("user.disable") })
	             : user_change(s,
	                           "UPDATE user SET disabled = 0, generation = generation + 1"
	                           " WHERE name = ?1 RETURNING subject, generation",
	                           name, BYTES(""),
	                           &(struct event){ .action = BYTES("user.enable") }));
	TRY(families_revoke(s, name));
	return transaction_commit(&t);
}

struct err
user_set_roles(struct issuer_store *s, struct bytes name, struct bytes roles)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };

	TRY(roles_check(roles));
	TRY(transaction_begin(&t, s));
	TRY(user_change(s,
	                "UPDATE user SET roles = ?2, generation = generation + 1 WHERE name = ?1"
	                " RETURNING subject, generation",
	                name, roles,
	                &(struct event){ .action = BYTES("user.roles"), .reason = roles }));
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
