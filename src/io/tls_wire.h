/* tls_wire.h - both ends of a connection's wire, as OpenSSL sees them. */
#ifndef IO_TLS_WIRE_H
#define IO_TLS_WIRE_H

#include "base/buf.h"

struct tls_wire {
	struct bytes in; /* borrowed: not read yet */
	struct buf held; /* owned: not read yet, and before `in`: one of the two is empty */
	size_t held_taken;
	struct buf *out; /* borrowed for a call; NULL: nothing may be written */
};

struct err tls_wire_feed(struct tls_wire *w, struct bytes in);
/* The borrowed bytes may go. */
struct err tls_wire_hold(struct tls_wire *w);
/* The first `len` have been read. */
void tls_wire_take(struct tls_wire *w, size_t len);
static inline bool
tls_wire_has_more(const struct tls_wire *w)
{
	return w->in.len > 0 || w->held.len > 0;
}

#endif
