/* tls_context.h - what tls.c needs to know of a context. */
#ifndef IO_TLS_CONTEXT_H
#define IO_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "io/tls.h"
#include "io/tls_ticket.h"

enum { TLS_ALPN_WIRE_MAX = 64 };

/* One certificate with its key, and all rules besides: what OpenSSL takes for a connection. */
struct tls_identity {
	SSL_CTX *ssl;            /* owned */
	struct tls_names *names; /* owned; NULL for a client */
};

struct tls_context {
	bool is_server;
	BIO_METHOD *wire;        /* owned: tls_wire.c */
	struct tls_identity *at; /* owned: at least one */
	size_t count;
	X509_STORE *trust;               /* owned; NULL: a server that asks for no certificate */
	uint8_t alpn[TLS_ALPN_WIRE_MAX]; /* each with its length before it (RFC 7301 section 3.1) */
	size_t alpn_len;
	int64_t expires;
	struct tickets tickets;
};

/* Server: whose certificate covers `name`, else the first. */
const struct tls_identity *tls_context_choose(const struct tls_context *c, struct bytes name);

/* tls_wire.c: the BIO that reads from what was fed and writes to what will be sent. NULL: no
 * memory. */
BIO_METHOD *tls_wire_method(void);

#endif
