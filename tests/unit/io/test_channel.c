/* Two ends of a channel on one loop, and the form of its packets. */
#include "io/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "test.h"

enum { REFILL = 130 };

struct end {
	struct channel *channel;
	struct loop *loop;
	unsigned count, stop_at;
	uint64_t last_id, sum;
	size_t bytes;
	int fd;
	bool is_closed, is_in_order;
	struct channel *refill; /* one more message is sent there for each that comes here */
	unsigned refused;
};

static uint8_t large[CHANNEL_BODY_MAX];

static void
on_message(void *of, struct channel *c, const struct message *m)
{
	struct end *e = of;

	(void)c;
	e->is_in_order &= m->id == e->last_id + 1;
	e->last_id = m->id;
	e->bytes += m->body.len;
	if (m->fd >= 0)
		e->fd = m->fd;
	if (e->refill != NULL && failed(channel_send(e->refill, 1, m->id + REFILL,
	                                             (struct bytes){ large, sizeof large })))
		e->refused++;
	if (++e->count == e->stop_at)
		loop_stop(e->loop);
}

static void
on_closed(void *of, struct channel *c)
{
	struct end *e = of;

	(void)c;
	e->is_closed = true;
	loop_stop(e->loop);
}

static struct loop loop;

static void
open_pair(struct end *a, struct end *b)
{
	int pair[2];

	CHECK(!failed(loop_init(&loop)));
	CHECK(!failed(channel_pair(pair)));
	*a = (struct end){ .loop = &loop, .fd = -1, .is_in_order = true };
	*b = *a;
	CHECK(!failed(channel_open(&loop, pair[0], on_message, on_closed, a, &a->channel)));
	CHECK(!failed(channel_open(&loop, pair[1], on_message, on_closed, b, &b->channel)));
}

static void
close_loop(struct end *a, struct end *b)
{
	if (!a->is_closed)
		channel_close(a->channel);
	if (!b->is_closed)
		channel_close(b->channel);
	uv_close((uv_handle_t *)&loop.prepare, NULL);
	uv_close((uv_handle_t *)&loop.first_stream, NULL);
	loop_run(&loop);
	CHECK(uv_loop_close(&loop.uv) == 0);
}

static void
test_messages_arrive_whole_and_in_order(void)
{
	static uint8_t body[CHANNEL_BODY_MAX];
	struct end a, b;
	size_t sent = 0;

	open_pair(&a, &b);
	for (uint64_t i = 1; i <= 400; i++) {
		size_t len = (size_t)(i * 7919 % sizeof body);
		sent += len;
		CHECK(!failed(channel_send(a.channel, 7, i, (struct bytes){ body, len })));
	}
	b.stop_at = 400;
	loop_run(&loop);
	CHECK(b.count == 400 && b.is_in_order && b.bytes == sent);
	CHECK(channel_queued(a.channel) == 0);
	close_loop(&a, &b);
}

static void
test_a_body_too_long_is_refused(void)
{
	static uint8_t body[CHANNEL_BODY_MAX + 1];
	struct end a, b;

	open_pair(&a, &b);
	CHECK(channel_send(a.channel, 1, 1, (struct bytes){ body, sizeof body }).kind == ERR_LIMIT);
	close_loop(&a, &b);
}

static void
test_a_peer_that_does_not_read_bounds_the_queue(void)
{
	static uint8_t body[CHANNEL_BODY_MAX];
	struct end a, b;
	unsigned taken = 0;

	open_pair(&a, &b);
	while (taken < 10000 &&
	       !failed(channel_send(a.channel, 1, taken, (struct bytes){ body, sizeof body })))
		taken++;
	CHECK(taken > 0 && taken < 10000);
	CHECK(channel_queued(a.channel) <= CHANNEL_QUEUE_MAX);
	close_loop(&a, &b);
}

/* What has left makes room, also while there is always more to send. */
static void
test_a_queue_that_is_never_empty_does_not_fill_up(void)
{
	struct end a, b;

	open_pair(&a, &b);
	b.refill = a.channel;
	b.stop_at = 2000; /* 94 MiB, of which 6 wait at a time */
	for (uint64_t i = 1; i <= REFILL; i++)
		CHECK(!failed(
			channel_send(a.channel, 1, i, (struct bytes){ large, sizeof large })));
	loop_run(&loop);
	CHECK(b.count >= 2000 && b.is_in_order && b.refused == 0);
	close_loop(&a, &b);
}

static int
lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* Nothing of ours sends two; what a peer sends so is closed, or is the receiver's. */
static void
test_a_second_descriptor_is_not_kept(void)
{
	struct end b = { .loop = &loop, .fd = -1, .is_in_order = true };
	union {
		struct cmsghdr align;
		char at[CMSG_SPACE(2 * sizeof(int))];
	} space = { 0 };
	CLEANUP(buf_done) struct buf frame = { 0 };
	int pair[2], two[2] = { 1, 2 };

	CHECK(!failed(loop_init(&loop)));
	CHECK(!failed(channel_pair(pair)));
	CHECK(!failed(channel_open(&loop, pair[1], on_message, on_closed, &b, &b.channel)));
	int before = lowest_free_fd();
	channel_put_frame(&frame, 1, 1, BYTES("two"));
	struct iovec part = { frame.at, frame.len };
	struct msghdr packet = { .msg_iov = &part,
		                 .msg_iovlen = 1,
		                 .msg_control = space.at,
		                 .msg_controllen = sizeof space.at };
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof two);
	memcpy(CMSG_DATA(header), two, sizeof two);
	CHECK(sendmsg(pair[0], &packet, 0) == (ssize_t)frame.len);
	b.stop_at = 1;
	loop_run(&loop);
	if (b.fd >= 0)
		close(b.fd);
	CHECK(lowest_free_fd() == before);
	close(pair[0]);
	close_loop(&b, &b);
}

static void
test_a_descriptor_rides_with_its_message(void)
{
	struct end a, b;
	int pipe_ends[2];
	char byte = 0;

	open_pair(&a, &b);
	CHECK(pipe(pipe_ends) == 0);
	CHECK(!failed(channel_send(a.channel, 1, 1, BYTES("first"))));
	CHECK(!failed(channel_send_fd(a.channel, 2, 2, BYTES("with"), pipe_ends[1])));
	b.stop_at = 2;
	loop_run(&loop);
	CHECK(b.fd >= 0 && b.is_in_order);
	CHECK(write(b.fd, "x", 1) == 1 && read(pipe_ends[0], &byte, 1) == 1 && byte == 'x');
	close(b.fd);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	close_loop(&a, &b);
}

static void
test_a_closed_peer_is_told(void)
{
	struct end a, b;

	open_pair(&a, &b);
	channel_close(a.channel);
	a.is_closed = true;
	loop_run(&loop);
	CHECK(b.is_closed);
	close_loop(&a, &b);
}

/* Whatever is no packet closes the channel, and nothing of the packet behind the fault is
 * delivered. */
static void
test_malformed_packets_close_the_channel(void)
{
	static const struct {
		const char *what;
		uint8_t bytes[40];
		size_t len;
		unsigned delivered;
	} rows[] = {
		{ "half a header", { 0, 0, 0, 0, 1, 0 }, 6, 0 },
		{ "body longer than the packet", { 9, 0, 0, 0, 1, 0, 0, 0, 1 }, 16, 0 },
		{ "length above the maximum", { 255, 255, 255, 255, 1, 0, 0, 0, 1 }, 16, 0 },
		{ "reserved bits", { 0, 0, 0, 0, 1, 0, 1, 0, 1 }, 16, 0 },
		{ "a good frame, then rubbish",
		  { 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 5 },
		  18,
		  1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct end b = { .loop = &loop, .fd = -1, .is_in_order = true };
		int pair[2];

		CHECK(!failed(loop_init(&loop)));
		CHECK(!failed(channel_pair(pair)));
		CHECK(!failed(channel_open(&loop, pair[1], on_message, on_closed, &b, &b.channel)));
		CHECK(send(pair[0], rows[i].bytes, rows[i].len, 0) == (ssize_t)rows[i].len);
		loop_run(&loop);
		CHECK_ROW(b.is_closed && b.count == rows[i].delivered, rows[i].what);
		close(pair[0]);
		close_loop(&b, &b);
	}
}

/* Answers each question with 1 KiB. */
static void
on_question(void *of, struct channel *c, const struct message *m)
{
	struct end *e = of;

	e->count++;
	CHECK(!failed(channel_send(c, 2, m->id, (struct bytes){ large, 1024 })));
}

static void
turn(unsigned times)
{
	while (times-- > 0)
		(void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* Packets of 100 questions, until the peer takes no more. */
static unsigned
ask_all(int fd, unsigned most)
{
	struct buf packet = { 0 };
	unsigned asked = 0;

	for (uint64_t i = 0; i < 100; i++)
		channel_put_frame(&packet, 1, i, (struct bytes){ 0 });
	while (asked < most && send(fd, packet.at, packet.len, MSG_NOSIGNAL) > 0) {
		asked += 100;
		turn(2);
	}
	buf_done(&packet);
	return asked;
}

/* A busy peer must get all its answers, and one that never reads them no memory of ours. */
static void
test_who_asks_without_reading_waits_for_itself(void)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	struct end b = { .loop = &loop, .fd = -1 };
	unsigned asked, answers = 0;
	int pair[2];

	CHECK(!failed(loop_init(&loop)));
	CHECK(!failed(channel_pair(pair)));
	CHECK(!failed(channel_open(&loop, pair[1], on_question, on_closed, &b, &b.channel)));
	channel_read_behind(b.channel, 1 << 20);
	asked = ask_all(pair[0], 20000);
	CHECK(asked < 20000 && b.count < asked);
	CHECK(channel_queued(b.channel) < (1 << 20) + 200 * 1100);

	for (ssize_t len = 1; answers < asked && len > 0; turn(2)) {
		struct message m;
		bool found = true;

		len = recv(pair[0], packet, sizeof packet, 0);
		struct reader r = { packet, packet + (len > 0 ? len : 0) };
		while (len > 0 && !failed(channel_frame(&r, &m, &found)) && found)
			answers++;
	}
	CHECK(answers == asked && b.count == asked && channel_queued(b.channel) == 0);

	/* That it has gone is seen while nothing is read from it. */
	CHECK(ask_all(pair[0], 20000) < 20000 && !b.is_closed);
	while (recv(pair[0], packet, sizeof packet, 0) > 0)
		; /* all that came: its end is no error, then */
	close(pair[0]);
	turn(10);
	CHECK(b.is_closed);
	uv_close((uv_handle_t *)&loop.prepare, NULL);
	uv_close((uv_handle_t *)&loop.first_stream, NULL);
	loop_run(&loop);
	CHECK(uv_loop_close(&loop.uv) == 0);
}

TESTS(TEST(test_who_asks_without_reading_waits_for_itself),
      TEST(test_messages_arrive_whole_and_in_order), TEST(test_a_body_too_long_is_refused),
      TEST(test_a_peer_that_does_not_read_bounds_the_queue),
      TEST(test_a_queue_that_is_never_empty_does_not_fill_up),
      TEST(test_a_second_descriptor_is_not_kept), TEST(test_a_descriptor_rides_with_its_message),
      TEST(test_a_closed_peer_is_told), TEST(test_malformed_packets_close_the_channel))
