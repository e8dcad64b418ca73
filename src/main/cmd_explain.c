/* cmd_explain.c - see cmd_explain.h. The same compiled policy and the same decision as in a worker.
 */
#include "main/cmd_explain.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "main/arguments.h"
#include "main/asked.h"
#include "main/data.h"
#include "main/loaded.h"

struct question {
	const char *file, *token, *claims, *host, *method, *path;
	const char *roles[ROLES_MAX];
	size_t role_count;
	struct loaded loaded;
	struct data data;
	struct issuers *issuers;
	struct asked asked;
};

static void
question_done(struct question *r)
{
	principal_release(r->asked.request.who);
	asked_done(&r->asked);
	issuers_free(r->issuers);
	data_done(&r->data);
	loaded_done(&r->loaded);
}

/* Reading the command line */

static int
take_option(struct arguments *a, struct question *r)
{
	const char *value = NULL;
	const char **to = NULL;

	if (arguments_is(a, "-c") || arguments_is(a, "--config"))
		to = &r->file;
	else if (arguments_is(a, "--token"))
		to = &r->token;
	else if (arguments_is(a, "--claims"))
		to = &r->claims;
	else if (arguments_is(a, "--host"))
		to = &r->host;
	if (to == NULL && !arguments_is(a, "--role"))
		return usage_error("explain", "there is no such option", a->option);
	if (!arguments_value(a, &value))
		return usage_error("explain", "the option needs a value", a->option);
	if (to != NULL) {
		*to = value;
		return 0;
	}
	if (r->role_count == ROLES_MAX)
		return usage_error("explain", "too many roles", NULL);
	r->roles[r->role_count++] = value;
	return 0;
}

static int
take_arguments(int argc, char **argv, struct question *r)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		int status = a.option != NULL ? take_option(&a, r) : 0;

		if (status != 0)
			return status;
		if (a.option != NULL)
			continue;
		if (r->method == NULL)
			r->method = a.plain;
		else if (r->path == NULL)
			r->path = a.plain;
		else
			return usage_error("explain", "one request at a time", a.plain);
	}
	if (r->path == NULL)
		return usage_error("explain", "say METHOD and PATH, such as GET /api/books", NULL);
	if (r->token != NULL && r->role_count > 0)
		return usage_error("explain", "say who asks: either --token or --role", NULL);
	if (r->token != NULL && r->claims != NULL)
		return usage_error("explain",
		                   "a token brings its own claims: no --claims with --token", NULL);
	return 0;
}

/* The request as policy sees it */

static const struct {
	const char *name;
	enum http_method method;
	bool with_key, without_key; /* on a resource */
} methods[] = {
	{ "GET", HTTP_GET, true, true },           { "HEAD", HTTP_HEAD, true, true },
	{ "POST", HTTP_POST, false, true },        { "PUT", HTTP_PUT, true, false },
	{ "PATCH", HTTP_PATCH, true, false },      { "DELETE", HTTP_DELETE, true, false },
	{ "OPTIONS", HTTP_OPTIONS, false, false },
};

/* The host of public_url, where none is given. */
static struct bytes
host_of(const struct question *r)
{
	struct bytes url = bytes_text(r->loaded.settings->public_url);

	if (r->host != NULL)
		return bytes_text(r->host);
	return bytes_slice(url, bytes_find(url, ':') + 3, url.len);
}

static int
take_request(struct question *r)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, r->method) != 0)
			continue;

		struct err e = asked_read(&r->asked, methods[i].method, host_of(r), r->path);

		if (!failed(e))
			return 0;
		usage_error("explain", "this is no path that would be accepted", r->path);
		complain("explain", NULL, e);
		return 2;
	}
	return usage_error("explain",
	                   "there is no such method (GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS)",
	                   r->method);
}

/* The request is none for a service: what is asked of a resource must have its form. */
static int
check_resource(const struct question *r)
{
	const struct request *request = &r->asked.request;
	bool has_key = request->segment_count > 2;

	if (request->segment_count < 2 || !bytes_is(request->segments[0], "api"))
		return usage_error("explain",
		                   r->loaded.settings->route_count > 0
		                           ? "policy decides on /api/RESOURCE, /api/RESOURCE/KEY "
		                             "and routes only"
		                           : "policy decides on /api/RESOURCE and "
		                             "/api/RESOURCE/KEY only",
		                   r->path);
	if (request->who == NULL)
		return usage_error("explain", "say who asks: either --token or --role", NULL);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i].method == request->head.method &&
		    !(has_key ? methods[i].with_key : methods[i].without_key))
			return usage_error("explain",
			                   methods[i].with_key      ? "this method needs a key"
			                   : methods[i].without_key ? "this method takes no key"
			                                            : "no resource has this method",
			                   r->method);
	return 0;
}

/* Who asks */

static int
find_role(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->role_count; i++)
		if (strcmp(s->roles[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
who_by_roles(struct question *r)
{
	const struct settings *s = r->loaded.settings;
	uint64_t roles = 0;

	for (size_t i = 0; i < r->role_count; i++) {
		int role = find_role(s, r->roles[i]);

		if (role < 0) {
			usage_error("explain", "there is no such role; the configuration has",
			            r->roles[i]);
			for (size_t n = 0; n < s->role_count; n++)
				fprintf(stderr, "  %s\n", s->roles[n].name);
			return 2;
		}
		roles |= UINT64_C(1) << role;
	}

	struct bytes claims = { 0 };

	if (r->claims != NULL)
		claims = bytes_text(r->claims);
	struct err e = principal_for_explain(roles, claims, &r->asked.request.who);

	if (failed(e))
		complain("explain", "--claims", e);
	return failed(e) ? 2 : 0;
}

static int
who_by_token(struct question *r)
{
	const struct presented shown = { .token = bytes_text(r->token) };
	struct identified found = { .issuer = -1 };

	if (!loaded_issuers(&r->loaded, &r->issuers))
		return 2;

	struct err e = issuers_examine(r->issuers, &shown, clock_wall_us() / 1000000, true,
	                               &r->loaded.arena, &found);

	r->asked.request.who = found.who;
	if (!failed(e))
		return 0;
	if (e.kind != ERR_IDENTITY) {
		complain("explain", NULL, e);
		if (e.kind == ERR_UPSTREAM)
			fprintf(stderr, "  what the running service fetches is not here: ask with "
			                "--role and "
			                "--claims\n");
		return 2;
	}
	printf("decision  the token is refused: %s (see `gatewarden token`)\n",
	       found.report.why != NULL ? found.report.why : e.why);
	return 1;
}

static int
compile(struct question *r)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct err e = data_open(&r->data, r->loaded.settings, &errors);

	complain_config(&errors);
	if (failed(e) && errors.count == 0)
		complain("explain", NULL, e);
	r->asked.gate.policy = r->data.policy;
	return failed(e) ? 2 : 0;
}

/* The answer */

static void
print_principal(const struct question *r)
{
	const struct principal *who = r->asked.request.who;
	uint64_t roles = who == NULL ? 0 : principal_roles(who);

	printf("roles    %s", who == NULL ? " nobody" : roles == 0 ? " none" : "");
	for (size_t i = 0; i < r->loaded.settings->role_count; i++)
		if (roles >> i & 1)
			printf(" %s", r->loaded.settings->roles[i].name);
	putchar('\n');
}

static void
print_decision(const struct question *r, const char *decision, const struct decision *d)
{
	printf("decision  %s\n", decision);
	printf("rule      %.*s\n", (int)d->rule.len, (const char *)d->rule.at);
	if (d->place.line > 0)
		printf("place     %s:%u\n", r->loaded.settings->file, d->place.line);
	printf("why       %s\n", d->why);
	print_principal(r);
}

/* The text of the condition, as the configuration has it: the compiled one has no text. */
static const char *
condition_of(const struct settings *s, const struct grant *g, const struct grant_view *view)
{
	const struct resource_settings *resource = &s->resources[g->resource];

	for (size_t i = 0; view->where != NULL && i < resource->allow_count; i++) {
		const struct rule_settings *rule = &resource->allow[i];

		if (rule->action == g->action && strcmp(s->roles[rule->role].name, view->role) == 0)
			return rule->where;
	}
	return NULL;
}

static void
print_view(const struct settings *s, const struct grant *g, const struct grant_view *view)
{
	const char *where = condition_of(s, g, view), *before = "";

	printf("as %s\n  columns ", view->role);
	for (size_t i = 0; i < g->table->column_count; i++) {
		struct bytes name = g->table->columns[i].name;

		if (!column_set_has(&view->columns, i))
			continue;
		printf("%s%.*s", before, (int)name.len, (const char *)name.at);
		before = ", ";
	}
	printf("\n  rows    %s%s\n", where == NULL ? "all" : "where ", where == NULL ? "" : where);
}

/* What the caller would be told, when it is no decision. */
static int
print_refusal(const struct request *request, struct err e)
{
	struct bytes why = request->detail.len > 0 ? request->detail : bytes_text(e.why);

	if (e.kind == ERR_PEER)
		fprintf(stderr, "gatewarden explain: the answer is %u: %.*s\n",
		        e.code >= 400 ? e.code : 400u, (int)why.len, (const char *)why.at);
	else
		complain("explain", NULL, e);
	return 2;
}

static int
decide(struct question *r)
{
	const struct request *request = &r->asked.request;
	const struct bytes resource = request->segments[1];
	struct err e = asked_decide(&r->asked);

	if (failed(e) && e.kind != ERR_DENIED)
		return print_refusal(request, e);
	print_decision(r, failed(e) ? "denied" : "allowed", &request->decision);
	if (failed(e)) {
		if (policy_resource(r->asked.gate.policy, resource) < 0)
			printf("note      the configuration has no resource `%.*s`; callers cannot "
			       "tell\n",
			       (int)resource.len, (const char *)resource.at);
		return 1;
	}
	for (size_t i = 0; i < request->grant->view_count; i++)
		print_view(r->loaded.settings, request->grant, &request->grant->views[i]);
	return 0;
}

/* A service behind us */

/* By which fields it learns who is calling. */
static void
print_identity(const struct route_settings *route)
{
	static const struct {
		unsigned form;
		const char *fields;
	} forms[] = {
		{ IDENTITY_ASSERTION, "X-Gatewarden-Assertion" },
		{ IDENTITY_POMERIUM, "X-Pomerium-Jwt-Assertion" },
		{ IDENTITY_AUTH_REQUEST,
		  "X-Auth-Request-User, X-Auth-Request-Email, X-Auth-Request-Groups" },
		{ IDENTITY_FORWARDED, "X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Groups" },
		{ IDENTITY_CLIENT_PRINCIPAL,
		  "X-MS-CLIENT-PRINCIPAL, X-MS-CLIENT-PRINCIPAL-ID, "
		  "X-MS-CLIENT-PRINCIPAL-NAME, X-MS-CLIENT-PRINCIPAL-IDP" },
	};
	const char *before = "";

	printf("identity  ");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if ((route->identity & forms[i].form) != 0) {
			printf("%s%s", before, forms[i].fields);
			before = ", ";
		}
	if (route->keeps_authorization) {
		printf("%sAuthorization", before);
		before = ", ";
	}
	printf("%s\n", before[0] == 0 ? "none" : "");
}

static void
print_route(const struct question *r, int index)
{
	const struct settings *s = r->loaded.settings;
	const struct route_settings *route = &s->routes[index];

	printf("route     %s (%s:%u)\n", route->path, s->file, route->place.line);
	printf("service   %s\n",
	       route->backend < 0 ? "none: for /auth alone" : s->backends[route->backend].name);
	if (r->asked.request.who != NULL)
		print_identity(route);
}

static int
decide_route(struct question *r)
{
	const struct request *request = &r->asked.request;
	struct err e = asked_decide_route(&r->asked);

	if (failed(e) && e.kind != ERR_DENIED && e.kind != ERR_IDENTITY)
		return print_refusal(request, e);
	print_decision(r,
	               !failed(e)               ? "allowed"
	               : e.kind == ERR_IDENTITY ? "denied: a token is needed"
	                                        : "denied",
	               &request->decision);
	if (request->route < 0) {
		printf("note      no route fits this host and path; callers cannot tell\n");
		return 1;
	}
	print_route(r, request->route);
	if (r->loaded.settings->routes[request->route].is_observed)
		printf("note      the route only observes: %s\n",
		       failed(e) ? "this is recorded as denied, and let through all the same"
		                 : "what is denied is let through all the same");
	return failed(e) ? 1 : 0;
}

int
cmd_explain(int argc, char **argv)
{
	CLEANUP(question_done) struct question r = { 0 };
	int status = take_arguments(argc, argv, &r);

	if (status != 0)
		return status;
	if (!loaded_open(&r.loaded, "explain", r.file))
		return 2;
	r.asked.gate.settings = r.loaded.settings;
	status = take_request(&r);
	if (status == 0 && r.token != NULL)
		status = who_by_token(&r);
	else if (status == 0 && r.role_count > 0)
		status = who_by_roles(&r);
	if (status == 0)
		status = compile(&r);
	if (status == 0 && asked_is_routed(&r.asked))
		return decide_route(&r);
	if (status == 0)
		status = check_resource(&r);
	return status != 0 ? status : decide(&r);
}
