/* server.h - a listener and its connections. One for data, one for admin, each with its own
 * endpoints. */
#ifndef FRONTEND_SERVER_H
#define FRONTEND_SERVER_H

#include "frontend/gate.h"
#include "io/deadline.h"
#include "io/stream.h"
#include "io/tls.h"

struct server {
	struct gate *gate;
	struct listener listener;
	const struct endpoint *endpoints; /* ends with a NULL path */
	struct tls_context *tls;          /* owned; NULL: the listener speaks plain text */
	bool is_listening, is_draining;
	struct list connections;
	size_t connection_count;
	/* What its connections are doing: each is on one of these. */
	struct deadline_list head, idle, body, work, write, stream, linger;
	uv_timer_t timer;
	struct peer_counts *peers;
	void (*drained)(struct server *s); /* the last connection has closed after server_drain() */
	void *owner;                       /* for `drained` */
};

/* Accepts nothing until server_accept(). `tls` (may be NULL) is the server's from now on. */
struct err server_init(struct server *s, struct gate *gate, const struct endpoint *endpoints,
                       struct tls_context *tls);
/* Takes the listening socket. */
struct err server_accept(struct server *s, int fd);
/* A connected socket, owned from now on. */
void server_adopt(struct server *s, int fd);
/* Stops accepting, lets requests finish and closes behind their answers. Idle connections without
 * TLS are given to `take` (which sends the socket elsewhere; the descriptor stays ours); without
 * one, and with TLS, they are closed. */
void server_drain(struct server *s, void (*take)(struct server *s, int fd));

/* For connection.c. */
/* Counts the connection in; false: there is no room for it, or not for its address. */
bool server_enter(struct server *s, struct list *node, const char *address);
/* Counts it out. `address` as given to server_enter(), or empty when that refused it. */
void server_leave(struct server *s, struct list *node, const char *address);

#endif
