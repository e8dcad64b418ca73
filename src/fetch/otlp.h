/* otlp.h - spans and metrics as a collector takes them: OTLP/HTTP in its JSON form (OpenTelemetry
 * Protocol 1.x, opentelemetry/proto/{trace,metrics}/v1). Pure.
 *
 * Ids are lower-case hex, 64-bit integers are text, as that form has it. */
#ifndef FETCH_OTLP_H
#define FETCH_OTLP_H

#include "base/buf.h"

/* Who tells. All borrowed. */
struct otlp_resource {
	struct bytes service_name, service_version, instance_id;
};

enum otlp_value { OTLP_TEXT, OTLP_NUMBER };
/* An empty text is left out. `name` is a literal of the semantic conventions. */
struct otlp_attribute {
	const char *name;
	enum otlp_value type;
	struct bytes text;
	int64_t number;
};

/* Spans */

enum otlp_kind { OTLP_SERVER = 2, OTLP_CLIENT = 3 };
struct otlp_span {
	struct bytes trace, span, parent; /* 16, 8 and 8 bytes; no parent: empty */
	enum otlp_kind kind;
	struct bytes method, where; /* its name: "GET /books"; `where` may be empty */
	uint64_t start_ns, end_ns;  /* since 1970 */
	bool is_error;
	const struct otlp_attribute *attributes;
	size_t attribute_count;
};
/* begin, then one span after the other (`is_first`), then end. */
void otlp_spans_begin(struct buf *out, const struct otlp_resource *r);
void otlp_span_put(struct buf *out, const struct otlp_span *s, bool is_first);
void otlp_spans_end(struct buf *out);

/* Metrics */

enum otlp_metric { OTLP_SUM, OTLP_GAUGE, OTLP_HISTOGRAM };
struct otlp_writer {
	struct buf *out;
	uint64_t start_ns, now_ns; /* all sums count from `start_ns` on */
	enum otlp_metric type;
	bool has_metric, has_point;
};
struct otlp_point {
	const struct otlp_attribute *attributes;
	size_t attribute_count;
	uint64_t number;
	double sum;
	bool is_double; /* `sum` instead of `number` */
	/* Histogram: one bucket more than bounds. */
	const uint64_t *buckets;
	const double *bounds;
	size_t bound_count;
};
void otlp_metrics_begin(struct otlp_writer *w, const struct otlp_resource *r);
/* `name`: letters, digits, '.', '_'. Points of it follow. */
void otlp_metric_begin(struct otlp_writer *w, struct bytes name, struct bytes help,
                       const char *unit, enum otlp_metric type);
void otlp_point_put(struct otlp_writer *w, const struct otlp_point *p);
void otlp_metrics_end(struct otlp_writer *w);

#endif
