/* diagnosis.h - what was found out about a token, told to people and as JSON: the same facts twice.
 * The token itself is not among them. */
#ifndef MAIN_DIAGNOSIS_H
#define MAIN_DIAGNOSIS_H

#include "identity/issuers.h"
#include "main/advice.h"

enum verdict {
	VERDICT_ACCEPTED,
	VERDICT_REFUSED,  /* a check failed */
	VERDICT_UNPROVEN, /* no check failed, but not all could be made: not accepted */
};

/* All borrowed. */
struct diagnosis {
	enum verdict verdict;
	struct advice about;
	const struct identified *found;
	struct bytes not_looked_at; /* UNPROVEN: what could not be checked, and how it can be */
};

void diagnosis_put_text(const struct diagnosis *d, struct buf *out);
/* {"verdict":"refused","why":…,"reason":"audience","issuer":…,"subject":…,"checks":[…],"roles":[…],
 * "claims":[…],"grants":[…]}. `claims` are those that give roles, with their values, and `grants`
 * what the configuration grants roles for: both also where no role results. `roles` of a token that
 * is not proven are those it would have. */
void diagnosis_put_json(const struct diagnosis *d, struct buf *out);

#endif
