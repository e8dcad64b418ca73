/* fuzz_trace.c - what callers and proxies write of a trace, and of who called: traceparent,
 * tracestate, X-Forwarded-For. The first line of the input is the one, the others are lines of the
 * other two. What goes on to a service is well-formed whatever came. */
#include <stdlib.h>

#include "base/macros.h"
#include "frontend/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static struct bytes
take_line(struct bytes *rest)
{
	struct bytes line = bytes_slice(*rest, 0, bytes_find(*rest, '\n'));

	*rest = bytes_slice(*rest, line.len + 1, rest->len);
	return line;
}

static void
add(struct request *r, const char *name, struct bytes value)
{
	if (r->head.field_count < HTTP_FIELDS_MAX && http_value_is_clean(value))
		r->head.fields[r->head.field_count++] =
			(struct http_field){ bytes_text(name), http_trim(value) };
}

/* "00-<32 hex>-<16 hex>-0[01]", and a trace that is not all zeros. */
static void
check_parent(struct bytes line, const struct trace *t)
{
	struct trace again = { 0 };

	demand(bytes_starts(line, BYTES("traceparent: ")));
	demand(trace_parse(bytes_slice(line, 13, line.len - 1), &again));
	demand(memcmp(again.id, t->id, sizeof again.id) == 0 && line.len == 13 + 55 + 1);
}

static void
check_state(struct bytes line)
{
	demand(bytes_starts(line, BYTES("tracestate: ")) && line.len < 2048 + 16);
	for (size_t i = 0; i + 1 < line.len; i++)
		demand(line.at[i] >= 0x20 && line.at[i] < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const proxies[] = { "10.0.0.1", "10.0.0.2" };
	static const struct settings settings = { .listen.proxies = proxies,
		                                  .listen.proxy_count = 2 };
	static struct metrics metrics;
	static struct gate gate = { .settings = &settings, .metrics = &metrics };
	static struct request r;
	CLEANUP(buf_done) struct buf lines = { 0 };
	struct bytes rest = { data, size };

	r = (struct request){ .gate = &gate, .client = BYTES("10.0.0.1") };
	add(&r, "traceparent", take_line(&rest));
	while (rest.len > 0) {
		add(&r, "tracestate", take_line(&rest));
		add(&r, "x-forwarded-for", take_line(&rest));
	}
	trace_begin(&r);
	(void)quota_caller(&r);
	trace_put(&r, &lines);
	struct bytes out = buf_bytes(&lines);
	check_parent(take_line(&out), &r.trace);
	if (out.len > 0)
		check_state(take_line(&out));
	demand(out.len == 0);
	return 0;
}
