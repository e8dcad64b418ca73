/* fetcher_metrics.c - the counters of the shared page as OpenTelemetry has them: the same families
 * as /metrics, named "gatewarden." and what they are called there, with the unit told apart. */
#include "base/clock.h"
#include "base/macros.h"
#include "process/fetcher_telemetry.h"

static const struct {
	const char *suffix, *unit;
} units[] = {
	{ "_seconds", "s" },
	{ "_bytes", "By" },
};

static void
put_family(void *of, const struct metrics_family *f)
{
	static const enum otlp_metric types[] = { [METRICS_COUNTER] = OTLP_SUM,
		                                  [METRICS_GAUGE] = OTLP_GAUGE,
		                                  [METRICS_HISTOGRAM] = OTLP_HISTOGRAM };
	CLEANUP(buf_done) struct buf name = { 0 };
	const char *unit = "1";
	size_t len = strlen(f->name);

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t suffix = strlen(units[i].suffix);
		if (len <= suffix || strcmp(f->name + len - suffix, units[i].suffix) != 0)
			continue;
		len -= suffix;
		unit = units[i].unit;
		break;
	}
	buf_put_text(&name, "gatewarden.");
	buf_put(&name, (struct bytes){ (const uint8_t *)f->name, len });
	otlp_metric_begin(of, buf_bytes(&name), bytes_text(f->help), unit, types[f->type]);
}

static void
put_point(void *of, const struct metrics_family *f, const struct metrics_point *p)
{
	struct otlp_attribute labels[METRICS_LABELS_MAX];
	double bounds[METRICS_BUCKETS - 1];

	(void)f;
	for (size_t i = 0; i < p->label_count; i++)
		labels[i] = (struct otlp_attribute){ .name = p->labels[i].name,
			                             .text = p->labels[i].value };
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		bounds[i] = (double)METRICS_BOUNDS_US[i] / 1e6;
	const struct otlp_point point = { .attributes = labels,
		                          .attribute_count = p->label_count,
		                          .number = p->value,
		                          .sum = (double)p->value / 1e6,
		                          .is_double = p->is_micro,
		                          .buckets = p->buckets,
		                          .bounds = bounds,
		                          .bound_count = ARRAY_LEN(bounds) };
	otlp_point_put(of, &point);
}

void
telemetry_put_metrics(struct buf *out, const struct start *s, const struct otlp_resource *resource)
{
	static const struct metrics_reader reader = { .family = put_family, .point = put_point };
	struct otlp_writer w = { .out = out,
		                 .start_ns = counter_get(&s->metrics->started_us) * 1000,
		                 .now_ns = (uint64_t)clock_wall_us() * 1000 };

	otlp_metrics_begin(&w, resource);
	metrics_read(s->metrics, s->settings, &reader, &w);
	otlp_metrics_end(&w);
}
