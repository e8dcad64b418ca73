/* config_resolve.c - what the kinds of issuers differ in, as facts that hold for any kind: names,
 * where the keys are, who the client is. */
#include "config/config_issuers.h"

#include "base/macros.h"

enum { NAMES_EACH = 2 };

/* Templates; {NAME} is put in from struct facts, and a name that is not there stays as it is.
 * Entra: Microsoft identity platform, "access token claims", and the national clouds' endpoints. */
struct kind {
	const char *names[NAMES_EACH]; /* `iss`, once for each tenant */
	const char *metadata_url, *metadata_issuer;
	const char *jwks_url; /* where keys need no metadata */
	const char *client_claim;
};
static const struct kind kinds[] = {
	[ISSUER_LOCAL] = { .client_claim = "client_id" },
	[ISSUER_OIDC] = { .names = { "{issuer}" },
	                  .metadata_url = "{base}/.well-known/openid-configuration",
	                  .metadata_issuer = "{issuer}",
	                  .client_claim = "azp client_id cid appid" },
	[ISSUER_ENTRA] = { .names = { "{authority}/{tenant}/v2.0", "{sts}/{tenant}/" },
	                   .metadata_url = "{authority}/{directory}/v2.0/.well-known/"
	                                   "openid-configuration",
	                   .metadata_issuer = "{authority}/{tenantid}/v2.0",
	                   .client_claim = "azp appid" },
	[ISSUER_OKTA] = { .names = { "{issuer}" },
	                  .metadata_url = "{base}/.well-known/openid-configuration",
	                  .metadata_issuer = "{issuer}",
	                  .client_claim = "cid" },
	[ISSUER_COGNITO] = { .names = { "https://cognito-idp.{region}.amazonaws.com/{pool}" },
	                     .metadata_url = "https://cognito-idp.{region}.amazonaws.com/{pool}/"
	                                     ".well-known/openid-configuration",
	                     .metadata_issuer = "https://cognito-idp.{region}.amazonaws.com/{pool}",
	                     .jwks_url = "https://cognito-idp.{region}.amazonaws.com/{pool}/"
	                                 ".well-known/jwks.json",
	                     .client_claim = "client_id" },
	[ISSUER_INTROSPECTION] = { .names = { "{issuer}" }, .client_claim = "client_id" },
};
static const struct {
	const char *authority, *sts, *graph;
} clouds[CLOUD_COUNT] = {
	[CLOUD_PUBLIC] = { "https://login.microsoftonline.com", "https://sts.windows.net",
	                   "https://graph.microsoft.com" },
	[CLOUD_USGOV] = { "https://login.microsoftonline.us", "https://sts.windows.net",
	                  "https://graph.microsoft.us" },
	[CLOUD_CHINA] = { "https://login.partner.microsoftonline.cn",
	                  "https://sts.chinacloudapi.cn",
	                  "https://microsoftgraph.chinacloudapi.cn" },
};

/* Templates */

struct fact {
	const char *name;
	struct bytes value; /* .at NULL: not known here */
};
enum fact_index { FACT_TENANT, FACT_TENANTID, FACT_COUNT = 10 };
struct facts {
	struct fact at[FACT_COUNT];
};

/* A value that was refused is empty: it counts as not given. */
static struct bytes
bytes_or_none(const char *text)
{
	return text != NULL && text[0] != 0 ? bytes_text(text) : (struct bytes){ 0 };
}

/* OpenID Connect Discovery 1.0 section 4: a slash at the end goes before a path follows. */
static struct bytes
without_slash(const char *url)
{
	struct bytes text = bytes_or_none(url);

	if (text.len > 0 && text.at[text.len - 1] == '/')
		text.len--;
	return text;
}

static struct facts
facts_of(const struct issuer_draft *d)
{
	struct bytes issuer = bytes_or_none(d->issuer.issuer);
	struct bytes only = bytes_or_none(d->tenant_count == 1 ? d->tenants[0] : NULL);

	return (struct facts){ {
		[FACT_TENANT] = { "{tenant}", only },
		[FACT_TENANTID] = { "{tenantid}", only },
		{ "{directory}", only.at != NULL ? only : BYTES("organizations") },
		{ "{issuer}", issuer },
		{ "{base}", without_slash(d->issuer.issuer) },
		{ "{authority}", bytes_text(clouds[d->cloud].authority) },
		{ "{sts}", bytes_text(clouds[d->cloud].sts) },
		{ "{graph}", bytes_text(clouds[d->cloud].graph) },
		{ "{region}", bytes_or_none(d->region) },
		{ "{pool}", bytes_or_none(d->user_pool) },
	} };
}

static const struct fact *
fact_at(const struct facts *facts, struct bytes text)
{
	for (size_t i = 0; i < FACT_COUNT; i++)
		if (facts->at[i].value.at != NULL &&
		    bytes_starts(text, bytes_text(facts->at[i].name)))
			return &facts->at[i];
	return NULL;
}

/* NULL for no template. */
static const char *
expand(struct config_reader *r, const char *template, const struct facts *facts)
{
	struct buf out CLEANUP(buf_done) = { 0 };
	struct bytes left = bytes_or_none(template);

	if (template == NULL)
		return NULL;
	while (left.len > 0) {
		const struct fact *f = fact_at(facts, left);
		buf_put(&out, f != NULL ? f->value : bytes_slice(left, 0, 1));
		left = bytes_slice(left, f != NULL ? strlen(f->name) : 1, left.len);
	}
	r->problems.no_memory |= out.overflow;
	return reader_text(r, buf_bytes(&out));
}

/* Parts */

static void
resolve_names(struct config_reader *r, struct issuer_draft *d, const struct kind *kind,
              const struct facts *facts)
{
	size_t tenants = d->tenant_count > 0 ? d->tenant_count : 1, used = 0;
	struct issuer_name *names = reader_array(r, tenants * NAMES_EACH, sizeof *names);

	if (names == NULL)
		return;
	for (size_t t = 0; t < tenants; t++) {
		struct facts each = *facts;
		const char *tenant = d->tenant_count > 0 ? d->tenants[t] : d->issuer.tenant;
		each.at[FACT_TENANT].value = bytes_or_none(tenant);
		for (size_t n = 0; n < NAMES_EACH && kind->names[n] != NULL; n++) {
			const char *iss = expand(r, kind->names[n], &each);
			/* A name with a gap is none: introspection without issuer, or an error. */
			if (strchr(iss, '{') == NULL)
				names[used++] = (struct issuer_name){ iss, tenant };
		}
	}
	d->issuer.names = names;
	d->issuer.name_count = used;
	d->issuer.issuer = used > 0 ? names[0].iss : NULL;
}

/* A key set that is named makes the metadata needless; a login does not go without. */
static void
resolve_keys(struct config_reader *r, struct issuer_settings *s, const struct kind *kind,
             const struct node *n, const struct facts *facts)
{
	const struct node *jwks = node_member(n, "jwks");
	bool has_keys = s->jwks_file != NULL || s->jwks_url != NULL;

	if (has_keys && s->metadata_url != NULL)
		problem_add(&r->problems, jwks->key_place,
		            "jwks stands beside metadata; expected one of them");
	else if (has_keys && s->login_client_id != NULL)
		problem_add(&r->problems, jwks->key_place,
		            "jwks stands beside login; expected the metadata, which also says "
		            "where people log in");
	if (has_keys)
		return;
	if (s->metadata_url == NULL && s->login_client_id == NULL && kind->jwks_url != NULL) {
		s->jwks_url = expand(r, kind->jwks_url, facts);
		return;
	}
	if (s->metadata_url == NULL)
		s->metadata_url = expand(r, kind->metadata_url, facts);
	s->metadata_issuer = expand(r, kind->metadata_issuer, facts);
}

static void
resolve_login(struct issuer_draft *d)
{
	struct issuer_settings *s = &d->issuer;

	if (d->login) {
		s->login_client_id = s->name;
		s->login_scope = "openid profile";
	}
	if (s->login_client_id == NULL)
		s->login_scope = NULL;
}

static void
resolve_graph(struct config_reader *r, struct issuer_settings *s, const struct facts *facts)
{
	struct facts none = *facts;

	none.at[FACT_TENANTID].value = (struct bytes){ 0 }; /* put in by who asks */
	if (s->graph_client_id == NULL) {
		s->graph_url = s->graph_token_url = NULL;
		return;
	}
	if (s->graph_url == NULL)
		s->graph_url = expand(r, "{graph}", &none);
	s->graph_url = reader_text(r, without_slash(s->graph_url)); /* a path follows */
	if (s->graph_token_url == NULL)
		s->graph_token_url = expand(r, "{authority}/{tenantid}/oauth2/v2.0/token", &none);
}

/* An ID token is signed by the same keys, for the same issuer: only this tells them apart. */
static void
resolve_cognito(struct config_reader *r, struct issuer_draft *d, const struct node *n)
{
	static const char *const access[] = { "access" };
	struct issuer_settings *s = &d->issuer;
	struct required_claim *claims = reader_array(r, s->required_count + 1, sizeof *claims);

	if (claims == NULL)
		return;
	claims[0] = (struct required_claim){ "token_use", access, ARRAY_LEN(access) };
	for (size_t i = 0; i < s->required_count; i++)
		claims[i + 1] = s->required[i];
	s->required = claims;
	s->required_count++;

	if (d->region == NULL || d->user_pool == NULL)
		return; /* which was said */
	size_t len = strlen(d->region);
	if (strncmp(d->user_pool, d->region, len) != 0 || d->user_pool[len] != '_')
		problem_add(&r->problems, node_member(n, "user_pool")->place,
		            "user_pool is not of the region; expected it to begin with %s_",
		            d->region);
}

void
issuer_resolve(struct config_reader *r, const struct node *n, void *draft)
{
	struct issuer_draft *d = draft;
	const struct kind *kind = &kinds[d->issuer.type];
	const struct facts facts = facts_of(d);

	d->issuer.client_claim = kind->client_claim;
	d->issuer.guests_refused = d->guests == GUESTS_REFUSE;
	d->issuer.roles_claim = d->issuer.roles_claim_count > 0 ? d->issuer.roles_claims[0] : "";
	resolve_login(d);
	resolve_graph(r, &d->issuer, &facts);
	if (d->issuer.type == ISSUER_COGNITO)
		resolve_cognito(r, d, n);
	resolve_keys(r, &d->issuer, kind, n, &facts);
	resolve_names(r, d, kind, &facts);
}
