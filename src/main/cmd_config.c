/* cmd_config.c - see cmd_config.h. */
#include "main/cmd_config.h"

#include <stdio.h>

#include "base/macros.h"
#include "main/arguments.h"
#include "main/data.h"
#include "main/loaded.h"
#include "process/certificates.h"
#include "process/supervisor.h"

/* The one option of run and check. false: wrong usage, already said. */
static bool
read_file_option(int argc, char **argv, const char **ret)
{
	struct arguments a;

	*ret = "gatewarden.yaml";
	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		if (!arguments_is(&a, "-c")) {
			(void)usage_error(argv[0], "unknown argument",
			                  a.option != NULL ? a.option : a.plain);
			return false;
		}
		if (!arguments_value(&a, ret)) {
			(void)usage_error(argv[0], "-c takes a file", NULL);
			return false;
		}
	}
	return true;
}

int
cmd_run(int argc, char **argv)
{
	const char *file;

	return read_file_option(argc, argv, &file) ? supervisor_run(file) : 2;
}

/* What is no error, and should be known. */
static void
print_notes(const struct settings *s)
{
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route_settings *r = &s->routes[i];
		if (r->is_observed)
			printf("%s:%u:%u: note: %s only observes: what its rules deny is recorded, "
			       "and let through\n",
			       s->file, r->place.line, r->place.column, r->path);
		if (r->allow_count == 0 && r->public == 0)
			printf("%s:%u:%u: note: %s allows nobody: it has neither allow nor "
			       "public\n",
			       s->file, r->place.line, r->place.column, r->path);
	}
}

int
cmd_check(int argc, char **argv)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(loaded_done) struct loaded l = { 0 };
	CLEANUP(data_done) struct data data = { 0 };
	CLEANUP(buf_done) struct buf warnings = { 0 };
	struct issuers *issuers = NULL;
	const char *file;

	if (!read_file_option(argc, argv, &file))
		return 2;
	if (!loaded_open(&l, argv[0], file))
		return l.error.sys != 0 ? 2 : 1;
	struct err e = issuers_new(l.settings, &issuers);
	if (!failed(e)) {
		(void)issuers_load_files(issuers, &errors); /* what fails stands in errors */
		e = data_open(&data, l.settings, &errors);
	}
	certificates_check(l.settings, &errors, &warnings);
	(void)fwrite(warnings.at, 1, warnings.len, stderr); /* nowhere else to say it */
	issuers_free(issuers);
	complain_config(&errors);
	if (errors.count > 0)
		return 1;
	if (failed(e)) {
		complain(argv[0], NULL, e);
		return 2;
	}
	print_notes(l.settings);
	printf("%s: ok: %zu issuers, %zu backends, %zu roles, %zu resources, %zu routes\n", file,
	       l.settings->issuer_count, l.settings->backend_count, l.settings->role_count,
	       l.settings->resource_count, l.settings->route_count);
	return 0;
}

static int
print(void (*put)(struct buf *out))
{
	CLEANUP(buf_done) struct buf out = { 0 };

	put(&out);
	return fwrite(out.at, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 2;
}

int
cmd_schema(int argc, char **argv)
{
	return argc > 1 ? usage_error(argv[0], "unknown argument", argv[1])
	                : print(config_put_schema);
}

int
cmd_manual(int argc, char **argv)
{
	return argc > 1 ? usage_error(argv[0], "unknown argument", argv[1])
	                : print(config_put_manual);
}
