/* peers.h - how many connections each address has open in this worker. Fixed memory: open
 * addressing, as many places as connections are allowed, so it cannot fill up. */
#ifndef FRONTEND_PEERS_H
#define FRONTEND_PEERS_H

#include "base/bytes.h"

struct peer_counts;

struct err peers_new(size_t connections, struct peer_counts **ret);
void peers_free(struct peer_counts *p);
/* false when the address has `limit` already; then it is not counted. */
bool peers_add(struct peer_counts *p, struct bytes address, unsigned limit);
void peers_remove(struct peer_counts *p, struct bytes address);

#endif
