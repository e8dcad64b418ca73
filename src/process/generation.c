/* generation.c - see generation.h. */
#include "process/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "process/certificates.h"
#include "process/child.h"

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	close_fd(&g->config);
	close_fd(&g->admin);
	for (size_t i = 0; i < METRICS_WORKERS_MAX; i++)
		close_fd(&g->http[i]);
	arena_done(&g->arena);
	free(g);
}

static struct err
read_file(const char *file, struct buf *ret)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = errno,
			             .why = "the configuration cannot be read" };
	for (;;) {
		uint8_t *at = buf_reserve(ret, 65536);
		ssize_t n = at == NULL ? -1 : read(fd, at, 65536);
		if (n <= 0) {
			close(fd);
			return n == 0 && ret->len > 0
			               ? OK
			               : fail(ERR_CONFIG, "the configuration cannot be read, is "
			                                  "empty or too large");
		}
		buf_commit(ret, (size_t)n);
	}
}

static struct err
load(struct generation *g, const char *file)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(buf_done) struct buf text = { .limit = CONFIG_BYTES_MAX + 65536 };

	struct err e = read_file(file, &text);
	if (failed(e)) {
		fprintf(stderr, "%s: %s%s%s\n", file, e.why, e.sys != 0 ? ": " : "",
		        e.sys != 0 ? strerrordesc_np(e.sys) : "");
		return e;
	}
	e = config_parse(buf_bytes(&text), file, &g->arena, &g->settings, &errors);
	if (failed(e)) {
		(void)fwrite(errors.text.at, 1, errors.text.len,
		             stderr); /* nowhere else to say it */
		return e;
	}
	return child_memfd("configuration", buf_bytes(&text), &g->config);
}

static bool
is_same_address(const struct address *a, const struct address *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static struct err
share_or_open(const struct address *address, int before, enum listen_use use, int *ret)
{
	if (before < 0)
		return listen_open(address, use, ret);
	*ret = fcntl(before, F_DUPFD_CLOEXEC, 3);
	return *ret >= 0 ? OK
	                 : (struct err){ .kind = ERR_SYSTEM,
		                         .sys = errno,
		                         .why = "no descriptors left" };
}

static void
complain(const struct settings *s, const char *setting, const struct address *address, struct err e)
{
	fprintf(stderr, "%s:%u:%u: %s: %s:%u: %s: %s\n", s->file, address->place.line,
	        address->place.column, setting, address->host, address->port, e.why,
	        e.sys != 0 ? strerrordesc_np(e.sys) : "no such host");
}

/* Sockets that share a port share it with any program of the same user, quietly: first ask for it
 * alone. */
static struct err
check_free(const struct address *address)
{
	int fd;

	TRY(listen_open(address, LISTEN_CHECK, &fd));
	close(fd);
	return OK;
}

static struct err
bind_all(struct generation *g, const struct generation *before)
{
	const struct settings *s = g->settings;
	bool same_http =
		before != NULL && is_same_address(&s->listen.http, &before->settings->listen.http);
	bool same_admin = before != NULL &&
	                  is_same_address(&s->listen.admin, &before->settings->listen.admin);

	struct err e = before == NULL ? check_free(&s->listen.http) : OK;
	for (unsigned i = 0; !failed(e) && i < s->workers; i++)
		e = share_or_open(&s->listen.http, same_http ? before->http[i] : -1, LISTEN_SHARED,
		                  &g->http[i]);
	if (failed(e)) {
		complain(s, "listen.http", &s->listen.http, e);
		return e;
	}
	if (s->listen.admin.port == 0)
		return OK;
	e = share_or_open(&s->listen.admin, same_admin ? before->admin : -1, LISTEN_ALONE,
	                  &g->admin);
	if (failed(e))
		complain(s, "listen.admin", &s->listen.admin, e);
	return e;
}

/* What only a restart can change: the two processes that keep files hold them open. */
static struct err
check_fixed(const struct settings *now, const struct settings *before)
{
	if (strcmp(now->audit.path, before->audit.path) != 0 ||
	    strcmp(now->state_path, before->state_path) != 0 ||
	    now->audit.durability != before->audit.durability ||
	    now->audit.segment_bytes != before->audit.segment_bytes) {
		fprintf(stderr,
		        "%s: audit and state cannot change while the service runs: restart it\n",
		        now->file);
		return fail(ERR_CONFIG, "audit and state cannot change in a reload");
	}
	return OK;
}

struct err
generation_open(const char *file, unsigned number, const struct generation *before,
                struct generation **ret)
{
	struct generation *g = calloc(1, sizeof *g);

	if (g == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	g->number = number;
	g->config = g->admin = -1;
	for (size_t i = 0; i < METRICS_WORKERS_MAX; i++)
		g->http[i] = -1;
	struct err e = load(g, file);
	if (!failed(e))
		g->certificates = certificates_seen(g->settings);
	if (!failed(e) && before != NULL)
		e = check_fixed(g->settings, before->settings);
	if (!failed(e))
		e = bind_all(g, before);
	if (failed(e)) {
		generation_free(g);
		return e;
	}
	*ret = g;
	return OK;
}
