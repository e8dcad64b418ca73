/* channel.h - messages between our own processes, over a SOCK_SEQPACKET pair.
 *
 * Packet: one or more frames. Frame: u32le body length, u16le type, u16le zero, u64le id, body. A
 * file descriptor may ride with a packet of one frame. The peer may have been taken over: every
 * length is checked, and a malformed packet closes the channel. */
#ifndef IO_CHANNEL_H
#define IO_CHANNEL_H

#include "base/buf.h"
#include "io/loop.h"

enum {
	CHANNEL_HEADER = 16,
	CHANNEL_BODY_MAX = 49152,
	CHANNEL_PACKET_MAX = LOOP_SCRATCH,
	CHANNEL_QUEUE_MAX = 16 << 20,
};

struct message {
	uint16_t type;
	uint64_t id;
	struct bytes body;
	int fd; /* -1: none. The receiver owns it */
};

struct channel;
/* `m` borrows the read buffer. The channel may be closed from inside. */
typedef void channel_message_fn(void *of, struct channel *c, const struct message *m);
/* The peer is gone or broke the form; the channel is closed after the call and freed by the loop.
 */
typedef void channel_closed_fn(void *of, struct channel *c);

/* Takes the descriptor, unless it fails. */
struct err channel_open(struct loop *loop, int fd, channel_message_fn *message,
                        channel_closed_fn *closed, void *of, struct channel **ret);
/* Takes NULL. The closed callback is not called. */
void channel_close(struct channel *c);
/* Queues; all that one round of the loop queued leaves together. ERR_LIMIT when the peer does not
 * keep up. */
struct err channel_send(struct channel *c, uint16_t type, uint64_t id, struct bytes body);
/* Sends at once, waiting a second at most. `fd` stays the caller's. For the supervisor's few
 * messages. */
struct err channel_send_fd(struct channel *c, uint16_t type, uint64_t id, struct bytes body,
                           int fd);
/* From now on what is sent is wiped when it has left: for passwords and tokens. */
void channel_wipe_sent(struct channel *c);
/* From now on nothing is read while more than `max` bytes wait to be sent: who asks without reading
 * the answers waits for itself. For one end only, else both could wait for each other. */
void channel_read_behind(struct channel *c, size_t max);
/* Bytes waiting to be sent. */
size_t channel_queued(const struct channel *c);

/* A connected pair, close-on-exec. */
struct err channel_pair(int ret[2]);

/* The pure part: the next frame of a packet. STEP: false at its end. */
struct err channel_frame(struct reader *packet, struct message *ret, bool *ret_found);
void channel_put_frame(struct buf *out, uint16_t type, uint64_t id, struct bytes body);

#endif
