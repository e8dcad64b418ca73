/* fuzz_openapi.c - what `import openapi` reads: YAML or JSON by a stranger. Whatever is made of it
 * must be a configuration. */
#include <stdlib.h>

#include "config/config.h"
#include "config/yaml_json.h"
#include "main/openapi_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
write_it(const struct openapi *o)
{
	struct buf out = { 0 };
	struct arena arena = { 0 };
	struct config_errors errors = { 0 };
	const struct settings *settings;

	openapi_write(&out, o, "document", BYTES("http://127.0.0.1:8000"), "/app");
	if (!failed(buf_check(&out)) && out.len <= CONFIG_BYTES_MAX)
		must(!failed(config_parse(buf_bytes(&out), "made", &arena, &settings, &errors)));
	config_errors_done(&errors);
	arena_done(&arena);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { data, size };
	struct buf json = { 0 };
	struct config_errors errors = { 0 };
	struct openapi *o = calloc(1, sizeof *o);

	must(o != NULL);
	if (size == 0 || data[0] != '{') {
		if (failed(yaml_to_json(text, "document", &json, &errors)))
			text.len = 0;
		else
			text = buf_bytes(&json);
	}
	if (!failed(openapi_read(text, "/app", o)))
		write_it(o);
	openapi_done(o);
	free(o);
	config_errors_done(&errors);
	buf_done(&json);
	return 0;
}
