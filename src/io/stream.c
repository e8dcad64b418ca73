/* stream.c - see stream.h. A write is tried at once; only what the socket does not take costs
 * memory. */
#include "io/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "io/stream_tls.h"

enum { ACCEPTS_PER_TURN = 64, PAUSE_MS = 100 };

struct stream_write {
	uv_write_t request;
	struct stream *stream;
	struct buf bytes; /* owned: in flight, must not move */
	struct buf next;  /* owned: came meanwhile */
};

static struct err write_start(struct stream *s, struct stream_write *w);
static void on_acceptable(uv_poll_t *poll, int status, int events);

/* Listening */

static void
on_pause_end(uv_timer_t *timer)
{
	struct listener *l = container_of(timer, struct listener, pause);

	(void)uv_poll_start(&l->poll, UV_READABLE,
	                    on_acceptable); /* cannot fail on a live handle */
}

static void
on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = container_of(poll, struct listener, poll);

	(void)events;
	for (int i = 0; status == 0 && i < ACCEPTS_PER_TURN && !uv_is_closing((uv_handle_t *)poll);
	     i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			l->accepted(l, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		(void)uv_poll_stop(poll); /* never fails */
		(void)uv_timer_start(&l->pause, on_pause_end, PAUSE_MS, 0);
		return;
	}
}

struct err
listener_start(struct listener *l, struct loop *loop, int fd,
               void (*accepted)(struct listener *l, int fd))
{
	*l = (struct listener){ .loop = loop, .fd = fd, .accepted = accepted };

	int status = uv_timer_init(&loop->uv, &l->pause);
	if (status == 0)
		status = uv_poll_init(&loop->uv, &l->poll, fd);
	if (status == 0)
		status = uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
	return status == 0 ? OK : loop_err(status, "cannot accept connections");
}

static void
on_listener_closed(uv_handle_t *handle)
{
	close(container_of((uv_poll_t *)handle, struct listener, poll)->fd);
}

void
listener_stop(struct listener *l)
{
	if (uv_is_closing((uv_handle_t *)&l->poll))
		return;
	uv_close((uv_handle_t *)&l->pause, NULL);
	uv_close((uv_handle_t *)&l->poll, on_listener_closed);
}

/* Streams */

struct err
stream_open(struct stream *s, struct loop *loop, int fd, const struct stream_ops *ops)
{
	*s = (struct stream){ .loop = loop, .ops = ops };

	(void)uv_tcp_init(&loop->uv, &s->tcp); /* makes no socket yet: cannot fail */
	int status = uv_tcp_open(&s->tcp, fd);
	if (status != 0)
		close(fd);
	else
		(void)uv_tcp_nodelay(
			&s->tcp,
			1); /* answers to pipelined requests do not wait for each other's ACK */
	return status == 0 ? OK : loop_err(status, "a connection cannot be watched");
}

static const char *
why_unconnected(int status)
{
	switch (status) {
	case UV_ECONNREFUSED:
		return "the connection was refused";
	case UV_ETIMEDOUT:
		return "no answer to the connection";
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
		return "there is no way to the address";
	default:
		return "the connection cannot be made";
	}
}

static void
on_connected(uv_connect_t *request, int status)
{
	struct stream *s = request->data;

	free(request);
	if (s->is_closed)
		return;
	s->is_connecting = false;
	if (status < 0) {
		stream_break(s, why_unconnected(status));
		return;
	}
	(void)uv_tcp_nodelay(&s->tcp, 1); /* only costs time where it fails */
	if (s->is_ending && s->write == NULL)
		stream_shut(s);
	if (s->tls != NULL) {
		stream_tls_connected(s);
		return;
	}
	stream_poll(s, s->is_reading);
	if (s->ops->ready != NULL)
		s->ops->ready(s);
}

struct err
stream_connect(struct stream *s, struct loop *loop, const struct sockaddr *address,
               const struct stream_ops *ops)
{
	*s = (struct stream){ .loop = loop, .ops = ops, .is_connecting = true };

	(void)uv_tcp_init(&loop->uv, &s->tcp); /* makes no socket yet: cannot fail */
	uv_connect_t *request = calloc(1, sizeof *request);
	if (request == NULL)
		return fail(ERR_SYSTEM, "out of memory for a connection");
	request->data = s;
	int status = uv_tcp_connect(request, &s->tcp, address, on_connected);
	if (status == 0)
		return OK;
	free(request);
	return loop_err(status, "a connection cannot be begun");
}

const char *
stream_fault(const struct stream *s)
{
	return s->fault;
}

void
stream_break(struct stream *s, const char *why)
{
	s->fault = why;
	stream_poll(s, false);
	s->ops->broken(s);
}

/* Reading */

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
	struct stream *s = container_of((uv_tcp_t *)handle, struct stream, tcp);

	(void)wanted;
	*ret = uv_buf_init((char *)s->loop->scratch, LOOP_SCRATCH);
}

static void
on_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *data)
{
	struct stream *s = container_of((uv_tcp_t *)handle, struct stream, tcp);
	struct bytes came = { (const uint8_t *)data->base, len > 0 ? (size_t)len : 0 };

	if (len > 0 && s->tls == NULL)
		s->ops->data(s, came);
	else if (len > 0)
		stream_tls_data(s, came);
	else if (len == UV_EOF && s->tls == NULL)
		s->ops->end(s);
	else if (len == UV_EOF)
		stream_tls_cut(s);
	else if (len < 0)
		s->ops->broken(s);
}

void
stream_poll(struct stream *s, bool on)
{
	/* Both fail only on a handle that is closing; neither minds being asked twice. */
	if (on)
		(void)uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
	else
		(void)uv_read_stop((uv_stream_t *)&s->tcp);
}

void
stream_read(struct stream *s, bool on)
{
	if (s->is_reading == on || s->is_closed)
		return;
	s->is_reading = on;
	s->has_read = true;
	if (s->is_connecting)
		return;
	if (s->tls != NULL)
		stream_tls_read(s);
	else
		stream_poll(s, on);
}

/* Writing */

static void
write_free(struct stream_write *w)
{
	buf_done(&w->bytes);
	buf_done(&w->next);
	free(w);
}

static void
on_written(uv_write_t *request, int status)
{
	struct stream_write *w = container_of(request, struct stream_write, request);
	struct stream *s = w->stream;

	s->unsent -= w->bytes.len;
	if (s->is_closed || status < 0 || w->next.len == 0) {
		s->write = NULL;
		s->unsent = 0;
		write_free(w);
		if (s->is_closed)
			return;
		if (status >= 0 && s->is_ending)
			stream_shut(s);
		if (status < 0)
			s->ops->broken(s);
		else
			s->ops->drained(s);
		return;
	}
	buf_done(&w->bytes);
	w->bytes = w->next;
	w->next = (struct buf){ 0 };
	if (failed(write_start(s, w))) {
		s->write = NULL;
		write_free(w);
		s->ops->broken(s);
	}
}

static struct err
write_start(struct stream *s, struct stream_write *w)
{
	uv_buf_t bytes = uv_buf_init((char *)w->bytes.at, (unsigned)w->bytes.len);
	int status = uv_write(&w->request, (uv_stream_t *)&s->tcp, &bytes, 1, on_written);

	return status == 0 ? OK : loop_err(status, "a write was refused");
}

/* What the socket takes at once, or an error. A write(2), as libuv's is, costs half a microsecond
 * more on its way to the socket. */
static struct err
try_now(struct stream *s, struct buf *out)
{
	uv_os_fd_t fd;
	ssize_t sent;

	if (s->is_connecting)
		return OK;
	int status = uv_fileno((uv_handle_t *)&s->tcp, &fd);
	if (status != 0)
		return loop_err(status, "the connection is broken");
	do
		sent = send(fd, out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return OK;
	if (sent < 0)
		return loop_err(-errno, "the connection is broken");
	buf_consume(out, (size_t)sent);
	return OK;
}

struct err
stream_send(struct stream *s, struct buf *out)
{
	return s->tls != NULL ? stream_tls_send(s, out) : stream_put(s, out);
}

struct err
stream_put(struct stream *s, struct buf *out)
{
	if (s->is_closed)
		return fail(ERR_PEER, "the connection is closed");
	if (s->write != NULL) {
		s->unsent += out->len;
		buf_put(&s->write->next, buf_bytes(out));
		buf_clear(out);
		return buf_check(&s->write->next);
	}
	TRY(try_now(s, out));
	if (out->len == 0)
		return OK;

	struct stream_write *w = calloc(1, sizeof *w);
	if (w == NULL)
		return fail(ERR_SYSTEM, "out of memory for an answer");
	w->stream = s;
	w->bytes = *out;
	*out = (struct buf){ .limit = out->limit };
	s->unsent = w->bytes.len;
	s->write = w;
	struct err e = write_start(s, w);
	if (failed(e)) {
		s->write = NULL;
		s->unsent = 0;
		write_free(w);
	}
	return e;
}

void
stream_shut(struct stream *s)
{
	uv_os_fd_t fd;

	/* On a connection that is gone it fails, which reading it says too. */
	if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
		(void)shutdown(fd, SHUT_WR);
}

void
stream_end(struct stream *s)
{
	if (s->is_closed || s->is_ending)
		return;
	if (s->tls != NULL)
		stream_tls_end(s);
	s->is_ending = true;
	if (s->write == NULL && !s->is_connecting)
		stream_shut(s);
}

static void
on_closed(uv_handle_t *handle)
{
	struct stream *s = container_of((uv_tcp_t *)handle, struct stream, tcp);

	stream_tls_drop(s); /* not before: until here stream_peer() is borrowed */
	s->ops->closed(s);
}

void
stream_close(struct stream *s)
{
	if (s->is_closed)
		return;
	if (s->tls != NULL)
		stream_tls_close(s);
	s->is_closed = true;
	uv_close((uv_handle_t *)&s->tcp, on_closed);
}

void
stream_address(struct stream *s, char ret[STREAM_ADDRESS_MAX])
{
	struct sockaddr_storage name;
	int len = sizeof name;
	int status = uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&name, &len);

	if (status == 0)
		status = uv_ip_name((struct sockaddr *)&name, ret, STREAM_ADDRESS_MAX);
	if (status != 0)
		memcpy(ret, "unknown", sizeof "unknown");
}
