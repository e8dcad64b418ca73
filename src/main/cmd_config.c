/* cmd_config.c - see cmd_config.h. */
#include "main/cmd_config.h"

#include <stdio.h>

#include "backend/backend.h"
#include "base/macros.h"
#include "io/loop.h"
#include "main/arguments.h"
#include "main/loaded.h"
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
			(void)usage_error(argv[0], "unknown argument", a.option != NULL ? a.option : a.plain);
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

/* Does what is configured fit the data that is there? Adds what does not. */
static void
check_data(struct loaded *l, struct loop *loop, struct config_errors *errors)
{
	const struct settings *s = l->settings;
	const struct table **tables = arena_array(&l->arena, s->resource_count + 1, sizeof *tables);
	struct backend **backends = arena_array(&l->arena, s->backend_count + 1, sizeof *backends);
	const struct policy *policy;

	if (tables == NULL || backends == NULL)
		return;
	for (size_t i = 0; i < s->backend_count; i++) {
		struct err e = backend_open(s, (unsigned)i, &loop->uv, &l->arena, &backends[i]);
		if (failed(e))
			config_error_add(errors, s->file, s->backends[i].place, "backend %s: %s", s->backends[i].name, e.why);
	}
	for (size_t i = 0; i < s->resource_count && errors->count == 0; i++) {
		const struct resource_settings *r = &s->resources[i];
		struct err e = backend_table(backends[r->backend], r->table, &l->arena, &tables[i]);
		if (failed(e))
			config_error_add(errors, s->file, r->table_place, "table %s: %s", r->table, e.why);
	}
	if (errors->count == 0)
		(void)policy_compile(s, tables, 1, &l->arena, &policy, errors); /* what fails stands in errors */
	for (size_t i = 0; i < s->backend_count; i++)
		backend_close(backends[i]);
}

int
cmd_check(int argc, char **argv)
{
	static struct loop loop;
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(loaded_done) struct loaded l = { 0 };
	struct issuers *issuers = NULL;
	const char *file;

	if (!read_file_option(argc, argv, &file))
		return 2;
	if (!loaded_open(&l, argv[0], file))
		return 1;
	struct err e = loop_init(&loop);
	if (!failed(e))
		e = issuers_new(l.settings, &issuers);
	if (failed(e)) {
		complain(argv[0], NULL, e);
		return 2;
	}
	(void)issuers_load_files(issuers, &errors); /* what fails stands in errors */
	check_data(&l, &loop, &errors);
	issuers_free(issuers);
	loop_run(&loop);
	complain_config(&errors);
	if (errors.count > 0)
		return 1;
	printf("%s: ok: %zu issuers, %zu backends, %zu roles, %zu resources\n", file, l.settings->issuer_count,
	       l.settings->backend_count, l.settings->role_count, l.settings->resource_count);
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
	return argc > 1 ? usage_error(argv[0], "unknown argument", argv[1]) : print(config_put_schema);
}

int
cmd_manual(int argc, char **argv)
{
	return argc > 1 ? usage_error(argv[0], "unknown argument", argv[1]) : print(config_put_manual);
}
