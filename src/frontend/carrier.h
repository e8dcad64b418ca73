/* carrier.h - what brings a request and takes its answer: an HTTP/1.1 connection (connection.c), or
 * one stream of an HTTP/2 connection. The request knows no more of it than this. */
#ifndef FRONTEND_CARRIER_H
#define FRONTEND_CARRIER_H

#include "base/bytes.h"
#include "base/step.h"
#include "io/stream.h"

struct carrier;
struct request;
struct server;

struct carrier_ops {
	/* Begins to read the body whole into the request; resumes it when it is complete or wrong.
	 */
	struct err (*receive)(struct carrier *c);
	/* Begins to give the body to endpoint->body, part by part. Of a request to upgrade: all
	 * that comes after the 101; ERR_PEER when something came before it. */
	struct err (*stream)(struct carrier *c);
	/* Back-pressure on a streamed body: nothing is read from the caller while it is off. */
	void (*read)(struct carrier *c, bool on);
	/* 100, 103 and the like: sent before the answer. `fields` are "Name: value" lines. */
	struct err (*interim)(struct carrier *c, unsigned status, struct bytes fields);
	/* Sends the request's answer, or what is new of it. STEP_MORE: the request is resumed when
	 * it has left. */
	struct err (*answer)(struct carrier *c, enum step *step);
	/* The request has ended, and is freed by this call. */
	void (*finished)(struct carrier *c);
};

/* Embedded in what brings the request; outlives it, or calls request_abandon(). */
struct carrier {
	const struct carrier_ops *ops;
	struct server *server;
	struct request *request;
	const char *address;           /* the peer's, without the port */
	const struct tls_peer *secure; /* what TLS says of the connection; NULL: there is none */
	bool is_http2;
};

static inline struct err
carrier_receive(struct carrier *c)
{
	return c->ops->receive(c);
}

static inline struct err
carrier_stream(struct carrier *c)
{
	return c->ops->stream(c);
}

static inline void
carrier_read(struct carrier *c, bool on)
{
	c->ops->read(c, on);
}

static inline struct err
carrier_interim(struct carrier *c, unsigned status, struct bytes fields)
{
	return c->ops->interim(c, status, fields);
}

static inline struct err
carrier_answer(struct carrier *c, enum step *step)
{
	return c->ops->answer(c, step);
}

static inline void
carrier_finished(struct carrier *c)
{
	c->ops->finished(c);
}

#endif
