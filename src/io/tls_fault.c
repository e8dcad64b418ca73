/* tls_fault.c - see tls_fault.h. */
#include "io/tls_fault.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509err.h>
#include <stddef.h>

#include "base/macros.h"
#include "io/tls.h"

struct reason {
	int library, reason;
	const char *why;
};

static const struct reason of_peer[] = {
	{ ERR_LIB_SSL, SSL_R_HTTP_REQUEST, "TLS: a plain HTTP request came where TLS is spoken" },
	{ ERR_LIB_SSL, SSL_R_HTTPS_PROXY_REQUEST,
	  "TLS: a plain HTTP request came where TLS is spoken" },
	{ ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER, "TLS: the peer does not speak TLS" },
	{ ERR_LIB_SSL, SSL_R_UNSUPPORTED_PROTOCOL, "TLS: the peer's version is too old" },
	{ ERR_LIB_SSL, SSL_R_VERSION_TOO_LOW, "TLS: the peer's version is too old" },
	{ ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, "TLS: no cipher in common" },
	{ ERR_LIB_SSL, SSL_R_NO_SUITABLE_KEY_SHARE, "TLS: no group in common" },
	{ ERR_LIB_SSL, SSL_R_NO_SHARED_GROUPS, "TLS: no group in common" },
	{ ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL, "TLS: no protocol in common (ALPN)" },
	{ ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
	  "TLS: the peer showed no certificate" },
	{ ERR_LIB_SSL, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "TLS: a record is forged" },
	{ ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE, "TLS: a record is malformed" },
	{ ERR_LIB_SSL, SSL_R_PACKET_LENGTH_TOO_LONG, "TLS: a record is too long" },
	{ ERR_LIB_SSL, SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "TLS: a record is too long" },
	{ ERR_LIB_SSL, SSL_R_UNEXPECTED_MESSAGE, "TLS: a message came out of turn" },
	{ ERR_LIB_SSL, SSL_R_TLSV1_ALERT_UNKNOWN_CA, "TLS: the peer does not know our authority" },
	{ ERR_LIB_SSL, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
	  "TLS: the peer does not accept our certificate" },
	{ ERR_LIB_SSL, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
	  "TLS: the peer does not accept our certificate" },
	{ ERR_LIB_SSL, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
	  "TLS: the peer says that our certificate has ended" },
	{ ERR_LIB_SSL, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	  "TLS: the peer requires a certificate of ours" },
	{ ERR_LIB_SSL, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "TLS: the peer ended the handshake" },
	{ ERR_LIB_SSL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "TLS: the peer wants another version" },
};

static const struct reason of_file[] = {
	{ ERR_LIB_PEM, PEM_R_NO_START_LINE, "it is not in the form PEM, or not of this kind" },
	{ ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ, "the key is encrypted; it must not be" },
	{ ERR_LIB_PEM, PEM_R_BAD_DECRYPT, "the key is encrypted; it must not be" },
	{ ERR_LIB_PEM, PEM_R_PROBLEMS_GETTING_PASSWORD, "the key is encrypted; it must not be" },
	{ ERR_LIB_SSL, SSL_R_EE_KEY_TOO_SMALL, "its key is too small: RSA needs 2048 bits" },
	{ ERR_LIB_SSL, SSL_R_CA_KEY_TOO_SMALL,
	  "a key of its chain is too small: RSA needs 2048 bits" },
	{ ERR_LIB_SSL, SSL_R_CA_MD_TOO_WEAK, "it is signed with a hash that is too weak" },
	{ ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, "the key does not fit its certificate" },
	{ ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH, "the key does not fit its certificate" },
};

static const struct {
	long result;
	const char *why;
} of_certificate[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "TLS: the peer's certificate has ended" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "TLS: the peer's certificate is not valid yet" },
	{ X509_V_ERR_HOSTNAME_MISMATCH, "TLS: the peer's certificate is of another name" },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, "TLS: the peer's certificate is of another address" },
	{ X509_V_ERR_INVALID_PURPOSE, "TLS: the peer's certificate is for another purpose" },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, "TLS: the key in the peer's certificate is too small" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	  "TLS: who signed the peer's certificate is not known" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	  "TLS: who signed the peer's certificate is not known" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	  "TLS: who signed the peer's certificate is not trusted" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	  "TLS: the peer's certificate is signed by itself" },
};

static const char *
why_not(long verify_result)
{
	for (size_t i = 0; i < ARRAY_LEN(of_certificate); i++)
		if (of_certificate[i].result == verify_result)
			return of_certificate[i].why;
	return "TLS: the peer's certificate is not valid";
}

/* The first in the queue that the table has: what comes behind it only follows from it. */
static const struct reason *
take_reason(const struct reason *table, size_t count, bool *ret_memory)
{
	const struct reason *found = NULL;
	unsigned long e;

	*ret_memory = false;
	while ((e = ERR_get_error()) != 0) {
		*ret_memory |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
		for (size_t i = 0; i < count && found == NULL; i++)
			if (ERR_GET_LIB(e) == table[i].library &&
			    ERR_GET_REASON(e) == table[i].reason)
				found = &table[i];
	}
	return found;
}

struct err
tls_fault_of_peer(long verify_result)
{
	bool is_memory;
	const struct reason *r = take_reason(of_peer, ARRAY_LEN(of_peer), &is_memory);

	if (is_memory)
		return fail(ERR_SYSTEM, "out of memory for TLS");
	if (r == NULL && verify_result != X509_V_OK)
		return fail(ERR_PEER, why_not(verify_result));
	struct err e = fail(ERR_PEER, r != NULL ? r->why : "TLS: the handshake or a record failed");
	if (r != NULL &&
	    (r->reason == SSL_R_HTTP_REQUEST || r->reason == SSL_R_HTTPS_PROXY_REQUEST))
		e.code = TLS_FAULT_PLAIN_HTTP;
	return e;
}

struct err
tls_fault_of_file(const char *otherwise)
{
	bool is_memory;
	const struct reason *r = take_reason(of_file, ARRAY_LEN(of_file), &is_memory);

	if (is_memory)
		return fail(ERR_SYSTEM, "out of memory");
	return fail(ERR_CONFIG, r != NULL ? r->why : otherwise);
}
