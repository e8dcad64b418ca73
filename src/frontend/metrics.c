/* metrics.c - see metrics.h. */
#include "frontend/metrics.h"

#include "base/macros.h"
#include "jose/jwt.h"
#include "policy/policy.h"

/* Upper bounds in microseconds; the last bucket has none. */
static const uint64_t bounds_us[METRICS_BUCKETS - 1] = { 50,     100,    250,    500,     1000,
	                                                 2500,   5000,   10000,  25000,   50000,
	                                                 100000, 250000, 500000, 1000000, 5000000 };

void
metrics_observe_latency(struct metrics_worker *w, uint64_t us)
{
	size_t bucket = 0;

	while (bucket < METRICS_BUCKETS - 1 && us > bounds_us[bucket])
		bucket++;
	counter_add(&w->latency[bucket], 1);
	counter_add(&w->latency_us, us);
}

/* The sum over all workers of the counter that stands at `offset` in a slot. */
static uint64_t
sum(const struct metrics *m, size_t offset)
{
	uint64_t total = 0;
	uint64_t workers = counter_get(&m->worker_count);

	for (uint64_t i = 0; i < workers && i < METRICS_WORKERS_MAX; i++)
		total += counter_get(
			(const counter *)(const void *)((const char *)&m->workers[i] + offset));
	return total;
}

#define OF(member) offsetof(struct metrics_worker, member)

static void
put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP gatewarden_%s %s\n# TYPE gatewarden_%s %s\n", name, help, name,
	           type);
}

static void
put_requests(struct buf *out, const struct metrics *m)
{
	static const char *const outcomes[] = { "allowed", "denied", "failed" };

	put_head(out, "requests_total", "counter", "Answers by first digit of the status.");
	for (size_t i = 1; i < 6; i++)
		buf_printf(out, "gatewarden_requests_total{status=\"%zuxx\"} %lu\n", i,
		           sum(m, OF(requests) + i * sizeof(counter)));
	put_head(out, "decisions_total", "counter", "Audited decisions by outcome.");
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		buf_printf(out, "gatewarden_decisions_total{outcome=\"%s\"} %lu\n", outcomes[i],
		           sum(m, OF(decisions) + i * sizeof(counter)));
}

static void
put_denial(struct buf *out, const struct metrics *m, const char *resource, size_t row,
           size_t action)
{
	static const char *const rules[METRICS_RULE_COUNT] = { "default", "deny", "columns",
		                                               "condition" };

	for (size_t rule = 0; rule < METRICS_RULE_COUNT; rule++)
		buf_printf(
			out,
			"gatewarden_denials_total{resource=\"%s\",action=\"%s\",rule=\"%s\"} %lu\n",
			resource, action_name((enum action)action), rules[rule],
			sum(m, OF(denials) + ((row * ACTION_COUNT + action) * METRICS_RULE_COUNT +
		                              rule) * sizeof(counter)));
}

static void
put_denials(struct buf *out, const struct metrics *m, const struct settings *settings)
{
	put_head(out, "denials_total", "counter",
	         "Denied by policy, by resource, action and kind of rule.");
	for (size_t i = 0; i <= METRICS_RESOURCES_MAX; i++) {
		bool is_known = i < settings->resource_count && i < METRICS_RESOURCES_MAX;

		if (!is_known && i != METRICS_RESOURCES_MAX)
			continue;
		for (size_t a = 0; a < ACTION_COUNT; a++)
			put_denial(out, m, is_known ? settings->resources[i].name : "", i, a);
	}
	put_head(out, "token_refusals_total", "counter",
	         "Tokens refused, by the check that failed.");
	for (size_t i = 0; i < JWT_CHECK_COUNT; i++)
		buf_printf(out, "gatewarden_token_refusals_total{check=\"%s\"} %lu\n",
		           jwt_check_name((enum jwt_check)i),
		           sum(m, OF(refusals) + i * sizeof(counter)));
}

static void
put_latency(struct buf *out, const struct metrics *m)
{
	uint64_t below = 0;

	put_head(out, "request_duration_seconds", "histogram",
	         "From the whole head to the answer.");
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		below += sum(m, OF(latency) + i * sizeof(counter));
		if (i < METRICS_BUCKETS - 1)
			buf_printf(out,
			           "gatewarden_request_duration_seconds_bucket{le=\"%g\"} %lu\n",
			           (double)bounds_us[i] / 1e6, below);
		else
			buf_printf(out,
			           "gatewarden_request_duration_seconds_bucket{le=\"+Inf\"} %lu\n",
			           below);
	}
	buf_printf(out, "gatewarden_request_duration_seconds_sum %.6f\n",
	           (double)sum(m, OF(latency_us)) / 1e6);
	buf_printf(out, "gatewarden_request_duration_seconds_count %lu\n", below);
}

/* Counters and gauges that are one number each. */
static const struct {
	const char *name, *type, *help;
	size_t offset;
} singles[] = {
	{ "token_cache_hits_total", "counter", "Tokens found in the cache.", OF(token_hits) },
	{ "token_cache_misses_total", "counter", "Tokens that had to be verified.",
	  OF(token_misses) },
	{ "token_cache_entries", "gauge", "Tokens in the caches.", OF(token_entries) },
	{ "connections_total", "counter", "Connections accepted.", OF(connections) },
	{ "connections_refused_total", "counter", "Connections closed at once: too many.",
	  OF(connections_refused) },
	{ "connections_open", "gauge", "Connections open on data listeners.",
	  OF(connections_open) },
	{ "audit_waiting", "gauge", "Records handed over and not yet kept.", OF(audit_waiting) },
	{ "audit_unavailable_total", "counter",
	  "Requests refused because their record could not be kept.", OF(audit_unavailable) },
	{ "keeper_waiting", "gauge", "Logins and refreshes under way.", OF(keeper_waiting) },
	{ "fetcher_waits_total", "counter",
	  "Tokens that had to wait for an answer of their issuer.", OF(fetcher_waits) },
	{ "fetcher_waiting", "gauge", "Questions to the fetcher under way.", OF(fetcher_waiting) },
	{ "session_cache_hits_total", "counter", "Browser sessions found in the cache.",
	  OF(session_hits) },
	{ "session_cache_misses_total", "counter", "Browser sessions looked for at the keeper.",
	  OF(session_asks) },
	{ "revocations_total", "counter",
	  "Revocations told to workers, once for each worker; again when one starts.",
	  OF(revocations) },
	{ "received_bytes_total", "counter", "Bytes of request heads.", OF(bytes_in) },
	{ "sent_bytes_total", "counter", "Bytes of response bodies.", OF(bytes_out) },
	{ "workers_ready", "gauge", "Workers that accept connections.", OF(is_ready) },
};

void
metrics_worker_ended(struct metrics_worker *w)
{
	for (size_t i = 0; i < ARRAY_LEN(singles); i++)
		if (strcmp(singles[i].type, "gauge") == 0)
			counter_set((counter *)(void *)((char *)w + singles[i].offset), 0);
}

void
metrics_put(struct buf *out, const struct metrics *m, const struct settings *settings)
{
	static const char *const roles[METRICS_ROLE_COUNT] = { "worker", "keeper", "ledger",
		                                               "fetcher" };

	put_requests(out, m);
	put_denials(out, m, settings);
	put_latency(out, m);
	for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
		put_head(out, singles[i].name, singles[i].type, singles[i].help);
		buf_printf(out, "gatewarden_%s %lu\n", singles[i].name, sum(m, singles[i].offset));
	}
	put_head(out, "restarts_total", "counter", "Processes started again after they ended.");
	for (size_t i = 0; i < METRICS_ROLE_COUNT; i++)
		buf_printf(out, "gatewarden_restarts_total{process=\"%s\"} %lu\n", roles[i],
		           counter_get(&m->restarts[i]));
	put_head(out, "reloads_total", "counter", "Configurations taken into use, by result.");
	buf_printf(out, "gatewarden_reloads_total{result=\"ok\"} %lu\n", counter_get(&m->reloads));
	buf_printf(out, "gatewarden_reloads_total{result=\"failed\"} %lu\n",
	           counter_get(&m->reloads_failed));
	put_head(out, "config_generation", "gauge", "Number of the configuration in use.");
	buf_printf(out, "gatewarden_config_generation %lu\n", counter_get(&m->generation));
	put_head(out, "start_time_seconds", "gauge",
	         "When the service started, seconds since 1970.");
	buf_printf(out, "gatewarden_start_time_seconds %.3f\n",
	           (double)counter_get(&m->started_us) / 1e6);
}
