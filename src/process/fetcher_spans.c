/* fetcher_spans.c - a request as OpenTelemetry has it: one span of what we did, and below it one of
 * what we asked of a service. Names are those of the semantic conventions for HTTP (1.23 and
 * later).
 *
 * Who called is left out (`enduser.id`): a collector is for many eyes. The audit record that
 * `gatewarden.decision` names says it. */
#include "base/macros.h"
#include "process/fetcher_telemetry.h"

enum { FIRST_CLIENT_ERROR = 400, FIRST_SERVER_ERROR = 500, PORT_MAX = 65535 };

/* "127.0.0.1:8000", "[::1]:8000": host and port. 0: none is told. */
static uint64_t
split_authority(struct bytes authority, struct bytes *ret_host)
{
	uint64_t port = 0;
	size_t colon = authority.len;

	while (colon > 0 && authority.at[colon - 1] != ':' && authority.at[colon - 1] != ']')
		colon--;
	bool has_port =
		colon > 0 && authority.at[colon - 1] == ':' &&
		!failed(bytes_to_u64(bytes_slice(authority, colon, authority.len), &port)) &&
		port <= PORT_MAX;
	*ret_host = has_port ? bytes_slice(authority, 0, colon - 1) : authority;
	return has_port ? port : 0;
}

/* A number that is not known is left out. */
static size_t
add_number(struct otlp_attribute *a, size_t count, const char *name, uint64_t number)
{
	if (number != 0)
		a[count++] = (struct otlp_attribute){ .name = name,
			                              .type = OTLP_NUMBER,
			                              .number = (int64_t)number };
	return count;
}

static void
put_server(struct buf *out, const struct fetch_span *s, bool is_first)
{
	struct bytes host;
	uint64_t port = split_authority(s->host, &host);
	struct otlp_attribute attributes[12] = {
		{ .name = "http.request.method", .text = s->method },
		{ .name = "http.response.status_code", .type = OTLP_NUMBER, .number = s->status },
		{ .name = "url.path", .text = s->path },
		{ .name = "http.route", .text = s->route },
		{ .name = "server.address", .text = host },
		{ .name = "client.address", .text = s->client },
		{ .name = "user_agent.original", .text = s->user_agent },
		{ .name = "network.protocol.version", .text = s->http_version },
		{ .name = "gatewarden.decision", .text = s->decision },
		{ .name = "gatewarden.outcome", .text = s->outcome },
		{ .name = "gatewarden.rule", .text = s->rule },
	};
	const struct otlp_span span = {
		.trace = { s->trace, sizeof s->trace },
		.span = { s->span, sizeof s->span },
		.parent = { s->parent, s->has_parent ? sizeof s->parent : 0 },
		.kind = OTLP_SERVER,
		.method = s->method,
		.where = s->route,
		.start_ns = s->started_us * 1000,
		.end_ns = (s->started_us + s->duration_us) * 1000,
		.is_error = s->status >= FIRST_SERVER_ERROR,
		.attributes = attributes,
		.attribute_count = add_number(attributes, 11, "server.port", port),
	};

	otlp_span_put(out, &span, is_first);
}

static void
put_client(struct buf *out, const struct fetch_span *s)
{
	struct bytes host;
	uint64_t port = split_authority(s->origin, &host);
	struct otlp_attribute attributes[5] = {
		{ .name = "http.request.method", .text = s->method },
		{ .name = "server.address", .text = host },
		{ .name = "gatewarden.backend", .text = s->backend },
	};
	uint64_t start_us = s->started_us + s->service_after_us;
	size_t count = add_number(attributes, 3, "server.port", port);

	count = add_number(attributes, count, "http.response.status_code",
	                   s->is_answered ? s->status : 0);
	const struct otlp_span span = {
		.trace = { s->trace, sizeof s->trace },
		.span = { s->service_span, sizeof s->service_span },
		.parent = { s->span, sizeof s->span },
		.kind = OTLP_CLIENT,
		.method = s->method,
		.start_ns = start_us * 1000,
		.end_ns = (start_us + s->service_us) * 1000,
		.is_error = !s->is_answered || s->status >= FIRST_CLIENT_ERROR,
		.attributes = attributes,
		.attribute_count = count,
	};

	otlp_span_put(out, &span, false);
}

size_t
telemetry_put_spans(struct buf *out, struct bytes queue, size_t max,
                    const struct otlp_resource *resource, size_t *ret_len)
{
	struct reader r = reader_of(queue);
	struct fetch_span s;
	size_t count = 0;

	otlp_spans_begin(out, resource);
	for (; count < max && !failed(fetch_span_read(&r, &s)); count++) {
		put_server(out, &s, count == 0);
		if (s.has_service)
			put_client(out, &s);
	}
	otlp_spans_end(out);
	*ret_len = queue.len - reader_left(&r);
	return count;
}
