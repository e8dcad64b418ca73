/* worker.c - the process that meets the callers: frontends, policy, backends. Holds no secret but
 * what is in flight. */
#include "process/role.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "frontend/server.h"
#include "frontend/endpoint.h"
#include "frontend/telemetry.h"
#include "io/resolve.h"
#include "process/certificates.h"
#include "process/sandbox.h"

enum { POOL_THREADS = 4 }; /* slow reads and writes of SQLite; names of services */

struct worker {
	struct start *start;
	struct gate gate;
	struct server http, admin;
	struct tls_context *http_tls, *admin_tls; /* until the servers have them */
	uv_timer_t ready_timer, drain_timer;
	unsigned servers_open;
	bool is_ready;
};

/* Configuration, data and keys; before the sandbox closes */

static struct err
open_backend(struct worker *w, unsigned i, struct arena *arena)
{
	struct gate *g = &w->gate;

	switch (g->settings->backends[i].type) {
	case BACKEND_SQLITE:
		return backend_open(g->settings, i, &g->loop->uv, arena, &g->backends[i]);
	case BACKEND_HTTP:
		return service_open(g->settings, i, g->loop, arena, &g->services[i]);
	}
	return fail(ERR_CONFIG, "a backend of an unknown type");
}

static struct err
open_backends(struct worker *w, struct arena *arena)
{
	struct gate *g = &w->gate;
	size_t count = g->settings->backend_count;

	g->backends = arena_array(arena, count + 1, sizeof *g->backends);
	g->services = arena_array(arena, count + 1, sizeof *g->services);
	if (g->backends == NULL || g->services == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	resolve_init();
	for (size_t i = 0; i < count; i++) {
		const struct backend_settings *own = &g->settings->backends[i];
		struct err e = open_backend(w, (unsigned)i, arena);

		if (failed(e)) {
			LOG(LOG_ERROR, "a backend cannot be opened",
			    { "backend", bytes_text(own->name) },
			    { "path", bytes_text(own->path != NULL ? own->path : "") },
			    { "why", bytes_text(e.why) });
			return e;
		}
	}
	return OK;
}

static struct err
compile_policy(struct worker *w, struct arena *arena, struct config_errors *errors)
{
	const struct settings *settings = w->gate.settings;
	const struct table **tables =
		arena_array(arena, settings->resource_count + 1, sizeof *tables);

	if (tables == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	for (size_t i = 0; i < settings->resource_count; i++) {
		const struct resource_settings *r = &settings->resources[i];
		struct err e =
			backend_table(w->gate.backends[r->backend], r->table, arena, &tables[i]);

		if (failed(e) && e.kind != ERR_CONFIG)
			return e;
		if (failed(e))
			config_error_add(errors, settings->file, r->table_place, "table %s: %s",
			                 r->table, e.why);
	}
	/* Also with tables missing: it fails then, and says all that is wrong besides. */
	return policy_compile(settings, tables, w->start->generation, arena, &w->gate.policy,
	                      errors);
}

/* Each line of what is wrong, as a line of the log. */
static void
log_errors(const struct config_errors *errors)
{
	struct bytes text = buf_bytes(&errors->text);

	while (text.len > 0) {
		struct bytes line = bytes_slice(text, 0, bytes_find(text, '\n'));
		LOG(LOG_ERROR, "configuration", { "error", line });
		text = bytes_slice(text, line.len + 1, text.len);
	}
}

/* The keys stay in this process: it ends the callers' TLS. */
static struct err
open_certificates(struct worker *w)
{
	const struct settings *s = w->gate.settings;
	bool is_speaker = w->start->slot == 0;

	TRY(certificates_serve(&s->listen.http_tls, is_speaker, &w->http_tls));
	return certificates_serve(&s->listen.admin_tls, is_speaker, &w->admin_tls);
}

static struct err
open_all(struct worker *w)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct arena *arena = &w->start->arena;
	struct err e = gate_init(&w->gate);

	if (!failed(e))
		e = issuers_new(w->gate.settings, &w->gate.issuers);
	if (!failed(e))
		e = issuers_load_files(w->gate.issuers, &errors);
	if (!failed(e))
		e = open_backends(w, arena);
	if (!failed(e))
		e = compile_policy(w, arena, &errors);
	log_errors(&errors);
	return e;
}

/* The database, its log and its shared index. The two are there because it is open; never the
 * folder, which may hold what is none of a worker's business. */
static struct err
allow_database(struct sandbox *s, const char *path, struct arena *arena)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		CLEANUP(buf_done) struct buf name = { 0 };

		buf_printf(&name, "%s%s", path, suffixes[i]);
		const char *text = arena_text(arena, buf_bytes(&name));
		if (text == NULL || s->path_count == SANDBOX_PATHS_MAX)
			return fail(ERR_SYSTEM, "out of memory");
		if (access(text, F_OK) == 0)
			s->paths[s->path_count++] = text;
	}
	return OK;
}

/* A worker with services connects to them, and looks their names up again. */
static void
allow_services(struct sandbox *s)
{
	if (s->connects)
		return; /* another service has seen to it */
	s->connects = true;
	for (size_t i = 0; resolve_files[i] != NULL; i++)
		if (access(resolve_files[i], R_OK) == 0)
			s->readable[s->readable_count++] = resolve_files[i];
}

static struct err
allow_backends(struct worker *w, struct sandbox *s)
{
	const struct settings *settings = w->gate.settings;

	for (size_t i = 0; i < settings->backend_count; i++) {
		if (settings->backends[i].type == BACKEND_HTTP)
			allow_services(s);
		else
			TRY(allow_database(s, settings->backends[i].path, &w->start->arena));
	}
	return OK;
}

static struct err
enter_sandbox(struct worker *w)
{
	struct sandbox sandbox = { .role = ROLE_WORKER,
		                   .is_required = w->gate.settings->sandbox_required };
	const char *missing;

	TRY(allow_backends(w, &sandbox));
	TRY(sandbox_enter_files(&sandbox, &missing));
	if (missing != NULL && w->start->slot == 0)
		LOG(LOG_WARN, "the kernel lacks a part of the sandbox",
		    { "part", bytes_text(missing) });
	TRY(loop_start_threads(w->start->loop, POOL_THREADS));
	return sandbox_enter_calls(&sandbox, &missing);
}

/* Readiness and draining */

/* Keeper has sent the secret of tickets. */
static void
ready_tls(struct worker *w)
{
	struct tls_context *const all[] = { w->http.tls, w->admin.tls };
	int64_t first = INT64_MAX;

	_Static_assert(sizeof w->gate.ticket_key == TLS_TICKET_KEY_LEN, "one key, one length");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i] == NULL)
			continue;
		tls_context_set_ticket_secret(all[i], w->gate.ticket_key);
		if (tls_context_expires(all[i]) < first)
			first = tls_context_expires(all[i]);
	}
	counter_set(&w->gate.metrics->certificate_ends_s,
	            first == INT64_MAX || first < 0 ? 0 : (uint64_t)first);
}

static void
check_ready(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, ready_timer);
	const char *why;

	if (w->is_ready || !gate_is_ready(&w->gate, &why))
		return;
	w->is_ready = true;
	ready_tls(w);
	uv_close((uv_handle_t *)timer, NULL);
	/* A supervisor that is gone shows on the channel. */
	(void)channel_send(w->start->control, CONTROL_READY, 0, (struct bytes){ 0 });
}

static void
on_drained(struct server *s)
{
	struct worker *w = s->owner;

	if (--w->servers_open == 0)
		loop_stop(w->start->loop);
}

static void
on_drain_timeout(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, drain_timer);

	LOG(LOG_WARN, "connections were still open at the end of the drain");
	loop_stop(w->start->loop);
}

static void
hand_to_successor(struct server *s, int fd)
{
	struct worker *w = s->owner;

	/* What cannot be handed over is closed, as without a successor. */
	if (w->start->control != NULL)
		(void)channel_send_fd(w->start->control, CONTROL_ADOPT, s == &w->admin,
		                      (struct bytes){ 0 }, fd);
}

static void
drain(struct worker *w, bool has_successor)
{
	counter_set(&w->gate.counters->is_ready, 0);
	/* Cannot fail on a live handle. */
	(void)uv_timer_start(&w->drain_timer, on_drain_timeout,
	                     w->gate.settings->limits.drain_timeout_ms, 0);
	server_drain(&w->http, has_successor ? hand_to_successor : NULL);
	server_drain(&w->admin, has_successor ? hand_to_successor : NULL);
}

static void
adopt(struct worker *w, const struct message *m)
{
	bool is_admin = m->id == 1;

	if (m->fd < 0)
		return;
	if (is_admin && w->gate.settings->listen.admin.port == 0)
		close(m->fd); /* this configuration has none */
	else
		server_adopt(is_admin ? &w->admin : &w->http, m->fd);
}

static struct err
accept_all(struct worker *w)
{
	TRY(server_accept(&w->http, FD_HTTP));
	if (w->gate.settings->listen.admin.port != 0)
		TRY(server_accept(&w->admin, FD_ADMIN));
	counter_set(&w->gate.counters->is_ready, 1);
	return OK;
}

/* What the supervisor says */

static void
on_control(void *of, struct channel *c, const struct message *m)
{
	struct worker *w = of;
	struct err e = OK;

	switch ((enum control_message)m->type) {
	case CONTROL_KEEPER:
		e = gate_set_keeper(&w->gate, m->fd);
		break;
	case CONTROL_LEDGER:
		e = gate_set_ledger(&w->gate, m->fd);
		break;
	case CONTROL_FETCHER:
		e = gate_set_fetcher(&w->gate, m->fd);
		break;
	case CONTROL_ACCEPT:
		e = accept_all(w);
		break;
	case CONTROL_DRAIN:
		drain(w, m->id == 1);
		break;
	case CONTROL_ADOPT:
		adopt(w, m);
		break;
	case CONTROL_PING:
		e = channel_send(c, CONTROL_PONG, 0, (struct bytes){ 0 });
		break;
	/* Not for a worker. */
	case CONTROL_WORKER:
	case CONTROL_CONFIG:
	case CONTROL_STOP:
	case CONTROL_READY:
	case CONTROL_PONG:
		break;
	}
	if (failed(e))
		log_err(LOG_ERROR, "a message of the supervisor failed", e);
}

static void
on_control_closed(void *of, struct channel *c)
{
	struct worker *w = of;

	(void)c;
	w->start->control = NULL;
	LOG(LOG_ERROR, "the supervisor is gone");
	loop_stop(w->start->loop);
}

static struct err
start(struct worker *w)
{
	struct loop *loop = w->start->loop;

	TRY(open_certificates(w));
	TRY(open_all(w));
	TRY(telemetry_new(&w->gate, &w->gate.telemetry));
	TRY(enter_sandbox(w));
	TRY(server_init(&w->http, &w->gate, data_endpoints, w->http_tls));
	TRY(server_init(&w->admin, &w->gate, admin_endpoints, w->admin_tls));
	w->http.drained = w->admin.drained = on_drained;
	w->http.owner = w->admin.owner = w;
	w->servers_open = 2;
	TRY(channel_open(loop, FD_CONTROL, on_control, on_control_closed, w, &w->start->control));
	/* Readiness depends on messages of two processes: looked at often until it is there. */
	int status = uv_timer_init(&loop->uv, &w->ready_timer);
	if (status == 0)
		status = uv_timer_init(&loop->uv, &w->drain_timer);
	if (status == 0)
		status = uv_timer_start(&w->ready_timer, check_ready, 1, 2);
	return status == 0 ? OK : loop_err(status, "no timer");
}

int
worker_main(struct start *s)
{
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL)
		return 2;
	w->start = s;
	w->gate.loop = s->loop;
	w->gate.settings = s->settings;
	w->gate.metrics = s->metrics;
	w->gate.worker = s->slot;
	w->gate.counters = &s->metrics->workers[s->slot];

	struct err e = start(w);
	if (failed(e)) {
		log_err(LOG_ERROR, "the worker cannot start", e);
		return e.kind == ERR_CONFIG || e.kind == ERR_UPSTREAM ? 2 : 1;
	}
	loop_run(s->loop);
	telemetry_free(w->gate.telemetry);
	(void)uv_run(&s->loop->uv, UV_RUN_NOWAIT); /* its last spans leave with one more turn */
	/* The process ends: its memory and descriptors go with it, but what it wrote to sockets is
	 * with the kernel. */
	return s->control == NULL ? 1 : 0;
}
