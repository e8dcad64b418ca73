/* oauth.c - /token (RFC 6749, 8693), /revoke (RFC 7009), /introspect (RFC 7662): a client's form
 * becomes a question to keeper, and keeper's answer the client's. */
#include "frontend/oauth.h"

#include "base/clock.h"
#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"
#include "frontend/endpoint.h"
#include "frontend/oauth_form.h"
#include "jose/dpop.h"

/* Of one request, in its arena. */
struct oauth {
	const struct oauth_grant *grant; /* NULL: not known yet */
	struct oauth_form form;
	struct ask ask;
	const char *error; /* as it is sent; NULL: as the kind of error says */
	struct err (*take)(struct request *r, struct bytes message); /* what is waited for */
	bool is_answered;
};

/* How keeper's refusals are told. */
static const struct {
	enum err_kind kind;
	const char *why; /* NULL: the grant says it */
} refusals[OAUTH_ERROR_COUNT] = {
	[OAUTH_NONE] = { ERR_IDENTITY, NULL },
	[OAUTH_INVALID_REQUEST] = { ERR_PEER, "a parameter is not as it must be" },
	[OAUTH_INVALID_CLIENT] = { ERR_IDENTITY,
	                           "the client is not known, or did not prove who it is" },
	[OAUTH_INVALID_GRANT] = { ERR_IDENTITY, NULL },
	[OAUTH_UNAUTHORIZED_CLIENT] = { ERR_IDENTITY, "the client may not do this" },
	[OAUTH_UNSUPPORTED_GRANT_TYPE] = { ERR_PEER, "grant_type is not supported" },
	[OAUTH_INVALID_SCOPE] = { ERR_IDENTITY, "scope asks for more than there is" },
	[OAUTH_INVALID_TARGET] = { ERR_IDENTITY, "resource is not one that tokens are given for" },
	[OAUTH_ACCESS_DENIED] = { ERR_IDENTITY, "access is denied" },
};

const struct issuer_settings *
oauth_issuer(const struct request *r)
{
	const struct settings *s = r->gate->settings;

	for (size_t i = 0; i < s->issuer_count; i++)
		if (s->issuers[i].type == ISSUER_LOCAL)
			return &s->issuers[i];
	return NULL;
}

struct err
oauth_begin(struct request *r)
{
	const struct issuer_settings *local = oauth_issuer(r);

	if (local == NULL)
		return fail(ERR_NOT_FOUND, "this service issues no tokens");
	r->issuer = bytes_text(local->name);
	return OK;
}

struct err
oauth_check_media_type(const struct request *r)
{
	struct bytes type = { 0 };

	TRY(http_field_single(&r->head, "content-type", &type));
	if (!bytes_equal_nocase(http_trim(bytes_slice(type, 0, bytes_find(type, ';'))),
	                        BYTES("application/x-www-form-urlencoded")))
		return (struct err){ .kind = ERR_PEER,
			             .code = 415,
			             .why = "the body must be application/x-www-form-urlencoded" };
	return OK;
}

struct err
oauth_take_answer(struct request *r, const struct answer *a, const char *refusal)
{
	r->subject = arena_copy(&r->arena, a->fields[ANSWER_SUBJECT]);
	r->name = arena_copy(&r->arena, a->fields[ANSWER_NAME]);
	r->agent = arena_copy(&r->arena, a->fields[ANSWER_AGENT]);
	r->reason = arena_copy(&r->arena, a->fields[ANSWER_REASON]);
	r->detail = arena_copy(&r->arena, a->fields[ANSWER_DETAIL]);
	r->retry_after_s = a->wait_s;
	switch (a->result) {
	case ANSWER_GRANTED:
		return OK;
	case ANSWER_REFUSED:
		return fail(refusals[a->error].kind,
		            refusals[a->error].why == NULL ? refusal : refusals[a->error].why);
	case ANSWER_WAIT:
		return fail(ERR_LIMIT, "too many logins: try again later");
	case ANSWER_FAILED:
	case ANSWER_RESULT_COUNT:
		break;
	}
	return fail(ERR_UPSTREAM, "logins are not possible right now");
}

/* Errors: RFC 6749 section 5.2, and `detail` for clients written for FastAPI. */

static const char *
error_name(const struct request *r)
{
	static const struct {
		enum err_kind kind;
		const char *error;
	} errors[] = {
		{ ERR_PEER, "invalid_request" },
		{ ERR_IDENTITY, "invalid_grant" },
		{ ERR_LIMIT, "slow_down" },
	};
	const struct oauth *o = r->state;

	/* What was found out about the request counts only while nothing of ours has failed. */
	if (o != NULL && o->error != NULL &&
	    (r->outcome.kind == ERR_PEER || r->outcome.kind == ERR_IDENTITY))
		return o->error;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].kind == r->outcome.kind)
			return errors[i].error;
	return "temporarily_unavailable";
}

void
oauth_put_error(struct request *r, struct buf *body)
{
	const struct oauth *o = r->state;
	const char *error = error_name(r);
	struct bytes why = r->detail.len != 0 ? r->detail : bytes_text(r->outcome.why);

	/* A refused login is an error of the request, not a missing bearer token. */
	if (r->outcome.kind == ERR_IDENTITY) {
		bool is_client = bytes_is(bytes_text(error), "invalid_client");
		r->reply.status = is_client ? 401 : 400;
		buf_clear(&r->reply.fields);
		if (is_client && o->form.has_basic)
			buf_put_text(&r->reply.fields,
			             "WWW-Authenticate: Basic realm=\"gatewarden\"\r\n");
	}
	buf_printf(body, "{\"error\":\"%s\",\"error_description\":", error);
	json_put_string(body, why);
	buf_put_text(body, ",\"detail\":");
	json_put_string(body, why);
	buf_put_text(body, "}\n");
}

/* Answers */

static void
put_tokens(struct request *r, const struct answer *a)
{
	static const struct {
		const char *name;
		enum answer_field field;
	} members[] = {
		{ "access_token", ANSWER_ACCESS_TOKEN },
		{ "token_type", ANSWER_TOKEN_TYPE },
		{ "refresh_token", ANSWER_REFRESH_TOKEN },
		{ "id_token", ANSWER_ID_TOKEN },
		{ "scope", ANSWER_SCOPE },
	};
	struct buf *out = &r->reply.body;

	buf_printf(out, "{\"expires_in\":%u", a->expires_in_s);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		json_put_text_if_any(out, members[i].name, a->fields[members[i].field]);
	if (a->fields[ANSWER_TOKEN_TYPE].len == 0)
		json_put_text(out, "token_type", BYTES("bearer"));
	/* RFC 8693 section 2.2.1. */
	const struct oauth *o = r->state;
	if (o->ask.kind == ASK_EXCHANGE)
		json_put_text(out, "issued_token_type",
		              BYTES("urn:ietf:params:oauth:token-type:access_token"));
	buf_put_text(out, "}\n");
	buf_put_text(&r->reply.fields, "Pragma: no-cache\r\n");
}

static void
put_granted(struct request *r, const struct answer *a)
{
	const struct oauth *o = r->state;

	if (o->ask.kind == ASK_REVOKE)
		return; /* RFC 7009 section 2.2: the status is all there is to say */
	r->reply.type = "application/json";
	if (o->ask.kind == ASK_INTROSPECT)
		buf_put(&r->reply.body, a->fields[ANSWER_CLAIMS]);
	else
		put_tokens(r, a);
}

/* Questions */

static struct err
take_answer(struct request *r, struct bytes message)
{
	struct oauth *o = r->state;
	struct answer a;

	TRY(answer_read(message, &a));
	if (a.result == ANSWER_REFUSED && a.error != OAUTH_NONE)
		o->error = oauth_error_name(a.error);
	TRY(oauth_take_answer(r, &a, o->grant->refusal));
	put_granted(r, &a);
	o->is_answered = true;
	return OK;
}

static struct err
refuse_proof(struct request *r, const char *why)
{
	struct oauth *o = r->state;

	o->error = "invalid_dpop_proof";
	return fail(ERR_IDENTITY, why);
}

static struct err
take_proof_answer(struct request *r, struct bytes message)
{
	struct answer a;

	TRY(answer_read(message, &a));
	if (a.result == ANSWER_REFUSED)
		return refuse_proof(r, "the DPoP proof was used before");
	return oauth_take_answer(r, &a, NULL);
}

static void
on_answer(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);
	const struct oauth *o = r->state;

	r->is_woken = true;
	r->wake_error = failed(e) ? e : o->take(r, answer->body);
	request_resume(r);
}

static struct err
ask(struct request *r, const struct ask *question,
    struct err (*take)(struct request *r, struct bytes message))
{
	struct oauth *o = r->state;

	o->take = take;
	r->waiter.wake = on_answer;
	return gate_ask_keeper(r->gate, question, &r->waiter);
}

static struct err
ask_keeper(struct request *r)
{
	const struct oauth *o = r->state;

	return ask(r, &o->ask, take_answer);
}

/* RFC 9449 section 5: the proof is for this URL and goes with no token yet. Its key is what the
 * tokens will be bound to; that the proof is new is asked first. */
static struct err
ask_about_proof(struct request *r, struct bytes proof)
{
	struct oauth *o = r->state;
	CLEANUP(buf_done) struct buf url = { 0 };
	struct dpop_proof checked;

	buf_printf(&url, "%s%s", r->gate->settings->public_url, r->endpoint->path);
	struct err e = dpop_check(&(struct dpop_request){ .proof = proof,
	                                                  .method = BYTES("POST"),
	                                                  .url = buf_bytes(&url),
	                                                  .now_s = clock_wall_us() / 1000000 },
	                          &r->arena, &checked);
	if (e.kind == ERR_IDENTITY)
		return refuse_proof(r, e.why);
	TRY(e);
	o->ask.fields[ASK_KEY] = arena_copy(&r->arena, bytes_text(checked.thumbprint));
	if (o->ask.fields[ASK_KEY].len == 0)
		return fail(ERR_LIMIT, "out of memory for a login");
	return ask(r,
	           &(struct ask){ .kind = ASK_PROOF,
	                          .fields[ASK_PROOF_ID] = { checked.id, sizeof checked.id } },
	           take_proof_answer);
}

/* What the connection proves beside the form. */
static struct err
take_certificate(struct request *r)
{
	struct oauth *o = r->state;
	CLEANUP(buf_done) struct buf text = { 0 };

	o->ask.fields[ASK_ADDRESS] = request_own_address(r);
	if (r->certificate.len == 0)
		return OK;
	base64url_put(&text, r->certificate);
	o->ask.fields[ASK_CERTIFICATE] = arena_copy(&r->arena, buf_bytes(&text));
	return o->ask.fields[ASK_CERTIFICATE].len != 0
	               ? OK
	               : fail(ERR_LIMIT, "out of memory for a certificate");
}

/* Names the parameter at fault. */
static struct err
explain(struct request *r, struct err e)
{
	struct oauth *o = r->state;
	CLEANUP(buf_done) struct buf text = { 0 };

	if (o->form.error != OAUTH_NONE)
		o->error = oauth_error_name(o->form.error);
	if (o->form.parameter != NULL) {
		buf_printf(&text, "%s %s", o->form.parameter, e.why);
		r->detail = r->reason = arena_copy(&r->arena, buf_bytes(&text));
	}
	return e;
}

static struct err
read_question(struct request *r)
{
	struct oauth *o = r->state;
	struct bytes authorization = { 0 };

	TRY(oauth_check_media_type(r));
	TRY(http_field_single(&r->head, "authorization", &authorization));
	struct err e = oauth_form_read(buf_bytes(&r->body), authorization, &r->arena, &o->form);
	if (failed(e))
		return explain(r, e);
	if (o->grant == NULL)
		o->grant = oauth_grant_find(o->form.grant_type);
	if (o->grant == NULL) {
		o->error = "unsupported_grant_type";
		return fail(ERR_PEER, "grant_type is not supported");
	}
	r->action = bytes_text(o->grant->action);
	e = oauth_form_ask(&o->form, o->grant, &o->ask);
	return failed(e) ? explain(r, e) : take_certificate(r);
}

static struct err
ask_first(struct request *r)
{
	const struct oauth *o = r->state;
	struct bytes proof = { 0 };

	TRY(read_question(r));
	if (o->grant->name == NULL) /* no tokens are given that could be bound */
		return ask_keeper(r);
	if (failed(http_field_single(&r->head, "dpop", &proof)))
		return refuse_proof(r, "there is more than one DPoP proof");
	return proof.at == NULL ? ask_keeper(r) : ask_about_proof(r, proof);
}

static struct err
begin(struct request *r, const struct oauth_grant *grant)
{
	struct oauth *o = arena_alloc(&r->arena, sizeof *o);

	if (o == NULL)
		return fail(ERR_LIMIT, "out of memory for a request");
	o->grant = grant;
	r->state = o;
	return oauth_begin(r);
}

/* Endpoints */

void
oauth_describe(struct request *r)
{
	r->class = AUDIT_AUTHENTICATION;
	r->action = BYTES("login");
	r->resource = bytes_text(r->endpoint->path + 1);
}

struct err
oauth_token_decide(struct request *r)
{
	return begin(r, NULL);
}

struct err
oauth_revoke_decide(struct request *r)
{
	return begin(r, &oauth_revocation);
}

struct err
oauth_introspect_decide(struct request *r)
{
	return begin(r, &oauth_introspection);
}

struct err
oauth_ask(struct request *r, enum step *step)
{
	const struct oauth *o = r->state;
	bool was_woken = r->is_woken;

	r->is_woken = false;
	if (was_woken)
		TRY(r->wake_error);
	if (o->is_answered)
		return OK;
	TRY(was_woken ? ask_keeper(r) : ask_first(r));
	*step = STEP_MORE;
	return OK;
}

void
oauth_done(struct request *r)
{
	struct oauth *o = r->state;

	if (o != NULL)
		oauth_form_wipe(&o->form);
}
