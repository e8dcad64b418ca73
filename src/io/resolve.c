/* resolve.c - see resolve.h. */
#include "io/resolve.h"

#include <nss.h>
#include <stdlib.h>

#include "base/macros.h"

struct resolving {
	uv_getaddrinfo_t request;
	resolved_fn *resolved; /* NULL: nobody waits any more */
	void *of;
};

const char *const resolve_files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
	                              "/etc/gai.conf", NULL };

void
resolve_init(void)
{
	(void)__nss_configure_lookup("hosts", "files dns"); /* both are always there */
}

static void
on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct resolving *r = container_of(request, struct resolving, request);

	if (r->resolved != NULL)
		r->resolved(r->of,
		            status == 0 ? OK
		                        : fail(ERR_UPSTREAM, "the host's name cannot be resolved"),
		            addresses);
	uv_freeaddrinfo(addresses);
	free(r);
}

struct err
resolve_start(struct loop *loop, const char *host, resolved_fn *resolved, void *of,
              struct resolving **ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct resolving *r = calloc(1, sizeof *r);

	if (r == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	r->resolved = resolved;
	r->of = of;
	int status = uv_getaddrinfo(&loop->uv, &r->request, on_resolved, host, NULL, &hints);
	if (status != 0) {
		free(r);
		return loop_err(status, "a name cannot be resolved");
	}
	*ret = r;
	return OK;
}

void
resolve_cancel(struct resolving *r)
{
	if (r == NULL)
		return;
	r->resolved = NULL;
	/* One that is under way goes on; its thread cannot be stopped. */
	(void)uv_cancel((uv_req_t *)&r->request);
}
