/* config_telemetry.c - the rows of what is told of requests besides the audit log. */
#include "config/config_reader.h"

#include "base/macros.h"

static void telemetry_finish(struct config_reader *r, const struct node *n, void *telemetry);

/* Tables, read by the row. */
/* clang-format off */
static const struct setting telemetry_rows[] = {
	{ .name = "traces", .kind = SETTING_TEXT, .form = &form_url, .min = 1, .max = 2048,
	  .offset = offsetof(struct telemetry_settings, traces_url),
	  .help = "Where spans are sent: OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`." },
	{ .name = "metrics", .kind = SETTING_TEXT, .form = &form_url, .min = 1, .max = 2048,
	  .offset = offsetof(struct telemetry_settings, metrics_url),
	  .help = "Where metrics are sent, likewise: `http://127.0.0.1:4318/v1/metrics`. They are served at `/metrics` too." },
	{ .name = "headers", .kind = SETTING_SECTION, .section = &secret_section,
	  .offset = offsetof(struct telemetry_settings, headers),
	  .help = "Fields that are sent along, a `Name: value` a line: keys of a collector." },
	{ .name = "service_name", .kind = SETTING_TEXT, .min = 1, .max = 256, .fallback = "gatewarden",
	  .offset = offsetof(struct telemetry_settings, service_name), .help = "What the collector shows us as." },
	{ .name = "interval", .kind = SETTING_MILLISECONDS, .min = 100, .max = HOUR_MS, .fallback = "10s",
	  .offset = offsetof(struct telemetry_settings, interval_ms), .help = "How often metrics are sent, and spans at least." },
	{ .name = "sample", .kind = SETTING_SHARE, .min = 0, .max = PPM_ALL, .fallback = "10%",
	  .offset = offsetof(struct telemetry_settings, sample_ppm),
	  .help = "Of how many requests a span is sent, where the caller's `traceparent` does not say." },
	{ .name = "server_timing", .kind = SETTING_BOOL, .fallback = "false",
	  .offset = offsetof(struct telemetry_settings, has_server_timing),
	  .help = "Answers say in `Server-Timing` how long each stage took." },
	{ .name = "access_log", .kind = SETTING_TEXT, .form = &form_access_log, .min = 1, .max = SETTING_TEXT_MAX, .fallback = "off",
	  .offset = offsetof(struct telemetry_settings, access_log_path),
	  .help = "A line of JSON for each request, with the ID of its decision: to standard output, or to a file." },
};
const struct section telemetry_section = {
	.title = "telemetry", .settings = telemetry_rows, .count = ARRAY_LEN(telemetry_rows), .finish = telemetry_finish,
};
/* clang-format on */

static void
telemetry_finish(struct config_reader *r, const struct node *n, void *telemetry)
{
	struct telemetry_settings *s = telemetry;
	const struct node *headers = node_member(n, "headers");

	s->access_log = s->access_log_path == NULL || strcmp(s->access_log_path, "off") == 0
	                        ? ACCESS_LOG_OFF
	                : strcmp(s->access_log_path, "output") == 0 ? ACCESS_LOG_OUTPUT
	                                                            : ACCESS_LOG_FILE;
	s->access_log_path = s->access_log == ACCESS_LOG_FILE
	                             ? reader_path(r, bytes_text(s->access_log_path))
	                             : NULL;
	if (headers != NULL && s->traces_url == NULL && s->metrics_url == NULL)
		problem_add(&r->problems, headers->key_place,
		            "headers without traces or metrics; expected where they are sent");
}
