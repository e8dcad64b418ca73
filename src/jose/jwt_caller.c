/* jwt_caller.c - JWT_CLAIMS, see jwt.h: who is calling through what client, as an issuer's settings
 * allow it. Each question is one function; the first that finds a fault writes the verdict. */
#include "base/macros.h"
#include "jose/claim.h"
#include "jose/jwt.h"

struct verdict {
	const char *why;     /* literal; NULL: no fault */
	struct buf expected; /* owned */
	const struct json *got;
};

static void
verdict_done(struct verdict *v)
{
	buf_done(&v->expected);
}

static void
put_values(struct buf *out, const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : " or ", values[i]);
}

/* Who the token was given to; NULL where none of the names is there. */
static const struct json *
find_client(const struct json *claims, const char *names)
{
	struct bytes words = names == NULL ? (struct bytes){ 0 } : bytes_text(names), name;

	while (claim_word(&words, &name)) {
		for (const struct json *i = json_first(claims); i != NULL; i = json_next(claims, i))
			if (bytes_equal(i->text, name))
				return i + 1;
	}
	return NULL;
}

static void
judge_client(const struct json *claims, const struct jwt_rules *rules, struct verdict *v)
{
	const struct json *client = find_client(claims, rules->client_claim);
	struct bytes text;
	bool named = json_string(client, &text);

	buf_printf(&v->expected, "%s ",
	           rules->client_claim == NULL ? "client" : rules->client_claim);
	v->got = client;
	if (!named && (rules->client_required || rules->client_count != 0)) {
		v->why = "the token names no client, so it is no access token";
		buf_put_text(&v->expected, "as text");
	}
	if (!named || rules->client_count == 0)
		return;
	for (size_t i = 0; i < rules->client_count; i++)
		if (bytes_is(text, rules->clients[i]))
			return;
	v->why = "the token was given to another client";
	put_values(&v->expected, rules->clients, rules->client_count);
}

static bool
is_text_of(const struct json *claims, const char *name, const struct json *other)
{
	struct bytes text, compared;

	return json_string(json_member(claims, name), &text) && json_string(other, &compared) &&
	       bytes_equal(text, compared);
}

bool
jwt_is_app(const struct json *claims, const struct jwt_rules *rules)
{
	const struct json *sub = json_member(claims, "sub"), *kind = json_member(claims, "idtyp");
	struct bytes text;

	if (kind != NULL)
		return json_string(kind, &text) && bytes_is(text, "app");
	if (is_text_of(claims, "sub", find_client(claims, rules->client_claim)))
		return true;
	if (json_string(json_member(claims, "gty"), &text) && bytes_is(text, "client-credentials"))
		return true;
	return json_member(claims, "scp") == NULL && json_member(claims, "scope") == NULL &&
	       is_text_of(claims, "oid", sub);
}

static void
judge_callers(const struct json *claims, const struct jwt_rules *rules, struct verdict *v)
{
	if (rules->callers == CALLERS_ANY ||
	    jwt_is_app(claims, rules) == (rules->callers == CALLERS_APPS))
		return;
	v->got = json_member(claims, "sub");
	v->why = rules->callers == CALLERS_USERS ? "the token has no user"
	                                         : "the token is of a user, not of an application";
	buf_put_text(&v->expected,
	             rules->callers == CALLERS_USERS ? "a user as sub" : "an application as sub");
}

/* Is it one of the names that the tenant of the token writes itself? */
static bool
is_own_name(struct bytes name, const struct json *claims, const struct jwt_rules *rules)
{
	struct bytes tid;

	for (size_t i = 0; i < rules->name_count; i++)
		if (bytes_is(name, rules->names[i].iss) &&
		    (rules->names[i].tenant == NULL ||
		     (json_string(json_member(claims, "tid"), &tid) &&
		      bytes_is(tid, rules->names[i].tenant))))
			return true;
	return rules->name_count == 0 && rules->issuer != NULL && bytes_is(name, rules->issuer);
}

static void
judge_guest(const struct json *claims, const struct jwt_rules *rules, struct verdict *v)
{
	const struct json *account = json_member(claims, "acct"), *idp = json_member(claims, "idp");
	struct bytes text;

	if (!rules->guests_refused)
		return;
	v->why = "the token is of a guest";
	buf_put_text(&v->expected, "acct 0, no idp or the tenant's own");
	v->got = account;
	if (account != NULL && (!claim_text(account, &text) || !bytes_is(text, "0")))
		return;
	v->got = idp;
	if (idp != NULL && (!json_string(idp, &text) || !is_own_name(text, claims, rules)))
		return;
	v->why = NULL;
}

/* Who acts for the subject stands in every audit record: it must be a name (RFC 8693 section 4.1).
 */
static void
judge_actor(const struct json *claims, const struct jwt_rules *rules, struct verdict *v)
{
	const struct json *act = json_member(claims, "act"), *sub = json_member(act, "sub");
	struct bytes text;

	(void)rules;
	if (act == NULL || (act->type == JSON_OBJECT &&
	                    (sub == NULL || (json_string(sub, &text) && jwt_is_subject(text)))))
		return;
	v->why = "the token does not say clearly who acts";
	v->got = act;
	buf_put_text(&v->expected, "act as an object, its sub as text");
}

static bool
has_required(const struct json *claim, const struct required_claim *required)
{
	if (claim == NULL || claim->type == JSON_NULL)
		return false;
	for (size_t i = 0; i < required->count; i++)
		if (claim_holds(claim, bytes_text(required->values[i])))
			return true;
	return required->count == 0;
}

static void
judge_required(const struct json *claims, const struct jwt_rules *rules, struct verdict *v)
{
	for (size_t i = 0; i < rules->required_count; i++) {
		const struct required_claim *required = &rules->required[i];
		const struct json *claim = claim_find(claims, bytes_text(required->path));

		if (has_required(claim, required))
			continue;
		v->got = claim;
		v->why = claim == NULL ? "a required claim is missing"
		                       : "a required claim has another value";
		buf_printf(&v->expected, "%s ", required->path);
		put_values(&v->expected, required->values, required->count);
		return;
	}
}

void
jwt_check_caller(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *report)
{
	static void (*const judges[])(const struct json *, const struct jwt_rules *,
	                              struct verdict *) = { judge_client, judge_callers,
		                                            judge_guest, judge_actor,
		                                            judge_required };

	for (size_t i = 0; i < ARRAY_LEN(judges); i++) {
		struct verdict v CLEANUP(verdict_done) = { .expected.limit = JWS_BYTES_MAX };

		judges[i](j->payload, rules, &v);
		if (v.why == NULL)
			continue;
		jwt_report_check(report, JWT_CLAIMS, false, v.why);
		jwt_report_member(report, JWT_CLAIMS, buf_bytes(&v.expected), v.got);
		return;
	}
	jwt_report_check(report, JWT_CLAIMS, true, NULL);
	jwt_report_text(report, JWT_CLAIMS,
	                BYTES("client, caller and required claims as configured"), BYTES("that"));
}
