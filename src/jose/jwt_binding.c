/* jwt_binding.c - JWT_BINDING, see jwt.h: a token that is bound is worth nothing without what it is
 * bound to. */
#include "base/macros.h"
#include "format/base64.h"
#include "jose/jwt.h"

enum { SHA256_LEN = 32, HASH_TEXT_LEN = 43 };

/* A confirmation that is there and cannot be read binds to something we cannot prove. */
static struct bytes
read_hash(const struct json *cnf, const char *name, bool *is_unknown)
{
	const struct json *member = json_member(cnf, name);
	struct bytes text = { 0 };

	if (member == NULL)
		return text;
	if (json_string(member, &text) && text.len == HASH_TEXT_LEN)
		return text;
	*is_unknown = true;
	return (struct bytes){ 0 };
}

struct jwt_binding
jwt_binding_of(const struct json *claims)
{
	const struct json *cnf = json_member(claims, "cnf");
	struct jwt_binding b = { 0 };

	if (cnf == NULL)
		return b;
	b.key = read_hash(cnf, "jkt", &b.is_unknown);
	b.certificate = read_hash(cnf, "x5t#S256", &b.is_unknown);
	b.is_unknown |= b.key.len == 0 && b.certificate.len == 0;
	return b;
}

static bool
is_certificate(struct bytes text, struct bytes sha256)
{
	struct buf encoded CLEANUP(buf_done) = { .limit = HASH_TEXT_LEN };

	if (sha256.len != SHA256_LEN)
		return false;
	base64url_put(&encoded, sha256);
	return bytes_equal(text, buf_bytes(&encoded));
}

/* What is wrong, or NULL. RFC 9449 section 7.1: a token of the scheme DPoP must be bound, and a
 * bound one must not come as Bearer, even with a proof beside it. */
static const char *
find_fault(const struct jwt_binding *b, const struct jwt_proven *p, unsigned bindings)
{
	bool bound = ((bindings & BINDING_DPOP) != 0 && b->key.len != 0) ||
	             ((bindings & BINDING_MTLS) != 0 && b->certificate.len != 0);

	if (b->is_unknown)
		return "the token is bound in a way that is not known";
	if (bindings != 0 && !bound)
		return "the token must be bound to a key or a certificate";
	if (p->cannot_be_asked)
		return NULL;
	if (p->is_dpop && b->key.len == 0)
		return "the token is bound to no key, so it cannot come as DPoP";
	if (b->key.len != 0 && !p->is_dpop)
		return "the token is bound to a key and must come as DPoP with a proof";
	if (p->is_dpop && p->refused != NULL)
		return p->refused;
	if (p->is_dpop && p->key.len == 0)
		return "the DPoP proof is missing";
	if (b->key.len != 0 && !bytes_equal(b->key, p->key))
		return "the DPoP proof is of another key";
	if (b->certificate.len != 0 && p->certificate.len == 0)
		return "the token is bound to a certificate, and none was shown";
	if (b->certificate.len != 0 && !is_certificate(b->certificate, p->certificate))
		return "the token is bound to another certificate";
	return NULL;
}

static struct bytes
describe(const struct jwt_binding *b, const struct jwt_proven *p, const char *fault)
{
	if (fault != NULL)
		return bytes_text(fault);
	if (b->key.len == 0 && b->certificate.len == 0)
		return BYTES("bound to nothing");
	if (!p->cannot_be_asked)
		return BYTES("bound, and proven");
	return b->key.len != 0 ? BYTES("bound to a DPoP key; a proof cannot be looked at here")
	                       : BYTES("bound to a certificate; it cannot be looked at here");
}

void
jwt_check_binding(const struct jwt_binding *b, const struct jwt_proven *proven, unsigned bindings,
                  struct jwt_report *report)
{
	static const struct bytes wanted[] = {
		{ (const uint8_t *)"proof of what the token is bound to", 35 },
		{ (const uint8_t *)"a token bound to a DPoP key", 27 },
		{ (const uint8_t *)"a token bound to a certificate", 30 },
		{ (const uint8_t *)"a token bound to a DPoP key or a certificate", 44 },
	};
	const char *fault = find_fault(b, proven, bindings);

	jwt_report_check(report, JWT_BINDING, fault == NULL, fault);
	jwt_report_text(report, JWT_BINDING, wanted[bindings & (BINDING_DPOP | BINDING_MTLS)],
	                describe(b, proven, fault));
}
