/* examine.c - one token, from what is shown to a principal; see issuers.h. The order of the checks
 * is that of enum jwt_check. */
#include "identity/examine.h"

#include "base/macros.h"
#include "jose/dpop.h"

struct err
examine_later(struct examination *x, enum missing missing, const char *why)
{
	x->ret->missing = missing;
	return fail(ERR_UPSTREAM, why);
}

struct err
examine_add_claim(struct examination *x, const char *name, struct bytes value)
{
	struct buf text CLEANUP(buf_done) = { 0 };

	json_put_value(&text, x->jws.payload);
	TRY(buf_check(&text));
	text.len--; /* the brace */
	if (x->jws.payload->count != 0)
		buf_put_u8(&text, ',');
	json_put_name(&text, name);
	buf_put(&text, value);
	buf_put_u8(&text, '}');
	TRY(buf_check(&text));

	struct bytes kept = arena_copy(x->arena, buf_bytes(&text));
	if (kept.len != text.len)
		return fail(ERR_LIMIT, "out of memory for the claims of a token");
	return json_parse(kept, x->arena, &x->jws.payload, NULL);
}

/* Which issuer */

/* Several may share one `iss`, each with tenants of its own: the one the `tid` belongs to, and else
 * the first, whose report then names the tenant. */
static struct issuer *
find_issuer(const struct issuers *s, const struct jws *j)
{
	struct issuer *named = NULL;

	for (size_t i = 0; i < s->count; i++) {
		const char *tenant = NULL;

		if (jwt_is_issuer(j->payload, &s->issuers[i].rules, &tenant))
			return &s->issuers[i];
		if (tenant != NULL && named == NULL)
			named = &s->issuers[i];
	}
	return named;
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

/* Keys */

/* While one token waits for newer keys all others of that source may wait with it; after the answer
 * nobody asks for a while: whoever writes random kids must not make us ask at that pace. */
static bool
may_ask(const struct examination *x)
{
	const struct key_source *source = x->issuer->source;
	int64_t quiet_until_s = source->answered_s + (int64_t)x->issuer->settings->keys_cooldown_s;

	if (source->url.len == 0 || x->shown->has_asked || x->full)
		return false;
	return source->is_asked || x->now_s >= quiet_until_s || x->now_s < source->answered_s;
}

static void
note_answer(const struct examination *x)
{
	struct key_source *source = x->issuer->source;

	if (!x->shown->has_asked || x->shown->learned.len != 0 || !source->is_asked)
		return;
	source->is_asked = false;
	source->answered_s = x->now_s;
}

static struct err
ask_for_keys(struct examination *x, const char *why)
{
	x->issuer->source->is_asked = true;
	return examine_later(x, MISSING_KEYS, why);
}

static struct err
no_keys(struct examination *x)
{
	static const char why[] = "the keys of the issuer are not here yet";
	const struct key_source *source = x->issuer->source;

	if (may_ask(x) || (x->full && source->url.len != 0))
		return ask_for_keys(x, why);
	x->ret->retry_s =
		source->retry_at_s > x->now_s ? (uint32_t)(source->retry_at_s - x->now_s) : 1;
	return fail(ERR_UPSTREAM, why);
}

/* Once the check of the issuer has passed: a key may be for some tenants only. */
static struct err
check_signature(struct examination *x, const struct jwks *keys)
{
	const struct jws *j = &x->jws;
	struct jwt_report *r = &x->ret->report;
	const struct jwk *key = jwks_find(keys, j->kid, j->alg);
	bool is_ours = key != NULL && jwt_key_is_of(key, j, &x->issuer->rules);

	if (key == NULL && may_ask(x))
		return ask_for_keys(x, "the key of the token must be asked for");
	jwt_report_check(r, JWT_KEY, is_ours,
	                 key == NULL ? "the key of the token is not known"
	                             : "the key of the token is of another tenant");
	jwt_report_text(r, JWT_KEY, BYTES("one key of the issuer that fits the algorithm"),
	                j->kid.len != 0 ? j->kid : BYTES("no kid"));
	if (!is_ours)
		return jwt_report_result(r);

	bool passed = !failed(jws_verify(j, key));
	jwt_report_check(r, JWT_SIGNATURE, passed, "the signature of the token is wrong");
	jwt_report_text(r, JWT_SIGNATURE, BYTES("made with the issuer's key"),
	                passed ? BYTES("that") : BYTES("something else"));
	return jwt_report_result(r);
}

/* All checks of a JWT */

static void
report_not_asked(struct jwt_report *r)
{
	jwt_report_check(r, JWT_ACTIVE, true, NULL);
	jwt_report_text(r, JWT_ACTIVE, BYTES("where the issuer must be asked, its word"),
	                BYTES("not asked"));
}

static struct err
check_rules(struct examination *x)
{
	struct err e;

	report_not_asked(&x->ret->report);
	e = jwt_check_claims(&x->jws, &x->issuer->rules, x->now_s, &x->ret->report);
	return failed(e) && !x->full ? e : check_groups(x);
}

static struct err
check_known_issuer(struct examination *x)
{
	struct jwt_report *r = &x->ret->report;
	struct err e = jwt_check_header(&x->jws, &x->issuer->rules, r);

	if (failed(e) && !x->full)
		return e;
	e = jwt_check_issuer(&x->jws, &x->issuer->rules, r);
	if (failed(e) && !x->full)
		return e;
	note_answer(x);
	TRY(take_learned_groups(x));

	const struct jwks *keys = key_source_keys(x->issuer->source, x->now_s);
	if (keys == NULL) {
		if (x->full)
			(void)check_rules(x); /* the report has the result */
		return no_keys(x);
	}
	e = check_signature(x, keys);
	if (failed(e) && !x->full)
		return e;
	return check_rules(x);
}

static struct err
check_token(struct examination *x, struct err parsed)
{
	struct jwt_report *r = &x->ret->report;

	report_parse(r, &x->jws, parsed);
	if (failed(parsed) && !(x->full && parsed.code == JWT_ALGORITHM))
		return jwt_report_result(r);
	x->issuer = find_issuer(x->s, &x->jws);
	if (x->issuer == NULL) {
		report_unknown_issuer(r, &x->jws);
		return jwt_report_result(r);
	}
	if (!failed(parsed))
		return check_known_issuer(x);
	/* An unknown algorithm: no key, no signature, but the claims may be looked at. */
	(void)jwt_check_issuer(&x->jws, &x->issuer->rules, r);
	return check_rules(x);
}

/* What must be looked at each time, also for a token that is remembered */

static struct err
check_proof(struct examination *x, const struct jwt_binding *binding, struct jwt_proven *proven,
            struct dpop_proof *proof)
{
	const struct presented *p = x->shown;
	const struct dpop_request request = { .proof = p->proof,
		                              .method = p->method,
		                              .url = p->url,
		                              .token = p->token,
		                              .now_s = x->now_s };
	struct err e;

	if (!p->is_dpop || p->proof.len == 0 || binding->key.len == 0)
		return OK;
	e = dpop_check(&request, x->arena, proof);
	if (failed(e) && e.kind != ERR_IDENTITY)
		return e;
	if (failed(e))
		proven->refused = e.why;
	else
		proven->key = bytes_text(proof->thumbprint);
	return OK;
}

static struct err
check_shown(struct examination *x, const struct jwt_binding *binding,
            const struct revocable *revocable)
{
	struct jwt_report *r = &x->ret->report;
	struct jwt_proven proven = { .is_dpop = x->shown->is_dpop,
		                     .certificate = x->shown->certificate,
		                     .cannot_be_asked = x->full };
	struct dpop_proof proof;

	TRY(check_proof(x, binding, &proven, &proof));
	jwt_check_binding(binding, &proven, x->issuer->rules.bindings, r);

	bool revoked = revocations_have(x->s->revocations, revocable, x->now_s);
	jwt_report_check(r, JWT_REVOKED, !revoked, "the token was revoked");
	jwt_report_text(r, JWT_REVOKED, BYTES("not revoked since"),
	                revoked ? BYTES("revoked") : BYTES("that"));
	if (r->failed == JWT_CHECK_COUNT && proven.key.len != 0) {
		x->ret->has_proof = true;
		memcpy(x->ret->proof_id, proof.id, sizeof x->ret->proof_id);
	}
	return jwt_report_result(r);
}

/* The principal */

static struct revocable
name_revocable(const struct examination *x)
{
	const struct issuer_settings *s = x->issuer->settings;

	return revocable_of(x->s->revocations, s->name, s->type == ISSUER_LOCAL, x->jws.payload);
}

static struct err
make_principal(const struct examination *x, const struct principal **ret)
{
	const struct json *claims = x->jws.payload;
	struct principal_parts parts = { .issuer = x->issuer->settings->name,
		                         .is_local = x->issuer->settings->type == ISSUER_LOCAL,
		                         .claims = claims,
		                         .roles = role_map_roles(x->issuer->roles, claims),
		                         .revocable = name_revocable(x) };

	if (!json_string(json_member(claims, "sub"), &parts.subject) ||
	    !jwt_date(claims, "exp", &parts.expires_s))
		return fail(ERR_IDENTITY, "the token names no subject"); /* checked before; never a
		                                                            principal without */
	return principal_new(&parts, ret);
}

/* Never served for longer, or earlier, than the full check would accept. */
static void
remember(const struct examination *x, const struct principal *p)
{
	const struct json *claims = x->jws.payload;
	int64_t leeway = (int64_t)x->issuer->rules.leeway_s, start = INT64_MIN + leeway, date;
	unsigned index = (unsigned)(x->issuer - x->s->issuers);
	struct cached_token cached = { .principal = p,
		                       .issuer = index,
		                       .generation = x->s->generations[index],
		                       .ends_s = principal_expires(p) + leeway };

	if (jwt_date(claims, "nbf", &date))
		start = date;
	if (jwt_date(claims, "iat", &date) && date > start)
		start = date;
	cached.not_before_s = start - leeway;
	if (cached.ends_s > x->ends_s)
		cached.ends_s = x->ends_s;
	if (x->issuer->settings->introspection_url == NULL &&
	    cached.ends_s > x->issuer->source->stale_until_s)
		cached.ends_s = x->issuer->source->stale_until_s;
	if (cached.ends_s > x->now_s)
		token_cache_add(x->s->cache, x->shown->token, &cached, x->now_s, x->s->generations);
}

/* Longer tokens are never in the cache: not even their hash is worth the time. */
static const struct principal *
find_cached(struct examination *x)
{
	const struct cached_token *cached = NULL;

	if (!x->full && x->shown->token.len <= JWS_BYTES_MAX)
		cached =
			token_cache_find(x->s->cache, x->shown->token, x->now_s, x->s->generations);
	if (cached == NULL)
		return NULL;
	x->issuer = &x->s->issuers[cached->issuer];
	return cached->principal;
}

static struct err
check_all(struct examination *x)
{
	struct err parsed = jws_parse(x->shown->token, x->arena, &x->jws), e;

	x->issuer = introspection_issuer(x->s, &x->jws, parsed, x->shown->token);
	e = x->issuer != NULL ? check_introspected(x) : check_token(x, parsed);
	if (x->issuer == NULL || x->jws.payload == NULL || (failed(e) && !x->full))
		return e;

	struct jwt_binding binding = jwt_binding_of(x->jws.payload);
	struct revocable revocable = name_revocable(x);
	struct err shown = check_shown(x, &binding, &revocable);
	return failed(e) ? e : shown;
}

static struct err
examine(struct examination *x)
{
	const struct principal *p = find_cached(x);

	if (p != NULL) {
		x->remembered = p;
		TRY(check_shown(x, principal_binding(p), principal_revocable(p)));
		x->ret->who = principal_hold(p);
		return OK;
	}
	TRY(check_all(x));
	TRY(make_principal(x, &p));
	if (!x->full)
		remember(x, p);
	x->ret->who = p;
	return OK;
}

/* Who tries a token that was revoked, or is for something else, is worth knowing. Of one that
 * nobody signed the claims say nothing. */
static struct bytes
proven_subject(const struct examination *x)
{
	const struct jwt_finding *findings = x->ret->report.findings;
	bool is_asked = x->issuer != NULL && x->issuer->settings->introspection_url != NULL;
	struct bytes subject = { 0 };

	if (x->remembered != NULL)
		return arena_copy(x->arena, principal_subject(x->remembered));
	if (findings[is_asked ? JWT_ACTIVE : JWT_SIGNATURE].passed &&
	    json_string(json_member(x->jws.payload, "sub"), &subject) && !jwt_is_subject(subject))
		subject.len = 0;
	return subject;
}

struct err
issuers_examine(struct issuers *s, const struct presented *p, int64_t now_s, bool full,
                struct arena *arena, struct identified *ret)
{
	struct examination x = { .s = s,
		                 .shown = p,
		                 .now_s = now_s,
		                 .full = full,
		                 .arena = arena,
		                 .ret = ret,
		                 .ends_s = INT64_MAX };
	struct err e;

	*ret = (struct identified){ .issuer = -1 };
	jwt_report_init(&ret->report, full, arena);
	e = examine(&x);
	if (x.issuer != NULL)
		ret->issuer = (int)(x.issuer - s->issuers);
	if (failed(e))
		ret->subject = proven_subject(&x);
	return e;
}
