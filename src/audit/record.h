/* record.h - one decision, as the worker hands it to the ledger and as the ledger writes it.
 *
 * The worker sends typed fields, never JSON: a worker that has been taken over can lie about its
 * own requests, but cannot forge a line, a sequence number or another worker's record. */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include "base/buf.h"
#include "config/settings.h"
#include "query/fingerprint.h"

/* ACCOUNT: a user or a client, its roles or its secret. `subject`, `name` and `roles` are those of
 * the account, `agent` is who changed it where that is known, and `action` names both: user.add,
 * client.secret (src/issuer/event.h). API also has what concerns no account: key.rotate,
 * token.revoke. */
enum audit_class {
	AUDIT_DATASTORE = 6005,
	AUDIT_API = 6003,
	AUDIT_AUTHENTICATION = 3002,
	AUDIT_ACCOUNT = 3001
};
enum audit_outcome { AUDIT_ALLOWED, AUDIT_DENIED, AUDIT_FAILED };
enum {
	AUDIT_TEXT_MAX = 512,
	AUDIT_ROLE_MAX = 128,
	AUDIT_ROLES_MAX = ROLES_MAX,
	AUDIT_MESSAGE_MAX = 16384
};

/* All text borrowed; longer than AUDIT_TEXT_MAX (a role: AUDIT_ROLE_MAX) is cut when encoded, at
 * the end of a UTF-8 character, so that every record fits in one message. */
struct audit_record {
	struct bytes decision; /* ULID */
	struct bytes trace;    /* W3C trace id, 32 hex digits, or empty */
	enum audit_class class;
	enum audit_outcome outcome;
	struct bytes issuer, subject;
	struct bytes name;  /* of the subject, for people: display and search only */
	struct bytes agent; /* who acts for the subject; empty: nobody */
	const struct bytes *roles;
	size_t role_count;
	struct bytes client; /* address */
	struct bytes resource, action, rule, reason;
	struct bytes path; /* of a route's request, as it was matched; without the query, which may
	                    * hold secrets */
	struct bytes backend, credential;
	uint16_t status; /* what the caller's protocol was told */
	int64_t rows;    /* -1: not applicable */
	uint64_t bytes;  /* of the answer */
	uint64_t duration_us;
	bool has_fingerprint;
	uint8_t fingerprint[FINGERPRINT_LEN];
	bool is_observed; /* `outcome` is what was decided, but the route only observes: it was let
	                     through */
	bool is_completion; /* a second record of a decision whose answer was streamed, or whose
	                       commit failed */
};

/* Message form: what crosses the socket between worker and ledger; at most AUDIT_MESSAGE_MAX bytes.
 */
void audit_record_put(struct buf *out, const struct audit_record *r);
/* `roles` has room for AUDIT_ROLES_MAX. Text borrows `message`. ERR_PEER for anything
 * audit_record_put() does not write: unknown version, class, outcome or flag, a field past its
 * limit, bytes left over. */
struct err audit_record_read(struct bytes message, struct audit_record *ret, struct bytes *roles);

/* The text, cut to at most `max` bytes where a character ends. */
struct bytes audit_text_cut(struct bytes text, size_t max);

/* OCSF JSON on one line, without the closing `}`: chain.h appends `prev` and `hash`. Every member
 * is always there; `rows` and `fingerprint` are null and text is empty where they do not apply. The
 * class decides which OCSF objects name the target (`table`, `api`, `resources` and `http_request`,
 * `user` and
 * `service`, or `user` alone); `unmapped` names it the same way in every class. `actor.user` is the
 * subject, and `actor.app_uid` the agent; of an account change the actor is the agent, and `user`
 * the account. Lines of older versions lack what came later. */
void audit_record_put_json(struct buf *out, const struct audit_record *r, uint64_t sequence,
                           int64_t wall_us, unsigned worker);

#endif
