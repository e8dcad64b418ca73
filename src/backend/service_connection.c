/* service_connection.c - a connection to an origin: made, kept for the next exchange, closed. What
 * is spoken on it is service_http1.c's. */
#include "backend/service_connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "http/http2.h"

static struct service_connection *
of_stream(struct stream *s)
{
	return container_of(s, struct service_connection, stream);
}

/* ---- closing ---- */

static void
on_closed(struct stream *s)
{
	struct service_connection *c = of_stream(s);
	struct service *service = c->service;

	list_remove(&c->flush.node);
	buf_done(&c->in);
	buf_done(&c->out);
	http2_free(c->http2);
	free(c);
	service_release(service);
}

void
connection_end(struct service_connection *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	c->origin->opening -= c->ops == NULL;
	list_remove(&c->node);
	list_remove(&c->ready);
	list_remove(&c->flush.node);
	deadline_stop(&c->deadline);
	c->origin->connection_count--;
	if (!c->service->is_closed)
		service_wake(c->service);
	stream_close(&c->stream);
}

/* Whom it was being made for looks elsewhere. */
static void
look_elsewhere(struct service_connection *c, struct err e)
{
	struct exchange *x = c->exchange;
	struct origin *o = c->origin;

	connection_end(c);
	if (x == NULL)
		return;
	c->exchange = NULL;
	exchange_detach(x);
	exchange_lost(x, o, LOSS_UNOPENED, e);
}

static void
unopened(struct service_connection *c, struct err e)
{
	origin_failed(c->origin, e.why);
	addresses_doubt(c->service, c->origin->settings);
	look_elsewhere(c, e);
}

void
connection_lost(struct service_connection *c, struct err e)
{
	if (c->is_closed)
		return;
	if (c->ops == NULL)
		unopened(c, e);
	else
		c->ops->lost(c, e);
}

/* ---- what the stream tells ---- */

/* What TLS agreed on; without TLS what the operator said (RFC 9113 section 3.3). */
static struct err
choose_protocol(struct service_connection *c)
{
	const struct tls_peer *peer = stream_peer(&c->stream);
	enum service_protocol wanted = c->service->settings->protocol;
	bool is_http2 = peer != NULL ? strcmp(peer->alpn, "h2") == 0 : wanted == SERVICE_HTTP2;

	if (wanted == SERVICE_HTTP2 && !is_http2)
		return upstream_error(502, "the service does not agree to HTTP/2");
	if (is_http2)
		TRY(http2_connection_start(c));
	else
		c->ops = &http1_connection;
	c->origin->opening--;
	if (!c->is_for_upgrade)
		c->origin->speaks = is_http2 ? SPEAKS_HTTP2 : SPEAKS_HTTP1;
	return OK;
}

static void
on_ready(struct stream *s)
{
	struct service_connection *c = of_stream(s);
	struct exchange *x = c->exchange;
	struct err e = choose_protocol(c);

	if (failed(e)) {
		unopened(c, upstream_error(502, e.why));
		return;
	}
	deadline_stop(&c->deadline);
	c->exchange = NULL;
	stream_read(s, true);
	/* Others may have waited to hear what it speaks. */
	if (!list_is_empty(&c->service->waiting))
		service_wake(c->service);
	c->ops->begin(c, x);
}

static void
on_data(struct stream *s, struct bytes data)
{
	struct service_connection *c = of_stream(s);

	if (!c->is_closed && c->ops != NULL)
		c->ops->data(c, data);
}

static void
on_end(struct stream *s)
{
	struct service_connection *c = of_stream(s);

	if (c->is_closed)
		return;
	if (c->ops != NULL)
		c->ops->end(c);
	else
		unopened(c, upstream_error(503, "the service closed a new connection"));
}

/* The stream knows more: what was wrong with TLS, say. */
static const char *
fault(struct stream *s, const char *otherwise)
{
	const char *why = stream_fault(s);

	return why != NULL ? why : otherwise;
}

static void
on_broken(struct stream *s)
{
	struct service_connection *c = of_stream(s);
	bool is_new = c->ops == NULL;

	/* A service that fails TLS is there, but must not be spoken to. */
	connection_lost(c, upstream_error(is_new && s->tls == NULL ? 503 : 502,
	                                  fault(s, "the connection to the service broke")));
}

static void
on_drained(struct stream *s)
{
	struct service_connection *c = of_stream(s);

	if (!c->is_closed && c->ops != NULL)
		c->ops->drained(c);
}

static const struct stream_ops stream_ops = {
	.data = on_data,
	.end = on_end,
	.broken = on_broken,
	.drained = on_drained,
	.closed = on_closed,
	.ready = on_ready,
};

/* ---- making ---- */

static void
on_flush(struct deferred *d)
{
	struct service_connection *c = container_of(d, struct service_connection, flush);

	if (!c->is_closed && c->ops != NULL)
		c->ops->flush(c);
}

void
connection_wake(struct service_connection *c)
{
	loop_defer(c->service->loop, &c->flush);
}

static struct err
connect_to(struct service_connection *c, const struct exchange *x)
{
	const struct service *s = c->service;
	const struct origin *o = c->origin;
	const char *name = s->settings->server_name;

	TRY(stream_connect(&c->stream, s->loop, (const struct sockaddr *)&o->address, &stream_ops));
	if (!o->settings->is_tls)
		return OK;
	c->is_for_upgrade = x->upgrade.len > 0;
	return stream_secure(&c->stream, c->is_for_upgrade ? s->tls_http1 : s->tls,
	                     name != NULL ? name : o->settings->host);
}

/* There is nothing left here to make a connection of, which says nothing of the origin. */
static bool
is_shortage(struct err e)
{
	return e.sys == EMFILE || e.sys == ENFILE || e.sys == ENOMEM || e.sys == ENOBUFS ||
	       e.sys == EADDRNOTAVAIL;
}

void
connection_dial(struct origin *o, struct exchange *x)
{
	struct service *s = o->service;
	struct service_connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		exchange_fail(x, fail(ERR_SYSTEM, "out of memory"));
		return;
	}
	c->service = s;
	c->origin = o;
	c->flush.run = on_flush;
	c->exchange = x;
	exchange_attach(x, c);
	list_append(&o->connections, &c->node);
	o->connection_count++;
	o->opening++;
	s->handles++;
	s->stats.opened++;
	deadline_start(&s->connecting, &c->deadline, clock_monotonic_us());
	struct err e = connect_to(c, x);
	if (!failed(e))
		return;
	struct err away = upstream_error(503, e.why);
	if (!is_shortage(e)) {
		unopened(c, away);
		return;
	}
	away.sys = e.sys;
	look_elsewhere(c, away);
}

/* ---- the pool ---- */

/* The one used last comes first: those behind it end by themselves when they are not needed. */
void
connection_ready(struct service_connection *c)
{
	list_remove(&c->ready);
	list_append(c->origin->ready.next, &c->ready);
	if (!list_is_empty(&c->service->waiting))
		service_wake(c->service);
}

void
connection_busy(struct service_connection *c)
{
	list_remove(&c->ready);
	deadline_stop(&c->deadline);
}

static int
fd_of(const struct service_connection *c)
{
	uv_os_fd_t fd;

	return uv_fileno((const uv_handle_t *)&c->stream.tcp, &fd) == 0 ? fd : -1;
}

void
connections_look(struct origin *o, size_t count)
{
	struct pollfd polls[SERVICE_LOOK_MAX] __attribute__((uninitialized));
	size_t found = 0;

	for (struct list *at = o->ready.next; at != &o->ready && found < count; at = at->next)
		polls[found++] = (struct pollfd){
			.fd = fd_of(container_of(at, struct service_connection, ready)),
			.events = POLLIN | POLLRDHUP,
		};
	/* Where this fails, each is looked at by itself. */
	if (found < 2 || poll(polls, found, 0) < 0)
		return;
	struct list *at = o->ready.next;
	for (size_t i = 0; i < found; i++, at = at->next)
		if (polls[i].fd >= 0 && polls[i].revents == 0)
			container_of(at, struct service_connection, ready)->silent_in =
				o->service->turns;
}

/* An idle connection whose peer has closed it, or said something unasked, serves no more: the loop
 * may not have come to it yet. */
static bool
is_quiet(struct service_connection *c)
{
	int fd = fd_of(c);
	uint8_t byte;

	if (c->silent_in == c->service->turns)
		return true;
	if (fd < 0)
		return false;
	ssize_t len = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	/* Of HTTP/2 it may be a PING. */
	return len < 0 ? errno == EAGAIN : len > 0 && c->http2 != NULL;
}

void
connection_idle(struct service_connection *c)
{
	deadline_start(&c->service->idle, &c->deadline, loop_now_us(c->service->loop));
}

/* A connection for it that was not used before is asked for where one was lost. Of HTTP/2 the
 * engine knows what was lost. */
static bool
suits(struct service_connection *c, const struct exchange *x)
{
	return is_quiet(c) && (c->http2 != NULL || !x->needs_fresh);
}

struct service_connection *
connection_take(struct origin *o, struct exchange *x)
{
	struct list *at = o->ready.next;

	while (at != &o->ready) {
		struct service_connection *c = container_of(at, struct service_connection, ready);

		at = at->next;
		if (x->upgrade.len > 0 && c->http2 != NULL)
			continue;
		if (suits(c, x)) {
			o->service->stats.reused++;
			exchange_attach(x, c);
			c->ops->begin(c, x);
			return c;
		}
		/* One that carries others is told by the loop that it is lost. */
		if (c->http2 == NULL)
			connection_end(c);
		else
			connection_busy(c);
	}
	return NULL;
}

void
service_connections_tick(struct service *s, uint64_t now_us)
{
	struct deadline *d;

	while ((d = deadline_next(&s->connecting, now_us)) != NULL)
		unopened(container_of(d, struct service_connection, deadline),
		         upstream_error(504, "the connection to the service was not made in time"));
	while ((d = deadline_next(&s->idle, now_us)) != NULL)
		connection_end(container_of(d, struct service_connection, deadline));
}
