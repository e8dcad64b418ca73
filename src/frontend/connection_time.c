/* connection_time.c - how long a connection may do what it is doing. It is on exactly one deadline
 * list, and that list is what it is doing: reading a head, idle, reading a body, working, waiting
 * for a service, writing, lingering before close. */
#include "base/macros.h"
#include "frontend/connection_parts.h"
#include "frontend/http2_connection.h"
#include "frontend/request.h"

void
http1_watch(struct connection *c)
{
	struct server *s = c->carrier.server;
	const struct request *r = c->carrier.request;
	bool is_proxied = r->endpoint != NULL && r->endpoint->streams;
	uint64_t now = loop_now_us(c->stream.loop);

	if (c->stream.unsent > 0)
		deadline_start(&s->write, &c->deadline, now);
	else if (request_wants_body(r) || (c->is_streaming && !r->reply.is_tunnel))
		deadline_start(&s->body, &c->deadline, now);
	else if (!is_proxied)
		deadline_start(&s->work, &c->deadline, now);
	else
		deadline_start(&s->stream, &c->deadline, now);
}

static struct connection *
ended(struct deadline_list *l, uint64_t now)
{
	struct deadline *d = deadline_next(l, now);

	return d == NULL ? NULL : container_of(d, struct connection, deadline);
}

static void
head_is_late(struct connection *c)
{
	if (http1_in_handshake(c))
		counter_add(&c->carrier.server->gate->counters->tls_failures, 1);
	if (c->http2 != NULL || http1_in_handshake(c))
		http1_close(c);
	else
		http1_refuse(c, (struct err){ .kind = ERR_PEER,
		                              .code = 408,
		                              .why = "the request head came too slowly" });
}

/* A peer of HTTP/2 is told, and given a moment to hear it. */
static void
idle_is_over(struct connection *c)
{
	if (c->http2 == NULL) {
		http1_close(c);
		return;
	}
	http2_connection_drain(c->http2);
}

/* Nothing has come from the service for too long. Until it begins to answer its own limits hold. */
static void
stream_is_idle(struct connection *c, uint64_t now)
{
	const struct request *r = c->carrier.request;

	if (r->stage < STAGE_SEND && r->timing.answered_us == 0)
		deadline_start(&c->carrier.server->stream, &c->deadline, now);
	else
		http1_close(c);
}

void
connections_tick(struct server *s, uint64_t now)
{
	struct connection *c;

	while ((c = ended(&s->head, now)) != NULL)
		head_is_late(c);
	while ((c = ended(&s->body, now)) != NULL)
		if (c->http2 != NULL)
			http2_connection_tick(c->http2, now);
		else
			http1_check_body(c, now);
	while ((c = ended(&s->idle, now)) != NULL)
		idle_is_over(c);
	while ((c = ended(&s->stream, now)) != NULL)
		stream_is_idle(c, now);
	while ((c = ended(&s->write, now)) != NULL || (c = ended(&s->linger, now)) != NULL ||
	       (c = ended(&s->work, now)) != NULL)
		http1_close(c);
}
