/* answer.c - see answer.h. */
#include "frontend/answer.h"

#include "base/macros.h"
#include "format/json.h"
#include "http/http_reply.h"
#include "jose/jwk.h"

enum { RETRY_AFTER_S = 1 };

/* One row a kind. `public` is what the caller reads where the reason itself must not be told. */
static const struct row {
	enum err_kind kind;
	unsigned status;
	const char *code, *public;
} rows[] = {
	{ ERR_PEER, 400, "bad_request", NULL },
	{ ERR_IDENTITY, 401, "unauthorized", NULL },
	{ ERR_DENIED, 403, "forbidden", "your roles do not allow this" },
	{ ERR_NOT_FOUND, 404, "not_found", "there is no such row" },
	{ ERR_CONFLICT, 409, "conflict", NULL },
	{ ERR_INVALID, 422, "invalid", NULL },
	{ ERR_LIMIT, 429, "too_many_requests", NULL },
	{ ERR_UPSTREAM, 503, "unavailable", NULL },
	{ ERR_CONFIG, 503, "unavailable", "the gateway's configuration does not fit its data" },
	{ ERR_SYSTEM, 503, "unavailable", "the gateway is out of a resource" },
};

static const struct row *
row_of(struct err e)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == e.kind)
			return &rows[i];
	return &rows[ARRAY_LEN(rows) - 1];
}

/* An error may name its status itself, where HTTP has a finer one than the kind (405, 413, 415 …).
 */
static unsigned
status_of(struct err e)
{
	bool is_own = e.kind != ERR_IDENTITY && e.code >= 400 && e.code < 600;

	return is_own ? e.code : row_of(e)->status;
}

static const char *
code_of(struct err e, unsigned status)
{
	static const struct {
		unsigned status;
		const char *code;
	} names[] = {
		{ 404, "not_found" },
		{ 405, "method_not_allowed" },
		{ 408, "timeout" },
		{ 412, "precondition_failed" },
		{ 413, "too_large" },
		{ 414, "uri_too_long" },
		{ 415, "unsupported_media_type" },
		{ 417, "expectation_failed" },
		{ 421, "misdirected_request" },
		{ 431, "headers_too_large" },
		{ 501, "not_implemented" },
		{ 502, "bad_gateway" },
		{ 504, "gateway_timeout" },
		{ 505, "version_not_supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].status == status)
			return names[i].code;
	return row_of(e)->code;
}

/* `reason` may be NULL: which check refused a token. */
static void
put_error(struct buf *out, const char *code, const char *reason, struct bytes message,
          unsigned status, struct bytes decision)
{
	buf_put_text(out, "{\"error\":{\"code\":");
	json_put_string(out, bytes_text(code));
	if (reason != NULL) {
		buf_put_text(out, ",\"reason\":");
		json_put_string(out, bytes_text(reason));
	}
	buf_put_text(out, ",\"message\":");
	json_put_string(out, message);
	buf_printf(out, ",\"status\":%u", status);
	if (decision.len != 0) {
		buf_put_text(out, ",\"decision\":");
		json_put_string(out, decision);
	}
	buf_put_text(out, "}}\n");
}

static bool
takes_dpop(const struct settings *settings)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		if ((settings->issuers[i].bindings & BINDING_DPOP) != 0)
			return true;
	return false;
}

/* A proof may be signed with any algorithm we know. */
static void
put_algorithms(struct buf *out)
{
	buf_put_text(out, ", algs=\"");
	for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1) {
		if (bit != ALG_RS256)
			buf_put_u8(out, ' ');
		buf_put_text(out, jws_alg_name((enum jws_alg_bit)bit));
	}
	buf_put_u8(out, '"');
}

/* RFC 6750 section 3, RFC 9449 section 7.1. The scheme that was used says what was wrong; where
 * nothing was shown, each that may be used is offered. `why` is a literal of ours: plain ASCII
 * without quotes. */
static void
put_challenge(struct request *r, const char *scheme, unsigned status, const char *why)
{
	struct buf *out = &r->reply.fields;
	const char *reason = request_refusal(r);
	bool is_dpop = scheme[0] == 'D', is_used = is_dpop == r->is_dpop;

	buf_printf(out, "WWW-Authenticate: %s realm=\"gatewarden\"", scheme);
	if (is_used && status == 403)
		buf_put_text(out, ", error=\"insufficient_scope\"");
	else if (is_used && reason != NULL)
		buf_printf(out, ", error=\"%s\", error_description=\"%s: %s\"",
		           r->reply.challenge_error, reason, why);
	if (is_dpop)
		put_algorithms(out);
	if (status == 401) /* who gives tokens for us: RFC 9728 section 5.1 */
		buf_printf(out, ", resource_metadata=\"%s/.well-known/oauth-protected-resource\"",
		           r->gate->settings->public_url);
	buf_put_text(out, "\r\n");
}

static void
put_challenges(struct request *r, unsigned status, const char *why)
{
	if (r->is_dpop || (status == 401 && takes_dpop(r->gate->settings)))
		put_challenge(r, "DPoP", status, why);
	if (!r->is_dpop)
		put_challenge(r, "Bearer", status, why);
}

/* Says more than the literal where it safely can: the column at fault, the place in a filter. */
static struct bytes
message_of(const struct request *r, struct err e)
{
	const struct row *row = row_of(e);
	const char *why = row->public != NULL && status_of(e) == row->status ? row->public : e.why;

	return r->detail.len != 0 && row->public == NULL ? r->detail : bytes_text(why);
}

void
answer_error(struct request *r)
{
	struct err e = r->outcome;
	unsigned status = status_of(e);
	struct reply *reply = &r->reply;

	buf_clear(&reply->body);
	buf_clear(&reply->fields);
	reply->asset = (struct bytes){ 0 };
	buf_clear(&reply->trailers);
	reply->is_partial = reply->is_streamed = reply->has_length = false;
	reply->is_forwarded = reply->has_date = reply->is_tunnel = false;
	reply->body.limit = 0;
	r->is_cacheable = false;
	reply->status = status;
	reply->type = "application/json";
	if (status == 401 || (status == 403 && r->who != NULL))
		put_challenges(r, status, e.why);
	if (r->allow_field != NULL)
		buf_put_text(&reply->fields, r->allow_field);
	if (status == 429 || status == 503)
		buf_printf(&reply->fields, "Retry-After: %u\r\n",
		           r->retry_after_s != 0 ? r->retry_after_s : RETRY_AFTER_S);
	if (r->endpoint != NULL && r->endpoint->put_error != NULL) {
		r->endpoint->put_error(r, &reply->body);
		return;
	}
	put_error(&reply->body, code_of(e, status), request_refusal(r), message_of(r, e), status,
	          request_is_recorded(r) ? (struct bytes){ r->decision_id, ULID_LEN }
	                                 : (struct bytes){ 0 });
}

unsigned
answer_refusal(struct err e, struct buf *lines, struct buf *body)
{
	unsigned status = status_of(e);

	put_error(body, code_of(e, status), NULL, bytes_text(e.why), status, (struct bytes){ 0 });
	http_reply_field(lines, "Content-Type", BYTES("application/json"));
	return status;
}

/* What both versions of HTTP send */

void
answer_fields(struct request *r, struct buf *out)
{
	const struct reply *reply = &r->reply;

	if (reply->type != NULL && answer_has_body(r))
		http_reply_field(out, "Content-Type", bytes_text(reply->type));
	buf_put(out, buf_bytes(&reply->fields));
	timing_put(r, out);
	if (reply->is_forwarded)
		return;
	buf_put_text(out, "X-Content-Type-Options: nosniff\r\n");
	if (!r->is_cacheable)
		buf_put_text(out, "Cache-Control: no-store\r\n");
}

bool
answer_has_body(const struct request *r)
{
	return r->reply.status != 204 && r->reply.status != 304;
}

static struct bytes
body_of(const struct reply *reply)
{
	return reply->asset.len != 0 ? reply->asset : buf_bytes(&reply->body);
}

size_t
answer_length(const struct request *r)
{
	return body_of(&r->reply).len;
}

void
answer_begin(struct request *r)
{
	struct reply *reply = &r->reply;

	reply->has_begun = true;
	if (!answer_has_body(r) || r->is_head)
		reply->sent = answer_length(r);
}

struct err
answer_fill(struct request *r, enum step *step)
{
	struct reply *reply = &r->reply;

	if (!reply->is_partial || reply->sent < reply->body.len)
		return OK;
	reply->gone += reply->body.len;
	reply->sent = 0;
	buf_clear(&reply->body);
	return r->endpoint->execute(r, step);
}

struct bytes
answer_take(struct request *r, size_t max)
{
	struct reply *reply = &r->reply;
	struct bytes part = bytes_slice(body_of(reply), reply->sent, reply->sent + max);

	reply->sent += part.len;
	counter_add(&r->gate->counters->bytes_out, part.len);
	return part;
}

bool
answer_is_taken(const struct request *r)
{
	return r->reply.sent >= answer_length(r);
}

/* A body in parts ends when its second record is kept: who reads the end of it knows that all is
 * recorded. */
bool
answer_may_end(const struct request *r)
{
	return answer_is_taken(r) && !r->reply.is_partial &&
	       (!r->reply.is_streamed || (r->is_completion && !failed(r->outcome)));
}
