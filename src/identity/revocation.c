/* revocation.c - see revocation.h. Open addressing, never more than half full; what has ended is
 * left out when the table is made anew. */
#include "identity/revocation.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/random.h"
#include "jose/jwt.h"

enum { SLOTS_FIRST = 256, EVERYTHING = REVOCATION_KIND_COUNT };

struct slot {
	uint64_t hash; /* 0: empty */
	int64_t before;
	int64_t until_s;
};

struct revocations {
	uint8_t key[16];      /* of the hashes: nobody outside can make two names meet */
	size_t count;         /* slots in use */
	size_t room;          /* slots, a power of two; 0: none yet */
	struct slot *slots;   /* owned */
	struct slot all;      /* of every issuer, where not even EVERYTHING of one found memory */
	int64_t full_until_s; /* none of a full table ends before: no need to count again */
};

struct err
revocations_new(struct revocations **ret)
{
	struct revocations *s = calloc(1, sizeof *s);

	if (s == NULL)
		return fail(ERR_SYSTEM, "out of memory for revocations");
	random_fill(s->key, sizeof s->key);
	*ret = s;
	return OK;
}

void
revocations_free(struct revocations *s)
{
	if (s == NULL)
		return;
	free(s->slots);
	free(s);
}

/* Never 0, which is an empty slot. */
static uint64_t
hash_of(const struct revocations *s, unsigned kind, struct bytes issuer, struct bytes value)
{
	const uint64_t parts[] = { kind, bytes_hash(issuer, s->key), bytes_hash(value, s->key) };
	uint64_t hash = bytes_hash((struct bytes){ (const uint8_t *)parts, sizeof parts }, s->key);

	return hash == 0 ? 1 : hash;
}

/* The slot of that hash, or the empty one where it would stand. The table has room. */
static struct slot *
slot_of(struct slot *slots, size_t room, uint64_t hash)
{
	for (size_t i = (size_t)hash;; i++) {
		struct slot *at = &slots[i & (room - 1)];

		if (at->hash == hash || at->hash == 0)
			return at;
	}
}

static bool
is_live(const struct slot *at, int64_t now_s)
{
	return at->hash != 0 && at->until_s > now_s;
}

static size_t
count_live(const struct revocations *s, int64_t now_s)
{
	size_t live = 0;

	for (size_t i = 0; i < s->room; i++)
		live += is_live(&s->slots[i], now_s);
	return live;
}

/* Counted once until something ends: with a full table each further one would cost a walk through
 * all of it, and who starts behind a flood of them would not be ready for minutes. */
static bool
is_full(struct revocations *s, size_t max, int64_t now_s)
{
	if (s->count < max)
		return false;
	if (now_s < s->full_until_s)
		return true;
	if (count_live(s, now_s) < max)
		return false;
	s->full_until_s = INT64_MAX;
	for (size_t i = 0; i < s->room; i++)
		if (is_live(&s->slots[i], now_s) && s->slots[i].until_s < s->full_until_s)
			s->full_until_s = s->slots[i].until_s;
	return true;
}

/* Anew, without what has ended, with room for one more. False without memory. */
static bool
make_room(struct revocations *s, int64_t now_s)
{
	size_t live, room = SLOTS_FIRST;

	if (2 * (s->count + 1) <= s->room)
		return true;
	for (live = count_live(s, now_s); room < 4 * (live + 1);)
		room *= 2;

	struct slot *slots = calloc(room, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < s->room; i++)
		if (is_live(&s->slots[i], now_s))
			*slot_of(slots, room, s->slots[i].hash) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->room = room;
	s->count = live;
	return true;
}

/* Two revocations of one name are the wider of both. */
static void
widen(struct slot *at, const struct slot *with)
{
	at->hash = with->hash;
	if (with->before > at->before)
		at->before = with->before;
	if (with->until_s > at->until_s)
		at->until_s = with->until_s;
}

static bool
put(struct revocations *s, const struct slot *with, size_t max, int64_t now_s)
{
	struct slot *at = s->room == 0 ? NULL : slot_of(s->slots, s->room, with->hash);

	if (at == NULL || at->hash == 0) {
		if (is_full(s, max, now_s))
			return false;
		if (!make_room(s, now_s))
			return false;
		at = slot_of(s->slots, s->room, with->hash);
		s->count++;
	}
	widen(at, with);
	return true;
}

void
revocations_add(struct revocations *s, const struct revocation *r, int64_t now_s)
{
	struct slot with = { hash_of(s, r->kind, r->issuer, r->value),
		             r->kind == REVOKED_SUBJECT ? r->before : INT64_MAX, r->until_s };

	if (r->kind == REVOKED_COOKIE || r->until_s <= now_s ||
	    put(s, &with, REVOCATIONS_MAX, now_s))
		return;
	with.hash = hash_of(s, EVERYTHING, r->issuer, (struct bytes){ 0 });
	with.before = now_s + 1; /* all of this second: order within it is not known */
	if (!put(s, &with, 2 * (size_t)REVOCATIONS_MAX, now_s))
		widen(&s->all, &with);
}

static uint64_t
hash_of_claim(const struct revocations *s, unsigned kind, const char *issuer,
              const struct json *claims, const char *name)
{
	struct bytes text;

	return json_string(json_member(claims, name), &text)
	               ? hash_of(s, kind, bytes_text(issuer), text)
	               : 0;
}

struct revocable
revocable_of(const struct revocations *s, const char *issuer, bool is_local,
             const struct json *claims)
{
	struct revocable r = {
		.token = hash_of_claim(s, REVOKED_TOKEN, issuer, claims, "jti"),
		.session = hash_of_claim(s, REVOKED_SESSION, issuer, claims, "sid"),
		.subject = hash_of_claim(s, REVOKED_SUBJECT, issuer, claims, "sub"),
		.issuer = hash_of(s, EVERYTHING, bytes_text(issuer), (struct bytes){ 0 }),
		.issued_s = INT64_MIN,
		.order = INT64_MIN,
	};

	(void)jwt_date(claims, "iat", &r.issued_s); /* without: older than any revocation */
	if (!is_local)
		r.order = r.issued_s;
	else
		(void)json_int64(json_member(claims, "gen"), &r.order); /* likewise */
	return r;
}

static bool
has(const struct revocations *s, uint64_t hash, int64_t order, int64_t now_s)
{
	const struct slot *at;

	if (hash == 0)
		return false;
	at = slot_of(s->slots, s->room, hash);
	return at->hash != 0 && now_s < at->until_s && order < at->before;
}

bool
revocations_have(const struct revocations *s, const struct revocable *r, int64_t now_s)
{
	if (s->all.hash != 0 && now_s < s->all.until_s && r->issued_s < s->all.before)
		return true;
	if (s->count == 0)
		return false;
	return has(s, r->token, 0, now_s) || has(s, r->session, 0, now_s) ||
	       has(s, r->subject, r->order, now_s) || has(s, r->issuer, r->issued_s, now_s);
}
