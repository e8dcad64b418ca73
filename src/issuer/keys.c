/* keys.c - see keys.h. The schedule is changed in one write transaction, so that two processes that
 * start at once end with the same keys.
 *
 * A clock that jumps: forward, the current key signs on until a next one was published for its
 * overlap; back, a next key dated far ahead is dated anew, and the oldest key signs when all lie
 * ahead. */
#include "issuer/keys.h"

#include "issuer/event.h"
#include "jose/jws.h"

enum { KEY_ID_MAX = 64 };

struct key_row {
	uint8_t id[KEY_ID_MAX];
	size_t id_len;
	unsigned algorithm; /* enum jws_alg_bit, 0 when unknown */
	int64_t active_s;
};

struct schedule {
	struct issuer_store *store;
	const struct key_plan *plan;
	int64_t now_s;
	struct key_row rows[KEYS_MAX]; /* oldest first */
	size_t count;
};

static struct err
schedule_read(struct schedule *d)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, d->store,
	                "SELECT id, algorithm, active_s FROM signing_key WHERE issuer = ?1 ORDER "
	                "BY active_s, rowid");
	statement_text(&q, 1, bytes_text(d->plan->owner));
	for (d->count = 0;;) {
		bool row = false;

		TRY(statement_row(&q, &row));
		if (!row)
			return OK;

		struct bytes id = statement_column(&q, 0);

		if (d->count == KEYS_MAX || id.len > KEY_ID_MAX || id.len == 0)
			return fail(ERR_CONFIG, "the signing keys in the state store are damaged");

		struct key_row *to = &d->rows[d->count++];

		memcpy(to->id, id.at, id.len);
		to->id_len = id.len;
		to->algorithm = jws_alg_from(statement_column(&q, 1));
		to->active_s = statement_column_int(&q, 2);
	}
}

static struct err
schedule_drop(struct schedule *d, size_t index)
{
	CLEANUP(statement_done) struct statement q;
	struct key_row *row = &d->rows[index];

	statement_start(&q, d->store, "DELETE FROM signing_key WHERE id = ?1");
	statement_text(&q, 1, (struct bytes){ row->id, row->id_len });
	TRY(statement_run(&q));
	d->count--;
	memmove(row, row + 1, (d->count - index) * sizeof *row);
	return OK;
}

static struct err
schedule_date(struct schedule *d, size_t index, int64_t active_s)
{
	CLEANUP(statement_done) struct statement q;
	struct key_row *row = &d->rows[index];

	statement_start(&q, d->store, "UPDATE signing_key SET active_s = ?2 WHERE id = ?1");
	statement_text(&q, 1, (struct bytes){ row->id, row->id_len });
	statement_int(&q, 2, active_s);
	TRY(statement_run(&q));
	row->active_s = active_s;
	return OK;
}

static void
key_cleanup(struct signing_key **k)
{
	signing_key_free(*k);
}

static struct err
key_store(struct schedule *d, const struct signing_key *key, int64_t active_s)
{
	CLEANUP(secret_done) struct secret der = { 0 };
	CLEANUP(buf_done) struct buf jwk = { 0 };
	CLEANUP(statement_done) struct statement q = { 0 };

	TRY(signing_key_der(key, &der));
	signing_key_put_jwk(key, &jwk);
	TRY(buf_check(&jwk));
	statement_start(&q, d->store,
	                "INSERT INTO signing_key (id, issuer, algorithm, der, jwk, active_s) "
	                "VALUES (?1, ?2, "
	                "?3, ?4, ?5, ?6)");
	statement_text(&q, 1, signing_key_id(key));
	statement_text(&q, 2, bytes_text(d->plan->owner));
	statement_text(&q, 3, bytes_text(jws_alg_name(signing_key_alg(key))));
	statement_blob(&q, 4, secret_bytes(&der));
	statement_text(&q, 5, buf_bytes(&jwk));
	statement_int(&q, 6, active_s);
	TRY(statement_run(&q));
	return event_add(d->store, &(struct event){ .action = BYTES("key.rotate"),
	                                            .issuer = bytes_text(d->plan->owner),
	                                            .name = signing_key_id(key) });
}

static struct err
schedule_make(struct schedule *d, int64_t active_s)
{
	CLEANUP(key_cleanup) struct signing_key *key = NULL;

	/* Only an operator who changes the algorithm again and again gets here; the oldest key goes
	 * early. */
	if (d->count == KEYS_MAX)
		TRY(schedule_drop(d, 0));
	TRY(signing_key_generate(d->plan->algorithm, &key));
	TRY(key_store(d, key, active_s));
	return schedule_read(d);
}

static int64_t
overlap_s(const struct key_plan *plan)
{
	int64_t quarter = plan->rotation_s / 4;

	return quarter < KEY_OVERLAP_MAX_S ? quarter : KEY_OVERLAP_MAX_S;
}

/* Another algorithm is wanted: verifiers may already refuse the old one, so there is no overlap. */
static struct err
schedule_algorithm(struct schedule *d)
{
	struct key_row *newest = &d->rows[d->count - 1];

	if (newest->algorithm == (unsigned)d->plan->algorithm)
		return OK;
	if (newest->active_s > d->now_s)
		TRY(schedule_drop(d, d->count - 1)); /* it never signed */
	return schedule_make(d, d->now_s);
}

static struct err
schedule_next(struct schedule *d)
{
	int64_t overlap = overlap_s(d->plan), rotation = d->plan->rotation_s;
	struct key_row *newest = &d->rows[d->count - 1];

	if (newest->active_s > d->now_s) {
		if (newest->active_s > d->now_s + rotation) /* dated by a clock that was ahead */
			return schedule_date(d, d->count - 1, d->now_s + overlap);
		return OK;
	}

	int64_t due = newest->active_s + rotation;

	if (d->now_s < due - overlap)
		return OK;
	return schedule_make(d, due > d->now_s + overlap ? due : d->now_s + overlap);
}

static struct err
schedule_update(struct schedule *d)
{
	TRY(schedule_read(d));
	if (d->count == 0)
		TRY(schedule_make(d, d->now_s));
	if (d->rows[0].active_s > d->now_s)
		TRY(schedule_date(d, 0, d->now_s));
	TRY(schedule_algorithm(d));
	TRY(schedule_next(d));
	while (d->count > 1 && d->rows[1].active_s + KEY_OLD_S <= d->now_s)
		TRY(schedule_drop(d, 0));
	return OK;
}

/* The ring */

void
key_ring_done(struct key_ring *ring)
{
	for (size_t i = 0; i < ring->count; i++)
		signing_key_free(ring->slots[i].key);
	*ring = (struct key_ring){ 0 };
}

static struct err
key_ring_read(struct key_ring *ring, struct issuer_store *s, const char *issuer)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(
		&q, s,
		"SELECT der, algorithm, active_s FROM signing_key WHERE issuer = ?1 ORDER BY "
		"active_s, rowid");
	statement_text(&q, 1, bytes_text(issuer));
	for (;;) {
		bool row = false;

		TRY(statement_row(&q, &row));
		if (!row)
			return OK;

		unsigned algorithm = jws_alg_from(statement_column(&q, 1));
		struct key_slot slot = { .active_s = statement_column_int(&q, 2) };

		if (ring->count == KEYS_MAX || algorithm == 0)
			return fail(ERR_CONFIG, "the signing keys in the state store are damaged");
		TRY(signing_key_from_der(statement_column(&q, 0), (enum jws_alg_bit)algorithm,
		                         &slot.key));
		ring->slots[ring->count++] = slot;
	}
}

static bool
same_keys(const struct key_ring *a, const struct key_ring *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!bytes_equal(signing_key_id(a->slots[i].key), signing_key_id(b->slots[i].key)))
			return false;
	return true;
}

struct err
key_ring_rotate(struct key_ring *ring, struct issuer_store *s, const struct key_plan *plan,
                int64_t now_s, bool *ret_changed)
{
	CLEANUP(transaction_done) struct transaction t = { 0 };
	CLEANUP(key_ring_done) struct key_ring fresh = { 0 };
	struct schedule d = { .store = s, .plan = plan, .now_s = now_s };

	TRY(transaction_begin(&t, s));
	TRY(schedule_update(&d));
	TRY(key_ring_read(&fresh, s, plan->owner));
	TRY(transaction_commit(&t));
	*ret_changed = !same_keys(ring, &fresh);
	key_ring_done(ring);
	*ring = fresh;
	fresh = (struct key_ring){ 0 };
	return OK;
}

const struct signing_key *
key_ring_current(const struct key_ring *ring, int64_t now_s)
{
	const struct signing_key *current = ring->count > 0 ? ring->slots[0].key : NULL;

	for (size_t i = 1; i < ring->count && ring->slots[i].active_s <= now_s; i++)
		current = ring->slots[i].key;
	return current;
}

void
key_ring_put_jwks(const struct key_ring *ring, struct buf *out)
{
	buf_put_text(out, "{\"keys\":[");
	for (size_t i = 0; i < ring->count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		signing_key_put_jwk(ring->slots[i].key, out);
	}
	buf_put_text(out, "]}");
}

struct err
issuer_store_put_jwks(struct issuer_store *s, const char *name, struct buf *out)
{
	CLEANUP(statement_done) struct statement q;
	const char *before = "{\"keys\":[";

	statement_start(&q, s,
	                "SELECT jwk FROM signing_key WHERE issuer = ?1 ORDER BY active_s, rowid");
	statement_text(&q, 1, bytes_text(name));
	for (bool row;; before = ",") {
		TRY(statement_row(&q, &row));
		if (!row)
			break;
		buf_put_text(out, before);
		buf_put(out, statement_column(&q, 0));
	}
	/* Without any key the list was not begun. */
	buf_put_text(out, *before == ',' ? "]}" : "{\"keys\":[]}");
	return buf_check(out);
}
