/* config_issuers.c - the rows of each kind of issuer. What they have in common stands in groups, so
 * that each row is written once. */
#include "config/config_issuers.h"

#include "base/macros.h"

/* Tables, read by the row. */
/* clang-format off */

/* Secrets */

static const struct setting secret_rows[] = {
	{ .name = "file", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct secret_ref, file),
	  .help = "The file that holds it and nothing else; a newline at its end does not count. A new content is seen "
	          "without a reload." },
	{ .name = "env", .kind = SETTING_TEXT, .form = &form_env, .instead_of = "file", .min = 1, .max = 128,
	  .offset = offsetof(struct secret_ref, env),
	  .help = "The environment variable that holds it, instead of a file." },
};
const struct section secret_section = {
	.title = "a secret", .settings = secret_rows, .count = ARRAY_LEN(secret_rows),
	.expected = "a reference, as secrets are never written here: {file: PATH} or {env: NAME}",
};

/* Every kind */

static const struct choice callers[] = {
	{ "any", CALLERS_ANY, NULL }, { "users", CALLERS_USERS, NULL }, { "apps", CALLERS_APPS, NULL },
};
static const struct choice bindings[] = { { "dpop", BINDING_DPOP, NULL }, { "mtls", BINDING_MTLS, NULL } };
static const struct setting issuer_rows[] = {
	{ .name = "required_claims", .kind = SETTING_CLAIMS, .min = 1, .max = 32,
	  .offset = offsetof(struct issuer_settings, required),
	  .count_offset = offsetof(struct issuer_settings, required_count),
	  .help = "Claims that must be there, each with the value it must have, or a list of which it must have one; a "
	          "claim that is a list must hold one. Claims are named as in `roles_claim`." },
	{ .name = "callers", .kind = SETTING_CHOICE, .fallback = "any",
	  .offset = offsetof(struct issuer_settings, callers), .choices = callers, .choice_count = ARRAY_LEN(callers),
	  .help = "Whose tokens are taken: `users` refuses those that a program got for itself, `apps` all others." },
	{ .name = "bindings", .kind = SETTING_CHOICES, .offset = offsetof(struct issuer_settings, bindings),
	  .choices = bindings, .choice_count = ARRAY_LEN(bindings),
	  .help = "A token must be bound to its holder in one of these ways: `dpop` (RFC 9449), `mtls` (RFC 8705; see "
	          "`client_ca` and `client_certificate` of `listen.http`). Without it, only a token that says it is bound must be proven." },
};

/* Most kinds */

static const struct setting audience_rows[] = {
	{ .name = "audience", .kind = SETTING_TEXTS, .required = true, .min = 1, .max = 32,
	  .offset = offsetof(struct issuer_settings, audience),
	  .count_offset = offsetof(struct issuer_settings, audience_count),
	  .help = "A token must name one of these in `aud`, byte for byte." },
	{ .name = "clients", .kind = SETTING_TEXTS, .min = 1, .max = 256,
	  .offset = offsetof(struct issuer_settings, clients),
	  .count_offset = offsetof(struct issuer_settings, client_count),
	  .help = "Only tokens that were given to one of these clients. Without it: to any." },
};
static const struct setting roles_rows[] = {
	{ .name = "roles_claim", .kind = SETTING_TEXTS, .min = 1, .max = 8, .fallback = "roles",
	  .offset = offsetof(struct issuer_settings, roles_claims),
	  .count_offset = offsetof(struct issuer_settings, roles_claim_count),
	  .help = "The claims that `granted_by` looks at: a name, or a dotted path such as `realm_access.roles`. The "
	          "values of all of them count." },
};
static const struct setting leeway_rows[] = {
	{ .name = "leeway", .kind = SETTING_SECONDS, .max = MINUTE_S, .fallback = "60s",
	  .offset = offsetof(struct issuer_settings, leeway_s),
	  .help = "How far the issuer's clock may differ from ours." },
};

/* Kinds with keys of their own */

static const char symmetric[] = "whoever can check such a token can also make one";
static const struct choice algorithms[] = {
	{ "RS256", ALG_RS256, NULL }, { "RS384", ALG_RS384, NULL }, { "RS512", ALG_RS512, NULL },
	{ "PS256", ALG_PS256, NULL }, { "PS384", ALG_PS384, NULL }, { "PS512", ALG_PS512, NULL },
	{ "ES256", ALG_ES256, NULL }, { "ES384", ALG_ES384, NULL }, { "ES512", ALG_ES512, NULL },
	{ "EdDSA", ALG_EDDSA, NULL },
	{ "HS256", 0, symmetric }, { "HS384", 0, symmetric }, { "HS512", 0, symmetric },
	{ "none", 0, "an unsigned token proves nothing" },
};
static const struct setting rs256_rows[] = {
	{ .name = "algorithms", .kind = SETTING_CHOICES, .fallback = "[RS256]",
	  .offset = offsetof(struct issuer_settings, algorithms),
	  .choices = algorithms, .choice_count = ARRAY_LEN(algorithms),
	  .help = "What its tokens may be signed with. Nothing in a token can widen this list." },
};
static const struct setting jwks_rows[] = {
	{ .name = "file", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct issuer_settings, jwks_file),
	  .help = "A JSON Web Key Set (RFC 7517) with the issuer's public keys, read at the start and at a reload." },
	{ .name = "url", .kind = SETTING_TEXT, .form = &form_url, .instead_of = "file", .min = 1, .max = 2048,
	  .offset = offsetof(struct issuer_settings, jwks_url), .help = "Where such a set is fetched." },
};
static const struct section jwks_section = {
	.title = "jwks", .settings = jwks_rows, .count = ARRAY_LEN(jwks_rows),
};
static const struct setting provider_login_rows[] = {
	{ .name = "client_id", .kind = SETTING_TEXT, .required = true, .min = 1, .max = 256,
	  .offset = offsetof(struct issuer_settings, login_client_id),
	  .help = "Who we are at the issuer. Its redirect URI is `public_url` and `/login/callback`." },
	{ .name = "client_secret", .kind = SETTING_SECTION, .section = &secret_section,
	  .offset = offsetof(struct issuer_settings, login_secret),
	  .help = "Without it we are a public client, with PKCE alone." },
	{ .name = "scope", .kind = SETTING_TEXT, .form = &form_scope, .min = 1, .max = 1024, .fallback = "openid profile",
	  .offset = offsetof(struct issuer_settings, login_scope), .help = "What is asked for." },
};
static const struct section provider_login_section = {
	.title = "login", .settings = provider_login_rows, .count = ARRAY_LEN(provider_login_rows),
};
static const struct setting provider_rows[] = {
	{ .name = "metadata", .kind = SETTING_TEXT, .form = &form_url, .min = 1, .max = 2048,
	  .offset = offsetof(struct issuer_settings, metadata_url),
	  .help = "The issuer's discovery document, where it does not stand at the usual place." },
	{ .name = "jwks", .kind = SETTING_SECTION, .section = &jwks_section,
	  .help = "The issuer's keys, instead of what its metadata says. Not together with `login`." },
	{ .name = "keys_stale", .kind = SETTING_SECONDS, .min = 10 * MINUTE_S, .max = 7 * DAY_S, .fallback = "24h",
	  .offset = offsetof(struct issuer_settings, keys_stale_s),
	  .help = "How long fetched keys serve while the issuer gives no good answer. After that its tokens get 503." },
	{ .name = "keys_cooldown", .kind = SETTING_SECONDS, .min = 1, .max = 10 * MINUTE_S, .fallback = "30s",
	  .offset = offsetof(struct issuer_settings, keys_cooldown_s),
	  .help = "A token with an unknown key makes us fetch the keys anew, at most once in this time." },
	{ .name = "login", .kind = SETTING_SECTION, .section = &provider_login_section,
	  .help = "People may log in here with a browser, for the pages that have sessions. Needs a `public_url` that is "
	          "https, or on loopback." },
};

/* local */

static const struct choice signing_algorithms[] = {
	{ "ES256", ALG_ES256, NULL }, { "RS256", ALG_RS256, NULL }, { "EdDSA", ALG_EDDSA, NULL },
};
static const struct setting local_rows[] = {
	{ .name = "access_token_ttl", .kind = SETTING_SECONDS, .min = 1, .max = 15 * MINUTE_S, .fallback = "15m",
	  .offset = offsetof(struct issuer_settings, access_token_ttl_s),
	  .help = "How long an access token lives. One that is revoked is refused within a second; the bound holds for "
	          "what no gateway is told of." },
	{ .name = "refresh_token_ttl", .kind = SETTING_SECONDS, .min = 1, .max = 365 * DAY_S, .fallback = "30d",
	  .offset = offsetof(struct issuer_settings, refresh_token_ttl_s),
	  .help = "How long after the login its refresh tokens end, however often they were used." },
	{ .name = "refresh_idle_ttl", .kind = SETTING_SECONDS, .min = 1, .max = 365 * DAY_S, .fallback = "7d",
	  .offset = offsetof(struct issuer_settings, refresh_idle_ttl_s),
	  .help = "How long a refresh token may stay unused; never longer than `refresh_token_ttl`." },
	{ .name = "exchanged_token_ttl", .kind = SETTING_SECONDS, .min = 1, .max = 15 * MINUTE_S, .fallback = "5m",
	  .offset = offsetof(struct issuer_settings, exchanged_token_ttl_s),
	  .help = "How long an access token lives that an agent got for another; never longer than that one." },
	{ .name = "signing_algorithm", .kind = SETTING_CHOICE, .fallback = "ES256",
	  .offset = offsetof(struct issuer_settings, signing_algorithm),
	  .choices = signing_algorithms, .choice_count = ARRAY_LEN(signing_algorithms),
	  .help = "What our tokens are signed with." },
	{ .name = "key_rotation", .kind = SETTING_SECONDS, .min = MINUTE_S, .max = 365 * DAY_S, .fallback = "30d",
	  .offset = offsetof(struct issuer_settings, key_rotation_s),
	  .help = "A new signing key this often. The old one is still accepted while its tokens live." },
	{ .name = "leeway", .kind = SETTING_SECONDS, .max = MINUTE_S, .fallback = "5s",
	  .offset = offsetof(struct issuer_settings, leeway_s),
	  .help = "How far two of our clocks may differ." },
	{ .name = "login", .kind = SETTING_BOOL, .fallback = "false", .offset = offsetof(struct issuer_draft, login),
	  .help = "Our users may log in with a browser, for the pages that have sessions. Needs a `public_url` that is "
	          "https, or on loopback." },
};
static const struct row_group local_groups[] = {
	{ local_rows, ARRAY_LEN(local_rows) }, { audience_rows, ARRAY_LEN(audience_rows) },
	{ roles_rows, ARRAY_LEN(roles_rows) },
};

/* oidc */

static const struct setting oidc_rows[] = {
	{ .name = "issuer", .kind = SETTING_TEXT, .form = &form_issuer, .required = true, .min = 1, .max = 1024,
	  .offset = offsetof(struct issuer_settings, issuer),
	  .help = "Must equal `iss` of a token byte for byte, a slash at the end included." },
	{ .name = "tenant", .kind = SETTING_TEXT, .min = 1, .max = 256, .offset = offsetof(struct issuer_settings, tenant),
	  .help = "Only tokens whose `tid` equals this. Without it, `tid` is not looked at." },
	{ .name = "algorithms", .kind = SETTING_CHOICES, .fallback = "[RS256, PS256, ES256, EdDSA]",
	  .offset = offsetof(struct issuer_settings, algorithms),
	  .choices = algorithms, .choice_count = ARRAY_LEN(algorithms),
	  .help = "What its tokens may be signed with. Nothing in a token can widen this list." },
};
static const struct row_group oidc_groups[] = {
	{ oidc_rows, ARRAY_LEN(oidc_rows) }, { provider_rows, ARRAY_LEN(provider_rows) },
	{ leeway_rows, ARRAY_LEN(leeway_rows) }, { audience_rows, ARRAY_LEN(audience_rows) },
	{ roles_rows, ARRAY_LEN(roles_rows) },
};

/* entra */

static const struct choice clouds[] = {
	{ "public", CLOUD_PUBLIC, NULL }, { "usgov", CLOUD_USGOV, NULL }, { "china", CLOUD_CHINA, NULL },
};
static const struct choice guests[] = { { "allow", GUESTS_ALLOW, NULL }, { "refuse", GUESTS_REFUSE, NULL } };
static const struct setting graph_rows[] = {
	{ .name = "client_id", .kind = SETTING_TEXT, .required = true, .min = 1, .max = 256,
	  .offset = offsetof(struct issuer_settings, graph_client_id),
	  .help = "Who we are; needs the application permission `GroupMember.Read.All`." },
	{ .name = "client_secret", .kind = SETTING_SECTION, .section = &secret_section, .required = true,
	  .offset = offsetof(struct issuer_settings, graph_secret), .help = "Our secret." },
	{ .name = "endpoint", .kind = SETTING_TEXT, .form = &form_issuer, .min = 1, .max = 1024,
	  .offset = offsetof(struct issuer_settings, graph_url),
	  .help = "Where Graph is, without the version. Default: that of the cloud." },
	{ .name = "token_endpoint", .kind = SETTING_TEXT, .form = &form_tenant_url, .min = 1, .max = 2048,
	  .offset = offsetof(struct issuer_settings, graph_token_url),
	  .help = "Where our own token is got, with `{tenantid}` for the tenant. Default: that of the cloud." },
};
static const struct section graph_section = {
	.title = "graph", .settings = graph_rows, .count = ARRAY_LEN(graph_rows),
};
static const struct setting entra_rows[] = {
	{ .name = "tenant", .kind = SETTING_TEXTS, .form = &form_guid, .required = true, .min = 1, .max = 64,
	  .offset = offsetof(struct issuer_draft, tenants), .count_offset = offsetof(struct issuer_draft, tenant_count),
	  .help = "The directory's ID; with several, tokens of any of these and of no other. Tokens of both versions are "
	          "taken, v1.0 and v2.0." },
	{ .name = "cloud", .kind = SETTING_CHOICE, .fallback = "public", .offset = offsetof(struct issuer_draft, cloud),
	  .choices = clouds, .choice_count = ARRAY_LEN(clouds), .help = "The cloud of the directory." },
	{ .name = "guests", .kind = SETTING_CHOICE, .fallback = "allow", .offset = offsetof(struct issuer_draft, guests),
	  .choices = guests, .choice_count = ARRAY_LEN(guests),
	  .help = "Whether people of other directories who were invited to this one may come." },
	{ .name = "graph", .kind = SETTING_SECTION, .section = &graph_section,
	  .help = "How to ask for groups that are too many for a token. Without it such a token is refused where "
	          "`roles_claim` looks at `groups`." },
};
static const struct row_group entra_groups[] = {
	{ entra_rows, ARRAY_LEN(entra_rows) }, { rs256_rows, ARRAY_LEN(rs256_rows) },
	{ provider_rows, ARRAY_LEN(provider_rows) }, { leeway_rows, ARRAY_LEN(leeway_rows) },
	{ audience_rows, ARRAY_LEN(audience_rows) }, { roles_rows, ARRAY_LEN(roles_rows) },
};

/* okta */

static const struct setting okta_rows[] = {
	{ .name = "issuer", .kind = SETTING_TEXT, .form = &form_okta_issuer, .required = true, .min = 1, .max = 1024,
	  .offset = offsetof(struct issuer_settings, issuer),
	  .help = "The custom authorization server, such as `https://example.okta.com/oauth2/default`. Tokens of the org "
	          "authorization server (the domain alone) are for Okta itself and cannot be checked." },
	{ .name = "roles_claim", .kind = SETTING_TEXTS, .min = 1, .max = 8, .fallback = "groups",
	  .offset = offsetof(struct issuer_settings, roles_claims),
	  .count_offset = offsetof(struct issuer_settings, roles_claim_count),
	  .help = "The claims that `granted_by` looks at. `groups` is in a token only if the server is set up so; scopes "
	          "are in `scp`." },
};
static const struct row_group okta_groups[] = {
	{ okta_rows, ARRAY_LEN(okta_rows) }, { rs256_rows, ARRAY_LEN(rs256_rows) },
	{ provider_rows, ARRAY_LEN(provider_rows) }, { leeway_rows, ARRAY_LEN(leeway_rows) },
	{ audience_rows, ARRAY_LEN(audience_rows) },
};

/* cognito */

static const struct setting cognito_rows[] = {
	{ .name = "region", .kind = SETTING_TEXT, .form = &form_region, .required = true, .min = 1, .max = 64,
	  .offset = offsetof(struct issuer_draft, region), .help = "Where the user pool is." },
	{ .name = "user_pool", .kind = SETTING_TEXT, .form = &form_user_pool, .required = true, .min = 1, .max = 128,
	  .offset = offsetof(struct issuer_draft, user_pool), .help = "The user pool." },
	{ .name = "client_id", .kind = SETTING_TEXTS, .required = true, .min = 1, .max = 256,
	  .offset = offsetof(struct issuer_settings, clients),
	  .count_offset = offsetof(struct issuer_settings, client_count),
	  .help = "The app clients whose access tokens are taken. Cognito names no audience unless told to, so this "
	          "stands for it. ID tokens are refused." },
	{ .name = "audience", .kind = SETTING_TEXTS, .min = 1, .max = 32,
	  .offset = offsetof(struct issuer_settings, audience),
	  .count_offset = offsetof(struct issuer_settings, audience_count),
	  .help = "With it, a token must name one of these in `aud` too." },
	{ .name = "roles_claim", .kind = SETTING_TEXTS, .min = 1, .max = 8, .fallback = "\"cognito:groups\"",
	  .offset = offsetof(struct issuer_settings, roles_claims),
	  .count_offset = offsetof(struct issuer_settings, roles_claim_count),
	  .help = "The claims that `granted_by` looks at." },
};
static const struct row_group cognito_groups[] = {
	{ cognito_rows, ARRAY_LEN(cognito_rows) }, { rs256_rows, ARRAY_LEN(rs256_rows) },
	{ provider_rows, ARRAY_LEN(provider_rows) }, { leeway_rows, ARRAY_LEN(leeway_rows) },
};

/* introspection */

static const struct setting introspection_rows[] = {
	{ .name = "endpoint", .kind = SETTING_TEXT, .form = &form_url, .required = true, .min = 1, .max = 2048,
	  .offset = offsetof(struct issuer_settings, introspection_url),
	  .help = "Where tokens are asked for (RFC 7662)." },
	{ .name = "client_id", .kind = SETTING_TEXT, .required = true, .min = 1, .max = 256,
	  .offset = offsetof(struct issuer_settings, introspection_client_id), .help = "Who we are there." },
	{ .name = "client_secret", .kind = SETTING_SECTION, .section = &secret_section, .required = true,
	  .offset = offsetof(struct issuer_settings, introspection_secret), .help = "Our secret." },
	{ .name = "issuer", .kind = SETTING_TEXT, .form = &form_issuer, .min = 1, .max = 1024,
	  .offset = offsetof(struct issuer_settings, issuer),
	  .help = "An `iss` in an answer must be this, and signed tokens of this `iss` are asked for too. At most "
	          "one issuer goes without." },
	{ .name = "cache", .kind = SETTING_SECONDS, .max = MINUTE_S, .fallback = "30s",
	  .offset = offsetof(struct issuer_settings, introspection_cache_s),
	  .help = "How long a good answer serves, at most: as long a revoked token may still work." },
};
static const struct row_group introspection_groups[] = {
	{ introspection_rows, ARRAY_LEN(introspection_rows) }, { leeway_rows, ARRAY_LEN(leeway_rows) },
	{ audience_rows, ARRAY_LEN(audience_rows) }, { roles_rows, ARRAY_LEN(roles_rows) },
};

static const struct variant issuer_types[] = {
	{ "local", ISSUER_LOCAL, local_groups, ARRAY_LEN(local_groups) },
	{ "entra", ISSUER_ENTRA, entra_groups, ARRAY_LEN(entra_groups) },
	{ "okta", ISSUER_OKTA, okta_groups, ARRAY_LEN(okta_groups) },
	{ "cognito", ISSUER_COGNITO, cognito_groups, ARRAY_LEN(cognito_groups) },
	{ "oidc", ISSUER_OIDC, oidc_groups, ARRAY_LEN(oidc_groups) },
	{ "introspection", ISSUER_INTROSPECTION, introspection_groups, ARRAY_LEN(introspection_groups) },
};
const struct section issuer_section = {
	.title = "an issuer", .settings = issuer_rows, .count = ARRAY_LEN(issuer_rows),
	.variants = issuer_types, .variant_count = ARRAY_LEN(issuer_types),
	.type_offset = offsetof(struct issuer_settings, type), .size = sizeof(struct issuer_settings),
	.name_offset = offsetof(struct issuer_settings, name), .place_offset = offsetof(struct issuer_settings, place),
	.draft_size = sizeof(struct issuer_draft), .finish = issuer_resolve,
};
