/* connection.h - one connection of a caller. HTTP/1.1: bytes in, one request at a time, answers in
 * order. */
#ifndef FRONTEND_CONNECTION_H
#define FRONTEND_CONNECTION_H

#include "frontend/carrier.h"
#include "frontend/server.h"

/* For server.c. Takes the connected socket; it counts itself in and out of the server. */
void connection_begin(struct server *s, int fd);
/* Ends what has lasted too long. */
void connections_tick(struct server *s, uint64_t now_us);
/* `node` of the server's list: an idle one is given away or closed, any other closes behind its
 * answer. */
void connection_drain(struct list *node, void (*take)(struct server *s, int fd));

#endif
