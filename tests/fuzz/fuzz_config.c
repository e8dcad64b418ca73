/* fuzz_config.c - any bytes as a configuration: settings or errors, never both, never neither. */
#include <stdlib.h>

#include "config/config.h"

/* Nobody is believed without a name, an algorithm and a place for keys; or without being asked. */
static bool
is_whole(const struct issuer_settings *s)
{
	bool has_keys = s->jwks_file != NULL || s->jwks_url != NULL || s->metadata_url != NULL;

	if (s->roles_claim_count == 0 || s->client_claim == NULL)
		return false;
	if (s->type == ISSUER_INTROSPECTION)
		return s->introspection_url != NULL && !has_keys;
	return s->name_count > 0 && s->algorithms != 0 && s->issuer == s->names[0].iss &&
	       has_keys == (s->type != ISSUER_LOCAL) &&
	       (s->audience_count > 0 || s->client_count > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct config_errors errors = { 0 };
	const struct settings *settings = NULL;
	struct err e =
		config_parse((struct bytes){ data, size }, "fuzz.yaml", &arena, &settings, &errors);

	if (failed(e) != (settings == NULL) || failed(e) != (errors.count > 0) ||
	    buf_bytes(&errors.text).len > 8u << 20)
		abort();
	if (settings != NULL && (settings->public_url == NULL || settings->workers == 0 ||
	                         settings->audit.path == NULL))
		abort();
	for (size_t i = 0; settings != NULL && i < settings->issuer_count; i++)
		if (!is_whole(&settings->issuers[i]))
			abort();
	config_errors_done(&errors);
	arena_done(&arena);
	return 0;
}
