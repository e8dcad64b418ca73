/* tls.h - TLS 1.2 and 1.3 as a transform of bytes (OpenSSL over memory): what a stream puts between
 * itself and its socket. No socket is touched here.
 *
 * No renegotiation, no compression, no 0-RTT (RFC 8446 section 8: it could be replayed). */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/buf.h"

enum { TLS_DIGEST_LEN = 32, TLS_TICKET_KEY_LEN = 32, TLS_ALPN_MAX = 16, TLS_NAME_MAX = 255 };

struct tls_names;   /* tls_names.h */
struct tls_context; /* certificates, trust and rules of one listener or one service; immutable */

struct tls_certificate {
	const char *certificate_file; /* PEM, the chain behind it */
	const char *key_file;
};

enum tls_ask { TLS_ASK_NOTHING, TLS_ASK_CERTIFICATE, TLS_REQUIRE_CERTIFICATE };

/* All borrowed for the call. */
struct tls_options {
	const struct tls_certificate
		*certificates; /* a server chooses by the name asked for (SNI),
	                        * by the names in each; without one that fits,
	                        * the first. A client shows the first, if any */
	size_t certificate_count;
	const char *ca_file; /* server: who signs certificates of clients; client: of services;
	                      * NULL: the system's, and for a server none */
	enum tls_ask ask;    /* server */
	bool is_tls13_only;
	const char *const *alpn; /* in order of preference, NULL at the end; NULL: none */
};

/* Reads the files: before the sandbox closes. ERR_CONFIG: *ret_file (may be NULL) is the one at
 * fault, why says what is wrong with it. A key must fit its certificate; RSA of 2048 bits or more.
 */
struct err tls_server_context(const struct tls_options *o, struct tls_context **ret,
                              const char **ret_file);
struct err tls_client_context(const struct tls_options *o, struct tls_context **ret,
                              const char **ret_file);
void tls_context_free(struct tls_context *c); /* takes NULL */
/* Server: tickets of resumed sessions are sealed under keys that follow from `secret`
 * (TLS_TICKET_KEY_LEN bytes, shared by all workers) and the hour. Before it is called none are
 * given. */
void tls_context_set_ticket_secret(struct tls_context *c, const uint8_t *secret);
/* Of the certificate that ends first, seconds since 1970. */
int64_t tls_context_expires(const struct tls_context *c);

/* What the handshake settled. Valid once it is done; borrowed from the struct tls. */
struct tls_peer {
	uint16_t version; /* 0x0303, 0x0304 */
	const char *cipher;
	char alpn[TLS_ALPN_MAX];     /* "h2", "http/1.1"; empty: none was agreed */
	const char *name;            /* server: asked for by the client (SNI), lower case; empty:
	                              * none */
	const struct tls_names *own; /* server: what the certificate we showed is valid for */
	bool is_resumed;
	bool has_certificate;                /* the peer showed one, and it was verified */
	uint8_t certificate[TLS_DIGEST_LEN]; /* SHA-256 of its DER: cnf x5t#S256 (RFC 8705) */
};

struct tls;

/* .code of an ERR_PEER. */
enum tls_fault { TLS_FAULT_PLAIN_HTTP = 1 }; /* what came is no TLS, but a request in the clear */

/* `server_name`: of the service, for SNI and for the check of its certificate (RFC 9525), also an
 * IP address; NULL on the server's side. The context must outlive it. */
struct err tls_new(struct tls_context *c, const char *server_name, struct tls **ret);
void tls_free(struct tls *t); /* takes NULL */
/* A client's first bytes. */
struct err tls_begin(struct tls *t, struct buf *wire);
/* Bytes from the wire, borrowed until tls_read() has no more, or tls_hold(). What they mean for us
 * is in tls_read(), what must be sent in `wire`.
 * ERR_PEER: the handshake failed or a record is forged; `wire` may hold an alert to be sent before
 * the connection is closed. .why says which, without anything the peer wrote. */
struct err tls_feed(struct tls *t, struct bytes in, struct buf *wire);
/* Decrypted bytes into `at`, of one record at most; 0: no more now. Errors as of tls_feed(). */
struct err tls_read(struct tls *t, uint8_t *at, size_t room, struct buf *wire, size_t *ret_len);
/* Keeps what was fed and not read yet: the borrowed bytes may go. */
struct err tls_hold(struct tls *t);
/* Is there anything for tls_read(), as far as can be told without it? */
bool tls_has_more(const struct tls *t);
/* The peer said that it sends no more (close_notify). */
bool tls_has_ended(const struct tls *t);
/* Encrypts; before the handshake is done it is kept until then. */
struct err tls_write(struct tls *t, struct bytes plain, struct buf *wire);
/* close_notify: we send no more. */
void tls_end(struct tls *t, struct buf *wire);
/* NULL until the handshake is done. */
const struct tls_peer *tls_peer(const struct tls *t);

#endif
