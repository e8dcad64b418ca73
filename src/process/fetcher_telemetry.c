/* fetcher_telemetry.c - see fetcher_telemetry.h: when is sent, what becomes of it, and when it is
 * tried again (OTLP specification, "OTLP/HTTP Response", "Retryable Response Codes"). */
#include "process/fetcher_telemetry.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/random.h"
#include "format/json.h"

enum {
	BATCH = 512,           /* requests of a message */
	BATCH_MS = 5000,       /* that one waits for others, at most */
	QUEUE_MAX = 4 << 20,   /* bytes of spans that wait for the collector */
	TRIES_MAX = 8,         /* of one message */
	RETRY_FIRST_MS = 1000, /* doubles with each try */
	RETRY_MAX_MS = 60000,
	HOST_LEN = 256,
	INSTANCE_LEN = 36, /* a UUID */
};

/* One way to the collector. */
struct way {
	struct telemetry_export *export;
	const char *what;
	struct http_exchange *exchange;
	uv_timer_t timer;
	struct buf body;   /* owned: under way, or to be tried again; empty: nothing is */
	size_t body_count; /* spans in it */
	unsigned tries;
	uint64_t not_before_us; /* the collector asked for a rest */
	bool has_failed;        /* which was said */
};

struct telemetry_export {
	struct fetcher *fetcher;
	struct way spans, metrics;
	struct buf queue; /* owned: FETCH_SPANS that wait */
	size_t queued;
	char instance[INSTANCE_LEN + 1];
	unsigned open_timers;
};

static void on_spans_timer(uv_timer_t *timer);
static void on_metrics_timer(uv_timer_t *timer);

static const struct telemetry_settings *
settings_of(const struct telemetry_export *e)
{
	return &e->fetcher->start->settings->telemetry;
}

static struct otlp_resource
resource_of(const struct telemetry_export *e)
{
	return (struct otlp_resource){ .service_name = bytes_text(settings_of(e)->service_name),
		                       .service_version = bytes_text(e->fetcher->start->version),
		                       .instance_id = bytes_text(e->instance) };
}

/* The same for as long as the counters count: they say since when. A UUID of version 8 (RFC 9562).
 */
static void
name_instance(struct telemetry_export *e)
{
	const struct metrics *m = e->fetcher->start->metrics;
	uint8_t seed[HOST_LEN + 16] = { 0 };
	uint64_t started = counter_get(&m->started_us), halves[2];
	struct buf text = { .at = (uint8_t *)e->instance,
		            .room = sizeof e->instance,
		            .limit = sizeof e->instance };

	/* A host without a name still has the other half. */
	(void)gethostname((char *)seed + 16, HOST_LEN - 1);
	memcpy(seed, &started, sizeof started);
	for (uint8_t i = 0; i < 2; i++) {
		seed[8] = i;
		halves[i] = bytes_hash((struct bytes){ seed, sizeof seed }, m->quotas.key);
	}
	buf_printf(&text, "%08lx-%04lx-8%03lx-%04lx-%012lx", halves[0] >> 32,
	           halves[0] >> 16 & 0xffff, halves[0] & 0xfff, (halves[1] >> 48 & 0x3fff) | 0x8000,
	           halves[1] & 0xffffffffffff);
}

/* What went wrong */

/* Once for a collector that is away, not for each message. */
static void
note(struct way *w, const char *why)
{
	if (why != NULL && !w->has_failed)
		LOG(LOG_WARN, "the collector does not take what we tell",
		    { "what", bytes_text(w->what) }, { "why", bytes_text(why) });
	else if (why == NULL && w->has_failed)
		LOG(LOG_INFO, "the collector takes what we tell again",
		    { "what", bytes_text(w->what) });
	w->has_failed = why != NULL;
}

static void
drop_spans(struct telemetry_export *e, uint64_t count)
{
	counter_add(&e->fetcher->start->metrics->spans_dropped, count);
}

/* Without an answer too; but not when it answers what it must not, such as a redirect. */
static bool
may_be_tried_again(struct err e, const struct http_response *r)
{
	if (r == NULL)
		return e.kind != ERR_PEER;
	return r->status == 429 || r->status == 502 || r->status == 503 || r->status == 504;
}

static const char *
why_of(struct err e, const struct http_response *r)
{
	if (failed(e))
		return e.why;
	if (may_be_tried_again(e, r))
		return "it has no time for us";
	return r->status >= 300 ? "it refuses it" : NULL;
}

/* Retry-After where it is there, else longer each time; never all at once. */
static uint64_t
rest_ms(const struct way *w, const struct http_response *r)
{
	unsigned asked_s =
		r == NULL ? 0 : retry_after_seconds(r->retry_after, clock_wall_us() / 1000000);
	uint64_t ms = (uint64_t)RETRY_FIRST_MS << (w->tries < 6 ? w->tries : 6);
	uint16_t random;

	random_fill(&random, sizeof random);
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return asked_s != 0 ? (uint64_t)asked_s * 1000 : ms / 2 + ms * random / UINT16_MAX / 2;
}

/* Sending */

static void
set_timer(struct way *w, uv_timer_cb run, uint64_t ms)
{
	(void)uv_timer_start(&w->timer, run, ms, 0); /* never fails on a live handle */
}

static struct err
post(struct way *w, const char *url, http_done_fn *done)
{
	CLEANUP(secret_done) struct secret fields = { 0 };

	TRY(files_secret(&settings_of(w->export)->headers, &fields));
	const struct http_request request = { .url = bytes_text(url),
		                              .body = buf_bytes(&w->body),
		                              .content_type = "application/json",
		                              .fields = secret_bytes(&fields) };
	return http_start(w->export->fetcher->http, &request, done, w, &w->exchange);
}

static void
end_message(struct way *w)
{
	buf_done(&w->body);
	w->body_count = 0;
	w->tries = 0;
}

/* Spans */

static uint64_t
batch_ms(const struct telemetry_export *e)
{
	unsigned interval = settings_of(e)->interval_ms;

	return interval < BATCH_MS ? interval : BATCH_MS;
}

/* OTLP: a collector that took a part says how many it did not. */
static uint64_t
told_rejected(const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *object, *count;
	struct bytes text;
	int64_t number = 0;
	uint64_t value = 0;

	if (!r->is_json || failed(json_parse(r->body, &arena, &object, NULL)))
		return 0;
	count = json_member(json_member(object, "partialSuccess"), "rejectedSpans");
	if (json_string(count, &text)) /* int64 is text in this form, but both are read */
		return failed(bytes_to_u64(text, &value)) ? 0 : value;
	return json_int64(count, &number) && number > 0 ? (uint64_t)number : 0;
}

/* It cannot have left more than it was given. */
static uint64_t
rejected(const struct way *w, const struct http_response *r)
{
	uint64_t count = told_rejected(r);

	return count < w->body_count ? count : w->body_count;
}

static void send_spans(struct way *w);

static void
on_spans_sent(void *of, struct err e, const struct http_response *r)
{
	struct way *w = of;
	const char *why = why_of(e, r);
	bool is_sent = why == NULL;

	w->exchange = NULL;
	note(w, why);
	if (failed(e))
		fetcher_check_files(w->export->fetcher);
	if (!is_sent && may_be_tried_again(e, r) && ++w->tries < TRIES_MAX) {
		uint64_t rest = rest_ms(w, r);
		w->not_before_us = clock_monotonic_us() + rest * 1000;
		set_timer(w, on_spans_timer, rest);
		return;
	}
	drop_spans(w->export, is_sent ? rejected(w, r) : w->body_count);
	end_message(w);
	if (w->export->queued >= BATCH)
		send_spans(w);
	else if (w->export->queued > 0)
		set_timer(w, on_spans_timer, batch_ms(w->export));
}

static void
gather(struct way *w)
{
	struct telemetry_export *e = w->export;
	const struct otlp_resource resource = resource_of(e);
	size_t len;

	w->body_count = telemetry_put_spans(&w->body, buf_bytes(&e->queue), BATCH, &resource, &len);
	buf_consume(&e->queue, len);
	e->queued -= w->body_count;
}

static void
send_spans(struct way *w)
{
	struct telemetry_export *e = w->export;
	const char *url = settings_of(e)->traces_url;

	if (w->exchange != NULL || clock_monotonic_us() < w->not_before_us)
		return;
	if (url == NULL) { /* not any more */
		drop_spans(e, e->queued + w->body_count);
		end_message(w);
		buf_done(&e->queue);
		e->queued = 0;
		return;
	}
	if (w->body_count == 0 && e->queued > 0)
		gather(w);
	if (w->body_count == 0)
		return;
	struct err failure = buf_check(&w->body);
	if (!failed(failure))
		failure = post(w, url, on_spans_sent);
	if (failed(failure)) {
		note(w, failure.why);
		drop_spans(e, w->body_count);
		end_message(w);
		if (e->queued > 0)
			set_timer(w, on_spans_timer, batch_ms(e));
	}
}

static void
on_spans_timer(uv_timer_t *timer)
{
	struct way *w = container_of(timer, struct way, timer);

	w->not_before_us = 0;
	send_spans(w);
}

static bool
is_whole(struct bytes spans, size_t *ret_count)
{
	struct reader r = reader_of(spans);
	struct fetch_span s;

	*ret_count = 0;
	while (reader_left(&r) > 0) {
		if (failed(fetch_span_read(&r, &s)))
			return false;
		++*ret_count;
	}
	return true;
}

bool
telemetry_take(struct fetcher *f, struct bytes spans)
{
	struct telemetry_export *e = f->telemetry;
	size_t count;

	if (!is_whole(spans, &count))
		return false;
	e->queue.limit = QUEUE_MAX;
	if (e->queue.len + spans.len <= QUEUE_MAX)
		buf_put(&e->queue, spans);
	if (e->queue.overflow || e->queue.len + spans.len > QUEUE_MAX) {
		e->queue.overflow = false; /* no memory is as no room */
		drop_spans(e, count);
		return true;
	}
	e->queued += count;
	if (e->queued >= BATCH)
		send_spans(&e->spans);
	else if (e->spans.exchange == NULL && !uv_is_active((uv_handle_t *)&e->spans.timer))
		set_timer(&e->spans, on_spans_timer, batch_ms(e));
	return true;
}

/* Metrics: what is lost once is in the next, because they only grow. */

static void
on_metrics_sent(void *of, struct err e, const struct http_response *r)
{
	struct way *w = of;
	const char *why = why_of(e, r);

	w->exchange = NULL;
	end_message(w);
	note(w, why);
	if (failed(e))
		fetcher_check_files(w->export->fetcher);
	if (why != NULL && r != NULL && r->retry_after.len > 0)
		w->not_before_us = clock_monotonic_us() + rest_ms(w, r) * 1000;
}

static void
send_metrics(struct way *w, const char *url)
{
	const struct otlp_resource resource = resource_of(w->export);

	telemetry_put_metrics(&w->body, w->export->fetcher->start, &resource);
	struct err failure = buf_check(&w->body);
	if (!failed(failure))
		failure = post(w, url, on_metrics_sent);
	if (failed(failure)) {
		note(w, failure.why);
		end_message(w);
	}
}

static void
on_metrics_timer(uv_timer_t *timer)
{
	struct way *w = container_of(timer, struct way, timer);
	const struct telemetry_settings *s = settings_of(w->export);

	if (s->metrics_url == NULL)
		return;
	if (w->exchange == NULL && clock_monotonic_us() >= w->not_before_us)
		send_metrics(w, s->metrics_url);
	set_timer(w, on_metrics_timer, s->interval_ms);
}

/* Life */

void
telemetry_set(struct fetcher *f)
{
	struct telemetry_export *e = f->telemetry;

	if (settings_of(e)->metrics_url != NULL)
		set_timer(&e->metrics, on_metrics_timer, settings_of(e)->interval_ms);
}

struct err
telemetry_start(struct fetcher *f)
{
	struct telemetry_export *e = calloc(1, sizeof *e);

	if (e == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	*e = (struct telemetry_export){ .fetcher = f,
		                        .spans = { .export = e, .what = "spans" },
		                        .metrics = { .export = e, .what = "metrics" },
		                        .open_timers = 2 };
	int status = uv_timer_init(&f->start->loop->uv, &e->spans.timer);
	if (status != 0) {
		free(e);
		return loop_err(status, "no timer");
	}
	/* Cannot fail where the first did not. */
	(void)uv_timer_init(&f->start->loop->uv, &e->metrics.timer);
	f->telemetry = e;
	name_instance(e);
	telemetry_set(f);
	return OK;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct way *w = container_of((uv_timer_t *)handle, struct way, timer);

	if (--w->export->open_timers == 0)
		free(w->export);
}

static void
way_close(struct way *w)
{
	http_cancel(w->exchange);
	buf_done(&w->body);
	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

void
telemetry_stop(struct fetcher *f)
{
	struct telemetry_export *e = f->telemetry;

	if (e == NULL)
		return;
	f->telemetry = NULL;
	buf_done(&e->queue);
	way_close(&e->spans);
	way_close(&e->metrics);
}
