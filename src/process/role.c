/* role.c - see role.h: what every child does before it does its own work. */
#include "process/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/macros.h"
#include "identity/fetch.h"

static const struct {
	const char *name;
	int (*main)(struct start *s);
} roles[ROLE_COUNT] = {
	[ROLE_WORKER] = { "worker", worker_main },
	[ROLE_KEEPER] = { "keeper", keeper_main },
	[ROLE_LEDGER] = { "ledger", ledger_main },
	[ROLE_FETCHER] = { "fetcher", fetcher_main },
};

const char *
role_name(enum role r)
{
	return roles[r].name;
}

struct err
role_read_config(int fd, const char *file, struct arena *arena, const struct settings **ret)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > CONFIG_BYTES_MAX)
		return fail(ERR_SYSTEM, "the configuration was not handed over");
	void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return fail(ERR_SYSTEM, "the configuration was not handed over");

	struct err e =
		config_parse((struct bytes){ text, (size_t)st.st_size }, file, arena, ret, &errors);
	(void)munmap(text, (size_t)st.st_size); /* cannot fail: it was mapped just now */
	return e;
}

unsigned
role_local_issuer(const struct settings *settings)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		if (settings->issuers[i].type == ISSUER_LOCAL)
			return (unsigned)i;
	return ISSUER_NONE;
}

bool
role_needs_fetcher(const struct settings *settings)
{
	for (size_t i = 0; i < settings->issuer_count; i++) {
		const struct issuer_settings *s = &settings->issuers[i];

		if (issuer_source(s).len != 0 || s->introspection_url != NULL ||
		    s->graph_url != NULL)
			return true;
	}
	return settings->telemetry.traces_url != NULL || settings->telemetry.metrics_url != NULL;
}

/* "@worker 0 1 /etc/gatewarden.yaml" */
static bool
read_arguments(int argc, char **argv, struct start *s)
{
	uint64_t slot, generation;

	if (argc != 5 || failed(bytes_to_u64(bytes_text(argv[2]), &slot)) ||
	    slot >= METRICS_WORKERS_MAX || failed(bytes_to_u64(bytes_text(argv[3]), &generation)))
		return false;
	s->slot = (unsigned)slot;
	s->generation = (unsigned)generation;
	s->config_file = argv[4];
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (strcmp(argv[1] + 1, roles[r].name) != 0)
			continue;
		s->role = (enum role)r;
		return true;
	}
	return false;
}

static struct err
open_start(struct start *s)
{
	const struct rlimit no_core = { 0, 0 };

	/* Before the first secret: no core, and nobody of the same user may trace it or read its
	 * memory. */
	(void)setrlimit(RLIMIT_CORE, &no_core); /* only lowers: cannot fail */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return fail(ERR_SYSTEM, "the process cannot be made undumpable");
	(void)signal(
		SIGXFSZ,
		SIG_IGN); /* cannot fail for these. A file too large is an error, not the end */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP,
	             SIG_IGN); /* the terminal's signals are the supervisor's to understand */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return fail(ERR_SYSTEM, "OpenSSL does not start");
	s->metrics =
		mmap(NULL, sizeof *s->metrics, PROT_READ | PROT_WRITE, MAP_SHARED, FD_METRICS, 0);
	if (s->metrics == MAP_FAILED)
		return fail(ERR_SYSTEM, "the shared page cannot be mapped");
	close(FD_METRICS);
	TRY(role_read_config(FD_CONFIG, s->config_file, &s->arena, &s->settings));
	close(FD_CONFIG);
	return loop_init(s->loop);
}

int
role_main(int argc, char **argv, const char *version)
{
	static char name[64];
	static struct loop loop; /* large, and as long-lived as the process */
	struct start s = { .loop = &loop, .version = version };

	if (!read_arguments(argc, argv, &s))
		return 2;
	struct buf text = { .at = (uint8_t *)name, .room = sizeof name, .limit = sizeof name };
	buf_printf(&text, s.role == ROLE_WORKER ? "%s/%u" : "%s", roles[s.role].name, s.slot);
	log_init(name, LOG_INFO);
	(void)prctl(PR_SET_NAME, "gatewarden", 0, 0, 0); /* else `ps` says "exe"; never fails */

	struct err e = open_start(&s);
	if (failed(e)) {
		log_err(LOG_ERROR, "cannot start", e);
		return 2;
	}
	int status = roles[s.role].main(&s);
	arena_done(&s.arena);
	return status;
}
