/* A client's form becomes the question it means, or is refused with the name of what is wrong. */
#include "base/macros.h"
#include "format/base64.h"
#include "frontend/oauth_form.h"

#include "test.h"

static const char long_text[] =
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567";

struct result {
	struct err e;
	struct oauth_form form;
	struct ask ask;
};

/* `pair` is what Basic encodes; NULL: no Authorization field. */
static struct result
read_form(struct arena *arena, const char *body, const char *pair, const struct oauth_grant *grant)
{
	CLEANUP(buf_done) struct buf basic = { 0 };
	struct result ret;

	if (pair != NULL) {
		buf_put_text(&basic, "bAsIc ");
		base64_put(&basic, bytes_text(pair), true);
	}
	ret.e = oauth_form_read(bytes_text(body), arena_copy(arena, buf_bytes(&basic)), arena,
	                        &ret.form);
	if (failed(ret.e))
		return ret;
	if (grant == NULL)
		grant = oauth_grant_find(ret.form.grant_type);
	if (grant == NULL)
		ret.e = fail(ERR_INVALID, "no such grant");
	else
		ret.e = oauth_form_ask(&ret.form, grant, &ret.ask);
	return ret;
}

static void
test_each_grant_becomes_its_question(void)
{
	static const struct {
		const char *body;
		enum ask_kind kind;
		enum ask_field field; /* of which the value is v */
	} rows[] = {
		{ "username=u&password=v", ASK_PASSWORD, ASK_PASSWORD_TEXT },
		{ "grant_type=&username=v&password=p", ASK_PASSWORD, ASK_USER },
		{ "grant_type=password&username=u&password=p&scope=v", ASK_PASSWORD, ASK_SCOPE },
		{ "grant_type=refresh_token&refresh_token=v", ASK_REFRESH, ASK_REFRESH_TOKEN },
		{ "grant_type=client_credentials&client_id=v", ASK_CLIENT, ASK_CLIENT_ID },
		{ "grant_type=client_credentials&client_assertion=v", ASK_CLIENT,
		  ASK_CLIENT_ASSERTION },
		{ "grant_type=authorization_code&client_id=c&code=x&redirect_uri=y&code_verifier=v",
		  ASK_CODE, ASK_VERIFIER },
		{ "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&client_id="
		  "c&subject_token=t&audience=v&resource=v",
		  ASK_EXCHANGE, ASK_RESOURCE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct result got = read_form(&arena, rows[i].body, NULL, NULL);
		CHECK_ROW(!failed(got.e), rows[i].body);
		CHECK_ROW(got.ask.kind == rows[i].kind, rows[i].body);
		CHECK_ROW(bytes_is(got.ask.fields[rows[i].field], "v"), rows[i].body);
		arena_done(&arena);
	}
}

static void
test_a_question_has_only_what_its_grant_takes(void)
{
	struct arena arena = { 0 };
	struct result got =
		read_form(&arena,
	                  "grant_type=refresh_token&refresh_token=r&username=u&password=p"
	                  "&code=c&token=t&unknown=x&client_id=i",
	                  NULL, NULL);

	CHECK(!failed(got.e));
	for (unsigned i = 0; i < ASK_FIELD_COUNT; i++)
		CHECK((got.ask.fields[i].len != 0) ==
		      (i == ASK_REFRESH_TOKEN || i == ASK_CLIENT_ID));
	arena_done(&arena);
}

static void
test_what_is_missing_or_wrong_is_named(void)
{
	static const struct {
		const char *body, *parameter;
	} rows[] = {
		{ "username=u", "password" },
		{ "username=u&password=", "password" },
		{ "password=p", "username" },
		{ "grant_type=refresh_token", "refresh_token" },
		{ "grant_type=authorization_code&client_id=c&redirect_uri=y&code_verifier=v",
		  "code" },
		{ "grant_type=authorization_code&client_id=c&code=x&code_verifier=v",
		  "redirect_uri" },
		{ "grant_type=authorization_code&client_id=c&code=x&redirect_uri=y",
		  "code_verifier" },
		{ "username=u&password=p&password=p", NULL },
		{ "username=u&password=p&other=1&other=2", NULL },
		{ "client_assertion_type=saml&grant_type=client_credentials",
		  "client_assertion_type" },
		{ "resource=a&audience=b", "audience" },
		{ "username=%ff", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct result got = read_form(&arena, rows[i].body, NULL, NULL);
		CHECK_ROW(got.e.kind == ERR_PEER, rows[i].body);
		CHECK_ROW((got.form.parameter == NULL) == (rows[i].parameter == NULL),
		          rows[i].body);
		CHECK_ROW(rows[i].parameter == NULL || got.form.parameter == NULL ||
		                  strcmp(got.form.parameter, rows[i].parameter) == 0,
		          rows[i].body);
		arena_done(&arena);
	}
	CHECK(oauth_grant_find(BYTES("implicit")) == NULL);
	CHECK(oauth_grant_find(BYTES("passwor")) == NULL);
}

static void
test_long_parameters_are_refused(void)
{
	struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf body = { 0 };

	buf_printf(&body, "username=%s&password=p", long_text);
	buf_put_u8(&body, '\0');
	struct result got = read_form(&arena, (const char *)body.at, NULL, NULL);
	CHECK(got.e.kind == ERR_PEER && got.form.parameter != NULL &&
	      strcmp(got.form.parameter, "username") == 0);
	arena_done(&arena);
}

static void
test_a_client_must_say_who_it_is_where_it_matters(void)
{
	static const char *const bodies[] = {
		"grant_type=client_credentials",
		"grant_type=authorization_code&code=x&redirect_uri=y&code_verifier=v",
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=t",
	};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct arena arena = { 0 };
		struct result none = read_form(&arena, bodies[i], NULL, NULL);
		struct result empty = read_form(&arena, bodies[i], ":", NULL);
		struct result some = read_form(&arena, bodies[i], "c:s", NULL);
		CHECK_ROW(none.e.kind == ERR_IDENTITY && none.form.error == OAUTH_INVALID_CLIENT &&
		                  !none.form.has_basic,
		          bodies[i]);
		CHECK_ROW(empty.e.kind == ERR_IDENTITY && empty.form.has_basic, bodies[i]);
		CHECK_ROW(!failed(some.e), bodies[i]);
		arena_done(&arena);
	}
	const struct oauth_grant *others[] = { &oauth_revocation, &oauth_introspection };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct arena arena = { 0 };
		CHECK(read_form(&arena, "token=t", NULL, others[i]).e.kind == ERR_IDENTITY);
		CHECK(!failed(read_form(&arena, "token=t", "c:s", others[i]).e));
		CHECK(read_form(&arena, "", "c:s", others[i]).e.kind == ERR_PEER);
		arena_done(&arena);
	}
}

static void
test_basic_is_decoded_as_a_form_is(void)
{
	static const struct {
		const char *pair, *id, *secret;
	} rows[] = {
		{ "c:s", "c", "s" },
		{ "c:", "c", "" },
		{ ":", "", "" },
		{ "c:a:b", "c", "a:b" },
		{ "c:a=b&c", "c", "a=b&c" },
		{ "a%3Ab:x+y%2Bz%25", "a:b", "x y+z%" },
		{ "c:a%26b%3Dc", "c", "a&b=c" },
	};
	static const char *const bad[] = { "c", "", "%zz:s", "c:%", "c:a%20=b", "c:\xff", "c:%ff" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct result got = read_form(&arena, "token=t", rows[i].pair, &oauth_grants[0]);
		CHECK_ROW(bytes_is(got.form.fields[ASK_CLIENT_ID], rows[i].id), rows[i].pair);
		CHECK_ROW(bytes_is(got.form.fields[ASK_CLIENT_SECRET], rows[i].secret),
		          rows[i].pair);
		arena_done(&arena);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct arena arena = { 0 };
		struct result got = read_form(&arena, "username=u&password=p", bad[i], NULL);
		CHECK_ROW(got.e.kind == ERR_PEER, bad[i]);
		arena_done(&arena);
	}
}

static void
test_a_client_proves_who_it_is_in_one_way(void)
{
	static const struct {
		const char *body, *pair;
		bool is_good;
	} rows[] = {
		{ "token=t&client_id=c", "c:s", true },
		{ "token=t&client_id=c&client_secret=s", NULL, true },
		{ "token=t&client_id=c&client_secret=s", "c:", true },
		{ "token=t&client_id=other", "c:s", false },
		{ "token=t&client_secret=s", "c:s", false },
		{ "token=t&client_assertion=a", "c:s", false },
		{ "token=t&client_assertion=a&client_secret=s", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct result got =
			read_form(&arena, rows[i].body, rows[i].pair, &oauth_introspection);
		CHECK_ROW(rows[i].is_good ? !failed(got.e) : got.e.kind == ERR_PEER, rows[i].body);
		arena_done(&arena);
	}
}

static void
test_secrets_are_wiped_where_they_were_decoded(void)
{
	struct arena arena = { 0 };
	char body[] = "username=ada&password=p%61ss&refresh_token=plain";
	struct result got = read_form(&arena, body, "client:%73ecret", NULL);
	struct bytes basic = got.form.plain;

	CHECK(!failed(got.e) && bytes_is(got.form.fields[ASK_CLIENT_SECRET], "secret"));
	oauth_form_wipe(&got.form);
	CHECK(bytes_equal(got.form.fields[ASK_PASSWORD_TEXT], BYTES("\0\0\0\0")));
	CHECK(bytes_equal(got.form.fields[ASK_CLIENT_SECRET], BYTES("\0\0\0\0\0\0")));
	CHECK(bytes_equal(got.form.fields[ASK_REFRESH_TOKEN], BYTES("\0\0\0\0\0")));
	CHECK(bytes_find(basic, 0) == 0 && basic.len == strlen("client:%73ecret"));
	CHECK(bytes_is(got.form.fields[ASK_USER], "ada"));
	arena_done(&arena);
}

TESTS(TEST(test_each_grant_becomes_its_question),
      TEST(test_a_question_has_only_what_its_grant_takes),
      TEST(test_what_is_missing_or_wrong_is_named), TEST(test_long_parameters_are_refused),
      TEST(test_a_client_must_say_who_it_is_where_it_matters),
      TEST(test_basic_is_decoded_as_a_form_is), TEST(test_a_client_proves_who_it_is_in_one_way),
      TEST(test_secrets_are_wiped_where_they_were_decoded))
