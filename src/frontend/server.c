/* server.c - see server.h. */
#include "frontend/server.h"

#include "base/macros.h"
#include "frontend/connection.h"
#include "frontend/endpoint.h"
#include "frontend/peers.h"

enum { TICK_MS = 250, LINGER_MS = 2000 };

/* The admin listener's own connections would hide those that matter. */
static void
count_open(const struct server *s)
{
	if (s->endpoints == data_endpoints)
		counter_set(&s->gate->counters->connections_open, s->connection_count);
}

/* Once, however often a drain is asked for. */
static void
tell_drained(struct server *s)
{
	void (*drained)(struct server *) = s->drained;

	if (!s->is_draining || s->connection_count > 0 || drained == NULL)
		return;
	s->drained = NULL;
	drained(s);
}

bool
server_enter(struct server *s, struct list *node, const char *address)
{
	const struct limit_settings *limits = &s->gate->settings->limits;

	list_append(&s->connections, node);
	s->connection_count++;
	counter_add(&s->gate->counters->connections, 1);
	count_open(s);
	/* In this order: the table of addresses has room for the connections that are allowed. */
	if (s->connection_count <= limits->connections &&
	    peers_add(s->peers, bytes_text(address), limits->connections_per_address))
		return true;
	counter_add(&s->gate->counters->connections_refused, 1);
	return false;
}

void
server_leave(struct server *s, struct list *node, const char *address)
{
	list_remove(node);
	s->connection_count--;
	count_open(s);
	peers_remove(s->peers, bytes_text(address));
	tell_drained(s);
}

void
server_adopt(struct server *s, int fd)
{
	connection_begin(s, fd);
}

static void
on_accepted(struct listener *l, int fd)
{
	server_adopt(container_of(l, struct server, listener), fd);
}

static void
on_tick(uv_timer_t *timer)
{
	struct server *s = container_of(timer, struct server, timer);

	gate_count(s->gate);
	connections_tick(s, clock_monotonic_us());
}

struct err
server_init(struct server *s, struct gate *gate, const struct endpoint *endpoints,
            struct tls_context *tls)
{
	const struct limit_settings *limits = &gate->settings->limits;

	*s = (struct server){ .gate = gate, .endpoints = endpoints, .tls = tls };
	list_init(&s->connections);
	deadline_list_init(&s->head, limits->head_timeout_ms);
	deadline_list_init(&s->idle, limits->idle_timeout_ms);
	deadline_list_init(&s->body, 1000);
	deadline_list_init(&s->work, (uint64_t)limits->write_timeout_ms * 4);
	deadline_list_init(&s->write, limits->write_timeout_ms);
	deadline_list_init(&s->stream, limits->stream_idle_ms);
	deadline_list_init(&s->linger, LINGER_MS);
	TRY(peers_new(limits->connections + 1, &s->peers));

	int status = uv_timer_init(&gate->loop->uv, &s->timer);
	if (status == 0)
		status = uv_timer_start(&s->timer, on_tick, TICK_MS, TICK_MS);
	return status == 0 ? OK : loop_err(status, "no timer");
}

struct err
server_accept(struct server *s, int fd)
{
	TRY(listener_start(&s->listener, s->gate->loop, fd, on_accepted));
	s->is_listening = true;
	return OK;
}

void
server_drain(struct server *s, void (*take)(struct server *s, int fd))
{
	struct list *next;

	s->is_draining = true;
	if (s->is_listening)
		listener_stop(&s->listener);
	s->is_listening = false;
	for (struct list *node = s->connections.next; node != &s->connections; node = next) {
		next = node->next;
		connection_drain(node, take);
	}
	tell_drained(s);
}
