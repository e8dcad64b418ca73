/* test_kinds.c - tokens in the shapes that Entra, Okta, Cognito, Keycloak, Auth0 and Google
 * document, each by the settings of its kind: who is let in with which roles, and which check
 * refuses. */
#include "gate.h"

#define TENANT "11111111-1111-1111-1111-111111111111"
#define OTHER "22222222-2222-2222-2222-222222222222"
#define API "33333333-3333-3333-3333-333333333333"
#define CLIENT "44444444-4444-4444-4444-444444444444"
#define OBJECT "55555555-5555-5555-5555-555555555555"
#define STS "https://sts.windows.net/"
#define LOGIN "https://login.microsoftonline.com/"
#define DATES "\"iat\":1760000000,\"nbf\":1760000000,\"exp\":1760003600"

static const char *const api_audience[] = { API, "api://" API };
static const char *const roles_and_groups[] = { "roles", "groups", "scp" };
static const char *const one_client[] = { CLIENT };
static const char *const access_use[] = { "access" };
static const char *const mfa[] = { "mfa", "hwk" };
static const char *const realm_roles[] = { "realm_access.roles", "resource_access.books.roles" };
static const char *const auth0_roles[] = { "https://books.test/roles", "permissions" };
static const char *const okta_roles[] = { "groups", "scp" };
static const char *const cognito_roles[] = { "cognito:groups", "scope" };

static const struct issuer_name public_names[] = { { LOGIN TENANT "/v2.0", TENANT },
	                                           { STS TENANT "/", TENANT } };
static const struct issuer_name usgov_names[] = {
	{ "https://login.microsoftonline.us/" TENANT "/v2.0", TENANT }, { STS TENANT "/", TENANT }
};
static const struct issuer_name china_names[] = {
	{ "https://login.partner.microsoftonline.cn/" TENANT "/v2.0", TENANT },
	{ "https://sts.chinacloudapi.cn/" TENANT "/", TENANT }
};
static const struct issuer_name many_names[] = { { LOGIN TENANT "/v2.0", TENANT },
	                                         { STS TENANT "/", TENANT },
	                                         { LOGIN OTHER "/v2.0", OTHER },
	                                         { STS OTHER "/", OTHER } };
static const struct issuer_name b2c_names[] = { { "https://shop.b2clogin.com/" TENANT "/v2.0/",
	                                          NULL } };
static const struct issuer_name okta_names[] = { { "https://dev.okta.com/oauth2/default", NULL } };
static const struct issuer_name cognito_names[] = {
	{ "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", NULL }
};
static const struct issuer_name keycloak_names[] = { { "https://kc.test/realms/books", NULL } };
static const struct issuer_name auth0_names[] = { { "https://books.eu.auth0.com/", NULL } };
static const struct issuer_name google_names[] = { { "https://accounts.google.com", NULL } };
static const struct required_claim token_use[] = { { "token_use", access_use, 1 } };
static const struct required_claim strong[] = { { "amr", mfa, 2 } };

#define NAMES(n) .issuer = "the issuer", .names = n, .name_count = ARRAY_LEN(n)
#define ROLES(r) .roles_claims = r, .roles_claim_count = ARRAY_LEN(r)
#define ENTRA                                                                                      \
	.type = ISSUER_ENTRA, .audience = api_audience, .audience_count = 2,                       \
	.client_claim = "azp appid", ROLES(roles_and_groups)

static const struct issuer_settings entra = { ENTRA, NAMES(public_names) };
static const struct issuer_settings entra_users = { ENTRA, NAMES(public_names),
	                                            .callers = CALLERS_USERS };
static const struct issuer_settings entra_apps = { ENTRA, NAMES(public_names),
	                                           .callers = CALLERS_APPS };
static const struct issuer_settings entra_members = { ENTRA, NAMES(public_names),
	                                              .guests_refused = true };
static const struct issuer_settings entra_client = { ENTRA, NAMES(public_names),
	                                             .clients = one_client, .client_count = 1 };
static const struct issuer_settings entra_strong = { ENTRA, NAMES(public_names), .required = strong,
	                                             .required_count = 1 };
static const struct issuer_settings entra_many = { ENTRA, NAMES(many_names) };
static const struct issuer_settings entra_usgov = { ENTRA, NAMES(usgov_names) };
static const struct issuer_settings entra_china = { ENTRA, NAMES(china_names) };
static const struct issuer_settings b2c = { .type = ISSUER_OIDC,
	                                    NAMES(b2c_names),
	                                    .tenant = NULL,
	                                    .audience = api_audience,
	                                    .audience_count = 2,
	                                    .client_claim = "azp client_id",
	                                    ROLES(roles_and_groups) };
static const struct issuer_settings okta = { .type = ISSUER_OKTA,
	                                     NAMES(okta_names),
	                                     .audience = gate_audience,
	                                     .audience_count = 1,
	                                     .client_claim = "cid",
	                                     ROLES(okta_roles) };
static const struct issuer_settings okta_users = { .type = ISSUER_OKTA,
	                                           NAMES(okta_names),
	                                           .audience = gate_audience,
	                                           .audience_count = 1,
	                                           .client_claim = "cid",
	                                           ROLES(okta_roles),
	                                           .callers = CALLERS_USERS };
#define COGNITO                                                                                    \
	.type = ISSUER_COGNITO, NAMES(cognito_names), .client_claim = "client_id",                 \
	.clients = one_client, .client_count = 1, .required = token_use, .required_count = 1,      \
	ROLES(cognito_roles)
static const struct issuer_settings cognito = { COGNITO };
static const struct issuer_settings cognito_users = { COGNITO, .callers = CALLERS_USERS };
static const struct issuer_settings keycloak = { .type = ISSUER_OIDC,
	                                         NAMES(keycloak_names),
	                                         .audience = gate_audience,
	                                         .audience_count = 1,
	                                         .client_claim = "azp client_id",
	                                         ROLES(realm_roles) };
static const struct issuer_settings auth0 = { .type = ISSUER_OIDC,
	                                      NAMES(auth0_names),
	                                      .audience = gate_audience,
	                                      .audience_count = 1,
	                                      .client_claim = "azp client_id",
	                                      ROLES(auth0_roles) };
static const struct issuer_settings auth0_apps = { .type = ISSUER_OIDC,
	                                           NAMES(auth0_names),
	                                           .audience = gate_audience,
	                                           .audience_count = 1,
	                                           .client_claim = "azp client_id",
	                                           ROLES(auth0_roles),
	                                           .callers = CALLERS_APPS };
static const struct issuer_settings google = { .type = ISSUER_OIDC,
	                                       NAMES(google_names),
	                                       .audience = gate_audience,
	                                       .audience_count = 1,
	                                       .client_claim = "azp client_id",
	                                       ROLES(roles_and_groups) };

#define V1                                                                                         \
	"\"aud\":\"api://" API "\",\"iss\":\"" STS TENANT "/\"," DATES                             \
	",\"acr\":\"1\",\"aio\":\"x\",\"appid\":\"" CLIENT                                         \
	"\",\"appidacr\":\"0\",\"oid\":\"" OBJECT "\",\"tid\":\"" TENANT                           \
	"\",\"uti\":\"u\",\"ver\":\"1.0\""
#define V2_OF(iss)                                                                                 \
	"\"aud\":\"" API "\",\"iss\":\"" iss "\"," DATES ",\"aio\":\"x\",\"azp\":\"" CLIENT        \
	"\",\"azpacr\":\"1\",\"oid\":\"" OBJECT "\",\"tid\":\"" TENANT                             \
	"\",\"uti\":\"u\",\"ver\":\"2.0\""
#define V2 V2_OF(LOGIN TENANT "/v2.0")
#define USER ",\"sub\":\"pairwise\",\"scp\":\"read write\""
#define APP ",\"sub\":\"" OBJECT "\",\"roles\":[\"admin\"]"
#define OVERAGE                                                                                    \
	",\"_claim_names\":{\"groups\":\"src1\"},\"_claim_sources\":{\"src1\":{\"endpoint\":"      \
	"\"https://graph.windows.net/x\"}}"
#define OKTA                                                                                       \
	"\"ver\":1,\"jti\":\"AT.x\",\"iss\":\"https://dev.okta.com/oauth2/default\",\"aud\":"      \
	"\"api://books\",\"iat\":1760000000,\"exp\":1760003600,\"cid\":\"0oa1\""
#define POOL                                                                                       \
	"\"iss\":\"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc\",\"origin_jti\":"    \
	"\"o\",\"event_id\":\"e\",\"auth_time\":1760000000,\"exp\":1760003600,\"iat\":1760000000," \
	"\"jti\":\"j\""
#define KEYCLOAK                                                                                   \
	"\"exp\":1760003600,\"iat\":1760000000,\"jti\":\"j\",\"iss\":\"https://kc.test/realms/"    \
	"books\",\"aud\":[\"api://books\",\"account\"],\"typ\":\"Bearer\",\"azp\":\"spa\","        \
	"\"sid\":\"s\",\"scope\":\"openid profile\",\"preferred_username\":\"ann\""
#define AUTH0                                                                                      \
	"\"iss\":\"https://books.eu.auth0.com/\",\"aud\":[\"api://books\",\"https://books.eu."     \
	"auth0.com/userinfo\"],\"iat\":1760000000,\"exp\":1760003600,\"scope\":\"openid\""

static const struct row {
	const char *name;
	const struct issuer_settings *settings;
	const char *header; /* members beside alg; may be empty */
	const char *claims; /* members */
	uint64_t roles;
	enum jwt_check failed; /* JWT_CHECK_COUNT: let in */
	const char *why;       /* part of the reason */
} rows[] = {
	{ "entra v1, delegated", &entra, ",\"typ\":\"JWT\"", V1 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra v2, delegated", &entra, ",\"typ\":\"JWT\"", V2 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra v2, app roles of a user", &entra, "", V2 USER ",\"roles\":[\"admin\"]",
	  ROLE_READER | ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "entra v2, groups", &entra, "", V2 USER ",\"groups\":[\"admin\"]",
	  ROLE_READER | ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "entra v2, app-only", &entra, "", V2 APP, ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "entra, delegated, users wanted", &entra_users, "", V2 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra, app-only v1, users wanted", &entra_users, "", V1 APP, 0, JWT_CLAIMS, "no user" },
	{ "entra, idtyp app, users wanted", &entra_users, "", V2 ",\"sub\":\"x\",\"idtyp\":\"app\"",
	  0, JWT_CLAIMS, "no user" },
	{ "entra, idtyp user with oid as sub", &entra_users, "",
	  V2 ",\"sub\":\"" OBJECT "\",\"idtyp\":\"user\"", 0, JWT_CHECK_COUNT, NULL },
	{ "entra, app-only, apps wanted", &entra_apps, "", V2 APP, ROLE_ADMIN, JWT_CHECK_COUNT,
	  NULL },
	{ "entra, delegated, apps wanted", &entra_apps, "", V2 USER, 0, JWT_CLAIMS, "of a user" },
	{ "entra, another tenant in tid", &entra, "",
	  "\"aud\":\"" API "\",\"iss\":\"" LOGIN TENANT "/v2.0\"," DATES
	  ",\"azp\":\"c\",\"tid\":\"" OTHER "\"" USER,
	  0, JWT_ISSUER, "another tenant" },
	{ "entra, no tid", &entra, "",
	  "\"aud\":\"" API "\",\"iss\":\"" LOGIN TENANT "/v2.0\"," DATES ",\"azp\":\"c\"" USER, 0,
	  JWT_ISSUER, "another tenant" },
	{ "entra, another tenant's name", &entra, "", V2_OF(LOGIN OTHER "/v2.0") USER, 0,
	  JWT_ISSUER, "not known" },
	{ "entra, the template is no name", &entra, "", V2_OF(LOGIN "{tenantid}/v2.0") USER, 0,
	  JWT_ISSUER, "not known" },
	{ "entra, a tenant of the list", &entra_many, "", V2 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra, name of one tenant, tid of the other", &entra_many, "",
	  V2_OF(LOGIN OTHER "/v2.0") USER, 0, JWT_ISSUER, "another tenant" },
	{ "entra, guest by acct", &entra_members, "", V2 USER ",\"acct\":1", 0, JWT_CLAIMS,
	  "guest" },
	{ "entra, member by acct", &entra_members, "", V2 USER ",\"acct\":0", ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "entra, guest of another tenant", &entra_members, "",
	  V1 USER ",\"idp\":\"" STS OTHER "/\"", 0, JWT_CLAIMS, "guest" },
	{ "entra, guest of live.com", &entra_members, "", V1 USER ",\"idp\":\"live.com\"", 0,
	  JWT_CLAIMS, "guest" },
	{ "entra, idp is the tenant itself", &entra_members, "",
	  V1 USER ",\"idp\":\"" STS TENANT "/\"", ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "entra, idp is no text", &entra_members, "", V1 USER ",\"idp\":[]", 0, JWT_CLAIMS,
	  "guest" },
	{ "entra, guests allowed", &entra, "", V1 USER ",\"idp\":\"live.com\",\"acct\":1",
	  ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "entra, the client wanted", &entra_client, "", V2 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra, the client wanted, v1", &entra_client, "", V1 USER, ROLE_READER, JWT_CHECK_COUNT,
	  NULL },
	{ "entra, another client", &entra_client, "",
	  "\"aud\":\"" API "\",\"iss\":\"" LOGIN TENANT "/v2.0\"," DATES ",\"azp\":\"" OTHER
	  "\",\"appid\":\"" CLIENT "\",\"tid\":\"" TENANT "\"" USER,
	  0, JWT_CLAIMS, "another client" },
	{ "entra, ID token without nonce", &entra, "",
	  "\"aud\":\"" API "\",\"iss\":\"" LOGIN TENANT "/v2.0\"," DATES ",\"tid\":\"" TENANT
	  "\",\"sub\":\"pairwise\",\"oid\":\"" OBJECT "\",\"roles\":[\"admin\"],\"ver\":\"2.0\"",
	  0, JWT_CLAIMS, "names no client" },
	{ "entra, ID token", &entra, "",
	  "\"aud\":\"" API "\",\"iss\":\"" LOGIN TENANT "/v2.0\"," DATES ",\"tid\":\"" TENANT
	  "\",\"sub\":\"pairwise\",\"nonce\":\"n\",\"ver\":\"2.0\"",
	  0, JWT_TYPE, "no access token" },
	{ "entra, token for Graph", &entra, ",\"nonce\":\"n\"", V1 USER, 0, JWT_TYPE, "Graph" },
	{ "entra, mfa", &entra_strong, "", V1 USER ",\"amr\":[\"pwd\",\"mfa\"]", ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "entra, no mfa", &entra_strong, "", V1 USER ",\"amr\":[\"pwd\"]", 0, JWT_CLAIMS,
	  "another value" },
	{ "entra, no amr", &entra_strong, "", V1 USER, 0, JWT_CLAIMS, "is missing" },
	{ "entra, overage without Graph", &entra, "", V2 USER OVERAGE, 0, JWT_CLAIMS,
	  "too many groups" },
	{ "entra, overage of an implicit grant", &entra, "", V2 USER ",\"hasgroups\":true", 0,
	  JWT_CLAIMS, "too many groups" },
	{ "entra, hasgroups is false", &entra, "", V2 USER ",\"hasgroups\":false", ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "entra usgov v2", &entra_usgov, "",
	  V2_OF("https://login.microsoftonline.us/" TENANT "/v2.0") USER, ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "entra usgov v1", &entra_usgov, "", V1 USER, ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "entra public in usgov", &entra_usgov, "", V2 USER, 0, JWT_ISSUER, "not known" },
	{ "entra china v1", &entra_china, "",
	  "\"aud\":\"" API "\",\"iss\":\"https://sts.chinacloudapi.cn/" TENANT "/\"," DATES
	  ",\"appid\":\"c\",\"tid\":\"" TENANT "\"" USER,
	  ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "b2c", &b2c, "",
	  "\"iss\":\"https://shop.b2clogin.com/" TENANT "/v2.0/\",\"aud\":\"" API "\"," DATES
	  ",\"sub\":\"u\",\"azp\":\"" CLIENT
	  "\",\"tfp\":\"B2C_1_in\",\"scp\":\"read\",\"ver\":\"1.0\",\"extension_Team\":\"x\"",
	  ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "b2c without the slash", &b2c, "",
	  "\"iss\":\"https://shop.b2clogin.com/" TENANT "/v2.0\",\"aud\":\"" API "\"," DATES
	  ",\"sub\":\"u\",\"scp\":\"read\"",
	  0, JWT_ISSUER, "not known" },
	{ "okta, user", &okta, "",
	  OKTA ",\"sub\":\"ann@x.test\",\"uid\":\"00u\",\"scp\":[\"read\"]", ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "okta, groups", &okta, "",
	  OKTA ",\"sub\":\"ann\",\"uid\":\"00u\",\"scp\":[\"openid\"],\"groups\":[\"admin\"]",
	  ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "okta, service", &okta, "", OKTA ",\"sub\":\"0oa1\",\"scp\":[\"admin\"]", ROLE_ADMIN,
	  JWT_CHECK_COUNT, NULL },
	{ "okta, service, users wanted", &okta_users, "", OKTA ",\"sub\":\"0oa1\",\"scp\":[\"x\"]",
	  0, JWT_CLAIMS, "no user" },
	{ "okta, ID token", &okta, "",
	  "\"ver\":1,\"iss\":\"https://dev.okta.com/oauth2/default\",\"aud\":\"api://books\","
	  "\"iat\":1760000000,\"exp\":1760003600,\"sub\":\"00u\",\"amr\":[\"pwd\"],\"idp\":\"i\"",
	  0, JWT_CLAIMS, "names no client" },
	{ "okta, org server", &okta, "",
	  "\"ver\":1,\"iss\":\"https://dev.okta.com\",\"aud\":\"https://dev.okta.com\",\"cid\":"
	  "\"0oa1\",\"iat\":1760000000,\"exp\":1760003600,\"sub\":\"ann\"",
	  0, JWT_ISSUER, "not known" },
	{ "cognito, access", &cognito, "",
	  POOL ",\"sub\":\"u\",\"token_use\":\"access\",\"client_id\":\"" CLIENT
	       "\",\"scope\":\"aws.cognito.signin.user.admin\",\"version\":2,\"username\":\"ann\","
	       "\"cognito:groups\":[\"admin\"]",
	  ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "cognito, with aud of resource binding", &cognito, "",
	  POOL ",\"sub\":\"u\",\"token_use\":\"access\",\"client_id\":\"" CLIENT
	       "\",\"aud\":\"https://x.test\",\"username\":\"ann\"",
	  0, JWT_CHECK_COUNT, NULL },
	{ "cognito, ID token", &cognito, "",
	  POOL ",\"sub\":\"u\",\"token_use\":\"id\",\"aud\":\"" CLIENT
	       "\",\"cognito:username\":\"ann\",\"cognito:groups\":[\"admin\"]",
	  0, JWT_TYPE, "no access token" },
	{ "cognito, no token_use", &cognito, "", POOL ",\"sub\":\"u\",\"client_id\":\"" CLIENT "\"",
	  0, JWT_CLAIMS, "required claim is missing" },
	{ "cognito, another client", &cognito, "",
	  POOL ",\"sub\":\"u\",\"token_use\":\"access\",\"client_id\":\"x\"", 0, JWT_CLAIMS,
	  "another client" },
	{ "cognito, no client", &cognito, "", POOL ",\"sub\":\"u\",\"token_use\":\"access\"", 0,
	  JWT_CLAIMS, "names no client" },
	{ "cognito, machine", &cognito, "",
	  POOL ",\"sub\":\"" CLIENT "\",\"token_use\":\"access\",\"client_id\":\"" CLIENT
	       "\",\"scope\":\"books/x read\"",
	  ROLE_READER, JWT_CHECK_COUNT, NULL },
	{ "cognito, machine, users wanted", &cognito_users, "",
	  POOL ",\"sub\":\"" CLIENT "\",\"token_use\":\"access\",\"client_id\":\"" CLIENT "\"", 0,
	  JWT_CLAIMS, "no user" },
	{ "keycloak, realm roles", &keycloak, ",\"typ\":\"JWT\"",
	  KEYCLOAK ",\"sub\":\"u\",\"realm_access\":{\"roles\":[\"reader\"]},\"resource_access\":"
	           "{\"books\":{\"roles\":[\"admin\"]},\"account\":{\"roles\":[\"x\"]}}",
	  ROLE_READER | ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "keycloak, roles of another client", &keycloak, "",
	  KEYCLOAK ",\"sub\":\"u\",\"resource_access\":{\"other\":{\"roles\":[\"admin\"]}}", 0,
	  JWT_CHECK_COUNT, NULL },
	{ "auth0, namespaced roles", &auth0, "",
	  AUTH0 ",\"sub\":\"auth0|1\",\"azp\":\"spa\",\"https://books.test/roles\":[\"admin\"]",
	  ROLE_ADMIN, JWT_CHECK_COUNT, NULL },
	{ "auth0, permissions", &auth0, "",
	  AUTH0 ",\"sub\":\"auth0|1\",\"azp\":\"spa\",\"permissions\":[\"read\"]", ROLE_READER,
	  JWT_CHECK_COUNT, NULL },
	{ "auth0, machine, apps wanted", &auth0_apps, "",
	  AUTH0 ",\"sub\":\"m2m@clients\",\"azp\":\"m2m\",\"gty\":\"client-credentials\"", 0,
	  JWT_CHECK_COUNT, NULL },
	{ "auth0, user, apps wanted", &auth0_apps, "", AUTH0 ",\"sub\":\"auth0|1\",\"azp\":\"m2m\"",
	  0, JWT_CLAIMS, "of a user" },
	{ "google, ID token", &google, "",
	  "\"iss\":\"https://accounts.google.com\",\"azp\":\"c.apps.googleusercontent.com\","
	  "\"aud\":\"api://books\",\"sub\":\"1\",\"at_hash\":\"x\",\"email\":\"a@x.test\","
	  "\"email_verified\":true,\"hd\":\"x.test\",\"iat\":1760000000,\"exp\":1760003600",
	  0, JWT_TYPE, "no access token" },
	{ "an actor that is no object", &auth0, "", AUTH0 ",\"sub\":\"u\",\"act\":\"x\"", 0,
	  JWT_CLAIMS, "who acts" },
	{ "an actor with a control character", &auth0, "",
	  AUTH0 ",\"sub\":\"u\",\"act\":{\"sub\":\"a\\u0007\"}", 0, JWT_CLAIMS, "who acts" },
};

/* One issuer, `idp`, with these settings. */
static void
start_kind(struct gate *g, const struct issuer_settings *kind)
{
	*g = (struct gate){ 0 };
	gate_settings(g);
	g->issuers[0] = *kind;
	g->issuers[0].name = "idp";
	g->issuers[0].algorithms = ALG_RS256 | ALG_ES256;
	g->settings.issuer_count = 1;
	gate_start(g);
}

static void
check_row(const struct row *row, bool full)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };
	char header[128], claims[2048];
	bool accepted = row->failed == JWT_CHECK_COUNT;

	start_kind(&g, row->settings);
	snprintf(header, sizeof header, "{\"alg\":\"ES256\"%s}", row->header);
	snprintf(claims, sizeof claims, "{%s}", row->claims);
	put_unsigned_token(&token, header, claims);
	sign_es256(&token, g.es256_raw, false);
	CHECK_ROW(gate_identify(&g, buf_bytes(&token), NOW, full) == accepted, row->name);
	CHECK_ROW(g.report.failed == row->failed, row->name);
	CHECK_ROW(accepted ? g.got_roles == row->roles : g.error.kind == ERR_IDENTITY, row->name);
	if (row->why == NULL || g.report.why == NULL)
		return;
	CHECK_ROW(strstr(g.report.why, row->why) != NULL, row->name);
	CHECK_ROW(strpbrk(g.report.why, "\"\\") == NULL, row->name); /* RFC 6750 section 3 */
	CHECK_ROW(g.report.findings[row->failed].expected.len != 0 &&
	                  g.report.findings[row->failed].got.len != 0,
	          row->name);
}

static void
test_documented_tokens_of_each_kind(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_row(&rows[i], false);
		check_row(&rows[i], true);
	}
}

/* A set that tenants share says of each key whose it is: one tenant's key must not sign for another
 * (security of Entra's common endpoint). */
static void
test_key_of_a_shared_set_signs_for_its_tenant_only(void)
{
	static const struct {
		const char *issuer;
		enum jwt_check failed;
	} keys[] = {
		{ LOGIN "{tenantid}/v2.0", JWT_CHECK_COUNT },
		{ LOGIN TENANT "/v2.0", JWT_CHECK_COUNT },
		{ STS "{tenantid}/", JWT_CHECK_COUNT },
		{ LOGIN OTHER "/v2.0", JWT_KEY },
		{ LOGIN "9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", JWT_KEY },
		{ "{tenantid}", JWT_KEY },
		{ "{", JWT_KEY },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct gate g CLEANUP(gate_done);
		struct buf text CLEANUP(buf_done) = { 0 };
		struct jwks *set = NULL;

		start_kind(&g, &entra_many);
		buf_put_text(&text, "{\"keys\":[");
		signing_key_put_jwk(g.es256, &text);
		text.len--; /* the brace */
		buf_printf(&text, ",\"issuer\":\"%s\"}]}", keys[i].issuer);
		CHECK(!failed(jwks_parse(buf_bytes(&text), &set, NULL)));
		issuers_set_keys(g.list, 0, set);
		CHECK_ROW(gate_accepts(&g, HEADER, "{" V2 USER "}") ==
		                  (keys[i].failed == JWT_CHECK_COUNT),
		          keys[i].issuer);
		CHECK_ROW(g.report.failed == keys[i].failed, keys[i].issuer);
	}
}

/* What is refused says what was wanted: the claim, and its values. */
static void
test_refusal_names_the_claim_and_its_values(void)
{
	struct gate g CLEANUP(gate_done);

	start_kind(&g, &entra_strong);
	CHECK(!gate_accepts(&g, HEADER, "{" V1 USER ",\"amr\":[\"pwd\",7]}"));
	CHECK(bytes_is(g.report.findings[JWT_CLAIMS].expected, "amr mfa or hwk"));
	CHECK(bytes_is(g.report.findings[JWT_CLAIMS].got, "[\"pwd\",7]"));
	CHECK(!gate_accepts(&g, HEADER, "{" V1 USER "}"));
	CHECK(bytes_is(g.report.findings[JWT_CLAIMS].got, "missing"));
}

static void
test_required_claims_compare_as_they_are_written(void)
{
	static const char *const values[] = { "7", "true", "x", "1.50" };
	static const struct required_claim any[] = { { "a.b", NULL, 0 } },
					   one[] = { { "a.b", values, 4 } };
	static const struct {
		const char *json;
		bool any, one;
	} claims[] = {
		{ "7", true, true },          { "\"7\"", true, true },  { "7.0", true, false },
		{ "1.50", true, true },       { "1.5", true, false },   { "true", true, true },
		{ "false", true, false },     { "[1,7]", true, true },  { "[[7]]", true, false },
		{ "{\"x\":1}", true, false }, { "null", false, false }, { "[]", true, false },
	};

	for (int pass = 0; pass < 2; pass++) {
		struct gate g CLEANUP(gate_done);
		struct issuer_settings kind = auth0;

		kind.required = pass == 0 ? any : one;
		kind.required_count = 1;
		start_kind(&g, &kind);
		for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
			char text[512];

			snprintf(text, sizeof text, "{" AUTH0 ",\"sub\":\"u\",\"a\":{\"b\":%s}}",
			         claims[i].json);
			CHECK_ROW(gate_accepts(&g, HEADER, text) ==
			                  (pass == 0 ? claims[i].any : claims[i].one),
			          claims[i].json);
		}
		CHECK(!gate_accepts(&g, HEADER, "{" AUTH0 ",\"sub\":\"u\",\"a\":[]}"));
	}
}

/* Two entries of the configuration for two tenants of one cloud: v1 names hold the tenant, but one
 * operator may give both the same names with different tenants. */
static void
test_tenant_chooses_between_issuers_of_one_name(void)
{
	static const struct issuer_name first[] = { { "https://shared.test/", TENANT } },
					second[] = { { "https://shared.test/", OTHER } };
	struct gate g CLEANUP(gate_done) = { 0 };
	static const char *const one[] = { "roles" };

	gate_settings(&g);
	for (size_t i = 0; i < 2; i++) {
		g.issuers[i].names = i == 0 ? first : second;
		g.issuers[i].name_count = 1;
		g.issuers[i].roles_claims = one;
		g.issuers[i].roles_claim_count = 1;
	}
	gate_start(&g);
	issuers_set_keys(g.list, 1, gate_keys(&g, false));
#define SHARED(tid)                                                                                \
	"{\"iss\":\"https://shared.test/\",\"aud\":\"api://books\",\"sub\":\"u\",\"exp\":"         \
	"1760000900,\"tid\":\"" tid "\"}"
	CHECK(gate_accepts(&g, HEADER, SHARED(TENANT)) && g.found.issuer == 0);
	CHECK(gate_accepts(&g, HEADER, SHARED(OTHER)) && g.found.issuer == 1);
	CHECK(!gate_accepts(&g, HEADER, SHARED("x")) && g.report.failed == JWT_ISSUER);
	CHECK(strcmp(g.report.why, "the token belongs to another tenant") == 0);
}

TESTS(TEST(test_documented_tokens_of_each_kind),
      TEST(test_key_of_a_shared_set_signs_for_its_tenant_only),
      TEST(test_refusal_names_the_claim_and_its_values),
      TEST(test_required_claims_compare_as_they_are_written),
      TEST(test_tenant_chooses_between_issuers_of_one_name))
