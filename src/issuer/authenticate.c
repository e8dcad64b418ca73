/* authenticate.c - see authenticate.h. */
#include "issuer/authenticate.h"

#include "issuer/opaque.h"

/* An absent client_id is one of our own; RFC 6749 appendix A.1: the rest is printable ASCII. */
static struct err
id_read(const struct ask *ask, struct arena *arena, struct bytes *ret)
{
	struct bytes id = ask->fields[ASK_CLIENT_ID];

	if (id.len == 0 && ask->fields[ASK_CLIENT_ASSERTION].len > 0)
		id = assertion_subject(ask->fields[ASK_CLIENT_ASSERTION], arena);
	if (id.len == 0)
		id = BYTES("gatewarden");
	if (id.len > CLIENT_ID_MAX)
		return fail(ERR_PEER, "client_id is longer than 256 bytes");
	for (size_t n = 0; n < id.len; n++)
		if (id.at[n] < 0x20 || id.at[n] > 0x7e)
			return fail(ERR_PEER, "client_id is not printable ASCII");
	*ret = id;
	return OK;
}

struct err
caller_find(const struct issuer *i, const struct ask *ask, struct arena *arena, struct caller *ret)
{
	*ret = (struct caller){ 0 };
	TRY(id_read(ask, arena, &ret->id));
	/* Its ID tokens would pass for access tokens. */
	if (client_id_is_audience(i->settings, ret->id))
		return refuse(CLIENT_UNKNOWN);

	struct err e = client_find(i->store, ret->id, arena, &ret->client);

	if (failed(e) && e.kind != ERR_NOT_FOUND)
		return e;
	ret->is_registered = !failed(e);
	if (!ret->is_registered)
		ret->client = (struct client){ .id = ret->id, .is_public = true };
	return ret->client.is_disabled ? refuse(CLIENT_DISABLED) : OK;
}

static struct err
secret_hash_read(const struct issuer *i, struct bytes id, struct digest *ret, bool *ret_is_there)
{
	CLEANUP(statement_done) struct statement q;
	bool row = false;

	*ret = (struct digest){ 0 };
	statement_start(&q, i->store,
	                "SELECT secret_hash FROM client WHERE id = ?1 AND length(secret_hash) > 0");
	statement_text(&q, 1, id);
	TRY(statement_row(&q, &row));
	*ret_is_there = row;
	return row ? statement_column_exact(&q, 0, ret->at, DIGEST_LEN) : OK;
}

/* The same for a client without a secret and for one that is not there. */
static struct err
secret_check(const struct issuer *i, struct bytes id, struct bytes secret)
{
	struct digest shown, kept;
	bool is_there;

	TRY(secret_hash_read(i, id, &kept, &is_there));
	TRY(digest_of(secret, &shown));

	bool is_same = bytes_equal_secret(digest_bytes(&shown), digest_bytes(&kept));

	return is_there && is_same ? OK : refuse(CLIENT_UNPROVEN);
}

/* What it shows is looked at only where it is registered for that. */
static struct err
proof_check(const struct issuer *i, const struct ask *ask, int64_t now_s, struct arena *arena,
            const struct client *c)
{
	struct bytes secret = ask->fields[ASK_CLIENT_SECRET];
	struct bytes assertion = ask->fields[ASK_CLIENT_ASSERTION];
	struct bytes certificate = ask->fields[ASK_CERTIFICATE];

	if (secret.len > 0)
		return secret_check(i, c->id, secret);
	if (assertion.len > 0)
		return assertion_check(i, c, assertion, now_s, arena);
	if (c->certificate.len > 0 && bytes_equal_secret(c->certificate, certificate))
		return OK;
	return refuse(CLIENT_UNPROVEN);
}

struct err
authenticate(const struct issuer *i, const struct ask *ask, int64_t now_s, struct arena *arena,
             struct caller *ret)
{
	bool has_secret = ask->fields[ASK_CLIENT_SECRET].len > 0;
	bool has_assertion = ask->fields[ASK_CLIENT_ASSERTION].len > 0;

	if (has_secret && has_assertion)
		return refuse(CLIENT_PROOFS);

	struct err found = caller_find(i, ask, arena, ret);

	if (failed(found) && found.kind != ERR_IDENTITY)
		return found;
	if (!has_secret && !has_assertion && ret->client.is_public)
		return found;

	/* Also for one that is refused already: it takes its time. */
	struct err proof = proof_check(i, ask, now_s, arena, &ret->client);

	TRY(found);
	if (failed(proof) && proof.kind == ERR_IDENTITY && !ret->is_registered)
		return refuse(CLIENT_UNKNOWN);
	TRY(proof);
	if (ret->client.is_public)
		return refuse(CLIENT_UNPROVEN);
	ret->is_proven = true;
	return OK;
}
