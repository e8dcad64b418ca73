/* stream.h - one TCP connection: bytes in by callback, bytes out with a count of what is not yet
 * sent. */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/buf.h"
#include "io/loop.h"
#include "io/tls.h"

struct stream;

/* No callback is made from inside a call of this module but stream_read(). The owner may call
 * stream_close() in any of them. */
struct stream_ops {
	void (*data)(struct stream *s, struct bytes data); /* borrowed for the call */
	void (*end)(struct stream *s);                     /* the peer sends no more (FIN) */
	void (*broken)(struct stream *s);                  /* reset, or a write failed: close it */
	void (*drained)(struct stream *s);                 /* all that was given has left */
	void (*closed)(struct stream *s);                  /* last call: free the memory now */
	void (*ready)(struct stream *s); /* stream_connect(), stream_secure(): connected, and the
	                                  * TLS handshake done. May be NULL */
};

struct stream_write;

/* Embedded in its owner. About 300 bytes, so that an idle connection costs little. */
struct stream {
	uv_tcp_t tcp;
	struct loop *loop;
	const struct stream_ops *ops;
	struct stream_write *write; /* in flight; NULL when all has left */
	size_t unsent;
	struct stream_tls *tls; /* owned; NULL: plain */
	const char *fault;      /* literal */
	bool is_reading, is_closed;
	bool is_connecting, is_ending, has_read;
};

/* A listening socket made by the supervisor. Without descriptors or memory left it pauses:
 * connections wait in its queue rather than the loop going round and round over them. */
struct listener {
	uv_poll_t poll;
	uv_timer_t pause;
	struct loop *loop;
	int fd;
	void (*accepted)(struct listener *l, int fd); /* owns the connected socket */
};
/* Takes the descriptor. */
struct err listener_start(struct listener *l, struct loop *loop, int fd,
                          void (*accepted)(struct listener *l, int fd));
/* The socket stays open in the supervisor: connections that wait in its queue are not lost. */
void listener_stop(struct listener *l);

/* Takes the connected socket, also when it fails; then `closed` is called as after stream_close().
 */
struct err stream_open(struct stream *s, struct loop *loop, int fd, const struct stream_ops *ops);
/* A connection out; `ready` or `broken` comes. `address` is an IP address and port. When it fails,
 * stream_close() it all the same. What is sent before `ready` waits. */
struct err stream_connect(struct stream *s, struct loop *loop, const struct sockaddr *address,
                          const struct stream_ops *ops);
/* From now on TLS: `data` and stream_send() are the plain side of it. Directly after stream_open()
 * or stream_connect(): bytes that came in the clear are never taken for protected ones. `ready`
 * comes when the handshake is done, `broken` when it fails, also when the peer goes without a
 * close_notify. `server_name` as for tls_new(). */
struct err stream_secure(struct stream *s, struct tls_context *context, const char *server_name);
/* NULL: plain, or the handshake is not done. Borrowed until `closed`. */
const struct tls_peer *stream_peer(const struct stream *s);
/* Why it broke, for the log: a literal, or NULL. */
const char *stream_fault(const struct stream *s);
/* In `broken` only: was it that a request in the clear came where TLS was due? Then the stream is
 * plain from now on, so that this can be said to whoever sent it. */
bool stream_unsecure(struct stream *s);
/* We send no more (FIN, behind a close_notify); what comes is still read. */
void stream_end(struct stream *s);
void stream_read(struct stream *s, bool on);
/* Takes the content of `out`, which is empty afterwards. Errors: the connection is broken. */
struct err stream_send(struct stream *s, struct buf *out);
/* With a close_notify where there is TLS and all has left. */
void stream_close(struct stream *s);
/* Peer address as text, without the port: "127.0.0.1". */
enum { STREAM_ADDRESS_MAX = 46 };
void stream_address(struct stream *s, char ret[STREAM_ADDRESS_MAX]);

#endif
