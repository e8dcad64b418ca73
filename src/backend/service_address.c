/* service_address.c - the addresses of a service: each URL names one or, by a name, several. Names
 * are looked up before the sandbox closes, then again and again; the last good addresses stay. */
#include "backend/service_origin.h"

#include <arpa/inet.h>
#include <resolv.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/macros.h"
#include "io/resolve.h"

enum {
	LOOKUP_US = 30000000,
	LOOKUP_SOON_US = 1000000, /* after a connection could not be made, or without any address */
	ADDRESSES_MAX = 64,       /* of one name */
};

/* One URL of the settings. */
struct address_source {
	struct service *service;
	const struct origin_settings *settings;
	struct resolving *resolving; /* NULL: not now */
	uint64_t due_us;
	bool is_name;
	bool is_known;   /* an answer came, ever */
	bool is_missing; /* the last one did not: said once */
};

static bool
has_address(const struct origin *o, const struct sockaddr *address)
{
	const struct sockaddr *own = (const struct sockaddr *)&o->address;

	if (own->sa_family != address->sa_family)
		return false;
	if (own->sa_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)own)->sin6_addr,
		              &((const struct sockaddr_in6 *)address)->sin6_addr,
		              sizeof(struct in6_addr)) == 0;
	return ((const struct sockaddr_in *)own)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)address)->sin_addr.s_addr;
}

static struct origin *
find(const struct address_source *a, const struct sockaddr *address)
{
	for (struct list *at = a->service->origins.next; at != &a->service->origins;
	     at = at->next) {
		struct origin *o = container_of(at, struct origin, node);

		if (o->settings == a->settings && has_address(o, address))
			return o;
	}
	return NULL;
}

static void
mark_all(const struct address_source *a)
{
	for (struct list *at = a->service->origins.next; at != &a->service->origins;
	     at = at->next) {
		struct origin *o = container_of(at, struct origin, node);

		if (o->settings == a->settings)
			o->is_gone = true;
	}
}

/* An address that is new takes part, one that is no longer named finishes what it has. */
static void
take_answer(struct address_source *a, const struct addrinfo *addresses)
{
	unsigned count = 0;

	mark_all(a);
	for (const struct addrinfo *at = addresses; at != NULL && count < ADDRESSES_MAX;
	     at = at->ai_next) {
		if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
			continue;
		struct origin *o = find(a, at->ai_addr);
		/* Without memory it is found at the next look-up. */
		if (o == NULL)
			(void)origin_add(a->service, a->settings, at->ai_addr);
		else
			o->is_gone = false;
		count++;
	}
	a->is_known |= count > 0;
	service_wake(a->service);
}

static void
tell_missing(struct address_source *a, bool is_missing)
{
	if (a->is_missing == is_missing)
		return;
	a->is_missing = is_missing;
	LOG(is_missing ? LOG_WARN : LOG_INFO,
	    is_missing ? "the name of a service cannot be looked up"
	               : "the name of a service can be looked up again",
	    { "backend", bytes_text(a->service->name) }, { "host", bytes_text(a->settings->host) });
}

static void
on_resolved(void *of, struct err e, const struct addrinfo *addresses)
{
	struct address_source *a = of;

	a->resolving = NULL;
	tell_missing(a, failed(e) || addresses == NULL);
	if (!a->is_missing)
		take_answer(a, addresses);
	a->due_us = clock_monotonic_us() + (a->is_known ? LOOKUP_US : LOOKUP_SOON_US);
}

void
addresses_tick(struct service *s, uint64_t now_us)
{
	for (size_t i = 0; i < s->settings->origin_count; i++) {
		struct address_source *a = &s->sources[i];

		if (!a->is_name || a->resolving != NULL || now_us < a->due_us)
			continue;
		struct err e =
			resolve_start(s->loop, a->settings->host, on_resolved, a, &a->resolving);
		if (failed(e))
			a->due_us = now_us + LOOKUP_SOON_US;
	}
}

void
addresses_doubt(struct service *s, const struct origin_settings *of)
{
	struct address_source *a = &s->sources[of - s->settings->origins];
	uint64_t soon = clock_monotonic_us() + LOOKUP_SOON_US;

	if (a->due_us > soon)
		a->due_us = soon;
}

/* Nobody is served meanwhile: a name server that is away must not hold up the start. */
static int
look_up_quickly(const char *host, struct addrinfo **ret)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	if (res_init() == 0)
		_res.retrans = _res.retry = 1;
	return getaddrinfo(host, NULL, &hints, ret);
}

/* Before the sandbox, so that the first request finds an address. No answer now is no error. */
static struct err
open_source(struct address_source *a)
{
	struct addrinfo *found = NULL;
	struct sockaddr_storage literal;
	struct sockaddr *address = (struct sockaddr *)&literal;

	if (uv_ip4_addr(a->settings->host, 0, (struct sockaddr_in *)address) == 0 ||
	    uv_ip6_addr(a->settings->host, 0, (struct sockaddr_in6 *)address) == 0)
		return origin_add(a->service, a->settings, address);
	a->is_name = true;
	int status = look_up_quickly(a->settings->host, &found);
	on_resolved(a, status == 0 ? OK : fail(ERR_UPSTREAM, "no address"), found);
	if (found != NULL)
		freeaddrinfo(found);
	return OK;
}

struct err
addresses_open(struct service *s)
{
	size_t count = s->settings->origin_count;

	s->sources = calloc(count + 1, sizeof *s->sources);
	if (s->sources == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		s->sources[i] = (struct address_source){ .service = s,
			                                 .settings = &s->settings->origins[i] };
		TRY(open_source(&s->sources[i]));
	}
	return OK;
}

void
addresses_close(struct service *s)
{
	for (size_t i = 0; s->sources != NULL && i < s->settings->origin_count; i++)
		resolve_cancel(s->sources[i].resolving);
	free(s->sources);
	s->sources = NULL;
}
