/* test_issuers.c - what follows from each kind of issuer, and what it may not say. */
#include "load.h"

#include "base/macros.h"

#define T1 "11111111-2222-3333-4444-555555555555"
#define T2 "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

static bool
is(const char *text, const char *expected)
{
	return text == NULL || expected == NULL ? text == expected : strcmp(text, expected) == 0;
}

static bool
is_list(const char *const *at, size_t count, const char *expected)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : "|", at[i]);
	bool same = bytes_is(buf_bytes(&b), expected);
	buf_done(&b);
	return same;
}

/* Loads, or shows why it did not. */
static struct load
load_good(const char *text)
{
	struct load l = load_text(text);

	CHECK_ROW(load_says(&l, ""), text);
	return l;
}

static struct load
load_issuer(const char *text)
{
	struct buf b = { 0 };

	buf_printf(&b, "public_url: https://gw.example\nissuers: {i: {%s}}\n", text);
	buf_put_u8(&b, 0);
	struct load l = load_good((const char *)b.at);
	buf_done(&b);
	return l;
}

/* The issuer, or one of nothing. */
static const struct issuer_settings *
first(const struct load *l)
{
	static const struct issuer_settings none = { .roles_claim = "" };

	return l->settings != NULL && l->settings->issuer_count > 0 ? l->settings->issuers : &none;
}

/* Kinds */

static bool
has_name(const struct issuer_settings *s, size_t i, const char *iss, const char *tenant)
{
	return i < s->name_count && is(s->names[i].iss, iss) && is(s->names[i].tenant, tenant);
}

static void
test_entra_takes_both_forms_of_its_tenant(void)
{
	struct load l = load_issuer("type: entra, tenant: " T1 ", audience: ['api://x', y]");
	const struct issuer_settings *s = first(&l);

	CHECK(s->type == ISSUER_ENTRA && s->name_count == 2 && s->tenant == NULL);
	CHECK(has_name(s, 0, "https://login.microsoftonline.com/" T1 "/v2.0", T1));
	CHECK(has_name(s, 1, "https://sts.windows.net/" T1 "/", T1));
	CHECK(is(s->issuer, "https://login.microsoftonline.com/" T1 "/v2.0"));
	CHECK(is(s->metadata_url,
	         "https://login.microsoftonline.com/" T1 "/v2.0/.well-known/openid-configuration"));
	CHECK(is(s->metadata_issuer, "https://login.microsoftonline.com/" T1 "/v2.0"));
	CHECK(s->jwks_url == NULL && s->jwks_file == NULL);
	CHECK(is(s->client_claim, "azp appid") && s->algorithms == ALG_RS256);
	CHECK(is_list(s->roles_claims, s->roles_claim_count, "roles") &&
	      is(s->roles_claim, "roles"));
	CHECK(is_list(s->audience, s->audience_count, "api://x|y"));
	CHECK(s->graph_url == NULL && s->graph_token_url == NULL && s->graph_client_id == NULL);
	CHECK(s->callers == CALLERS_ANY && !s->guests_refused && s->bindings == 0);
	CHECK(s->leeway_s == 60 && s->keys_stale_s == 86400 && s->keys_cooldown_s == 30);
	CHECK(s->client_count == 0 && s->required_count == 0);
	CHECK(s->login_client_id == NULL && s->login_scope == NULL);
	load_done(&l);
}

static void
test_entra_with_several_tenants_reads_the_template(void)
{
	struct load l = load_issuer("type: entra, tenant: [" T1 ", " T2 "], audience: a");
	const struct issuer_settings *s = first(&l);

	CHECK(s->name_count == 4);
	CHECK(has_name(s, 0, "https://login.microsoftonline.com/" T1 "/v2.0", T1));
	CHECK(has_name(s, 1, "https://sts.windows.net/" T1 "/", T1));
	CHECK(has_name(s, 2, "https://login.microsoftonline.com/" T2 "/v2.0", T2));
	CHECK(has_name(s, 3, "https://sts.windows.net/" T2 "/", T2));
	CHECK(is(s->metadata_url, "https://login.microsoftonline.com/organizations/v2.0/"
	                          ".well-known/openid-configuration"));
	CHECK(is(s->metadata_issuer, "https://login.microsoftonline.com/{tenantid}/v2.0"));
	load_done(&l);
}

static void
test_entra_has_national_clouds(void)
{
	static const struct {
		const char *cloud, *v2, *v1, *graph, *token;
	} rows[] = {
		{ "public", "https://login.microsoftonline.com/" T1 "/v2.0",
		  "https://sts.windows.net/" T1 "/", "https://graph.microsoft.com",
		  "https://login.microsoftonline.com/{tenantid}/oauth2/v2.0/token" },
		{ "usgov", "https://login.microsoftonline.us/" T1 "/v2.0",
		  "https://sts.windows.net/" T1 "/", "https://graph.microsoft.us",
		  "https://login.microsoftonline.us/{tenantid}/oauth2/v2.0/token" },
		{ "china", "https://login.partner.microsoftonline.cn/" T1 "/v2.0",
		  "https://sts.chinacloudapi.cn/" T1 "/", "https://microsoftgraph.chinacloudapi.cn",
		  "https://login.partner.microsoftonline.cn/{tenantid}/oauth2/v2.0/token" },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof text,
		         "type: entra, tenant: " T1 ", audience: a, cloud: %s, "
		         "graph: {client_id: g, client_secret: {env: GRAPH}}",
		         rows[i].cloud);
		struct load l = load_issuer(text);
		const struct issuer_settings *s = first(&l);
		CHECK_ROW(has_name(s, 0, rows[i].v2, T1), text);
		CHECK_ROW(has_name(s, 1, rows[i].v1, T1), text);
		CHECK_ROW(is(s->metadata_issuer, rows[i].v2), text);
		CHECK_ROW(s->metadata_url != NULL &&
		                  strncmp(s->metadata_url, rows[i].v2, strlen(rows[i].v2)) == 0,
		          text);
		CHECK_ROW(is(s->graph_url, rows[i].graph), text);
		CHECK_ROW(is(s->graph_token_url, rows[i].token), text);
		CHECK_ROW(is(s->graph_client_id, "g") && is(s->graph_secret.env, "GRAPH") &&
		                  s->graph_secret.file == NULL,
		          text);
		load_done(&l);
	}
}

static void
test_entra_with_every_key(void)
{
	struct load l = load_issuer(
		"type: entra, tenant: " T1 ", audience: a, roles_claim: [roles, groups], "
		"callers: apps, guests: refuse, clients: [c1, c2], required_claims: {amr: mfa, "
		"hd: [a, b], email_verified: true, level: 3}, leeway: 5s, algorithms: [RS256, "
		"ES256], bindings: [dpop, mtls], graph: {client_id: g, client_secret: {file: g}, "
		"endpoint: 'http://127.0.0.1:9', token_endpoint: 'http://[::1]:9/{tenantid}/t'}, "
		"metadata: 'https://m.example/x?appid=1', keys_stale: 10m, keys_cooldown: 1s, "
		"login: {client_id: l, client_secret: {file: /s}, scope: 'openid email'}");
	const struct issuer_settings *s = first(&l);

	CHECK(is_list(s->roles_claims, s->roles_claim_count, "roles|groups"));
	CHECK(s->callers == CALLERS_APPS && s->guests_refused && s->leeway_s == 5);
	CHECK(is_list(s->clients, s->client_count, "c1|c2"));
	CHECK(s->algorithms == (ALG_RS256 | ALG_ES256) &&
	      s->bindings == (BINDING_DPOP | BINDING_MTLS));
	CHECK(is(s->graph_url, "http://127.0.0.1:9") &&
	      is(s->graph_token_url, "http://[::1]:9/{tenantid}/t") &&
	      is(s->graph_secret.file, "/srv/gw/g"));
	CHECK(is(s->metadata_url, "https://m.example/x?appid=1") &&
	      is(s->metadata_issuer, "https://login.microsoftonline.com/" T1 "/v2.0"));
	CHECK(s->keys_stale_s == 600 && s->keys_cooldown_s == 1);
	CHECK(is(s->login_client_id, "l") && is(s->login_secret.file, "/s") &&
	      is(s->login_scope, "openid email"));
	CHECK(s->required_count == 4);
	if (s->required_count == 4) {
		CHECK(is(s->required[0].path, "amr") &&
		      is_list(s->required[0].values, s->required[0].count, "mfa"));
		CHECK(is(s->required[1].path, "hd") &&
		      is_list(s->required[1].values, s->required[1].count, "a|b"));
		CHECK(is_list(s->required[2].values, s->required[2].count, "true"));
		CHECK(is_list(s->required[3].values, s->required[3].count, "3"));
	}
	load_done(&l);
}

static void
test_okta(void)
{
	struct load l = load_issuer("type: okta, issuer: 'https://d.okta.com/oauth2/default', "
	                            "audience: 'api://default'");
	const struct issuer_settings *s = first(&l);

	CHECK(s->type == ISSUER_OKTA && s->name_count == 1 &&
	      has_name(s, 0, "https://d.okta.com/oauth2/default", NULL));
	CHECK(is(s->metadata_url,
	         "https://d.okta.com/oauth2/default/.well-known/openid-configuration"));
	CHECK(is(s->metadata_issuer, "https://d.okta.com/oauth2/default"));
	CHECK(is(s->client_claim, "cid") && is(s->roles_claim, "groups") &&
	      s->roles_claim_count == 1 && s->algorithms == ALG_RS256);
	load_done(&l);
}

static void
test_cognito(void)
{
	struct load l = load_issuer("type: cognito, region: eu-west-1, user_pool: eu-west-1_aBc, "
	                            "client_id: [c, d], required_claims: {scope: x}");
	const struct issuer_settings *s = first(&l);
	static const char iss[] = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBc";

	CHECK(s->type == ISSUER_COGNITO && s->name_count == 1 && has_name(s, 0, iss, NULL) &&
	      is(s->issuer, iss));
	CHECK(is(s->jwks_url, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBc/"
	                      ".well-known/jwks.json"));
	CHECK(s->metadata_url == NULL && s->metadata_issuer == NULL);
	CHECK(s->audience_count == 0 && is_list(s->clients, s->client_count, "c|d") &&
	      is(s->client_claim, "client_id"));
	CHECK(is(s->roles_claim, "cognito:groups") && s->algorithms == ALG_RS256);
	CHECK(s->required_count == 2);
	if (s->required_count == 2) {
		CHECK(is(s->required[0].path, "token_use") &&
		      is_list(s->required[0].values, s->required[0].count, "access"));
		CHECK(is(s->required[1].path, "scope") &&
		      is_list(s->required[1].values, s->required[1].count, "x"));
	}
	load_done(&l);
}

static void
test_a_login_needs_the_metadata_of_cognito(void)
{
	struct load l = load_issuer("type: cognito, region: eu-west-1, user_pool: eu-west-1_a, "
	                            "client_id: c, audience: z, login: {client_id: c}");
	const struct issuer_settings *s = first(&l);
	static const char iss[] = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a";

	CHECK(s->jwks_url == NULL && is(s->metadata_issuer, iss));
	CHECK(is(s->metadata_url, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a/"
	                          ".well-known/openid-configuration"));
	CHECK(is_list(s->audience, s->audience_count, "z"));
	CHECK(is(s->login_client_id, "c") && is(s->login_scope, "openid profile") &&
	      s->login_secret.file == NULL && s->login_secret.env == NULL);
	load_done(&l);
}

static void
test_oidc_finds_its_metadata(void)
{
	static const struct {
		const char *text, *iss, *metadata, *metadata_issuer, *jwks_url, *jwks_file;
	} rows[] = {
		{ "issuer: 'https://i/r'", "https://i/r",
		  "https://i/r/.well-known/openid-configuration", "https://i/r", NULL, NULL },
		{ "issuer: 'https://i/'", "https://i/",
		  "https://i/.well-known/openid-configuration", "https://i/", NULL, NULL },
		{ "issuer: 'http://localhost:9'", "http://localhost:9",
		  "http://localhost:9/.well-known/openid-configuration", "http://localhost:9", NULL,
		  NULL },
		{ "issuer: 'https://t.b2clogin.com/" T1 "/v2.0/', metadata: "
		  "'https://t.b2clogin.com/t.onmicrosoft.com/p/v2.0/.well-known/"
		  "openid-configuration'",
		  "https://t.b2clogin.com/" T1 "/v2.0/",
		  "https://t.b2clogin.com/t.onmicrosoft.com/p/v2.0/.well-known/"
		  "openid-configuration",
		  "https://t.b2clogin.com/" T1 "/v2.0/", NULL, NULL },
		{ "issuer: 'https://i', jwks: {url: 'https://k/x?y=z'}", "https://i", NULL, NULL,
		  "https://k/x?y=z", NULL },
		{ "issuer: 'https://i', jwks: {file: k}", "https://i", NULL, NULL, NULL,
		  "/srv/gw/k" },
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof text, "type: oidc, audience: a, %s", rows[i].text);
		struct load l = load_issuer(text);
		const struct issuer_settings *s = first(&l);
		CHECK_ROW(s->name_count == 1 && has_name(s, 0, rows[i].iss, NULL), text);
		CHECK_ROW(is(s->issuer, rows[i].iss), text);
		CHECK_ROW(is(s->metadata_url, rows[i].metadata), text);
		CHECK_ROW(is(s->metadata_issuer, rows[i].metadata_issuer), text);
		CHECK_ROW(is(s->jwks_url, rows[i].jwks_url), text);
		CHECK_ROW(is(s->jwks_file, rows[i].jwks_file), text);
		CHECK_ROW(is(s->client_claim, "azp client_id cid appid"), text);
		CHECK_ROW(s->algorithms == (ALG_RS256 | ALG_PS256 | ALG_ES256 | ALG_EDDSA), text);
		load_done(&l);
	}
}

/* Pods, and machines of a row, are called so. */
static void
test_a_host_may_end_in_a_digit(void)
{
	struct load l = load_issuer("type: oidc, issuer: 'https://keycloak-0:8443/realms/r', "
	                            "audience: a");

	CHECK(is(first(&l)->issuer, "https://keycloak-0:8443/realms/r"));
	load_done(&l);
}

static void
test_introspection(void)
{
	struct load l =
		load_issuer("type: introspection, endpoint: 'https://i/in?x', client_id: c, "
	                    "client_secret: {file: s}, audience: a");
	const struct issuer_settings *s = first(&l);

	CHECK(s->type == ISSUER_INTROSPECTION && s->issuer == NULL && s->name_count == 0);
	CHECK(is(s->introspection_url, "https://i/in?x") && is(s->introspection_client_id, "c") &&
	      is(s->introspection_secret.file, "/srv/gw/s") && s->introspection_cache_s == 30);
	CHECK(s->metadata_url == NULL && s->jwks_url == NULL && s->jwks_file == NULL);
	CHECK(s->algorithms == 0 && s->leeway_s == 60 && is(s->client_claim, "client_id"));
	CHECK(is(s->roles_claim, "roles"));
	load_done(&l);

	l = load_issuer("type: introspection, endpoint: 'https://i/in', client_id: c, "
	                "client_secret: {env: S}, audience: a, issuer: 'https://i', cache: 0s");
	s = first(&l);
	CHECK(s->name_count == 1 && has_name(s, 0, "https://i", NULL) &&
	      is(s->issuer, "https://i"));
	CHECK(s->introspection_cache_s == 0 && is(s->introspection_secret.env, "S"));
	load_done(&l);
}

static void
test_local_issues_under_the_public_url(void)
{
	struct load l = load_issuer("type: local, audience: a, login: true, bindings: dpop");
	const struct issuer_settings *s = first(&l);

	CHECK(s->name_count == 1 && has_name(s, 0, "https://gw.example", NULL) &&
	      is(s->issuer, "https://gw.example"));
	CHECK(is(s->login_client_id, "i") && is(s->login_scope, "openid profile"));
	CHECK(s->metadata_url == NULL && s->jwks_url == NULL && s->bindings == BINDING_DPOP);
	CHECK(is(s->client_claim, "client_id") && s->algorithms == ALG_ES256);
	load_done(&l);

	l = load_issuer("type: local, audience: a, login: false");
	CHECK(first(&l)->login_client_id == NULL && first(&l)->login_scope == NULL);
	CHECK(l.settings != NULL && l.settings->sessions.issuer == -1);
	load_done(&l);
}

/* Around the issuers */

#define OIDC_LOGIN(name)                                                                           \
	"{type: oidc, issuer: 'https://" name "', audience: a, login: {client_id: c}}"

static void
test_sessions_go_to_the_issuer_named_or_the_first_with_login(void)
{
	static const struct {
		const char *text;
		int issuer;
		unsigned ttl_s;
	} rows[] = {
		{ "{}\n", -1, 3600 },
		{ "issuers:\n  a: {type: local, audience: a}\n  b: " OIDC_LOGIN(
			  "b") "\n  c: " OIDC_LOGIN("c") "\n",
		  1, 3600 },
		{ "issuers:\n  b: " OIDC_LOGIN("b") "\n  c: " OIDC_LOGIN(
			  "c") "\nsessions: {issuer: c, ttl: 12h}\n",
		  1, 43200 },
		{ "issuers:\n  b: " OIDC_LOGIN("b") "\nsessions: {issuer: b, ttl: 1m}\n", 0, 60 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct load l = load_good(rows[i].text);
		CHECK_ROW(l.settings != NULL && l.settings->sessions.issuer == rows[i].issuer,
		          rows[i].text);
		CHECK_ROW(l.settings != NULL && l.settings->sessions.ttl_s == rows[i].ttl_s,
		          rows[i].text);
		load_done(&l);
	}
}

static void
test_outbound_and_proxies(void)
{
	struct load l = load_good("outbound: {ca: {file: ca.pem}, private_hosts: [idp.corp, "
	                          "'fd00::1'], timeout: 100ms}\n"
	                          "listen: {http: {address: 80, proxies: ['127.0.0.1', '::1'], "
	                          "client_certificate: X-Client-Cert}}\n");
	const struct settings *s = l.settings;

	CHECK(s != NULL && is(s->outbound.ca_file, "/srv/gw/ca.pem") &&
	      is_list(s->outbound.private_hosts, s->outbound.private_host_count,
	              "idp.corp|fd00::1") &&
	      s->outbound.timeout_ms == 100);
	CHECK(s != NULL && s->listen.http.port == 80 &&
	      is_list(s->listen.proxies, s->listen.proxy_count, "127.0.0.1|::1") &&
	      is(s->listen.certificate_field, "x-client-cert"));
	load_done(&l);

	l = load_good("{}\n");
	s = l.settings;
	CHECK(s != NULL && s->outbound.ca_file == NULL && s->outbound.private_host_count == 0 &&
	      s->outbound.timeout_ms == 5000);
	CHECK(s != NULL && s->listen.proxy_count == 0 && s->listen.certificate_field == NULL);
	load_done(&l);
}

TESTS(TEST(test_entra_takes_both_forms_of_its_tenant),
      TEST(test_entra_with_several_tenants_reads_the_template),
      TEST(test_entra_has_national_clouds), TEST(test_entra_with_every_key), TEST(test_okta),
      TEST(test_cognito), TEST(test_a_login_needs_the_metadata_of_cognito),
      TEST(test_oidc_finds_its_metadata), TEST(test_a_host_may_end_in_a_digit),
      TEST(test_introspection), TEST(test_local_issues_under_the_public_url),
      TEST(test_sessions_go_to_the_issuer_named_or_the_first_with_login),
      TEST(test_outbound_and_proxies))
