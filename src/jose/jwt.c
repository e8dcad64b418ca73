/* jwt.c - see jwt.h. Every check is one function: a question, then words for the report. */
#include "jose/jwt.h"

#include <math.h>
#include <stdio.h>

#include "base/macros.h"
#include "format/moment.h"

/* Largest date: whole seconds that a double holds exactly. */
static const int64_t DATE_MAX = (int64_t)1 << 53;

static const char *const check_names[JWT_CHECK_COUNT] = {
	[JWT_FORM] = "form",           [JWT_HEADER] = "header",
	[JWT_ALGORITHM] = "algorithm", [JWT_TYPE] = "type",
	[JWT_ISSUER] = "issuer",       [JWT_KEY] = "key",
	[JWT_SIGNATURE] = "signature", [JWT_ACTIVE] = "active",
	[JWT_EXPIRES] = "expires",     [JWT_NOT_BEFORE] = "not_before",
	[JWT_AUDIENCE] = "audience",   [JWT_SUBJECT] = "subject",
	[JWT_CLAIMS] = "claims",       [JWT_BINDING] = "binding",
	[JWT_REVOKED] = "revoked",
};

const char *
jwt_check_name(enum jwt_check c)
{
	return (unsigned)c < JWT_CHECK_COUNT ? check_names[c] : "none";
}

/* The report */

void
jwt_report_init(struct jwt_report *r, bool full, struct arena *arena)
{
	*r = (struct jwt_report){ .failed = JWT_CHECK_COUNT, .full = full, .arena = arena };
}

void
jwt_report_check(struct jwt_report *r, enum jwt_check check, bool passed, const char *why)
{
	r->findings[check].done = true;
	r->findings[check].passed = passed;
	if (passed || r->failed != JWT_CHECK_COUNT)
		return;
	r->failed = check;
	r->why = why;
}

/* Whoever wrote the token wrote this text: nothing of it may steer a terminal or a log. */
static struct bytes
printable(struct bytes text, struct arena *arena)
{
	struct bytes cut = bytes_slice(text, 0, JWT_TEXT_MAX);
	uint8_t *at = arena_alloc(arena, cut.len + 1);

	if (at == NULL)
		return (struct bytes){ NULL, 0 };
	for (size_t i = 0; i < cut.len; i++)
		at[i] = cut.at[i] >= 0x20 && cut.at[i] < 0x7f ? cut.at[i] : '?';
	if (cut.len < text.len)
		memset(at + cut.len - 3, '.', 3);
	return (struct bytes){ at, cut.len };
}

/* Words cost time: only for a full report, and for the check that fails. */
static bool
wants_text(const struct jwt_report *r, enum jwt_check check)
{
	return r->full || r->failed == check;
}

void
jwt_report_text(struct jwt_report *r, enum jwt_check check, struct bytes expected, struct bytes got)
{
	if (!wants_text(r, check))
		return;
	r->findings[check].expected = printable(expected, r->arena);
	r->findings[check].got = printable(got, r->arena);
}

struct err
jwt_report_result(const struct jwt_report *r)
{
	if (r->failed == JWT_CHECK_COUNT)
		return OK;
	return (struct err){ .kind = ERR_IDENTITY,
		             .code = (unsigned)r->failed & 0xffffffu,
		             .why = r->why };
}

void
jwt_report_member(struct jwt_report *r, enum jwt_check check, struct bytes expected,
                  const struct json *got)
{
	struct buf text CLEANUP(buf_done) = { .limit = JWS_BYTES_MAX };

	if (!wants_text(r, check))
		return;
	if (got == NULL)
		buf_put_text(&text, "missing");
	else
		json_put_value(&text, got);
	jwt_report_text(r, check, expected, buf_bytes(&text));
}

/* Algorithm and type */

static void
check_algorithm(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *r)
{
	struct buf allowed CLEANUP(buf_done) = { .limit = JWT_TEXT_MAX };
	bool passed = (rules->algorithms & (unsigned)j->alg) != 0;

	jwt_report_check(r, JWT_ALGORITHM, passed,
	                 "the issuer does not use the algorithm of the token");
	if (!wants_text(r, JWT_ALGORITHM))
		return;
	for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1)
		if ((rules->algorithms & bit) != 0)
			buf_printf(&allowed, "%s%s", allowed.len == 0 ? "" : " ",
			           jws_alg_name((enum jws_alg_bit)bit));
	jwt_report_member(r, JWT_ALGORITHM, buf_bytes(&allowed), json_member(j->header, "alg"));
}

/* RFC 9068 section 2.1, RFC 8725 section 3.11. "JWT" and nothing at all say little, but most
 * issuers say no more. */
static bool
is_access_type(struct bytes typ)
{
	static const char *const types[] = { "JWT", "at+jwt", "application/at+jwt" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (bytes_equal_nocase(typ, bytes_text(types[i])))
			return true;
	return typ.len == 0;
}

/* What typ leaves open, the claims tell: OpenID Connect Core section 3.1.3.6 (nonce, at_hash,
 * c_hash), Back-Channel Logout section 2.4 (events), RFC 9449 section 4.2 (htm, htu), Cognito
 * (token_use). */
static const char *
find_foreign_claim(const struct jws *j)
{
	static const char *const foreign[] = { "events", "htm", "htu" };
	static const char *const of_id_token[] = { "nonce", "at_hash", "c_hash" };
	const struct json *use = json_member(j->payload, "token_use");
	struct bytes text;

	if (use != NULL && (!json_string(use, &text) || !bytes_is(text, "access")))
		return "token_use";
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (json_member(j->payload, foreign[i]) != NULL)
			return foreign[i];
	if (json_member(j->payload, "scope") != NULL || json_member(j->payload, "scp") != NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(of_id_token); i++)
		if (json_member(j->payload, of_id_token[i]) != NULL)
			return of_id_token[i];
	return NULL;
}

/* Entra marks what it makes for Microsoft Graph with a nonce in the header and signs something
 * else: such tokens cannot be checked by anybody but Graph. Nobody else has a use for it here. */
static void
check_type(const struct jws *j, struct jwt_report *r)
{
	bool is_graph = json_member(j->header, "nonce") != NULL;
	const char *foreign = is_graph ? "nonce in the header" : find_foreign_claim(j);
	bool typed = is_access_type(j->typ);
	struct bytes got = foreign != NULL   ? bytes_text(foreign)
	                   : j->typ.len != 0 ? j->typ
	                                     : BYTES("no typ");

	jwt_report_check(r, JWT_TYPE, typed && foreign == NULL,
	                 is_graph ? "the token is for Microsoft Graph, which alone can check it"
	                          : "the token is no access token");
	jwt_report_text(r, JWT_TYPE, BYTES("at+jwt, JWT or no typ, and no claims of other tokens"),
	                typed ? got : j->typ);
}

struct err
jwt_check_header(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *report)
{
	check_algorithm(j, rules, report);
	check_type(j, report);
	return jwt_report_result(report);
}

/* Issuer and tenant */

static bool
is_tenant(const struct json *claims, const char *tenant)
{
	struct bytes tid;

	return tenant == NULL ||
	       (json_string(json_member(claims, "tid"), &tid) && bytes_is(tid, tenant));
}

/* The name is the issuer's, and the token is of the tenant that belongs to it. *ret_tenant: which
 * that is, where the name alone is right. */
static bool
is_name(struct bytes iss, const struct json *claims, const struct jwt_rules *rules,
        const char **ret_tenant)
{
	const struct issuer_name own = { rules->issuer, rules->tenant },
				 *names = rules->name_count == 0 ? &own : rules->names;
	size_t count = rules->name_count == 0 ? 1 : rules->name_count;

	for (size_t i = 0; i < count; i++) {
		if (names[i].iss == NULL || !bytes_is(iss, names[i].iss))
			continue;
		*ret_tenant = names[i].tenant != NULL ? names[i].tenant : rules->tenant;
		if (is_tenant(claims, names[i].tenant) && is_tenant(claims, rules->tenant))
			return true;
	}
	return false;
}

bool
jwt_is_issuer(const struct json *claims, const struct jwt_rules *rules, const char **ret_tenant)
{
	struct bytes iss;

	return json_string(json_member(claims, "iss"), &iss) &&
	       is_name(iss, claims, rules, ret_tenant);
}

static void
report_names(struct jwt_report *r, const struct jwt_rules *rules, const struct json *iss)
{
	struct buf names CLEANUP(buf_done) = { .limit = JWS_BYTES_MAX };

	if (!wants_text(r, JWT_ISSUER))
		return;
	if (rules->name_count == 0 && rules->issuer != NULL)
		buf_put_text(&names, rules->issuer);
	for (size_t i = 0; i < rules->name_count; i++)
		buf_printf(&names, "%s%s", i == 0 ? "" : " or ", rules->names[i].iss);
	jwt_report_member(r, JWT_ISSUER, buf_bytes(&names), iss);
}

struct err
jwt_check_issuer(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *report)
{
	const struct json *iss = json_member(j->payload, "iss");
	const char *tenant = NULL;
	bool passed = jwt_is_issuer(j->payload, rules, &tenant);

	if (!passed && tenant != NULL) {
		jwt_report_check(report, JWT_ISSUER, false, "the token belongs to another tenant");
		jwt_report_member(report, JWT_ISSUER, bytes_text(tenant),
		                  json_member(j->payload, "tid"));
	} else {
		jwt_report_check(report, JWT_ISSUER, passed,
		                 "the issuer of the token is not known");
		report_names(report, rules, iss);
	}
	return jwt_report_result(report);
}

/* The template with the token's tid put in. */
static struct bytes
fill_template(struct bytes text, const struct json *claims, struct buf *out)
{
	static const struct bytes mark = { (const uint8_t *)"{tenantid}", 10 };
	struct bytes tid = json_member_text(claims, "tid");

	while (text.len != 0) {
		size_t at = bytes_find(text, '{');

		buf_put(out, bytes_slice(text, 0, at));
		text = bytes_slice(text, at, text.len);
		if (bytes_starts(text, mark)) {
			buf_put(out, tid);
			text = bytes_slice(text, mark.len, text.len);
		} else if (text.len != 0) {
			buf_put_u8(out, '{');
			text = bytes_slice(text, 1, text.len);
		}
	}
	return buf_bytes(out);
}

bool
jwt_key_is_of(const struct jwk *key, const struct jws *j, const struct jwt_rules *rules)
{
	struct buf name CLEANUP(buf_done) = { .limit = JWS_BYTES_MAX };
	struct bytes issuer = jwk_issuer(key);
	const char *tenant;

	if (issuer.len == 0)
		return true;
	issuer = fill_template(issuer, j->payload, &name);
	return !failed(buf_check(&name)) && is_name(issuer, j->payload, rules, &tenant);
}

/* Dates */

bool
jwt_date(const struct json *claims, const char *name, int64_t *ret_s)
{
	const struct json *member = json_member(claims, name);
	int64_t whole;
	double real;

	if (!json_int64(member, &whole)) {
		if (!json_double(member, &real) || !isfinite(real) || real > (double)DATE_MAX ||
		    real < -(double)DATE_MAX)
			return false;
		whole = (int64_t)real;
		whole -= (double)whole > real; /* down, also below zero */
	}
	if (whole < -DATE_MAX || whole > DATE_MAX)
		return false;
	*ret_s = whole;
	return true;
}

struct date_rule {
	const char *name, *expected; /* "exp", "later than" */
	int64_t now_s;
	unsigned leeway_s;
};

/* As it is written, as people read it, and how far from now; a claim of another shape as JSON. */
static void
report_date(struct jwt_report *r, enum jwt_check check, const struct jws *j,
            const struct date_rule *d)
{
	struct buf want CLEANUP(buf_done) = { .limit = JWT_TEXT_MAX };
	struct buf got CLEANUP(buf_done) = { .limit = JWT_TEXT_MAX };
	int64_t date;

	if (!wants_text(r, check))
		return;
	buf_printf(&want, "%s %s ", d->name, d->expected);
	moment_put_seconds(&want, d->now_s);
	if (d->leeway_s > 0)
		buf_printf(&want, ", %u s forgiven", d->leeway_s);
	if (!jwt_date(j->payload, d->name, &date)) {
		jwt_report_member(r, check, buf_bytes(&want), json_member(j->payload, d->name));
		return;
	}
	buf_printf(&got, "%lld, ", (long long)date);
	moment_put_seconds(&got, date);
	if (date <= d->now_s)
		buf_printf(&got, " (%lld s ago)", (long long)(d->now_s - date));
	else
		buf_printf(&got, " (in %lld s)", (long long)(date - d->now_s));
	jwt_report_text(r, check, buf_bytes(&want), buf_bytes(&got));
}

/* RFC 7519 section 4.1.4: on or after exp the token must not be accepted. */
static void
check_expires(const struct jws *j, const struct jwt_rules *rules, int64_t now_s,
              struct jwt_report *r)
{
	int64_t date;
	bool known = jwt_date(j->payload, "exp", &date);
	bool passed = known && now_s - (int64_t)rules->leeway_s < date;

	jwt_report_check(r, JWT_EXPIRES, passed,
	                 known ? "the token expired" : "the token has no expiry date");
	report_date(r, JWT_EXPIRES, j,
	            &(struct date_rule){ "exp", "later than", now_s, rules->leeway_s });
}

/* RFC 7519 sections 4.1.5 and 4.1.6; a token of the future was made by a clock we cannot trust. */
static void
check_not_before(const struct jws *j, const struct jwt_rules *rules, int64_t now_s,
                 struct jwt_report *r)
{
	static const char *const dates[] = { "nbf", "iat" };
	const char *shown = "nbf";

	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		int64_t date;

		if (json_member(j->payload, dates[i]) == NULL)
			continue;
		shown = dates[i];
		if (jwt_date(j->payload, dates[i], &date) &&
		    date <= now_s + (int64_t)rules->leeway_s)
			continue;
		jwt_report_check(r, JWT_NOT_BEFORE, false, "the token is not valid yet");
		report_date(r, JWT_NOT_BEFORE, j,
		            &(struct date_rule){ shown, "not later than", now_s, rules->leeway_s });
		return;
	}
	jwt_report_check(r, JWT_NOT_BEFORE, true, NULL);
	report_date(r, JWT_NOT_BEFORE, j,
	            &(struct date_rule){ shown, "not later than", now_s, rules->leeway_s });
}

/* Audience and subject */

static bool
is_our_audience(struct bytes audience, const struct jwt_rules *rules)
{
	for (size_t i = 0; i < rules->audience_count; i++)
		if (bytes_is(audience, rules->audience[i]))
			return true;
	return false;
}

/* RFC 7519 section 4.1.3: one text, or an array of nothing but texts. */
static bool
names_us(const struct json *aud, const struct jwt_rules *rules)
{
	struct bytes text;
	bool found = false;

	if (json_string(aud, &text))
		return is_our_audience(text, rules);
	if (aud == NULL || aud->type != JSON_ARRAY)
		return false;
	for (const struct json *i = json_first(aud); i != NULL; i = json_next(aud, i)) {
		if (!json_string(i, &text))
			return false;
		found |= is_our_audience(text, rules);
	}
	return found;
}

static void
check_audience(const struct jws *j, const struct jwt_rules *rules, struct jwt_report *r)
{
	const struct json *aud = json_member(j->payload, "aud");
	struct buf wanted CLEANUP(buf_done) = { .limit = JWS_BYTES_MAX };

	jwt_report_check(r, JWT_AUDIENCE, rules->audience_count == 0 || names_us(aud, rules),
	                 "the token is for another audience");
	if (!wants_text(r, JWT_AUDIENCE))
		return;
	for (size_t i = 0; i < rules->audience_count; i++)
		buf_printf(&wanted, "%s%s", i == 0 ? "" : " or ", rules->audience[i]);
	if (rules->audience_count == 0)
		buf_put_text(&wanted, "not looked at: the client is");
	jwt_report_member(r, JWT_AUDIENCE, buf_bytes(&wanted), aud);
}

bool
jwt_is_subject(struct bytes text)
{
	if (text.len == 0 || text.len > JWT_SUBJECT_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	return true;
}

static void
check_subject(const struct jws *j, struct jwt_report *r)
{
	const struct json *sub = json_member(j->payload, "sub");
	struct bytes text;

	jwt_report_check(r, JWT_SUBJECT, json_string(sub, &text) && jwt_is_subject(text),
	                 "the token names no subject");
	jwt_report_member(r, JWT_SUBJECT,
	                  BYTES("a text of 1 to 1024 bytes without control characters"), sub);
}

struct err
jwt_check_claims(const struct jws *j, const struct jwt_rules *rules, int64_t now_s,
                 struct jwt_report *report)
{
	check_expires(j, rules, now_s, report);
	check_not_before(j, rules, now_s, report);
	check_audience(j, rules, report);
	check_subject(j, report);
	jwt_check_caller(j, rules, report);
	return jwt_report_result(report);
}
