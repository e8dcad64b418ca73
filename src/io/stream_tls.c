/* stream_tls.c - see stream_tls.h. What is decrypted lies in the loop's memory, not in the
 * connection's; only what the owner does not want to read yet is kept. */
#include "io/stream_tls.h"

#include <stdlib.h>

#include "base/macros.h"

enum {
	WIRE_ROOM_MAX = 256 << 10,
	UNREAD_MAX = 1 << 20, /* that waits for the peer, while it makes TLS itself answer */
};

struct stream_tls {
	struct tls *tls; /* owned */
	struct stream *stream;
	struct deferred later; /* something was left to be read when reading went off */
	bool has_ended;        /* `end` was called */
	bool is_plain_http;    /* the peer does not speak TLS */
};

static void deliver(struct stream *s);

static void
on_later(struct deferred *d)
{
	deliver(container_of(d, struct stream_tls, later)->stream);
}

/* What the loop's buffer holds by now. */
static struct err
send_wire(struct stream *s)
{
	struct buf *wire = &s->loop->wire;
	struct err e = buf_check(wire);

	if (!failed(e) && wire->len > 0)
		e = stream_put(s, wire);
	if (wire->room > WIRE_ROOM_MAX)
		buf_done(wire);
	else
		buf_clear(wire);
	return e;
}

/* Sends, be the call that made it good or bad: it may be an alert. false: the stream broke, and may
 * be closed. */
static bool
go_on(struct stream *s, struct err e)
{
	struct err sent = send_wire(s);

	if (!failed(e))
		e = sent;
	if (!failed(e))
		return true;
	s->tls->is_plain_http = e.kind == ERR_PEER && e.code == TLS_FAULT_PLAIN_HTTP;
	stream_break(s, e.why);
	return false;
}

/* The socket is read while the handshake needs it, then while the owner reads and has had all that
 * came before. */
static void
update(struct stream *s)
{
	bool has_more = s->is_reading && tls_has_more(s->tls->tls);

	if (has_more)
		loop_defer(s->loop, &s->tls->later);
	stream_poll(s, tls_peer(s->tls->tls) == NULL || (s->is_reading && !has_more));
}

static void
deliver(struct stream *s)
{
	struct tls *t = s->tls->tls;
	size_t len = 1;

	while (s->is_reading && len > 0 && tls_has_more(t)) {
		struct err e = tls_read(t, s->loop->plain, LOOP_PLAIN, &s->loop->wire, &len);
		/* Updates of keys are answered: a peer could ask for them and never read. */
		if (!failed(e) && s->loop->wire.len > 0 && s->unsent > UNREAD_MAX)
			e = fail(ERR_PEER, "TLS: the peer asks more than it reads answers");
		if (!go_on(s, e))
			return;
		if (len > 0)
			s->ops->data(s, (struct bytes){ s->loop->plain, len });
		if (s->is_closed)
			return;
	}
	if (tls_has_ended(t) && !s->tls->has_ended) {
		s->tls->has_ended = true;
		s->ops->end(s);
		if (s->is_closed)
			return;
	}
	if (go_on(s, tls_hold(t)))
		update(s);
}

void
stream_tls_data(struct stream *s, struct bytes wire)
{
	struct tls *t = s->tls->tls;
	bool was_done = tls_peer(t) != NULL;

	if (!go_on(s, tls_feed(t, wire, &s->loop->wire)))
		return;
	if (!was_done && tls_peer(t) != NULL && s->ops->ready != NULL) {
		s->ops->ready(s);
		if (s->is_closed)
			return;
	}
	deliver(s);
}

void
stream_tls_cut(struct stream *s)
{
	if (s->tls->has_ended)
		return;
	stream_break(s, tls_peer(s->tls->tls) == NULL
	                        ? "TLS: the peer went during the handshake"
	                        : "TLS: the connection was cut off, without a close_notify");
}

void
stream_tls_read(struct stream *s)
{
	update(s);
}

void
stream_tls_connected(struct stream *s)
{
	if (go_on(s, tls_begin(s->tls->tls, &s->loop->wire)))
		update(s);
}

struct err
stream_secure(struct stream *s, struct tls_context *context, const char *server_name)
{
	if (s->has_read || s->tls != NULL || s->is_closed)
		return fail(ERR_SYSTEM, "TLS must be begun before the first byte");

	struct stream_tls *t = calloc(1, sizeof *t);
	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	struct err e = tls_new(context, server_name, &t->tls);
	if (failed(e)) {
		free(t);
		return e;
	}
	t->stream = s;
	t->later.run = on_later;
	s->tls = t;
	if (!s->is_connecting)
		stream_poll(s, true);
	return OK;
}

const struct tls_peer *
stream_peer(const struct stream *s)
{
	return s->tls == NULL ? NULL : tls_peer(s->tls->tls);
}

struct err
stream_tls_send(struct stream *s, struct buf *out)
{
	if (s->is_closed)
		return fail(ERR_PEER, "the connection is closed");
	struct err e = tls_write(s->tls->tls, buf_bytes(out), &s->loop->wire);
	struct err sent = send_wire(s);

	buf_clear(out);
	return failed(e) ? e : sent;
}

void
stream_tls_end(struct stream *s)
{
	tls_end(s->tls->tls, &s->loop->wire);
	(void)send_wire(s); /* a connection that is broken shows when it is read */
}

void
stream_tls_drop(struct stream *s)
{
	if (s->tls == NULL)
		return;
	list_remove(&s->tls->later.node);
	tls_free(s->tls->tls);
	free(s->tls);
	s->tls = NULL;
}

void
stream_tls_close(struct stream *s)
{
	list_remove(&s->tls->later.node);
	/* Behind what has not left it would never be sent. */
	if (s->write == NULL && !s->is_ending && !s->is_connecting && s->fault == NULL)
		stream_tls_end(s);
}

bool
stream_unsecure(struct stream *s)
{
	if (s->tls == NULL || !s->tls->is_plain_http)
		return false;
	stream_tls_drop(s);
	s->is_reading = false;
	return true;
}
