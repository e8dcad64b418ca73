/* test_routes.c - services, routes, TLS, quotas and telemetry: what is read, and what is refused.
 */
#include "load.h"

#include "base/macros.h"

#define STAR "*"
#define SERVICE                                                                                    \
	"backends: {app: {type: http, url: http://127.0.0.1:8000}, db: {type: sqlite, path: d}}\n"
#define ROLES                                                                                      \
	"issuers: {local: {type: local, audience: a}}\n"                                           \
	"roles: {reader: {granted_by: ['local:r']}, writer: {granted_by: ['local:w']}}\n"
#define ROUTE_FORM                                                                                 \
	"a path such as /app/" STAR " or /items/" STAR "/notes: segments as they are when "        \
	"decoded, * for any one of them, at the end for any number\n"
#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, all\n"

enum { GET = 1 << 0, HEAD = 1 << 1, POST = 1 << 2, DELETE = 1 << 5, OPTIONS = 1 << 6 };

static void
test_a_service_has_defaults_and_origins(void)
{
	struct load l = load_text("backends:\n  app: {type: http, url: [http://127.0.0.1:8000, "
	                          "'http://[::1]', http://b.example]}\n"
	                          "  tls: {type: http, url: https://b.example}\n");
	CHECK(l.settings != NULL);
	if (l.settings == NULL)
		return;
	const struct service_settings *s = &l.settings->backends[0].service;
	CHECK(l.settings->backends[0].type == BACKEND_HTTP && s->origin_count == 3);
	CHECK(strcmp(s->origins[0].host, "127.0.0.1") == 0 && s->origins[0].port == 8000);
	CHECK(strcmp(s->origins[1].host, "::1") == 0 && s->origins[1].port == 80 &&
	      !s->origins[1].is_tls);
	CHECK(s->origins[1].place.line == 2 && s->origins[1].place.column == 50);
	CHECK(strcmp(s->audience, "app") == 0 && s->protocol == SERVICE_AUTO &&
	      s->host == SERVICE_HOST_KEEP);
	CHECK(s->connections == 256 && s->queue == 1024 && s->retries == 1);
	CHECK(s->connect_timeout_ms == 2000 && s->response_timeout_ms == 60000 &&
	      s->idle_timeout_ms == 30000);
	CHECK(s->health.path == NULL && s->breaker.failures == 5 && s->breaker.open_ms == 10000);
	CHECK(s->assertion_s == 300 && s->claim_count == 0 && s->certificate.certificate == NULL);
	s = &l.settings->backends[1].service;
	CHECK(s->origins[0].is_tls && s->origins[0].port == 443);
	load_done(&l);
}

static void
test_a_service_is_read_whole(void)
{
	struct load l = load_text(
		"backends:\n"
		"  app:\n"
		"    {type: http, url: https://a.example, audience: x, protocol: http2, host: "
		"own,\n"
		"     connections: 2, queue: 0, connect_timeout: 1s, response_timeout: 3s,\n"
		"     idle_timeout: 4s, retries: 0, health: {path: /h, interval: 7s, timeout: 1s, "
		"status: 204, rise: 4, fall: 5},\n"
		"     breaker: {failures: 0, open: 1s}, assertion: {ttl: 1m, claims: "
		"[department]},\n"
		"     tls: {ca: ca.pem, server_name: n.example, certificate: c.pem, key: k.pem}}\n"
		"  short: {type: http, url: http://a.example, health: /healthz?x=1}\n");
	CHECK(l.settings != NULL);
	if (l.settings == NULL)
		return;
	const struct service_settings *s = &l.settings->backends[0].service;
	CHECK(strcmp(s->audience, "x") == 0 && s->protocol == SERVICE_HTTP2 &&
	      s->host == SERVICE_HOST_OWN);
	CHECK(s->connections == 2 && s->queue == 0 && s->retries == 0);
	CHECK(strcmp(s->health.path, "/h") == 0 && s->health.interval_ms == 7000 &&
	      s->health.timeout_ms == 1000 && s->health.status == 204 && s->health.rise == 4 &&
	      s->health.fall == 5);
	CHECK(s->breaker.failures == 0 && s->breaker.open_ms == 1000 && s->assertion_s == 60);
	CHECK(s->claim_count == 1 && strcmp(s->claims[0], "department") == 0);
	CHECK(strcmp(s->ca_file, "/srv/gw/ca.pem") == 0 &&
	      strcmp(s->server_name, "n.example") == 0);
	CHECK(strcmp(s->certificate.certificate, "/srv/gw/c.pem") == 0 &&
	      strcmp(s->certificate.key, "/srv/gw/k.pem") == 0);
	CHECK(strcmp(l.settings->backends[1].service.health.path, "/healthz?x=1") == 0 &&
	      l.settings->backends[1].service.health.rise == 2);
	load_done(&l);
}

static void
test_a_service_that_makes_no_sense_is_refused(void)
{
	static const struct mistake rows[] = {
		{ "backends: {a: {type: http}}\n", G
		  ":1:12: url is missing; expected http:// or https://, a host and perhaps a port, "
		  "nothing more, or a list of 1 to 64 of them\n" },
		{ "backends: {a: {type: http, url: [http://x, https://y]}}\n",
		  G ":1:44: url has another scheme than the first; expected all http or all "
		    "https\n" },
		{ "backends: {a: {type: http, url: [http://x, 'http://x:80']}}\n",
		  G ":1:44: url stands twice; expected each address once\n" },
		{ "backends: {a: {type: http, url: http://x, tls: {ca: f}}}\n", G
		  ":1:43: tls without https; expected it with a url that begins with https://\n" },
		{ "backends: {a: {type: http, url: https://x, tls: {certificate: f}}}\n",
		  G ":1:44: certificate without key; expected both or neither\n" },
		{ "backends: {a: {type: http, url: http://x, assertion: {claims: [aud]}}}\n",
		  G ":1:63: claims names \"aud\", which an assertion has of its own; expected "
		    "others\n" },
		{ "backends: {a: {type: http, url: http://x, assertion: {ttl: 16m}}}\n", G
		  ":1:60: ttl is out of bounds: \"16m\"; expected a duration from 10s to 15m, such "
		  "as 5m\n" },
		{ "backends: {a: {type: http, url: http://x, health: {interval: 1s}}}\n",
		  G ":1:43: path is missing; expected a path that begins with /\n" },
		{ SERVICE "resources: {r: {backend: app, table: t}}\n",
		  G ":2:26: backend \"app\" is of type http; expected one that has tables, or a "
		    "route instead of a resource\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_route_is_read_whole(void)
{
	struct load l = load_text(
		SERVICE ROLES
		"routes:\n"
		"  - {path: /app/" STAR ", hosts: [API.example.com, b.example], backend: app, "
		"public: [OPTIONS], allow: {reader: [GET, POST], writer: all}, deny: {writer: "
		"[DELETE]}, strip: /app, identity: [pomerium, forwarded], authorization: keep, "
		"observe: true, limits: {requests: 600/min, burst: 5, concurrent: 6, bytes: "
		"1MiB/s, "
		"caller: {requests: 10/h}}, response_timeout: 5m, body: 0B}\n"
		"  - {path: /}\n"
		"  - {path: /x, allow: {reader: HEAD}, identity: none}\n");
	CHECK(load_says(&l, ""));
	if (l.settings == NULL)
		return;
	const struct route_settings *r = &l.settings->routes[0];
	CHECK(l.settings->route_count == 3 && strcmp(r->path, "/app/" STAR) == 0);
	CHECK(r->place.line == 5 && r->place.column == 5);
	CHECK(r->host_count == 2 && strcmp(r->hosts[0], "api.example.com") == 0);
	CHECK(r->backend == 0 && r->public == OPTIONS);
	CHECK(r->allow_count == 2 && r->allow[0].role == 0 &&
	      r->allow[0].methods == (GET | HEAD | POST));
	CHECK(r->allow[1].role == 1 && r->allow[1].methods == ROUTE_METHODS_ALL);
	CHECK(r->deny_count == 1 && r->deny[0].role == 1 && r->deny[0].methods == DELETE &&
	      r->deny[0].place.line == 5);
	CHECK(strcmp(r->strip, "/app") == 0 &&
	      r->identity == (IDENTITY_POMERIUM | IDENTITY_FORWARDED));
	CHECK(r->keeps_authorization && r->is_observed && !r->is_page);
	CHECK(r->quota.requests == 600 && r->quota.per_s == 60 && r->quota.burst == 5 &&
	      r->quota.concurrent == 6 && r->quota.bytes_s == 1 << 20);
	CHECK(r->caller_quota.requests == 10 && r->caller_quota.per_s == 3600 &&
	      r->caller_quota.burst == 10 && r->caller_quota.concurrent == 0);
	CHECK(r->quota.place.line == 5 && r->caller_quota.place.column > r->quota.place.column);
	CHECK(r->response_timeout_ms == 300000 && r->body_bytes == 0);
	r = &l.settings->routes[1];
	CHECK(r->backend == -1 && r->identity == IDENTITY_ASSERTION && !r->keeps_authorization &&
	      !r->is_observed && r->body_bytes == 1 << 30 && r->response_timeout_ms == 0);
	CHECK(r->quota.requests == 0 && r->quota.burst == 0 && r->quota.place.line == 0);
	r = &l.settings->routes[2];
	CHECK(r->allow[0].methods == HEAD && r->identity == 0);
	load_done(&l);
}

#define ROUTE(text) SERVICE "routes:\n  - " text "\n"

static void
test_a_path_that_no_request_can_have_is_refused(void)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{ "app", "does not begin with /" },
		{ "/app/", "ends in /" },
		{ "/app//x", "has an empty segment" },
		{ "//", "ends in /" },
		{ "/a/../b", "has a dot segment" },
		{ "/.", "has a dot segment" },
		{ "/a%20b", "has an encoded segment, but paths are compared decoded" },
		{ "/a?b", "has a query, a fragment or a parameter" },
		{ "/a;b", "has a query, a fragment or a parameter" },
		{ "/a/{id}", "has a variable in braces" },
		{ "/a" STAR, "has a star that is not a whole segment" },
		{ "/" STAR STAR, "has a star that is not a whole segment" },
		{ "/a\\\\b", "has a byte that may not stand here" },
		{ "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/"
		  "30/31/32/33",
		  "has too many segments" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		buf_printf(&text, "routes: [{path: \"%s\"}]\n", rows[i].path);
		struct load l = load_bytes(text.at, text.len);
		buf_put_u8(&l.errors.text, 0);
		CHECK_ROW(l.settings == NULL && l.errors.count == 1 &&
		                  strstr((char *)l.errors.text.at, rows[i].why) != NULL,
		          rows[i].path);
		buf_done(&text);
		load_done(&l);
	}
}

static void
test_a_route_that_makes_no_sense_is_refused(void)
{
	static const struct mistake rows[] = {
		{ "routes: {path: /x}\n",
		  G ":1:9: routes is a mapping; expected a list of at most 1024, each a route\n" },
		{ "routes: [x]\n",
		  G ":1:10: routes is text; expected a list of at most 1024, each a route\n" },
		{ "routes: [{}]\n", G ":1:10: path is missing; expected " ROUTE_FORM },
		{ ROUTE("{path: /token, backend: app}"),
		  G ":3:12: path takes /token, which is an endpoint of ours; expected another\n" },
		{ ROUTE("{path: /.well-known/x, backend: app}"),
		  G ":3:12: path takes /.well-known, which is an endpoint of ours; expected "
		    "another\n" },
		{ ROUTE("{path: /x, backend: db}"),
		  G ":3:25: backend \"db\" is of type sqlite; expected one of type http\n" },
		{ ROUTE("{path: /x, backend: ap}"),
		  G ":3:25: unknown backend \"ap\" (did you mean \"app\"?); expected one of app, "
		    "db\n" },
		{ ROUTE("{path: /a/b, strip: /b}"),
		  G ":3:25: strip is not what path begins with; expected the first segments of the "
		    "path, such as /app\n" },
		{ ROUTE("{path: /" STAR "/b, strip: /" STAR "}"),
		  G ":3:25: strip has a star: \"/" STAR "\"; expected the first segments of the "
		    "path, such as /app\n" },
		{ ROUTE("{path: /a, public: [GTE]}"),
		  G ":3:25: public is unknown: \"GTE\" (did you mean \"GET\"?); expected a list of "
		    "any of " METHODS },
		{ ROLES ROUTE("{path: /a, allow: {raeder: all}}"),
		  G ":5:24: unknown role \"raeder\" (did you mean \"reader\"?); expected one of "
		    "reader, writer\n" },
		{ ROLES ROUTE("{path: /a, allow: {reader: []}}"),
		  G ":5:32: allow is an empty list; expected a list of any of " METHODS },
		{ ROLES ROUTE("{path: /a, allow: [reader]}"),
		  G ":5:23: allow is a list; expected a mapping from roles to a list of any "
		    "of " METHODS },
		{ ROUTE("{path: /a, page: true}"),
		  G ":3:5: page without sessions; expected an issuer with login\n" },
		{ ROUTE("{path: /a, limits: {burst: 5}}"),
		  G ":3:25: burst without requests; expected the number it may pass\n" },
		{ ROUTE("{path: /a, limits: {requests: 5}}"),
		  G ":3:35: requests has no time: \"5\"; expected a number for each s, min or h, "
		    "such as 100/s, 600/min or 1000/h\n" },
		{ ROUTE("{path: /a, limits: {requests: 5/d}}"),
		  G ":3:35: requests has an unknown time: \"5/d\"; expected a number for each s, "
		    "min or h, such as 100/s, 600/min or 1000/h\n" },
		{ ROUTE("{path: /a, limits: {requests: 0/s}}"),
		  G ":3:35: requests is out of bounds: \"0/s\"; expected a number for each s, min "
		    "or h, such as 100/s, 600/min or 1000/h\n" },
		{ ROUTE("{path: /a, limits: {bytes: 1MiB}}"),
		  G ":3:32: bytes has no /s: \"1MiB\"; expected a size for each second from 1KiB/s "
		    "to 1024GiB/s, such as 64KiB/s\n" },
		{ ROUTE("{path: /a, limits: {caller: {caller: {}}}}"),
		  G ":3:34: unknown key \"caller\" in limits; expected one of requests, burst, "
		    "concurrent, bytes\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

/* Each line of the first is above the second. */
static void
test_a_route_that_is_never_reached_is_refused(void)
{
	static const struct {
		const char *first, *second;
		bool covers;
	} rows[] = {
		{ "path: /a", "path: /a", true },
		{ "path: /a/" STAR, "path: /a", true },
		{ "path: /a/" STAR, "path: /a/b/c", true },
		{ "path: /a/" STAR, "path: /a/" STAR, true },
		{ "path: /" STAR, "path: /", true },
		{ "path: /" STAR, "path: /x/" STAR "/y", true },
		{ "path: /a/" STAR "/c", "path: /a/b/c", true },
		{ "path: /a/" STAR "/" STAR, "path: /a/b/" STAR, true },
		{ "path: /a/" STAR, "path: /a/b, hosts: x.example", true },
		{ "path: /a, hosts: [x.example, y.example]", "path: /a, hosts: X.example", true },
		{ "path: /a, hosts: x.example", "path: /a", false },
		{ "path: /a, hosts: x.example", "path: /a, hosts: [x.example, y.example]", false },
		{ "path: /a/b/c", "path: /a/" STAR "/c", false },
		{ "path: /a/" STAR "/" STAR, "path: /a/" STAR, false },
		{ "path: /a", "path: /a/" STAR, false },
		{ "path: /a/" STAR "/c", "path: /a/" STAR, false },
		{ "path: /", "path: /" STAR, false },
		{ "path: /ab", "path: /a", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		buf_printf(&text, "routes:\n  - {%s}\n  - {%s}\n", rows[i].first, rows[i].second);
		struct load l = load_bytes(text.at, text.len);
		buf_put_u8(&l.errors.text, 0);
		CHECK_ROW((l.settings == NULL) == rows[i].covers, rows[i].second);
		CHECK_ROW(l.settings != NULL ||
		                  (l.errors.count == 1 &&
		                   strstr((char *)l.errors.text.at, ":3:5: ") != NULL &&
		                   strstr((char *)l.errors.text.at, "is never reached, as ") !=
		                           NULL &&
		                   strstr((char *)l.errors.text.at, " on line 2 ") != NULL),
		          rows[i].second);
		buf_done(&text);
		load_done(&l);
	}
}

static void
test_tls_of_listeners_is_read(void)
{
	struct load l =
		load_text("listen:\n"
	                  "  http: {address: 0.0.0.0:8443, tls: {certificate: c.pem, key: /k.pem, "
	                  "certificates: [{certificate: d.pem, key: e.pem}], client_ca: ca.pem, "
	                  "client_certificate: require, minimum: 1.3}}\n"
	                  "  admin: {address: 9090, tls: {certificate: c, key: k}}\n");
	CHECK(load_says(&l, ""));
	if (l.settings == NULL)
		return;
	const struct tls_settings *t = &l.settings->listen.http_tls;
	CHECK(t->is_on && t->place.line == 2 && t->own.place.line == 2);
	CHECK(strcmp(t->own.certificate, "/srv/gw/c.pem") == 0 &&
	      strcmp(t->own.key, "/k.pem") == 0);
	CHECK(t->more_count == 1 && strcmp(t->more[0].key, "/srv/gw/e.pem") == 0 &&
	      t->more[0].place.line == 2);
	CHECK(strcmp(t->client_ca, "/srv/gw/ca.pem") == 0 && t->requires_certificate &&
	      t->is_tls13_only);
	t = &l.settings->listen.admin_tls;
	CHECK(t->is_on && !t->requires_certificate && !t->is_tls13_only && t->client_ca == NULL &&
	      l.settings->listen.admin.port == 9090);
	CHECK(strcmp(l.settings->public_url, "https://0.0.0.0:8443") == 0);
	load_done(&l);

	l = load_text("listen: {http: 8080, admin: 9090}\n");
	CHECK(l.settings != NULL && !l.settings->listen.http_tls.is_on &&
	      !l.settings->listen.admin_tls.is_on);
	load_done(&l);
}

static void
test_tls_that_makes_no_sense_is_refused(void)
{
	static const struct mistake rows[] = {
		{ "listen: {http: {address: 1, tls: {certificate: c}}}\n",
		  G ":1:29: key is missing; expected a path\n" },
		{ "listen: {http: {address: 1, tls: {certificate: c, key: k, client_certificate: "
		  "require}}}\n",
		  G ":1:59: client_certificate without client_ca; expected the authorities that "
		    "sign such certificates\n" },
		{ "listen: {http: {address: 1, tls: {certificate: c, key: k, minimum: 1.1}}}\n",
		  G ":1:68: minimum is unknown: \"1.1\" (did you mean \"1.2\"?); expected one of "
		    "1.2, 1.3\n" },
		{ "listen: {http: {address: 1, tls: {certificate: c, key: k, certificates: "
		  "[{key: k}]}}}\n",
		  G ":1:74: certificate is missing; expected a path\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_telemetry_and_quotas_are_read(void)
{
	struct load l = load_text(
		"telemetry: {traces: 'http://127.0.0.1:4318/v1/traces', headers: {env: H}, "
		"interval: 1s, sample: 0.25%, server_timing: true, access_log: logs/a}\n"
		"limits: {stream_idle_timeout: 5m, caller: {requests: 50/s, burst: 9}}\n"
		"issuers: {local: {type: local, audience: a}}\n"
		"roles: {r: {granted_by: ['local:r'], limits: {concurrent: 3}}}\n");
	CHECK(load_says(&l, ""));
	if (l.settings == NULL)
		return;
	const struct telemetry_settings *t = &l.settings->telemetry;
	CHECK(strcmp(t->traces_url, "http://127.0.0.1:4318/v1/traces") == 0 &&
	      t->metrics_url == NULL && strcmp(t->headers.env, "H") == 0);
	CHECK(t->interval_ms == 1000 && t->sample_ppm == 2500 && t->has_server_timing);
	CHECK(t->access_log == ACCESS_LOG_FILE &&
	      strcmp(t->access_log_path, "/srv/gw/logs/a") == 0 &&
	      strcmp(t->service_name, "gatewarden") == 0);
	CHECK(l.settings->limits.stream_idle_ms == 300000);
	CHECK(l.settings->caller_quota.requests == 50 && l.settings->caller_quota.per_s == 1 &&
	      l.settings->caller_quota.burst == 9 && l.settings->caller_quota.place.line == 2);
	CHECK(l.settings->roles[0].quota.concurrent == 3 &&
	      l.settings->roles[0].quota.requests == 0);
	load_done(&l);

	l = load_text("telemetry: {access_log: output}\n");
	CHECK(l.settings != NULL && l.settings->telemetry.access_log == ACCESS_LOG_OUTPUT &&
	      l.settings->telemetry.access_log_path == NULL);
	load_done(&l);
	l = load_text("{}\n");
	CHECK(l.settings != NULL && l.settings->telemetry.access_log == ACCESS_LOG_OFF &&
	      l.settings->telemetry.sample_ppm == 100000 &&
	      l.settings->limits.stream_idle_ms == 600000);
	load_done(&l);
}

static void
test_shares_are_percent(void)
{
	static const struct mistake rows[] = {
		{ "telemetry: {sample: 10}\n",
		  G ":1:21: sample is no number of percent: \"10\"; expected a share from 0% to "
		    "100%, such as 10%\n" },
		{ "telemetry: {sample: 100.0001%}\n",
		  G ":1:21: sample is out of bounds: \"100.0001%\"; expected a share from 0% to "
		    "100%, such as 10%\n" },
		{ "telemetry: {sample: 0.00001%}\n",
		  G ":1:21: sample is no number of percent: \"0.00001%\"; expected a share from 0% "
		    "to 100%, such as 10%\n" },
		{ "telemetry: {headers: {file: f}}\n",
		  G ":1:13: headers without traces or metrics; expected where they are sent\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

TESTS(TEST(test_a_service_has_defaults_and_origins), TEST(test_a_service_is_read_whole),
      TEST(test_a_service_that_makes_no_sense_is_refused), TEST(test_a_route_is_read_whole),
      TEST(test_a_path_that_no_request_can_have_is_refused),
      TEST(test_a_route_that_makes_no_sense_is_refused),
      TEST(test_a_route_that_is_never_reached_is_refused), TEST(test_tls_of_listeners_is_read),
      TEST(test_tls_that_makes_no_sense_is_refused), TEST(test_telemetry_and_quotas_are_read),
      TEST(test_shares_are_percent))
