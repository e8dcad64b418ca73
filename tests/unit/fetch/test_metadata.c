/* What is taken of a discovery document. */
#include "fetch/metadata.h"

#include "base/macros.h"
#include "test.h"

static const char *const issuers[] = { "https://idp.example.com/" };
static const struct outbound_settings outbound;

static struct err
parse_as(const char *text, const struct metadata_rules *rules, struct arena *arena,
         struct metadata *ret)
{
	return metadata_parse(bytes_text(text), rules, arena, ret);
}

static const struct metadata_rules public_rules = { .issuers = issuers,
	                                            .issuer_count = 1,
	                                            .outbound = &outbound };

static void
test_endpoints_are_read(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct metadata m;

	CHECK(!failed(parse_as("{\"issuer\":\"https:\\/\\/idp.example.com/\",\"x\":[1],"
	                       "\"jwks_uri\":\"https://keys.example.com/k\","
	                       "\"token_endpoint\":\"https://idp.example.com/t\","
	                       "\"authorization_endpoint\":\"https://idp.example.com/a?p=1\","
	                       "\"end_session_endpoint\":\"https://idp.example.com/e\"}",
	                       &public_rules, &arena, &m)));
	CHECK(bytes_is(m.jwks_uri, "https://keys.example.com/k"));
	CHECK(bytes_is(m.token_endpoint, "https://idp.example.com/t"));
	CHECK(bytes_is(m.authorization_endpoint, "https://idp.example.com/a?p=1"));
	CHECK(bytes_is(m.end_session_endpoint, "https://idp.example.com/e"));
}

#define HEAD "{\"issuer\":\"https://idp.example.com/\",\"jwks_uri\":"

static void
test_wrong_documents_are_refused(void)
{
	static const char *const texts[] = {
		"",
		"[]",
		"<html></html>",
		"{",
		"{}",
		HEAD "\"https://a/\"",
		HEAD "null}",
		HEAD "\"\"}",
		HEAD "[\"https://a/\"]}",
		HEAD "\"http://a/\"}",
		HEAD "\"file:///etc/passwd\"}",
		HEAD "\"https://a/\",\"issuer\":\"https://idp.example.com/\"}",
		HEAD "\"https://a/\\u0000\"}",
		HEAD "\"https://a/\\nx\"}",
		"{\"issuer\":\"https://idp.example.com\",\"jwks_uri\":\"https://a/\"}",
		"{\"issuer\":\"https://idp.example.com/x\",\"jwks_uri\":\"https://a/\"}",
		"{\"issuer\":\"HTTPS://idp.example.com/\",\"jwks_uri\":\"https://a/\"}",
		"{\"issuer\":[\"https://idp.example.com/\"],\"jwks_uri\":\"https://a/\"}",
		"{\"jwks_uri\":\"https://a/\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(arena_done) struct arena arena = { 0 };
		struct metadata m;
		CHECK_ROW(parse_as(texts[i], &public_rules, &arena, &m).kind == ERR_PEER, texts[i]);
	}
}

/* A provider out there must not have us ask what listens here. */
static void
test_only_loopback_points_to_loopback(void)
{
	static const char text[] = HEAD "\"http://127.0.0.1:9090/metrics\"}";
	static const char other[] =
		HEAD "\"https://a/\",\"token_endpoint\":\"http://localhost:9/\"}";
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct metadata_rules rules = public_rules;
	struct metadata m;

	CHECK(failed(parse_as(text, &rules, &arena, &m)));
	CHECK(!failed(parse_as(other, &rules, &arena, &m)) && m.token_endpoint.len == 0);
	rules.may_be_loopback = true;
	CHECK(!failed(parse_as(text, &rules, &arena, &m)));
	CHECK(!failed(parse_as(other, &rules, &arena, &m)) && m.token_endpoint.len > 0);
}

static void
test_an_unusable_endpoint_is_left_out(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct metadata m;

	CHECK(!failed(parse_as(HEAD "\"https://a/\",\"token_endpoint\":\"http://a/\","
	                            "\"authorization_endpoint\":7,"
	                            "\"end_session_endpoint\":\"javascript:alert(1)\"}",
	                       &public_rules, &arena, &m)));
	CHECK(m.token_endpoint.len == 0 && m.authorization_endpoint.len == 0 &&
	      m.end_session_endpoint.len == 0);
}

/* Entra's document for many tenants names a template; two issuers of one document must agree. */
static void
test_every_issuer_of_a_document_is_compared(void)
{
	static const char template[] = "https://login.microsoftonline.com/{tenantid}/v2.0";
	static const char *const same[] = { template, template };
	static const char *const differing[] = { template, "https://login.microsoftonline.com/x" };
	static const char text[] =
		"{\"issuer\":\"https://login.microsoftonline.com/{tenantid}/v2.0\","
		"\"jwks_uri\":\"https://login.microsoftonline.com/common/discovery/v2.0/keys\"}";
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct metadata_rules rules = { .issuers = same, .issuer_count = 2, .outbound = &outbound };
	struct metadata m;

	CHECK(!failed(parse_as(text, &rules, &arena, &m)));
	rules.issuers = differing;
	CHECK(failed(parse_as(text, &rules, &arena, &m)));
}

TESTS(TEST(test_endpoints_are_read), TEST(test_wrong_documents_are_refused),
      TEST(test_only_loopback_points_to_loopback), TEST(test_an_unusable_endpoint_is_left_out),
      TEST(test_every_issuer_of_a_document_is_compared))
