/* tls.c - see tls.h: one connection. */
#include "io/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "io/tls_context.h"
#include "io/tls_fault.h"
#include "io/tls_handshake.h"
#include "io/tls_wire.h"

struct tls {
	SSL *ssl; /* owned */
	struct tls_wire wire;
	struct tls_handshake handshake;
	struct buf early; /* owned: given to tls_write() before the handshake was done */
	struct tls_peer peer;
	struct err fault; /* the connection is over */
	bool is_done, has_ended;
};

/* Making */

static bool
is_address(const char *name)
{
	uint8_t address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Whose certificate is expected (RFC 9525). An address is never sent as a name (RFC 6066). */
static bool
expect(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool
connect_wire(struct tls *t)
{
	BIO *bio = BIO_new(t->handshake.context->wire);

	if (bio == NULL)
		return false;
	BIO_set_data(bio, &t->wire);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	return SSL_set_app_data(t->ssl, &t->handshake) == 1;
}

struct err
tls_new(struct tls_context *c, const char *server_name, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof *t);

	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	t->handshake.context = c;
	t->ssl = SSL_new(c->at[0].ssl);
	/* A client that does not know whom it expects must not be made. */
	bool is_named = c->is_server || (server_name != NULL && server_name[0] != '\0');
	if (t->ssl == NULL || !is_named || !connect_wire(t) ||
	    (!c->is_server && !expect(t->ssl, server_name))) {
		tls_free(t);
		return fail(ERR_SYSTEM, "a TLS connection cannot be made");
	}
	if (c->is_server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	*ret = t;
	return OK;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	buf_done(&t->wire.held);
	buf_wipe(&t->early);
	free(t->handshake.name);
	free(t);
}

/* Working */

/* A call of OpenSSL returned `status`, which is no success. OK: it wants more bytes. */
static struct err
judge(struct tls *t, int status)
{
	switch (SSL_get_error(t->ssl, status)) {
	case SSL_ERROR_WANT_READ:
		return OK;
	case SSL_ERROR_ZERO_RETURN:
		t->has_ended = true;
		return OK;
	default:
		t->fault = tls_fault_of_peer(SSL_get_verify_result(t->ssl));
		return t->fault;
	}
}

static struct err
read_certificate(struct tls *t)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	unsigned len;

	if (x == NULL)
		return OK;
	/* One in a ticket was verified some time ago. */
	if (t->peer.is_resumed && X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return fail(ERR_PEER, "TLS: the peer's certificate has ended");
	if (X509_digest(x, EVP_sha256(), t->peer.certificate, &len) != 1)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	t->peer.has_certificate = true;
	return OK;
}

static struct err
settle(struct tls *t)
{
	const unsigned char *alpn;
	unsigned len;

	t->peer.version = (uint16_t)SSL_version(t->ssl);
	t->peer.cipher = SSL_get_cipher_name(t->ssl);
	t->peer.is_resumed = SSL_session_reused(t->ssl) == 1;
	t->peer.name = t->handshake.name != NULL ? t->handshake.name : "";
	t->peer.own = t->handshake.own;
	SSL_get0_alpn_selected(t->ssl, &alpn, &len);
	if (len > 0 && len < sizeof t->peer.alpn)
		memcpy(t->peer.alpn, alpn, len);
	t->fault = read_certificate(t);
	t->is_done = !failed(t->fault);
	return t->fault;
}

static struct err
put(struct tls *t, struct bytes plain)
{
	size_t written;

	if (plain.len == 0)
		return OK;
	int status = SSL_write_ex(t->ssl, plain.at, plain.len, &written);
	return status == 1 ? OK : judge(t, status);
}

static struct err
handshake(struct tls *t)
{
	int status = SSL_do_handshake(t->ssl);

	if (status != 1)
		return judge(t, status);
	TRY(settle(t));
	struct err e = put(t, buf_bytes(&t->early));
	buf_wipe(&t->early);
	return e;
}

static struct err
begin_call(struct tls *t, struct buf *wire)
{
	/* What another left in the queue would be taken for ours. Emptying it costs more than to
	 * look. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	t->wire.out = wire;
	return t->fault;
}

struct err
tls_begin(struct tls *t, struct buf *wire)
{
	TRY(begin_call(t, wire));
	struct err e = handshake(t);
	t->wire.out = NULL;
	return e;
}

struct err
tls_feed(struct tls *t, struct bytes in, struct buf *wire)
{
	TRY(begin_call(t, wire));
	struct err e = tls_wire_feed(&t->wire, in);
	if (!failed(e) && !t->is_done)
		e = handshake(t);
	t->wire.out = NULL;
	return e;
}

struct err
tls_read(struct tls *t, uint8_t *at, size_t room, struct buf *wire, size_t *ret_len)
{
	struct err e = OK;

	*ret_len = 0;
	if (!t->is_done || t->has_ended)
		return t->fault;
	TRY(begin_call(t, wire));
	int status = SSL_read_ex(t->ssl, at, room, ret_len);
	if (status != 1) {
		*ret_len = 0;
		e = judge(t, status);
	}
	t->wire.out = NULL;
	return e;
}

struct err
tls_hold(struct tls *t)
{
	return tls_wire_hold(&t->wire);
}

bool
tls_has_more(const struct tls *t)
{
	return t->is_done && !t->has_ended && !failed(t->fault) &&
	       (tls_wire_has_more(&t->wire) || SSL_pending(t->ssl) > 0);
}

bool
tls_has_ended(const struct tls *t)
{
	return t->has_ended;
}

struct err
tls_write(struct tls *t, struct bytes plain, struct buf *wire)
{
	if (!t->is_done) {
		buf_put(&t->early, plain);
		return failed(t->fault) ? t->fault : buf_check(&t->early);
	}
	TRY(begin_call(t, wire));
	struct err e = put(t, plain);
	t->wire.out = NULL;
	return e;
}

void
tls_end(struct tls *t, struct buf *wire)
{
	if (!t->is_done || failed(begin_call(t, wire)))
		return;
	(void)SSL_shutdown(t->ssl); /* not waited for: the peer's comes or not */
	t->wire.out = NULL;
}

const struct tls_peer *
tls_peer(const struct tls *t)
{
	return t->is_done ? &t->peer : NULL;
}
