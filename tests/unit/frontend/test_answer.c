/* What a 401 and a 503 tell the caller. */
#include "frontend/request.h"

#include "base/macros.h"
#include "test.h"

static struct issuer_settings issuers[] = { { .name = "corp" }, { .name = "bank" } };
static const struct settings settings = { .public_url = "https://books.example",
	                                  .issuers = issuers,
	                                  .issuer_count = ARRAY_LEN(issuers) };
static struct gate gate = { .settings = &settings };

#define RESOURCE                                                                                   \
	", resource_metadata=\"https://books.example/.well-known/oauth-protected-resource\"\r\n"
#define ALGORITHMS ", algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA\""

static struct request
refused(enum jwt_check check, bool is_dpop)
{
	struct request r = { .gate = &gate,
		             .is_dpop = is_dpop,
		             .outcome = { .kind = ERR_IDENTITY, .why = "it is not good" } };

	r.identified.report.failed = check;
	r.reply.challenge_error =
		is_dpop && check == JWT_BINDING ? "invalid_dpop_proof" : "invalid_token";
	return r;
}

static bool
has_fields(struct request *r, const char *fields)
{
	bool same;

	answer_error(r);
	same = bytes_is(buf_bytes(&r->reply.fields), fields);
	if (!same)
		printf("# %.*s", (int)r->reply.fields.len, (const char *)r->reply.fields.at);
	return same;
}

static bool
has_body(struct request *r, const char *text)
{
	struct bytes body = buf_bytes(&r->reply.body);
	bool found = false;

	for (size_t i = 0; i < body.len && !found; i++)
		found = bytes_starts(bytes_slice(body, i, body.len), bytes_text(text));
	buf_done(&r->reply.body);
	buf_done(&r->reply.fields);
	return found;
}

static void
test_a_refused_token_is_told_by_which_check(void)
{
	struct request r = refused(JWT_EXPIRES, false);

	CHECK(has_fields(&r,
	                 "WWW-Authenticate: Bearer realm=\"gatewarden\", error=\"invalid_token\", "
	                 "error_description=\"expires: it is not good\"" RESOURCE));
	CHECK(r.reply.status == 401);
	CHECK(has_body(&r, "\"reason\":\"expires\""));
	r = refused(JWT_EXPIRES, true);
	CHECK(has_fields(&r,
	                 "WWW-Authenticate: DPoP realm=\"gatewarden\", error=\"invalid_token\", "
	                 "error_description=\"expires: it is not good\"" ALGORITHMS RESOURCE));
	CHECK(has_body(&r, "\"reason\":\"expires\""));
	r = refused(JWT_BINDING, true);
	CHECK(has_fields(
		&r, "WWW-Authenticate: DPoP realm=\"gatewarden\", error=\"invalid_dpop_proof\", "
		    "error_description=\"binding: it is not good\"" ALGORITHMS RESOURCE));
	CHECK(has_body(&r, "\"reason\":\"binding\""));
}

static void
test_without_a_token_what_may_be_used_is_offered(void)
{
	struct request r = refused(JWT_CHECK_COUNT, false);

	r.reply.challenge_error = NULL;
	CHECK(has_fields(&r, "WWW-Authenticate: Bearer realm=\"gatewarden\"" RESOURCE));
	CHECK(!has_body(&r, "\"reason\""));
	issuers[1].bindings = BINDING_DPOP;
	r = refused(JWT_CHECK_COUNT, false);
	r.reply.challenge_error = NULL;
	CHECK(has_fields(&r, "WWW-Authenticate: DPoP realm=\"gatewarden\"" ALGORITHMS RESOURCE
	                     "WWW-Authenticate: Bearer realm=\"gatewarden\"" RESOURCE));
	CHECK(!has_body(&r, "\"reason\""));
	issuers[1].bindings = 0;
}

static void
test_an_issuer_that_is_away_is_named_with_the_time_to_come_again(void)
{
	struct request r = { .gate = &gate,
		             .retry_after_s = 7,
		             .detail = BYTES("issuer corp: the keys are not here"),
		             .outcome = { .kind = ERR_UPSTREAM, .why = "the keys are not here" } };

	CHECK(has_fields(&r, "Retry-After: 7\r\n"));
	CHECK(r.reply.status == 503);
	CHECK(has_body(&r, "\"message\":\"issuer corp: the keys are not here\""));
}

TESTS(TEST(test_a_refused_token_is_told_by_which_check),
      TEST(test_without_a_token_what_may_be_used_is_offered),
      TEST(test_an_issuer_that_is_away_is_named_with_the_time_to_come_again))
