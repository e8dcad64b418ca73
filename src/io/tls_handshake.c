/* tls_handshake.c - see tls_handshake.h. */
#include "io/tls_handshake.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "io/tls_context.h"
#include "io/tls_names.h"

/* Server Name Indication (RFC 6066 section 3). Called once more after a HelloRetryRequest. */

static char *
lower_copy(const char *name)
{
	char *copy = strlen(name) > TLS_NAME_MAX ? NULL : strdup(name);

	for (char *c = copy; c != NULL && *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 'a' - 'A');
	return copy;
}

static int
on_name(SSL *ssl, int *alert, void *of)
{
	struct tls_handshake *h = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_identity *i = &h->context->at[0];

	(void)of;
	free(h->name);
	h->name = NULL;
	if (name != NULL) {
		h->name = lower_copy(name);
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		if (h->name == NULL)
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		i = tls_context_choose(h->context, bytes_text(h->name));
	}
	h->own = i->names;
	if (SSL_get_SSL_CTX(ssl) != i->ssl && SSL_set_SSL_CTX(ssl, i->ssl) == NULL) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 section 3.2: without a protocol in common there is no connection, so that bytes meant
 * for one are never read as another. */
static int
on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len, const unsigned char *offered,
        unsigned offered_len, void *of)
{
	const struct tls_handshake *h = SSL_get_app_data(ssl);
	const struct tls_context *c = h->context;
	unsigned char *chosen;

	(void)of;
	if (c->alpn_len == 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_select_next_proto(&chosen, ret_len, c->alpn, (unsigned)c->alpn_len, offered,
	                          offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Tickets: 1 go on, 2 go on and give a new one, 0 none, -1 error. */

static bool
use_key(const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
        int is_sealing)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
		                                  TICKET_MAC_LEN),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, is_sealing) == 1;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
          EVP_MAC_CTX *mac, int is_sealing)
{
	const struct tls_handshake *h = SSL_get_app_data(ssl);
	struct tickets *tickets = &h->context->tickets;
	int64_t now_s = clock_wall_us() / 1000000;
	const struct ticket_key *k;

	if (is_sealing == 0) {
		k = tickets_find(tickets, now_s, name);
		if (k == NULL)
			return 0;
		if (!use_key(k, iv, cipher, mac, 0))
			return -1;
		return k == tickets_now(tickets, now_s) ? 1 : 2;
	}
	k = tickets_now(tickets, now_s);
	if (k == NULL)
		return 0;
	memcpy(name, k->name, TICKET_NAME_LEN);
	random_fill(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	return use_key(k, iv, cipher, mac, 1) ? 1 : -1;
}

static struct bytes
birth_of(SSL_SESSION *session)
{
	void *at = NULL;
	size_t len = 0;

	if (session == NULL || SSL_SESSION_get0_ticket_appdata(session, &at, &len) != 1)
		len = 0;
	return (struct bytes){ at, len };
}

/* A session that was resumed brings its own. */
static int
on_ticket_made(SSL *ssl, void *of)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	uint8_t birth[TICKET_BIRTH_LEN];

	(void)of;
	if (birth_of(session).len == TICKET_BIRTH_LEN)
		return 1;
	ticket_birth_put(birth, clock_wall_us() / 1000000);
	return SSL_SESSION_set1_ticket_appdata(session, birth, sizeof birth);
}

static SSL_TICKET_RETURN
on_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
                 SSL_TICKET_STATUS status, void *of)
{
	bool is_open = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

	(void)name, (void)name_len, (void)of;
	if (!is_open || !ticket_birth_is_recent(birth_of(session), clock_wall_us() / 1000000))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* In TLS 1.3 clients use a ticket once (RFC 8446 appendix C.4): each brings the next. */
	return status == SSL_TICKET_SUCCESS && SSL_version(ssl) != TLS1_3_VERSION
	               ? SSL_TICKET_RETURN_USE
	               : SSL_TICKET_RETURN_USE_RENEW;
}

void
tls_handshake_serve(SSL_CTX *ssl)
{
	(void)SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
	(void)SSL_CTX_set_session_ticket_cb(ssl, on_ticket_made, on_ticket_opened, NULL);
}
