/* An OpenAPI document as routes and roles, and as a configuration that is taken as it is. */
#include "base/macros.h"
#include "config/config.h"
#include "main/openapi_write.h"
#include "test.h"

#define STAR "*"
#define HEAD "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"T\"},"
#define DOCUMENT(paths) HEAD "\"paths\":{" paths "}}"

struct made {
	struct openapi *o;
	struct err error;
	struct buf text;
	struct arena arena;
	struct config_errors errors;
	const struct settings *settings; /* of what was written; NULL: refused */
};

static void
make(struct made *m, const char *document, const char *prefix)
{
	*m = (struct made){ .o = calloc(1, sizeof *m->o) };
	if (m->o == NULL)
		abort();
	m->error = openapi_read(bytes_text(document), prefix, m->o);
	if (failed(m->error))
		return;
	openapi_write(&m->text, m->o, "doc.json\nx: y", BYTES("http://127.0.0.1:8000"), prefix);
	if (failed(config_parse(buf_bytes(&m->text), "made.yaml", &m->arena, &m->settings,
	                        &m->errors)))
		printf("# %.*s\n", (int)m->errors.text.len, (const char *)m->errors.text.at);
}

static void
made_done(struct made *m)
{
	openapi_done(m->o);
	free(m->o);
	buf_done(&m->text);
	config_errors_done(&m->errors);
	arena_done(&m->arena);
}

static const struct openapi_route *
find(const struct made *m, const char *path)
{
	for (size_t i = 0; i < m->o->route_count; i++)
		if (bytes_is(m->o->routes[i].path, path))
			return &m->o->routes[i];
	return NULL;
}

static bool
notes_say(const struct made *m, const char *text)
{
	for (size_t i = 0; i < m->o->note_count; i++)
		if (memmem(m->o->notes[i].at, m->o->notes[i].len, text, strlen(text)) != NULL)
			return true;
	return false;
}

enum { GET = 3, POST = 4, DELETE = 32 }; /* GET brings HEAD */

static void
test_scopes_are_roles_and_paths_are_routes(void)
{
	static const char document[] = HEAD
		"\"security\":[{\"o\":[]}],\"paths\":{"
		"\"/items/\":{\"get\":{\"security\":[{\"o\":[\"items:read\"]}]},"
		"\"post\":{\"security\":[{\"o\":[\"me\",\"items:write\"]}]}},"
		"\"/items/{id}\":{\"get\":{\"security\":[{\"o\":[\"items:read\"]},{\"k\":[]}]},"
		"\"delete\":{}},"
		"\"/items/me\":{\"get\":{\"security\":[]}},"
		"\"/open\":{\"get\":{\"security\":[{},{\"o\":[\"me\"]}]}}},"
		"\"components\":{\"securitySchemes\":{\"o\":{\"type\":\"oauth2\",\"flows\":{"
		"\"password\":{\"scopes\":{\"items:read\":\"Read\\nitems.\"}}}}}}}";
	struct made m;

	make(&m, document, "");
	CHECK(!failed(m.error) && m.settings != NULL);
	CHECK(m.o->role_count == 4 && strcmp(m.o->roles[0].name, "items-read") == 0);
	CHECK(bytes_is(m.o->roles[0].description, "Read\nitems."));
	CHECK(bytes_is(m.o->roles[1].scopes, "items:write me") &&
	      strcmp(m.o->roles[1].name, "items-write-me") == 0);
	CHECK(strcmp(m.o->roles[2].name, "authenticated") == 0);
	const struct openapi_route *r = find(&m, "/items");
	CHECK(r != NULL && r->allow[0] == GET && r->allow[1] == POST && r->public == 0);
	r = find(&m, "/items/" STAR);
	CHECK(r != NULL && r->allow[0] == GET && r->allow[2] == (GET | DELETE));
	r = find(&m, "/items/me");
	CHECK(r != NULL && r->public == GET && r->allow[0] == 0);
	r = find(&m, "/open");
	CHECK(r != NULL && r->public == GET);
	if (m.settings != NULL) {
		CHECK(m.settings->role_count == 4 && m.settings->route_count == 4);
		CHECK(strcmp(m.settings->roles[0].granted_by[0].value, "items:read") == 0);
		CHECK(m.settings->routes[0].backend == 0 && !m.settings->routes[0].is_observed);
	}
	made_done(&m);
}

/* The loader refuses a route that is never reached, so that this order is checked by it too. */
static void
test_the_narrower_route_comes_first(void)
{
	static const char *const order[] = { "/",
		                             "/a",
		                             "/a/b",
		                             "/a/b/c",
		                             "/a/" STAR "/c",
		                             "/a/" STAR "/" STAR "/d",
		                             "/a/" STAR "/" STAR,
		                             "/a/" STAR,
		                             "/" STAR "/b",
		                             "/" STAR };
	struct made m;

	make(&m,
	     DOCUMENT("\"/{x}\":{\"get\":{}},\"/a/{y}/{z}/d\":{\"get\":{}},\"/a/{y}/{z}\":{\"get\":"
	              "{}},\"/{x}/b\":{\"get\":{}},\"/a/{y}\":{\"get\":{}},\"/a/{y}/"
	              "c\":{\"get\":{}},"
	              "\"/a/b/c\":{\"get\":{}},\"/a/b\":{\"get\":{}},\"/a\":{\"get\":{}},\"/\":{"
	              "\"get\":{}}"),
	     "");
	CHECK(m.settings != NULL && m.o->route_count == ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order) && i < m.o->route_count; i++)
		CHECK_ROW(bytes_is(m.o->routes[i].path, order[i]), order[i]);
	made_done(&m);
}

static void
test_paths_of_the_same_form_are_one_route(void)
{
	struct made m;

	make(&m,
	     DOCUMENT("\"/a/{x}\":{\"get\":{}},\"/a/{y}/"
	              "\":{\"post\":{\"security\":[{\"s\":[\"w\"]}]}}"),
	     "");
	CHECK(m.o->route_count == 1 && m.o->routes[0].public == GET &&
	      m.o->routes[0].allow[0] == POST && m.settings != NULL);
	made_done(&m);
}

static void
test_what_cannot_be_said_is_a_note(void)
{
	struct made m;

	make(&m,
	     DOCUMENT(
		     "\"/token\":{\"post\":{}},\"/a%20b\":{\"get\":{}},\"/f/{a}.{b}\":{\"get\":{}},"
		     "\"/t\":{\"trace\":{},\"get\":{}},\"/e\":{\"get\":{\"security\":[{\"s\":["
		     "\"${env:HOME}\"]}]}},\"/e2\":{\"get\":{\"security\":[{\"s\":[\"a\\nb\"]}]}},"
		     "\"/out\":{\"$ref\":\"https://x.example/y\"},\"/loop\":{\"$ref\":"
		     "\"#/paths/~1loop\"},\"/s\":{\"get\":{\"security\":{}}},\"x-a\":1"),
	     "");
	CHECK(m.settings != NULL);
	CHECK(notes_say(&m, "path /token: it is left out"));
	CHECK(notes_say(&m, "path /a%20b: it is left out"));
	CHECK(notes_say(&m, "path /f/{a}.{b}: a segment is a variable in part"));
	CHECK(notes_say(&m, "path /t: TRACE is left out"));
	CHECK(notes_say(&m, "path /e: a requirement has scopes that cannot be roles"));
	CHECK(notes_say(&m, "path /e2: a requirement has scopes that cannot be roles"));
	CHECK(notes_say(&m, "path /out: it is left out") &&
	      notes_say(&m, "path /loop: it is left"));
	CHECK(notes_say(&m, "path /s: its security is no list"));
	const struct openapi_route *r = find(&m, "/e");
	CHECK(r != NULL && r->public == 0); /* narrower, never wider */
	CHECK(find(&m, "/token") == NULL && find(&m, "/loop") == NULL);
	CHECK(memmem(m.text.at, m.text.len, "HOME", 4) == NULL);
	made_done(&m);

	make(&m, DOCUMENT("\"/token\":{\"post\":{}}"), "/app");
	CHECK(m.settings != NULL && find(&m, "/app/token") != NULL);
	CHECK(m.settings != NULL && strcmp(m.settings->routes[0].strip, "/app") == 0);
	made_done(&m);
}

static void
test_local_references_and_servers_are_followed(void)
{
	struct made m;

	make(&m,
	     HEAD "\"servers\":[{\"url\":\"https://api.example.com/v2/\"}],\"paths\":{\"/a\":{"
	          "\"$ref\":\"#/components/pathItems/x~1y\"}},\"components\":{\"pathItems\":{"
	          "\"x/y\":{\"$ref\":\"#/components/pathItems/z\"},\"z\":{\"put\":{}}}}}",
	     "");
	const struct openapi_route *r = find(&m, "/v2/a");
	CHECK(r != NULL && r->public == 1 << 3);
	CHECK(bytes_is(m.o->server, "https://api.example.com") && m.settings != NULL);
	made_done(&m);
}

static void
test_other_documents_are_refused(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "{}", "no OpenAPI document" },
		{ "[]", "no OpenAPI document" },
		{ "{\"swagger\":\"2.0\",\"paths\":{}}", "Swagger 2" },
		{ "{\"openapi\":\"4.0.0\",\"paths\":{}}", "no OpenAPI document" },
		{ HEAD "\"x\":1}", "no paths" },
		{ HEAD "\"paths\":[]}", "no paths" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct made m;
		make(&m, rows[i].text, "");
		CHECK_ROW(m.error.kind == ERR_CONFIG && strstr(m.error.why, rows[i].why) != NULL,
		          rows[i].text);
		made_done(&m);
	}
}

static void
test_more_than_there_may_be_is_refused(void)
{
	struct buf text = { 0 };
	struct made m;

	buf_put_text(&text, HEAD "\"paths\":{");
	for (unsigned i = 0; i <= ROUTES_MAX; i++)
		buf_printf(&text, "%s\"/p%u\":{\"get\":{}}", i == 0 ? "" : ",", i);
	buf_put_text(&text, "}}");
	buf_put_u8(&text, 0);
	make(&m, (const char *)text.at, "");
	CHECK(m.error.kind == ERR_LIMIT);
	made_done(&m);

	buf_clear(&text);
	buf_put_text(&text, HEAD "\"paths\":{");
	for (unsigned i = 0; i <= ROLES_MAX; i++)
		buf_printf(&text, "%s\"/p%u\":{\"get\":{\"security\":[{\"s\":[\"x%u\"]}]}}",
		           i == 0 ? "" : ",", i, i);
	buf_put_text(&text, "}}");
	buf_put_u8(&text, 0);
	make(&m, (const char *)text.at, "");
	CHECK(m.error.kind == ERR_LIMIT);
	made_done(&m);
	buf_done(&text);
}

static void
test_names_of_roles_stay_apart(void)
{
	struct made m;

	make(&m,
	     DOCUMENT("\"/a\":{\"get\":{\"security\":[{\"s\":[\"a:b\"]},{\"s\":[\"a.b\"]},{\"s\":["
	              "\"a-b\"]}]}}"),
	     "");
	CHECK(m.o->role_count == 3 && m.settings != NULL);
	CHECK(strcmp(m.o->roles[0].name, "a-b") == 0 && strcmp(m.o->roles[1].name, "a-b-2") == 0 &&
	      strcmp(m.o->roles[2].name, "a-b-3") == 0);
	made_done(&m);
}

TESTS(TEST(test_scopes_are_roles_and_paths_are_routes), TEST(test_the_narrower_route_comes_first),
      TEST(test_paths_of_the_same_form_are_one_route), TEST(test_what_cannot_be_said_is_a_note),
      TEST(test_local_references_and_servers_are_followed), TEST(test_other_documents_are_refused),
      TEST(test_more_than_there_may_be_is_refused), TEST(test_names_of_roles_stay_apart))
