/* telemetry.c - see telemetry.h: what is told when a request has ended. Lines and spans are
 * gathered, and leave together, once a second at the latest. */
#include "frontend/telemetry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"
#include "frontend/access_log.h"
#include "frontend/endpoint.h"
#include "frontend/server.h"

enum {
	FLUSH_MS = 1000,
	SPANS_LEN = 16384,          /* of a message of spans */
	SPANS_QUEUED_MAX = 1 << 20, /* that fetcher has not read yet */
	AGENT_MAX = 200,
	PATH_MAX_LEN = 1024,
	SHORT_MAX = 64,
};

struct telemetry {
	struct gate *gate;
	struct access_lines log;
	struct buf line;  /* owned: the one that is being put */
	struct buf spans; /* owned: FETCH_SPANS */
	uv_timer_t timer;
	bool is_waiting; /* for the timer */
};

/* What both tell of a request, cut to what may be told. */
struct account {
	struct bytes path, agent, where;
	uint64_t duration_us, service_us;
	int64_t started_us; /* wall */
};

static struct bytes
user_agent(const struct request *r)
{
	for (size_t i = 0; i < r->head.field_count; i++)
		if (bytes_equal_nocase(r->head.fields[i].name, BYTES("user-agent")))
			return audit_text_cut(r->head.fields[i].value, AGENT_MAX);
	return (struct bytes){ 0 };
}

/* A route as it is written, or the endpoint. Empty: there is neither. */
static struct bytes
where_of(const struct request *r)
{
	if (r->route >= 0)
		return bytes_text(r->gate->settings->routes[r->route].path);
	return r->endpoint != NULL ? bytes_text(r->endpoint->path) : (struct bytes){ 0 };
}

static struct account
account_of(const struct request *r)
{
	uint64_t duration = clock_monotonic_us() - r->started_us;
	const struct timing *t = &r->timing;

	return (struct account){
		.path = bytes_slice(r->head.path, 0, PATH_MAX_LEN),
		.agent = user_agent(r),
		.where = where_of(r),
		.duration_us = duration,
		.service_us =
			t->answered_us > t->forwarded_us ? t->answered_us - t->forwarded_us : 0,
		.started_us = clock_wall_us() - (int64_t)duration,
	};
}

/* The access log */

static void
put_number(struct buf *out, const char *name, uint64_t number)
{
	buf_put_u8(out, ',');
	json_put_name(out, name);
	buf_put_unsigned(out, number);
}

static void
put_milliseconds(struct buf *out, const char *name, uint64_t us)
{
	put_number(out, name, us / 1000);
	const uint8_t digits[] = { '.', (uint8_t)('0' + us / 100 % 10),
		                   (uint8_t)('0' + us / 10 % 10), (uint8_t)('0' + us % 10) };
	buf_put(out, (struct bytes){ digits, sizeof digits });
}

static struct bytes
http_version(const struct request *r)
{
	return r->trace.is_http2 ? BYTES("2") : r->head.minor == 0 ? BYTES("1.0") : BYTES("1.1");
}

static struct bytes
tls_version(const struct request *r)
{
	uint16_t version = r->trace.tls_version;

	return version == 0x0304   ? BYTES("1.3")
	       : version == 0x0303 ? BYTES("1.2")
	                           : (struct bytes){ 0 };
}

static void
put_caller(struct buf *out, const struct request *r)
{
	bool is_known = r->who != NULL;

	json_put_text_if_any(out, "issuer",
	                     is_known ? bytes_text(principal_issuer(r->who)) : r->issuer);
	json_put_text_if_any(out, "subject", is_known ? principal_subject(r->who) : r->subject);
}

static void
put_line(struct buf *out, const struct request *r, const struct account *a)
{
	buf_put_text(out, "{\"time\":\"");
	moment_put_timestamp(out, a->started_us);
	buf_put_u8(out, '"');
	if (request_is_recorded(r))
		json_put_text(out, "decision", (struct bytes){ r->decision_id, ULID_LEN });
	json_put_text(out, "trace", (struct bytes){ r->trace.hex, TRACE_HEX_LEN });
	json_put_text(out, "client", r->client);
	json_put_text(out, "method", http_method_name(r->head.method));
	json_put_text_if_any(out, "route", a->where);
	json_put_text(out, "path", a->path);
	put_number(out, "status", r->reply.status);
	put_number(out, "received", r->received + r->body.len);
	put_number(out, "sent", r->reply.gone + r->reply.sent);
	put_milliseconds(out, "duration_ms", a->duration_us);
	if (r->timing.forwarded_us != 0)
		put_milliseconds(out, "service_ms", a->service_us);
	json_put_text_if_any(out, "origin", r->origin);
	put_caller(out, r);
	json_put_text_if_any(out, "user_agent", a->agent);
	json_put_text(out, "http", http_version(r));
	json_put_text_if_any(out, "tls", tls_version(r));
	buf_put_text(out, "}\n");
}

/* Drops are counted by one writer: this worker. */
static void
count(counter *c, uint64_t dropped)
{
	if (dropped > 0)
		counter_add(c, dropped);
}

/* The line that was put. true: enough has gathered. */
static bool
log_line(struct telemetry *t)
{
	uint64_t dropped = 0;
	bool is_full = access_log_put(&t->log, buf_bytes(&t->line), &dropped);

	count(&t->gate->counters->access_lines_dropped, dropped);
	return is_full;
}

static bool
log_request(struct telemetry *t, const struct request *r, struct account *a)
{
	buf_clear(&t->line);
	put_line(&t->line, r, a);
	if (t->line.len > ACCESS_LINE_MAX) { /* a line that others cannot write into */
		a->path = bytes_slice(a->path, 0, SHORT_MAX);
		a->agent = audit_text_cut(a->agent, SHORT_MAX);
		buf_clear(&t->line);
		put_line(&t->line, r, a);
	}
	return log_line(t);
}

/* Spans */

static const char *
outcome_of(const struct request *r)
{
	static const char *const names[] = { "allowed", "denied", "failed" };

	return names[request_outcome(r)];
}

static struct bytes
short_text(struct bytes text)
{
	return audit_text_cut(text, AGENT_MAX);
}

static void
put_span(struct buf *out, const struct request *r, const struct account *a)
{
	const struct trace *t = &r->trace;
	const struct timing *times = &r->timing;
	struct fetch_span s = {
		.status = (uint16_t)r->reply.status,
		.has_parent = t->has_parent,
		.has_service = times->forwarded_us != 0,
		.is_answered = times->answered_us != 0,
		.started_us = (uint64_t)a->started_us,
		.duration_us = a->duration_us,
		.method = http_method_name(r->head.method),
		.path = a->path,
		.route = a->where,
		.host = short_text(r->head.host),
		.user_agent = a->agent,
		.client = r->client,
		.http_version = http_version(r),
		.rule = short_text(r->decision.rule),
		.backend = r->backend,
		.origin = r->origin,
	};

	memcpy(s.trace, t->id, sizeof s.trace);
	memcpy(s.span, t->span, sizeof s.span);
	memcpy(s.parent, t->parent, sizeof s.parent);
	memcpy(s.service_span, t->service_span, sizeof s.service_span);
	if (s.has_service) {
		s.service_after_us = times->forwarded_us - r->started_us;
		s.service_us = times->answered_us != 0 ? a->service_us
		                                       : a->duration_us - s.service_after_us;
	}
	if (request_is_recorded(r)) {
		s.decision = (struct bytes){ r->decision_id, ULID_LEN };
		s.outcome = bytes_text(outcome_of(r));
	}
	fetch_span_put(out, &s);
}

/* A collector must not hold up callers: what fetcher cannot take is dropped. */
static void
send_spans(struct telemetry *t)
{
	struct gate *g = t->gate;
	uint64_t count_of = t->spans.len > 0 ? fetch_spans_count(buf_bytes(&t->spans)) : 0;
	bool is_sent = count_of > 0 && g->fetcher != NULL &&
	               channel_queued(g->fetcher) < SPANS_QUEUED_MAX &&
	               !failed(channel_send(g->fetcher, FETCH_SPANS, 0, buf_bytes(&t->spans)));

	count(&g->counters->spans_dropped, is_sent ? 0 : count_of);
	buf_clear(&t->spans);
}

static bool
trace_request(struct telemetry *t, const struct request *r, const struct account *a)
{
	t->spans.limit = CHANNEL_BODY_MAX;
	size_t before = t->spans.len;
	put_span(&t->spans, r, a);
	if (t->spans.overflow) { /* no memory: half a span would spoil the others */
		t->spans.overflow = false;
		t->spans.len = before;
		count(&t->gate->counters->spans_dropped, 1);
	}
	return t->spans.len >= SPANS_LEN;
}

/* Both */

static void on_timer(uv_timer_t *timer);

static void
wait_for_more(struct telemetry *t)
{
	if (t->is_waiting)
		return;
	/* Never fails on a live handle. */
	(void)uv_timer_start(&t->timer, on_timer, FLUSH_MS, 0);
	t->is_waiting = true;
}

static void
flush(struct telemetry *t)
{
	uint64_t dropped = 0;

	send_spans(t);
	if (t->log.fd >= 0 && access_log_write(&t->log, &dropped))
		wait_for_more(t);
	count(&t->gate->counters->access_lines_dropped, dropped);
}

static void
on_timer(uv_timer_t *timer)
{
	struct telemetry *t = container_of(timer, struct telemetry, timer);

	t->is_waiting = false;
	flush(t);
}

void
telemetry_ended(struct request *r)
{
	struct telemetry *t = r->gate->telemetry;
	const struct telemetry_settings *s = &r->gate->settings->telemetry;
	bool is_traced = r->trace.is_sampled && s->traces_url != NULL, is_full = false;

	if (t == NULL || !r->trace.is_told || (t->log.fd < 0 && !is_traced))
		return;
	struct account a = account_of(r);
	if (is_traced)
		is_full |= trace_request(t, r, &a);
	if (t->log.fd >= 0)
		is_full |= log_request(t, r, &a);
	if (is_full)
		flush(t);
	else
		wait_for_more(t);
}

void
telemetry_refused(struct server *server, const char *client, unsigned status, const char *why)
{
	struct telemetry *t = server->gate->telemetry;

	if (t == NULL || t->log.fd < 0 || server->endpoints == admin_endpoints)
		return;
	buf_clear(&t->line);
	buf_put_text(&t->line, "{\"time\":\"");
	moment_put_timestamp(&t->line, clock_wall_us());
	buf_put_u8(&t->line, '"');
	json_put_text(&t->line, "client", bytes_text(client));
	put_number(&t->line, "status", status);
	json_put_text(&t->line, "refused", bytes_text(why));
	buf_put_text(&t->line, "}\n");
	if (log_line(t))
		flush(t);
	else
		wait_for_more(t);
}

struct err
telemetry_new(struct gate *g, struct telemetry **ret)
{
	struct telemetry *t = calloc(1, sizeof *t);

	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	t->gate = g;
	struct err e = access_log_open(&g->settings->telemetry, &t->log);
	int status = failed(e) ? 0 : uv_timer_init(&g->loop->uv, &t->timer);
	if (failed(e) || status != 0) {
		access_log_close(&t->log);
		free(t);
		return failed(e) ? e : loop_err(status, "no timer");
	}
	/* It alone keeps nothing running. */
	uv_unref((uv_handle_t *)&t->timer);
	*ret = t;
	return OK;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct telemetry, timer));
}

void
telemetry_free(struct telemetry *t)
{
	if (t == NULL)
		return;
	flush(t);
	access_log_close(&t->log);
	buf_done(&t->line);
	buf_done(&t->spans);
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}
