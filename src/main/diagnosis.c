/* diagnosis.c - see diagnosis.h. */
#include "main/diagnosis.h"

#include "base/macros.h"
#include "format/moment.h"
#include "jose/claim.h"

enum { VALUES_SHOWN_MAX = 16, INDENT = 18 };

static const char *const verdicts[] = { [VERDICT_ACCEPTED] = "accepted",
	                                [VERDICT_REFUSED] = "refused",
	                                [VERDICT_UNPROVEN] = "not proven" };

/* Facts for both forms */

/* The values of a claim that gives roles, by the rule of src/identity/role_map.h: items of an array
 * of texts, or the words of a text that is a scope. Another shape has none. */
struct values {
	const struct json *claim, *item; /* item: the next; NULL: no array, or its end */
	struct bytes words;              /* left of a scope */
	bool is_odd;
};

static bool
is_array_of_texts(const struct json *claim)
{
	struct bytes text;

	if (claim->type != JSON_ARRAY)
		return false;
	for (const struct json *i = json_first(claim); i != NULL; i = json_next(claim, i))
		if (!json_string(i, &text))
			return false;
	return true;
}

static struct values
values_of(const struct diagnosis *d, const char *path)
{
	struct values v = { .claim = claim_find(d->about.claims, bytes_text(path)) };
	bool is_scope = strcmp(path, "scp") == 0 || strcmp(path, "scope") == 0;

	if (v.claim == NULL || (is_scope && json_string(v.claim, &v.words)))
		return v;
	v.is_odd = !is_array_of_texts(v.claim);
	v.item = v.is_odd ? NULL : json_first(v.claim);
	return v;
}

static bool
values_next(struct values *v, struct bytes *ret)
{
	if (v->item == NULL)
		return claim_word(&v->words, ret);
	(void)json_string(v->item, ret); /* each is one */
	v->item = json_next(v->claim, v->item);
	return true;
}

static bool
has_value(const struct diagnosis *d, const char *path, const char *wanted)
{
	struct values v = values_of(d, path);
	struct bytes value;

	while (values_next(&v, &value))
		if (bytes_is(value, wanted))
			return true;
	/* Of a role that was given, this is where it came from, whatever the shape. */
	return d->found->who != NULL && json_string(v.claim, &value) && bytes_is(value, wanted);
}

/* The claim through which this value came; NULL: it did not. */
static const char *
claim_giving(const struct diagnosis *d, const struct grant_source *source)
{
	const struct issuer_settings *issuer = d->about.issuer;

	for (size_t i = 0; i < issuer->roles_claim_count; i++)
		if (has_value(d, issuer->roles_claims[i], source->value))
			return issuer->roles_claims[i];
	return NULL;
}

static bool
is_of_issuer(const struct diagnosis *d, const struct grant_source *source)
{
	return &d->about.settings->issuers[source->issuer] == d->about.issuer;
}

/* Those the token has; of one that is not proven, those it would have. */
static uint64_t
roles_of(const struct diagnosis *d)
{
	const struct settings *s = d->about.settings;
	uint64_t roles = 0;

	if (d->found->who != NULL)
		return principal_roles(d->found->who);
	if (d->verdict != VERDICT_UNPROVEN || d->about.issuer == NULL)
		return 0;
	for (size_t i = 0; i < s->role_count && i < ROLES_MAX; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++)
			if (is_of_issuer(d, &s->roles[i].granted_by[n]) &&
			    claim_giving(d, &s->roles[i].granted_by[n]) != NULL)
				roles |= UINT64_C(1) << i;
	return roles;
}

/* Not made because of what is missing, and not only because another failed first. */
static bool
is_left_open(const struct diagnosis *d, enum jwt_check check)
{
	return !d->found->report.findings[check].done && d->verdict == VERDICT_UNPROVEN;
}

/* For people */

static void
put_finding(const struct diagnosis *d, enum jwt_check check, struct buf *out)
{
	const struct jwt_finding *f = &d->found->report.findings[check];

	buf_printf(out, "%-4s  ", !f->done ? "-" : f->passed ? "ok" : "FAIL");
	if (!f->done) {
		buf_printf(out, "%s%s\n", jwt_check_name(check),
		           is_left_open(d, check) ? "  not looked at" : "");
		return;
	}
	buf_printf(out, "%-10s", jwt_check_name(check));
	if (f->expected.len > 0)
		buf_printf(out, "  expected %.*s", (int)f->expected.len,
		           (const char *)f->expected.at);
	if (f->got.len > 0)
		buf_printf(out, "  got %.*s", (int)f->got.len, (const char *)f->got.at);
	buf_put_u8(out, '\n');
	if (f->passed)
		return;
	for (size_t i = 0; i < INDENT; i++)
		buf_put_u8(out, ' ');
	advice_put(&d->about, check, out);
	buf_put_u8(out, '\n');
}

static void
put_role(const struct diagnosis *d, const struct role_settings *role, struct buf *out)
{
	buf_printf(out, "role  %s  by", role->name);
	for (size_t i = 0; i < role->granted_by_count; i++) {
		const struct grant_source *source = &role->granted_by[i];
		const char *claim = is_of_issuer(d, source) ? claim_giving(d, source) : NULL;

		if (claim != NULL)
			buf_printf(out, " %s:%s through %s", d->about.issuer->name, source->value,
			           claim);
	}
	buf_put_u8(out, '\n');
}

static void
put_looked_at(const struct diagnosis *d, const char *path, struct buf *out)
{
	struct values v = values_of(d, path);
	struct bytes value;
	size_t shown = 0;

	buf_printf(out, "      claim %s:", path);
	while (shown < VALUES_SHOWN_MAX && values_next(&v, &value)) {
		buf_put_text(out, shown++ == 0 ? " " : ", ");
		advice_put_text(value, out);
	}
	if (shown == VALUES_SHOWN_MAX && values_next(&v, &value))
		buf_put_text(out, ", ...");
	if (v.is_odd) {
		buf_put_text(out, " no array of texts, so it grants nothing: ");
		advice_put_claim(v.claim, out);
	} else if (shown == 0) {
		buf_put_text(out, v.claim == NULL ? " the token has none" : " empty");
	}
	buf_put_u8(out, '\n');
}

static void
put_no_role(const struct diagnosis *d, struct buf *out)
{
	const struct settings *s = d->about.settings;

	buf_printf(out,
	           "role  none: no `granted_by` of issuer `%s` names a value that the token has\n",
	           d->about.issuer->name);
	for (size_t i = 0; i < d->about.issuer->roles_claim_count; i++)
		put_looked_at(d, d->about.issuer->roles_claims[i], out);
	buf_put_text(out, "      would give one:");
	for (size_t i = 0; i < s->role_count; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++)
			if (is_of_issuer(d, &s->roles[i].granted_by[n]))
				buf_printf(out, " %s (%s)", s->roles[i].granted_by[n].value,
				           s->roles[i].name);
	buf_put_u8(out, '\n');
}

static void
put_roles(const struct diagnosis *d, struct buf *out)
{
	const struct settings *s = d->about.settings;

	for (size_t i = 0; i < s->role_count; i++)
		if (roles_of(d) >> i & 1)
			put_role(d, &s->roles[i], out);
	if (roles_of(d) == 0)
		put_no_role(d, out);
}

static void
put_accepted(const struct diagnosis *d, struct buf *out)
{
	const struct principal *who = d->found->who;

	buf_printf(out, "accepted: issuer %s, subject ", principal_issuer(who));
	advice_put_text(principal_subject(who), out);
	buf_put_text(out, ", until ");
	moment_put_seconds(out, principal_expires(who));
	if (principal_agent(who).len > 0) {
		buf_put_text(out, ", used by ");
		advice_put_text(principal_agent(who), out);
	}
	if (principal_resource(who).len > 0) {
		buf_put_text(out, ", for resource ");
		advice_put_text(principal_resource(who), out);
		buf_put_text(out, " only");
	}
	buf_put_u8(out, '\n');
	put_roles(d, out);
}

void
diagnosis_put_text(const struct diagnosis *d, struct buf *out)
{
	const struct jwt_report *report = &d->found->report;

	for (unsigned check = 0; check < JWT_CHECK_COUNT; check++)
		put_finding(d, (enum jwt_check)check, out);
	switch (d->verdict) {
	case VERDICT_ACCEPTED:
		put_accepted(d, out);
		break;
	case VERDICT_REFUSED:
		buf_printf(out, "refused: %s: %s\n", jwt_check_name(report->failed),
		           report->why == NULL ? "" : report->why);
		break;
	case VERDICT_UNPROVEN:
		buf_printf(out, "not proven: %.*s\n", (int)d->not_looked_at.len,
		           (const char *)d->not_looked_at.at);
		/* Of a token that only its issuer reads nothing is known here. */
		if (d->about.claims != NULL && d->about.issuer != NULL)
			put_roles(d, out);
		break;
	}
}

/* For programs */

static void
put_json_finding(const struct diagnosis *d, enum jwt_check check, struct buf *out)
{
	CLEANUP(buf_done) struct buf advice = { 0 };
	const struct jwt_finding *f = &d->found->report.findings[check];

	if (f->done && !f->passed)
		advice_put(&d->about, check, &advice);
	buf_put_text(out, check == 0 ? "{\"check\":" : ",{\"check\":");
	json_put_string(out, bytes_text(jwt_check_name(check)));
	json_put_text(out, "result",
	              bytes_text(!f->done    ? "not looked at"
	                         : f->passed ? "ok"
	                                     : "failed"));
	json_put_text(out, "expected", f->expected);
	json_put_text(out, "got", f->got);
	json_put_text(out, "advice", buf_bytes(&advice));
	buf_put_u8(out, '}');
}

static void
put_json_roles(const struct diagnosis *d, struct buf *out)
{
	const struct settings *s = d->about.settings;
	const char *before = "";

	for (size_t i = 0; i < s->role_count; i++) {
		const char *between = "";

		if ((roles_of(d) >> i & 1) == 0)
			continue;
		buf_printf(out, "%s{\"role\":", before);
		json_put_string(out, bytes_text(s->roles[i].name));
		buf_put_text(out, ",\"by\":[");
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++) {
			const struct grant_source *source = &s->roles[i].granted_by[n];
			const char *claim =
				is_of_issuer(d, source) ? claim_giving(d, source) : NULL;

			if (claim == NULL)
				continue;
			buf_printf(out, "%s{\"value\":", between);
			json_put_string(out, bytes_text(source->value));
			json_put_text(out, "claim", bytes_text(claim));
			buf_put_u8(out, '}');
			between = ",";
		}
		buf_put_text(out, "]}");
		before = ",";
	}
}

static void
put_json_claims(const struct diagnosis *d, struct buf *out)
{
	for (size_t i = 0; d->about.issuer != NULL && i < d->about.issuer->roles_claim_count; i++) {
		struct values v = values_of(d, d->about.issuer->roles_claims[i]);
		struct bytes value;
		size_t shown = 0;

		buf_put_text(out, i == 0 ? "{\"claim\":" : ",{\"claim\":");
		json_put_string(out, bytes_text(d->about.issuer->roles_claims[i]));
		buf_put_text(out, ",\"values\":[");
		while (shown < VALUES_SHOWN_MAX && values_next(&v, &value)) {
			buf_put_text(out, shown++ == 0 ? "" : ",");
			json_put_string(out, bytes_slice(value, 0, JWT_TEXT_MAX));
		}
		buf_put_text(out, v.is_odd ? "],\"is_array_of_texts\":false}" : "]}");
	}
}

static void
put_json_grants(const struct diagnosis *d, struct buf *out)
{
	const struct settings *s = d->about.settings;
	const char *before = "";

	for (size_t i = 0; i < s->role_count; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++) {
			if (!is_of_issuer(d, &s->roles[i].granted_by[n]))
				continue;
			buf_printf(out, "%s{\"value\":", before);
			json_put_string(out, bytes_text(s->roles[i].granted_by[n].value));
			json_put_text(out, "role", bytes_text(s->roles[i].name));
			buf_put_u8(out, '}');
			before = ",";
		}
}

static struct bytes
why_of(const struct diagnosis *d)
{
	if (d->verdict == VERDICT_UNPROVEN)
		return d->not_looked_at;
	return bytes_text(d->found->report.why == NULL ? "" : d->found->report.why);
}

static void
put_json_principal(const struct principal *who, struct buf *out)
{
	buf_put_text(out, ",\"expires\":\"");
	moment_put_seconds(out, principal_expires(who));
	buf_put_u8(out, '"');
	json_put_text(out, "subject", principal_subject(who));
	json_put_text(out, "name", principal_name(who));
	json_put_text(out, "agent", principal_agent(who));
	json_put_text(out, "resource", principal_resource(who));
}

void
diagnosis_put_json(const struct diagnosis *d, struct buf *out)
{
	const struct jwt_report *report = &d->found->report;

	buf_put_text(out, "{\"verdict\":");
	json_put_string(out, bytes_text(verdicts[d->verdict]));
	json_put_text(out, "reason",
	              d->verdict == VERDICT_REFUSED ? bytes_text(jwt_check_name(report->failed))
	                                            : (struct bytes){ 0 });
	json_put_text(out, "why", why_of(d));
	json_put_text(out, "issuer",
	              bytes_text(d->about.issuer == NULL ? "" : d->about.issuer->name));
	if (d->found->who != NULL)
		put_json_principal(d->found->who, out);
	buf_put_text(out, ",\"checks\":[");
	for (unsigned check = 0; check < JWT_CHECK_COUNT; check++)
		put_json_finding(d, (enum jwt_check)check, out);
	buf_put_text(out, "],\"roles\":[");
	put_json_roles(d, out);
	buf_put_text(out, "],\"claims\":[");
	put_json_claims(d, out);
	buf_put_text(out, "],\"grants\":[");
	put_json_grants(d, out);
	buf_put_text(out, "]}\n");
}
