/* issuer.h - our own issuer: users, passwords, signing keys, refresh tokens. Lives in keeper; the
 * `gatewarden user` command uses the user part directly on the same state store.
 *
 * No loop, no sockets: every call returns at once but password_compute(), which keeper runs on its
 * hashing pool. */
#ifndef ISSUER_ISSUER_H
#define ISSUER_ISSUER_H

#include "config/config.h"
#include "jose/sign.h"

struct issuer_store; /* the SQLite state store: schema, migrations, users, families, keys */

/* Opens or creates `state_path`/state.db (mode 0600, directory 0700). WAL, synchronous=FULL. */
struct err issuer_store_open(const char *state_path, struct issuer_store **ret);
void issuer_store_close(struct issuer_store *s);

/* Users */

enum { USER_NAME_MAX = 128, PASSWORD_MAX = 1024, PASSWORD_MIN = 12 };
struct user {
	struct bytes name;    /* in the arena */
	struct bytes subject; /* stable uuid: a name given again is another subject */
	struct bytes hash;    /* PHC string */
	struct bytes roles;   /* space separated */
	bool is_disabled;
};
struct err user_add(struct issuer_store *s, struct bytes name, struct bytes roles, struct bytes phc);
struct err user_find(struct issuer_store *s, struct bytes name, struct arena *arena, struct user *ret); /* ERR_NOT_FOUND */
struct err user_set_password(struct issuer_store *s, struct bytes name, struct bytes phc); /* revokes all families */
struct err user_set_disabled(struct issuer_store *s, struct bytes name, bool disabled);    /* revokes all families */
typedef void user_list_fn(void *of, const struct user *u);
struct err user_list(struct issuer_store *s, user_list_fn *each, void *of);

/* Passwords (argon2, RFC 9106; PHC strings) */

/* 64 MiB, t=3, p=4, 16-byte salt, 32-byte tag. */
struct err password_hash(struct bytes password, struct buf *ret_phc);
/* ERR_IDENTITY when wrong; ERR_CONFIG when the string's parameters are out of bounds (at most 256 MiB,
 * t 10, p 16; argon2i, d and id, v=16 and 19). *ret_rehash: weaker than ours. */
struct err password_verify(struct bytes phc, struct bytes password, bool *ret_rehash);
/* The same time as a wrong password: for users that do not exist. */
void password_verify_dummy(struct bytes password);

/* Login throttle: growing delay per user and per address; fixed-size tables */

struct throttle;
struct err throttle_new(struct throttle **ret);
void throttle_free(struct throttle *t);
/* Seconds to wait before another try is looked at, 0 = go on. */
unsigned throttle_wait_s(struct throttle *t, struct bytes user, struct bytes address, uint64_t now_us);
void throttle_failed(struct throttle *t, struct bytes user, struct bytes address, uint64_t now_us);
void throttle_succeeded(struct throttle *t, struct bytes user, struct bytes address);

/* Keys and tokens */

struct issuer; /* one `local` issuer: settings + store + current keys */

struct err issuer_open(const struct settings *settings, unsigned index, struct issuer_store *store, int64_t now_s,
                       struct issuer **ret);
void issuer_close(struct issuer *i);
/* Makes, activates, retires keys as time passes; *ret_changed says the public set is new. A new key is
 * published one rotation overlap before it signs; an old one stays until its last token has expired. */
struct err issuer_rotate(struct issuer *i, int64_t now_s, bool *ret_changed);
void issuer_put_jwks(const struct issuer *i, struct buf *out);

struct issued {
	struct buf access_token;  /* owned; wipe */
	struct buf refresh_token; /* owned; wipe. 256 random bits, base64url; only its SHA-256 is stored */
	unsigned expires_in_s;
	struct buf subject;       /* owned: for the audit record */
};
void issued_done(struct issued *t);
/* After the password was verified. Starts a refresh family. Access token: RFC 9068 (iss, sub, aud, exp,
 * iat, nbf, jti, client_id, auth_time, roles). */
struct err issuer_grant(struct issuer *i, const struct user *u, struct bytes client_id, int64_t now_s,
                        struct issued *ret);
/* Rotates. ERR_IDENTITY: unknown, expired, revoked, user disabled; a token used twice revokes its whole
 * family, except that within 10 s of its first use, from a lost answer, it gets the same successor. */
struct err issuer_refresh(struct issuer *i, struct bytes refresh_token, struct bytes client_id, int64_t now_s,
                          struct issued *ret);

/* Keys that all workers share, made at first start: cursor signing and fingerprint HMAC. 32 bytes each. */
struct err issuer_store_shared_key(struct issuer_store *s, const char *name, struct secret *ret);

#endif
