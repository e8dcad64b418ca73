/* issuers.c - see issuers.h. The order of the checks is that of enum jwt_check. */
#include "identity/issuers.h"

#include <stdlib.h>

#include "base/macros.h"
#include "identity/principal_make.h"
#include "identity/role_map.h"
#include "identity/token_cache.h"

struct issuer {
	const struct issuer_settings *settings; /* borrowed */
	struct jwt_rules rules;
	struct role_map *roles; /* owned */
	struct jwks *keys;      /* owned; NULL until they are here */
};

struct issuers {
	const struct settings *settings; /* borrowed */
	size_t count;
	struct issuer *issuers;    /* owned */
	uint64_t *generations;     /* owned; one more with each key set */
	struct token_cache *cache; /* owned */
};

static struct err
issuer_init(struct issuer *i, const struct settings *settings, unsigned index)
{
	const struct issuer_settings *from = &settings->issuers[index];

	i->settings = from;
	i->rules = (struct jwt_rules){
		.issuer = from->issuer,
		.tenant = from->tenant,
		.audience = from->audience,
		.audience_count = from->audience_count,
		.algorithms = from->algorithms,
		.leeway_s = from->leeway_s,
	};
	return role_map_new(settings, index, &i->roles);
}

static struct err
issuers_init(struct issuers *s, const struct settings *settings)
{
	s->settings = settings;
	s->issuers = calloc(settings->issuer_count + 1, sizeof *s->issuers);
	s->generations = calloc(settings->issuer_count + 1, sizeof *s->generations);
	if (s->issuers == NULL || s->generations == NULL)
		return fail(ERR_SYSTEM, "out of memory for the issuers");
	s->count = settings->issuer_count;
	for (unsigned i = 0; i < s->count; i++)
		TRY(issuer_init(&s->issuers[i], settings, i));
	return token_cache_new(&s->cache);
}

struct err
issuers_new(const struct settings *settings, struct issuers **ret)
{
	struct issuers *s = calloc(1, sizeof *s);

	if (s == NULL)
		return fail(ERR_SYSTEM, "out of memory for the issuers");

	struct err e = issuers_init(s, settings);
	if (failed(e)) {
		issuers_free(s);
		return e;
	}
	*ret = s;
	return OK;
}

void
issuers_free(struct issuers *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++) {
		role_map_free(s->issuers[i].roles);
		jwks_free(s->issuers[i].keys);
	}
	token_cache_free(s->cache);
	free(s->generations);
	free(s->issuers);
	free(s);
}

const struct settings *
issuers_settings(const struct issuers *s)
{
	return s->settings;
}

void
issuers_set_keys(struct issuers *s, unsigned issuer, struct jwks *keys)
{
	if (issuer >= s->count) {
		jwks_free(keys);
		return;
	}
	jwks_free(s->issuers[issuer].keys);
	s->issuers[issuer].keys = keys;
	s->generations[issuer]++; /* entries of the cache know the number they were made under */
}

bool
issuers_ready(const struct issuers *s, const char **missing)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->issuers[i].keys != NULL)
			continue;
		*missing = s->issuers[i].settings->name;
		return false;
	}
	return true;
}

/* Where two issuers share one `iss` the first is meant; config warns of the second. */
static struct issuer *
find_issuer(const struct issuers *s, const struct jws *j)
{
	struct bytes iss;

	if (!json_string(json_member(j->payload, "iss"), &iss))
		return NULL;
	for (size_t i = 0; i < s->count; i++)
		if (bytes_is(iss, s->issuers[i].rules.issuer))
			return &s->issuers[i];
	return NULL;
}

/* The checks that jws_parse() made, for the report. Nothing of the token itself is shown. */
static void
report_parse(struct jwt_report *r, const struct jws *j, struct err parsed)
{
	static const struct bytes form = {
		(const uint8_t *)"three base64url parts, at most 16384 bytes", 42
	};
	static const struct bytes header = { (const uint8_t *)"a JSON object without crit and b64",
		                             34 };
	struct bytes why = parsed.why == NULL ? BYTES("that") : bytes_text(parsed.why),
		     name = BYTES("none");
	enum jwt_check check = failed(parsed) ? (enum jwt_check)parsed.code : JWT_CHECK_COUNT;

	(void)json_string(json_member(j->header, "alg"), &name); /* else "none" */
	jwt_report_check(r, JWT_FORM, check != JWT_FORM, parsed.why);
	jwt_report_text(r, JWT_FORM, form, check == JWT_FORM ? why : BYTES("that"));
	if (check == JWT_FORM)
		return;
	jwt_report_check(r, JWT_HEADER, check != JWT_HEADER, parsed.why);
	jwt_report_text(r, JWT_HEADER, header, check == JWT_HEADER ? why : BYTES("that"));
	if (check != JWT_ALGORITHM)
		return;
	jwt_report_check(r, JWT_ALGORITHM, false, parsed.why);
	jwt_report_text(r, JWT_ALGORITHM, BYTES("RS, PS or ES with 256, 384 or 512, or EdDSA"),
	                name);
}

static void
report_unknown_issuer(struct jwt_report *r, const struct jws *j)
{
	struct bytes iss = BYTES("no text");

	if (j->payload == NULL) {
		jwt_report_check(r, JWT_ISSUER, false,
		                 "the payload of the token is no JSON object");
		jwt_report_text(r, JWT_ISSUER, BYTES("claims in a JSON object"),
		                BYTES("something else"));
		return;
	}
	(void)json_string(json_member(j->payload, "iss"), &iss); /* else "no text" */
	jwt_report_check(r, JWT_ISSUER, false, "the issuer of the token is not known");
	jwt_report_text(r, JWT_ISSUER, BYTES("one of the configured issuers"), iss);
}

static struct err
check_signature(const struct issuer *i, const struct jws *j, struct jwt_report *r)
{
	const struct jwk *key = jwks_find(i->keys, j->kid, j->alg);
	bool passed = key != NULL && !failed(jws_verify(j, key));

	jwt_report_check(r, JWT_KEY, key != NULL, "the key of the token is not known");
	jwt_report_text(r, JWT_KEY, BYTES("one key of the issuer that fits the algorithm"),
	                j->kid.len != 0 ? j->kid : BYTES("no kid"));
	if (key == NULL)
		return jwt_report_result(r);
	jwt_report_check(r, JWT_SIGNATURE, passed, "the signature of the token is wrong");
	jwt_report_text(r, JWT_SIGNATURE, BYTES("made with the issuer's key"),
	                passed ? BYTES("that") : BYTES("something else"));
	return jwt_report_result(r);
}

static struct err
check_known_issuer(const struct issuer *i, const struct jws *j, int64_t now_s, struct jwt_report *r)
{
	struct err e = jwt_check_header(j, &i->rules, r);

	if (failed(e) && !r->full)
		return e;
	e = jwt_check_issuer(j, &i->rules, r);
	if (failed(e) && !r->full)
		return e;
	if (i->keys == NULL) {
		if (r->full)
			(void)jwt_check_claims(j, &i->rules, now_s,
			                       r); /* the report has the result */
		return fail(ERR_UPSTREAM, "the keys of the issuer are not here yet");
	}
	e = check_signature(i, j, r);
	if (failed(e) && !r->full)
		return e;
	return jwt_check_claims(j, &i->rules, now_s, r);
}

static struct err
check_token(const struct issuers *s, struct bytes token, int64_t now_s, struct jws *j,
            struct jwt_report *r, struct issuer **ret)
{
	struct err e = jws_parse(token, r->arena, j);

	report_parse(r, j, e);
	if (failed(e) && !(r->full && e.code == JWT_ALGORITHM))
		return jwt_report_result(r);
	*ret = find_issuer(s, j);
	if (*ret == NULL) {
		report_unknown_issuer(r, j);
		return jwt_report_result(r);
	}
	if (!failed(e))
		return check_known_issuer(*ret, j, now_s, r);
	/* An unknown algorithm: no key, no signature, but the claims may be looked at. */
	(void)jwt_check_issuer(j, &(*ret)->rules, r);
	return jwt_check_claims(j, &(*ret)->rules, now_s, r);
}

static struct err
make_principal(const struct issuer *i, const struct jws *j, const struct principal **ret)
{
	struct principal_parts parts = { .issuer = i->settings->name,
		                         .claims = j->payload,
		                         .roles = role_map_roles(i->roles, j->payload) };

	if (!json_string(json_member(j->payload, "sub"), &parts.subject) ||
	    !jwt_date(j->payload, "exp", &parts.expires_s))
		return fail(ERR_IDENTITY, "the token names no subject"); /* checked before; never a
		                                                            principal without */
	return principal_new(&parts, ret);
}

/* Never served for longer, or earlier, than the full check would accept. */
static void
remember(struct issuers *s, const struct issuer *i, struct bytes token, const struct jws *j,
         int64_t now_s, const struct principal *p)
{
	int64_t leeway = (int64_t)i->rules.leeway_s, start = INT64_MIN + leeway, date;
	unsigned index = (unsigned)(i - s->issuers);

	if (jwt_date(j->payload, "nbf", &date))
		start = date;
	if (jwt_date(j->payload, "iat", &date) && date > start)
		start = date;
	token_cache_add(s->cache, token,
	                &(struct cached_token){ .principal = p,
	                                        .issuer = index,
	                                        .generation = s->generations[index],
	                                        .not_before_s = start - leeway,
	                                        .ends_s = principal_expires(p) + leeway },
	                now_s, s->generations);
}

struct err
issuers_identify(struct issuers *s, struct bytes token, int64_t now_s, bool full,
                 struct arena *arena, const struct principal **ret, struct jwt_report *report)
{
	const struct principal *p = NULL;
	struct issuer *issuer = NULL;
	struct jws j;

	jwt_report_init(report, full, arena);
	/* Longer ones are never in the cache: not even their hash is worth the time. */
	if (!full && token.len <= JWS_BYTES_MAX)
		p = token_cache_find(s->cache, token, now_s, s->generations);
	if (p != NULL) {
		*ret = principal_hold(p);
		return OK;
	}
	TRY(check_token(s, token, now_s, &j, report, &issuer));
	TRY(make_principal(issuer, &j, &p));
	if (!full)
		remember(s, issuer, token, &j, now_s, p);
	*ret = p;
	return OK;
}

struct issuers_stats
issuers_stats(const struct issuers *s)
{
	struct token_cache_stats stats = token_cache_stats(s->cache);

	return (struct issuers_stats){ stats.hits, stats.misses, stats.evictions, stats.entries };
}
