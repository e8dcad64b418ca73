/* asked.c - see asked.h. */
#include "main/asked.h"

#include "frontend/endpoint.h"
#include "frontend/proxy.h"
#include "frontend/rest.h"
#include "http/http_target.h"

struct err
asked_read(struct asked *a, enum http_method method, struct bytes host, const char *target)
{
	struct request *r = &a->request;
	struct bytes authority;

	r->gate = &a->gate;
	a->gate.counters = &a->counters;
	r->head.method = method;
	r->head.target = bytes_text(target);
	r->head.host = host;
	TRY(http_target_split(&r->head, &authority));
	return url_path_split(r->head.path, &r->arena, r->segments, &r->segment_count);
}

struct err
asked_decide(struct asked *a)
{
	struct request *r = &a->request;

	rest_describe(r);
	TRY(rest_decide(r));
	TRY(rest_parse_key(r));
	TRY(rest_parse_options(r));
	return policy_decide(a->gate.policy, r->who, r->resource, r->grant->action,
	                     &r->rest->needed, &r->arena, &r->grant, &r->decision);
}

bool
asked_is_routed(struct asked *a)
{
	const struct endpoint *found = NULL;

	/* What is no path of ours fails here and below. */
	return !failed(endpoint_match(data_endpoints, &a->request, &found)) &&
	       found == &proxy_endpoint;
}

struct err
asked_decide_route(struct asked *a)
{
	struct request *r = &a->request;

	return policy_decide_route(a->gate.policy, r->who, r->route, r->head.method, &r->arena,
	                           &r->grant, &r->decision);
}

void
asked_done(struct asked *a)
{
	arena_done(&a->request.arena);
}
