/* config_check.c - what no single row can say: settings that must differ or fit together, and those
 * that follow from others. */
#include "config/config_host.h"
#include "config/config_reader.h"
#include "config/route_path.h"

#include <unistd.h>

enum { WORKERS_MAX = 256 };

static bool
is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void
check_listeners(struct config_reader *r)
{
	const struct address *http = &r->settings->listen.http, *admin = &r->settings->listen.admin;

	if (http->port == 0 || admin->port != http->port)
		return;
	if (strcmp(http->host, admin->host) == 0 || is_wildcard(http->host) ||
	    is_wildcard(admin->host))
		problem_add(&r->problems, admin->place,
		            "admin is the same address as http; expected another port");
}

static void
derive_public_url(struct config_reader *r)
{
	const struct address *http = &r->settings->listen.http;
	struct buf url = { 0 };

	if (r->settings->public_url != NULL || http->host == NULL)
		return;
	bool six = strchr(http->host, ':') != NULL;
	buf_printf(&url, "%s://%s%s%s:%u", r->settings->listen.http_tls.is_on ? "https" : "http",
	           six ? "[" : "", http->host, six ? "]" : "", http->port);
	r->settings->public_url = reader_text(r, buf_bytes(&url));
	buf_done(&url);
}

static void
derive_workers(struct settings *s)
{
	long online = s->workers == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : s->workers;

	s->workers = online < 1 ? 1 : online > WORKERS_MAX ? WORKERS_MAX : (unsigned)online;
}

/* RFC 9440's field is compared in lower case, like every other. */
static void
check_certificate_field(struct config_reader *r, const struct node *root)
{
	struct settings *s = r->settings;
	const struct node *http = node_member(node_member(root, "listen"), "http");
	const struct node *given = node_member(http, "client_certificate");

	if (s->listen.certificate_field == NULL)
		return;
	if (s->listen.proxy_count == 0)
		problem_add(&r->problems, given->key_place,
		            "client_certificate without proxies; expected the addresses that may "
		            "send it");

	char *name = arena_text(r->arena, bytes_text(s->listen.certificate_field));
	for (char *c = name; c != NULL && *c != 0; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	s->listen.certificate_field = name;
	r->problems.no_memory |= name == NULL;
}

/* Our own tokens name our own address, and are signed with one algorithm. */
static void
derive_local(struct config_reader *r, struct issuer_settings *issuer)
{
	struct issuer_name *name = reader_array(r, 1, sizeof *name);

	if (name == NULL)
		return;
	name->iss = r->settings->public_url;
	issuer->issuer = name->iss;
	issuer->names = name;
	issuer->name_count = name->iss != NULL;
	issuer->algorithms = issuer->signing_algorithm;
	if (issuer->refresh_idle_ttl_s > issuer->refresh_token_ttl_s)
		issuer->refresh_idle_ttl_s = issuer->refresh_token_ttl_s;
}

/* Would both take a token with the same `iss` (and `tid`)? It could be judged by the rules of
 * either. */
static bool
is_shared(const struct issuer_settings *a, const struct issuer_settings *b)
{
	for (size_t i = 0; i < a->name_count; i++)
		for (size_t j = 0; j < b->name_count; j++) {
			const struct issuer_name *x = &a->names[i], *y = &b->names[j];
			bool apart = x->tenant != NULL && y->tenant != NULL &&
			             strcmp(x->tenant, y->tenant) != 0;
			if (strcmp(x->iss, y->iss) == 0 && !apart)
				return true;
		}
	return false;
}

static void
check_issuer_pair(struct config_reader *r, const struct issuer_settings *first,
                  const struct issuer_settings *s)
{
	if (first->type == ISSUER_LOCAL && s->type == ISSUER_LOCAL)
		problem_add(&r->problems, s->place,
		            "a second issuer of type local; expected at most one (the first is on "
		            "line %u)",
		            first->place.line);
	else if (first->type == ISSUER_INTROSPECTION && s->type == ISSUER_INTROSPECTION &&
	         first->name_count == 0 && s->name_count == 0)
		problem_add(&r->problems, s->place,
		            "a second issuer of type introspection without issuer; expected at "
		            "most one (the first is on line %u)",
		            first->place.line);
	else if (is_shared(first, s))
		problem_add(&r->problems, s->place,
		            "the issuer of \"%s\" again; expected each once", first->name);
}

static void
check_issuers(struct config_reader *r, struct issuer_settings *issuers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (issuers[i].roles_claims == NULL)
			continue; /* of no known type, which was said */
		if (issuers[i].type == ISSUER_LOCAL)
			derive_local(r, &issuers[i]);
		for (size_t j = 0; j < i; j++)
			if (issuers[j].roles_claims != NULL)
				check_issuer_pair(r, &issuers[j], &issuers[i]);
	}
}

/* A token that must be bound to a certificate is good for nobody where no certificate is seen. */
static void
check_bindings(struct config_reader *r, const struct node *root)
{
	const struct settings *s = r->settings;
	const struct node *n = node_member(root, "issuers");
	bool sees = s->listen.certificate_field != NULL || s->listen.http_tls.client_ca != NULL;

	n = n != NULL ? n->first : NULL;
	for (size_t i = 0; i < s->issuer_count && n != NULL; i++, n = n->next)
		if (s->issuers[i].bindings == BINDING_MTLS && !sees)
			problem_add(&r->problems, node_member(n, "bindings")->key_place,
			            "bindings ask for a certificate, and none is ever seen; "
			            "expected client_ca in listen.http.tls, or client_certificate "
			            "in listen.http");
}

/* The cookie of a session is safe on https alone; on loopback nobody listens. */
static void
check_logins(struct config_reader *r, const struct node *root)
{
	const struct settings *s = r->settings;
	const struct node *n = node_member(root, "issuers");

	if (s->public_url == NULL)
		return; /* it is wrong, which was said */

	struct bytes url = bytes_text(s->public_url);
	bool safe = bytes_starts(url, BYTES("https://")) || url_is_loopback(url);
	n = n != NULL ? n->first : NULL;
	for (size_t i = 0; i < s->issuer_count && n != NULL; i++, n = n->next)
		if (s->issuers[i].login_client_id != NULL && !safe)
			problem_add(&r->problems, node_member(n, "login")->key_place,
			            "login with a public_url that is not https; expected https, or "
			            "a host on loopback");
}

/* Whom pages send people to: the issuer that is named, or the first that has a login. */
static void
check_sessions(struct config_reader *r, const struct node *root)
{
	struct settings *s = r->settings;
	const struct node *named = node_member(node_member(root, "sessions"), "issuer");

	for (size_t i = s->issuer_count; i-- > 0 && named == NULL;)
		if (s->issuers[i].login_client_id != NULL)
			s->sessions.issuer = (int)i;
	if (named != NULL && s->sessions.issuer >= 0 &&
	    s->issuers[s->sessions.issuer].login_client_id == NULL)
		problem_add(&r->problems, named->place,
		            "issuer \"%s\" has no login; expected one that has",
		            s->issuers[s->sessions.issuer].name);
}

static void
check_pages(struct config_reader *r)
{
	for (size_t i = 0; i < r->settings->resource_count; i++) {
		const struct resource_settings *s = &r->settings->resources[i];
		if (s->page_size > s->page_max)
			problem_add(&r->problems, s->place,
			            "page_size %u is above page_max %u; expected it at most equal",
			            s->page_size, s->page_max);
	}
}

/* A table is in a database. */
static void
check_resource_backends(struct config_reader *r, const struct node *root)
{
	const struct settings *s = r->settings;
	const struct node *n = node_member(root, "resources");

	n = n != NULL ? n->first : NULL;
	for (size_t i = 0; i < s->resource_count && n != NULL; i++, n = n->next) {
		const struct node *named = node_member(n, "backend");
		unsigned backend = s->resources[i].backend;
		if (named != NULL && backend < s->backend_count &&
		    s->backends[backend].type == BACKEND_HTTP)
			problem_add(&r->problems, named->place,
			            "backend \"%s\" is of type http; expected one that has tables, "
			            "or a route instead of a resource",
			            s->backends[backend].name);
	}
}

/* The first of the routes before that leaves nothing for this one, or NULL. */
static const struct route_settings *
find_covering(const struct settings *s, size_t route)
{
	for (size_t i = 0; i < route; i++)
		if (s->routes[i].path != NULL && route_covers(&s->routes[i], &s->routes[route]))
			return &s->routes[i];
	return NULL;
}

static void
check_routes(struct config_reader *r)
{
	const struct settings *s = r->settings;

	for (size_t i = 0; i < s->route_count && i < ROUTES_MAX; i++) {
		const struct route_settings *route = &s->routes[i];
		if (route->path == NULL)
			continue; /* it is wrong or missing, which was said */
		const struct route_settings *first = find_covering(s, i);
		if (first != NULL)
			problem_add(&r->problems, route->place,
			            "%s is never reached, as %s on line %u fits all of it; "
			            "expected it above that one",
			            route->path, first->path, first->place.line);
		if (route->is_page && s->sessions.issuer < 0)
			problem_add(&r->problems, route->place,
			            "page without sessions; expected an issuer with login");
	}
}

/* The sandbox gives the log's folder to the ledger alone and the state's to the keeper alone. */
static void
check_folders(struct config_reader *r, const struct node *root)
{
	const char *audit = r->settings->audit.path, *state = r->settings->state_path;
	const struct node *section = node_member(root, "audit");
	struct place at = section != NULL ? section->key_place : (struct place){ 1, 1 };

	if (audit != NULL && state != NULL && strcmp(audit, state) == 0)
		problem_add(&r->problems, at,
		            "audit and state have the same path; expected two folders");
}

void
settings_check(struct config_reader *r, const struct node *root)
{
	struct settings *s = r->settings;

	check_listeners(r);
	derive_public_url(r);
	derive_workers(s);
	/* The table made these entries; nothing else can change them. */
	check_issuers(r, (struct issuer_settings *)(uintptr_t)s->issuers, s->issuer_count);
	check_certificate_field(r, root);
	check_bindings(r, root);
	check_logins(r, root);
	check_sessions(r, root);
	check_pages(r);
	check_resource_backends(r, root);
	check_routes(r);
	check_folders(r, root);
}
