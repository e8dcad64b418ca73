/* config_services.c - the rows of backends, and what follows from them together. */
#include "config/config_reader.h"

#include "base/macros.h"
#include "config/config_host.h"

enum { ORIGINS_MAX = 64, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* While it is read. */
struct backend_draft {
	struct backend_settings backend; /* first: what remains */
	const char *const *urls;
	size_t url_count;
};

static void backend_finish(struct config_reader *r, const struct node *n, void *draft);

/* Tables, read by the row. */
/* clang-format off */

static const struct setting sqlite_rows[] = {
	{ .name = "path", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct backend_settings, path),
	  .help = "The database file. It must exist. SQLite keeps a log and an index beside it, so its folder must be "
	          "writable for the service; a worker may open these three files and no other." },
	{ .name = "statement_timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = HOUR_MS, .fallback = "10s",
	  .offset = offsetof(struct backend_settings, statement_timeout_ms),
	  .help = "A statement that takes longer is stopped." },
	{ .name = "lock_timeout", .kind = SETTING_MILLISECONDS, .min = 0, .max = 5 * MINUTE_MS, .fallback = "5s",
	  .offset = offsetof(struct backend_settings, lock_timeout_ms),
	  .help = "How long a write waits for another writer before it is refused." },
};
static const struct row_group sqlite_groups[] = { { sqlite_rows, ARRAY_LEN(sqlite_rows) } };

/* http */

static const struct choice protocols[] = {
	{ "auto", SERVICE_AUTO, NULL }, { "http1", SERVICE_HTTP1, NULL }, { "http2", SERVICE_HTTP2, NULL },
};
static const struct choice hosts[] = { { "keep", SERVICE_HOST_KEEP, NULL }, { "own", SERVICE_HOST_OWN, NULL } };
static const struct setting health_rows[] = {
	{ .name = "path", .kind = SETTING_TEXT, .form = &form_target, .required = true, .min = 1, .max = 1024,
	  .offset = offsetof(struct service_settings, health.path), .help = "What each address is asked, with GET." },
	{ .name = "interval", .kind = SETTING_MILLISECONDS, .min = 100, .max = HOUR_MS, .fallback = "5s",
	  .offset = offsetof(struct service_settings, health.interval_ms), .help = "How often, by each worker." },
	{ .name = "timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = MINUTE_MS, .fallback = "2s",
	  .offset = offsetof(struct service_settings, health.timeout_ms), .help = "An answer that takes longer is none." },
	{ .name = "status", .kind = SETTING_NUMBER, .min = 100, .max = 599, .fallback = "200",
	  .offset = offsetof(struct service_settings, health.status), .help = "The status of a good answer." },
	{ .name = "rise", .kind = SETTING_NUMBER, .min = 1, .max = 100, .fallback = "2",
	  .offset = offsetof(struct service_settings, health.rise), .help = "Good answers in a row until it is asked again." },
	{ .name = "fall", .kind = SETTING_NUMBER, .min = 1, .max = 100, .fallback = "3",
	  .offset = offsetof(struct service_settings, health.fall),
	  .help = "Bad answers in a row until it gets no more requests." },
};
static const struct section health_section = {
	.title = "health", .settings = health_rows, .count = ARRAY_LEN(health_rows), .short_key = "path",
};
static const struct setting breaker_rows[] = {
	{ .name = "failures", .kind = SETTING_NUMBER, .min = 0, .max = 1000000, .fallback = "5",
	  .offset = offsetof(struct service_settings, breaker.failures),
	  .help = "Failures in a row of an address until it gets no more requests for a while; 0: never." },
	{ .name = "open", .kind = SETTING_MILLISECONDS, .min = 10, .max = HOUR_MS, .fallback = "10s",
	  .offset = offsetof(struct service_settings, breaker.open_ms), .help = "How long. Then one request tries it." },
};
static const struct section breaker_section = {
	.title = "breaker", .settings = breaker_rows, .count = ARRAY_LEN(breaker_rows),
};
static const struct setting service_tls_rows[] = {
	{ .name = "ca", .kind = SETTING_PATH, .offset = offsetof(struct service_settings, ca_file),
	  .help = "The authorities, in PEM form, that are trusted instead of the system's." },
	{ .name = "server_name", .kind = SETTING_TEXT, .form = &form_host, .min = 1, .max = 253,
	  .offset = offsetof(struct service_settings, server_name),
	  .help = "The name that its certificate must have. Default: the host of its URL." },
	{ .name = "certificate", .kind = SETTING_PATH, .offset = offsetof(struct service_settings, certificate.certificate),
	  .help = "The certificate that we show it, in PEM form, with the chain behind it. Default: none." },
	{ .name = "key", .kind = SETTING_PATH, .offset = offsetof(struct service_settings, certificate.key),
	  .help = "The key of that certificate, in PEM form, without a passphrase." },
};
static const struct section service_tls_section = {
	.title = "tls", .settings = service_tls_rows, .count = ARRAY_LEN(service_tls_rows),
};
static const struct setting assertion_rows[] = {
	{ .name = "ttl", .kind = SETTING_SECONDS, .min = 10, .max = 15 * MINUTE_S, .fallback = "5m",
	  .offset = offsetof(struct service_settings, assertion_s), .help = "How long an assertion lives." },
	{ .name = "claims", .kind = SETTING_TEXTS, .min = 1, .max = 64, .offset = offsetof(struct service_settings, claims),
	  .count_offset = offsetof(struct service_settings, claim_count),
	  .help = "Claims of the caller's token that are told the service besides the usual ones (`sub`, `roles`, `idp`, `name`, "
	          "`email`, `scope`, `act`). Named as in `roles_claim`." },
};
static const struct section assertion_section = {
	.title = "assertion", .settings = assertion_rows, .count = ARRAY_LEN(assertion_rows),
};
static const struct setting service_rows[] = {
	{ .name = "url", .kind = SETTING_TEXTS, .form = &form_origin, .required = true, .min = 1, .max = ORIGINS_MAX,
	  .offset = offsetof(struct backend_draft, urls), .count_offset = offsetof(struct backend_draft, url_count),
	  .help = "Where the service is. With several addresses of it, a request goes to the one that has the fewest under "
	          "way. All have the same scheme; with `https` its certificate must be good for the host." },
	{ .name = "audience", .kind = SETTING_TEXT, .min = 1, .max = 256,
	  .offset = offsetof(struct backend_settings, service.audience),
	  .help = "`aud` of the assertions made for it. Default: the name of the backend." },
	{ .name = "protocol", .kind = SETTING_CHOICE, .fallback = "auto",
	  .offset = offsetof(struct backend_settings, service.protocol),
	  .choices = protocols, .choice_count = ARRAY_LEN(protocols),
	  .help = "What is spoken with it. `auto`: what it chooses where it has `https`, else HTTP/1.1. `http2` without "
	          "`https` is by prior knowledge." },
	{ .name = "host", .kind = SETTING_CHOICE, .fallback = "keep",
	  .offset = offsetof(struct backend_settings, service.host),
	  .choices = hosts, .choice_count = ARRAY_LEN(hosts),
	  .help = "The `Host` that it reads: `keep` is what the caller sent, `own` that of its URL." },
	{ .name = "connections", .kind = SETTING_NUMBER, .min = 1, .max = 65535, .fallback = "256",
	  .offset = offsetof(struct backend_settings, service.connections),
	  .help = "To each address, from each worker, at most." },
	{ .name = "queue", .kind = SETTING_NUMBER, .min = 0, .max = 1000000, .fallback = "1024",
	  .offset = offsetof(struct backend_settings, service.queue),
	  .help = "Requests that may wait for a connection, in each worker; further ones get 503." },
	{ .name = "connect_timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = 5 * MINUTE_MS, .fallback = "2s",
	  .offset = offsetof(struct backend_settings, service.connect_timeout_ms), .help = "Until a connection stands, TLS included." },
	{ .name = "response_timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = 24 * HOUR_MS, .fallback = "60s",
	  .offset = offsetof(struct backend_settings, service.response_timeout_ms), .help = "Until the head of the answer is there; then the caller gets 504." },
	{ .name = "idle_timeout", .kind = SETTING_MILLISECONDS, .min = 10, .max = HOUR_MS, .fallback = "30s",
	  .offset = offsetof(struct backend_settings, service.idle_timeout_ms), .help = "How long a connection is kept that nothing uses." },
	{ .name = "retries", .kind = SETTING_NUMBER, .min = 0, .max = 10, .fallback = "1",
	  .offset = offsetof(struct backend_settings, service.retries),
	  .help = "How often a request is tried again that no address began: one that could not be sent, or is idempotent, has "
	          "no body, and got no byte of an answer." },
	{ .name = "health", .kind = SETTING_SECTION, .section = &health_section, .offset = offsetof(struct backend_settings, service),
	  .help = "Each address is asked, and gets no requests while it does not answer well. Without it, only what requests "
	          "meet counts. The path alone, or a mapping." },
	{ .name = "breaker", .kind = SETTING_SECTION, .section = &breaker_section,
	  .offset = offsetof(struct backend_settings, service),
	  .help = "An address that fails again and again is left alone for a while." },
	{ .name = "tls", .kind = SETTING_SECTION, .section = &service_tls_section,
	  .offset = offsetof(struct backend_settings, service), .help = "How an `https` service is known, and what it is shown." },
	{ .name = "assertion", .kind = SETTING_SECTION, .section = &assertion_section,
	  .offset = offsetof(struct backend_settings, service),
	  .help = "The signed statement of who the caller is." },
};
static const struct row_group service_groups[] = { { service_rows, ARRAY_LEN(service_rows) } };

static const struct variant backend_types[] = {
	{ "sqlite", BACKEND_SQLITE, sqlite_groups, ARRAY_LEN(sqlite_groups) },
	{ "http", BACKEND_HTTP, service_groups, ARRAY_LEN(service_groups) },
};
const struct section backend_section = {
	.title = "a backend", .variants = backend_types, .variant_count = ARRAY_LEN(backend_types),
	.type_offset = offsetof(struct backend_settings, type), .size = sizeof(struct backend_settings),
	.name_offset = offsetof(struct backend_settings, name), .place_offset = offsetof(struct backend_settings, place),
	.draft_size = sizeof(struct backend_draft), .finish = backend_finish,
};
/* clang-format on */

/* A URL that was refused is empty: no second error. */
static bool
origin_read(struct config_reader *r, const char *url, struct place at, struct origin_settings *ret)
{
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;
	struct bytes text = bytes_text(url);
	bool is_tls = bytes_starts(text, BYTES("https://"));

	if (text.len == 0 ||
	    !host_split(bytes_slice(text, is_tls ? 8 : 7, text.len), false, host, &port))
		return false;
	*ret = (struct origin_settings){
		.is_tls = is_tls,
		.host = reader_text(r, bytes_text(host)),
		.port = port != 0 ? port
		        : is_tls  ? HTTPS_PORT
		                  : HTTP_PORT,
		.place = at,
	};
	return true;
}

static void
check_origin(struct config_reader *r, const struct service_settings *s,
             const struct origin_settings *o)
{
	for (size_t i = 0; i < s->origin_count; i++)
		if (s->origins[i].port == o->port && strcmp(s->origins[i].host, o->host) == 0) {
			problem_add(&r->problems, o->place,
			            "url stands twice; expected each address once");
			return;
		}
	if (s->origin_count > 0 && s->origins[0].is_tls != o->is_tls)
		problem_add(
			&r->problems, o->place,
			"url has another scheme than the first; expected all http or all https");
}

static void
read_origins(struct config_reader *r, const struct node *url, struct backend_draft *d)
{
	struct service_settings *s = &d->backend.service;
	struct origin_settings *origins = reader_array(r, d->url_count, sizeof *origins);
	const struct node *each = url != NULL && url->kind == NODE_LIST ? url->first : url;

	s->origins = origins;
	for (size_t i = 0; i < d->url_count && origins != NULL && each != NULL;
	     i++, each = each->next) {
		struct origin_settings *o = &origins[s->origin_count];
		if (!origin_read(r, d->urls[i], each->place, o))
			continue;
		check_origin(r, s, o);
		s->origin_count++;
	}
}

/* Claims that only we may say. */
static void
check_claims(struct config_reader *r, const struct node *n, const struct service_settings *s)
{
	static const char *const ours[] = {
		"iss", "aud", "sub",   "iat",  "nbf",   "exp",   "jti",
		"cnf", "idp", "roles", "name", "email", "scope", "act"
	};

	for (size_t i = 0; i < s->claim_count; i++)
		for (size_t j = 0; j < ARRAY_LEN(ours); j++)
			if (strcmp(s->claims[i], ours[j]) == 0)
				problem_add(
					&r->problems, n->place,
					"claims names \"%s\", which an assertion has of its own; "
					"expected others",
					ours[j]);
}

static void
check_service_tls(struct config_reader *r, const struct node *tls, const struct service_settings *s)
{
	if (tls == NULL)
		return;
	if (s->origin_count > 0 && !s->origins[0].is_tls)
		problem_add(&r->problems, tls->key_place,
		            "tls without https; expected it with a url that begins with https://");
	if ((s->certificate.certificate != NULL) != (s->certificate.key != NULL))
		problem_add(&r->problems, tls->key_place, "%s without %s; expected both or neither",
		            s->certificate.key == NULL ? "certificate" : "key",
		            s->certificate.key == NULL ? "key" : "certificate");
}

static void
backend_finish(struct config_reader *r, const struct node *n, void *draft)
{
	struct backend_draft *d = draft;
	struct service_settings *s = &d->backend.service;
	const struct node *tls = node_member(n, "tls");

	if (d->backend.type != BACKEND_HTTP)
		return;
	read_origins(r, node_member(n, "url"), d);
	s->certificate.place = tls != NULL ? tls->place : (struct place){ 0 };
	if (s->audience == NULL)
		s->audience = d->backend.name;
	check_service_tls(r, tls, s);
	check_claims(r, node_member(node_member(n, "assertion"), "claims"), s);
}
