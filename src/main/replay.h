/* replay.h - recorded decisions, each decided again under another policy: what would it have
 * refused or allowed? Pure but for memory, which is bounded: decisions that have the same roles,
 * resource, action, outcome and rule are one group.
 *
 * The log tells roles, resource, action and path. It does not tell columns, values of rows, claims,
 * the host, or how roles are granted: where the answer hangs on one of these, it is "cannot tell".
 */
#ifndef MAIN_REPLAY_H
#define MAIN_REPLAY_H

#include "format/json.h"
#include "policy/policy.h"

enum { REPLAY_GROUPS_MAX = 20000 };

enum replay_change {
	REPLAY_REFUSED,  /* it went through, and would be refused */
	REPLAY_ALLOWED,  /* it was refused, and would go through */
	REPLAY_OBSERVED, /* it would be denied, but its route only observes */
	REPLAY_UNSURE,   /* the log does not tell enough */
	REPLAY_SAME,     /* not grouped */
	REPLAY_CHANGE_COUNT,
};

/* All text in the memory of the replay. */
struct replay_group {
	enum replay_change change;
	struct bytes roles; /* names with spaces between */
	struct bytes resource, action;
	const char *then; /* "allowed", "denied", "observed": denied, and let through */
	struct bytes rule_then, rule_now;
	const char *why; /* UNSURE: what the log does not tell; else "" */
	uint64_t count;
	int64_t first_ms, last_ms;
};

struct replay {
	const struct settings *settings; /* borrowed: of the policy that decides now */
	const struct policy *policy;     /* in `arena`; compiled without data */
	struct arena arena;              /* owned */
	struct arena scratch;            /* owned: one record */
	struct replay_group *groups;     /* in the order of their first record */
	size_t group_count;
	uint32_t *slots; /* hash table of group numbers + 1 */
	uint8_t key[16];
	uint64_t counts[REPLAY_CHANGE_COUNT];
	uint64_t undecided;   /* records that no rule decided: logins, malformed requests, ... */
	uint64_t left_out;    /* changes that no group had room for; they are in `counts` */
	uint64_t conditional; /* allowed then and now, but some rows or columns may differ */
	int64_t first_ms, last_ms; /* of the decisions */
};

struct err replay_new(const struct settings *settings, struct replay *ret,
                      struct config_errors *errors);
void replay_done(struct replay *r); /* takes a zeroed one */
/* One record of the log. */
void replay_take(struct replay *r, const struct json *record);

/* "refused", "allowed", ... */
const char *replay_change_name(enum replay_change change);

#endif
