/* identify.c - the stage IDENTIFY: what a caller shows (a token, or the cookie of a session)
 * becomes a principal. Where another process must be asked first, the request waits for its answer
 * and goes on with identify_next. */
#include "base/clock.h"
#include "base/macros.h"
#include "frontend/certificate.h"
#include "frontend/server.h"
#include "frontend/endpoint.h"
#include "frontend/rest.h"
#include "frontend/session.h"
#include "frontend/source.h"
#include "io/tls_names.h"

enum { REASON_MAX = 200 };

/* What was shown, with what has been asked for. In the arena only while it is waited for. */
struct showing {
	struct presented shown;
	unsigned asked; /* bit = enum missing: each is asked for once */
};

static struct err examine_again(struct request *r, enum step *step);
static struct err proof_settled(struct request *r, enum step *step);

const char *
request_refusal(const struct request *r)
{
	bool is_refused = r->outcome.kind == ERR_IDENTITY && r->reply.challenge_error != NULL &&
	                  r->identified.report.failed < JWT_CHECK_COUNT;

	return is_refused ? jwt_check_name(r->identified.report.failed) : NULL;
}

/* Counts and names the check that failed: in the answer and in the record alike. */
static struct err
refused(struct request *r, struct err e)
{
	const struct jwt_report *report = &r->identified.report;
	uint8_t text[REASON_MAX];
	struct buf reason = { .at = text, .room = sizeof text, .limit = sizeof text };

	r->reply.challenge_error = r->is_dpop && report->failed == JWT_BINDING
	                                   ? "invalid_dpop_proof"
	                                   : "invalid_token";
	if (report->why != NULL)
		e.why = report->why;
	if (report->failed == JWT_CHECK_COUNT)
		return e;
	counter_add(&r->gate->counters->refusals[report->failed], 1);
	buf_printf(&reason, "%s: %s", jwt_check_name(report->failed), e.why);
	r->reason = arena_copy(&r->arena, buf_bytes(&reason));
	return e;
}

/* For the record: whose token it is, also of one that is refused. */
static void
name_caller(struct request *r)
{
	const struct identified *i = &r->identified;

	if (i->issuer >= 0)
		r->issuer = bytes_text(r->gate->settings->issuers[i->issuer].name);
	r->subject = i->who != NULL ? principal_subject(i->who) : i->subject;
}

/* A check that is made here. */
static struct err
refuse(struct request *r, enum jwt_check check, const char *why)
{
	r->identified.report.failed = check;
	r->identified.report.why = why;
	return refused(r, fail(ERR_IDENTITY, why));
}

/* Names the issuer that is missed, and when to come again. Why it is missed is the operator's to
 * know: /readyz says it. */
static struct err
unavailable(struct request *r, struct err e)
{
	if (e.kind != ERR_UPSTREAM || r->identified.issuer < 0)
		return e;

	unsigned issuer = (unsigned)r->identified.issuer;
	if (r->retry_after_s == 0)
		r->retry_after_s = r->identified.retry_s;
	return request_fail(r, e, "issuer %s: %s", r->gate->settings->issuers[issuer].name, e.why);
}

/* Asking. A callback runs the request, which may be gone when it returns. */

static void
resume(struct request *r, struct err e)
{
	r->is_woken = true;
	r->wake_error = e;
	request_resume(r);
}

/* Keys: with or without an answer, what is here now decides. Everything else cannot be decided
 * without. */
static struct err
take_answer(struct request *r, struct bytes message)
{
	struct fetch_answer a;

	TRY(fetch_answer_read(message, &a));
	if (r->identified.missing == MISSING_KEYS)
		return OK;
	if (a.result == FETCH_FAILED) {
		r->retry_after_s = a.retry_s;
		r->reason = arena_copy(&r->arena, a.why);
		return fail(ERR_UPSTREAM, "it cannot be asked about this token right now");
	}
	/* Who says no has nothing to tell; that it was asked must be seen. */
	r->showing->shown.learned =
		a.result == FETCH_REFUSED ? BYTES("{}") : arena_copy(&r->arena, a.claims);
	return OK;
}

static void
on_fetched(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	resume(r, failed(e) ? e : take_answer(r, answer->body));
}

static struct err
ask_about_token(struct request *r, const struct presented *shown)
{
	CLEANUP(buf_wipe) struct buf body = { .limit = CHANNEL_BODY_MAX };
	const struct identified *i = &r->identified;
	bool is_groups = i->missing == MISSING_GROUPS;
	struct fetch_ask ask = {
		.issuer = bytes_text(r->gate->settings->issuers[i->issuer].name),
		.token = is_groups ? (struct bytes){ 0 } : shown->token,
		.tenant = i->tenant,
		.object = i->object,
		.is_app = i->is_app,
	};

	fetch_ask_put(&body, &ask);
	TRY(buf_check(&body));
	return gate_ask_fetcher(r->gate, is_groups ? FETCH_GROUPS : FETCH_INTROSPECT,
	                        buf_bytes(&body), &r->waiter);
}

static struct err
ask_missing(struct request *r, struct showing *s)
{
	struct source *source = source_of(r->gate, (unsigned)r->identified.issuer);

	r->waiter.wake = on_fetched;
	if (r->identified.missing != MISSING_KEYS)
		return ask_about_token(r, &s->shown);
	return source == NULL ? fail(ERR_UPSTREAM, "the issuer has no source of keys")
	                      : source_refresh(source, &r->waiter);
}

/* Each thing is asked for once. */
static struct err
wait_for_missing(struct request *r, struct showing *s)
{
	s->asked |= 1u << r->identified.missing;
	s->shown.has_asked = true;
	r->identify_next = examine_again;
	if (r->showing == NULL) {
		r->showing = arena_alloc(&r->arena, sizeof *r->showing);
		if (r->showing == NULL)
			return fail(ERR_SYSTEM, "out of memory");
		*r->showing = *s;
	}
	counter_add(&r->gate->counters->fetcher_waits, 1);
	return ask_missing(r, r->showing);
}

/* DPoP: a proof serves once (RFC 9449 section 11.1), on whichever worker it is shown */

static void
on_proof_known(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);
	struct answer a = { .result = ANSWER_FAILED };

	if (!failed(e))
		e = answer_read(answer->body, &a);
	if (!failed(e) && a.result == ANSWER_REFUSED)
		e = refuse(r, JWT_BINDING, "the DPoP proof was used before");
	else if (!failed(e) && a.result != ANSWER_GRANTED)
		e = fail(ERR_UPSTREAM, "DPoP proofs cannot be checked right now");
	resume(r, e);
}

static struct err
ask_proof(struct request *r, enum step *step)
{
	struct ask ask = { .kind = ASK_PROOF };

	ask.fields[ASK_PROOF_ID] =
		(struct bytes){ r->identified.proof_id, sizeof r->identified.proof_id };
	r->waiter.wake = on_proof_known;
	r->identify_next = proof_settled;
	*step = STEP_MORE;
	return gate_ask_keeper(r->gate, &ask, &r->waiter);
}

static struct err
proof_settled(struct request *r, enum step *step)
{
	(void)step;
	r->who = r->identified.who;
	r->identified.who = NULL;
	return OK;
}

/* Tokens */

static bool
must_ask(const struct request *r, const struct showing *s, struct err e)
{
	enum missing missing = r->identified.missing;

	return e.kind == ERR_UPSTREAM && missing != MISSING_NOTHING && r->identified.issuer >= 0 &&
	       (s->asked >> missing & 1) == 0;
}

static struct err
examine(struct request *r, struct showing *s, enum step *step)
{
	struct identified *i = &r->identified;
	struct err e = issuers_examine(r->gate->issuers, &s->shown, clock_wall_us() / 1000000,
	                               false, &r->arena, i);

	if (must_ask(r, s, e)) {
		*step = STEP_MORE;
		e = wait_for_missing(r, s);
	}
	name_caller(r);
	if (failed(e))
		return e.kind == ERR_IDENTITY ? refused(r, e) : unavailable(r, e);
	if (*step == STEP_MORE)
		return OK;
	return i->has_proof ? ask_proof(r, step) : proof_settled(r, step);
}

static struct err
examine_again(struct request *r, enum step *step)
{
	return examine(r, r->showing, step);
}

/* RFC 6750 section 2.1, RFC 9449 section 7.1. `token`.at stays NULL when nothing was shown. */
static struct err
read_token(struct request *r, struct bytes *ret)
{
	static const struct {
		struct bytes scheme;
		bool is_dpop;
	} schemes[] = { { { (const uint8_t *)"Bearer ", 7 }, false },
		        { { (const uint8_t *)"DPoP ", 5 }, true } };
	struct bytes value = { 0 };

	TRY(http_field_single(&r->head, "authorization", &value));
	if (value.at == NULL)
		return OK;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct bytes scheme = schemes[i].scheme;

		if (!bytes_equal_nocase(bytes_slice(value, 0, scheme.len), scheme))
			continue;
		r->is_dpop = schemes[i].is_dpop;
		*ret = bytes_slice(value, scheme.len, value.len);
		while (ret->len > 0 && ret->at[0] == ' ')
			*ret = bytes_slice(*ret, 1, ret->len);
		return OK;
	}
	return fail(ERR_IDENTITY, "the authorization scheme is neither Bearer nor DPoP");
}

/* What a proof is compared with (RFC 9449 section 4.3). Bearer tokens need none of it. */
static struct err
read_proof(struct request *r, struct presented *shown)
{
	size_t room = strlen(r->gate->settings->public_url) + r->head.path.len;
	struct bytes proof = { 0 };

	if (failed(http_field_single(&r->head, "dpop", &proof)))
		return refuse(r, JWT_BINDING, "there is more than one DPoP proof");
	uint8_t *at = arena_alloc(&r->arena, room);
	if (at == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	memcpy(at, r->gate->settings->public_url, room - r->head.path.len);
	memcpy(at + room - r->head.path.len, r->head.path.at, r->head.path.len);
	shown->is_dpop = true;
	shown->proof = proof;
	shown->method = http_method_name(r->head.method);
	shown->url = (struct bytes){ at, room };
	return OK;
}

/* From anybody but a configured proxy the field says nothing: callers write what they like. What
 * cannot be read proves nothing either. */
static struct err
read_certificate(struct request *r)
{
	const struct tls_peer *secure = r->carrier->secure;
	const char *name = r->gate->settings->listen.certificate_field;
	struct bytes value = { 0 };

	/* One that was shown to us is proven, whatever a field says. */
	if (secure != NULL && secure->has_certificate) {
		/* The request may outlive its connection. */
		r->certificate = arena_copy(&r->arena,
		                            (struct bytes){ secure->certificate, TLS_DIGEST_LEN });
		return r->certificate.at != NULL ? OK : fail(ERR_SYSTEM, "out of memory");
	}
	if (name == NULL || !request_is_proxied(r))
		return OK;
	TRY(http_field_single(&r->head, name, &value));
	if (value.len == 0)
		return OK; /* nginx sends an empty one where there is none */
	uint8_t *digest = arena_alloc(&r->arena, CERTIFICATE_DIGEST_LEN);
	struct err e = digest == NULL ? fail(ERR_SYSTEM, "out of memory")
	                              : certificate_digest(value, &r->arena, digest);
	if (!failed(e))
		r->certificate = (struct bytes){ digest, CERTIFICATE_DIGEST_LEN };
	return e.kind == ERR_PEER ? OK : e;
}

/* A request for one site on a connection that was opened for another: what was decided for that
 * one, the certificate first of all, must not hold for it (RFC 9110 section 15.5.20). A listed
 * proxy brings requests for every site on one connection, and its callers' certificates in a field.
 */
static struct err
check_name(const struct request *r)
{
	const struct tls_peer *secure = r->carrier->secure;

	if (secure == NULL || request_is_proxied(r) ||
	    tls_names_serve(secure->own, bytes_text(secure->name), r->head.host))
		return OK;
	return (struct err){ .kind = ERR_PEER,
		             .code = 421,
		             .why = "this connection was opened for another name" };
}

/* The stage */

static struct err
match(struct request *r)
{
	if (r->endpoint != NULL)
		return OK;
	TRY(endpoint_match(r->carrier->server->endpoints, r, &r->endpoint));
	r->auth = r->endpoint->auth;
	r->is_page = r->endpoint->is_page;
	if (r->endpoint->describe != NULL)
		r->endpoint->describe(r);
	return OK;
}

/* No token was shown, and the session, if any, has been looked for. */
static struct err
session_settled(struct request *r, enum step *step)
{
	(void)step;
	if (r->who != NULL || r->auth == AUTH_OPTIONAL)
		return OK;
	if (session_may_redirect(r)) {
		r->endpoint = r->route < 0 ? &session_to_login : &session_route_to_login;
		if (r->route >= 0)
			r->refusal = fail(ERR_IDENTITY, session_absence(r));
		return OK;
	}
	return fail(ERR_IDENTITY, session_absence(r));
}

static struct err
begin(struct request *r, enum step *step)
{
	struct showing s = { 0 };

	TRY(match(r));
	TRY(check_name(r));
	TRY(read_certificate(r));
	if (r->auth == AUTH_NONE)
		return OK;
	r->identified.report.failed = JWT_CHECK_COUNT;
	TRY(read_token(r, &s.shown.token));
	if (s.shown.token.at == NULL) {
		r->identify_next = session_settled;
		TRY(session_find(r, step));
		return *step == STEP_MORE ? OK : session_settled(r, step);
	}
	if (r->is_dpop)
		TRY(read_proof(r, &s.shown));
	s.shown.certificate = r->certificate;
	return examine(r, &s, step);
}

struct err
request_identify(struct request *r, enum step *step)
{
	if (r->identify_next == NULL)
		return begin(r, step);
	if (r->is_woken) {
		r->is_woken = false;
		if (failed(r->wake_error))
			return unavailable(r, r->wake_error);
	}
	return r->identify_next(r, step);
}
