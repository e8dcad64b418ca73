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
	const char *file, *token, *claims, *method, *path;
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
	if ((r->token != NULL) == (r->role_count > 0))
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
	bool with_key, without_key;
} methods[] = {
	{ "GET", HTTP_GET, true, true },      { "HEAD", HTTP_HEAD, true, true },
	{ "POST", HTTP_POST, false, true },   { "PUT", HTTP_PUT, true, false },
	{ "PATCH", HTTP_PATCH, true, false }, { "DELETE", HTTP_DELETE, true, false },
};

static int
take_target(struct question *r, enum http_method method)
{
	const struct request *request = &r->asked.request;
	struct err e = asked_read(&r->asked, method, r->path);

	if (failed(e)) {
		usage_error("explain", "this is no path that would be accepted", r->path);
		complain("explain", NULL, e);
		return 2;
	}
	if (request->segment_count < 2 || !bytes_is(request->segments[0], "api"))
		return usage_error("explain",
		                   "policy decides on /api/RESOURCE and /api/RESOURCE/KEY only",
		                   r->path);
	return 0;
}

static int
take_request(struct question *r)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, r->method) != 0)
			continue;

		int status = take_target(r, methods[i].method);
		bool has_key = r->asked.request.segment_count > 2;

		if (status == 0 && !(has_key ? methods[i].with_key : methods[i].without_key))
			return usage_error("explain",
			                   has_key ? "this method takes no key"
			                           : "this method needs a key",
			                   r->method);
		return status;
	}
	return usage_error("explain",
	                   "there is no such method (GET, HEAD, POST, PUT, PATCH, DELETE)",
	                   r->method);
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
	uint64_t roles = principal_roles(r->asked.request.who);

	printf("roles    %s", roles == 0 ? " none" : "");
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
	if (status == 0)
		status = r.token != NULL ? who_by_token(&r) : who_by_roles(&r);
	if (status == 0)
		status = compile(&r);
	return status != 0 ? status : decide(&r);
}
