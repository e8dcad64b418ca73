/* certificates.h - the files of certificates, keys and authorities that the settings name: read for
 * a listener, checked for the operator, watched for new content. */
#ifndef PROCESS_CERTIFICATES_H
#define PROCESS_CERTIFICATES_H

#include "base/buf.h"
#include "config/config.h"
#include "io/tls.h"

/* TLS of a listener; *ret is NULL where it is off. ERR_CONFIG: the file and what is wrong with it
 * are in the log. `is_speaker`: this worker says for all which certificate ends soon. */
struct err certificates_serve(const struct tls_settings *t, bool is_speaker,
                              struct tls_context **ret);
/* Each that cannot be used, as an error at its place; each that ends within 30 days, as a line of
 * `warnings`. */
void certificates_check(const struct settings *s, struct config_errors *errors,
                        struct buf *warnings);
/* A number that changes when one of the files does. */
uint64_t certificates_seen(const struct settings *s);

#endif
