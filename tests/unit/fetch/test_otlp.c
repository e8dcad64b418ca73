/* What a collector is sent is JSON, and says what was put. */
#include "fetch/otlp.h"

#include "base/macros.h"
#include "format/json.h"
#include "test.h"

static const uint8_t trace[16] = { 0x0a, 0xf7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xff };
static const uint8_t span[8] = { 0xb7, 1, 2, 3, 4, 5, 6, 7 },
		     parent[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };

static const struct otlp_resource resource = { .service_name = { (const uint8_t *)"gate\"\n<", 7 },
	                                       .service_version = { (const uint8_t *)"1.2", 3 },
	                                       .instance_id = { (const uint8_t *)"i", 1 } };

static const struct json *
parse(const struct buf *text, struct arena *arena)
{
	const struct json *root = NULL;
	struct json_error error = { 0 };

	CHECK(!failed(buf_check(text)));
	if (failed(json_parse(buf_bytes(text), arena, &root, &error)))
		CHECK_ROW(false, error.why);
	return root;
}

/* The first item of a member that is a list. */
static const struct json *
first_of(const struct json *object, const char *name)
{
	const struct json *list = json_member(object, name);

	return list == NULL ? NULL : json_first(list);
}

static bool
text_is(const struct json *object, const char *name, const char *expected)
{
	return bytes_is(json_member_text(object, name), expected);
}

/* The value of an attribute, as text; empty: there is none. */
static struct bytes
attribute(const struct json *object, const char *key)
{
	const struct json *list = json_member(object, "attributes");

	for (const struct json *i = json_first(list); i != NULL; i = json_next(list, i)) {
		const struct json *value = json_member(i, "value");
		if (!text_is(i, "key", key))
			continue;
		struct bytes text = json_member_text(value, "stringValue");
		return text.len > 0 ? text : json_member_text(value, "intValue");
	}
	return (struct bytes){ 0 };
}

static void
test_a_span_says_all_of_itself(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	const struct otlp_attribute attributes[] = {
		{ .name = "url.path", .text = BYTES("/a\"b\\\x01\xff<") },
		{ .name = "left.out", .text = { 0 } },
		{ .name = "http.response.status_code", .type = OTLP_NUMBER, .number = 503 },
	};
	struct otlp_span s = { .trace = { trace, 16 },
		               .span = { span, 8 },
		               .parent = { parent, 8 },
		               .kind = OTLP_SERVER,
		               .method = BYTES("GET"),
		               .where = BYTES("/a/*"),
		               .start_ns = UINT64_C(1795340967307769123),
		               .end_ns = UINT64_C(1795340967608055456),
		               .is_error = true,
		               .attributes = attributes,
		               .attribute_count = ARRAY_LEN(attributes) };

	otlp_spans_begin(&out, &resource);
	otlp_span_put(&out, &s, true);
	s.kind = OTLP_CLIENT;
	s.is_error = false;
	s.where = s.parent = (struct bytes){ 0 };
	s.attribute_count = 0;
	otlp_span_put(&out, &s, false);
	otlp_spans_end(&out);

	const struct json *of = first_of(parse(&out, &arena), "resourceSpans");
	CHECK(bytes_is(attribute(json_member(of, "resource"), "service.name"), "gate\"\n<"));
	CHECK(bytes_is(attribute(json_member(of, "resource"), "service.version"), "1.2"));
	CHECK(bytes_is(attribute(json_member(of, "resource"), "service.instance.id"), "i"));
	const struct json *scope = first_of(of, "scopeSpans");
	const struct json *spans = json_member(scope, "spans");
	CHECK(spans != NULL && spans->count == 2);
	const struct json *one = json_first(spans), *two = json_next(spans, one);
	int64_t number = 0;
	CHECK(text_is(one, "traceId", "0af70102030405060708090a0b0c0dff"));
	CHECK(text_is(one, "spanId", "b701020304050607"));
	CHECK(text_is(one, "parentSpanId", "0807060504030201"));
	CHECK(text_is(one, "name", "GET /a/*"));
	CHECK(json_int64(json_member(one, "kind"), &number) && number == 2);
	CHECK(text_is(one, "startTimeUnixNano", "1795340967307769123"));
	CHECK(text_is(one, "endTimeUnixNano", "1795340967608055456"));
	CHECK(bytes_is(attribute(one, "url.path"), "/a\"b\\\x01\xef\xbf\xbd<"));
	CHECK(bytes_is(attribute(one, "http.response.status_code"), "503"));
	CHECK(json_member(one, "attributes")->count == 2);
	CHECK(json_int64(json_member(json_member(one, "status"), "code"), &number) && number == 2);
	CHECK(text_is(two, "name", "GET") && json_member(two, "parentSpanId") == NULL &&
	      json_member(two, "status") == NULL);
	CHECK(json_int64(json_member(two, "kind"), &number) && number == 3);
}

static void
test_metrics_of_each_type_say_all_of_themselves(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	const struct otlp_attribute label = { .name = "route", .text = BYTES("/a") };
	static const uint64_t buckets[] = { 3, 0, UINT64_C(9007199254740993) };
	static const double bounds[] = { 0.05, 2.5 };
	const struct otlp_point number = { .attributes = &label,
		                           .attribute_count = 1,
		                           .number = UINT64_C(9007199254740993) };
	const struct otlp_point fraction = { .is_double = true, .sum = 0.25 };
	const struct otlp_point histogram = {
		.sum = 1.5, .buckets = buckets, .bounds = bounds, .bound_count = 2
	};
	struct otlp_writer w = { .out = &out, .start_ns = 5, .now_ns = 7 };

	otlp_metrics_begin(&w, &resource);
	otlp_metric_begin(&w, BYTES("a.sum"), BYTES("What \"it\" is."), "By", OTLP_SUM);
	otlp_point_put(&w, &number);
	otlp_point_put(&w, &number);
	otlp_metric_begin(&w, BYTES("a.gauge"), BYTES("h"), "1", OTLP_GAUGE);
	otlp_point_put(&w, &fraction);
	otlp_metric_begin(&w, BYTES("a.histogram"), BYTES("h"), "s", OTLP_HISTOGRAM);
	otlp_point_put(&w, &histogram);
	otlp_metrics_end(&w);

	const struct json *of = first_of(parse(&out, &arena), "resourceMetrics");
	const struct json *metrics = json_member(first_of(of, "scopeMetrics"), "metrics");
	CHECK(metrics != NULL && metrics->count == 3);
	const struct json *sum = json_first(metrics), *gauge = json_next(metrics, sum),
			  *last = json_next(metrics, gauge);
	int64_t temporality = 0;
	double value = 0;
	bool is_monotonic = false;

	CHECK(text_is(sum, "name", "a.sum") && text_is(sum, "unit", "By") &&
	      text_is(sum, "description", "What \"it\" is."));
	const struct json *data = json_member(sum, "sum");
	CHECK(json_bool(json_member(data, "isMonotonic"), &is_monotonic) && is_monotonic);
	CHECK(json_int64(json_member(data, "aggregationTemporality"), &temporality) &&
	      temporality == 2);
	CHECK(json_member(data, "dataPoints")->count == 2);
	const struct json *point = first_of(data, "dataPoints");
	CHECK(text_is(point, "asInt", "9007199254740993") &&
	      text_is(point, "startTimeUnixNano", "5") && text_is(point, "timeUnixNano", "7"));
	CHECK(bytes_is(attribute(point, "route"), "/a"));

	point = first_of(json_member(gauge, "gauge"), "dataPoints");
	CHECK(json_double(json_member(point, "asDouble"), &value) && value == 0.25);
	CHECK(json_member(point, "startTimeUnixNano") == NULL);

	point = first_of(json_member(last, "histogram"), "dataPoints");
	CHECK(text_is(point, "count", "9007199254740996"));
	CHECK(json_double(json_member(point, "sum"), &value) && value == 1.5);
	CHECK(json_member(point, "bucketCounts")->count == 3 &&
	      json_member(point, "explicitBounds")->count == 2);
	CHECK(json_double(first_of(point, "explicitBounds"), &value) && value == 0.05);
}

static void
test_nothing_is_a_message_too(void)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf spans = { 0 }, metrics = { 0 };
	struct otlp_writer w = { .out = &metrics };

	otlp_spans_begin(&spans, &resource);
	otlp_spans_end(&spans);
	CHECK(first_of(parse(&spans, &arena), "resourceSpans") != NULL);
	otlp_metrics_begin(&w, &resource);
	otlp_metrics_end(&w);
	CHECK(first_of(parse(&metrics, &arena), "resourceMetrics") != NULL);
}

TESTS(TEST(test_a_span_says_all_of_itself), TEST(test_metrics_of_each_type_say_all_of_themselves),
      TEST(test_nothing_is_a_message_too))
