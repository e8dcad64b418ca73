/* tls_handshake.h - what OpenSSL asks a server during a handshake: which certificate, which
 * protocol, which key for a ticket. */
#ifndef IO_TLS_HANDSHAKE_H
#define IO_TLS_HANDSHAKE_H

#include <openssl/ssl.h>

#include "io/tls.h"

/* Of one context of OpenSSL; its connections carry a struct tls_handshake as their app data. */
void tls_handshake_serve(SSL_CTX *ssl);

/* Part of a struct tls. */
struct tls_handshake {
	struct tls_context *context;
	char *name; /* owned: asked for by the client, lower case; NULL: none */
	const struct tls_names *own;
};

#endif
