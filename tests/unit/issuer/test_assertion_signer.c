/* test_assertion_signer.c - what is signed for services: by keys of their own, within bounds. */
#include "issuer/assertion_signer.h"

#include "base/macros.h"
#include "format/base64.h"
#include "format/json.h"
#include "jose/jwk.h"
#include "scene.h"

enum { DAY_S = 86400 };

static const struct route_settings route = { .path = "/app/*", .backend = -1 };

struct stage {
	struct scene scene;
	struct assertion_signer *signer;
	struct reply reply;
};

static void
stage_open(struct stage *s)
{
	*s = (struct stage){ 0 };
	scene_store(&s->scene);
	s->scene.settings.routes = &route;
	s->scene.settings.route_count = 1;
	CHECK(!failed(assertion_signer_open(&s->scene.settings, s->scene.store, SCENE_NOW_S,
	                                    &s->signer)));
}

static void
stage_done(struct stage *s)
{
	reply_done(&s->reply);
	assertion_signer_close(s->signer);
	scene_done(&s->scene);
}

static struct err
asked(struct stage *s, struct bytes claims, const char *life, int64_t now_s)
{
	const struct ask ask = { .kind = ASK_ASSERTION,
		                 .fields[ASK_DATA] = claims,
		                 .fields[ASK_LIFE] = bytes_text(life) };

	reply_done(&s->reply);
	s->reply = (struct reply){ 0 };
	return assertion_signer_answer(s->signer, &ask, now_s, &s->reply);
}

/* Part `n` of the compact form, read as JSON. */
static const struct json *
part(struct stage *s, unsigned n)
{
	static uint8_t text[8192];
	struct bytes token = buf_bytes(&s->reply.fields[ANSWER_ACCESS_TOKEN]);
	const struct json *ret = NULL;
	size_t len = 0;

	for (; n > 0; n--)
		token = bytes_slice(token, bytes_find(token, '.') + 1, token.len);
	token = bytes_slice(token, 0, bytes_find(token, '.'));
	CHECK(!failed(base64url_decode(token, text, sizeof text, &len)));
	CHECK(!failed(json_parse(arena_copy(&s->scene.arena, (struct bytes){ text, len }),
	                         &s->scene.arena, &ret, NULL)));
	return ret;
}

static int64_t
number(const struct json *object, const char *name)
{
	int64_t ret = -1;

	CHECK(json_int64(json_member(object, name), &ret));
	return ret;
}

static void
test_an_assertion_says_what_was_asked_and_when_it_holds(void)
{
	struct stage s;

	stage_open(&s);
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"app\",\"sub\":\"u1\",\"roles\":[\"reader\"]}"),
	                    "300", SCENE_NOW_S)));
	CHECK(s.reply.expires_in_s == 300);

	const struct json *header = part(&s, 0), *claims = part(&s, 1);

	CHECK(bytes_is(json_member_text(header, "typ"), "gatewarden-assertion+jwt"));
	CHECK(bytes_is(json_member_text(header, "alg"), "ES256"));
	CHECK(json_member_text(header, "kid").len == 43);
	CHECK(bytes_is(json_member_text(claims, "iss"), "http://127.0.0.1:8080"));
	CHECK(bytes_is(json_member_text(claims, "aud"), "app"));
	CHECK(bytes_is(json_member_text(claims, "sub"), "u1"));
	CHECK(json_member(claims, "roles")->count == 1);
	CHECK(number(claims, "iat") == SCENE_NOW_S && number(claims, "nbf") == SCENE_NOW_S);
	CHECK(number(claims, "exp") == SCENE_NOW_S + 300);
	CHECK(json_member_text(claims, "jti").len == 22);
	stage_done(&s);
}

static void
test_no_two_assertions_have_the_same_jti(void)
{
	struct stage s;

	stage_open(&s);
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"app\",\"sub\":\"u1\"}"), "60", SCENE_NOW_S)));
	struct bytes first = json_member_text(part(&s, 1), "jti");
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"app\",\"sub\":\"u1\"}"), "60", SCENE_NOW_S)));
	CHECK(!bytes_equal(first, json_member_text(part(&s, 1), "jti")));
	stage_done(&s);
}

static void
test_its_life_is_bounded(void)
{
	struct stage s;

	stage_open(&s);
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"a\",\"sub\":\"u\"}"), "86400", SCENE_NOW_S)));
	CHECK(s.reply.expires_in_s == 900);
	CHECK(number(part(&s, 1), "exp") == SCENE_NOW_S + 900);
	static const char *const none[] = { "0", "", "-1", "1.5", "99999999999999999999", "1m" };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		CHECK(asked(&s, BYTES("{\"aud\":\"a\",\"sub\":\"u\"}"), none[i], SCENE_NOW_S)
		              .kind == ERR_PEER);
	stage_done(&s);
}

static void
test_a_worker_cannot_say_what_only_the_signer_may(void)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"\"x\"",
		"{}",
		"{\"aud\":\"a\"}",
		"{\"sub\":\"u\"}",
		"{\"aud\":\"\",\"sub\":\"u\"}",
		"{\"aud\":\"a\",\"sub\":\"\"}",
		"{\"aud\":[\"a\"],\"sub\":\"u\"}",
		"{\"aud\":\"a\",\"sub\":7}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"iss\":\"x\"}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"i\\u0073s\":\"x\"}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"iat\":1}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"nbf\":1}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"exp\":1}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"jti\":\"x\"}",
		"{\"aud\":\"a\",\"sub\":\"u\",\"sub\":\"v\"}",
		"{\"aud\":\"a\",\"sub\":\"u\"} x",
		"{\"aud\":\"a\",\"sub\":\"u\",\"x\":\"\xff\"}",
	};
	struct stage s;

	stage_open(&s);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(asked(&s, bytes_text(bad[i]), "60", SCENE_NOW_S).kind == ERR_PEER);
		CHECK(s.reply.fields[ANSWER_ACCESS_TOKEN].len == 0);
	}
	stage_done(&s);
}

static void
test_an_assertion_fits_in_a_header_field(void)
{
	CLEANUP(buf_done) struct buf claims = { 0 };
	struct stage s;

	stage_open(&s);
	buf_put_text(&claims, "{\"aud\":\"a\",\"sub\":\"u\",\"x\":\"");
	while (claims.len < ASK_ASSERTION_MAX - 2)
		buf_put_u8(&claims, 'x');
	buf_put_text(&claims, "\"}");
	CHECK(!failed(asked(&s, buf_bytes(&claims), "60", SCENE_NOW_S)));
	CHECK(s.reply.fields[ANSWER_ACCESS_TOKEN].len < 6144);
	buf_put_u8(&claims, ' ');
	CHECK(asked(&s, buf_bytes(&claims), "60", SCENE_NOW_S).kind == ERR_PEER);
	stage_done(&s);
}

static void
test_its_keys_are_not_the_issuers(void)
{
	CLEANUP(buf_done) struct buf own = { 0 }, issuers = { 0 };
	struct stage s;
	struct issuer *i;

	stage_open(&s);
	CHECK(!failed(issuer_open(&s.scene.settings, 0, s.scene.store, SCENE_NOW_S, &i)));
	CHECK(!failed(
		asked(&s, BYTES("{\"aud\":\"api://books\",\"sub\":\"u\"}"), "60", SCENE_NOW_S)));
	struct bytes kid = json_member_text(part(&s, 0), "kid");
	assertion_signer_put_jwks(s.signer, &own);
	issuer_put_jwks(i, &issuers);
	buf_put_u8(&own, 0);
	buf_put_u8(&issuers, 0);
	char text[64] = { 0 };
	memcpy(text, kid.at, kid.len);
	CHECK(strstr((char *)own.at, text) != NULL);
	CHECK(strstr((char *)issuers.at, text) == NULL);

	/* Nor does the issuer take it for one of its tokens. */
	struct reply told = { 0 };
	const struct ask ask = { .kind = ASK_INTROSPECT,
		                 .fields[ASK_TOKEN] =
		                         buf_bytes(&s.reply.fields[ANSWER_ACCESS_TOKEN]) };
	struct err e = issuer_answer(i, &ask, SCENE_NOW_S, &told);
	CHECK(failed(e) || told.fields[ANSWER_CLAIMS].len == 0 ||
	      bytes_is(buf_bytes(&told.fields[ANSWER_CLAIMS]), "{\"active\":false}"));
	reply_done(&told);
	issuer_close(i);
	stage_done(&s);
}

static void
test_keys_are_published_before_they_sign_and_stay_after(void)
{
	struct stage s;
	bool changed;
	struct bytes claims = BYTES("{\"aud\":\"a\",\"sub\":\"u\"}");
	const int64_t due_s = SCENE_NOW_S + 30 * DAY_S;

	stage_open(&s);
	CHECK(!failed(asked(&s, claims, "60", SCENE_NOW_S)));
	struct bytes first = json_member_text(part(&s, 0), "kid");
	CHECK(!failed(assertion_signer_rotate(s.signer, due_s - DAY_S, &changed)) && changed);
	CHECK(!failed(asked(&s, claims, "60", due_s - 1)));
	CHECK(bytes_equal(first, json_member_text(part(&s, 0), "kid")));
	CHECK(!failed(asked(&s, claims, "60", due_s)));
	CHECK(!bytes_equal(first, json_member_text(part(&s, 0), "kid")));
	CHECK(!failed(assertion_signer_rotate(s.signer, due_s + 959, &changed)) && !changed);
	CHECK(!failed(assertion_signer_rotate(s.signer, due_s + 960, &changed)) && changed);
	stage_done(&s);
}

static void
test_the_keys_outlive_the_process(void)
{
	struct stage s;

	stage_open(&s);
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"a\",\"sub\":\"u\"}"), "60", SCENE_NOW_S)));
	struct bytes first = json_member_text(part(&s, 0), "kid");
	assertion_signer_close(s.signer);
	CHECK(!failed(assertion_signer_open(&s.scene.settings, s.scene.store, SCENE_NOW_S + 5,
	                                    &s.signer)));
	CHECK(!failed(asked(&s, BYTES("{\"aud\":\"a\",\"sub\":\"u\"}"), "60", SCENE_NOW_S + 5)));
	CHECK(bytes_equal(first, json_member_text(part(&s, 0), "kid")));
	stage_done(&s);
}

static void
test_it_is_needed_where_somebody_is_told(void)
{
	const struct backend_settings data = { .type = BACKEND_SQLITE },
				      service = { .type = BACKEND_HTTP };
	struct settings settings = { .backends = &data, .backend_count = 1 };

	CHECK(!assertion_signer_is_needed(&settings));
	settings.backends = &service;
	CHECK(assertion_signer_is_needed(&settings));
	settings = (struct settings){ .routes = &route, .route_count = 1 };
	CHECK(assertion_signer_is_needed(&settings));
}

TESTS(TEST(test_an_assertion_says_what_was_asked_and_when_it_holds),
      TEST(test_no_two_assertions_have_the_same_jti), TEST(test_its_life_is_bounded),
      TEST(test_a_worker_cannot_say_what_only_the_signer_may),
      TEST(test_an_assertion_fits_in_a_header_field), TEST(test_its_keys_are_not_the_issuers),
      TEST(test_keys_are_published_before_they_sign_and_stay_after),
      TEST(test_the_keys_outlive_the_process), TEST(test_it_is_needed_where_somebody_is_told))
