/* revoke.h - the rows of revocation.h as the files of this folder write them. All inside the
 * caller's transaction. */
#ifndef ISSUER_REVOKE_H
#define ISSUER_REVOKE_H

#include "issuer/revocation.h"
#include "issuer/store.h"

enum { FAMILY_GRACE_S = 10 }; /* a used refresh token still gives access tokens: refresh.c */

/* When the last token that can be out now has expired everywhere. */
int64_t revocation_until_s(int64_t now_s);
struct err revocation_add(struct issuer_store *s, const struct revocation *r);
/* Do the rows of single tokens and logins take up their share of what a worker keeps? Whoever has
 * one login can make tokens, and give them back, as fast as we sign; when workers have no room left
 * they refuse everybody's (identity/revocation.h). From here on it is to be revoke_own_subject().
 */
struct err revocation_is_crowded(struct issuer_store *s, bool *ret);
/* All of a user or client of ours, and a new generation: one row, however often it is done.
 * ERR_NOT_FOUND. */
struct err revoke_own_subject(struct issuer_store *s, struct bytes subject);
/* Is there such a row? */
struct err revocation_has(struct issuer_store *s, enum revocation_kind kind, const char *issuer,
                          struct bytes value, bool *ret);
/* A user or client of ours: all below `generation`, and its browser sessions. */
struct err revoke_generation(struct issuer_store *s, struct bytes subject, int64_t generation);
/* One login: its tokens, refresh family and browser session. */
struct err revoke_login(struct issuer_store *s, const char *issuer, struct bytes sid,
                        int64_t now_s);
/* All that was given to a client: its families, and what it exchanged. */
struct err revoke_client(struct issuer_store *s, struct bytes client_id, int64_t now_s);

#endif
