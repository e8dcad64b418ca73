/* fuzz_advice.c - what the doctor says of a token that anybody may have written: header, claims and
 * the token's own text, a line each. Every check has a sentence, and none can steer a terminal. */
#include <stdlib.h>

#include "base/macros.h"
#include "main/advice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = { "api://books", "https://books.test/" };
static const struct required_claim required[] = { { "amr", texts, 1 }, { "a.b", NULL, 0 } };
static const struct issuer_name names[] = {
	{ "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
	  "11111111-2222-3333-4444-555555555555" },
	{ "https://idp.test/", NULL },
};
static const struct issuer_settings issuers[] = {
	{ .name = "corp",
	  .type = ISSUER_ENTRA,
	  .issuer = "https://login.microsoftonline.com/x/v2.0",
	  .names = names,
	  .name_count = 2,
	  .audience = texts,
	  .audience_count = 2,
	  .algorithms = ALG_RS256,
	  .clients = texts,
	  .client_count = 1,
	  .client_claim = "azp appid",
	  .callers = CALLERS_USERS,
	  .guests_refused = true,
	  .required = required,
	  .required_count = 2 },
	{ .name = "okta",
	  .type = ISSUER_OKTA,
	  .issuer = "https://dom.test/oauth2/default",
	  .callers = CALLERS_APPS,
	  .client_claim = "cid" },
};
static const struct settings settings = { .issuers = issuers, .issuer_count = 2 };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static const struct json *
parse(struct bytes text, struct arena *arena)
{
	const struct json *j = NULL;

	if (failed(json_parse(text, arena, &j, NULL)) || j->type != JSON_OBJECT)
		return NULL;
	return j;
}

static void
advise(const struct advice *a)
{
	for (unsigned check = 0; check < JWT_CHECK_COUNT; check++) {
		struct buf out = { 0 };

		advice_put(a, (enum jwt_check)check, &out);
		must(out.len > 0 && out.len < 4096);
		for (size_t i = 0; i < out.len; i++)
			must(out.at[i] >= 0x20 && out.at[i] < 0x7f);
		buf_done(&out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size }, header, claims;
	size_t first = bytes_find(input, '\n');
	struct arena arena = { 0 };

	header = bytes_slice(input, 0, first);
	input = bytes_slice(input, first + 1, size);
	claims = bytes_slice(input, 0, bytes_find(input, '\n'));
	for (size_t i = 0; i <= ARRAY_LEN(issuers); i++) {
		const struct advice a = { .settings = &settings,
			                  .issuer = i < ARRAY_LEN(issuers) ? &issuers[i] : NULL,
			                  .header = parse(header, &arena),
			                  .claims = parse(claims, &arena),
			                  .token = bytes_slice(input, claims.len + 1, input.len),
			                  .now_s = 1760000000 };

		advise(&a);
	}
	arena_done(&arena);
	return 0;
}
