/* refusal.c - see refusal.h. */
#include "issuer/refusal.h"

#include "base/macros.h"

static const char refresh_text[] = "the refresh token is not valid";
static const char client_text[] = "the client is not known, or has not proven who it is";
static const char code_text[] = "the code is not valid";
static const char subject_text[] = "the subject token is not valid";

static const struct row {
	enum oauth_error error;
	const char *why;    /* for the caller */
	const char *reason; /* for the record; NULL: the same */
} rows[REFUSAL_COUNT] = {
	[REFUSED] = { OAUTH_INVALID_GRANT, "the user name or the password is wrong", NULL },
	[REFRESH_UNKNOWN] = { OAUTH_INVALID_GRANT, refresh_text, "unknown, expired or revoked" },
	[REFRESH_REUSED] = { OAUTH_INVALID_GRANT, refresh_text,
	                     "used again: the family is revoked" },
	[REFRESH_DISABLED] = { OAUTH_INVALID_GRANT, refresh_text, "the user is disabled" },
	[REFRESH_CLIENT] = { OAUTH_INVALID_GRANT, refresh_text, "of another client" },
	[REFRESH_KEY] = { OAUTH_INVALID_GRANT, refresh_text, "bound to a key that is not proven" },
	[CLIENT_UNKNOWN] = { OAUTH_INVALID_CLIENT, client_text, "unknown client" },
	[CLIENT_DISABLED] = { OAUTH_INVALID_CLIENT, client_text, "the client is disabled" },
	[CLIENT_UNPROVEN] = { OAUTH_INVALID_CLIENT, client_text,
	                      "wrong or missing secret of the client" },
	[CLIENT_ASSERTION] = { OAUTH_INVALID_CLIENT, client_text,
	                       "the client's assertion is not valid" },
	[CLIENT_ASSERTION_USED] = { OAUTH_INVALID_CLIENT, client_text,
	                            "the client's assertion was used before" },
	[CLIENT_PROOFS] = { OAUTH_INVALID_REQUEST,
	                    "a client authenticates in one way (RFC 6749 section 2.3)", NULL },
	[CLIENT_GRANT] = { OAUTH_UNAUTHORIZED_CLIENT, "the client may not use this grant", NULL },
	[CLIENT_KEY] = { OAUTH_INVALID_REQUEST, "the client must show a DPoP proof", NULL },
	[CLIENT_REDIRECT] = { OAUTH_INVALID_REQUEST,
	                      "redirect_uri is none of those the client is registered with", NULL },
	[CODE_CHALLENGE] = { OAUTH_INVALID_REQUEST,
	                     "code_challenge must be there, of method S256 (RFC 7636)", NULL },
	[CODE_UNKNOWN] = { OAUTH_INVALID_GRANT, code_text, "unknown code" },
	[CODE_EXPIRED] = { OAUTH_INVALID_GRANT, code_text, "the code has expired" },
	[CODE_REUSED] = { OAUTH_INVALID_GRANT, code_text,
	                  "the code was used again: its login is revoked" },
	[CODE_CLIENT] = { OAUTH_INVALID_GRANT, code_text, "code of another client" },
	[CODE_REDIRECT] = { OAUTH_INVALID_GRANT, code_text, "another redirect_uri" },
	[CODE_VERIFIER] = { OAUTH_INVALID_GRANT, code_text, "wrong code_verifier" },
	[CODE_USER] = { OAUTH_INVALID_GRANT, code_text, "the user has changed since" },
	[SCOPE_NONE] = { OAUTH_INVALID_SCOPE, "none of the scopes asked for can be granted", NULL },
	[SCOPE_BEYOND] = { OAUTH_INVALID_SCOPE, "a scope goes beyond what was granted before",
	                   NULL },
	[TARGET_UNKNOWN] = { OAUTH_INVALID_TARGET, "there is no such resource here", NULL },
	[TARGET_BEYOND] = { OAUTH_INVALID_TARGET, "what was granted before is for another resource",
	                    NULL },
	[SUBJECT_TOKEN] = { OAUTH_INVALID_REQUEST, subject_text,
	                    "the subject token is none of ours, or has expired" },
	[SUBJECT_REVOKED] = { OAUTH_INVALID_REQUEST, subject_text, "the subject token is revoked" },
	[SUBJECT_UNPROVEN] = { OAUTH_INVALID_REQUEST,
	                       "the subject token is bound to a key that is not proven", NULL },
	[SUBJECT_CHAIN] = { OAUTH_INVALID_REQUEST, "too many act for the subject already", NULL },
	[ACTOR_TOKEN] = { OAUTH_INVALID_REQUEST, "the actor token is not the client's own", NULL },
	[TOKEN_CLIENT] = { OAUTH_UNAUTHORIZED_CLIENT, "the token was given to another client",
	                   NULL },
};

struct err
refuse(enum refusal r)
{
	struct err e = fail(ERR_IDENTITY, rows[r].why);

	e.code = r;
	return e;
}

static const struct row *
row_of(struct err e)
{
	return e.kind == ERR_IDENTITY && e.code < REFUSAL_COUNT ? &rows[e.code] : NULL;
}

enum oauth_error
refusal_error(struct err e)
{
	const struct row *row = row_of(e);

	if (row != NULL)
		return row->error;
	return e.kind == ERR_PEER || e.kind == ERR_INVALID ? OAUTH_INVALID_REQUEST : OAUTH_NONE;
}

const char *
refusal_reason(struct err e)
{
	const struct row *row = row_of(e);

	return row != NULL && row->reason != NULL ? row->reason : e.why;
}
