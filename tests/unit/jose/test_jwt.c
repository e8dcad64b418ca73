/* test_jwt.c - claims: each check at its edges, and what the report says. */
#include "vectors.h"

#include "jose/jwt.h"

enum { NOW = 1760000000, LEEWAY = 30 };

static const char *const audiences[] = { "api://books", "api://shop" };
static const struct jwt_rules rules = {
	.issuer = "https://idp.test/",
	.audience = audiences,
	.audience_count = 2,
	.algorithms = ALG_RS256 | ALG_ES256,
	.leeway_s = LEEWAY,
};

struct checked {
	struct arena arena;
	struct jws j;
	struct jwt_report report;
};

static void
checked_done(struct checked *c)
{
	arena_done(&c->arena);
}

/* Parses header and claims; the signature is not looked at here. */
static void
checked_parse(struct checked *c, const char *header, const char *claims, bool full)
{
	struct buf token CLEANUP(buf_done) = { 0 };

	*c = (struct checked){ 0 };
	base64url_put(&token, bytes_text(header));
	buf_put_u8(&token, '.');
	base64url_put(&token, bytes_text(claims));
	buf_put_text(&token, ".AAAA");
	CHECK_ROW(!failed(jws_parse(arena_copy(&c->arena, buf_bytes(&token)), &c->arena, &c->j)),
	          claims);
	jwt_report_init(&c->report, full, &c->arena);
}

/* The first check that fails for these claims, or JWT_CHECK_COUNT. */
static enum jwt_check
claims_failure(const char *claims)
{
	struct checked c CLEANUP(checked_done);

	checked_parse(&c, "{\"alg\":\"RS256\"}", claims, false);

	struct err e = jwt_check_claims(&c.j, &rules, NOW, &c.report);
	CHECK_ROW(failed(e) == (c.report.failed != JWT_CHECK_COUNT), claims);
	CHECK_ROW(!failed(e) || (e.kind == ERR_IDENTITY && e.code == c.report.failed &&
	                         e.why == c.report.why),
	          claims);
	return c.report.failed;
}

#define REST ",\"aud\":\"api://books\",\"sub\":\"u\"}"

static void
test_case_16_expiry_is_required_and_exact(void)
{
	static const struct {
		const char *claims;
		enum jwt_check failed;
	} rows[] = {
		{ "{\"exp\":1760000001" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":1759999971" REST,
		  JWT_CHECK_COUNT },                           /* 29 s ago: within 30 s of leeway */
		{ "{\"exp\":1759999970" REST, JWT_EXPIRES },   /* 30 s ago: no longer */
		{ "{\"exp\":1759999970.9" REST, JWT_EXPIRES }, /* rounded down */
		{ "{\"exp\":1759999971.0" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":17600000e2" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":9007199254740992" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":9007199254740993" REST, JWT_EXPIRES }, /* beyond what is a date */
		{ "{\"exp\":9223372036854775807" REST, JWT_EXPIRES },
		{ "{\"exp\":99999999999999999999" REST, JWT_EXPIRES },
		{ "{\"exp\":1e400" REST, JWT_EXPIRES },
		{ "{\"exp\":-1" REST, JWT_EXPIRES },
		{ "{\"exp\":0" REST, JWT_EXPIRES },
		{ "{\"exp\":\"1860000000\"" REST, JWT_EXPIRES },
		{ "{\"exp\":null" REST, JWT_EXPIRES },
		{ "{\"exp\":true" REST, JWT_EXPIRES },
		{ "{\"exp\":[1860000000]" REST, JWT_EXPIRES },
		{ "{\"exp\":{}" REST, JWT_EXPIRES },
		{ "{\"a\":1" REST, JWT_EXPIRES },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(claims_failure(rows[i].claims) == rows[i].failed, rows[i].claims);
}

static void
test_case_16_tokens_of_the_future_are_refused(void)
{
	static const struct {
		const char *claims;
		enum jwt_check failed;
	} rows[] = {
		{ "{\"exp\":1860000000,\"nbf\":1760000000,\"iat\":1760000000" REST,
		  JWT_CHECK_COUNT },
		{ "{\"exp\":1860000000,\"nbf\":1760000030" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":1860000000,\"nbf\":1760000031" REST, JWT_NOT_BEFORE },
		{ "{\"exp\":1860000000,\"iat\":1760000030" REST, JWT_CHECK_COUNT },
		{ "{\"exp\":1860000000,\"iat\":1760000031" REST, JWT_NOT_BEFORE },
		{ "{\"exp\":1860000000,\"nbf\":\"0\"" REST, JWT_NOT_BEFORE },
		{ "{\"exp\":1860000000,\"nbf\":null" REST, JWT_NOT_BEFORE },
		{ "{\"exp\":1860000000,\"iat\":\"1760000000\"" REST, JWT_NOT_BEFORE },
		{ "{\"exp\":1860000000,\"iat\":1e400" REST, JWT_NOT_BEFORE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(claims_failure(rows[i].claims) == rows[i].failed, rows[i].claims);
}

static void
test_case_13_audience_is_one_exact_member(void)
{
	static const struct {
		const char *audience;
		bool passed;
	} rows[] = {
		{ "\"api://books\"", true },
		{ "\"api://shop\"", true },
		{ "[\"x\",\"api://shop\"]", true },
		{ "\"api://book\"", false },
		{ "\"api://books/\"", false },
		{ "\"API://books\"", false },
		{ "\"api://books api://shop\"", false },
		{ "\"\"", false },
		{ "[]", false },
		{ "[\"\"]", false },
		{ "[[\"api://books\"]]", false },
		{ "[\"api://books\",1]", false },
		{ "{\"api://books\":1}", false },
		{ "null", false },
		{ "1", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char claims[256];

		snprintf(claims, sizeof claims, "{\"exp\":1860000000,\"sub\":\"u\",\"aud\":%s}",
		         rows[i].audience);
		CHECK_ROW(claims_failure(claims) ==
		                  (rows[i].passed ? JWT_CHECK_COUNT : JWT_AUDIENCE),
		          rows[i].audience);
	}
	CHECK(claims_failure("{\"exp\":1860000000,\"sub\":\"u\"}") == JWT_AUDIENCE);
}

static void
test_subject_is_required_text(void)
{
	static const struct {
		const char *subject;
		bool passed;
	} rows[] = {
		{ "\"u\"", true },
		{ "\"' OR 1=1 --\"", true },
		{ "\"Zo\\u00eb\"", true },
		{ "\"\"", false },
		{ "\"a\\r\\nX-Admin: 1\"", false },
		{ "\"\\u007f\"", false },
		{ "5", false },
		{ "null", false },
		{ "[]", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char claims[256];

		snprintf(claims, sizeof claims,
		         "{\"exp\":1860000000,\"aud\":\"api://books\",\"sub\":%s}",
		         rows[i].subject);
		CHECK_ROW(claims_failure(claims) ==
		                  (rows[i].passed ? JWT_CHECK_COUNT : JWT_SUBJECT),
		          rows[i].subject);
	}
	CHECK(claims_failure("{\"exp\":1860000000,\"aud\":\"api://books\"}") == JWT_SUBJECT);
}

static void
test_case_17_other_kinds_of_token_are_no_access_tokens(void)
{
	static const struct {
		const char *header, *claims;
		bool passed;
	} rows[] = {
		{ "{\"alg\":\"RS256\"}", "{}", true },
		{ "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", "{}", true },
		{ "{\"alg\":\"RS256\",\"typ\":\"jwt\"}", "{}", true },
		{ "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", "{}", true },
		{ "{\"alg\":\"RS256\",\"typ\":\"Application/AT+JWT\"}", "{}", true },
		{ "{\"alg\":\"RS256\"}", "{\"token_use\":\"access\"}", true },
		{ "{\"alg\":\"RS256\"}", "{\"nonce\":\"n\",\"scope\":\"read\"}", true },
		{ "{\"alg\":\"RS256\"}", "{\"nonce\":\"n\",\"scp\":\"read\"}", true },
		{ "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", "{}", false },
		{ "{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}", "{}", false },
		{ "{\"alg\":\"RS256\",\"typ\":\"id_token+jwt\"}", "{}", false },
		{ "{\"alg\":\"RS256\",\"typ\":\"secevent+jwt\"}", "{}", false },
		{ "{\"alg\":\"RS256\",\"typ\":\"JWT \"}", "{}", false },
		{ "{\"alg\":\"RS256\"}", "{\"token_use\":\"id\"}", false },
		{ "{\"alg\":\"RS256\"}", "{\"token_use\":7}", false },
		{ "{\"alg\":\"RS256\"}", "{\"nonce\":\"n\"}", false },
		{ "{\"alg\":\"RS256\"}", "{\"at_hash\":\"x\"}", false },
		{ "{\"alg\":\"RS256\"}", "{\"c_hash\":\"x\"}", false },
		{ "{\"alg\":\"RS256\"}", "{\"events\":{},\"scope\":\"read\"}", false },
		{ "{\"alg\":\"RS256\"}", "{\"htm\":\"GET\",\"htu\":\"x\"}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct checked c CLEANUP(checked_done);

		checked_parse(&c, rows[i].header, rows[i].claims, false);
		CHECK_ROW(failed(jwt_check_header(&c.j, &rules, &c.report)) != rows[i].passed,
		          rows[i].claims);
		CHECK_ROW(c.report.failed == (rows[i].passed ? JWT_CHECK_COUNT : JWT_TYPE),
		          rows[i].header);
	}
}

static void
test_algorithm_must_be_one_of_the_issuers(void)
{
	static const struct {
		const char *header;
		bool passed;
	} rows[] = { { "{\"alg\":\"RS256\"}", true },
		     { "{\"alg\":\"ES256\"}", true },
		     { "{\"alg\":\"PS256\"}", false },
		     { "{\"alg\":\"RS512\"}", false },
		     { "{\"alg\":\"EdDSA\"}", false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct checked c CLEANUP(checked_done);

		checked_parse(&c, rows[i].header, "{}", false);
		CHECK_ROW(failed(jwt_check_header(&c.j, &rules, &c.report)) != rows[i].passed,
		          rows[i].header);
		CHECK_ROW(rows[i].passed || c.report.failed == JWT_ALGORITHM, rows[i].header);
	}
}

static void
test_report_says_what_was_expected_and_got(void)
{
	struct checked c CLEANUP(checked_done);

	checked_parse(&c, "{\"alg\":\"RS256\"}", "{\"exp\":1759996400,\"aud\":\"x\",\"sub\":\"u\"}",
	              false);
	CHECK(failed(jwt_check_claims(&c.j, &rules, NOW, &c.report)));
	CHECK(strcmp(c.report.why, "the token expired") == 0);
	CHECK(bytes_is(c.report.findings[JWT_EXPIRES].expected,
	               "exp later than 2025-10-09T08:53:20Z, 30 s forgiven"));
	CHECK(bytes_is(c.report.findings[JWT_EXPIRES].got,
	               "1759996400, 2025-10-09T07:53:20Z (3600 s ago)"));
	/* Words only for the first failure when no full report is asked for. */
	CHECK(c.report.findings[JWT_AUDIENCE].done && !c.report.findings[JWT_AUDIENCE].passed);
	CHECK(c.report.findings[JWT_AUDIENCE].got.len == 0);
}

static void
test_full_report_goes_on_after_a_failure(void)
{
	struct checked c CLEANUP(checked_done);

	checked_parse(&c, "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}",
	              "{\"exp\":1759996400,\"nbf\":1760000300,\"aud\":[\"x\",7],\"sub\":\"u\"}",
	              true);
	(void)jwt_check_header(&c.j, &rules, &c.report);
	CHECK(failed(jwt_check_claims(&c.j, &rules, NOW, &c.report)));
	CHECK(c.report.failed == JWT_ALGORITHM);
	CHECK(bytes_is(c.report.findings[JWT_ALGORITHM].expected, "RS256 ES256"));
	CHECK(bytes_is(c.report.findings[JWT_ALGORITHM].got, "\"EdDSA\""));
	CHECK(bytes_is(c.report.findings[JWT_NOT_BEFORE].got,
	               "1760000300, 2025-10-09T08:58:20Z (in 300 s)"));
	CHECK(bytes_is(c.report.findings[JWT_AUDIENCE].expected, "api://books or api://shop"));
	CHECK(bytes_is(c.report.findings[JWT_AUDIENCE].got, "[\"x\",7]"));
	CHECK(c.report.findings[JWT_SUBJECT].passed &&
	      bytes_is(c.report.findings[JWT_SUBJECT].got, "\"u\""));
}

static void
test_report_text_is_printable_and_cut(void)
{
	struct arena arena CLEANUP(arena_drop) = { 0 };
	struct jwt_report r;
	char text[300];

	memset(text, 'x', sizeof text);
	memcpy(text, "\x1b[31m\r\n\xc3\xab", 9);
	jwt_report_init(&r, true, &arena);
	jwt_report_check(&r, JWT_KEY, false, "why");
	jwt_report_text(&r, JWT_KEY, BYTES("a"), (struct bytes){ (uint8_t *)text, sizeof text });
	CHECK(r.findings[JWT_KEY].got.len == JWT_TEXT_MAX);
	CHECK(bytes_starts(r.findings[JWT_KEY].got, BYTES("?[31m????xxx")));
	CHECK(bytes_is(bytes_slice(r.findings[JWT_KEY].got, JWT_TEXT_MAX - 5, JWT_TEXT_MAX),
	               "xx..."));
}

static void
test_dates_are_rounded_down(void)
{
	static const struct {
		const char *text;
		bool is_date;
		int64_t date;
	} rows[] = { { "{\"d\":1.9}", true, 1 },
		     { "{\"d\":-0.5}", true, -1 },
		     { "{\"d\":-2}", true, -2 },
		     { "{\"d\":-2.5}", true, -3 },
		     { "{\"d\":2e3}", true, 2000 },
		     { "{\"d\":1e-3}", true, 0 },
		     { "{\"d\":1e16}", false, 0 },
		     { "{\"d\":\"1\"}", false, 0 },
		     { "{}", false, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena CLEANUP(arena_drop) = { 0 };
		const struct json *claims = NULL;
		int64_t date = 0;

		CHECK_ROW(!failed(json_parse(bytes_text(rows[i].text), &arena, &claims, NULL)),
		          rows[i].text);
		CHECK_ROW(jwt_date(claims, "d", &date) == rows[i].is_date && date == rows[i].date,
		          rows[i].text);
	}
}

static void
test_every_check_has_a_name(void)
{
	for (unsigned i = 0; i < JWT_CHECK_COUNT; i++)
		CHECK(strlen(jwt_check_name((enum jwt_check)i)) > 2);
	CHECK(strcmp(jwt_check_name(JWT_CHECK_COUNT), "none") == 0);
}

TESTS(TEST(test_case_13_audience_is_one_exact_member),
      TEST(test_case_16_expiry_is_required_and_exact),
      TEST(test_case_16_tokens_of_the_future_are_refused),
      TEST(test_case_17_other_kinds_of_token_are_no_access_tokens),
      TEST(test_subject_is_required_text), TEST(test_algorithm_must_be_one_of_the_issuers),
      TEST(test_report_says_what_was_expected_and_got),
      TEST(test_full_report_goes_on_after_a_failure), TEST(test_report_text_is_printable_and_cut),
      TEST(test_dates_are_rounded_down), TEST(test_every_check_has_a_name))
