/* tls_names.h - the DNS names and IP addresses that a certificate of ours is valid for (RFC 9525:
 * those of subjectAltName, never the common name). */
#ifndef IO_TLS_NAMES_H
#define IO_TLS_NAMES_H

#include "base/bytes.h"

struct tls_names;
struct x509_st; /* X509 of OpenSSL */

/* ERR_CONFIG: a name has a NUL or anything else that no name has: whoever signed it could have
 * meant another. */
struct err tls_names_read(const struct x509_st *certificate, struct tls_names **ret);
void tls_names_free(struct tls_names *n); /* takes NULL */
/* The very name, or one whose first label is "*". Case folds; a port or brackets must be off.
 * `n` may be NULL: it covers nothing. */
bool tls_names_cover(const struct tls_names *n, struct bytes name);
/* May a request for `authority` (host or host:port) come on a connection that was opened for the
 * name `asked` (SNI) with this certificate? It may for another name that the certificate covers (a
 * client that knows so shares the connection: RFC 9113 section 9.1.1), and where one of the two is
 * no name but an address, or empty. */
bool tls_names_serve(const struct tls_names *n, struct bytes asked, struct bytes authority);

#endif
