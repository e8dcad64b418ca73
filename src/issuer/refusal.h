/* refusal.h - every way the authorization server says no, as one table: how RFC 6749 section 5.2
 * names it, what the caller reads, and what the audit record says. Several reasons share one text
 * where the caller must not learn which it was (RFC 9700 section 4.14, CWE-203). */
#ifndef ISSUER_REFUSAL_H
#define ISSUER_REFUSAL_H

#include "identity/ask.h"

/* The .code of an ERR_IDENTITY. */
enum refusal {
	REFUSED = 0, /* the user name or the password */
	REFRESH_UNKNOWN,
	REFRESH_REUSED,
	REFRESH_DISABLED,
	REFRESH_CLIENT,
	REFRESH_KEY,
	CLIENT_UNKNOWN,
	CLIENT_DISABLED,
	CLIENT_UNPROVEN,
	CLIENT_ASSERTION,
	CLIENT_ASSERTION_USED,
	CLIENT_PROOFS,
	CLIENT_GRANT,
	CLIENT_KEY,
	CLIENT_REDIRECT,
	CODE_CHALLENGE,
	CODE_UNKNOWN,
	CODE_EXPIRED,
	CODE_REUSED,
	CODE_CLIENT,
	CODE_REDIRECT,
	CODE_VERIFIER,
	CODE_USER,
	SCOPE_NONE,
	SCOPE_BEYOND,
	TARGET_UNKNOWN,
	TARGET_BEYOND,
	SUBJECT_TOKEN,
	SUBJECT_REVOKED,
	SUBJECT_UNPROVEN,
	SUBJECT_CHAIN,
	ACTOR_TOKEN,
	TOKEN_CLIENT,
	REFUSAL_COUNT,
};

struct err refuse(enum refusal r);
/* Of an error that any function of this folder returned: what to tell, and whom to blame. */
enum oauth_error refusal_error(struct err e);
const char *refusal_reason(struct err e);

#endif
