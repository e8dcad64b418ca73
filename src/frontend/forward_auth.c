/* forward_auth.c - see forward_auth.h. */
#include "frontend/forward_auth.h"

#include "base/macros.h"
#include "frontend/assertion.h"
#include "frontend/endpoint.h"
#include "frontend/proxy.h"
#include "frontend/session.h"
#include "http/http_target.h"

enum form { FORM_NONE, FORM_ORIGINAL, FORM_FORWARDED, FORM_PREFIX };

/* In the arena. */
struct told {
	struct err error; /* why nothing is decided about it */
	enum form form;
	struct bytes method, host, target;
};

static const struct bytes prefix = { (const uint8_t *)"/auth", 5 };

/* Only the reason of the record names it: the caller learns no more than that it was refused. */
static struct err
refused(const char *why)
{
	return fail(ERR_DENIED, why);
}

/* Reading */

static struct err
read_field(const struct request *r, const char *name, struct bytes *ret)
{
	*ret = (struct bytes){ 0 };
	return failed(http_field_single(&r->head, name, ret))
	               ? refused("a field that tells of a request stands twice")
	               : OK;
}

static struct err
take_form(struct told *t, enum form form)
{
	if (t->form != FORM_NONE)
		return refused("a request is told of in two forms");
	t->form = form;
	return OK;
}

/* "https://host/path": parted at the first slash behind the authority. */
static struct err
part_url(struct bytes url, struct told *t)
{
	static const char *const schemes[] = { "https://", "http://" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct bytes scheme = bytes_text(schemes[i]), rest;

		if (!bytes_starts(url, scheme))
			continue;
		rest = bytes_slice(url, scheme.len, url.len);
		t->host = bytes_slice(rest, 0, bytes_find(rest, '/'));
		t->target = bytes_slice(rest, t->host.len, rest.len);
		return OK;
	}
	return refused("the URL of the request that is told of is malformed");
}

static struct err
read_original(const struct request *r, struct told *t)
{
	struct bytes method, uri, url;

	TRY(read_field(r, "x-original-method", &method));
	TRY(read_field(r, "x-original-uri", &uri));
	TRY(read_field(r, "x-original-url", &url));
	if (method.at == NULL && uri.at == NULL && url.at == NULL)
		return OK;
	TRY(take_form(t, FORM_ORIGINAL));
	if (uri.at != NULL && url.at != NULL)
		return refused("a request is told of in two forms");
	t->method = method;
	t->host = r->head.host;
	t->target = uri;
	return url.at == NULL ? OK : part_url(url, t);
}

/* X-Forwarded-Host alone is no form: many set it for other reasons. */
static struct err
read_forwarded(const struct request *r, struct told *t)
{
	struct bytes method, host, uri;

	TRY(read_field(r, "x-forwarded-method", &method));
	TRY(read_field(r, "x-forwarded-uri", &uri));
	if (method.at == NULL && uri.at == NULL)
		return OK;
	TRY(take_form(t, FORM_FORWARDED));
	TRY(read_field(r, "x-forwarded-host", &host));
	*t = (struct told){ .form = t->form, .method = method, .host = host, .target = uri };
	return OK;
}

static struct err
read_prefix(const struct request *r, struct told *t)
{
	const struct http_head *h = &r->head;

	if (bytes_equal(h->path, prefix))
		return OK;
	TRY(take_form(t, FORM_PREFIX));
	if (!bytes_starts(h->path, prefix))
		return refused("/auth is spelled in another way");
	t->method = http_method_name(h->method);
	t->host = h->host;
	/* The query, where there is one, stands behind the path. */
	t->target =
		(struct bytes){ h->path.at + prefix.len,
		                h->path.len - prefix.len + (h->has_query ? 1 + h->query.len : 0) };
	return OK;
}

static struct err
read_told(const struct request *r, struct told *t)
{
	if (!request_is_proxied(r))
		return refused("only a listed proxy may tell of another's request");
	TRY(read_prefix(r, t));
	TRY(read_original(r, t));
	TRY(read_forwarded(r, t));
	return t->form == FORM_NONE ? refused("the proxy tells of no request") : OK;
}

/* Becoming */

static struct err
take_method(struct http_head *h, struct bytes name)
{
	for (int m = 0; m < HTTP_METHOD_COUNT; m++)
		if (bytes_equal(name, http_method_name((enum http_method)m))) {
			h->method = (enum http_method)m;
			return OK;
		}
	return refused("the method of the request that is told of is not known");
}

static struct err
take_host(struct http_head *h, struct bytes host)
{
	if (host.len == 0)
		return refused("the proxy does not tell the host");
	/* As of a request that comes here: "[name]" is no other spelling of "name". */
	if (!http_authority_is(host))
		return refused("the host of the request that is told of is malformed");
	h->host = host;
	return OK;
}

static struct err
take_target(struct request *r, struct bytes target)
{
	struct http_head *h = &r->head;

	if (target.len == 0 || target.len > HTTP_TARGET_MAX ||
	    http_run(target, HTTP_BYTE_TARGET) != target.len)
		return refused("the path of the request that is told of is malformed");
	h->target = target;
	h->path = bytes_slice(target, 0, bytes_find(target, '?'));
	h->has_query = h->path.len < target.len;
	h->query = bytes_slice(target, h->path.len + 1, target.len);

	struct err e = url_path_split(h->path, &r->arena, r->segments, &r->segment_count);

	return e.kind == ERR_PEER ? refused(e.why) : e;
}

/* From here on the request is the one that is asked about. */
static struct err
become(struct request *r, const struct told *t)
{
	TRY(take_method(&r->head, t->method));
	TRY(take_host(&r->head, t->host));
	TRY(take_target(r, t->target));
	r->action = http_method_name(r->head.method);
	TRY(endpoint_route(r));
	proxy_write_path(r);
	if (r->route >= 0)
		r->resource = bytes_text(r->gate->settings->routes[r->route].path);
	return OK;
}

static struct told *
told_of(const struct request *r)
{
	return r->state;
}

void
forward_auth_describe(struct request *r)
{
	struct told *t = arena_alloc(&r->arena, sizeof *t);

	r->class = AUDIT_API;
	r->action = http_method_name(r->head.method);
	r->action_kind = ACTION_EXECUTE;
	r->resource = prefix;
	r->auth = AUTH_NONE;
	r->state = t;
	if (t == NULL)
		return;
	*t = (struct told){ 0 };
	t->error = read_told(r, t);
	if (!failed(t->error))
		t->error = become(r, t);
	/* Who shows nothing is refused, or not, by what the route says. */
	if (!failed(t->error))
		r->auth = AUTH_OPTIONAL;
}

/* Deciding */

static const struct route_settings *
route_of(const struct request *r)
{
	return r->route < 0 ? NULL : &r->gate->settings->routes[r->route];
}

/* Is it for our own origin? The cookie of a login counts nowhere else, and nobody is sent to
 * another place than that. */
static bool
is_own_origin(const struct request *r)
{
	struct bytes origin = bytes_text(r->gate->settings->public_url);
	size_t scheme = bytes_find(origin, '/') + 2;

	return bytes_equal_nocase(bytes_slice(origin, scheme, origin.len), r->head.host);
}

/* nginx can hand on no redirect, but it can make one of a 401 with a Location. */
static struct err
to_login(struct request *r, enum step *step)
{
	(void)step;
	r->reply.status = told_of(r)->form == FORM_ORIGINAL ? 401 : 302;
	if (r->reply.status == 401)
		buf_put_text(&r->reply.fields, "WWW-Authenticate: Bearer realm=\"gatewarden\"\r\n");
	session_put_login(r, r->gate->settings->public_url);
	return OK;
}

static const struct endpoint page_to_login = { .path = "/login",
	                                       .is_recorded = true,
	                                       .execute = to_login };

static struct err
without_caller(struct request *r, struct err e)
{
	const struct route_settings *route = route_of(r);

	r->is_page = route != NULL && route->is_page && !route->is_observed;
	e.why = session_absence(r);
	if (session_may_redirect(r) && is_own_origin(r)) {
		r->endpoint = &page_to_login;
		r->refusal = e;
		return OK;
	}
	return e;
}

struct err
forward_auth_decide(struct request *r)
{
	const struct told *t = told_of(r);

	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	TRY(t->error);

	struct err e = policy_decide_route(r->gate->policy, r->who, r->route, r->head.method,
	                                   &r->arena, &r->grant, &r->decision);

	return e.kind == ERR_IDENTITY && r->who == NULL ? without_caller(r, e) : e;
}

struct err
forward_auth_execute(struct request *r, enum step *step)
{
	const struct route_settings *route = route_of(r);

	return identity_fields_put(r, route->backend, route->identity, &r->reply.fields, step);
}
