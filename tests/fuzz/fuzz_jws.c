/* fuzz_jws.c - any bytes as a token: parsed, its claims checked with a full report. The first byte
 * chooses whether the rest is the token, or header and claims split at a zero byte and encoded
 * here, which gets past base64 at once. */
#include <stdlib.h>

#include "format/base64.h"
#include "jose/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const audiences[] = { "api://books" };
static const struct required_claim required[] = { { "a.b", audiences, 1 },
	                                          { "https://x/y", NULL, 0 } };
static const struct issuer_name issuer_names[] = { { "https://idp.test/", "t" },
	                                           { "https://other.test/", NULL } };
static const struct jwt_rules rules = {
	.names = issuer_names,
	.name_count = 2,
	.audience = audiences,
	.audience_count = 1,
	.clients = audiences,
	.client_count = 1,
	.client_claim = "azp appid",
	.required = required,
	.required_count = 2,
	.callers = CALLERS_USERS,
	.guests_refused = true,
	.bindings = BINDING_DPOP,
	.algorithms = ALG_RS256 | ALG_ES256,
	.leeway_s = 60,
};

static void
check(const struct jws *j, struct arena *arena, bool full)
{
	struct jwt_report report;

	jwt_report_init(&report, full, arena);

	struct jwt_binding binding = jwt_binding_of(j->payload);
	struct jwt_proven proven = { .is_dpop = true, .key = binding.key };
	struct err e = jwt_check_header(j, &rules, &report);
	e = jwt_check_issuer(j, &rules, &report);
	e = jwt_check_claims(j, &rules, 1760000000, &report);
	if (failed(e) != (report.failed != JWT_CHECK_COUNT) || (failed(e) && e.why == NULL))
		abort();
	jwt_check_binding(&binding, &proven, rules.bindings, &report);
	for (unsigned i = 0; i < JWT_CHECK_COUNT; i++) {
		struct bytes got = report.findings[i].got;

		if (got.len > JWT_TEXT_MAX)
			abort();
		for (size_t k = 0; k < got.len; k++)
			if (got.at[k] < 0x20 || got.at[k] > 0x7e)
				abort();
	}
}

static void
run(struct bytes token)
{
	struct arena arena = { 0 };
	struct jws j;
	struct err e = jws_parse(token, &arena, &j);

	if (failed(e) ? e.kind != ERR_IDENTITY || j.alg != 0 : jws_alg_name(j.alg) == NULL)
		abort();
	if (j.header != NULL) {
		check(&j, &arena, true);
		check(&j, &arena, false);
	}
	arena_done(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size };
	struct buf token = { 0 };

	if (size == 0)
		return 0;
	if (data[0] != 'e') {
		run(bytes_slice(input, 1, size));
		return 0;
	}
	input = bytes_slice(input, 1, size);

	size_t zero = bytes_find(input, 0);
	base64url_put(&token, bytes_slice(input, 0, zero));
	buf_put_u8(&token, '.');
	base64url_put(&token, bytes_slice(input, zero + 1, input.len));
	buf_put_text(&token, ".AAAA");
	run(buf_bytes(&token));
	buf_done(&token);
	return 0;
}
