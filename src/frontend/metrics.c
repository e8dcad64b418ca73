/* metrics.c - see metrics.h: what is counted, and under which name. */
#include "frontend/metrics.h"

#include "base/macros.h"
#include "jose/jwt.h"
#include "policy/policy.h"

const uint64_t METRICS_BOUNDS_US[METRICS_BUCKETS - 1] = {
	50,    100,   250,    500,    1000,   2500,    5000,   10000,
	25000, 50000, 100000, 250000, 500000, 1000000, 5000000
};

static void
observe(counter *buckets, counter *sum_us, uint64_t us)
{
	size_t bucket = 0;

	while (bucket < METRICS_BUCKETS - 1 && us > METRICS_BOUNDS_US[bucket])
		bucket++;
	counter_add(&buckets[bucket], 1);
	counter_add(sum_us, us);
}

void
metrics_observe_latency(struct metrics_worker *w, uint64_t us)
{
	observe(w->latency, &w->latency_us, us);
}

void
metrics_observe_service(struct metrics_worker *w, unsigned backend, uint64_t us)
{
	if (backend < METRICS_SERVICES_MAX)
		observe(w->services[backend].latency, &w->services[backend].latency_us, us);
}

/* Who reads, and what. */
struct reading {
	const struct metrics *m;
	const struct settings *settings;
	const struct metrics_reader *reader;
	void *of;
};

#define OF(member) offsetof(struct metrics_worker, member)

/* The sum over all workers of the counter that stands at `offset` in a slot. */
static uint64_t
sum(const struct reading *r, size_t offset)
{
	uint64_t total = 0;
	uint64_t workers = counter_get(&r->m->worker_count);

	for (uint64_t i = 0; i < workers && i < METRICS_WORKERS_MAX; i++)
		total += counter_get(
			(const counter *)(const void *)((const char *)&r->m->workers[i] + offset));
	return total;
}

static void
tell_family(const struct reading *r, const struct metrics_family *f)
{
	r->reader->family(r->of, f);
}

static void
tell(const struct reading *r, const struct metrics_family *f, const struct metrics_point *p)
{
	r->reader->point(r->of, f, p);
}

static void
tell_number(const struct reading *r, const struct metrics_family *f, uint64_t value)
{
	const struct metrics_point p = { .value = value };

	tell(r, f, &p);
}

/* One point for each name of a list: of the counters that stand one after the other at `offset`. */
static void
tell_each(const struct reading *r, const struct metrics_family *f, const char *label,
          const char *const *names, size_t offset)
{
	tell_family(r, f);
	for (size_t i = 0; names[i] != NULL; i++) {
		const struct metrics_point p = { .labels = { { label, bytes_text(names[i]) } },
			                         .label_count = 1,
			                         .value = sum(r, offset + i * sizeof(counter)) };
		tell(r, f, &p);
	}
}

static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx", NULL };

static void
tell_requests(const struct reading *r)
{
	static const char *const outcomes[] = { "allowed", "denied", "failed", NULL };
	static const struct metrics_family requests = { "requests", METRICS_COUNTER,
		                                        "Answers by first digit of the status." };
	static const struct metrics_family decisions = { "decisions", METRICS_COUNTER,
		                                         "Audited decisions by outcome." };

	tell_each(r, &requests, "status", classes, OF(requests) + sizeof(counter));
	tell_each(r, &decisions, "outcome", outcomes, OF(decisions));
}

static void
tell_denial(const struct reading *r, const struct metrics_family *f, size_t row, size_t action)
{
	static const char *const rules[METRICS_RULE_COUNT] = { "default", "deny", "columns",
		                                               "condition" };
	const char *resource = row == METRICS_RESOURCES_MAX ? "" : r->settings->resources[row].name;

	for (size_t rule = 0; rule < METRICS_RULE_COUNT; rule++) {
		size_t index = (row * ACTION_COUNT + action) * METRICS_RULE_COUNT + rule;
		const struct metrics_point p = {
			.labels = { { "resource", bytes_text(resource) },
			            { "action", bytes_text(action_name((enum action)action)) },
			            { "rule", bytes_text(rules[rule]) } },
			.label_count = 3,
			.value = sum(r, OF(denials) + index * sizeof(counter)),
		};
		tell(r, f, &p);
	}
}

static void
tell_denials(const struct reading *r)
{
	static const struct metrics_family denials = {
		"denials", METRICS_COUNTER,
		"Denied by policy, by resource, action and kind of rule."
	};
	static const struct metrics_family refusals = {
		"token_refusals", METRICS_COUNTER, "Tokens refused, by the check that failed."
	};
	const char *checks[JWT_CHECK_COUNT + 1] = { 0 };

	tell_family(r, &denials);
	for (size_t i = 0; i <= METRICS_RESOURCES_MAX; i++) {
		if (i >= r->settings->resource_count && i != METRICS_RESOURCES_MAX)
			continue;
		for (size_t a = 0; a < ACTION_COUNT; a++)
			tell_denial(r, &denials, i, a);
	}
	for (size_t i = 0; i < JWT_CHECK_COUNT; i++)
		checks[i] = jwt_check_name((enum jwt_check)i);
	tell_each(r, &refusals, "check", checks, OF(refusals));
}

/* `p`: its labels; `buckets` and `sum_us`: offsets. */
static void
tell_histogram(const struct reading *r, const struct metrics_family *f, struct metrics_point *p,
               size_t buckets, size_t sum_us)
{
	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		p->buckets[i] = sum(r, buckets + i * sizeof(counter));
	p->value = sum(r, sum_us);
	p->is_micro = true;
	tell(r, f, p);
}

static void
tell_latency(const struct reading *r)
{
	static const struct metrics_family f = { "request_duration_seconds", METRICS_HISTOGRAM,
		                                 "From the whole head to the answer." };
	struct metrics_point p = { 0 };

	tell_family(r, &f);
	tell_histogram(r, &f, &p, OF(latency), OF(latency_us));
}

/* Routes, services, limits */

static void
tell_routes(const struct reading *r)
{
	static const struct metrics_family f = {
		"route_requests", METRICS_COUNTER,
		"Answers on routes to services, by route and first digit of the status."
	};

	if (r->settings->route_count > 0)
		tell_family(r, &f);
	for (size_t i = 0; i < r->settings->route_count; i++)
		for (size_t class = 1; class < METRICS_CLASSES; class ++) {
			size_t index = i * METRICS_CLASSES + class;
			const struct metrics_point p = {
				.labels = { { "route", bytes_text(r->settings->routes[i].path) },
				            { "status", bytes_text(classes[class - 1]) } },
				.label_count = 2,
				.value = sum(r, OF(routes) + index * sizeof(counter)),
			};
			tell(r, &f, &p);
		}
}

static size_t
service_at(size_t backend)
{
	return OF(services) + backend * sizeof(struct metrics_service);
}

static bool
is_service(const struct settings *s, size_t backend)
{
	return backend < METRICS_SERVICES_MAX && s->backends[backend].type == BACKEND_HTTP;
}

static struct metrics_point
point_of_service(const struct reading *r, size_t backend)
{
	return (struct metrics_point){
		.labels = { { "backend", bytes_text(r->settings->backends[backend].name) } },
		.label_count = 1
	};
}

#define OF_SERVICE(member) offsetof(struct metrics_service, member)

static const struct {
	struct metrics_family family;
	size_t offset;
} of_services[] = {
	{ { "service_origins", METRICS_GAUGE, "Addresses of a service, once for each worker." },
	  OF_SERVICE(origins) },
	{ { "service_origins_up", METRICS_GAUGE, "Those that are in use." },
	  OF_SERVICE(origins_up) },
	{ { "service_connections", METRICS_GAUGE, "Connections open to a service." },
	  OF_SERVICE(connections) },
	{ { "service_connections_idle", METRICS_GAUGE, "Those that nothing is asked on." },
	  OF_SERVICE(idle) },
	{ { "service_exchanges", METRICS_GAUGE, "Requests that a service is asked now." },
	  OF_SERVICE(exchanges) },
	{ { "service_waiting", METRICS_GAUGE, "Requests that wait for a connection." },
	  OF_SERVICE(waiting) },
	{ { "service_connections_opened", METRICS_COUNTER, "Connections that were opened." },
	  OF_SERVICE(opened) },
	{ { "service_connections_reused", METRICS_COUNTER, "Requests on one that was open." },
	  OF_SERVICE(reused) },
	{ { "service_failures", METRICS_COUNTER, "Requests that a service did not answer well." },
	  OF_SERVICE(failed) },
	{ { "service_retries", METRICS_COUNTER, "Requests that were sent once more." },
	  OF_SERVICE(retried) },
	{ { "service_refusals", METRICS_COUNTER, "Requests that no room or nobody was for." },
	  OF_SERVICE(refused) },
};

static void
tell_services(const struct reading *r)
{
	static const struct metrics_family latency = {
		"service_duration_seconds", METRICS_HISTOGRAM,
		"From asking a service to the head of its answer."
	};
	const struct settings *s = r->settings;
	bool has_one = false;

	for (size_t i = 0; i < s->backend_count; i++)
		has_one |= is_service(s, i);
	if (!has_one)
		return;
	tell_family(r, &latency);
	for (size_t i = 0; i < s->backend_count; i++) {
		struct metrics_point p = point_of_service(r, i);
		if (is_service(s, i))
			tell_histogram(r, &latency, &p, service_at(i) + OF_SERVICE(latency),
			               service_at(i) + OF_SERVICE(latency_us));
	}
	for (size_t f = 0; f < ARRAY_LEN(of_services); f++) {
		tell_family(r, &of_services[f].family);
		for (size_t i = 0; i < s->backend_count; i++) {
			struct metrics_point p = point_of_service(r, i);
			p.value = sum(r, service_at(i) + of_services[f].offset);
			if (is_service(s, i))
				tell(r, &of_services[f].family, &p);
		}
	}
}

/* Workers drop what fetcher does not take, and fetcher what the collector does not. */
static void
tell_spans(const struct reading *r)
{
	static const struct metrics_family dropped = { "spans_dropped", METRICS_COUNTER,
		                                       "Requests whose spans the collector did "
		                                       "not get." };

	tell_family(r, &dropped);
	tell_number(r, &dropped, sum(r, OF(spans_dropped)) + counter_get(&r->m->spans_dropped));
}

static void
tell_limits(const struct reading *r)
{
	static const char *const scopes[] = { "caller", "role", "route_caller", "route", NULL };
	static const struct metrics_family refused = { "limits_refused", METRICS_COUNTER,
		                                       "Requests refused, by whose limit." };
	static const struct metrics_family slots = {
		"limit_slots", METRICS_GAUGE,
		"Places of the table of limits that have an owner, also one that is idle."
	};

	tell_each(r, &refused, "scope", scopes, OF(limits_refused));
	tell_family(r, &slots);
	tell_number(r, &slots, atomic_load(&r->m->quotas.claimed));
}

/* Counters and gauges that are one number each. */
static const struct {
	struct metrics_family family;
	size_t offset;
} singles[] = {
	{ { "token_cache_hits", METRICS_COUNTER, "Tokens found in the cache." }, OF(token_hits) },
	{ { "token_cache_misses", METRICS_COUNTER, "Tokens that had to be verified." },
	  OF(token_misses) },
	{ { "token_cache_entries", METRICS_GAUGE, "Tokens in the caches." }, OF(token_entries) },
	{ { "connections", METRICS_COUNTER, "Connections accepted." }, OF(connections) },
	{ { "connections_refused", METRICS_COUNTER, "Connections closed at once: too many." },
	  OF(connections_refused) },
	{ { "connections_open", METRICS_GAUGE, "Connections open on data listeners." },
	  OF(connections_open) },
	{ { "audit_waiting", METRICS_GAUGE, "Records handed over and not yet kept." },
	  OF(audit_waiting) },
	{ { "audit_unavailable", METRICS_COUNTER,
	    "Requests refused because their record could not be kept." },
	  OF(audit_unavailable) },
	{ { "keeper_waiting", METRICS_GAUGE, "Logins and refreshes under way." },
	  OF(keeper_waiting) },
	{ { "fetcher_waits", METRICS_COUNTER,
	    "Tokens that had to wait for an answer of their issuer." },
	  OF(fetcher_waits) },
	{ { "fetcher_waiting", METRICS_GAUGE, "Questions to the fetcher under way." },
	  OF(fetcher_waiting) },
	{ { "session_cache_hits", METRICS_COUNTER, "Browser sessions found in the cache." },
	  OF(session_hits) },
	{ { "session_cache_misses", METRICS_COUNTER, "Browser sessions looked for at the keeper." },
	  OF(session_asks) },
	{ { "revocations", METRICS_COUNTER,
	    "Revocations told to workers, once for each worker; again when one starts." },
	  OF(revocations) },
	{ { "received_bytes", METRICS_COUNTER, "Bytes of request heads." }, OF(bytes_in) },
	{ { "sent_bytes", METRICS_COUNTER, "Bytes of response bodies." }, OF(bytes_out) },
	{ { "workers_ready", METRICS_GAUGE, "Workers that accept connections." }, OF(is_ready) },
	{ { "limits_skipped", METRICS_COUNTER,
	    "Requests let through because the table of limits was full." },
	  OF(limits_skipped) },
	{ { "access_log_lines_dropped", METRICS_COUNTER,
	    "Lines of the access log that could not be written." },
	  OF(access_lines_dropped) },
	{ { "tls_handshakes", METRICS_COUNTER, "TLS handshakes of callers that were completed." },
	  OF(tls_handshakes) },
	{ { "tls_resumptions", METRICS_COUNTER, "Those that resumed a session." },
	  OF(tls_resumptions) },
	{ { "tls_failures", METRICS_COUNTER, "TLS handshakes of callers that failed." },
	  OF(tls_failures) },
	{ { "http2_streams", METRICS_COUNTER, "Requests that came over HTTP/2." },
	  OF(http2_streams) },
	{ { "http2_faults", METRICS_COUNTER,
	    "Times that an HTTP/2 peer broke the protocol or wore us out." },
	  OF(http2_faults) },
};

static void
tell_singles(const struct reading *r)
{
	for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
		tell_family(r, &singles[i].family);
		tell_number(r, &singles[i].family, sum(r, singles[i].offset));
	}
}

static counter *
counter_at(void *at, size_t offset)
{
	return (counter *)(void *)((char *)at + offset);
}

/* What is 0 already is not written: of a page that was never used nothing must come to be. */
void
metrics_worker_ended(struct metrics_worker *w)
{
	for (size_t i = 0; i < ARRAY_LEN(singles); i++)
		if (singles[i].family.type == METRICS_GAUGE)
			counter_set(counter_at(w, singles[i].offset), 0);
	for (size_t s = 0; s < METRICS_SERVICES_MAX; s++)
		for (size_t i = 0; i < ARRAY_LEN(of_services); i++) {
			counter *c = counter_at(&w->services[s], of_services[i].offset);
			if (of_services[i].family.type == METRICS_GAUGE && counter_get(c) != 0)
				counter_set(c, 0);
		}
}

/* The whole service */

static void
tell_processes(const struct reading *r)
{
	static const char *const roles[METRICS_ROLE_COUNT] = { "worker", "keeper", "ledger",
		                                               "fetcher" };
	static const struct metrics_family restarts = {
		"restarts", METRICS_COUNTER, "Processes started again after they ended."
	};

	tell_family(r, &restarts);
	for (size_t i = 0; i < METRICS_ROLE_COUNT; i++) {
		const struct metrics_point p = { .labels = { { "process", bytes_text(roles[i]) } },
			                         .label_count = 1,
			                         .value = counter_get(&r->m->restarts[i]) };
		tell(r, &restarts, &p);
	}
}

static void
tell_service_itself(const struct reading *r)
{
	static const struct metrics_family reloads = {
		"reloads", METRICS_COUNTER, "Configurations taken into use, by result."
	};
	static const struct metrics_family generation = { "config_generation", METRICS_GAUGE,
		                                          "Number of the configuration in use." };
	static const struct metrics_family start = {
		"start_time_seconds", METRICS_GAUGE, "When the service started, seconds since 1970."
	};
	const struct metrics_point ok = { .labels = { { "result", BYTES("ok") } },
		                          .label_count = 1,
		                          .value = counter_get(&r->m->reloads) };
	const struct metrics_point failures = { .labels = { { "result", BYTES("failed") } },
		                                .label_count = 1,
		                                .value = counter_get(&r->m->reloads_failed) };
	static const struct metrics_family ends = {
		"certificate_expiry_time_seconds", METRICS_GAUGE,
		"When the listeners' certificate that ends first ends, seconds since 1970."
	};
	const struct metrics_point started = { .value = counter_get(&r->m->started_us),
		                               .is_micro = true };

	tell_processes(r);
	tell_family(r, &reloads);
	tell(r, &reloads, &ok);
	tell(r, &reloads, &failures);
	tell_family(r, &generation);
	tell_number(r, &generation, counter_get(&r->m->generation));
	tell_family(r, &start);
	tell(r, &start, &started);
	if (counter_get(&r->m->certificate_ends_s) == 0)
		return; /* no listener has TLS */
	tell_family(r, &ends);
	tell_number(r, &ends, counter_get(&r->m->certificate_ends_s));
}

void
metrics_read(const struct metrics *m, const struct settings *settings,
             const struct metrics_reader *reader, void *of)
{
	const struct reading r = { .m = m, .settings = settings, .reader = reader, .of = of };

	tell_requests(&r);
	tell_denials(&r);
	tell_latency(&r);
	tell_routes(&r);
	tell_services(&r);
	tell_limits(&r);
	tell_spans(&r);
	tell_singles(&r);
	tell_service_itself(&r);
}
