/* data.c - see data.h. */
#include "main/data.h"

#include <uv.h>

#include "base/macros.h"

static void
open_backend(struct data *d, unsigned index, struct config_errors *errors)
{
	const struct backend_settings *b = &d->settings->backends[index];
	struct err e = backend_open(d->settings, index, NULL, &d->arena, &d->backends[index]);

	if (failed(e))
		config_error_add(errors, d->settings->file, b->place, "backend %s: %s: %s%s%s",
		                 b->name, e.why, b->path, e.sys != 0 ? ": " : "",
		                 e.sys != 0 ? strerror(e.sys) : "");
}

/* NULL where it cannot be known; of a backend that is not there, that was said. */
static const struct table *
read_table(struct data *d, const struct resource_settings *r, struct config_errors *errors)
{
	const struct table *table = NULL;

	if (d->backends[r->backend] == NULL)
		return NULL;

	struct err e = backend_table(d->backends[r->backend], r->table, &d->arena, &table);

	if (!failed(e))
		return table;
	config_error_add(errors, d->settings->file, r->table_place, "table %s: %s: %s", r->table,
	                 e.why, d->settings->backends[r->backend].path);
	return NULL;
}

struct err
data_open(struct data *d, const struct settings *settings, struct config_errors *errors)
{
	const struct table **tables =
		arena_array(&d->arena, settings->resource_count + 1, sizeof *tables);

	d->settings = settings;
	d->backends = arena_array(&d->arena, settings->backend_count + 1, sizeof(struct backend *));
	if (tables == NULL || d->backends == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	for (unsigned i = 0; i < settings->backend_count; i++)
		if (settings->backends[i].type == BACKEND_SQLITE)
			open_backend(d, i, errors);
	for (size_t i = 0; i < settings->resource_count; i++)
		tables[i] = read_table(d, &settings->resources[i], errors);
	TRY(policy_compile(settings, tables, 1, &d->arena, &d->policy, errors));
	return errors->count == 0 ? OK
	                          : fail(ERR_CONFIG, "the configuration does not fit the data");
}

void
data_done(struct data *d)
{
	for (size_t i = 0; d->backends != NULL && i < d->settings->backend_count; i++)
		backend_close(d->backends[i]);
	if (d->backends != NULL) {
		(void)uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* closing ends there */
		(void)uv_loop_close(uv_default_loop());
	}
	arena_done(&d->arena);
}
