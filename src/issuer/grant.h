/* grant.h - what the grants of /token have in common: who asks, and what is given. One file each:
 * login.c (a password), refresh.c, code.c, account.c (client_credentials), exchange.c. */
#ifndef ISSUER_GRANT_H
#define ISSUER_GRANT_H

#include "issuer/authenticate.h"

struct grant {
	struct issuer *issuer;
	const struct ask *ask;
	int64_t now_s;
	struct arena arena;
	struct caller caller;
	struct reply *reply;
};
void grant_done(struct grant *g);
static inline struct bytes
grant_field(const struct grant *g, enum ask_field f)
{
	return g->ask->fields[f];
}
/* Whom the answer or refusal is about, for the audit record. */
void grant_tell(struct grant *g, struct bytes subject, struct bytes name);
/* authenticate(); a client that must show a key has shown one. */
struct err grant_authenticate(struct grant *g);
/* A registered client that may use `grant`. */
struct err grant_allows(const struct grant *g, enum client_grant grant);
/* Bound to what was proven: `key` and `certificate` of the tokens. */
void grant_bind(const struct grant *g, struct access *a);
/* Fills the reply: an access token and, where it is not empty, this refresh token; an ID token when
 * the scope has openid and somebody logged in. `scope`: as asked for. */
struct err grant_issue(struct grant *g, const struct access *a, struct bytes scope,
                       struct bytes refresh_token);

/* login.c: after the password was verified; PASSWORD, LOGIN and SESSION_LOGIN. */
struct err login_prepare(struct grant *g);
struct err login_finish(struct grant *g, const struct user *u);
/* The other kinds. */
struct err refresh_grant(struct grant *g);
struct err code_grant(struct grant *g);
struct err account_grant(struct grant *g);
struct err exchange_grant(struct grant *g);
/* code.c: is there such a client with this redirect_uri? */
struct err code_authorize(struct grant *g);
/* code.c: a code for `a` in the caller's transaction; user: its row. */
struct err code_issue(struct grant *g, const struct access *a, int64_t user);
/* held.c */
struct err revoke_held(struct grant *g);
struct err introspect_held(struct grant *g);

/* refresh.c: begins a family for `a` (auth_s, sid, client_id, binding, resource) in the caller's
 * transaction; its first token, text, is appended to *ret. None where they live 0 s. */
struct err family_begin(struct grant *g, const struct access *a, struct bytes scope, int64_t user,
                        struct buf *ret);
/* A refresh token that would be taken now, or was before (`is_current` false). The statement keeps
 * the text. */
struct held_family {
	struct bytes subject, name, client_id, scope, sid, resource;
	int64_t auth_s, idle_s;
	bool is_current;
};
struct err family_held(const struct issuer *i, struct bytes text, int64_t now_s,
                       struct statement *q, struct held_family *ret, bool *ret_found);

#endif
