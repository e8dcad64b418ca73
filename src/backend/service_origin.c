/* service_origin.c - one address of a service: whether it may be asked, and what it met. */
#include "backend/service_connection.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/macros.h"

enum { SHUN_US = 1000000, LOG_US = 1000000 };

/* ---- addresses ---- */

static void
write_host(struct origin *o)
{
	const struct origin_settings *own = o->settings;
	struct buf out = { .at = (uint8_t *)o->host,
		           .room = sizeof o->host,
		           .limit = sizeof o->host - 1 };
	bool is_six = strchr(own->host, ':') != NULL;

	buf_printf(&out, is_six ? "[%s]" : "%s", own->host);
	if (own->port != (own->is_tls ? 443 : 80))
		buf_printf(&out, ":%u", (unsigned)own->port);
	o->host[out.len] = '\0';
}

static void
write_name(struct origin *o)
{
	struct buf out = { .at = (uint8_t *)o->name,
		           .room = sizeof o->name,
		           .limit = sizeof o->name - 1 };
	char address[INET6_ADDRSTRLEN] = "?";

	(void)uv_ip_name((const struct sockaddr *)&o->address, address, sizeof address);
	buf_printf(&out, o->address.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
	           (unsigned)o->settings->port);
	o->name[out.len] = '\0';
}

static enum speaks
speaks_at_first(const struct service *s, const struct origin_settings *own)
{
	switch (s->settings->protocol) {
	case SERVICE_HTTP1:
		return SPEAKS_HTTP1;
	case SERVICE_HTTP2:
		return SPEAKS_HTTP2;
	case SERVICE_AUTO:
		return own->is_tls ? SPEAKS_UNKNOWN : SPEAKS_HTTP1;
	}
	return SPEAKS_HTTP1;
}

static void
set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

struct err
origin_add(struct service *s, const struct origin_settings *own, const struct sockaddr *address)
{
	struct origin *o = calloc(1, sizeof *o);

	if (o == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	o->service = s;
	o->settings = own;
	o->is_up = true;
	o->speaks = speaks_at_first(s, own);
	o->bit = (uint64_t)1 << (s->origin_count++ % 64);
	memcpy(&o->address, address,
	       address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
	                                      : sizeof(struct sockaddr_in));
	set_port(&o->address, own->port);
	list_init(&o->connections);
	list_init(&o->ready);
	list_append(&s->origins, &o->node);
	write_name(o);
	write_host(o);
	return OK;
}

static void
origin_free(struct origin *o)
{
	probe_stop(o);
	while (!list_is_empty(&o->connections))
		connection_end(container_of(o->connections.next, struct service_connection, node));
	list_remove(&o->node);
	free(o);
}

void
origins_close(struct service *s)
{
	while (!list_is_empty(&s->origins))
		origin_free(container_of(s->origins.next, struct origin, node));
}

/* One that its name no longer means is kept while it has something to do. */
void
origins_tick(struct service *s, uint64_t now_us)
{
	struct list *at = s->origins.next;

	while (at != &s->origins) {
		struct origin *o = container_of(at, struct origin, node);

		at = at->next;
		if (o->is_gone && o->exchange_count == 0)
			origin_free(o);
		else
			probe_tick(o, now_us);
	}
}

/* ---- choice ---- */

static bool
breaker_is_open(const struct origin *o)
{
	unsigned limit = o->service->settings->breaker.failures;

	return limit > 0 && o->failures >= limit;
}

bool
origin_is_usable(const struct origin *o, uint64_t now_us)
{
	if (!o->is_up || o->is_gone)
		return false;
	return !breaker_is_open(o) || o->open_until_us <= now_us;
}

/* Where HTTP/2 is spoken, or may be, the connection that is being made is waited for: it will carry
 * them all; but an upgrade, which needs one of HTTP/1.1 for itself. */
static bool
has_room(const struct origin *o, bool is_upgrade)
{
	bool needs_own = is_upgrade && o->speaks == SPEAKS_HTTP2;

	if (!needs_own && !list_is_empty(&o->ready))
		return true;
	return o->connection_count < o->service->settings->connections &&
	       (o->opening == 0 || needs_own || o->speaks == SPEAKS_HTTP1);
}

/* Is `a` better than `b`? One that failed a moment ago is asked when there is no other. */
static bool
is_better(const struct origin *a, const struct origin *b, uint64_t now)
{
	bool a_shunned = a->shun_until_us > now, b_shunned = b->shun_until_us > now;

	if (a_shunned != b_shunned)
		return b_shunned;
	return a->exchange_count < b->exchange_count;
}

/* The chosen one goes to the end of the list: among equals each has its turn. */
struct origin *
origin_choose(struct service *s, uint64_t avoid, bool is_upgrade, enum origin_lack *ret)
{
	uint64_t now = loop_now_us(s->loop);
	struct origin *best = NULL;

	*ret = ORIGIN_NONE_UP;
	for (struct list *at = s->origins.next; at != &s->origins; at = at->next) {
		struct origin *o = container_of(at, struct origin, node);

		if (!origin_is_usable(o, now))
			continue;
		if (avoid & o->bit) {
			if (*ret == ORIGIN_NONE_UP)
				*ret = ORIGIN_NONE_LEFT;
		} else if (!has_room(o, is_upgrade)) {
			*ret = ORIGIN_NONE_FREE;
		} else if (best == NULL || is_better(o, best, now)) {
			best = o;
		}
	}
	if (best != NULL) {
		list_remove(&best->node);
		list_append(&s->origins, &best->node);
	}
	return best;
}

/* ---- what it met ---- */

static void
stay_open(struct origin *o, uint64_t now_us)
{
	o->open_until_us = now_us + (uint64_t)o->service->settings->breaker.open_ms * 1000;
}

/* The others wait for a trial no longer than for the first one: its caller may be slow. */
bool
origin_enter(struct origin *o)
{
	uint64_t now = clock_monotonic_us();
	bool is_trial = breaker_is_open(o) && o->open_until_us <= now;

	o->exchange_count++;
	if (is_trial) {
		o->is_tried = true;
		stay_open(o, now);
	}
	return is_trial;
}

/* A trial without an outcome leaves the question to the next one. */
void
origin_leave(struct origin *o, bool was_trial)
{
	o->exchange_count--;
	if (!was_trial || !o->is_tried)
		return;
	o->is_tried = false;
	o->open_until_us = 0;
}

void
origin_answered(struct origin *o)
{
	if (o->why != NULL)
		LOG(LOG_INFO, "an origin of a service answers again",
		    { "backend", bytes_text(o->service->name) }, { "origin", bytes_text(o->name) });
	o->why = NULL;
	o->failures = 0;
	o->open_until_us = o->shun_until_us = 0;
	o->is_tried = false;
}

void
origin_failed(struct origin *o, const char *why)
{
	uint64_t now = clock_monotonic_us();
	bool was_open = breaker_is_open(o);

	o->service->stats.failed++;
	if ((o->why == NULL || strcmp(o->why, why) != 0) && now - o->logged_us > LOG_US) {
		o->logged_us = now;
		LOG(LOG_WARN, "an origin of a service failed",
		    { "backend", bytes_text(o->service->name) }, { "origin", bytes_text(o->name) },
		    { "why", bytes_text(why) });
	}
	o->why = why;
	o->failures++;
	o->shun_until_us = now + SHUN_US;
	if (breaker_is_open(o) && (!was_open || o->is_tried)) {
		stay_open(o, now);
		if (!was_open) /* a trial or a probe that fails like those before is no news */
			LOG(LOG_WARN, "the circuit breaker of an origin opens",
			    { "backend", bytes_text(o->service->name) },
			    { "origin", bytes_text(o->name) });
	}
	o->is_tried = false;
}
