/* fetcher_telemetry.h - spans that workers send, and the counters of the shared page, to a
 * collector: OTLP over HTTP, in JSON. For the files of fetcher.
 *
 * A collector that is slow or away costs memory up to a bound, then spans; never a caller. */
#ifndef PROCESS_FETCHER_TELEMETRY_H
#define PROCESS_FETCHER_TELEMETRY_H

#include "fetch/otlp.h"
#include "process/fetcher.h"

struct err telemetry_start(struct fetcher *f);
/* The configuration was read: what waits is sent where it says now. */
void telemetry_set(struct fetcher *f);
/* Takes a fetcher whose telemetry never started. One last try is not made. */
void telemetry_stop(struct fetcher *f);
/* FETCH_SPANS. false: malformed. */
bool telemetry_take(struct fetcher *f, struct bytes spans);

/* fetcher_spans.c: the spans at the start of `queue` as one message, `max` requests at most. How
 * many they are, and *ret_len bytes of the queue. */
size_t telemetry_put_spans(struct buf *out, struct bytes queue, size_t max,
                           const struct otlp_resource *resource, size_t *ret_len);
/* fetcher_metrics.c */
void telemetry_put_metrics(struct buf *out, const struct start *s,
                           const struct otlp_resource *resource);

#endif
