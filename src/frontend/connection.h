/* connection.h - one HTTP/1.1 connection: bytes in, one request at a time, answers in order. */
#ifndef FRONTEND_CONNECTION_H
#define FRONTEND_CONNECTION_H

#include "base/step.h"
#include "frontend/gate.h"
#include "io/deadline.h"
#include "io/stream.h"

struct connection;

/* A listener and its connections. One for data, one for admin, each with its own endpoints. */
struct server {
	struct gate *gate;
	struct listener listener;
	const struct endpoint *endpoints; /* ends with a NULL path */
	bool is_listening, is_draining;
	struct list connections;
	size_t connection_count;
	struct deadline_list head, idle, body, work, write, linger;
	uv_timer_t timer;
	struct peer_counts *peers;
	void (*drained)(struct server *s); /* the last connection has closed after server_drain() */
	void *owner;                       /* for `drained` */
};

/* Takes the listening socket; accepts nothing until server_accept(). */
struct err server_init(struct server *s, struct gate *gate, const struct endpoint *endpoints);
struct err server_accept(struct server *s, int fd);
/* A connected socket, owned from now on. */
void server_adopt(struct server *s, int fd);
/* Stops accepting, lets requests finish and closes behind their answers. Idle connections are given
 * to `take` (which sends the socket elsewhere; the descriptor stays ours) or, when it is NULL,
 * closed. */
void server_drain(struct server *s, void (*take)(struct server *s, int fd));

/* For request.c. */
/* Begins to read the body into the request; resumes it when it is complete or wrong. */
struct err connection_receive(struct connection *c);
/* Sends the request's answer, or what is new of it. STEP_MORE: the request is resumed when it has
 * left. */
struct err connection_answer(struct connection *c, enum step *step);
/* The request has ended: the next one. */
void connection_finished(struct connection *c);
const struct server *connection_server(const struct connection *c);
struct bytes connection_address(const struct connection *c);

#endif
