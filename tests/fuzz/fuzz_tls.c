/* The bytes of a caller before it is known who it is: a server's handshake, fed in pieces. It never
 * ends well, and never otherwise than with an error of the peer. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/tls.h"

/* A certificate of its own, in two files. */
static void
write_certificate(const char *certificate, const char *key)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = X509_new();
	FILE *f;

	if (pkey == NULL || x == NULL || ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1 ||
	    X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, NULL) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(x), 1000, 0, NULL) == NULL ||
	    X509_set_pubkey(x, pkey) != 1 || X509_sign(x, pkey, EVP_sha256()) == 0)
		abort();
	if ((f = fopen(certificate, "w")) == NULL || PEM_write_X509(f, x) != 1 || fclose(f) != 0)
		abort();
	if ((f = fopen(key, "w")) == NULL ||
	    PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
		abort();
	X509_free(x);
	EVP_PKEY_free(pkey);
}

static struct tls_context *
context_new(void)
{
	char folder[] = "/tmp/gatewarden-fuzz-XXXXXX", certificate[64], key[64];
	const struct tls_certificate c = { certificate, key };
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	const struct tls_options o = { .certificates = &c, .certificate_count = 1, .alpn = alpn };
	const uint8_t secret[TLS_TICKET_KEY_LEN] = { 1 };
	struct tls_context *context;

	if (mkdtemp(folder) == NULL)
		abort();
	snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
	snprintf(key, sizeof key, "%s/k.pem", folder);
	write_certificate(certificate, key);
	if (failed(tls_server_context(&o, &context, NULL)))
		abort();
	tls_context_set_ticket_secret(context, secret);
	(void)unlink(certificate);
	(void)unlink(key);
	(void)rmdir(folder);
	return context;
}

/* The first byte says how long the pieces are. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_context *context;
	struct buf wire = { 0 };
	struct err e = { 0 };
	struct tls *t;
	uint8_t at[64];
	size_t len;

	if (size == 0)
		return 0;
	if (context == NULL)
		context = context_new();
	if (failed(tls_new(context, NULL, &t)))
		abort();
	size_t step = data[0] == 0 ? size : data[0];
	for (size_t i = 1; i < size && !failed(e); i += step) {
		e = tls_feed(t, (struct bytes){ data + i, size - i < step ? size - i : step },
		             &wire);
		if (!failed(e))
			e = tls_read(t, at, sizeof at, &wire, &len);
		if (!failed(e))
			e = tls_hold(t);
	}
	if (failed(e) && (e.kind != ERR_PEER || e.why == NULL))
		abort();
	/* A handshake needs an answer of ours that no fixed bytes can fit. */
	if (tls_peer(t) != NULL)
		abort();
	tls_free(t);
	buf_done(&wire);
	return 0;
}
