/* fuzz_introspected.c - any bytes as what an issuer answers about a token it alone can read:
 * parsed, checked, and made a principal where it passes. Whoever gets in must have been called
 * active. */
#include <stdlib.h>

#include "identity/issuers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1760000000 };

static const char *const audiences[] = { "api://books" };
static const char *const roles_claims[] = { "realm.roles", "scope", "groups" };
static const struct issuer_settings issuer = {
	.name = "opaque",
	.type = ISSUER_INTROSPECTION,
	.introspection_url = "https://idp.test/introspect",
	.introspection_cache_s = 30,
	.audience = audiences,
	.audience_count = 1,
	.client_claim = "client_id",
	.roles_claims = roles_claims,
	.roles_claim_count = 3,
	.callers = CALLERS_USERS,
	.guests_refused = true,
	.leeway_s = 60,
};
static const struct grant_source source = { 0, "reader" };
static const struct role_settings role = { .name = "reader",
	                                   .granted_by = &source,
	                                   .granted_by_count = 1 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct settings settings = {
		.issuers = &issuer, .issuer_count = 1, .roles = &role, .role_count = 1
	};
	const struct presented shown = { .token = BYTES("opaque"),
		                         .has_asked = true,
		                         .learned = { data, size } };
	struct arena arena = { 0 };
	struct issuers *s = NULL;
	struct identified found;

	if (failed(issuers_new(&settings, &s)))
		abort();
	for (int full = 1; full >= 0; full--) {
		struct err e = issuers_examine(s, &shown, NOW, full == 1, &arena, &found);

		if (failed(e) == (found.who != NULL) || (failed(e) && e.why == NULL))
			abort();
		if (failed(e))
			continue;
		if (memmem(data, size, "true", 4) == NULL ||
		    principal_expires(found.who) < NOW - 60)
			abort();
		(void)principal_agent(found.who);
		(void)principal_name(found.who);
		principal_release(found.who);
	}
	issuers_free(s);
	arena_done(&arena);
	return 0;
}
