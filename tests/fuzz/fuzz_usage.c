/* fuzz_usage.c - what a review takes from the lines of a log: whatever a line holds, the counts add
 * up and nobody is known without an issuer and a subject. */
#include <stdlib.h>

#include "audit/usage.h"
#include "base/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct issuer_settings issuers[] = { { .name = "corp", .type = ISSUER_OIDC } };
static const struct role_settings roles[] = { { .name = "reader" }, { .name = "writer" } };
static const struct rule_settings allow[] = { { .role = 0, .action = ACTION_READ },
	                                      { .role = 1, .action = ACTION_UPDATE } };
static const struct resource_settings resources[] = {
	{ .name = "books", .allow = allow, .allow_count = ARRAY_LEN(allow) },
};
static const struct settings settings = { .issuers = issuers,
	                                  .issuer_count = ARRAY_LEN(issuers),
	                                  .roles = roles,
	                                  .role_count = ARRAY_LEN(roles),
	                                  .resources = resources,
	                                  .resource_count = ARRAY_LEN(resources) };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t
take_lines(struct usage *u, struct bytes text)
{
	uint64_t taken = 0;

	while (text.len > 0) {
		size_t len = bytes_find(text, '\n');
		struct arena arena = { 0 };
		const struct json *record = NULL;

		if (!failed(json_parse(bytes_slice(text, 0, len), &arena, &record, NULL))) {
			usage_take(u, record);
			taken++;
		}
		arena_done(&arena);
		text = bytes_slice(text, len + 1, text.len);
	}
	return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usage *u = NULL;

	must(!failed(usage_new(&settings, 1000, &u)));
	must(usage_totals(u).records == 0);

	uint64_t taken = take_lines(u, (struct bytes){ data, size });

	must(usage_totals(u).records == taken && usage_totals(u).left_out <= taken);
	must(usage_count(u) <= 2 * taken);
	for (size_t i = 0; i < usage_count(u); i++) {
		const struct usage_principal *p = usage_at(u, i);

		must(p->issuer.len > 0 && p->subject.len > 0 && (p->roles >> 2) == 0);
		must(usage_find(u, p->issuer, p->subject) == p);
	}
	usage_free(u);
	return 0;
}
