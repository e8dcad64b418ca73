/* Access tokens and the life of the keys that sign them. Verified by src/jose from the published
 * set alone.
 */
#include "jose/jwt.h"
#include "scene.h"

enum { DAY = 86400, ROTATION = 30 * DAY };

static void
open_issuer(struct scene *s, int64_t now_s, struct issuer **ret)
{
	scene_store(s);
	CHECK(!failed(issuer_open(&s->settings, 0, s->store, now_s, ret)));
}

static void
grant(struct scene *s, struct issuer *i, int64_t now_s, struct reply *ret)
{
	struct user u = scene_user(s, "alice");

	*ret = (struct reply){ 0 };
	CHECK(!failed(scene_grant(i, &u, BYTES(""), now_s, ret)));
}

static struct jwks *
published(const struct issuer *i)
{
	struct buf text = { 0 }, refused = { 0 };
	struct jwks *set = NULL;

	issuer_put_jwks(i, &text);
	CHECK(!failed(jwks_parse(buf_bytes(&text), &set, &refused)));
	CHECK(refused.len == 0);
	buf_done(&text);
	buf_done(&refused);
	return set;
}

static bool
verifies(const struct issuer *i, struct bytes token)
{
	struct arena arena = { 0 };
	struct jws j;
	struct jwks *set = published(i);
	bool good = false;

	if (!failed(jws_parse(token, &arena, &j))) {
		const struct jwk *key = jwks_find(set, j.kid, j.alg);

		good = key != NULL && !failed(jws_verify(&j, key));
	}
	jwks_free(set);
	arena_done(&arena);
	return good;
}

static size_t
published_count(const struct issuer *i)
{
	struct jwks *set = published(i);
	size_t count = jwks_count(set);

	jwks_free(set);
	return count;
}

/* The kid of a token, as text in the arena. */
static struct bytes
kid_of(struct bytes token, struct arena *arena)
{
	struct jws j = { 0 };

	CHECK(!failed(jws_parse(token, arena, &j)));
	return j.kid;
}

static struct bytes
member_text(const struct json *claims, const char *name)
{
	struct bytes text = { 0 };

	CHECK_ROW(json_string(json_member(claims, name), &text), name);
	return text;
}

static int64_t
member_date(const struct json *claims, const char *name)
{
	int64_t date = -1;

	CHECK_ROW(json_int64(json_member(claims, name), &date), name);
	return date;
}

static void
test_access_token_has_the_claims_of_rfc_9068(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t;
	struct jws j = { 0 };

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(t.expires_in_s == 900);
	CHECK(bytes_equal(buf_bytes(&t.fields[ANSWER_SUBJECT]), scene_user(&s, "alice").subject));
	CHECK(verifies(i, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	CHECK(!failed(jws_parse(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)));
	CHECK(bytes_is(j.typ, "at+jwt") && j.alg == ALG_ES256 && j.kid.len == 43);
	CHECK(j.payload != NULL && j.payload->count == 14);
	CHECK(member_text(j.payload, "sid").len == 22);
	CHECK(member_date(j.payload, "gen") == 1);
	CHECK(bytes_is(member_text(j.payload, "scope"), "reader editor"));
	CHECK(bytes_is(member_text(j.payload, "iss"), "http://127.0.0.1:8080"));
	CHECK(bytes_equal(member_text(j.payload, "sub"), buf_bytes(&t.fields[ANSWER_SUBJECT])));
	CHECK(bytes_is(member_text(j.payload, "preferred_username"), "alice") &&
	      bytes_is(buf_bytes(&t.fields[ANSWER_NAME]), "alice"));
	CHECK(bytes_is(member_text(j.payload, "aud"), "api://books"));
	CHECK(bytes_is(member_text(j.payload, "client_id"), "gatewarden"));
	CHECK(member_text(j.payload, "jti").len == 22);
	CHECK(member_date(j.payload, "iat") == SCENE_NOW_S);
	CHECK(member_date(j.payload, "nbf") == SCENE_NOW_S);
	CHECK(member_date(j.payload, "auth_time") == SCENE_NOW_S);
	CHECK(member_date(j.payload, "exp") == SCENE_NOW_S + 900);

	const struct json *roles = json_member(j.payload, "roles"), *first = json_first(roles);
	struct bytes role = { 0 };

	CHECK(roles != NULL && roles->type == JSON_ARRAY && roles->count == 2);
	CHECK(json_string(first, &role) && bytes_is(role, "reader"));
	CHECK(json_string(json_next(roles, first), &role) && bytes_is(role, "editor"));
	reply_done(&t);
	issuer_close(i);
	scene_done(&s);
}

static void
test_token_passes_the_check_of_claims(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t;
	struct jws j = { 0 };
	struct jwt_report report;

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(!failed(jws_parse(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)));

	struct jwt_rules rules = { .issuer = s.settings.public_url,
		                   .audience = s.audience,
		                   .audience_count = 1,
		                   .algorithms = ALG_ES256,
		                   .leeway_s = 60 };

	jwt_report_init(&report, true, &s.arena);
	CHECK(!failed(jwt_check_header(&j, &rules, &report)));
	CHECK(!failed(jwt_check_issuer(&j, &rules, &report)));
	CHECK(!failed(jwt_check_claims(&j, &rules, SCENE_NOW_S + 899, &report)));
	jwt_report_init(&report, true, &s.arena);
	CHECK(jwt_check_claims(&j, &rules, SCENE_NOW_S + 961, &report).kind == ERR_IDENTITY);
	CHECK(report.failed == JWT_EXPIRES);
	reply_done(&t);
	issuer_close(i);
	scene_done(&s);
}

static void
test_roles_stand_in_the_claim_the_issuer_is_told_to_read(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t;
	struct jws j = { 0 };

	scene_store(&s);
	s.own.roles_claim = "https://books.example/roles";
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(!failed(jws_parse(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)));

	const struct json *roles = json_member(j.payload, "https://books.example/roles");

	CHECK(roles != NULL && roles->count == 2 && json_member(j.payload, "roles") == NULL);
	reply_done(&t);
	issuer_close(i);
	scene_done(&s);
}

static void
test_several_audiences_are_an_array_and_life_is_at_most_15_minutes(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t;
	struct jws j = { 0 };

	scene_store(&s);
	s.own.audience_count = 2;
	s.own.access_token_ttl_s = 100000; /* the configuration refuses it; so do we */
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	grant(&s, i, SCENE_NOW_S, &t);
	CHECK(!failed(jws_parse(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)));
	CHECK(t.expires_in_s == 900);
	CHECK(member_date(j.payload, "exp") == SCENE_NOW_S + 900);

	const struct json *audience = json_member(j.payload, "aud");

	CHECK(audience != NULL && audience->type == JSON_ARRAY && audience->count == 2);
	reply_done(&t);
	issuer_close(i);
	scene_done(&s);
}

static void
test_every_signing_algorithm_verifies(void)
{
	static const enum jws_alg_bit algorithms[] = { ALG_ES256, ALG_EDDSA, ALG_RS256 };

	for (size_t n = 0; n < sizeof algorithms / sizeof *algorithms; n++) {
		struct scene s;
		struct issuer *i = NULL;
		struct reply t;
		struct jws j = { 0 };

		scene_store(&s);
		s.own.signing_algorithm = algorithms[n];
		CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
		grant(&s, i, SCENE_NOW_S, &t);
		CHECK(verifies(i, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
		CHECK(!failed(jws_parse(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)) &&
		      j.alg == algorithms[n]);
		reply_done(&t);
		issuer_close(i);
		scene_done(&s);
	}
}

static void
test_key_survives_a_restart_and_two_tokens_differ(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply first, second;

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &first);
	grant(&s, i, SCENE_NOW_S, &second);
	CHECK(!bytes_equal(buf_bytes(&first.fields[ANSWER_ACCESS_TOKEN]),
	                   buf_bytes(&second.fields[ANSWER_ACCESS_TOKEN])));
	issuer_close(i);
	issuer_store_close(s.store);
	CHECK(!failed(issuer_store_open(s.state, &s.store)));
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S + 5, &i)));
	CHECK(published_count(i) == 1);
	CHECK(verifies(i, buf_bytes(&first.fields[ANSWER_ACCESS_TOKEN])));
	reply_done(&first);
	reply_done(&second);
	issuer_close(i);
	scene_done(&s);
}

static void
test_next_key_is_published_before_it_signs_and_the_old_one_stays_for_its_tokens(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply before, last, after;
	bool changed = true;
	int64_t change_s = SCENE_NOW_S + ROTATION;

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &before);
	CHECK(!failed(issuer_rotate(i, change_s - DAY - 1, &changed)) && !changed);
	CHECK(published_count(i) == 1);

	/* Overlap: published, not signing. */
	CHECK(!failed(issuer_rotate(i, change_s - DAY, &changed)) && changed);
	CHECK(published_count(i) == 2);
	grant(&s, i, change_s - 1, &last);
	CHECK(bytes_equal(kid_of(buf_bytes(&before.fields[ANSWER_ACCESS_TOKEN]), &s.arena),
	                  kid_of(buf_bytes(&last.fields[ANSWER_ACCESS_TOKEN]), &s.arena)));
	CHECK(!failed(issuer_rotate(i, change_s - 1, &changed)) && !changed);

	/* The new one signs; what the old one signed a second ago still verifies. */
	grant(&s, i, change_s, &after);
	CHECK(!bytes_equal(kid_of(buf_bytes(&last.fields[ANSWER_ACCESS_TOKEN]), &s.arena),
	                   kid_of(buf_bytes(&after.fields[ANSWER_ACCESS_TOKEN]), &s.arena)));
	CHECK(verifies(i, buf_bytes(&after.fields[ANSWER_ACCESS_TOKEN])));
	CHECK(!failed(issuer_rotate(i, change_s + 900 + 59, &changed)) && !changed);
	CHECK(verifies(i, buf_bytes(&last.fields[ANSWER_ACCESS_TOKEN])));

	/* Its last token has expired: it is gone. */
	CHECK(!failed(issuer_rotate(i, change_s + 900 + 60, &changed)) && changed);
	CHECK(published_count(i) == 1);
	CHECK(!verifies(i, buf_bytes(&last.fields[ANSWER_ACCESS_TOKEN])));
	CHECK(verifies(i, buf_bytes(&after.fields[ANSWER_ACCESS_TOKEN])));
	reply_done(&before);
	reply_done(&last);
	reply_done(&after);
	issuer_close(i);
	scene_done(&s);
}

static void
test_years_of_rotation_keep_the_set_small_and_every_token_verifiable(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t, held = { 0 };
	unsigned changes = 0;

	scene_store(&s);
	s.own.key_rotation_s = 3600;
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	for (int64_t now = SCENE_NOW_S; now < SCENE_NOW_S + 40 * 3600; now += 600) {
		bool changed;

		CHECK(!failed(issuer_rotate(i, now, &changed)));
		changes += changed;
		CHECK(published_count(i) <= 3);
		if (held.fields[ANSWER_ACCESS_TOKEN].len > 0)
			CHECK(verifies(i, buf_bytes(&held.fields[ANSWER_ACCESS_TOKEN])));
		reply_done(&held);
		grant(&s, i, now, &t);
		CHECK(verifies(i, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
		held = t;
	}
	CHECK(changes > 70 && changes < 90); /* one made and one gone an hour */
	reply_done(&held);
	issuer_close(i);
	scene_done(&s);
}

static void
test_down_past_the_rotation_still_publishes_before_it_signs(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply before, t;
	int64_t late = SCENE_NOW_S + 3 * ROTATION;

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &before);
	issuer_close(i);
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, late, &i)));
	CHECK(published_count(i) == 2);
	grant(&s, i, late + DAY - 1, &t);
	CHECK(bytes_equal(kid_of(buf_bytes(&before.fields[ANSWER_ACCESS_TOKEN]), &s.arena),
	                  kid_of(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena)));
	reply_done(&t);
	grant(&s, i, late + DAY, &t);
	CHECK(!bytes_equal(kid_of(buf_bytes(&before.fields[ANSWER_ACCESS_TOKEN]), &s.arena),
	                   kid_of(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena)));
	reply_done(&t);
	reply_done(&before);
	issuer_close(i);
	scene_done(&s);
}

static void
test_clock_that_jumps_ahead_and_back_leaves_a_key_that_signs(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply t;
	bool changed;
	int64_t ahead = SCENE_NOW_S + 100 * (int64_t)ROTATION;

	open_issuer(&s, SCENE_NOW_S, &i);
	CHECK(!failed(issuer_rotate(i, ahead, &changed))); /* a next key, dated far ahead */
	CHECK(!failed(issuer_rotate(i, SCENE_NOW_S + 60, &changed))); /* and back */
	grant(&s, i, SCENE_NOW_S + 60, &t);
	CHECK(verifies(i, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	/* The far one was dated anew: it signs a day from now, not in eight years. */
	struct bytes kid = kid_of(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena);

	reply_done(&t);
	grant(&s, i, SCENE_NOW_S + 60 + DAY, &t);
	CHECK(!bytes_equal(kid, kid_of(buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN]), &s.arena)));
	reply_done(&t);

	/* Long enough ahead for the old key to go: all that is left lies ahead of the true time. */
	CHECK(!failed(issuer_rotate(i, ahead, &changed)));
	CHECK(!failed(issuer_rotate(i, ahead + 2 * DAY, &changed)));
	CHECK(!failed(issuer_rotate(i, SCENE_NOW_S - DAY, &changed)));
	grant(&s, i, SCENE_NOW_S - DAY, &t);
	CHECK(verifies(i, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	reply_done(&t);
	/* Its turn counts from the true time. */
	CHECK(published_count(i) == 1);
	CHECK(!failed(issuer_rotate(i, SCENE_NOW_S - DAY + ROTATION - DAY, &changed)) && changed);
	CHECK(published_count(i) == 2);
	issuer_close(i);
	scene_done(&s);
}

static void
test_another_algorithm_signs_at_once_and_old_tokens_still_verify(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct reply before, after;
	struct jws j = { 0 };

	open_issuer(&s, SCENE_NOW_S, &i);
	grant(&s, i, SCENE_NOW_S, &before);
	issuer_close(i);
	s.own.signing_algorithm = ALG_EDDSA;
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	grant(&s, i, SCENE_NOW_S, &after);
	CHECK(!failed(jws_parse(buf_bytes(&after.fields[ANSWER_ACCESS_TOKEN]), &s.arena, &j)) &&
	      j.alg == ALG_EDDSA);
	CHECK(verifies(i, buf_bytes(&before.fields[ANSWER_ACCESS_TOKEN])));
	CHECK(verifies(i, buf_bytes(&after.fields[ANSWER_ACCESS_TOKEN])));
	reply_done(&before);
	reply_done(&after);

	/* Back and forth without end: the set stays bounded. */
	for (int n = 0; n < 20; n++) {
		bool changed;

		s.own.signing_algorithm = n % 2 == 0 ? ALG_ES256 : ALG_EDDSA;
		CHECK(!failed(issuer_rotate(i, SCENE_NOW_S + n, &changed)) && changed);
		CHECK(published_count(i) <= 8);
	}
	issuer_close(i);
	scene_done(&s);
}

static void
test_two_processes_sign_with_the_same_keys(void)
{
	struct scene s;
	struct issuer_store *second_store = NULL;
	struct issuer *first = NULL, *second = NULL;
	struct reply t;

	open_issuer(&s, SCENE_NOW_S, &first);
	CHECK(!failed(issuer_store_open(s.state, &second_store)));
	CHECK(!failed(issuer_open(&s.settings, 0, second_store, SCENE_NOW_S, &second)));
	grant(&s, second, SCENE_NOW_S, &t);
	CHECK(verifies(first, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	reply_done(&t);
	issuer_close(first);
	issuer_close(second);
	issuer_store_close(second_store);
	scene_done(&s);
}

static void
test_two_issuers_of_one_store_have_their_own_keys(void)
{
	struct scene s;
	struct issuer *first = NULL, *second = NULL;
	struct reply t;

	scene_store(&s);

	struct issuer_settings both[2] = { s.own, s.own };

	both[1].name = "other";
	s.settings.issuers = both;
	s.settings.issuer_count = 2;
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &first)));
	CHECK(!failed(issuer_open(&s.settings, 1, s.store, SCENE_NOW_S, &second)));
	grant(&s, first, SCENE_NOW_S, &t);
	CHECK(verifies(first, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	CHECK(!verifies(second, buf_bytes(&t.fields[ANSWER_ACCESS_TOKEN])));
	/* Nor does a session of one go on at the other. */
	struct reply next = { 0 };

	CHECK(scene_refresh(second, buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), BYTES(""),
	                    SCENE_NOW_S + 1, &next)
	              .kind == ERR_IDENTITY);
	CHECK(!failed(scene_refresh(first, buf_bytes(&t.fields[ANSWER_REFRESH_TOKEN]), BYTES(""),
	                            SCENE_NOW_S + 1, &next)));
	reply_done(&next);
	reply_done(&t);
	issuer_close(first);
	issuer_close(second);
	scene_done(&s);
}

static void
test_public_keys_can_be_read_without_the_issuer(void)
{
	struct scene s;
	struct issuer_store *readonly = NULL;
	struct issuer *i = NULL;
	struct buf from_store = { 0 }, from_issuer = { 0 }, none = { 0 };

	open_issuer(&s, SCENE_NOW_S, &i);
	issuer_put_jwks(i, &from_issuer);
	CHECK(!failed(issuer_store_open_readonly(s.state, &readonly)));
	CHECK(!failed(issuer_store_put_jwks(readonly, "local", &from_store)));
	CHECK(bytes_equal(buf_bytes(&from_store), buf_bytes(&from_issuer)));
	CHECK(!failed(issuer_store_put_jwks(readonly, "nobody", &none)));
	CHECK(bytes_equal(buf_bytes(&none), BYTES("{\"keys\":[]}")));
	/* No private member. */
	CHECK(memmem(from_store.at, from_store.len, "\"d\"", 3) == NULL);
	buf_done(&from_store);
	buf_done(&from_issuer);
	buf_done(&none);
	issuer_store_close(readonly);
	issuer_close(i);
	scene_done(&s);
}

static void
test_only_a_local_issuer_can_be_opened(void)
{
	struct scene s;
	struct issuer *i = NULL;

	scene_store(&s);
	CHECK(issuer_open(&s.settings, 1, s.store, SCENE_NOW_S, &i).kind == ERR_CONFIG);
	s.own.type = ISSUER_OIDC;
	CHECK(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i).kind == ERR_CONFIG);
	scene_done(&s);
}

TESTS(TEST(test_access_token_has_the_claims_of_rfc_9068),
      TEST(test_token_passes_the_check_of_claims),
      TEST(test_roles_stand_in_the_claim_the_issuer_is_told_to_read),
      TEST(test_several_audiences_are_an_array_and_life_is_at_most_15_minutes),
      TEST(test_every_signing_algorithm_verifies),
      TEST(test_key_survives_a_restart_and_two_tokens_differ),
      TEST(test_next_key_is_published_before_it_signs_and_the_old_one_stays_for_its_tokens),
      TEST(test_years_of_rotation_keep_the_set_small_and_every_token_verifiable),
      TEST(test_down_past_the_rotation_still_publishes_before_it_signs),
      TEST(test_clock_that_jumps_ahead_and_back_leaves_a_key_that_signs),
      TEST(test_another_algorithm_signs_at_once_and_old_tokens_still_verify),
      TEST(test_two_processes_sign_with_the_same_keys),
      TEST(test_two_issuers_of_one_store_have_their_own_keys),
      TEST(test_public_keys_can_be_read_without_the_issuer),
      TEST(test_only_a_local_issuer_can_be_opened))
