/* service_probe.c - the health of an origin, as its own path tells: so many answers in a row that
 * say otherwise change what is believed of it. */
#include "backend/service_exchange.h"
#include "backend/service_origin.h"

#include "base/log.h"
#include "base/macros.h"

/* ---- what an answer means ---- */

static void
believe(struct origin *o, bool is_up, const char *why)
{
	o->is_up = is_up;
	o->streak = 0;
	if (!is_up)
		o->why = why;
	LOG(is_up ? LOG_INFO : LOG_WARN,
	    is_up ? "an origin of a service is up" : "an origin of a service is down",
	    { "backend", bytes_text(o->service->name) }, { "origin", bytes_text(o->name) },
	    { "why", bytes_text(why) });
	if (is_up)
		service_wake(o->service);
}

static void
conclude(struct origin *o, bool is_good, const char *why)
{
	const struct service_settings *settings = o->service->settings;

	probe_stop(o);
	o->streak = is_good == o->is_up ? 0 : o->streak + 1;
	if (o->streak >= (is_good ? settings->health.rise : settings->health.fall) && o->streak > 0)
		believe(o, is_good, why);
}

/* ---- what its exchange tells ---- */

static void
on_head(struct exchange *x, const struct http_response *head)
{
	struct origin *o = exchange_of(x);

	o->is_good = head->status == o->service->settings->health.status;
}

static void
on_data(struct exchange *x, struct bytes part)
{
	(void)x, (void)part;
}

static void
on_end(struct exchange *x, struct bytes trailers)
{
	struct origin *o = exchange_of(x);

	(void)trailers;
	conclude(o, o->is_good,
	         o->is_good ? "it answers its health path" : "it answers with another status");
}

static void
on_drained(struct exchange *x)
{
	(void)x;
}

static void
on_failed(struct exchange *x, struct err e)
{
	if (e.sys == 0)
		conclude(exchange_of(x), false, e.why);
	else
		probe_stop(exchange_of(x)); /* what is short here says nothing of the origin */
}

static const struct exchange_ops ops = {
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.drained = on_drained,
	.failed = on_failed,
};

/* ---- when ---- */

void
probe_stop(struct origin *o)
{
	struct exchange *x = o->probe;

	o->probe = NULL;
	if (x != NULL)
		exchange_end(x);
}

static void
start(struct origin *o, uint64_t now_us)
{
	const struct service_settings *settings = o->service->settings;
	const struct exchange_request r = {
		.method = HTTP_GET,
		.target = bytes_text(settings->health.path),
		.authority = bytes_text(o->host),
		.response_timeout_ms = settings->health.timeout_ms,
	};

	o->is_good = false;
	o->probe_due_us = now_us + (uint64_t)settings->health.interval_ms * 1000;
	o->probe_until_us = now_us + (uint64_t)settings->health.timeout_ms * 1000;
	/* Without memory: next time. */
	(void)exchange_probe(o, &r, &ops);
}

void
probe_tick(struct origin *o, uint64_t now_us)
{
	if (o->service->settings->health.path == NULL || o->is_gone)
		return;
	if (o->probe != NULL && now_us >= o->probe_until_us)
		conclude(o, false, "it does not answer its health path in time");
	if (o->probe == NULL && now_us >= o->probe_due_us)
		start(o, now_us);
}
