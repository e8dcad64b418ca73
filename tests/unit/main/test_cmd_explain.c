/* `gatewarden explain`: the decision, the rule and its line, what would be seen. */
#include "main/cmd_explain.h"

#include "main/cmd_client.h"
#include "main/cmd_token.h"
#include "main/cmd_user.h"
#include "stage.h"

static void
test_allowed_names_rule_place_columns_and_rows(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET",
	    "/api/books/42?$select=title");
	CHECK(s.status == 0 && said(&s, "decision  allowed\n") &&
	      said(&s, "rule      resources.books.allow.reader.read\n"));
	CHECK(said(&s, "place     gatewarden.yaml:15\n"));
	CHECK(said(&s, "columns id, title, owner\n") &&
	      said(&s, "rows    where owner eq @claims.sub\n"));
	CHECK(strstr(s.out, "cost") == NULL);
	stage_done(&s);
}

/* The answers of the gateway to the same request, as tests/e2e has them. */
static void
test_query_options_are_decided_like_in_the_gateway(void)
{
	static const struct {
		const char *method, *target, *says;
		int status;
	} rows[] = {
		{ "GET",
		  "/api/"
		  "books?$select=title&$filter=id%20gt%201&$orderby=owner%20desc&$first=5&$after=x",
		  "allowed", 0 },
		{ "GET", "/api/books?$select=cost", "decision  denied", 1 },
		{ "GET", "/api/books?$filter=cost%20gt%201", "decision  denied", 1 },
		{ "GET", "/api/books?$orderby=cost", "decision  denied", 1 },
		{ "GET", "/api/books/1?$select=id,cost", "decision  denied", 1 },
		/* What is hidden stays hidden before anything is said about its type or what
		   follows. */
		{ "GET", "/api/books?$filter=cost%20eq%20'a'", "decision  denied", 1 },
		{ "GET", "/api/books?$select=cost&$nosuch=1", "decision  denied", 1 },
		{ "GET", "/api/books?$nosuch=1",
		  "the answer is 400: unknown query option \"$nosuch\"", 2 },
		{ "GET", "/api/books/1?$filter=id%20eq%201", "unknown query option", 2 },
		{ "GET", "/api/books?$select=nosuch", "there is no column \"nosuch\"", 2 },
		{ "GET", "/api/books?$filter=id%20gt", "the answer is 400: $filter: at the end",
		  2 },
		{ "GET", "/api/books?$filter=id gt 1", "a byte it may not hold", 2 },
		{ "GET", "/api/books?$first=0", "$first takes", 2 },
		{ "GET", "/api/books?$first=1&$first=1", "stands twice", 2 },
		{ "GET", "/api/books?%zz", "400", 2 },
		{ "GET", "/api/books/one", "the key is malformed", 2 },
		/* Nothing is told of a resource that may not be used at all. */
		{ "DELETE", "/api/books/1?$nosuch=1", "decision  denied", 1 },
		{ "GET", "/api/secrets?$nosuch=1", "decision  denied", 1 },
	};
	struct stage s;

	stage_open(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		RUN(&s, cmd_explain, "", "explain", "--role", "reader",
		    (char *)(uintptr_t)rows[i].method, (char *)(uintptr_t)rows[i].target);
		CHECK_ROW(s.status == rows[i].status && said(&s, rows[i].says), rows[i].target);
	}
	RUN(&s, cmd_explain, "", "explain", "--role", "books-admin", "GET",
	    "/api/books?$select=cost");
	CHECK(s.status == 0 && said(&s, "resources.books.allow.books-admin.read"));
	RUN(&s, cmd_explain, "", "explain", "--role", "books-admin", "POST",
	    "/api/books?$select=cost");
	CHECK(s.status == 2 && said(&s, "unknown query option"));
	stage_done(&s);
}

static void
test_two_roles_are_two_views(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "--role", "books-admin", "GET",
	    "/api/books");
	CHECK(s.status == 0 && said(&s, "roles     reader books-admin\n") &&
	      said(&s, "as reader\n") &&
	      said(&s, "as books-admin\n  columns id, title, owner, cost\n  rows    all\n"));
	stage_done(&s);
}

static void
test_methods_are_the_actions_of_policy(void)
{
	static const struct {
		const char *method, *path, *says;
		int reader, admin;
	} rows[] = {
		{ "GET", "/api/books", "read", 0, 0 },
		{ "HEAD", "/api/books/1", "read", 0, 0 },
		{ "POST", "/api/books", "create", 1, 0 },
		{ "PUT", "/api/books/1", "update", 1, 0 },
		{ "PATCH", "/api/books/id/1", "update", 1, 0 },
		{ "DELETE", "/api/books/1", "delete", 1, 0 },
	};
	struct stage s;

	stage_open(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		RUN(&s, cmd_explain, "", "explain", "--role", "reader",
		    (char *)(uintptr_t)rows[i].method, (char *)(uintptr_t)rows[i].path);
		CHECK_ROW(s.status == rows[i].reader, rows[i].method);
		RUN(&s, cmd_explain, "", "explain", "--role=books-admin",
		    (char *)(uintptr_t)rows[i].method, (char *)(uintptr_t)rows[i].path);
		CHECK_ROW(s.status == rows[i].admin, rows[i].method);
		CHECK_ROW(said(&s, rows[i].says), rows[i].method);
	}
	stage_done(&s);
}

static void
test_denied_names_the_default_and_an_unknown_resource_is_noted(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "DELETE", "/api/books/1");
	CHECK(s.status == 1 && said(&s, "decision  denied\n") && said(&s, "default deny") &&
	      strstr(s.out, "note") == NULL);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/api/secrets");
	CHECK(s.status == 1 && said(&s, "no resource `secrets`"));
	stage_done(&s);
}

static void
test_token_decides_who_asks(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");

	char *token = stage_token(&s, "alice");

	RUN(&s, cmd_explain, "", "explain", "--token", token, "GET", "/api/books");
	CHECK(s.status == 0 && said(&s, "resources.books.allow.reader.read") &&
	      strstr(s.out, token) == NULL);
	RUN(&s, cmd_explain, "", "explain", "--token", token, "POST", "/api/books");
	CHECK(s.status == 1 && said(&s, "default deny"));
	RUN(&s, cmd_explain, "", "explain", "--token", "nonsense", "GET", "/api/books");
	CHECK(s.status == 1 && said(&s, "the token is refused"));
	free(token);
	stage_done(&s);
}

/* A token of alice that an agent exchanged for one that reaches one resource. */
static char *
narrowed_token(struct stage *s, const char *resource)
{
	struct arena arena = { 0 };
	struct config_errors errors = { 0 };
	const struct settings *settings = NULL;
	struct issuer_store *store = NULL;
	struct issuer *issuer = NULL;
	struct reply reply = { 0 };
	char path[256], *subject = stage_token(s, "alice"), *token, *secret;

	RUN(s, cmd_client, "", "client", "add", "agent", "--grant", "exchange");
	secret = strrchr(s->out, ' ') == NULL ? s->out : strchr(s->out, '\n') + 1;
	if (strlen(secret) < 43)
		secret = s->out; /* the two outputs may come in either order */
	secret[43] = '\0';
	snprintf(path, sizeof path, "%s/gatewarden.yaml", s->directory);
	CHECK(!failed(config_load(path, &arena, &settings, &errors)));
	CHECK(!failed(issuer_store_open(settings->state_path, &store)));
	CHECK(!failed(issuer_open(settings, 0, store, clock_wall_us() / 1000000, &issuer)));

	struct ask ask = { .kind = ASK_EXCHANGE };

	ask.fields[ASK_SUBJECT_TOKEN] = bytes_text(subject);
	ask.fields[ASK_CLIENT_ID] = BYTES("agent");
	ask.fields[ASK_CLIENT_SECRET] = bytes_text(secret);
	ask.fields[ASK_RESOURCE] = bytes_text(resource);
	CHECK(!failed(issuer_answer(issuer, &ask, clock_wall_us() / 1000000, &reply)));
	token = strndup((const char *)reply.fields[ANSWER_ACCESS_TOKEN].at,
	                reply.fields[ANSWER_ACCESS_TOKEN].len);
	reply_done(&reply);
	issuer_close(issuer);
	issuer_store_close(store);
	config_errors_done(&errors);
	arena_done(&arena);
	free(subject);
	return token;
}

static void
test_a_narrowed_token_is_explained_as_such(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");

	char *token = narrowed_token(&s, "books");

	RUN(&s, cmd_explain, "", "explain", "--token", token, "GET", "/api/books");
	CHECK(s.status == 0 && said(&s, "resources.books.allow.reader.read"));
	RUN(&s, cmd_explain, "", "explain", "--token", token, "GET", "/api/authors");
	CHECK(s.status == 1 && said(&s, "rule      token.resource\n") &&
	      said(&s, "why       the token is narrowed to another resource\n"));
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 0 && said(&s, "used by ") && said(&s, "for resource books only"));
	free(token);
	stage_done(&s);
}

static void
test_wrong_usage_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET");
	CHECK(s.status == 2 && said(&s, "METHOD and PATH"));
	RUN(&s, cmd_explain, "", "explain", "GET", "/api/books");
	CHECK(s.status == 2 && said(&s, "--token or --role"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "--token", "x", "GET",
	    "/api/books");
	CHECK(s.status == 2);
	RUN(&s, cmd_explain, "", "explain", "--role", "boss", "GET", "/api/books");
	CHECK(s.status == 2 && said(&s, "no such role") && said(&s, "  books-admin\n"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "BREW", "/api/books");
	CHECK(s.status == 2 && said(&s, "no such method"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "DELETE", "/api/books");
	CHECK(s.status == 2 && said(&s, "needs a key"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "POST", "/api/books/1");
	CHECK(s.status == 2 && said(&s, "takes no key"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/api/../etc/passwd");
	CHECK(s.status == 2 && said(&s, "no path"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/me");
	CHECK(s.status == 2 && said(&s, "/api/RESOURCE"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "--claims", "[1]", "GET",
	    "/api/books");
	CHECK(s.status == 2 && said(&s, "--claims"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "--claims", "{\"sub\":\"x\"}",
	    "GET", "/api/books");
	CHECK(s.status == 0);
	stage_done(&s);
}

static void
test_missing_database_and_wrong_condition_are_told(void)
{
	struct stage s;
	char path[256];

	stage_open(&s);
	snprintf(path, sizeof path, "%s/books.db", s.directory);

	sqlite3 *db;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "ALTER TABLE books RENAME COLUMN owner TO keeper", NULL, NULL,
	                   NULL) == SQLITE_OK);
	sqlite3_close(db);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/api/books");
	CHECK(s.status == 2 && said(&s, "gatewarden.yaml:15:") && said(&s, "owner"));
	CHECK(unlink(path) == 0);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/api/books");
	CHECK(s.status == 2 && said(&s, "books"));
	stage_done(&s);
}

static const char routed[] =
	"issuers: {local: {type: local, audience: a}}\n"
	"public_url: https://gate.example\n"
	"backends: {app: {type: http, url: http://127.0.0.1:8000}}\n"
	"roles: {reader: {granted_by: ['local:r']}, intern: {granted_by: ['local:i']}}\n"
	"routes:\n"
	"  - {path: /app/open, backend: app, public: [GET]}\n"
	"  - {path: /app/"
	"*"
	", hosts: gate.example, backend: app, allow: {reader: [GET], intern: all}, "
	"deny: {intern: [DELETE]}, identity: [assertion, forwarded], authorization: keep}\n"
	"  - {path: /new, backend: app, observe: true, allow: {intern: all}}\n"
	"  - {path: /docs, allow: {reader: [GET]}}\n";

static void
test_a_route_is_explained_with_what_the_service_learns(void)
{
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml", routed);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/app/items/7?x=1");
	CHECK(s.status == 0 && said(&s, "decision  allowed\n") &&
	      said(&s, "rule      routes./app/"
	               "*"
	               ".allow.reader.GET\n"));
	CHECK(said(&s, "place     gatewarden.yaml:7\n") && said(&s, "service   app\n"));
	CHECK(said(&s, "route     /app/"
	               "*"
	               " (gatewarden.yaml:7)\n"));
	CHECK(said(&s, "identity  X-Gatewarden-Assertion, X-Forwarded-User, X-Forwarded-Email, "
	               "X-Forwarded-Groups, Authorization\n"));
	CHECK(strstr(s.out, "note") == NULL);
	RUN(&s, cmd_explain, "", "explain", "--role", "intern", "DELETE", "/app/items/7");
	CHECK(s.status == 1 && said(&s, "decision  denied\n") &&
	      said(&s, "rule      routes./app/"
	               "*"
	               ".deny.intern.DELETE\n"));
	RUN(&s, cmd_explain, "", "explain", "GET", "/app/open");
	CHECK(s.status == 0 && said(&s, "rule      routes./app/open.public\n") &&
	      said(&s, "roles     nobody\n") && strstr(s.out, "identity") == NULL);
	RUN(&s, cmd_explain, "", "explain", "POST", "/app/open");
	CHECK(s.status == 1 && said(&s, "decision  denied: a token is needed\n"));
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/docs");
	CHECK(s.status == 0 && said(&s, "service   none: for /auth alone\n"));
	stage_done(&s);
}

static void
test_a_host_decides_which_route_it_is(void)
{
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml", routed);
	RUN(&s, cmd_explain, "", "explain", "--host", "GATE.example:443", "--role", "reader", "GET",
	    "/app/x");
	CHECK(s.status == 0);
	RUN(&s, cmd_explain, "", "explain", "--host", "other.example", "--role", "reader", "GET",
	    "/app/x");
	CHECK(s.status == 1 && said(&s, "why       no route fits\n") &&
	      said(&s, "note      no route fits this host and path; callers cannot tell\n"));
	stage_done(&s);
}

static void
test_a_route_that_only_observes_says_so(void)
{
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml", routed);
	RUN(&s, cmd_explain, "", "explain", "--role", "reader", "GET", "/new");
	CHECK(s.status == 1 && said(&s, "decision  denied\n") &&
	      said(&s, "this is recorded as denied, and let through all the same"));
	stage_done(&s);
}

TESTS(TEST(test_allowed_names_rule_place_columns_and_rows),
      TEST(test_query_options_are_decided_like_in_the_gateway), TEST(test_two_roles_are_two_views),
      TEST(test_methods_are_the_actions_of_policy),
      TEST(test_denied_names_the_default_and_an_unknown_resource_is_noted),
      TEST(test_token_decides_who_asks), TEST(test_a_narrowed_token_is_explained_as_such),
      TEST(test_a_route_is_explained_with_what_the_service_learns),
      TEST(test_a_host_decides_which_route_it_is), TEST(test_a_route_that_only_observes_says_so),
      TEST(test_wrong_usage_is_status_2), TEST(test_missing_database_and_wrong_condition_are_told))
