/* oauth_form.h - what a client sends to /token, /revoke and /introspect, as a question for keeper.
 * RFC 6749, 7009, 7523, 7636, 7662, 8693, 8707. Pure: says what is wrong, answers nobody.
 *
 * A parameter without a value counts as left out, an unknown one is ignored, one that stands twice
 * is refused (RFC 6749 section 3.2). */
#ifndef FRONTEND_OAUTH_FORM_H
#define FRONTEND_OAUTH_FORM_H

#include "base/arena.h"
#include "identity/ask.h"

/* One thing a client can ask for. */
struct oauth_grant {
	const char *name;   /* of grant_type; NULL ends the table */
	const char *action; /* in the audit record */
	enum ask_kind kind;
	bool needs_client;        /* that says who it is; keeper checks whether it is */
	uint32_t required, taken; /* bit = enum ask_field; of these, and what names the client, the
	                           * question is made */
	const char *refusal;      /* what invalid_grant means here, for the caller */
};
extern const struct oauth_grant oauth_grants[]; /* of /token */
extern const struct oauth_grant oauth_revocation, oauth_introspection;

/* NULL: unknown. Without grant_type it is the password grant: FastAPI's form may leave it out. */
const struct oauth_grant *oauth_grant_find(struct bytes grant_type);

struct oauth_form {
	struct bytes grant_type;
	struct bytes fields[ASK_FIELD_COUNT]; /* borrow the body and the arena */
	bool has_basic;                       /* the client spoke Basic: so does a refusal */
	struct bytes plain;                   /* of Basic: in the arena, to be wiped */
	const char *parameter;  /* the one at fault, which the error's `why` speaks of; or NULL */
	enum oauth_error error; /* how RFC 6749 names the fault; OAUTH_NONE: as the kind of error
	                         * says */
};

/* `authorization` is the Authorization field; empty: none. Other schemes than Basic say nothing
 * here. ERR_PEER, ERR_IDENTITY. */
struct err oauth_form_read(struct bytes body, struct bytes authorization, struct arena *arena,
                           struct oauth_form *ret);
/* Is everything there that the grant needs? *ret has that, and nothing it does not take. */
struct err oauth_form_ask(struct oauth_form *f, const struct oauth_grant *g, struct ask *ret);
/* Passwords and tokens, where they were decoded. */
void oauth_form_wipe(struct oauth_form *f);

#endif
