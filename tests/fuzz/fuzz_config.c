/* fuzz_config.c - any bytes as a configuration: settings or errors, never both, never neither. */
#include <stdlib.h>

#include "config/config.h"

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
		if (settings->issuers[i].algorithms == 0 || settings->issuers[i].issuer == NULL)
			abort();
	config_errors_done(&errors);
	arena_done(&arena);
	return 0;
}
