/* usage.h - who came, with which roles, and which rules let them: gathered from the log, for the
 * review of access. Memory is bounded by USAGE_PRINCIPALS_MAX and USAGE_BYTES_MAX; who does not fit
 * is counted, never forgotten in silence. */
#ifndef AUDIT_USAGE_H
#define AUDIT_USAGE_H

#include "config/settings.h"
#include "format/json.h"

struct usage;

enum { USAGE_PRINCIPALS_MAX = 100000, USAGE_BYTES_MAX = 128 << 20 };

/* All in the memory of `struct usage`. Times are milliseconds since 1970; 0: never. */
struct usage_principal {
	struct bytes issuer, subject, name; /* name: the first seen; may be empty */
	uint64_t roles; /* bit n = role n of the settings: all held since `from_ms`, or, where there
	                 * was nothing since, the last ones */
	int64_t last_ms; /* proven to be who it is: a login that failed does not count */
};

struct usage_totals {
	uint64_t records;
	uint64_t left_out; /* records whose principal did not fit */
	int64_t first_ms, last_ms;
};

/* `settings` must outlive it. `from_ms`: where the days under review begin. */
struct err usage_new(const struct settings *settings, int64_t from_ms, struct usage **ret);
void usage_free(struct usage *u);

/* Makes room for somebody who is known already and may never come. False: it did not fit. */
bool usage_expect(struct usage *u, struct bytes issuer, struct bytes subject);
/* One record of the log, in order. */
void usage_take(struct usage *u, const struct json *record);

size_t usage_count(const struct usage *u);
const struct usage_principal *usage_at(const struct usage *u, size_t index);
/* NULL: not known. */
const struct usage_principal *usage_find(const struct usage *u, struct bytes issuer,
                                         struct bytes subject);
/* When allow rule `rule` of a resource last let somebody through. Of several rules that would, the
 * record names the one without a condition. */
int64_t usage_rule_ms(const struct usage *u, size_t resource, size_t rule);
/* The same of a route, for one method (enum http_method). */
int64_t usage_route_rule_ms(const struct usage *u, size_t route, size_t rule, unsigned method);
/* When somebody of this issuer last came with this role. */
int64_t usage_role_ms(const struct usage *u, size_t issuer, size_t role);
struct usage_totals usage_totals(const struct usage *u);

#endif
