/* endpoint.c - see endpoint.h. */
#include "frontend/endpoint.h"

#include "base/macros.h"
#include "frontend/forward_auth.h"
#include "frontend/proxy.h"
#include "frontend/rest.h"
#include "frontend/session.h"

enum {
	GET = 1u << HTTP_GET | 1u << HTTP_HEAD,
	POST = 1u << HTTP_POST,
	REST = GET | POST | 1u << HTTP_PUT | 1u << HTTP_PATCH | 1u << HTTP_DELETE,
	ANY = REST | 1u << HTTP_OPTIONS,
	FORM_MAX =
		32768, /* of a form: two tokens and an assertion fit, and one question to keeper */
};

const struct endpoint data_endpoints[] = {
	{ .path = "/api",
	  .below = true,
	  .methods = REST,
	  .auth = AUTH_REQUIRED,
	  .is_recorded = true,
	  .body_max = SIZE_MAX,
	  .describe = rest_describe,
	  .decide = rest_decide,
	  .execute = rest_execute,
	  .commit = rest_commit,
	  .done = rest_done },
	{ .path = "/token",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .describe = oauth_describe,
	  .decide = oauth_token_decide,
	  .execute = oauth_ask,
	  .done = oauth_done,
	  .put_error = oauth_put_error },
	{ .path = "/revoke",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .describe = oauth_describe,
	  .decide = oauth_revoke_decide,
	  .execute = oauth_ask,
	  .done = oauth_done,
	  .put_error = oauth_put_error },
	{ .path = "/introspect",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .describe = oauth_describe,
	  .decide = oauth_introspect_decide,
	  .execute = oauth_ask,
	  .done = oauth_done,
	  .put_error = oauth_put_error },
	{ .path = "/authorize",
	  .methods = GET | POST,
	  .body_max = FORM_MAX,
	  .decide = authorize_decide,
	  .execute = authorize_show,
	  .put_error = authorize_put_error },
	{ .path = "/authorize/login",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .describe = authorize_describe,
	  .decide = authorize_decide,
	  .execute = authorize_login,
	  .done = authorize_done,
	  .put_error = authorize_put_error },
	{ .path = "/userinfo",
	  .methods = GET | POST,
	  .auth = AUTH_REQUIRED,
	  .body_max = FORM_MAX,
	  .execute = oauth_userinfo },
	{ .path = "/me", .methods = GET, .auth = AUTH_REQUIRED, .execute = me_execute },
	{ .path = "/openapi.json",
	  .methods = GET,
	  .auth = AUTH_OPTIONAL,
	  .execute = openapi_document },
	{ .path = "/docs", .below = true, .methods = GET, .execute = docs_asset },
	{ .path = "/.well-known/jwks.json", .methods = GET, .execute = oauth_jwks },
	{ .path = "/.well-known/openid-configuration", .methods = GET, .execute = oauth_metadata },
	{ .path = "/.well-known/oauth-authorization-server",
	  .methods = GET,
	  .execute = oauth_metadata },
	{ .path = "/.well-known/oauth-protected-resource",
	  .methods = GET,
	  .execute = oauth_resource },
	{ .path = "/auth",
	  .below = true,
	  .methods = ANY,
	  .auth = AUTH_OPTIONAL,
	  .is_recorded = true,
	  .describe = forward_auth_describe,
	  .decide = forward_auth_decide,
	  .execute = forward_auth_execute },
	{ .path = "/login",
	  .methods = GET,
	  .execute = session_login,
	  .put_error = session_put_error },
	{ .path = "/login",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .describe = session_describe,
	  .execute = session_login_form,
	  .put_error = session_put_error },
	{ .path = "/login/callback",
	  .methods = GET,
	  .is_recorded = true,
	  .describe = session_describe,
	  .execute = session_callback,
	  .put_error = session_put_error },
	{ .path = "/logout",
	  .methods = GET,
	  .auth = AUTH_OPTIONAL,
	  .execute = session_logout_page,
	  .put_error = session_put_error },
	{ .path = "/logout",
	  .methods = POST,
	  .is_recorded = true,
	  .body_max = FORM_MAX,
	  .auth = AUTH_OPTIONAL,
	  .describe = session_describe,
	  .execute = session_logout,
	  .put_error = session_put_error },
	{ .path = "/account",
	  .methods = GET,
	  .auth = AUTH_REQUIRED,
	  .is_page = true,
	  .execute = session_account },
	{ .path = NULL },
};

const struct endpoint admin_endpoints[] = {
	{ .path = "/healthz", .methods = GET, .execute = admin_health },
	{ .path = "/readyz", .methods = GET, .execute = admin_ready },
	{ .path = "/metrics", .methods = GET, .execute = admin_metrics },
	{ .path = NULL },
};

/* Segment by segment: "/apis" is not below "/api". */
static bool
matches(const struct endpoint *e, const struct request *r)
{
	/* Nearly all rows are another path: seen at the first letter. */
	if (r->segment_count == 0 || r->segments[0].at[0] != (uint8_t)e->path[1])
		return false;

	struct bytes path = bytes_text(e->path);
	size_t i = 0;

	for (; path.len > 0; i++) {
		struct bytes rest = bytes_slice(path, 1, path.len);
		struct bytes segment = bytes_slice(rest, 0, bytes_find(rest, '/'));

		if (i >= r->segment_count || !bytes_equal(segment, r->segments[i]))
			return false;
		path = bytes_slice(rest, segment.len, rest.len);
	}
	return e->below || i == r->segment_count;
}

static const struct {
	unsigned methods;
	const char *field;
} allows[] = {
	{ REST, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n" },
	{ POST, "Allow: POST\r\n" },
	{ GET, "Allow: GET, HEAD\r\n" },
	{ GET | POST, "Allow: GET, HEAD, POST\r\n" },
};

static const char *
allow_field(unsigned methods)
{
	for (size_t i = 0; i < sizeof allows / sizeof *allows; i++)
		if (allows[i].methods == methods)
			return allows[i].field;
	return "Allow:\r\n";
}

/* The row of our own; NULL with `methods` when only other methods are for this path. */
static const struct endpoint *
own_row(const struct endpoint *table, const struct request *r, unsigned *ret_methods)
{
	for (; table->path != NULL; table++) {
		if (!matches(table, r))
			continue;
		*ret_methods |= table->methods;
		if ((table->methods >> r->head.method & 1) != 0)
			return table;
	}
	return NULL;
}

/* Routes */

/* The authority without its port, in lower case; an IPv6 address without its brackets, a name
 * without the dot of the root behind it: services take both spellings for one host. */
static struct err
host_of(struct request *r, struct bytes *ret)
{
	struct bytes host = r->head.host;

	if (bytes_starts(host, BYTES("[")))
		host = bytes_slice(host, 1, bytes_find(host, ']'));
	else
		host = bytes_slice(host, 0, bytes_find(host, ':'));
	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--;
	uint8_t *at = arena_alloc(&r->arena, host.len + 1);
	if (at == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i];
		at[i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
	}
	*ret = (struct bytes){ at, host.len };
	return OK;
}

struct err
endpoint_route(struct request *r)
{
	struct bytes host;

	TRY(host_of(r, &host));
	r->route = policy_route(r->gate->policy, host, r->segments, r->segment_count);
	return OK;
}

/* A path of ours that a service may have for itself, where its route begins with the same word. */
static bool
is_taken(const struct request *r)
{
	static const char *const words[] = { "api", "me", "account", "docs", "openapi.json" };
	const char *path = r->route < 0 ? "" : r->gate->settings->routes[r->route].path;
	struct bytes first = bytes_slice(bytes_text(path), 1, SIZE_MAX);

	first = bytes_slice(first, 0, bytes_find(first, '/'));
	for (size_t i = 0; r->segment_count > 0 && i < ARRAY_LEN(words); i++)
		if (bytes_is(first, words[i]))
			return bytes_equal(first, r->segments[0]);
	return false;
}

/* A path may have several rows, each with methods of its own. Where there are routes, what is not
 * ours is theirs, also what none of them fits: whether it is there is told to nobody. */
struct err
endpoint_match(const struct endpoint *table, struct request *r, const struct endpoint **ret)
{
	unsigned methods = 0;
	bool has_routes = table == data_endpoints && r->gate->settings->route_count > 0;

	TRY(url_path_split(r->head.path, &r->arena, r->segments, &r->segment_count));
	const struct endpoint *own = own_row(table, r, &methods);
	if (has_routes) {
		TRY(endpoint_route(r));
		if (methods == 0 || is_taken(r))
			own = &proxy_endpoint;
		else
			r->route = -1;
	}
	if (own != NULL) {
		*ret = own;
		return OK;
	}
	if (methods == 0)
		return (struct err){ .kind = ERR_PEER,
			             .code = 404,
			             .why = "there is nothing at this path" };
	r->allow_field = allow_field(methods);
	return (struct err){ .kind = ERR_PEER,
		             .code = 405,
		             .why = "the method is not for this path" };
}
