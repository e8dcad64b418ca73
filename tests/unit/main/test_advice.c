/* What the doctor advises: each check in each situation, by its sentence. */
#include "main/advice.h"

#include "base/macros.h"
#include "test.h"

enum { NOW = 1760000000 };

#define TENANT "11111111-2222-3333-4444-555555555555"
#define OTHER "99999999-2222-3333-4444-555555555555"

static const char *const books[] = { "api://books" };
static const char *const entra_audience[] = { "api://guid-of-books" };
static const char *const clients[] = { "portal" };
static const char *const mfa[] = { "mfa" };
static const char *const access_use[] = { "access" };
static const struct required_claim required[] = { { "tenant", NULL, 0 }, { "amr", mfa, 1 } };
static const struct issuer_name corp_names[] = {
	{ "https://login.microsoftonline.com/" TENANT "/v2.0", TENANT },
	{ "https://sts.windows.net/" TENANT "/", TENANT },
};
static const struct issuer_name lab_names[] = { { "https://idp.test/", NULL } };
static const struct issuer_name v2_names[] = { { "https://login.microsoftonline.com/" OTHER "/v2.0",
	                                         NULL } };
static const struct issuer_name okta_names[] = { { "https://dom.okta.test/oauth2/default", NULL } };
static const struct issuer_name shop_names[] = {
	{ "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a", NULL },
};
static const struct required_claim access_only[] = { { "token_use", access_use, 1 } };
static const struct issuer_name local_names[] = { { "http://127.0.0.1:8080", NULL } };

enum { CORP, LAB, V2, OKTA, SHOP, LOCAL, NOBODY };
static const struct issuer_settings issuers[] = {
	[CORP] = { .name = "corp",
	           .type = ISSUER_ENTRA,
	           .issuer = "https://login.microsoftonline.com/" TENANT "/v2.0",
	           .names = corp_names,
	           .name_count = 2,
	           .audience = entra_audience,
	           .audience_count = 1,
	           .algorithms = ALG_RS256,
	           .clients = clients,
	           .client_count = 1,
	           .client_claim = "azp appid",
	           .callers = CALLERS_USERS,
	           .guests_refused = true },
	[LAB] = { .name = "lab",
	          .type = ISSUER_OIDC,
	          .issuer = "https://idp.test/",
	          .names = lab_names,
	          .name_count = 1,
	          .audience = books,
	          .audience_count = 1,
	          .algorithms = ALG_RS256 | ALG_ES256,
	          .jwks_file = "/etc/gatewarden/lab.json",
	          .client_claim = "azp",
	          .callers = CALLERS_APPS,
	          .required = required,
	          .required_count = 2,
	          .bindings = BINDING_DPOP },
	[V2] = { .name = "two",
	         .type = ISSUER_OIDC,
	         .issuer = "https://login.microsoftonline.com/" OTHER "/v2.0",
	         .names = v2_names,
	         .name_count = 1 },
	[OKTA] = { .name = "okta",
	           .type = ISSUER_OKTA,
	           .issuer = "https://dom.okta.test/oauth2/default",
	           .names = okta_names,
	           .name_count = 1,
	           .audience = books,
	           .audience_count = 1 },
	[SHOP] = { .name = "shop",
	           .type = ISSUER_COGNITO,
	           .names = shop_names,
	           .name_count = 1,
	           .clients = clients,
	           .client_count = 1,
	           .client_claim = "client_id",
	           .required = access_only,
	           .required_count = 1 },
	[LOCAL] = { .name = "local",
	            .type = ISSUER_LOCAL,
	            .issuer = "http://127.0.0.1:8080",
	            .names = local_names,
	            .name_count = 1 },
};
static const struct settings settings = { .issuers = issuers, .issuer_count = ARRAY_LEN(issuers) };

static const struct {
	enum jwt_check check;
	int issuer;
	const char *token, *header, *claims;
	const char *says; /* part of the sentence */
} rows[] = {
	{ JWT_FORM, NOBODY, "", NULL, NULL, "there is nothing here" },
	{ JWT_FORM, NOBODY, "bearer ey.ey.ey", NULL, NULL, "leave out the first word" },
	{ JWT_FORM, NOBODY, "a.b.c.d.e", NULL, NULL, "encrypted (five parts)" },
	{ JWT_FORM, NOBODY, "00aBcDeF", NULL, NULL, "opaque, not a JWT: ask for one for this API" },
	{ JWT_FORM, NOBODY, "a.b", NULL, NULL, "copy the whole token again" },
	{ JWT_HEADER, NOBODY, "a.b.c", NULL, NULL, "without crit" },
	{ JWT_ALGORITHM, LAB, "", "{\"alg\":\"none\"}", "{}", "anybody could have written it" },
	{ JWT_ALGORITHM, LAB, "", "{\"alg\":\"HS256\"}", "{}", "HS256 signs with a secret" },
	{ JWT_ALGORITHM, LAB, "", "{\"alg\":\"PS256\"}", "{}",
	  "issuer lab accepts RS256 or ES256: let it sign with that, or add PS256 to "
	  "issuers.lab.algorithms" },
	{ JWT_ALGORITHM, NOBODY, "", "{\"alg\":\"XX\"}", "{}", "XX is not known here" },
	{ JWT_TYPE, LAB, "", "{\"typ\":\"dpop+jwt\"}", "{}", "this is a DPoP proof" },
	{ JWT_TYPE, LAB, "", "{}", "{\"events\":{}}", "this is a logout token" },
	{ JWT_TYPE, LAB, "", "{}", "{\"nonce\":\"n\"}", "this is an ID token" },
	{ JWT_TYPE, LAB, "", "{}", "{\"token_use\":\"id\"}", "this is an ID token" },
	{ JWT_TYPE, CORP, "", "{\"nonce\":\"n\"}",
	  "{\"aud\":\"00000003-0000-0000-c000-000000000000\"}",
	  "a token for Microsoft Graph can be checked by Graph alone: ask for one for "
	  "api://guid-of-books" },
	{ JWT_TYPE, LAB, "", "{}", "{\"token_use\":\"refresh\"}",
	  "only other kinds of token have" },
	{ JWT_TYPE, LAB, "", "{\"typ\":\"secevent+jwt\"}", "{}", "type secevent+jwt is no access" },
	{ JWT_ISSUER, NOBODY, "", "{}", NULL, "the payload is no JSON object" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{}", "does not say who made it" },
	{ JWT_ISSUER, CORP, "", "{}",
	  "{\"iss\":\"https://sts.windows.net/" TENANT "/\",\"tid\":\"" OTHER "\"}",
	  "the token is of tenant " OTHER "; issuer corp accepts " TENANT
	  ": log in there, or add " OTHER " to issuers.corp.tenant" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"https://idp.test\"}",
	  "the token says https://idp.test, the configuration https://idp.test/: they must be the "
	  "same to the byte, so write issuers.lab.issuer as the token has it" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"https://sts.windows.net/" OTHER "/\"}",
	  "other version of Entra's tokens: https://sts.windows.net/" OTHER
	  "/, where issuer two has" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"https://sts.windows.net/abc/\"}",
	  "of another tenant, abc:" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"https://dom.okta.test\"}",
	  "for Okta alone: ask the authorization server https://dom.okta.test/oauth2/default" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"https://ipd.test/\"}",
	  "did you mean https://idp.test/, of issuer lab?" },
	{ JWT_ISSUER, NOBODY, "", "{}", "{\"iss\":\"urn:elsewhere:entirely\"}",
	  "no issuer of the configuration is urn:elsewhere:entirely (there are https://login" },
	{ JWT_KEY, LAB, "", "{}", "{}", "names no key (`kid`)" },
	{ JWT_KEY, LOCAL, "", "{\"kid\":\"k1\"}", "{}", "no key k1 is in the state store" },
	{ JWT_KEY, LAB, "", "{\"kid\":\"k1\"}", "{}", "/etc/gatewarden/lab.json has no key k1" },
	{ JWT_KEY, OKTA, "", "{\"kid\":\"k1\"}", "{}", "issuer okta has no key k1" },
	{ JWT_SIGNATURE, CORP, "", "{\"nonce\":\"x\"}", "{\"aud\":\"https://graph.microsoft.com\"}",
	  "checked by Graph alone: ask for one for api://guid-of-books (scope "
	  "api://guid-of-books/.default)" },
	{ JWT_SIGNATURE, LAB, "", "{}", "{}", "changed or cut after it was signed" },
	{ JWT_ACTIVE, LAB, "", "{}", "{}", "issuer lab says that it is none of its tokens" },
	{ JWT_EXPIRES, LAB, "", "{}", "{\"exp\":\"soon\"}", "must write `exp`" },
	{ JWT_EXPIRES, LAB, "", "{}", "{\"exp\":1759999940}",
	  "it expired 1 min ago: get a new one; if it is new, the clocks of this machine "
	  "(2025-10-09T08:53:20Z)" },
	{ JWT_EXPIRES, LAB, "", "{}", "{\"exp\":1759730000}",
	  "it expired 3 d 3 h ago: log in again" },
	{ JWT_NOT_BEFORE, LAB, "", "{}", "{\"iat\":1760000000000}", "in milliseconds" },
	{ JWT_NOT_BEFORE, LAB, "", "{}", "{\"iat\":1760000000,\"nbf\":1760000125}",
	  "from the future by 2 min 5 s" },
	{ JWT_AUDIENCE, LAB, "", "{}", "{}", "for nobody (`aud` is missing); issuer lab accepts" },
	{ JWT_AUDIENCE, CORP, "", "{}", "{\"aud\":\"00000003-0000-0000-c000-000000000000\"}",
	  "for Microsoft Graph; issuer corp accepts api://guid-of-books: ask for scope" },
	{ JWT_AUDIENCE, CORP, "", "{}", "{\"aud\":\"guid-of-books\"}",
	  "add guid-of-books to issuers.corp.audience" },
	{ JWT_AUDIENCE, LAB, "", "{}", "{\"aud\":\"api://books/\"}",
	  "the slash at the end counts" },
	{ JWT_AUDIENCE, LAB, "", "{}", "{\"aud\":\"spa\",\"azp\":\"spa\"}",
	  "for the application spa itself" },
	{ JWT_AUDIENCE, LAB, "", "{}", "{\"aud\":\"api://x\"}",
	  "this token is for api://x; issuer lab accepts api://books: ask for a token for "
	  "api://books, or add api://x to issuers.lab.audience" },
	{ JWT_AUDIENCE, LAB, "", "{}", "{\"aud\":[\"a\",\"b\"]}",
	  "this token is for [\"a\",\"b\"];" },
	{ JWT_SUBJECT, LAB, "", "{}", "{}", "let the issuer write `sub`" },
	{ JWT_CLAIMS, CORP, "", "{}", "{}", "which client it was given to" },
	{ JWT_CLAIMS, CORP, "", "{}", "{\"appid\":\"other-app\"}",
	  "given to client other-app; issuer corp accepts portal:" },
	/* What Cognito calls it in the configuration, and what is no setting there at all. */
	{ JWT_CLAIMS, SHOP, "", "{}", "{\"client_id\":\"other\",\"token_use\":\"access\"}",
	  "accepts portal: use one of these, or add it to issuers.shop.client_id" },
	{ JWT_CLAIMS, SHOP, "", "{}", "{\"aud\":\"portal\",\"token_use\":\"id\"}",
	  "this is an ID token" },
	{ JWT_CLAIMS, CORP, "", "{}", "{\"azp\":\"portal\",\"idtyp\":\"app\"}",
	  "an application calls without a user" },
	{ JWT_CLAIMS, LAB, "", "{}", "{\"idtyp\":\"user\",\"sub\":\"u\"}",
	  "a user calls through an application" },
	{ JWT_CLAIMS, CORP, "", "{}",
	  "{\"azp\":\"portal\",\"idtyp\":\"user\",\"idp\":\"https://e.test/\"}",
	  "a guest (of https://e.test/) calls" },
	{ JWT_CLAIMS, CORP, "", "{}",
	  "{\"azp\":\"portal\",\"idtyp\":\"user\",\"_claim_names\":{\"groups\":\"src1\"}}",
	  "too many groups" },
	{ JWT_CLAIMS, LAB, "", "{}", "{\"idtyp\":\"app\"}",
	  "issuer lab requires tenant = anything" },
	{ JWT_CLAIMS, LAB, "", "{}", "{\"idtyp\":\"app\",\"tenant\":\"t\",\"amr\":[\"pwd\"]}",
	  "issuer lab requires amr = mfa" },
	{ JWT_CLAIMS, LAB, "", "{}", "{\"idtyp\":\"app\",\"tenant\":\"t\",\"amr\":[\"mfa\"]}",
	  "see expected and got" },
	{ JWT_BINDING, LAB, "", "{}", "{\"cnf\":{\"kid\":\"x\"}}",
	  "bound in a way that is not known" },
	{ JWT_BINDING, LAB, "", "{}", "{}", "issuer lab takes bound tokens only" },
	{ JWT_REVOKED, LAB, "", "{}", "{}", "it was revoked" },
};

static void
put(size_t row, struct buf *out)
{
	struct arena arena = { 0 };
	struct advice a = { .settings = &settings,
		            .issuer =
		                    rows[row].issuer == NOBODY ? NULL : &issuers[rows[row].issuer],
		            .token = bytes_text(rows[row].token),
		            .now_s = NOW };

	if (rows[row].header != NULL)
		CHECK_ROW(
			!failed(json_parse(bytes_text(rows[row].header), &arena, &a.header, NULL)),
			rows[row].says);
	if (rows[row].claims != NULL)
		CHECK_ROW(
			!failed(json_parse(bytes_text(rows[row].claims), &arena, &a.claims, NULL)),
			rows[row].says);
	advice_put(&a, rows[row].check, out);
	buf_put_u8(out, '\0');
	arena_done(&arena);
}

static void
test_each_situation_has_its_sentence(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		put(i, &out);
		if (strstr((const char *)out.at, rows[i].says) == NULL)
			printf("# %s\n", (const char *)out.at);
		CHECK_ROW(strstr((const char *)out.at, rows[i].says) != NULL, rows[i].says);
		CHECK_ROW(strpbrk((const char *)out.at, "{}\n") == NULL, rows[i].says);
		buf_done(&out);
	}
}

/* Nobody is left without a word, and no word is left open. */
static void
test_every_check_has_advice_whatever_the_token_lacks(void)
{
	for (unsigned check = 0; check < JWT_CHECK_COUNT; check++)
		for (int issuer = CORP; issuer <= NOBODY; issuer++) {
			struct buf out = { 0 };
			const struct advice a = { .settings = &settings,
				                  .issuer = issuer == NOBODY ? NULL
				                                             : &issuers[issuer],
				                  .now_s = NOW };

			advice_put(&a, (enum jwt_check)check, &out);
			CHECK_ROW(out.len > 20 && bytes_find(buf_bytes(&out), '{') == out.len,
			          jwt_check_name((enum jwt_check)check));
			buf_done(&out);
		}
}

/* Claims are what a stranger wrote. */
static void
test_claims_cannot_steer_the_terminal_or_flood_it(void)
{
	static char claims[6000];
	struct arena arena = { 0 };
	struct buf out = { 0 };
	struct advice a = { .settings = &settings, .issuer = &issuers[LAB], .now_s = NOW };

	snprintf(claims, sizeof claims, "%s", "{\"aud\":\"\\u001b[2J\\u009b\\r\\n");
	memset(claims + strlen(claims), 'x', 5000);
	memcpy(claims + strlen(claims), "\"}", 3);
	CHECK(!failed(json_parse(bytes_text(claims), &arena, &a.claims, NULL)));
	advice_put(&a, JWT_AUDIENCE, &out);
	for (size_t i = 0; i < out.len; i++)
		CHECK(out.at[i] >= 0x20 && out.at[i] < 0x7f);
	CHECK(out.len < 600);
	buf_done(&out);
	arena_done(&arena);
}

TESTS(TEST(test_each_situation_has_its_sentence),
      TEST(test_every_check_has_advice_whatever_the_token_lacks),
      TEST(test_claims_cannot_steer_the_terminal_or_flood_it))
