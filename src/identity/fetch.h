/* fetch.h - what a worker is told by fetcher, and asks of it: messages of src/io/channel.h.
 *
 * Fetcher is the one process that talks to identity providers. What crosses here are parsed facts,
 * written anew by us: a key set holds keys that jwks_parse() accepted, claims are a JSON object
 * that json_parse() accepted; never a byte as it came from outside.
 *
 * A source is where keys of an issuer come from: its metadata document or its key set, by URL
 * (issuer_source()). Two issuers of one source share it, and a worker of a former configuration
 * understands what is said of the sources it has. */
#ifndef IDENTITY_FETCH_H
#define IDENTITY_FETCH_H

#include "base/buf.h"
#include "config/settings.h"

enum fetch_message {
	FETCH_KEYS = 1, /* fetcher -> worker, unasked: struct fetched_keys; a set that is long
	                 * comes in several messages */
	FETCH_STATE,    /* fetcher -> worker, unasked: struct fetched_state, when it changes */
	FETCH_REFRESH,  /* worker -> fetcher: body = source. A token names a key that is not in the
	                 * set. Answered when the set is as new as it can be, FETCH_KEYS before the
	                 * answer */
	FETCH_INTROSPECT, /* worker -> fetcher: struct fetch_ask: issuer, token (RFC 7662) */
	FETCH_GROUPS, /* worker -> fetcher: struct fetch_ask: issuer, tenant, object, is_app (Graph
	               * getMemberObjects) */
	FETCH_CODE,   /* worker -> fetcher: struct fetch_ask: issuer, code, verifier, redirect_uri
	               * (browser login) */
	FETCH_ANSWER, /* fetcher -> worker: struct fetch_answer, id of the question */
	FETCH_SPANS,  /* worker -> fetcher: struct fetch_span, one after the other. Not answered */
};

enum { FETCH_TEXT_MAX = 16384, FETCH_URL_MAX = 2048, FETCH_PART_MAX = 24576 };

/* The URL that names where an issuer's keys come from; empty: they are not fetched (a file, our own
 * users, introspection). Borrowed from the settings. */
struct bytes issuer_source(const struct issuer_settings *s);

struct fetched_keys {
	struct bytes source;
	bool is_last;          /* the set is complete with this part */
	int64_t stale_until_s; /* wall clock: not to be used after; the same in every part */
	struct bytes part;     /* of the text of a JWK Set (RFC 7517), written by us */
};
void fetched_keys_put(struct buf *out, const struct fetched_keys *k);
struct err fetched_keys_read(struct bytes message, struct fetched_keys *ret);

/* How a source is doing. For readiness, Retry-After, and the login redirect. */
struct fetched_state {
	struct bytes source;
	struct bytes why; /* why the last try failed, for the operator; empty: it did not */
	uint32_t retry_s; /* the next try */
	struct bytes authorization_endpoint,
		end_session_endpoint; /* of the metadata; may be empty */
};
void fetched_state_put(struct buf *out, const struct fetched_state *s);
struct err fetched_state_read(struct bytes message, struct fetched_state *ret);

/* Fields that do not apply are empty. */
struct fetch_ask {
	struct bytes issuer; /* name in the configuration */
	struct bytes token;
	struct bytes tenant, object;
	bool is_app;
	struct bytes code, verifier, redirect_uri;
};
void fetch_ask_put(struct buf *out, const struct fetch_ask *a);
struct err fetch_ask_read(struct bytes message, struct fetch_ask *ret);

enum fetch_result {
	FETCH_DONE,
	FETCH_REFUSED, /* the provider says no: inactive token, wrong code */
	FETCH_FAILED,  /* it cannot be asked or does not answer as it should: 503 */
	FETCH_RESULT_COUNT,
};
struct fetch_answer {
	enum fetch_result result;
	uint32_t retry_s;    /* FETCH_FAILED */
	struct bytes why;    /* for the log and the audit record: no text of the provider */
	struct bytes claims; /* FETCH_INTROSPECT: the answer's members; FETCH_GROUPS:
	                        {"groups":[…]}. JSON object written by us */
	struct bytes id_token, access_token; /* FETCH_CODE */
};
void fetch_answer_put(struct buf *out, const struct fetch_answer *a);
struct err fetch_answer_read(struct bytes message, struct fetch_answer *ret);

enum { SPAN_TEXT_MAX = 1024 };

/* A request that has ended, for the collector of traces: what semantic conventions ask for, and
 * never a query, a token or who called (the audit record of `decision` says it). */
struct fetch_span {
	uint8_t trace[16], span[8], parent[8];
	uint8_t service_span[8];
	bool has_parent, has_service, is_answered; /* by the service */
	uint16_t status;
	uint64_t started_us, duration_us;      /* wall */
	uint64_t service_after_us, service_us; /* has_service: after the start, and how long */
	struct bytes method, path, route, host, user_agent, client, http_version;
	struct bytes decision, outcome, rule, backend, origin;
};
void fetch_span_put(struct buf *out, const struct fetch_span *s);
struct err fetch_span_read(struct reader *message, struct fetch_span *ret);
/* How many stand in a message that was put by us. */
uint64_t fetch_spans_count(struct bytes message);

#endif
