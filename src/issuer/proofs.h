/* proofs.h - DPoP proofs that were seen (RFC 9449 section 11.1). In memory: one is accepted for a
 * few minutes only, and workers have nothing in mind that a restart of keeper would bring back. */
#ifndef ISSUER_PROOFS_H
#define ISSUER_PROOFS_H

#include "base/bytes.h"

struct proofs; /* owned; room for 2000 a second; at most 48 MiB, taken as it fills */

enum { PROOF_LIFE_S = 660 }; /* past and future a proof's `iat` may lie in, and some */

struct err proofs_new(struct proofs **ret);
void proofs_free(struct proofs *p);
/* ERR_IDENTITY: seen before. ERR_LIMIT: there is no room to remember it, so it must not be
 * accepted. `id`: 32 bytes. `now_us`: monotonic. */
struct err proofs_add(struct proofs *p, struct bytes id, uint64_t now_us);

#endif
