/* telemetry.h - what is told of a request besides its audit record: its W3C trace context in and
 * out, a span for the collector, a line of the access log, Server-Timing. */
#ifndef FRONTEND_TELEMETRY_H
#define FRONTEND_TELEMETRY_H

#include "frontend/gate.h"

struct request;
struct telemetry;

enum { TRACE_ID_LEN = 16, SPAN_ID_LEN = 8 };

/* Times of a request's stages, monotonic; 0: not reached. In struct request. */
struct timing {
	uint64_t identified_us, decided_us, recorded_us, forwarded_us, answered_us;
};

/* W3C Trace Context, level 1: of the caller's traceparent where it is well-formed, else new. Every
 * request has one, so that its audit record and the service's logs can be joined. In struct
 * request. */
struct trace {
	uint8_t id[TRACE_ID_LEN], parent[SPAN_ID_LEN], span[SPAN_ID_LEN];
	bool has_parent, is_sampled;
};

/* Opens the access log: before the sandbox closes. */
struct err telemetry_new(struct gate *g, struct telemetry **ret);
void telemetry_free(struct telemetry *t); /* takes NULL; what is buffered is written */

/* When the head is read. */
void trace_begin(struct request *r);
/* "traceparent: ..." and the caller's tracestate, for the service. */
void trace_put(const struct request *r, struct buf *lines);
/* "Server-Timing: ..." where it is configured. */
void timing_put(const struct request *r, struct buf *lines);
/* The request has ended: its span and its line. */
void telemetry_ended(struct request *r);

#endif
