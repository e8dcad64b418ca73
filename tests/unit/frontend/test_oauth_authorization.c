/* An authorization request is taken only as it must be, and answered only where it may be. */
#include "base/macros.h"
#include "frontend/oauth_authorization.h"

#include "test.h"

#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define GOOD                                                                                       \
	"response_type=code&client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fcb&"          \
	"code_challenge_method=S256&state=s%20%26"
#define WHOLE GOOD "&code_challenge=" CHALLENGE

static void
test_a_good_request_is_taken(void)
{
	static const char *const rows[] = {
		WHOLE,
		WHOLE "&scope=openid+reader&nonce=n&resource=r&response_mode=query&prompt=login",
		WHOLE "&unknown=1&unknown=2&prompt=&request=",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct authorization a;
		struct authorization_fault fault;
		CHECK_ROW(!failed(authorization_read(bytes_text(rows[i]), &arena, &a)), rows[i]);
		CHECK_ROW(!authorization_check(&a, &fault), rows[i]);
		CHECK_ROW(bytes_is(a.values[AUTHORIZATION_STATE], "s &"), rows[i]);
		CHECK_ROW(bytes_is(authorization_host(&a), "shop.example"), rows[i]);
		arena_done(&arena);
	}
}

static void
test_without_one_client_and_one_address_only_the_person_is_told(void)
{
	static const char *const rows[] = {
		"",
		"client_id=shop",
		"redirect_uri=https://shop.example/",
		"client_id=&redirect_uri=https://shop.example/",
		"client_id=shop&redirect_uri=",
		"client_id=shop&redirect_uri=/relative",
		"client_id=shop&redirect_uri=https://shop.example/%23fragment",
		"client_id=shop&redirect_uri=https://shop.example/%0d%0aX:y",
		"client_id=shop&redirect_uri=https://shop.example/%20x",
		"client_id=shop&redirect_uri=https://shop.example/%c3%a9",
		"client_id=shop&client_id=shop&redirect_uri=https://shop.example/",
		"client_id=shop&redirect_uri=https://a.example/&redirect_uri=https://b.example/",
		"client_id=shop&redirect_uri=%zz",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct authorization a;
		CHECK_ROW(authorization_read(bytes_text(rows[i]), &arena, &a).kind == ERR_PEER,
		          rows[i]);
		arena_done(&arena);
	}
}

static void
test_other_faults_have_the_names_clients_know(void)
{
	static const struct {
		const char *form, *error;
	} rows[] = {
		{ GOOD, "invalid_request" }, /* no PKCE */
		{ GOOD "&code_challenge=short", "invalid_request" },
		{ GOOD "&code_challenge=" CHALLENGE "0", "invalid_request" },
		{ GOOD "&code_challenge=+9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		  "invalid_request" },
		{ "client_id=c&redirect_uri=a:b&response_type=code&code_challenge=" CHALLENGE,
		  "invalid_request" }, /* plain, by default */
		{ "client_id=c&redirect_uri=a:b&response_type=code&code_challenge_method=plain"
		  "&code_challenge=" CHALLENGE,
		  "invalid_request" },
		{ "client_id=c&redirect_uri=a:b", "invalid_request" },
		{ "client_id=c&redirect_uri=a:b&response_type=token", "unsupported_response_type" },
		{ "client_id=c&redirect_uri=a:b&response_type=code%20id_token",
		  "unsupported_response_type" },
		{ WHOLE "&response_mode=fragment", "invalid_request" },
		{ WHOLE "&state=again", "invalid_request" },
		{ WHOLE "&prompt=none", "login_required" },
		{ WHOLE "&prompt=login+none", "login_required" },
		{ WHOLE "&request=eyJ", "request_not_supported" },
		{ WHOLE "&request_uri=https://x/", "request_uri_not_supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct authorization a;
		struct authorization_fault fault = { "", "" };
		CHECK_ROW(!failed(authorization_read(bytes_text(rows[i].form), &arena, &a)),
		          rows[i].form);
		CHECK_ROW(authorization_check(&a, &fault), rows[i].form);
		CHECK_ROW(strcmp(fault.error, rows[i].error) == 0, rows[i].form);
		arena_done(&arena);
	}
}

static void
test_a_parameter_that_is_too_long_is_the_clients_fault(void)
{
	struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf form = { 0 };
	struct authorization a;
	struct authorization_fault fault;

	buf_put_text(&form, WHOLE "&nonce=");
	for (size_t i = 0; i < 513; i++)
		buf_put_u8(&form, 'n');
	CHECK(!failed(authorization_read(buf_bytes(&form), &arena, &a)));
	CHECK(authorization_check(&a, &fault) && strcmp(fault.error, "invalid_request") == 0);
	CHECK(a.values[AUTHORIZATION_NONCE].len == 0);
	arena_done(&arena);
}

static void
test_what_is_kept_comes_back(void)
{
	struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	struct authorization a, b;

	CHECK(!failed(
		authorization_read(BYTES(WHOLE "&scope=x&nonce=n&login_hint=ada"), &arena, &a)));
	authorization_put(&text, &a);
	CHECK(!failed(authorization_take(buf_bytes(&text), &b)));
	for (size_t i = 0; i < AUTHORIZATION_COUNT; i++)
		CHECK(i < AUTHORIZATION_KEPT ? bytes_equal(a.values[i], b.values[i])
		                             : b.values[i].len == 0);
	for (size_t i = 0; i < text.len; i++)
		CHECK(failed(authorization_take((struct bytes){ text.at, i }, &b)));
	buf_put_u8(&text, 0);
	CHECK(failed(authorization_take(buf_bytes(&text), &b)));
	arena_done(&arena);
}

static void
test_the_answer_stands_in_the_query_and_names_the_issuer(void)
{
	static const struct {
		const char *uri, *state, *description, *answer;
	} rows[] = {
		{ "https://shop.example/cb", "s &=#", "",
		  "https://shop.example/cb?code=a%2Fb&state=s%20%26%3D%23&iss=http%3A%2F%2Fus" },
		{ "https://shop.example/cb?x=1", "", "",
		  "https://shop.example/cb?x=1&code=a%2Fb&iss=http%3A%2F%2Fus" },
		{ "app:/cb", "s", "no\r\n",
		  "app:/cb?code=a%2Fb&error_description=no%0D%0A&state=s&iss="
		  "http%3A%2F%2Fus" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct authorization a = {
			.values[AUTHORIZATION_REDIRECT_URI] = bytes_text(rows[i].uri),
			.values[AUTHORIZATION_STATE] = bytes_text(rows[i].state),
		};
		authorization_put_answer(&out, &a, "code", BYTES("a/b"),
		                         bytes_text(rows[i].description), BYTES("http://us"));
		CHECK_ROW(bytes_is(buf_bytes(&out), rows[i].answer), rows[i].uri);
	}
	CHECK(authorization_host(&(struct authorization){ .values[AUTHORIZATION_REDIRECT_URI] =
	                                                          BYTES("app:/cb") })
	              .len == 0);
}

TESTS(TEST(test_a_good_request_is_taken),
      TEST(test_without_one_client_and_one_address_only_the_person_is_told),
      TEST(test_other_faults_have_the_names_clients_know),
      TEST(test_a_parameter_that_is_too_long_is_the_clients_fault),
      TEST(test_what_is_kept_comes_back),
      TEST(test_the_answer_stands_in_the_query_and_names_the_issuer))
