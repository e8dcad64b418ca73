/* asked.c - see asked.h. */
#include "main/asked.h"

#include "frontend/rest.h"
#include "http/http_target.h"

struct err
asked_read(struct asked *a, enum http_method method, const char *target)
{
	struct request *r = &a->request;
	struct bytes authority;

	r->gate = &a->gate;
	a->gate.counters = &a->counters;
	r->head.method = method;
	r->head.target = bytes_text(target);
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

void
asked_done(struct asked *a)
{
	arena_done(&a->request.arena);
}
