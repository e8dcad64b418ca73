/* stream_tls.h - the two halves of a stream, for each other: the socket (stream.c), and TLS before
 * it (stream_tls.c). */
#ifndef IO_STREAM_TLS_H
#define IO_STREAM_TLS_H

#include "io/stream.h"

/* The socket */

/* Reads it, or not. */
void stream_poll(struct stream *s, bool on);
/* Takes the content of `out`, as it is to be on the wire. */
struct err stream_put(struct stream *s, struct buf *out);
/* FIN. All must have left. */
void stream_shut(struct stream *s);
/* `why` is a literal. */
void stream_break(struct stream *s, const char *why);

/* TLS: the stream has it */

void stream_tls_connected(struct stream *s);
void stream_tls_data(struct stream *s, struct bytes wire);
/* FIN of the peer. */
void stream_tls_cut(struct stream *s);
/* is_reading has changed. */
void stream_tls_read(struct stream *s);
struct err stream_tls_send(struct stream *s, struct buf *out);
void stream_tls_end(struct stream *s);
void stream_tls_close(struct stream *s);
/* Frees it, if there is any. */
void stream_tls_drop(struct stream *s);

#endif
