/* request.h - one HTTP request, from its head to its audit record.
 *
 * The path is one table of stages (request.c). A stage that fails jumps to ANSWER; RECORD always
 * runs, before the first byte of the answer leaves and before a write is committed. */
#ifndef FRONTEND_REQUEST_H
#define FRONTEND_REQUEST_H

#include "base/arena.h"
#include "base/step.h"
#include "format/moment.h"
#include "format/url.h"
#include "frontend/carrier.h"
#include "frontend/gate.h"
#include "frontend/quota.h"
#include "frontend/telemetry.h"
#include "http/http_head.h"

struct request;
struct rest;
struct showing;

typedef struct err stage_fn(struct request *r, enum step *step);

enum stage {
	STAGE_IDENTIFY, /* token or session -> principal (401) */
	STAGE_DECIDE,   /* principal + action -> grant (403) */
	STAGE_RECEIVE,  /* the body, whole */
	STAGE_EXECUTE,  /* work; rows into the answer */
	STAGE_ANSWER,   /* the answer or the error, as HTTP says it */
	STAGE_RECORD,   /* handed to the ledger; waits until it is kept */
	STAGE_COMMIT,   /* a write becomes lasting */
	STAGE_SEND, /* as fast as the caller reads; then, for a body that came in parts, RECORD once
	               more */
	STAGE_COUNT,
};

enum endpoint_auth {
	AUTH_NONE,     /* a token is not looked at */
	AUTH_OPTIONAL, /* none is fine; one that fails is a 401 all the same */
	AUTH_REQUIRED,
};

/* What answers a path. One row of the table in endpoint.c. */
struct endpoint {
	const char *path; /* whole path, or its first segments when `below` */
	bool below;       /* also everything under it */
	unsigned methods; /* bit = enum http_method; HEAD goes with GET */
	enum endpoint_auth auth;
	bool is_recorded; /* a decision is made here: one audit record. (A token that is refused is
	                     recorded wherever it is shown.) */
	bool is_page;     /* for people: without a session they are sent to the login */
	size_t body_max;  /* 0: no body is taken; SIZE_MAX: as configured */
	bool streams;     /* takes its body in parts: RECEIVE does nothing, `body` gets them */
	/* Each may be NULL, but execute. */
	void (*describe)(struct request *r); /* class, resource and action for the record, before
	                                        anything can fail */
	struct err (*decide)(struct request *r);
	struct err (*execute)(struct request *r,
	                      enum step *step); /* again in SEND, while reply.is_partial */
	struct err (*commit)(struct request *r, enum step *step);
	void (*done)(struct request *r); /* frees what the others made */
	/* After carrier_stream(), perhaps from inside it: the next bytes of the body; with
	 * `is_last` it is complete (and r->trailers filled). `e`: no more will come, the body is
	 * malformed or too slow. It resumes nothing before it returns. */
	void (*body)(struct request *r, struct bytes part, bool is_last, struct err e);
	void (*put_error)(struct request *r, struct buf *body); /* its own form of errors (OAuth) */
};

/* The answer as it grows. */
struct reply {
	unsigned status;
	const char *type;   /* media type, literal; NULL: no body */
	struct buf fields;  /* "Name: value\r\n" lines besides those every answer has */
	struct buf body;    /* owned; empty when `asset` is used */
	struct bytes asset; /* a body that lives elsewhere for ever */
	bool is_partial; /* there is more behind `body`: execute makes it when this part has left */
	bool is_streamed; /* it was partial once: its end is told by chunks, unless has_length */
	bool has_length;  /* of a streamed body: `length`, which a service told */
	uint64_t length;
	bool is_forwarded;   /* `fields` are all there are: a service wrote them */
	bool has_date;       /* also that one */
	bool is_tunnel;      /* after 101: bytes both ways, until either side ends (RFC 9110
	                        section 7.8) */
	struct buf trailers; /* as `fields`; sent behind the last part */
	bool has_begun; /* the head is on its way: nothing can be answered otherwise any more */
	bool has_ended; /* of chunks: the last one too */
	size_t sent;    /* of this part of the body */
	uint64_t gone;  /* bytes of the parts before it */
	const char
		*challenge_error; /* 401, 403: RFC 6750 error code, or NULL for a bare challenge */
};

enum { ANSWER_PART = 65536 }; /* bytes of a body that are given to the socket at once */

/* Owned by its connection until it ends; then kept by the gate for the next one. */
struct request {
	struct gate *gate;
	struct carrier *carrier; /* NULL when the caller has gone: the rest still runs */
	struct arena arena;
	struct buf input; /* owned: the bytes that `head` borrows */
	const struct endpoint *endpoint;
	enum endpoint_auth auth; /* the endpoint's, unless its route says otherwise */
	bool is_page;            /* likewise */
	bool is_head; /* no body goes with the answer; at /auth `head` is another request's */
	size_t segment_count;
	struct buf body;       /* owned: the decoded body; wiped */
	bool has_body;         /* complete */
	bool is_body_streamed; /* carrier_stream() was called: parts go to endpoint->body */
	struct buf trailers;   /* of a streamed body: "name: value" lines that may be passed on */
	uint8_t stage;
	struct err outcome;           /* why it failed; OK so far */
	struct identified identified; /* of the token that was shown */
	struct showing *showing;      /* identify.c: what was shown, while an answer is awaited */
	stage_fn *identify_next;      /* how IDENTIFY goes on then; NULL: from its beginning */
	struct bytes certificate;     /* SHA-256 of the caller's, which a proxy told; empty: none */
	struct bytes session; /* SHA-256 of the secret in its cookie; empty: none was looked for */
	bool is_dpop;         /* the token came with the scheme DPoP */
	bool is_session;      /* `who` comes from a browser session */
	const struct principal *who; /* one reference, or NULL */
	const struct grant *grant;
	struct decision decision;
	uint8_t decision_id[ULID_LEN];
	/* For the record */
	struct bytes resource, action, path, backend, client, reason, subject, name, agent, issuer;
	enum audit_class class;
	enum action action_kind; /* `action`, for the counters */
	int64_t rows;
	bool has_fingerprint;
	uint8_t fingerprint[FINGERPRINT_LEN];
	bool is_completion; /* a commit failed, or a body in parts has ended: the second record of
	                       this decision */
	int route;          /* index in the settings' routes; -1: an endpoint of our own */
	struct quota_hold held;
	struct trace trace;
	struct timing timing;
	struct bytes origin; /* address of the service that was asked; in the arena, or as long */
	uint64_t received;   /* bytes of a streamed body */
	bool is_observed;    /* the route only observes, and `refusal` is why it would be refused */
	struct err refusal;  /* also why a person is sent to the login of a route */
	bool records_end;    /* the first record is of what is about to be done: what became of it
	                        gets a second one */
	/* Work */
	struct reply reply;
	struct waiter waiter;
	bool is_woken; /* what this stage waited for has come; wake_error says how */
	struct err wake_error;
	struct bytes detail;     /* for the caller: more than the literal why; in the arena */
	const char *allow_field; /* 405: the whole Allow line */
	unsigned retry_after_s;  /* 429, 503; 0: the default */
	bool is_cacheable;       /* without it, Cache-Control: no-store */
	bool must_close;         /* close the connection after this answer */
	uint64_t started_us;
	union {
		struct rest *rest; /* the endpoint's own state, in the arena */
		void *state;
	};
	struct list orphan; /* HTTP/2: it goes on without the stream that brought it */
	struct request *next_spare;
	struct bytes segments[URL_SEGMENTS_MAX]; /* of the path, decoded; as `head` */
	struct http_head head; /* last, and large: not cleared between requests, but parsed anew */
};

struct request *request_new(struct gate *gate, struct carrier *carrier);
/* The head is parsed; picks the endpoint, starts the clock. */
void request_begin(struct request *r);
/* Runs stages until one must wait (STEP_MORE) or the answer has been sent (STEP_DONE). */
enum step request_run(struct request *r);
/* Something it waited for has come: runs it, then tells the connection. */
void request_resume(struct request *r);
/* The caller has gone. Work that was recorded is finished, other work is cancelled. The request
 * frees itself when it ends. */
void request_abandon(struct request *r);
void request_free(struct request *r);
/* Does it wait for its body now? */
bool request_wants_body(const struct request *r);
/* Does a service work on it, or answer it, now? */
bool request_awaits_service(const struct request *r);
size_t request_body_max(const struct request *r);
/* Is one of our proxies (listen.http.proxies) at the other end? */
bool request_is_proxied(const struct request *r);
/* The caller's address; empty where a proxy stands before it, whose address is that of everybody.
 */
struct bytes request_own_address(const struct request *r);

/* identify.c: the stage IDENTIFY. */
struct err request_identify(struct request *r, enum step *step);
/* The check that refused what the caller showed (jwt_check_name()); NULL: it showed nothing, or it
 * is not refused. */
const char *request_refusal(const struct request *r);

/* answer.c: what the outcome says, as the answer (answer.h). */
void answer_error(struct request *r);
/* Is there, or will there be, a record of it? */
bool request_is_recorded(const struct request *r);
/* record.c: what the request became, as an audit record. Roles borrow `roles`. */
enum audit_outcome request_outcome(const struct request *r);
void request_audit(const struct request *r, struct audit_record *ret,
                   struct bytes roles[AUDIT_ROLES_MAX]);

#endif
