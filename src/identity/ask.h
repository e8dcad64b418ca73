/* ask.h - what a worker asks of keeper, and the answers: messages of src/io/channel.h.
 *
 * Keeper holds every secret: passwords, client secrets, codes, refresh tokens, sessions, signing
 * keys. A worker passes on what a caller sent, field by field, and learns only the outcome. */
#ifndef IDENTITY_ASK_H
#define IDENTITY_ASK_H

#include "base/buf.h"

enum keeper_message {
	KEEPER_SHARED_KEYS = 1, /* keeper -> worker, first: keys that all share */
	KEEPER_JWKS, /* keeper -> worker: id = index of the local issuer, body = key set; again when
	              * it changes */
	KEEPER_ASSERTION_JWKS, /* keeper -> worker: the public keys of our assertions; shown to
	                        * services with the others, but no token is verified with them */
	KEEPER_REVOKED, /* keeper -> worker: struct revocation. All that still matter, first; then
	                 * each new one */
	KEEPER_ASK,     /* worker -> keeper: struct ask */
	KEEPER_ANSWER,  /* keeper -> worker: struct answer, id of the question */
};

enum {
	SHARED_KEY_LEN = 32,
	ASK_TEXT_MAX = 16384,
	/* DATA of ASK_ASSERTION: a service reads the assertion in a header field, for which many
	 * have 8 KiB. */
	ASK_ASSERTION_MAX = 4096,
};

struct shared_keys {
	struct bytes cursor, fingerprint, ticket; /* SHARED_KEY_LEN each; ticket: TLS sessions */
};
void shared_keys_put(struct buf *out, const struct shared_keys *k);
struct err shared_keys_read(struct bytes message, struct shared_keys *ret);

enum ask_kind {
	/* Grants of /token (RFC 6749, 7636, 8693, 7523) */
	ASK_PASSWORD, /* USER, PASSWORD, [SCOPE, RESOURCE, client] */
	ASK_REFRESH,  /* REFRESH_TOKEN, [SCOPE, client] */
	ASK_CLIENT,   /* client_credentials: client, [SCOPE, RESOURCE] */
	ASK_CODE,     /* CODE, REDIRECT_URI, VERIFIER, client */
	ASK_EXCHANGE, /* SUBJECT_TOKEN, [ACTOR_TOKEN, SCOPE, RESOURCE], client */
	/* /authorize */
	ASK_AUTHORIZE, /* CLIENT_ID, REDIRECT_URI: is there such a client with exactly this one?
	                * -> CLIENT_NAME */
	ASK_LOGIN,     /* the login page was sent: USER, PASSWORD, CLIENT_ID, REDIRECT_URI,
	                * CHALLENGE, [SCOPE, RESOURCE, NONCE] -> CODE */
	/* /revoke, /introspect (RFC 7009, 7662) */
	ASK_REVOKE,     /* TOKEN, client */
	ASK_INTROSPECT, /* TOKEN, client -> CLAIMS */
	/* DPoP (RFC 9449 section 11.1) */
	ASK_PROOF, /* PROOF_ID: seen before? -> granted: no */
	/* Browser sessions */
	ASK_SESSION_BEGIN, /* DATA (JSON: issuer, claims), LIFE (decimal seconds) -> SECRET, for the
	                    * cookie */
	ASK_SESSION_FIND,  /* SECRET -> DATA, expires_in_s */
	ASK_SESSION_END,   /* SECRET */
	/* What a service is told of a caller */
	ASK_ASSERTION, /* DATA (JSON object: aud, sub, roles, ...), LIFE -> ACCESS_TOKEN, an ES256
	                * JWT of type gatewarden-assertion+jwt with our iss, iat, nbf, exp and jti
	                */
	ASK_SESSION_LOGIN, /* a local user for a session: USER, PASSWORD -> CLAIMS as an access
	                    * token would carry them */
	ASK_KIND_COUNT,
};

enum ask_field {
	ASK_USER,
	ASK_PASSWORD_TEXT,
	ASK_REFRESH_TOKEN,
	ASK_CLIENT_ID, /* who the client says it is: field or Basic */
	ASK_CLIENT_SECRET,
	ASK_CLIENT_ASSERTION, /* private_key_jwt (RFC 7523 section 2.2) */
	ASK_CODE_TEXT,
	ASK_REDIRECT_URI,
	ASK_VERIFIER,
	ASK_CHALLENGE,
	ASK_SCOPE,
	ASK_RESOURCE, /* RFC 8707; also `audience` of RFC 8693 */
	ASK_NONCE,
	ASK_SUBJECT_TOKEN,
	ASK_ACTOR_TOKEN,
	ASK_TOKEN,
	ASK_PROOF_ID, /* 32 bytes */
	ASK_KEY,      /* RFC 7638 thumbprint of a DPoP proof's key, proven by the worker: `cnf` of
	               * the tokens given */
	ASK_CERTIFICATE, /* base64url SHA-256 of the client's certificate, proven by the listener */
	ASK_SECRET,
	ASK_DATA,
	ASK_LIFE,
	ASK_ADDRESS, /* of the caller, for the throttle */
	ASK_FIELD_COUNT,
};

/* All borrowed. Fields that do not apply are empty. */
struct ask {
	enum ask_kind kind;
	struct bytes fields[ASK_FIELD_COUNT];
};
void ask_put(struct buf *out, const struct ask *a);
struct err ask_read(struct bytes message, struct ask *ret);

enum answer_result {
	ANSWER_GRANTED,
	ANSWER_REFUSED, /* `error` says how RFC 6749 section 5.2 names it */
	ANSWER_WAIT,    /* too many failures, or the hashing queue is full: see wait_s */
	ANSWER_FAILED,  /* the state store does not answer */
	ANSWER_RESULT_COUNT,
};
enum oauth_error {
	OAUTH_NONE,
	OAUTH_INVALID_REQUEST,
	OAUTH_INVALID_CLIENT,
	OAUTH_INVALID_GRANT,
	OAUTH_UNAUTHORIZED_CLIENT,
	OAUTH_UNSUPPORTED_GRANT_TYPE,
	OAUTH_INVALID_SCOPE,
	OAUTH_INVALID_TARGET, /* RFC 8707 */
	OAUTH_ACCESS_DENIED,
	OAUTH_ERROR_COUNT,
};
const char *oauth_error_name(enum oauth_error e); /* "invalid_request", … */

enum answer_field {
	ANSWER_ACCESS_TOKEN,
	ANSWER_REFRESH_TOKEN,
	ANSWER_ID_TOKEN,
	ANSWER_TOKEN_TYPE, /* "bearer" or "DPoP" */
	ANSWER_SCOPE,
	ANSWER_CODE,
	ANSWER_CLIENT_NAME,
	ANSWER_SUBJECT, /* for the audit record: of a known user or client */
	ANSWER_NAME,
	ANSWER_AGENT,  /* token exchange: who acts */
	ANSWER_REASON, /* for the audit record: why it was refused */
	ANSWER_DETAIL, /* for the caller; empty: the error's own text */
	ANSWER_CLAIMS, /* JSON object */
	ANSWER_SECRET,
	ANSWER_DATA,
	ANSWER_FIELD_COUNT,
};
struct answer {
	enum answer_result result;
	enum oauth_error error;
	uint32_t wait_s; /* WAIT, FAILED: for Retry-After */
	uint32_t expires_in_s;
	struct bytes fields[ANSWER_FIELD_COUNT]; /* borrowed */
};
void answer_put(struct buf *out, const struct answer *a);
struct err answer_read(struct bytes message, struct answer *ret);

/* What must not be accepted any more, although its signature is good and its time has not come. */
enum revocation_kind {
	REVOKED_TOKEN,   /* value = jti */
	REVOKED_SESSION, /* value = sid: every token of one login */
	REVOKED_SUBJECT, /* value = sub; tokens of generation (claim `gen`) below `before`, of other
	                  * issuers: issued (`iat`) before that second */
	REVOKED_COOKIE,  /* value = SHA-256 of a browser session's secret */
	REVOCATION_KIND_COUNT,
};
struct revocation {
	enum revocation_kind kind;
	struct bytes issuer; /* name in the configuration; empty for REVOKED_COOKIE */
	struct bytes value;
	int64_t before;
	int64_t until_s; /* wall clock: by then everything it names has expired */
};
void revocation_put(struct buf *out, const struct revocation *r);
struct err revocation_read(struct bytes message, struct revocation *ret);

#endif
