/* tls_names.h - the DNS names and IP addresses that a certificate of ours is valid for (RFC 9525:
 * those of subjectAltName, never the common name). */
#ifndef IO_TLS_NAMES_H
#define IO_TLS_NAMES_H

#include <openssl/x509.h>

#include "base/bytes.h"

struct tls_names;

/* ERR_CONFIG: a name has a NUL or anything else that no name has: whoever signed it could have
 * meant another. */
struct err tls_names_read(const X509 *certificate, struct tls_names **ret);
void tls_names_free(struct tls_names *n); /* takes NULL */
/* The very name, or one whose first label is "*". Case folds; a port or brackets must be off.
 * `n` may be NULL: it covers nothing. */
bool tls_names_cover(const struct tls_names *n, struct bytes name);

#endif
