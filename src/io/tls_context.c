/* tls_context.c - certificates, trust and rules, read once (RFC 9325 for the choice of versions and
 * ciphers). */
#include "io/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "io/tls_fault.h"
#include "io/tls_handshake.h"
#include "io/tls_names.h"

/* TLS 1.2: with forward secrecy and authenticated encryption only. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers13[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

enum { CHAIN_BYTES_MAX = 65536, CHAIN_DEPTH_MAX = 8 };

/* Nobody is asked for a passphrase: a service has no terminal. */
static int
no_passphrase(char *at, int room, int is_writing, void *of)
{
	(void)at, (void)room, (void)is_writing, (void)of;
	return -1;
}

/* OpenSSL says less of it. */
static struct err
check_readable(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = errno,
			             .why = "the file cannot be read" };
	close(fd);
	return OK;
}

/* Rules */

static struct err
set_rules(SSL_CTX *ssl, const struct tls_options *o)
{
	(void)SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
	                                       SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                       SSL_OP_PRIORITIZE_CHACHA);
	/* An idle connection holds no buffers: there may be ten thousand. */
	(void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ssl, TICKET_HOUR_S);
	(void)SSL_CTX_set_num_tickets(ssl, 0); /* until there is a key for them */
	SSL_CTX_set_max_cert_list(ssl, CHAIN_BYTES_MAX);
	SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH_MAX);
	SSL_CTX_set_security_level(ssl, 2); /* 112 bits: RSA of 2048 */
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	bool is_good = SSL_CTX_set_min_proto_version(ssl, o->is_tls13_only ? TLS1_3_VERSION
	                                                                   : TLS1_2_VERSION) == 1 &&
	               SSL_CTX_set_cipher_list(ssl, ciphers) == 1 &&
	               SSL_CTX_set_ciphersuites(ssl, ciphers13) == 1 &&
	               SSL_CTX_set1_groups_list(ssl, groups) == 1;
	return is_good ? OK : fail(ERR_SYSTEM, "OpenSSL refuses our rules");
}

/* Trust */

static struct err
load_trust(struct tls_context *c, const struct tls_options *o, const char **ret_file)
{
	const char *file = o->ca_file != NULL ? o->ca_file : system_authorities;

	if (o->ca_file == NULL && c->is_server)
		return OK;
	*ret_file = file;
	TRY(check_readable(file));
	c->trust = X509_STORE_new();
	if (c->trust == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	if (X509_STORE_load_file(c->trust, file) != 1)
		return tls_fault_of_file("there is no certificate of an authority in it");
	return OK;
}

/* Tickets of one set of authorities mean nothing under another: who was let in by those would stay
 * in. */
static struct err
set_session_context(const struct tls_context *c, const struct tls_options *o, SSL_CTX *ssl)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = { (uint8_t)o->ask }, sum[TLS_DIGEST_LEN] = { 0 };
	STACK_OF(X509) *all = c->trust == NULL ? NULL : X509_STORE_get1_all_certs(c->trust);
	unsigned len;

	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_digest(sk_X509_value(all, i), EVP_sha256(), digest, &len) != 1)
			continue;
		for (size_t j = 0; j < sizeof sum; j++)
			sum[j] ^= digest[j]; /* whatever their order */
	}
	sk_X509_pop_free(all, X509_free);
	sum[0] ^= (uint8_t)o->ask;
	return SSL_CTX_set_session_id_context(ssl, sum, sizeof sum) == 1
	               ? OK
	               : fail(ERR_SYSTEM, "OpenSSL refuses our rules");
}

static struct err
set_trust(const struct tls_context *c, const struct tls_options *o, SSL_CTX *ssl)
{
	int mode = SSL_VERIFY_NONE;

	if (!c->is_server || o->ask == TLS_REQUIRE_CERTIFICATE)
		mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	else if (o->ask == TLS_ASK_CERTIFICATE)
		mode = SSL_VERIFY_PEER;
	SSL_CTX_set_verify(ssl, mode, NULL);
	if (c->trust != NULL)
		SSL_CTX_set1_cert_store(ssl, c->trust);
	if (c->is_server && mode != SSL_VERIFY_NONE && o->ca_file != NULL)
		SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(o->ca_file));
	return set_session_context(c, o, ssl);
}

/* Certificates */

static void
note_end(struct tls_context *c, const X509 *x)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return;
	int64_t end = timegm(&tm);
	if (c->expires == 0 || end < c->expires)
		c->expires = end;
}

static struct err
load_certificate(struct tls_context *c, const struct tls_certificate *file, struct tls_identity *i,
                 const char **ret_file)
{
	STACK_OF(X509) *chain = NULL;

	*ret_file = file->certificate_file;
	TRY(check_readable(file->certificate_file));
	if (SSL_CTX_use_certificate_chain_file(i->ssl, file->certificate_file) != 1)
		return tls_fault_of_file("there is no certificate in it");
	X509 *own = SSL_CTX_get0_certificate(i->ssl);
	if (c->is_server)
		TRY(tls_names_read(own, &i->names));
	note_end(c, own);
	if (SSL_CTX_get0_chain_certs(i->ssl, &chain) == 1)
		for (int n = 0; n < sk_X509_num(chain); n++)
			note_end(c, sk_X509_value(chain, n));

	*ret_file = file->key_file;
	TRY(check_readable(file->key_file));
	if (SSL_CTX_use_PrivateKey_file(i->ssl, file->key_file, SSL_FILETYPE_PEM) != 1)
		return tls_fault_of_file("there is no private key in it");
	if (SSL_CTX_check_private_key(i->ssl) != 1)
		return tls_fault_of_file("the key does not fit its certificate");
	return OK;
}

static struct err
make_identity(struct tls_context *c, const struct tls_options *o,
              const struct tls_certificate *file, const char **ret_file)
{
	struct tls_identity *i = &c->at[c->count];

	i->ssl = SSL_CTX_new(c->is_server ? TLS_server_method() : TLS_client_method());
	if (i->ssl == NULL)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	c->count++;
	TRY(set_rules(i->ssl, o));
	TRY(set_trust(c, o, i->ssl));
	if (c->is_server)
		tls_handshake_serve(i->ssl);
	else if (c->alpn_len > 0 &&
	         SSL_CTX_set_alpn_protos(i->ssl, c->alpn, (unsigned)c->alpn_len) != 0)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	return file != NULL ? load_certificate(c, file, i, ret_file) : OK;
}

static struct err
put_alpn(struct tls_context *c, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++) {
		size_t len = strlen(*names);

		if (len == 0 || len >= TLS_ALPN_MAX || c->alpn_len + 1 + len > sizeof c->alpn)
			return fail(ERR_CONFIG, "the list of protocols is too long");
		c->alpn[c->alpn_len++] = (uint8_t)len;
		memcpy(c->alpn + c->alpn_len, *names, len);
		c->alpn_len += len;
	}
	return OK;
}

static struct err
fill(struct tls_context *c, const struct tls_options *o, const char **ret_file)
{
	size_t count = o->certificate_count > 0 ? o->certificate_count : 1;

	if (c->is_server && o->certificate_count == 0)
		return fail(ERR_CONFIG, "a listener with TLS needs a certificate");
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return fail(ERR_SYSTEM, "OpenSSL does not start");
	c->wire = tls_wire_method();
	c->at = calloc(count, sizeof *c->at);
	if (c->wire == NULL || c->at == NULL)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	TRY(put_alpn(c, o->alpn));
	TRY(load_trust(c, o, ret_file));
	for (size_t i = 0; i < count; i++)
		TRY(make_identity(c, o, o->certificate_count > 0 ? &o->certificates[i] : NULL,
		                  ret_file));
	return OK;
}

static struct err
context_new(const struct tls_options *o, bool is_server, struct tls_context **ret,
            const char **ret_file)
{
	struct tls_context *c = calloc(1, sizeof *c);
	const char *file = NULL;

	if (ret_file != NULL)
		*ret_file = NULL;
	if (c == NULL)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	c->is_server = is_server;
	struct err e = fill(c, o, &file);
	if (failed(e)) {
		if (ret_file != NULL)
			*ret_file = file;
		tls_context_free(c);
		return e;
	}
	*ret = c;
	return OK;
}

struct err
tls_server_context(const struct tls_options *o, struct tls_context **ret, const char **ret_file)
{
	return context_new(o, true, ret, ret_file);
}

struct err
tls_client_context(const struct tls_options *o, struct tls_context **ret, const char **ret_file)
{
	return context_new(o, false, ret, ret_file);
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++) {
		SSL_CTX_free(c->at[i].ssl);
		tls_names_free(c->at[i].names);
	}
	free(c->at);
	X509_STORE_free(c->trust);
	BIO_meth_free(c->wire);
	tickets_wipe(&c->tickets);
	free(c);
}

void
tls_context_set_ticket_secret(struct tls_context *c, const uint8_t *secret)
{
	tickets_set_secret(&c->tickets, secret);
	/* One is enough: a client that opens several connections at once resumes all of them with
	 * it, or makes a handshake more. */
	for (size_t i = 0; i < c->count; i++)
		(void)SSL_CTX_set_num_tickets(c->at[i].ssl, 1);
}

int64_t
tls_context_expires(const struct tls_context *c)
{
	return c->expires;
}

const struct tls_identity *
tls_context_choose(const struct tls_context *c, struct bytes name)
{
	for (size_t i = 0; i < c->count; i++)
		if (tls_names_cover(c->at[i].names, name))
			return &c->at[i];
	return &c->at[0];
}
