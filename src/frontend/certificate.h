/* certificate.h - the caller's client certificate, as a reverse proxy that ended its TLS tells it
 * in a field. Pure. */
#ifndef FRONTEND_CERTIFICATE_H
#define FRONTEND_CERTIFICATE_H

#include "base/arena.h"

enum { CERTIFICATE_DIGEST_LEN = 32, CERTIFICATE_FIELD_MAX = 16384 };

/* SHA-256 of the certificate's DER form: what `x5t#S256` of a bound token is (RFC 8705
 * section 3.1). `value` is a byte sequence (RFC 9440 section 2: base64 between colons), or a PEM,
 * percent-encoded (nginx, $ssl_client_escaped_cert). ERR_PEER for anything else, ERR_SYSTEM. */
struct err certificate_digest(struct bytes value, struct arena *arena,
                              uint8_t ret[CERTIFICATE_DIGEST_LEN]);

#endif
