/* review.h - what roles reach, by the configuration alone: for the review of access. No data is
 * looked at, so that a review needs no database; what that leaves open is said below. */
#ifndef POLICY_REVIEW_H
#define POLICY_REVIEW_H

#include "config/settings.h"

/* What one role gives on one resource or route to somebody who holds it. Bit n of a set is enum
 * action n, or, of a route, enum http_method n. */
struct reach {
	bool is_route;
	unsigned resource, role; /* indices in the settings; of a route: in the routes */
	unsigned actions;        /* not empty */
	unsigned some_rows;      /* of these: only rows where a condition holds */
	unsigned some_columns;   /* of these: not every column */
};

/* For somebody who holds all of `roles` (bit n = role n) at once: a deny rule of any of them takes
 * from all. In the order of the settings. The same as policy_decide() for requests that name no
 * column, but for a rule that names no columns where deny rules hide every one that the table has:
 * that counts as reach here. */
typedef void reach_fn(void *of, const struct reach *r);
void policy_review(const struct settings *s, uint64_t roles, reach_fn *each, void *of);

#endif
