/* telemetry.h - what is told of a request besides its audit record: its W3C trace context in and
 * out, a span for the collector, a line of the access log, Server-Timing. Of the admin listener
 * nothing is told. */
#ifndef FRONTEND_TELEMETRY_H
#define FRONTEND_TELEMETRY_H

#include "frontend/gate.h"

struct request;
struct server;
struct telemetry;

enum { TRACE_ID_LEN = 16, SPAN_ID_LEN = 8, TRACE_HEX_LEN = 32 };

/* Moments of a request, monotonic; 0: not reached. In struct request. */
struct timing {
	uint64_t identified_us, decided_us, recording_us, recorded_us; /* timing_mark() */
	uint64_t forwarded_us, answered_us; /* the service was asked, and its head was there */
};

/* W3C Trace Context, level 1: of the caller's traceparent where it is well-formed, else new. Every
 * request has one, so that its audit record and the service's logs can be joined. In struct
 * request. */
struct trace {
	uint8_t id[TRACE_ID_LEN], parent[SPAN_ID_LEN];
	uint8_t span[SPAN_ID_LEN],
		service_span[SPAN_ID_LEN]; /* ours, and of what the service does */
	uint8_t hex[TRACE_HEX_LEN];        /* `id`, as text */
	bool has_parent, is_sampled;
	/* What the access log says of the connection, which may be gone when the request ends. */
	bool is_told, is_http2;
	uint16_t tls_version; /* 0: none */
};

/* Opens the access log: before the sandbox closes. */
struct err telemetry_new(struct gate *g, struct telemetry **ret);
void telemetry_free(struct telemetry *t); /* takes NULL; what is buffered is written */

/* When the head is read. */
void trace_begin(struct request *r);
/* Of a traceparent; *ret is written only when it is well-formed. Later versions are read as far as
 * version 00 goes (section 4.3). */
bool trace_parse(struct bytes parent, struct trace *ret);
/* "traceparent: ..." and the caller's tracestate, for the service. */
void trace_put(const struct request *r, struct buf *lines);

/* A stage (enum stage) has ended: noted where timing_put() will say it. */
void timing_mark(struct request *r, unsigned stage);
/* "Server-Timing: ..." where it is configured. */
void timing_put(const struct request *r, struct buf *lines);

/* The request has ended: its span and its line. */
void telemetry_ended(struct request *r);
/* What was no request, and was answered with `status`: its line. `why` is a literal. */
void telemetry_refused(struct server *server, const char *client, unsigned status, const char *why);

#endif
