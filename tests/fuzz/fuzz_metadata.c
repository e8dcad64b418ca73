/* fuzz_metadata.c - what is taken of a discovery document is a URL that may be asked, and never one
 * on this machine. */
#include <stdlib.h>

#include "base/macros.h"
#include "fetch/metadata.h"
#include "fetch/url_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct outbound_settings outbound;

static void
demand_usable(struct bytes url)
{
	struct guarded_url parts;

	if (failed(url_guard_parse(url, &outbound, &parts)) || parts.is_loopback ||
	    !parts.is_https || parts.port == 0 || parts.host[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const issuers[] = { "https://a" };
	const struct metadata_rules rules = { .issuers = issuers,
		                              .issuer_count = 1,
		                              .outbound = &outbound };
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct bytes text = { data, size };
	struct guarded_url parts;
	struct metadata m;

	/* As a URL too. */
	if (!failed(url_guard_parse(text, &outbound, &parts)) &&
	    !(parts.is_https || parts.is_loopback))
		abort();
	if (failed(metadata_parse(text, &rules, &arena, &m)))
		return 0;
	const struct bytes optional[] = { m.token_endpoint, m.authorization_endpoint,
		                          m.end_session_endpoint };
	demand_usable(m.jwks_uri);
	for (size_t i = 0; i < ARRAY_LEN(optional); i++)
		if (optional[i].len > 0)
			demand_usable(optional[i]);
	return 0;
}
