/* channel.c - see channel.h. Sending is batched by the loop's prepare phase; reading takes whole
 * packets. */
#include "io/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"

enum { PACKETS_PER_TURN = 64 }; /* then others get their turn */

struct channel {
	uv_poll_t poll;
	struct loop *loop;
	int fd;
	channel_message_fn *message;
	channel_closed_fn *closed;
	void *of;
	struct deferred flush;
	struct buf out; /* whole frames; the first out_sent bytes have left */
	size_t out_sent;
	size_t read_behind; /* more waits to be sent: nothing is read */
	int events;         /* that are watched for */
	bool waits_writable;
	bool wipes_sent;
	bool is_closed;
};

union fd_space {
	struct cmsghdr align;
	char at[CMSG_SPACE(sizeof(int))];
};

static void on_ready(uv_poll_t *poll, int status, int events);
static void on_flush(struct deferred *d);

struct err
channel_pair(int ret[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) != 0)
		return (struct err){ .kind = ERR_SYSTEM, .sys = errno, .why = "no socket pair" };
	return OK;
}

struct err
channel_open(struct loop *loop, int fd, channel_message_fn *message, channel_closed_fn *closed,
             void *of, struct channel **ret)
{
	struct channel *c = calloc(1, sizeof *c);

	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*c = (struct channel){ .loop = loop,
		               .fd = fd,
		               .message = message,
		               .closed = closed,
		               .of = of,
		               .flush.run = on_flush,
		               .read_behind = SIZE_MAX,
		               .events = UV_READABLE,
		               .out.limit = CHANNEL_QUEUE_MAX };

	int status = uv_poll_init(&loop->uv, &c->poll, fd);
	if (status == 0)
		status = uv_poll_start(&c->poll, UV_READABLE, on_ready);
	if (status != 0) {
		free(c);
		return loop_err(status, "a channel cannot be watched");
	}
	*ret = c;
	return OK;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct channel *c = container_of((uv_poll_t *)handle, struct channel, poll);

	close(c->fd);
	buf_wipe(&c->out);
	free(c);
}

void
channel_close(struct channel *c)
{
	if (c == NULL || c->is_closed)
		return;
	c->is_closed = true;
	list_remove(&c->flush.node);
	uv_close((uv_handle_t *)&c->poll, on_handle_closed);
}

static void
lose(struct channel *c)
{
	if (c->is_closed)
		return;
	c->closed(c->of, c);
	channel_close(c);
}

/* Length of the next packet: as many whole frames as fit. */
static size_t
packet_len(const struct channel *c)
{
	size_t len = 0;

	while (c->out_sent + len < c->out.len) {
		struct reader r = { c->out.at + c->out_sent + len, c->out.at + c->out.len };
		uint32_t body;

		if (failed(read_u32le(&r, &body)) ||
		    len + CHANNEL_HEADER + body > CHANNEL_PACKET_MAX)
			break;
		len += CHANNEL_HEADER + body;
	}
	return len;
}

static void
want_writable(struct channel *c, bool want)
{
	/* With nobody to wait for, reading goes on: a peer that is gone shows there. */
	bool is_behind = want && channel_queued(c) > c->read_behind;
	int events = (is_behind ? 0 : UV_READABLE) | (want ? UV_WRITABLE : 0);

	c->waits_writable = want;
	if (c->events == events)
		return;
	c->events = events;
	/* Cannot fail on a live handle. */
	(void)uv_poll_start(&c->poll, events, on_ready);
}

static void
forget_queue(struct channel *c)
{
	if (c->wipes_sent && c->out.len > 0)
		explicit_bzero(c->out.at, c->out.len);
	buf_clear(&c->out);
	c->out_sent = 0;
}

static void
flush(struct channel *c)
{
	while (c->out_sent < c->out.len) {
		size_t len = packet_len(c);
		ssize_t sent = send(c->fd, c->out.at + c->out_sent, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			bool is_full = errno == EAGAIN || errno == ENOBUFS;

			/* A peer that is gone shows as end of file on the read side, which must not
			 * wait for what nobody takes. */
			if (!is_full)
				forget_queue(c);
			want_writable(c, is_full);
			return;
		}
		c->out_sent += (size_t)sent;
	}
	forget_queue(c);
	want_writable(c, false);
}

void
channel_read_behind(struct channel *c, size_t max)
{
	c->read_behind = max;
}

void
channel_wipe_sent(struct channel *c)
{
	c->wipes_sent = true;
}

/* A queue that is never quite empty would grow by what has left. */
static void
drop_sent(struct channel *c)
{
	if (c->out_sent < c->out.len / 2 || c->out_sent == 0)
		return;
	buf_consume(&c->out, c->out_sent);
	c->out_sent = 0;
}

static void
on_flush(struct deferred *d)
{
	flush(container_of(d, struct channel, flush));
}

struct err
channel_send(struct channel *c, uint16_t type, uint64_t id, struct bytes body)
{
	if (body.len > CHANNEL_BODY_MAX)
		return fail(ERR_LIMIT, "a message between processes is too long");
	drop_sent(c);
	if (c->out.len + CHANNEL_HEADER + body.len > CHANNEL_QUEUE_MAX)
		return fail(ERR_LIMIT, "a process does not keep up");

	size_t before = c->out.len;
	channel_put_frame(&c->out, type, id, body);
	if (c->out.overflow) {
		c->out.overflow = false;
		c->out.len = before; /* no half a frame */
		return fail(ERR_LIMIT, "out of memory for a message");
	}
	if (!c->waits_writable)
		loop_defer(c->loop, &c->flush);
	return OK;
}

size_t
channel_queued(const struct channel *c)
{
	return c->out.len - c->out_sent;
}

static struct err
send_packet(int fd, struct msghdr *packet)
{
	for (int tries = 0; tries < 10; tries++) {
		if (sendmsg(fd, packet, MSG_NOSIGNAL) >= 0)
			return OK;
		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			break;
		struct pollfd wait = { .fd = fd, .events = POLLOUT };
		(void)poll(&wait, 1, 100); /* a failed wait shows in the next send */
	}
	return (struct err){ .kind = ERR_SYSTEM,
		             .sys = errno,
		             .why = "a process takes no messages" };
}

struct err
channel_send_fd(struct channel *c, uint16_t type, uint64_t id, struct bytes body, int fd)
{
	CLEANUP(buf_done) struct buf frame = { 0 };
	union fd_space space = { 0 };

	flush(c);
	if (c->out.len != 0)
		return fail(ERR_LIMIT, "a process does not keep up");
	channel_put_frame(&frame, type, id, body);
	TRY(buf_check(&frame));

	struct iovec part = { frame.at, frame.len };
	struct msghdr packet = { .msg_iov = &part,
		                 .msg_iovlen = 1,
		                 .msg_control = space.at,
		                 .msg_controllen = sizeof space.at };
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return send_packet(c->fd, &packet);
}

/* The one descriptor of a packet. The room for it has room for a second, and a peer that sends two
 * gives them up. */
static int
packet_fd(struct msghdr *packet)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	int fd[sizeof(union fd_space) / sizeof(int)];

	if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len < CMSG_LEN(sizeof *fd) || header->cmsg_len > CMSG_LEN(sizeof fd))
		return -1;
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof *fd;
	memcpy(fd, CMSG_DATA(header), count * sizeof *fd);
	for (size_t i = 1; i < count; i++)
		close(fd[i]);
	return fd[0];
}

/* false: malformed. */
static bool
deliver(struct channel *c, struct bytes packet, int fd)
{
	struct reader r = reader_of(packet);
	struct message m;
	bool found;

	for (;;) {
		if (failed(channel_frame(&r, &m, &found)))
			break;
		if (!found)
			return fd < 0;
		m.fd = fd, fd = -1;
		c->message(c->of, c, &m);
		if (c->is_closed)
			return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

/* false: nothing more to read now, or the channel is gone. */
static bool
read_packet(struct channel *c)
{
	union fd_space space = { 0 };
	struct iovec part = { c->loop->scratch, CHANNEL_PACKET_MAX };
	struct msghdr packet = { .msg_iov = &part,
		                 .msg_iovlen = 1,
		                 .msg_control = space.at,
		                 .msg_controllen = sizeof space.at };
	ssize_t len = recvmsg(c->fd, &packet, MSG_CMSG_CLOEXEC);

	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0 && errno == EAGAIN)
		return false;
	int sent_fd = len < 0 ? -1 : packet_fd(&packet);
	if (len <= 0 || (packet.msg_flags & MSG_TRUNC) != 0) {
		if (sent_fd >= 0)
			close(sent_fd);
		lose(c);
		return false;
	}
	if (!deliver(c, (struct bytes){ c->loop->scratch, (size_t)len }, sent_fd)) {
		lose(c);
		return false;
	}
	return !c->is_closed;
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct channel *c = container_of(poll, struct channel, poll);

	if (status < 0) {
		lose(c);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		flush(c);
	for (int i = 0; i < PACKETS_PER_TURN && (events & UV_READABLE) != 0; i++) {
		if (channel_queued(c) > c->read_behind) {
			want_writable(c, c->waits_writable); /* else flush() is coming */
			return;
		}
		if (!read_packet(c))
			return;
	}
}
