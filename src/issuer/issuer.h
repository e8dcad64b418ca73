/* issuer.h - our own issuer: users, passwords, signing keys, tokens. Lives in keeper; the commands
 * `gatewarden user`, `client` and `revoke` work directly on the same state store, with this header,
 * client.h and revocation.h.
 *
 * No loop, no sockets: every call returns at once but those that hash a password, which keeper runs
 * on its hashing pool (they touch no store). */
#ifndef ISSUER_ISSUER_H
#define ISSUER_ISSUER_H

#include "config/config.h"
#include "identity/ask.h"
#include "jose/sign.h"

struct issuer_store; /* the SQLite state store: schema, migrations, users, families, keys */

/* Opens or creates `state_path`/state.db (mode 0600, directory 0700). WAL, synchronous=FULL.
 * Several processes may have it open; each waits up to 2 s for another's write. ERR_CONFIG: the
 * directory cannot be made or written, others may write to it or read the file, the file is
 * damaged, another program's or of a newer version. Later calls: ERR_UPSTREAM while it is busy, the
 * disk full or failing. */
struct err issuer_store_open(const char *state_path, struct issuer_store **ret);
/* For the token doctor: reads only, creates nothing. ERR_CONFIG also when there is no store yet. */
struct err issuer_store_open_readonly(const char *state_path, struct issuer_store **ret);
void issuer_store_close(struct issuer_store *s);

/* Users */

enum { USER_NAME_MAX = 128, PASSWORD_MAX = 1024, PASSWORD_MIN = 12 };
struct user {
	struct bytes name;    /* in the arena */
	struct bytes subject; /* stable uuid: a name given again is another subject */
	struct bytes hash;    /* PHC string */
	struct bytes roles;   /* space separated */
	bool is_disabled;
	int64_t created_s;  /* since 1970 */
	int64_t generation; /* from 1; grows with each change: what was given before is refused */
};
/* Names: 1 to USER_NAME_MAX bytes of UTF-8 without control characters, compared byte for byte.
 * Which roles make sense is the caller's to check. ERR_INVALID: name, roles or PHC string;
 * ERR_CONFLICT: the name is taken. */
struct err user_add(struct issuer_store *s, struct bytes name, struct bytes roles,
                    struct bytes phc);
/* ERR_NOT_FOUND where there is no such user; so do the next two. */
struct err user_find(struct issuer_store *s, struct bytes name, struct arena *arena,
                     struct user *ret);
/* These three take effect on every worker within a second (revocation.h), and are events for the
 * audit log (event.h). The first two end all refresh families of the user; a refresh after the
 * third gives the new roles. */
struct err user_set_password(struct issuer_store *s, struct bytes name, struct bytes phc);
struct err user_set_disabled(struct issuer_store *s, struct bytes name, bool disabled);
struct err user_set_roles(struct issuer_store *s, struct bytes name, struct bytes roles);
/* The same password, hashed anew after user_check_password() asked for it: revokes nothing, and
 * does nothing when the stored hash is no longer `u`'s. */
struct err user_rehash(struct issuer_store *s, const struct user *u, struct bytes phc);
typedef void user_list_fn(void *of, const struct user *u);
struct err user_list(struct issuer_store *s, user_list_fn *each, void *of);

/* Passwords (argon2, RFC 9106; PHC strings) */

/* May a user choose it? At least PASSWORD_MIN characters of UTF-8, at most PASSWORD_MAX bytes, no
 * control characters, not one character (or a short group) over and over, no plain run such as
 * 123456789012. When not, *why (a literal) says what to change. */
bool password_acceptable(struct bytes password, const char **why);
/* 64 MiB, t=3, p=4, 16-byte salt, 32-byte tag. ERR_INVALID: longer than PASSWORD_MAX. ERR_LIMIT: no
 * memory.
 */
struct err password_hash(struct bytes password, struct buf *ret_phc);
/* For logins: `u` is NULL when there is no such user. Unknown, disabled and wrong password cost the
 * same computation and get the same ERR_IDENTITY. So does a user whose hash is none or out of
 * bounds (at most 256 MiB, t 10, p 16; argon2i, d and id, v=16 and 19), which is known before
 * memory is taken. *ret_rehash: the hash is not what password_hash() would make now. Touches no
 * store: made for the hashing pool. */
struct err user_check_password(const struct user *u, struct bytes password, bool *ret_rehash);

/* Login throttle: growing delay per user and per address; fixed-size tables (about 400 KiB).
 *
 * Three failures of a user name are free, ten of an address (many people may share one; IPv6 counts
 * by /64; empty: not known, as behind a proxy, and not counted). Then 1 s, doubled by each failure,
 * 30 s at most: slow for a guesser, and nobody is locked out by a stranger. One failure is
 * forgotten per quiet minute. Names that fail much cannot be pushed out by a flood of others. */

struct throttle;
struct err throttle_new(struct throttle **ret);
void throttle_free(struct throttle *t);
/* Seconds to wait before another try is looked at, 0 = go on. */
unsigned throttle_wait_s(struct throttle *t, struct bytes user, struct bytes address,
                         uint64_t now_us);
void throttle_failed(struct throttle *t, struct bytes user, struct bytes address, uint64_t now_us);
void throttle_succeeded(struct throttle *t, struct bytes user, struct bytes address);

/* Keys and tokens */

struct issuer; /* one `local` issuer: settings + store + current keys */

struct err issuer_open(const struct settings *settings, unsigned index, struct issuer_store *store,
                       int64_t now_s, struct issuer **ret);
void issuer_close(struct issuer *i);
/* Makes, activates, retires keys as time passes; *ret_changed says the public set is new. A new key
 * is published one rotation overlap before it signs; an old one stays until its last token has
 * expired. */
struct err issuer_rotate(struct issuer *i, int64_t now_s, bool *ret_changed);
void issuer_put_jwks(const struct issuer *i, struct buf *out);
/* The same from the store alone, without touching a private key: for the token doctor. `name` as
 * configured.
 */
struct err issuer_store_put_jwks(struct issuer_store *s, const char *name, struct buf *out);

/* Answers */

/* What becomes of a question of identity/ask.h. Zeroed before each; always reply_done(), also after
 * an error. */
struct reply {
	enum oauth_error error; /* when refused */
	unsigned expires_in_s;
	struct buf fields[ANSWER_FIELD_COUNT]; /* owned; wiped. SUBJECT and NAME also when refused,
	                                        * where it is known whom it is about: for the audit
	                                        * record, as REASON; DETAIL is for the caller */
};
void reply_done(struct reply *r);

enum { FAMILIES_PER_USER_MAX = 64, CLIENT_ID_MAX = 256 };
/* Every question about tokens, clients and codes. Those with a password (ASK_PASSWORD, ASK_LOGIN,
 * ASK_SESSION_LOGIN) get OK here when all else is right: then the password is looked at, and
 * issuer_login() answers. ERR_IDENTITY: refused; .code is an enum refusal (refusal.h, where the
 * table of all of them is). ERR_PEER: malformed.
 *
 * Access tokens: RFC 9068 and jti, sid (the login), gen (struct user), scope = the roles given, cnf
 * where ASK_KEY or ASK_CERTIFICATE was; preferred_username is for people. A login starts a refresh
 * family; of more than FAMILIES_PER_USER_MAX the oldest ends. A refresh token used twice revokes
 * its login, except that within 10 s of its first use, from a lost answer, it gets the same
 * successor: refresh.c. A code used twice: code.c. Exchanged tokens: exchange.c. */
struct err issuer_answer(struct issuer *i, const struct ask *ask, int64_t now_s, struct reply *ret);
/* After the password of `u` was verified. The user is read again: ERR_IDENTITY when it was disabled
 * or changed meanwhile. */
struct err issuer_login(struct issuer *i, const struct user *u, const struct ask *ask,
                        int64_t now_s, struct reply *ret);
/* ASK_SESSION_… but the login. ERR_NOT_FOUND: no such session. A session's DATA has `issuer` and
 * `claims`, with `sub` and perhaps `sid`, by which it is revoked. */
struct err session_answer(struct issuer_store *s, const struct settings *settings,
                          const struct ask *ask, int64_t now_s, struct reply *ret);

/* Keys that all workers share, made at first start: cursor signing and fingerprint HMAC. 32 bytes
 * each. `name` is 1 to 32 of a-z and _. */
struct err issuer_store_shared_key(struct issuer_store *s, const char *name, struct secret *ret);

#endif
