/* config_routes.c - the rows of routes to HTTP services and of what may be spent, and what follows
 * from them together. */
#include "config/config_reader.h"

#include "base/macros.h"
#include "config/route_path.h"

static void route_finish(struct config_reader *r, const struct node *n, void *route);
static void quota_finish(struct config_reader *r, const struct node *n, void *quota);

/* Bits are those of enum http_method; GET brings HEAD. */
const char *const route_methods[ROUTE_METHOD_COUNT] = { "GET",   "HEAD",   "POST",   "PUT",
	                                                "PATCH", "DELETE", "OPTIONS" };

/* Tables, read by the row. */
/* clang-format off */

/* Quotas */

static const struct setting quota_rows[] = {
	{ .name = "requests", .kind = SETTING_FREQUENCY, .min = 1, .max = 1000000000,
	  .offset = offsetof(struct quota_settings, requests), .count_offset = offsetof(struct quota_settings, per_s),
	  .help = "How many, spread evenly over the time. Further ones get 429, with `Retry-After`." },
	{ .name = "burst", .kind = SETTING_NUMBER, .min = 1, .max = 1000000000, .offset = offsetof(struct quota_settings, burst),
	  .help = "How many may come at once after a pause. Default: as many as `requests`." },
	{ .name = "concurrent", .kind = SETTING_NUMBER, .min = 1, .max = 1000000, .offset = offsetof(struct quota_settings, concurrent),
	  .help = "How many may be under way at the same time." },
	{ .name = "bytes", .kind = SETTING_SPEED, .min = KIB, .max = (uint64_t)1024 * GIB,
	  .offset = offsetof(struct quota_settings, bytes_s),
	  .help = "How fast bodies pass, both ways together. What is faster waits." },
	/* Of a route alone; offsets are from its `quota`. */
	{ .name = "caller", .kind = SETTING_SECTION, .section = &quota_section,
	  .offset = offsetof(struct route_settings, caller_quota) - offsetof(struct route_settings, quota),
	  .place_offset = offsetof(struct route_settings, caller_quota.place) - offsetof(struct route_settings, quota),
	  .help = "What each caller may spend on this route." },
};
const struct section quota_section = {
	.title = "limits", .settings = quota_rows, .count = ARRAY_LEN(quota_rows) - 1, .finish = quota_finish,
};
static const struct section route_quota_section = {
	.title = "limits", .settings = quota_rows, .count = ARRAY_LEN(quota_rows), .finish = quota_finish,
};

/* Routes */

enum { GET_AND_HEAD = 1 << 0 | 1 << 1 };
static const struct choice methods[] = {
	{ "GET", GET_AND_HEAD, NULL }, { "HEAD", 1 << 1, NULL }, { "POST", 1 << 2, NULL }, { "PUT", 1 << 3, NULL },
	{ "PATCH", 1 << 4, NULL }, { "DELETE", 1 << 5, NULL }, { "OPTIONS", 1 << 6, NULL },
	{ "all", ROUTE_METHODS_ALL, NULL },
};
static const struct choice identities[] = {
	{ "assertion", IDENTITY_ASSERTION, NULL }, { "pomerium", IDENTITY_POMERIUM, NULL },
	{ "auth_request", IDENTITY_AUTH_REQUEST, NULL }, { "forwarded", IDENTITY_FORWARDED, NULL },
	{ "client_principal", IDENTITY_CLIENT_PRINCIPAL, NULL }, { "none", 0, NULL },
};
static const struct choice authorizations[] = { { "drop", false, NULL }, { "keep", true, NULL } };
static const struct setting route_rows[] = {
	{ .name = "path", .kind = SETTING_TEXT, .form = &form_route, .required = true, .min = 1, .max = 1024,
	  .offset = offsetof(struct route_settings, path),
	  .help = "Which paths. A segment is compared as it is when decoded; `*` fits any one segment, and at the end any "
	          "number, also none: `/app/*` fits `/app`, `/app/` and all below." },
	{ .name = "hosts", .kind = SETTING_TEXTS, .form = &form_host, .min = 1, .max = 64,
	  .offset = offsetof(struct route_settings, hosts), .count_offset = offsetof(struct route_settings, host_count),
	  .help = "Only requests for these hosts, without port. Default: any." },
	{ .name = "backend", .kind = SETTING_ENTRY, .of = "backends", .offset = offsetof(struct route_settings, backend),
	  .help = "The name of a backend of type http. Without it the route is for `/auth` alone: another server forwards." },
	{ .name = "public", .kind = SETTING_CHOICES, .offset = offsetof(struct route_settings, public),
	  .choices = methods, .choice_count = ARRAY_LEN(methods),
	  .help = "Methods that need no token. One that is shown must be good all the same." },
	{ .name = "allow", .kind = SETTING_METHODS, .offset = offsetof(struct route_settings, allow),
	  .count_offset = offsetof(struct route_settings, allow_count), .choices = methods, .choice_count = ARRAY_LEN(methods),
	  .help = "Which methods each role may use; `GET` brings `HEAD`. What is not allowed is denied." },
	{ .name = "deny", .kind = SETTING_METHODS, .offset = offsetof(struct route_settings, deny),
	  .count_offset = offsetof(struct route_settings, deny_count), .choices = methods, .choice_count = ARRAY_LEN(methods),
	  .help = "Which methods a role may not use, whatever any other rule or role allows." },
	{ .name = "strip", .kind = SETTING_TEXT, .form = &form_route_strip, .min = 1, .max = 1024,
	  .offset = offsetof(struct route_settings, strip),
	  .help = "The first segments of `path` that the service does not see." },
	{ .name = "identity", .kind = SETTING_CHOICES, .offset = offsetof(struct route_settings, identity), .fallback = "[assertion]",
	  .choices = identities, .choice_count = ARRAY_LEN(identities),
	  .help = "How the service learns who is calling. `assertion`: a signed JWT in `X-Gatewarden-Assertion`; `pomerium`: the "
	          "same in `X-Pomerium-Jwt-Assertion`; `auth_request`: `X-Auth-Request-User`, `-Email` and `-Groups`; "
	          "`forwarded`: `X-Forwarded-User`, `-Email` and `-Groups`; `client_principal`: `X-MS-CLIENT-PRINCIPAL` and its "
	          "kin. All but the first two are unsigned: the service must be reachable through us alone. `none`: not at all." },
	{ .name = "authorization", .kind = SETTING_FLAG, .offset = offsetof(struct route_settings, keeps_authorization),
	  .fallback = "drop", .choices = authorizations, .choice_count = ARRAY_LEN(authorizations),
	  .help = "Whether the service sees the caller's `Authorization` field, and so its token." },
	{ .name = "observe", .kind = SETTING_BOOL, .fallback = "false", .offset = offsetof(struct route_settings, is_observed),
	  .help = "Every request is decided and recorded, and let through all the same: to see what a policy would refuse "
	          "before it does." },
	{ .name = "page", .kind = SETTING_BOOL, .fallback = "false", .offset = offsetof(struct route_settings, is_page),
	  .help = "People come here with a browser: who has no session is sent to the login. Needs an issuer with `login`." },
	{ .name = "limits", .kind = SETTING_SECTION, .section = &route_quota_section, .offset = offsetof(struct route_settings, quota),
	  .place_offset = offsetof(struct route_settings, quota.place),
	  .help = "What all callers together may spend on this route." },
	{ .name = "response_timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = 24 * HOUR_MS,
	  .offset = offsetof(struct route_settings, response_timeout_ms),
	  .help = "Until the head of the answer is there. Default: that of the backend." },
	{ .name = "body", .kind = SETTING_SIZE, .min = 0, .max = (uint64_t)1024 * GIB,
	  .offset = offsetof(struct route_settings, body_bytes), .fallback = "1GiB",
	  .help = "The largest request body, which is passed on as it comes; `0B`: no limit." },
};
const struct section route_section = {
	.title = "a route", .settings = route_rows, .count = ARRAY_LEN(route_rows), .size = sizeof(struct route_settings),
	.place_offset = offsetof(struct route_settings, place), .finish = route_finish,
};
/* clang-format on */

static void
quota_finish(struct config_reader *r, const struct node *n, void *quota)
{
	struct quota_settings *q = quota;
	const struct node *burst = node_member(n, "burst");

	if (burst != NULL && node_member(n, "requests") == NULL)
		problem_add(&r->problems, burst->key_place,
		            "burst without requests; expected the number it may pass");
	if (q->burst == 0)
		q->burst = q->requests;
}

static void
lower_hosts(struct config_reader *r, struct route_settings *route)
{
	const char **hosts = reader_array(r, route->host_count, sizeof *hosts);

	for (size_t i = 0; i < route->host_count && hosts != NULL; i++) {
		char *host = arena_text(r->arena, bytes_text(route->hosts[i]));
		r->problems.no_memory |= host == NULL;
		for (char *c = host; c != NULL && *c != 0; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
		/* As the host of a request: without the dot of the root. */
		size_t len = host == NULL ? 0 : strlen(host);
		if (len > 1 && host[len - 1] == '.')
			host[len - 1] = '\0';
		hosts[i] = host;
	}
	route->hosts = hosts;
}

static void
check_backend(struct config_reader *r, const struct node *n, struct route_settings *route)
{
	const struct backend_settings *b = &r->settings->backends[route->backend];

	if (n == NULL)
		route->backend = -1;
	else if ((size_t)route->backend < r->settings->backend_count && b->type == BACKEND_SQLITE &&
	         b->path != NULL)
		problem_add(&r->problems, n->place,
		            "backend \"%s\" is of type sqlite; expected one of type http", b->name);
}

static void
check_path(struct config_reader *r, const struct node *n, const struct route_settings *route)
{
	const struct node *strip = node_member(n, "strip");
	const char *ours = route_path_endpoint(bytes_text(route->path));

	if (ours != NULL)
		problem_add(&r->problems, node_member(n, "path")->place,
		            "path takes %s, which is an endpoint of ours; expected another", ours);
	if (route->strip != NULL &&
	    !route_path_begins(bytes_text(route->path), bytes_text(route->strip)))
		problem_add(&r->problems, strip->place,
		            "strip is not what path begins with; expected %s",
		            form_route_strip.expected);
}

static void
route_finish(struct config_reader *r, const struct node *n, void *at)
{
	struct route_settings *route = at;

	lower_hosts(r, route);
	check_backend(r, node_member(n, "backend"), route);
	if (route->path != NULL)
		check_path(r, n, route);
}
