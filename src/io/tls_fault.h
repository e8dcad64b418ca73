/* tls_fault.h - what OpenSSL's queue of errors says, as one literal of ours. */
#ifndef IO_TLS_FAULT_H
#define IO_TLS_FAULT_H

#include "base/err.h"

/* Of a connection: ERR_PEER, or ERR_SYSTEM where it was our memory. `verify_result` as of
 * SSL_get_verify_result(). Empties the queue. */
struct err tls_fault_of_peer(long verify_result);
/* Of a file that could not be used; `otherwise` where nothing better is known. Empties the queue.
 */
struct err tls_fault_of_file(const char *otherwise);

#endif
