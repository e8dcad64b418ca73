/* client.c - clients in the state store. Whether one is who it says is authenticate.c's business.
 */
#include "issuer/client.h"

#include "base/clock.h"
#include "issuer/client_check.h"
#include "issuer/event.h"
#include "issuer/opaque.h"
#include "issuer/revoke.h"

static struct err
client_insert(struct issuer_store *s, const struct client *c, struct bytes secret_hash)
{
	CLEANUP(statement_done) struct statement q;
	char subject[UUID_LEN];

	uuid_make(subject);
	statement_start(&q, s,
	                "INSERT INTO client (id, name, subject, secret_hash, jwks, certificate, "
	                "roles, redirect_uris, grants, public, dpop_required, created_s) VALUES"
	                " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
	statement_text(&q, 1, c->id);
	statement_text(&q, 2, c->name);
	statement_text(&q, 3, (struct bytes){ (const uint8_t *)subject, sizeof subject });
	statement_blob(&q, 4, secret_hash);
	statement_text(&q, 5, c->jwks);
	statement_text(&q, 6, c->certificate);
	statement_text(&q, 7, c->roles);
	statement_text(&q, 8, c->redirect_uris);
	statement_int(&q, 9, c->grants);
	statement_int(&q, 10, c->is_public);
	statement_int(&q, 11, c->is_dpop_required);
	statement_int(&q, 12, clock_wall_us() / 1000000);

	struct err e = statement_run(&q);

	return e.kind == ERR_CONFLICT ? fail(ERR_CONFLICT, "there is a client of this id already")
	                              : e;
}

struct err
client_add(struct issuer_store *s, const struct settings *settings, const struct client *c,
           struct buf *ret_secret)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(buf_wipe) struct buf secret = { 0 };
	struct bytes kept = { 0 };
	struct digest hash;

	TRY(client_check(settings, c));
	if (!c->is_public && c->jwks.len == 0 && c->certificate.len == 0) {
		TRY(opaque_make(&secret, &hash));
		kept = digest_bytes(&hash);
	}
	TRY(transaction_begin(&t, s));
	TRY(client_insert(s, c, kept));
	TRY(event_add(s, &(struct event){ .action = BYTES("client.add"),
	                                  .name = c->id,
	                                  .reason = c->roles }));
	TRY(transaction_commit(&t));
	buf_put(ret_secret, buf_bytes(&secret));
	return buf_check(ret_secret);
}

static const char find_sql[] =
	"SELECT id, name, subject, length(secret_hash), jwks, certificate, roles, redirect_uris, "
	"grants, public, dpop_required, disabled, created_s, generation FROM client WHERE id = ?1";
static const char list_sql[] =
	"SELECT id, name, subject, length(secret_hash), jwks, certificate, roles, redirect_uris, "
	"grants, public, dpop_required, disabled, created_s, generation FROM client ORDER BY id";

/* A row of either. */
static void
client_read(struct statement *q, struct client *ret)
{
	*ret = (struct client){
		.id = statement_column(q, 0),
		.name = statement_column(q, 1),
		.subject = statement_column(q, 2),
		.has_secret = statement_column_int(q, 3) > 0,
		.jwks = statement_column(q, 4),
		.certificate = statement_column(q, 5),
		.roles = statement_column(q, 6),
		.redirect_uris = statement_column(q, 7),
		.grants = (unsigned)statement_column_int(q, 8),
		.is_public = statement_column_int(q, 9) != 0,
		.is_dpop_required = statement_column_int(q, 10) != 0,
		.is_disabled = statement_column_int(q, 11) != 0,
		.created_s = statement_column_int(q, 12),
		.generation = statement_column_int(q, 13),
	};
}

static struct err
not_found(void)
{
	return fail(ERR_NOT_FOUND, "there is no client of this id");
}

struct err
client_find(struct issuer_store *s, struct bytes id, struct arena *arena, struct client *ret)
{
	CLEANUP(statement_done) struct statement q;
	struct client c;
	bool row = false;

	statement_start(&q, s, find_sql);
	statement_text(&q, 1, id);
	TRY(statement_row(&q, &row));
	if (!row)
		return not_found();
	client_read(&q, &c);
	TRY(bytes_keep(arena,
	               (struct bytes *[]){ &c.id, &c.name, &c.subject, &c.jwks, &c.certificate,
	                                   &c.roles, &c.redirect_uris, NULL }));
	*ret = c;
	return OK;
}

struct err
client_list(struct issuer_store *s, client_list_fn *each, void *of)
{
	CLEANUP(statement_done) struct statement q;
	struct client c;

	statement_start(&q, s, list_sql);
	for (bool row;;) {
		TRY(statement_row(&q, &row));
		if (!row)
			return OK;
		client_read(&q, &c);
		each(of, &c);
	}
}

/* What every change has in common: a new generation, and what was given before is refused. `sql`
 * makes it for the client ?1 with the value ?2, and gives subject and generation back. */
static struct err
client_change(struct issuer_store *s, const char *sql, struct bytes id, struct bytes value,
              struct bytes action)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(statement_done) struct statement q = { 0 };
	struct event event = { .action = action, .name = id };
	bool row = false;

	TRY(transaction_begin(&t, s));
	statement_start(&q, s, sql);
	statement_text(&q, 1, id);
	if (sqlite3_bind_parameter_count(q.at) > 1)
		statement_blob(&q, 2, value);
	TRY(statement_row(&q, &row));
	if (!row)
		return not_found();
	event.subject = statement_column(&q, 0);
	TRY(revoke_generation(s, event.subject, statement_column_int(&q, 1)));
	TRY(revoke_client(s, id, clock_wall_us() / 1000000));
	TRY(event_add(s, &event));
	TRY(statement_run(&q));
	statement_done(&q);
	return transaction_commit(&t);
}

struct err
client_set_secret(struct issuer_store *s, struct bytes id, struct buf *ret_secret)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_wipe) struct buf secret = { 0 };
	struct client c;
	struct digest hash;

	TRY(client_find(s, id, &arena, &c));
	if (c.is_public)
		return fail(ERR_INVALID, "a public client has no secret");
	TRY(opaque_make(&secret, &hash));
	TRY(client_change(s,
	                  "UPDATE client SET secret_hash = ?2, generation = generation + 1"
	                  " WHERE id = ?1 RETURNING subject, generation",
	                  id, digest_bytes(&hash), BYTES("client.secret")));
	buf_put(ret_secret, buf_bytes(&secret));
	return buf_check(ret_secret);
}

struct err
client_set_disabled(struct issuer_store *s, struct bytes id, bool disabled)
{
	if (disabled)
		return client_change(s,
		                     "UPDATE client SET disabled = 1, generation = generation + 1"
		                     " WHERE id = ?1 RETURNING subject, generation",
		                     id, BYTES(""), BYTES("client.disable"));
	return client_change(s,
	                     "UPDATE client SET disabled = 0, generation = generation + 1"
	                     " WHERE id = ?1 RETURNING subject, generation",
	                     id, BYTES(""), BYTES("client.enable"));
}

struct err
client_remove(struct issuer_store *s, struct bytes id)
{
	return client_change(s,
	                     "DELETE FROM client WHERE id = ?1 RETURNING subject, generation + 1",
	                     id, BYTES(""), BYTES("client.remove"));
}
