/* record.c - what a request became, as an audit record. Never the token, the body, or a value of
 * the data. */
#include "base/clock.h"
#include "frontend/request.h"

static size_t
role_names(const struct request *r, struct bytes roles[AUDIT_ROLES_MAX])
{
	const struct settings *settings = r->gate->settings;
	uint64_t held = r->who == NULL ? 0 : principal_roles(r->who);
	size_t count = 0;

	for (size_t i = 0; i < settings->role_count && count < AUDIT_ROLES_MAX; i++)
		if ((held >> i & 1) != 0)
			roles[count++] = bytes_text(settings->roles[i].name);
	return count;
}

/* What a route that only observes would have said is its decision, whatever the service made of
 * what would not have come to it; and who is sent to the login is refused. */
static struct err
deciding(const struct request *r)
{
	bool is_refusal = failed(r->refusal) && (!r->is_completion || !failed(r->outcome));

	return is_refusal ? r->refusal : r->outcome;
}

enum audit_outcome
request_outcome(const struct request *r)
{
	switch ((enum err_kind)deciding(r).kind) {
	case ERR_OK:
		return AUDIT_ALLOWED;
	case ERR_IDENTITY:
	case ERR_DENIED:
		return AUDIT_DENIED;
	case ERR_NOT_FOUND:
		/* Allowed to look, and nothing was there to be seen. */
		return AUDIT_ALLOWED;
	case ERR_PEER:
	case ERR_CONFLICT:
	case ERR_INVALID:
	case ERR_LIMIT:
	case ERR_UPSTREAM:
	case ERR_CONFIG:
	case ERR_SYSTEM:
		break;
	}
	return AUDIT_FAILED;
}

static struct bytes
reason_of(const struct request *r)
{
	if (r->reason.len != 0)
		return r->reason;
	struct err e = deciding(r);
	if (r->decision.why != NULL && e.kind == ERR_DENIED)
		return bytes_text(r->decision.why);
	return failed(e) ? bytes_text(e.why) : (struct bytes){ 0 };
}

void
request_audit(const struct request *r, struct audit_record *ret,
              struct bytes roles[AUDIT_ROLES_MAX])
{
	*ret = (struct audit_record){
		.decision = { r->decision_id, ULID_LEN },
		.trace = { r->trace.hex, TRACE_HEX_LEN },
		.class = r->class,
		.outcome = request_outcome(r),
		.issuer = r->who != NULL ? bytes_text(principal_issuer(r->who)) : r->issuer,
		.subject = r->who != NULL ? principal_subject(r->who) : r->subject,
		.name = r->who != NULL ? principal_name(r->who) : r->name,
		.agent = r->who != NULL ? principal_agent(r->who) : r->agent,
		.roles = roles,
		.role_count = role_names(r, roles),
		.client = r->client,
		.resource = r->resource,
		.action = r->action,
		.rule = r->decision.rule,
		.reason = reason_of(r),
		.path = r->path,
		.backend = r->backend,
		.status = (uint16_t)r->reply.status,
		.rows = failed(r->outcome) ? -1 : r->rows,
		.bytes = r->reply.gone + r->reply.body.len,
		.duration_us = clock_monotonic_us() - r->started_us,
		.has_fingerprint = r->has_fingerprint,
		.is_observed = r->is_observed,
		.is_completion = r->is_completion,
	};
	memcpy(ret->fingerprint, r->fingerprint, FINGERPRINT_LEN);
	if (r->class == 0)
		ret->class = AUDIT_API;
}
