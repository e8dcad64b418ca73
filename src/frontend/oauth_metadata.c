/* oauth_metadata.c - what clients discover: our keys, our authorization server (RFC 8414, OpenID
 * Connect Discovery), and whose tokens are taken here (RFC 9728). Only what is so. */
#include "base/macros.h"
#include "format/json.h"
#include "frontend/endpoint.h"
#include "frontend/oauth.h"
#include "frontend/oauth_form.h"
#include "jose/jws.h"

/* Of assertions and proofs: all we know. */
enum { ALL_ALGORITHMS = 2 * ALG_EDDSA - 1 };

/* Written one after the other; `first` is what stands before the next member or item. */
struct writer {
	struct buf *out;
	const char *first;
};

static void
put_name(struct writer *w, const char *name)
{
	buf_put_text(w->out, w->first);
	w->first = ",";
	json_put_name(w->out, name);
}

static void
put_true(struct writer *w, const char *name)
{
	put_name(w, name);
	buf_put_text(w->out, "true");
}

static void
put_url(struct writer *w, const struct request *r, const char *name, const char *path)
{
	CLEANUP(buf_done) struct buf url = { 0 };

	buf_printf(&url, "%s%s", r->gate->settings->public_url, path);
	put_name(w, name);
	json_put_string(w->out, buf_bytes(&url));
}

/* Ends with NULL. */
static void
put_texts(struct writer *w, const char *name, const char *const *texts)
{
	put_name(w, name);
	for (size_t i = 0; texts[i] != NULL; i++) {
		buf_put_u8(w->out, i == 0 ? '[' : ',');
		json_put_string(w->out, bytes_text(texts[i]));
	}
	buf_put_u8(w->out, ']');
}

static void
put_algorithms(struct writer *w, const char *name, unsigned algorithms)
{
	struct writer list = { w->out, "[" };

	put_name(w, name);
	for (unsigned bit = ALG_RS256; bit <= ALG_EDDSA; bit <<= 1) {
		if ((algorithms & bit) == 0)
			continue;
		buf_put_text(list.out, list.first);
		list.first = ",";
		json_put_string(list.out, bytes_text(jws_alg_name((enum jws_alg_bit)bit)));
	}
	buf_put_u8(w->out, ']');
}

static void
put_grants(struct writer *w)
{
	const char *names[8] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(names) - 1 && oauth_grants[i].name != NULL; i++)
		names[i] = oauth_grants[i].name;
	put_texts(w, "grant_types_supported", names);
}

/* A value may grant several roles; it is told once. */
static bool
is_first(const struct settings *s, const struct grant_source *g)
{
	for (size_t i = 0; i < s->role_count; i++)
		for (size_t k = 0; k < s->roles[i].granted_by_count; k++) {
			const struct grant_source *other = &s->roles[i].granted_by[k];

			if (other->issuer == g->issuer && strcmp(other->value, g->value) == 0)
				return other == g;
		}
	return false;
}

static void
put_scopes(struct writer *w, const struct settings *s, const struct issuer_settings *local)
{
	put_name(w, "scopes_supported");
	buf_put_text(w->out, "[\"openid\",\"profile\",\"offline_access\"");
	for (size_t i = 0; i < s->role_count; i++)
		for (size_t k = 0; k < s->roles[i].granted_by_count; k++) {
			const struct grant_source *g = &s->roles[i].granted_by[k];

			if (&s->issuers[g->issuer] != local || !is_first(s, g))
				continue;
			buf_put_u8(w->out, ',');
			json_put_string(w->out, bytes_text(g->value));
		}
	buf_put_u8(w->out, ']');
}

/* The items of a set as keeper writes it. */
static void
put_keys(struct writer *w, const struct buf *set)
{
	static const struct bytes before = { (const uint8_t *)"{\"keys\":[", 9 };
	struct bytes text = buf_bytes(set);

	if (!bytes_starts(text, before) || text.len <= before.len + 2)
		return;
	buf_put_text(w->out, w->first);
	w->first = ",";
	buf_put(w->out, bytes_slice(text, before.len, text.len - 2));
}

/* Those of our tokens, and those of our assertions: services find either by its kid. */
struct err
oauth_jwks(struct request *r, enum step *step)
{
	const struct gate *g = r->gate;
	bool has_assertions = g->settings->route_count != 0, has_issuer = oauth_issuer(r) != NULL;
	struct writer w = { &r->reply.body, "{\"keys\":[" };

	(void)step;
	if (has_issuer || !has_assertions)
		TRY(oauth_begin(r));
	if ((has_issuer && g->jwks.len == 0) || (has_assertions && g->assertion_jwks.len == 0))
		return fail(ERR_UPSTREAM, "the keeper process is not there");
	r->reply.type = "application/jwk-set+json";
	r->is_cacheable = true;
	buf_put_text(&r->reply.fields, "Cache-Control: public, max-age=600\r\n");
	put_keys(&w, &g->jwks);
	put_keys(&w, &g->assertion_jwks);
	buf_put_text(w.out, w.first[0] == ',' ? "]}" : "{\"keys\":[]}");
	return OK;
}

struct err
oauth_metadata(struct request *r, enum step *step)
{
	static const char *const urls[][2] = {
		{ "issuer", "" },
		{ "authorization_endpoint", "/authorize" },
		{ "token_endpoint", "/token" },
		{ "jwks_uri", "/.well-known/jwks.json" },
		{ "revocation_endpoint", "/revoke" },
		{ "introspection_endpoint", "/introspect" },
		{ "userinfo_endpoint", "/userinfo" },
	};
	static const char *const methods[] = { "client_secret_basic", "client_secret_post",
		                               "private_key_jwt", "none", NULL };
	static const char *const proving_methods[] = { "client_secret_basic", "client_secret_post",
		                                       "private_key_jwt", NULL };
	static const struct {
		const char *name;
		const char *values[4];
	} lists[] = {
		{ "response_types_supported", { "code" } },
		{ "response_modes_supported", { "query" } },
		{ "code_challenge_methods_supported", { "S256" } },
		{ "subject_types_supported", { "public" } },
		{ "prompt_values_supported", { "none", "login" } },
		{ "claims_supported", { "sub", "preferred_username" } },
	};
	static const char *const proof_lists[] = {
		"token_endpoint_auth_signing_alg_values_supported",
		"revocation_endpoint_auth_signing_alg_values_supported",
		"introspection_endpoint_auth_signing_alg_values_supported",
		"dpop_signing_alg_values_supported",
	};
	const struct issuer_settings *local = oauth_issuer(r);
	struct writer w = { &r->reply.body, "{" };

	(void)step;
	TRY(oauth_begin(r));
	r->reply.type = "application/json";
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		put_url(&w, r, urls[i][0], urls[i][1]);
	put_grants(&w);
	put_scopes(&w, r->gate->settings, local);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		put_texts(&w, lists[i].name, lists[i].values);
	put_texts(&w, "token_endpoint_auth_methods_supported", methods);
	put_texts(&w, "revocation_endpoint_auth_methods_supported", methods);
	put_texts(&w, "introspection_endpoint_auth_methods_supported", proving_methods);
	for (size_t i = 0; i < ARRAY_LEN(proof_lists); i++)
		put_algorithms(&w, proof_lists[i], ALL_ALGORITHMS);
	put_algorithms(&w, "id_token_signing_alg_values_supported", local->signing_algorithm);
	put_true(&w, "authorization_response_iss_parameter_supported");
	if (r->gate->settings->listen.certificate_field != NULL)
		put_true(&w, "tls_client_certificate_bound_access_tokens");
	buf_put_text(w.out, "}\n");
	return OK;
}

/* Every `iss` that is taken here. */
static void
put_servers(struct writer *w, const struct settings *s)
{
	struct writer list = { w->out, "[" };

	put_name(w, "authorization_servers");
	for (size_t i = 0; i < s->issuer_count; i++)
		for (size_t k = 0; k < s->issuers[i].name_count; k++) {
			buf_put_text(list.out, list.first);
			list.first = ",";
			json_put_string(list.out, bytes_text(s->issuers[i].names[k].iss));
		}
	buf_put_text(w->out, list.first[0] == '[' ? "[]" : "]");
}

struct err
oauth_resource(struct request *r, enum step *step)
{
	static const char *const methods[] = { "header", NULL };
	struct writer w = { &r->reply.body, "{" };

	(void)step;
	r->reply.type = "application/json";
	put_url(&w, r, "resource", "");
	put_servers(&w, r->gate->settings);
	put_texts(&w, "bearer_methods_supported", methods);
	put_algorithms(&w, "dpop_signing_alg_values_supported", ALL_ALGORITHMS);
	if (r->gate->settings->listen.certificate_field != NULL)
		put_true(&w, "tls_client_certificate_bound_access_tokens");
	buf_put_text(w.out, "}\n");
	return OK;
}
