/* login.h - what a worker asks of keeper, and the answers: messages of src/io/channel.h. */
#ifndef IDENTITY_LOGIN_H
#define IDENTITY_LOGIN_H

#include "base/buf.h"

enum keeper_message {
	KEEPER_SHARED_KEYS =
		1,   /* keeper -> worker, first: cursor key, fingerprint key (struct shared_keys) */
	KEEPER_JWKS, /* keeper -> worker: id = issuer index, body = key set; again when it changes
	              */
	KEEPER_LOGIN,   /* worker -> keeper: struct login with a password */
	KEEPER_REFRESH, /* worker -> keeper: struct login with a refresh token */
	KEEPER_ANSWER,  /* keeper -> worker: struct login_answer, id of the question */
};

enum { SHARED_KEY_LEN = 32, LOGIN_TEXT_MAX = 1024 };

struct shared_keys {
	struct bytes cursor, fingerprint; /* SHARED_KEY_LEN each */
};
void shared_keys_put(struct buf *out, const struct shared_keys *k);
struct err shared_keys_read(struct bytes message, struct shared_keys *ret);

/* All borrowed. Fields that do not apply are empty. */
struct login {
	struct bytes user, password;
	struct bytes refresh_token;
	struct bytes client_id, address;
};
void login_put(struct buf *out, const struct login *l);
struct err login_read(struct bytes message, struct login *ret);

enum login_result {
	LOGIN_GRANTED,
	LOGIN_REFUSED, /* wrong, unknown, disabled, expired, used: one answer for all */
	LOGIN_WAIT,    /* too many failures, or the hashing queue is full: see wait_s */
	LOGIN_FAILED,  /* the state store does not answer */
	LOGIN_RESULT_COUNT,
};
struct login_answer {
	enum login_result result;
	uint32_t wait_s; /* LOGIN_WAIT, LOGIN_FAILED: for Retry-After */
	uint32_t expires_in_s;
	struct bytes access_token, refresh_token;
	struct bytes subject, name; /* for the audit record: of a known user */
	struct bytes reason;        /* for the audit record: why it was refused */
};
void login_answer_put(struct buf *out, const struct login_answer *a);
struct err login_answer_read(struct bytes message, struct login_answer *ret);

#endif
