/* issuer.c - one local issuer: opened on its store, and its keys kept up to date. */
#include "issuer/access.h"

#include <stdlib.h>

#include "base/macros.h"

static struct err
issuer_fill(struct issuer *i, int64_t now_s)
{
	bool changed;

	TRY(issuer_store_shared_key(i->store, "refresh_successor", &i->successor_key));
	return issuer_rotate(i, now_s, &changed);
}

struct err
issuer_open(const struct settings *settings, unsigned index, struct issuer_store *store,
            int64_t now_s, struct issuer **ret)
{
	if (index >= settings->issuer_count || settings->issuers[index].type != ISSUER_LOCAL)
		return fail(ERR_CONFIG, "only an issuer of type local can issue");

	struct issuer *i = calloc(1, sizeof *i);

	if (i == NULL)
		return fail(ERR_SYSTEM, "out of memory for an issuer");
	*i = (struct issuer){ .settings = settings,
		              .own = &settings->issuers[index],
		              .store = store };

	struct err e = issuer_fill(i, now_s);

	if (failed(e)) {
		issuer_close(i);
		return e;
	}
	*ret = i;
	return OK;
}

void
issuer_close(struct issuer *i)
{
	if (i == NULL)
		return;
	key_ring_done(&i->ring);
	jwks_free(i->published);
	secret_done(&i->successor_key);
	free(i);
}

static struct err
published_read(struct issuer *i)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct jwks *keys;

	key_ring_put_jwks(&i->ring, &text);
	TRY(buf_check(&text));
	TRY(jwks_parse(buf_bytes(&text), &keys, NULL));
	jwks_free(i->published);
	i->published = keys;
	return OK;
}

struct err
issuer_rotate(struct issuer *i, int64_t now_s, bool *ret_changed)
{
	const struct key_plan plan = { i->own->name, i->own->signing_algorithm,
		                       i->own->key_rotation_s };
	bool changed = false;

	TRY(key_ring_rotate(&i->ring, i->store, &plan, now_s, &changed));
	if (changed)
		TRY(published_read(i));
	*ret_changed = changed;
	return OK;
}

void
issuer_put_jwks(const struct issuer *i, struct buf *out)
{
	key_ring_put_jwks(&i->ring, out);
}
