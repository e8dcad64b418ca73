/* fuzz_forward_auth.c - a head that asks /auth about a request: what is decided about has one
 * method, one host and one path, which is the one that is recorded; from anybody but a listed
 * proxy, and in two forms at once, nothing is. */
#include <stdlib.h>

#include "base/macros.h"
#include "frontend/forward_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const proxies[] = { "192.0.2.1" };
static const char *const hosts[] = { "one.example" };
static const struct route_settings routes[] = {
	{ .path = "/app/*", .backend = -1, .public = ROUTE_METHODS_ALL },
	{ .path = "/host", .backend = -1, .hosts = hosts, .host_count = 1 },
};
static const struct settings settings = { .listen = { .proxies = proxies, .proxy_count = 1 },
	                                  .public_url = "http://one.example",
	                                  .routes = routes,
	                                  .route_count = ARRAY_LEN(routes) };

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static bool
has_field(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->field_count; i++)
		if (bytes_equal_nocase(h->fields[i].name, bytes_text(name)))
			return true;
	return false;
}

/* How many forms the head tells of a request in. */
static unsigned
forms_of(const struct http_head *h)
{
	return (unsigned)(has_field(h, "x-original-uri") || has_field(h, "x-original-url")) +
	       (unsigned)(has_field(h, "x-forwarded-method") || has_field(h, "x-forwarded-uri")) +
	       (unsigned)bytes_starts(h->path, BYTES("/auth/"));
}

static void
check_path(struct request *r)
{
	struct bytes segments[URL_SEGMENTS_MAX];
	size_t count;

	demand(r->head.path.len > 0 && r->head.path.at[0] == '/');
	demand(!failed(url_path_split(r->path, &r->arena, segments, &count)));
	demand(count == r->segment_count);
	for (size_t i = 0; i < count; i++)
		demand(bytes_equal(segments[i], r->segments[i]));
	demand(bytes_find(r->path, '?') == r->path.len);
}

static void
check(struct request *r, unsigned forms, bool is_listed)
{
	struct err e;

	forward_auth_describe(r);
	if (r->auth == AUTH_NONE) {
		demand(r->route == -1 && bytes_is(r->resource, "/auth"));
		e = forward_auth_decide(r);
		demand(e.kind == ERR_DENIED && e.why != NULL && r->grant == NULL);
		return;
	}
	demand(is_listed && forms == 1);
	demand(r->head.method < HTTP_METHOD_COUNT);
	demand(bytes_equal(r->action, http_method_name(r->head.method)));
	demand(r->head.host.len > 0);
	check_path(r);
	demand((r->route == 0) == (r->segment_count > 0 && bytes_is(r->segments[0], "app")));
	e = forward_auth_decide(r);
	demand(failed(e) == (r->grant == NULL));
	demand((r->route == 0) == !failed(e));
}

static const struct policy *
policy(void)
{
	static const struct policy *made;
	static struct arena arena;
	struct config_errors errors = { 0 };

	if (made == NULL)
		demand(!failed(policy_compile(&settings, NULL, 1, &arena, &made, &errors)));
	return made;
}

static void
ask(struct bytes input, const char *client)
{
	static struct request r; /* large */
	struct gate gate = { .settings = &settings, .policy = policy() };
	enum step step = STEP_MORE;
	size_t scanned = 0, len = 0;

	memset(&r, 0, sizeof r);
	r.gate = &gate;
	r.route = -1;
	r.client = bytes_text(client);
	if (!failed(http_head_parse(input, &scanned, &r.head, &len, &step)) && step == STEP_DONE &&
	    bytes_starts(r.head.path, BYTES("/auth")))
		check(&r, forms_of(&r.head), bytes_is(r.client, proxies[0]));
	arena_done(&r.arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ask((struct bytes){ data, size }, "192.0.2.1");
	ask((struct bytes){ data, size }, "192.0.2.2");
	return 0;
}
