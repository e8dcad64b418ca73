/* otlp.c - see otlp.h. */
#include "fetch/otlp.h"

#include "base/macros.h"
#include "format/json.h"

enum { STATUS_ERROR = 2 };

static const char scope[] = "\"scope\":{\"name\":\"gatewarden\"}";

/* A 64-bit integer: a number of JSON would lose digits in many readers. */
static void
put_number(struct buf *out, uint64_t number)
{
	buf_put_u8(out, '"');
	buf_put_unsigned(out, number);
	buf_put_u8(out, '"');
}

static void
put_hex(struct buf *out, const char *name, struct bytes id)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	buf_put_u8(out, '"');
	buf_put_hex(out, id);
	buf_put_u8(out, '"');
}

static void
put_time(struct buf *out, const char *name, uint64_t ns)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	put_number(out, ns);
}

static void
put_attributes(struct buf *out, const struct otlp_attribute *a, size_t count)
{
	bool is_first = true;

	buf_put_text(out, "\"attributes\":[");
	for (size_t i = 0; i < count; i++) {
		if (a[i].type == OTLP_TEXT && a[i].text.len == 0)
			continue;
		buf_put_text(out, is_first ? "{\"key\":" : ",{\"key\":");
		json_put_string(out, bytes_text(a[i].name));
		if (a[i].type == OTLP_TEXT) {
			buf_put_text(out, ",\"value\":{\"stringValue\":");
			json_put_string(out, a[i].text);
		} else {
			buf_put_text(out, ",\"value\":{\"intValue\":\"");
			buf_put_decimal(out, a[i].number);
			buf_put_u8(out, '"');
		}
		buf_put_text(out, "}}");
		is_first = false;
	}
	buf_put_u8(out, ']');
}

static void
put_resource(struct buf *out, const struct otlp_resource *r)
{
	const struct otlp_attribute attributes[] = {
		{ .name = "service.name", .text = r->service_name },
		{ .name = "service.version", .text = r->service_version },
		{ .name = "service.instance.id", .text = r->instance_id },
	};

	buf_put_text(out, "\"resource\":{");
	put_attributes(out, attributes, sizeof attributes / sizeof *attributes);
	buf_put_u8(out, '}');
}

/* Spans */

void
otlp_spans_begin(struct buf *out, const struct otlp_resource *r)
{
	buf_put_text(out, "{\"resourceSpans\":[{");
	put_resource(out, r);
	buf_printf(out, ",\"scopeSpans\":[{%s,\"spans\":[", scope);
}

static void
put_name(struct buf *out, const struct otlp_span *s)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	buf_put(&name, s->method);
	if (s->where.len > 0)
		buf_put_u8(&name, ' ');
	buf_put(&name, s->where);
	json_put_text(out, "name", buf_bytes(&name));
}

void
otlp_span_put(struct buf *out, const struct otlp_span *s, bool is_first)
{
	buf_put_text(out, is_first ? "{\"traceId\":\"" : ",{\"traceId\":\"");
	buf_put_hex(out, s->trace);
	buf_put_u8(out, '"');
	put_hex(out, "spanId", s->span);
	if (s->parent.len > 0)
		put_hex(out, "parentSpanId", s->parent);
	put_name(out, s);
	buf_printf(out, ",\"kind\":%u", (unsigned)s->kind);
	put_time(out, "startTimeUnixNano", s->start_ns);
	put_time(out, "endTimeUnixNano", s->end_ns);
	buf_put_u8(out, ',');
	put_attributes(out, s->attributes, s->attribute_count);
	if (s->is_error)
		buf_printf(out, ",\"status\":{\"code\":%d}", STATUS_ERROR);
	buf_put_u8(out, '}');
}

void
otlp_spans_end(struct buf *out)
{
	buf_put_text(out, "]}]}]}");
}

/* Metrics */

static const struct {
	const char *name, *more;
} types[] = {
	/* AGGREGATION_TEMPORALITY_CUMULATIVE is 2 */
	[OTLP_SUM] = { "sum", "\"aggregationTemporality\":2,\"isMonotonic\":true," },
	[OTLP_GAUGE] = { "gauge", "" },
	[OTLP_HISTOGRAM] = { "histogram", "\"aggregationTemporality\":2," },
};

void
otlp_metrics_begin(struct otlp_writer *w, const struct otlp_resource *r)
{
	buf_put_text(w->out, "{\"resourceMetrics\":[{");
	put_resource(w->out, r);
	buf_printf(w->out, ",\"scopeMetrics\":[{%s,\"metrics\":[", scope);
	w->has_metric = w->has_point = false;
}

void
otlp_metric_begin(struct otlp_writer *w, struct bytes name, struct bytes help, const char *unit,
                  enum otlp_metric type)
{
	buf_put_text(w->out, w->has_metric ? "]}},{" : "{");
	json_put_name(w->out, "name");
	json_put_string(w->out, name);
	json_put_text(w->out, "description", help);
	json_put_text(w->out, "unit", bytes_text(unit));
	buf_printf(w->out, ",\"%s\":{%s\"dataPoints\":[", types[type].name, types[type].more);
	w->type = type;
	w->has_metric = true;
	w->has_point = false;
}

static void
put_histogram(struct buf *out, const struct otlp_point *p)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= p->bound_count; i++)
		count += p->buckets[i];
	buf_put_text(out, ",\"count\":");
	put_number(out, count);
	buf_put_text(out, ",\"sum\":");
	json_put_double(out, p->sum);
	buf_put_text(out, ",\"bucketCounts\":[");
	for (size_t i = 0; i <= p->bound_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_number(out, p->buckets[i]);
	}
	buf_put_text(out, "],\"explicitBounds\":[");
	for (size_t i = 0; i < p->bound_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		json_put_double(out, p->bounds[i]);
	}
	buf_put_u8(out, ']');
}

void
otlp_point_put(struct otlp_writer *w, const struct otlp_point *p)
{
	buf_put_text(w->out, w->has_point ? ",{" : "{");
	put_attributes(w->out, p->attributes, p->attribute_count);
	if (w->type != OTLP_GAUGE)
		put_time(w->out, "startTimeUnixNano", w->start_ns);
	put_time(w->out, "timeUnixNano", w->now_ns);
	if (w->type == OTLP_HISTOGRAM) {
		put_histogram(w->out, p);
	} else if (p->is_double) {
		buf_put_text(w->out, ",\"asDouble\":");
		json_put_double(w->out, p->sum);
	} else {
		buf_put_text(w->out, ",\"asInt\":");
		put_number(w->out, p->number);
	}
	buf_put_u8(w->out, '}');
	w->has_point = true;
}

void
otlp_metrics_end(struct otlp_writer *w)
{
	buf_put_text(w->out, w->has_metric ? "]}}]}]}]}" : "]}]}]}");
}
