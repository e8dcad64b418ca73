/* service.c - see service.h: the service, its turn and its clock. */
#include "backend/service_connection.h"

#include <stdlib.h>

#include "base/macros.h"
#include "http/http2.h"

enum { TICK_MS = 100 };

static void service_turn(struct deferred *d);

/* ---- placing exchanges ---- */

/* One that lost it before is better than none. */
static struct origin *
choose(struct service *s, const struct exchange *x, enum origin_lack *ret)
{
	bool is_upgrade = x->upgrade.len > 0;
	struct origin *o = origin_choose(s, x->refused | x->lost, is_upgrade, ret);

	if (o == NULL && *ret == ORIGIN_NONE_LEFT)
		o = origin_choose(s, x->refused, is_upgrade, ret);
	return o;
}

/* An upgrade for which there is no connection must not hold up those behind it, which one of HTTP/2
 * carries. */
static bool
may_wait(const struct service *s, const struct exchange *x, enum origin_lack lack)
{
	return lack == ORIGIN_NONE_FREE && (x->upgrade.len == 0 || s->tls_http1 == NULL);
}

static struct err
refusal(const struct exchange *x, enum origin_lack lack)
{
	if (failed(x->why))
		return x->why;
	return upstream_error(503, lack == ORIGIN_NONE_FREE ? "no connection to the service is free"
	                                                    : "no origin of the service is up");
}

/* Gives it a connection. False: it has to wait. */
static bool
place(struct service *s, struct exchange *x)
{
	enum origin_lack lack = ORIGIN_NONE_UP;
	struct origin *o = x->pinned != NULL ? x->pinned : choose(s, x, &lack);

	if (o == NULL && may_wait(s, x, lack))
		return false;
	if (o == NULL) {
		s->stats.refused++;
		exchange_fail(x, refusal(x, lack));
	} else if (connection_take(o, x) == NULL) {
		connection_dial(o, x);
	}
	return true;
}

/* In front of `at`. */
static void
wait_in(struct service *s, struct list *at, struct exchange *x)
{
	list_append(at, &x->node);
	x->is_waiting = true;
	s->stats.waiting++;
}

void
service_stop_waiting(struct exchange *x)
{
	list_remove(&x->node);
	if (x->is_waiting)
		x->service->stats.waiting--;
	x->is_waiting = false;
}

/* Beside the queue there is room for those that the HTTP/2 connections being made will carry. */
bool
service_is_full(const struct service *s)
{
	size_t room = s->settings->queue;

	if (s->stats.waiting < room)
		return false;
	for (struct list *at = s->origins.next; at != &s->origins; at = at->next) {
		const struct origin *o = container_of(at, struct origin, node);

		if (o->speaks != SPEAKS_HTTP1)
			room += (size_t)o->opening * HTTP2_STREAMS_MAX;
	}
	return s->stats.waiting >= room;
}

static void
queue(struct service *s, struct exchange *x)
{
	if (service_is_full(s)) {
		s->stats.refused++;
		exchange_fail(x, upstream_error(503, "no connection to the service is free"));
		return;
	}
	wait_in(s, &s->waiting, x);
}

static struct exchange *
first_of(struct list *l)
{
	return container_of(l->next, struct exchange, node);
}

/* Each origin will get its share of the new ones. */
static void
look(struct service *s)
{
	size_t count = 0, origins = 0;

	for (struct list *at = s->started.next; at != &s->started && count < SERVICE_LOOK_MAX;
	     at = at->next)
		count++;
	for (struct list *at = s->origins.next; at != &s->origins; at = at->next)
		origins++;
	for (struct list *at = s->origins.next; at != &s->origins && count > 1; at = at->next)
		connections_look(container_of(at, struct origin, node),
		                 (count + origins - 1) / origins);
}

/* Those that waited longest first; then the new ones, in their order. */
static void
place_all(struct service *s)
{
	s->turns++;
	look(s);
	while (!list_is_empty(&s->waiting)) {
		struct exchange *x = first_of(&s->waiting);

		service_stop_waiting(x);
		if (!place(s, x)) {
			wait_in(s, s->waiting.next, x);
			break;
		}
	}
	while (!list_is_empty(&s->started)) {
		struct exchange *x = first_of(&s->started);

		list_remove(&x->node);
		bool is_next = list_is_empty(&s->waiting) || x->pinned != NULL;
		if (!is_next || !place(s, x))
			queue(s, x);
	}
}

static void
free_ended(struct service *s)
{
	while (!list_is_empty(&s->ended)) {
		struct exchange *x = first_of(&s->ended);

		list_remove(&x->node);
		exchange_free(x);
	}
}

static void
service_turn(struct deferred *d)
{
	struct service *s = container_of(d, struct service, turn);

	if (!s->is_closed)
		place_all(s);
	free_ended(s);
}

void
service_wake(struct service *s)
{
	loop_defer(s->loop, &s->turn);
}

/* ---- time ---- */

static void
expire(struct service *s, struct exchange *x)
{
	if (x->connection == NULL) {
		/* No connection was free, or could be made. */
		service_stop_waiting(x);
		s->stats.refused++;
		exchange_fail(x, upstream_error(503, "no connection to the service became free"));
		return;
	}
	if (exchange_waits_to_continue(x)) {
		exchange_continue(x);
		return;
	}
	struct err e = upstream_error(504, "the service did not answer in time");
	struct service_connection *c = x->connection;
	/* HTTP/2: is it this stream alone, or did the peer vanish? */
	bool is_silent = c->http2 != NULL && c->heard_us < x->began_us;

	origin_failed(x->origin, e.why);
	c->ops->leave(c, x);
	exchange_detach(x);
	exchange_fail(x, e);
	if (is_silent)
		connection_doubt(c);
}

static void
check_exchanges(struct service *s, uint64_t now)
{
	struct list late;

	/* Told from a list of their own: a callback may end any other. */
	list_init(&late);
	for (struct list *at = s->timed.next, *next; at != &s->timed; at = next) {
		struct exchange *x = container_of(at, struct exchange, timed);

		next = at->next;
		if (x->deadline_us > now)
			continue;
		list_remove(at);
		list_append(&late, at);
	}
	while (!list_is_empty(&late)) {
		struct exchange *x = container_of(late.next, struct exchange, timed);

		list_remove(&x->timed);
		expire(s, x);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	struct service *s = container_of(timer, struct service, timer);
	uint64_t now = clock_monotonic_us();

	service_connections_tick(s, now);
	check_exchanges(s, now);
	addresses_tick(s, now);
	origins_tick(s, now);
	if (!list_is_empty(&s->waiting))
		service_wake(s);
}

/* ---- life ---- */

static struct err
start_timer(struct service *s)
{
	int status = uv_timer_init(&s->loop->uv, &s->timer);

	s->handles = 1;
	if (status == 0)
		status = uv_timer_start(&s->timer, on_tick, TICK_MS, TICK_MS);
	return status == 0 ? OK : loop_err(status, "no timer");
}

struct err
service_open(const struct settings *settings, unsigned backend, struct loop *loop,
             struct arena *arena, struct service **ret)
{
	struct service *s = calloc(1, sizeof *s);

	(void)arena;
	if (s == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	s->loop = loop;
	s->settings = &settings->backends[backend].service;
	s->name = settings->backends[backend].name;
	s->turn.run = service_turn;
	list_init(&s->origins);
	list_init(&s->started);
	list_init(&s->waiting);
	list_init(&s->timed);
	list_init(&s->ended);
	list_init(&s->spare);
	deadline_list_init(&s->connecting, s->settings->connect_timeout_ms);
	deadline_list_init(&s->idle, s->settings->idle_timeout_ms);
	struct err e = start_timer(s);
	if (!failed(e))
		e = service_open_tls(s);
	if (!failed(e))
		e = addresses_open(s);
	if (failed(e)) {
		service_close(s);
		return e;
	}
	*ret = s;
	return OK;
}

void
service_release(struct service *s)
{
	if (--s->handles > 0)
		return;
	tls_context_free(s->tls);
	tls_context_free(s->tls_http1);
	buf_done(&s->lines);
	free(s);
}

static void
on_timer_closed(uv_handle_t *timer)
{
	service_release(container_of((uv_timer_t *)timer, struct service, timer));
}

static void
free_list(struct list *l)
{
	while (!list_is_empty(l)) {
		struct exchange *x = first_of(l);

		list_remove(&x->node);
		buf_done(&x->text);
		buf_done(&x->body);
		buf_done(&x->trailers);
		buf_done(&x->got_trailers);
		free(x);
	}
}

void
service_close(struct service *s)
{
	if (s == NULL)
		return;
	s->is_closed = true;
	addresses_close(s);
	origins_close(s);
	list_remove(&s->turn.node);
	free_list(&s->ended);
	free_list(&s->spare);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* ---- what others ask ---- */

static bool
is_well(const struct origin *o, uint64_t now)
{
	return o->is_up && o->open_until_us <= now;
}

bool
service_is_up(const struct service *s, const char **ret_why)
{
	uint64_t now = clock_monotonic_us();
	bool is_up = false;

	*ret_why = list_is_empty(&s->origins) ? "its name cannot be looked up" : NULL;
	for (struct list *at = s->origins.next; at != &s->origins; at = at->next) {
		const struct origin *o = container_of(at, struct origin, node);

		if (o->is_gone)
			continue;
		is_up |= is_well(o, now);
		if (!is_well(o, now))
			*ret_why = o->why;
	}
	return is_up;
}

struct service_stats
service_stats(const struct service *s)
{
	struct service_stats ret = s->stats;
	uint64_t now = clock_monotonic_us();

	for (struct list *at = s->origins.next; at != &s->origins; at = at->next) {
		const struct origin *o = container_of(at, struct origin, node);

		ret.origins += !o->is_gone;
		ret.origins_up += !o->is_gone && is_well(o, now);
		ret.connections += o->connection_count;
		ret.exchanges += o->exchange_count;
		for (struct list *c = o->ready.next; c != &o->ready; c = c->next)
			ret.idle++;
	}
	return ret;
}

unsigned
service_retry_s(const struct service *s)
{
	uint64_t now = clock_monotonic_us(), soonest = UINT64_MAX;

	for (struct list *at = s->origins.next; at != &s->origins; at = at->next) {
		const struct origin *o = container_of(at, struct origin, node);
		uint64_t left = o->open_until_us > now ? o->open_until_us - now : 0;

		if (o->is_up && left < soonest)
			soonest = left;
	}
	return soonest == UINT64_MAX ? 5 : 1 + (unsigned)(soonest / 1000000);
}
