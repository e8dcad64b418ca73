/* Every line of /metrics is what Prometheus reads, and the numbers are those that were counted. */
#include "frontend/metrics.h"

#include "base/macros.h"
#include "test.h"

static struct metrics metrics;
static struct resource_settings resources[] = { { .name = "books" }, { .name = "authors" } };
static const struct settings settings = { .resources = resources,
	                                  .resource_count = ARRAY_LEN(resources) };

static bool
has_line(const struct buf *text, const char *line)
{
	struct bytes rest = buf_bytes(text);

	while (rest.len > 0) {
		struct bytes one = bytes_slice(rest, 0, bytes_find(rest, '\n'));
		if (bytes_is(one, line))
			return true;
		rest = bytes_slice(rest, one.len + 1, rest.len);
	}
	return false;
}

static void
test_workers_are_summed(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	metrics = (struct metrics){ 0 };
	counter_set(&metrics.worker_count, 2);
	counter_add(&metrics.workers[0].requests[2], 3);
	counter_add(&metrics.workers[1].requests[2], 4);
	counter_add(&metrics.workers[2].requests[2], 100); /* beyond the count */
	counter_add(&metrics.workers[1].denials[1][ACTION_DELETE][METRICS_RULE_DENY], 5);
	counter_add(&metrics.workers[1]
	                     .denials[METRICS_RESOURCES_MAX][ACTION_READ][METRICS_RULE_DEFAULT],
	            6);
	counter_add(&metrics.workers[0].decisions[1], 7);
	counter_set(&metrics.workers[0].connections_open, 8);
	counter_add(&metrics.restarts[METRICS_KEEPER], 9);
	metrics_put(&text, &metrics, &settings);
	CHECK(has_line(&text, "gatewarden_requests_total{status=\"2xx\"} 7"));
	CHECK(has_line(&text, "gatewarden_denials_total{resource=\"authors\",action=\"delete\","
	                      "rule=\"deny\"} 5"));
	CHECK(has_line(
		&text,
		"gatewarden_denials_total{resource=\"\",action=\"read\",rule=\"default\"} 6"));
	CHECK(has_line(&text, "gatewarden_decisions_total{outcome=\"denied\"} 7"));
	CHECK(has_line(&text, "gatewarden_connections_open 8"));
	CHECK(has_line(&text, "gatewarden_restarts_total{process=\"keeper\"} 9"));
}

static void
test_a_worker_that_ended_has_nothing_open(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	metrics = (struct metrics){ 0 };
	counter_set(&metrics.worker_count, 2);
	for (size_t i = 0; i < 2; i++) {
		counter_set(&metrics.workers[i].is_ready, 1);
		counter_set(&metrics.workers[i].connections_open, 8);
		counter_set(&metrics.workers[i].keeper_waiting, 3);
		counter_add(&metrics.workers[i].connections, 10);
	}
	metrics_worker_ended(&metrics.workers[0]);
	metrics_put(&text, &metrics, &settings);
	CHECK(has_line(&text, "gatewarden_workers_ready 1"));
	CHECK(has_line(&text, "gatewarden_connections_open 8"));
	CHECK(has_line(&text, "gatewarden_keeper_waiting 3"));
	CHECK(has_line(&text, "gatewarden_connections_total 20"));
}

static void
test_a_latency_counts_in_its_bucket_and_all_above(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	static const uint64_t times_us[] = { 0, 50, 51, 1000, 5000000, 5000001, UINT32_MAX };

	metrics = (struct metrics){ 0 };
	counter_set(&metrics.worker_count, 1);
	for (size_t i = 0; i < ARRAY_LEN(times_us); i++)
		metrics_observe_latency(&metrics.workers[0], times_us[i]);
	metrics_put(&text, &metrics, &settings);
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_bucket{le=\"5e-05\"} 2"));
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_bucket{le=\"0.0001\"} 3"));
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_bucket{le=\"0.001\"} 4"));
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_bucket{le=\"5\"} 5"));
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_bucket{le=\"+Inf\"} 7"));
	CHECK(has_line(&text, "gatewarden_request_duration_seconds_count 7"));
}

/* name{labels} number, each behind a TYPE line of its name. */
static void
test_each_line_has_the_form(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct bytes type = { 0 };

	metrics_put(&text, &metrics, &settings);
	struct bytes rest = buf_bytes(&text);
	CHECK(rest.len > 0 && rest.at[rest.len - 1] == '\n');
	while (rest.len > 0) {
		struct bytes line = bytes_slice(rest, 0, bytes_find(rest, '\n'));
		rest = bytes_slice(rest, line.len + 1, rest.len);
		if (bytes_starts(line, BYTES("# HELP ")))
			continue;
		if (bytes_starts(line, BYTES("# TYPE "))) {
			struct bytes name = bytes_slice(line, 7, line.len);
			type = bytes_slice(name, 0, bytes_find(name, ' '));
			continue;
		}
		size_t space = bytes_find(line, ' ');
		CHECK(bytes_starts(line, type) && space + 1 < line.len);
		CHECK(bytes_find(bytes_slice(line, space + 1, line.len), ' ') ==
		      line.len - space - 1);
	}
}

TESTS(TEST(test_workers_are_summed), TEST(test_a_worker_that_ended_has_nothing_open),
      TEST(test_a_latency_counts_in_its_bucket_and_all_above), TEST(test_each_line_has_the_form))
