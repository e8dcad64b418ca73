/* test_identity_field.c - by which fields nobody can say who they are, and what is told instead. */
#include "frontend/assertion.h"
#include "frontend/identity_form.h"

#include "base/macros.h"
#include "identity/issuers.h"
#include "identity/principal_make.h"
#include "test.h"

static const struct role_settings roles[] = { { .name = "reader" },
	                                      { .name = "books-admin" },
	                                      { .name = "odd,one" } };
static const struct issuer_settings issuers[] = { { .name = "corp", .type = ISSUER_ENTRA },
	                                          { .name = "lab", .type = ISSUER_OIDC } };
static const char *const asked[] = { "department", "sub", "no.where", "address.city", "iss" };
static const struct service_settings service = { .audience = "app",
	                                         .claims = asked,
	                                         .claim_count = ARRAY_LEN(asked) };
static const struct route_settings routes[] = { { .path = "/app/*" } };
static const struct settings settings = { .roles = roles,
	                                  .role_count = ARRAY_LEN(roles),
	                                  .issuers = issuers,
	                                  .issuer_count = ARRAY_LEN(issuers),
	                                  .routes = routes,
	                                  .route_count = 1 };

struct scene {
	struct gate gate;
	struct request request;
	struct arena arena;
	struct buf out;
};

static void
begin(struct scene *s, const char *issuer, const char *subject, uint64_t held, const char *claims)
{
	const struct json *tree = NULL;

	*s = (struct scene){ .gate.settings = &settings };
	s->request.gate = &s->gate;
	CHECK(!failed(json_parse(bytes_text(claims), &s->arena, &tree, NULL)));
	const struct principal_parts parts = { .issuer = issuer,
		                               .subject = bytes_text(subject),
		                               .roles = held,
		                               .expires_s = INT64_MAX,
		                               .claims = tree };
	CHECK(!failed(principal_new(&parts, &s->request.who)));
}

static void
end(struct scene *s)
{
	principal_release(s->request.who);
	arena_done(&s->arena);
	buf_done(&s->out);
}

static const char *
put(struct scene *s, unsigned forms)
{
	buf_clear(&s->out);
	identity_form_put(&s->request, forms, &s->out);
	buf_put_u8(&s->out, 0);
	return (const char *)s->out.at;
}

static void
test_fields_that_say_who_calls_are_known_by_every_spelling(void)
{
	static const char *const known[] = {
		"X-Gatewarden-Assertion",
		"x-gatewarden-assertion",
		"X_Gatewarden_Assertion",
		"X-GATEWARDEN-ANYTHING",
		"X.Gatewarden.Assertion",
		"X-Pomerium-Jwt-Assertion",
		"X-Auth-Request-User",
		"X-Auth-Request-Access-Token",
		"x-auth_request-groups",
		"X-Forwarded-User",
		"X_Forwarded_User",
		"X-Forwarded-Email",
		"X-Forwarded-Groups",
		"X-Forwarded-Preferred-Username",
		"X-Forwarded-For",
		"X-Forwarded-Host",
		"X-Forwarded-Proto",
		"X-Forwarded-Uri",
		"X-Forwarded-Client-Cert",
		"Forwarded",
		"X-MS-CLIENT-PRINCIPAL",
		"X-MS-CLIENT-PRINCIPAL-ID",
		"X-MS-CLIENT-PRINCIPAL-NAME",
		"X-MS-CLIENT-PRINCIPAL-IDP",
		"x-ms-token-aad-access-token",
		"X-MS-API-ROLE",
		"x-ms_client_principal",
		"X-Real-IP",
		"X-Original-URI",
		"X-Original-URL",
		"X-Original-Method",
		"X-Rewrite-URL",
		"Remote-User",
		"Remote_User",
		"REMOTE_USER",
		"Remote-Groups",
		"X-Remote-User",
		"X-WEBAUTH-USER",
		"OIDC_CLAIM_sub",
		"OIDC-CLAIM-email",
		"X-Amzn-Oidc-Data",
		"X-Goog-Authenticated-User-Email",
		"X-Goog-IAP-JWT-Assertion",
		"Cf-Access-Jwt-Assertion",
		"Tailscale-User-Login",
		"True-Client-IP",
		"Proxy",
		"Client-Cert",
		"Client-Cert-Chain",
		"X-Client-Cert",
		"SSL_CLIENT_S_DN",
		"X-Envoy-Original-Path",
		"X-Envoy-Internal",
		"X-HTTP-Method-Override",
		"X-HTTP-Method",
		"X-Method-Override",
		"Impersonate-User",
		"X-Consumer-Username",
		"X-Authentik-Username",
		"X-Gatewarden-Assertion-That-Is-Longer-Than-Any-Row-Of-The-Table-Could-Ever-Be",
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		CHECK_ROW(identity_field_is(bytes_text(known[i])), known[i]);
}

static void
test_fields_of_other_meaning_are_left_alone(void)
{
	static const char *const others[] = {
		"",
		"X",
		"X-",
		"Host",
		"Accept",
		"Accept-Encoding",
		"Cookie",
		"User-Agent",
		"Referer",
		"Origin",
		"Content-Type",
		"Content-Length",
		"If-None-Match",
		"Range",
		"Cache-Control",
		"Authorization",
		"X-Request-Id",
		"X-Correlation-Id",
		"X-Requested-With",
		"X-Csrf-Token",
		"X-Api-Key",
		"Idempotency-Key",
		"Sec-Fetch-Site",
		"Sec-WebSocket-Key",
		"Upgrade",
		"traceparent",
		"tracestate",
		"Prefer",
		"X-Forward",
		"Forwarded-By-Me",
		"X-M",
		"X-Hostname",
		"X-Hosted",
		"Remote",
		"Forward",
		"X-Auth-Token",
		"X-User-Agent",
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		CHECK_ROW(!identity_field_is(bytes_text(others[i])), others[i]);
}

static void
test_every_field_we_write_is_one_that_callers_cannot(void)
{
	struct scene s;

	begin(&s, "lab", "u1", 3,
	      "{\"sub\":\"u1\",\"preferred_username\":\"ada\",\"email\":\"ada@example.com\"}");
	(void)put(&s, IDENTITY_AUTH_REQUEST | IDENTITY_FORWARDED | IDENTITY_CLIENT_PRINCIPAL);
	unsigned lines = 0;
	struct bytes rest = { s.out.at, s.out.len - 1 };
	for (; rest.len > 0; lines++) {
		struct bytes line = bytes_slice(rest, 0, bytes_find(rest, '\n') + 1);

		CHECK(identity_field_is(bytes_slice(line, 0, bytes_find(line, ':'))));
		rest = bytes_slice(rest, line.len, rest.len);
	}
	CHECK(lines == 12);
	end(&s);
}

static void
test_fields_are_those_of_oauth2_proxy(void)
{
	struct scene s;

	begin(&s, "lab", "u1", 3,
	      "{\"sub\":\"u1\",\"preferred_username\":\"ada\",\"email\":\"ada@example.com\"}");
	CHECK(strcmp(put(&s, IDENTITY_AUTH_REQUEST),
	             "X-Auth-Request-User: u1\r\nX-Auth-Request-Email: ada@example.com\r\n"
	             "X-Auth-Request-Groups: reader,books-admin\r\n"
	             "X-Auth-Request-Preferred-Username: ada\r\n") == 0);
	CHECK(strcmp(put(&s, IDENTITY_FORWARDED),
	             "X-Forwarded-User: u1\r\nX-Forwarded-Email: ada@example.com\r\n"
	             "X-Forwarded-Groups: reader,books-admin\r\n"
	             "X-Forwarded-Preferred-Username: ada\r\n") == 0);
	CHECK(strcmp(put(&s, 0), "") == 0);
	end(&s);
}

static void
test_what_is_not_known_has_no_field(void)
{
	struct scene s;

	begin(&s, "lab", "u1", 0, "{\"sub\":\"u1\"}");
	CHECK(strcmp(put(&s, IDENTITY_AUTH_REQUEST), "X-Auth-Request-User: u1\r\n") == 0);
	end(&s);
}

static void
test_no_text_of_a_token_ends_a_line_or_an_item(void)
{
	struct scene s;

	begin(&s, "lab", " a\r\nX-Auth-Request-User: root\x01%41\x7f ", 5,
	      "{\"preferred_username\":\"J\\u00f6rg, \\u4e2d b\"}");
	CHECK(strcmp(put(&s, IDENTITY_AUTH_REQUEST),
	             "X-Auth-Request-User: %20a%0D%0AX-Auth-Request-User: root%01%2541%7F%20\r\n"
	             "X-Auth-Request-Groups: reader,odd%2Cone\r\n"
	             "X-Auth-Request-Preferred-Username: J%C3%B6rg, %E4%B8%AD b\r\n") == 0);
	end(&s);
}

static void
test_client_principal_is_what_app_service_writes(void)
{
	static const char expected[] = "X-MS-CLIENT-PRINCIPAL: "
				       "eyJhdXRoX3R5cCI6ImFhZCIsImNsYWltcyI6W3sidHlwIjoiaHR0cDovL3N"
				       "jaGVtYXMueG1sc29hcC5vcmcvd3Mv"
				       "MjAwNS8wNS9pZGVudGl0eS9jbGFpbXMvbmFtZWlkZW50aWZpZXIiLCJ2YWw"
				       "iOiJ1MSJ9LHsidHlwIjoiaHR0cDov"
				       "L3NjaGVtYXMueG1sc29hcC5vcmcvd3MvMjAwNS8wNS9pZGVudGl0eS9jbGF"
				       "pbXMvbmFtZSIsInZhbCI6IkrDtnJn"
				       "In0seyJ0eXAiOiJodHRwOi8vc2NoZW1hcy5taWNyb3NvZnQuY29tL3dzLzI"
				       "wMDgvMDYvaWRlbnRpdHkvY2xhaW1z"
				       "L3JvbGUiLCJ2YWwiOiJyZWFkZXIifV0sIm5hbWVfdHlwIjoiaHR0cDovL3N"
				       "jaGVtYXMueG1sc29hcC5vcmcvd3Mv"
				       "MjAwNS8wNS9pZGVudGl0eS9jbGFpbXMvbmFtZSIsInJvbGVfdHlwIjoiaHR"
				       "0cDovL3NjaGVtYXMubWljcm9zb2Z0"
				       "LmNvbS93cy8yMDA4LzA2L2lkZW50aXR5L2NsYWltcy9yb2xlIn0=\r\n"
				       "X-MS-CLIENT-PRINCIPAL-ID: u1\r\n"
				       "X-MS-CLIENT-PRINCIPAL-NAME: J%C3%B6rg\r\n"
				       "X-MS-CLIENT-PRINCIPAL-IDP: aad\r\n";
	struct scene s;

	begin(&s, "corp", "u1", 1, "{\"name\":\"J\\u00f6rg\"}");
	CHECK(strcmp(put(&s, IDENTITY_CLIENT_PRINCIPAL), expected) == 0);
	end(&s);
	begin(&s, "lab", "u1", 1, "{}");
	const char *text = put(&s, IDENTITY_CLIENT_PRINCIPAL);
	CHECK(strstr(text, "X-MS-CLIENT-PRINCIPAL-NAME: u1\r\n") != NULL);
	CHECK(strstr(text, "X-MS-CLIENT-PRINCIPAL-IDP: lab\r\n") != NULL);
	end(&s);
}

static void
test_an_address_that_nobody_looked_at_is_not_told(void)
{
	static const struct {
		const char *claims;
		bool is_told;
	} rows[] = {
		{ "{\"email\":\"a@b.c\"}", true },
		{ "{\"email\":\"a@b.c\",\"email_verified\":true}", true },
		{ "{\"email\":\"a@b.c\",\"email_verified\":\"true\"}", true },
		{ "{\"email\":\"a@b.c\",\"email_verified\":false}", false },
		{ "{\"email\":\"a@b.c\",\"email_verified\":\"false\"}", false },
		{ "{\"email\":\"a@b.c\",\"email_verified\":1}", false },
		{ "{\"email\":\"a@b.c\",\"email_verified\":null}", false },
		{ "{\"email\":[\"a@b.c\"]}", false },
		{ "{\"email\":\"a@b.c\\u0085\"}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;

		begin(&s, "lab", "u1", 0, rows[i].claims);
		CHECK_ROW((caller_email(s.request.who).len != 0) == rows[i].is_told,
		          rows[i].claims);
		end(&s);
	}
}

static const char *
claims_of(struct scene *s, const struct service_settings *of)
{
	buf_clear(&s->out);
	assertion_put_claims(&s->request, of, &s->out);
	buf_put_u8(&s->out, 0);
	return (const char *)s->out.at;
}

static void
test_an_assertion_tells_what_the_service_asks_for(void)
{
	struct scene s;

	begin(&s, "lab", "u1", 3,
	      "{\"sub\":\"forged\",\"iss\":\"https://lab\",\"preferred_username\":\"ada\","
	      "\"scope\":\"read write\",\"act\":{\"sub\":\"agent7\"},\"department\":[\"it\",4],"
	      "\"address\":{\"city\":\"Ulm\"},\"hidden\":1}");
	CHECK(strcmp(claims_of(&s, &service),
	             "{\"aud\":\"app\",\"sub\":\"u1\",\"roles\":[\"reader\",\"books-admin\"],"
	             "\"idp\":\"lab\",\"name\":\"ada\",\"scope\":\"read write\","
	             "\"act\":{\"sub\":\"agent7\"},\"department\":[\"it\",4],"
	             "\"address.city\":\"Ulm\"}") == 0);
	/* Without a service it is for whom the route names. */
	CHECK(strcmp(claims_of(&s, NULL),
	             "{\"aud\":\"/app/*\",\"sub\":\"u1\",\"roles\":[\"reader\",\"books-admin\"],"
	             "\"idp\":\"lab\",\"name\":\"ada\",\"scope\":\"read write\","
	             "\"act\":{\"sub\":\"agent7\"}}") == 0);
	end(&s);
}

static void
test_scopes_are_found_wherever_the_issuer_writes_them(void)
{
	static const struct {
		const char *claims, *text;
	} rows[] = {
		{ "{\"scope\":\"a b\"}", ",\"scope\":\"a b\"}" },
		{ "{\"scp\":\"a b\"}", ",\"scope\":\"a b\"}" },
		{ "{\"scp\":[\"a\",\"b\"]}", ",\"scope\":\"a b\"}" },
		{ "{\"scope\":\"\"}", "\"lab\"}" },
		{ "{\"scp\":[]}", "\"lab\"}" },
		{ "{\"scp\":7}", "\"lab\"}" },
		{ "{}", "\"lab\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;

		begin(&s, "lab", "u1", 0, rows[i].claims);
		const char *text = claims_of(&s, NULL);
		CHECK_ROW(strlen(text) > strlen(rows[i].text) &&
		                  strcmp(text + strlen(text) - strlen(rows[i].text),
		                         rows[i].text) == 0,
		          rows[i].claims);
		end(&s);
	}
}

TESTS(TEST(test_fields_that_say_who_calls_are_known_by_every_spelling),
      TEST(test_fields_of_other_meaning_are_left_alone),
      TEST(test_every_field_we_write_is_one_that_callers_cannot),
      TEST(test_fields_are_those_of_oauth2_proxy), TEST(test_what_is_not_known_has_no_field),
      TEST(test_no_text_of_a_token_ends_a_line_or_an_item),
      TEST(test_client_principal_is_what_app_service_writes),
      TEST(test_an_address_that_nobody_looked_at_is_not_told),
      TEST(test_an_assertion_tells_what_the_service_asks_for),
      TEST(test_scopes_are_found_wherever_the_issuer_writes_them))
