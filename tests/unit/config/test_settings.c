/* test_settings.c - what a good file gives: values, defaults, units, paths, places. */
#include "load.h"

#include <unistd.h>

#include "base/macros.h"

static bool
is(const char *text, const char *expected)
{
	return text != NULL && strcmp(text, expected) == 0;
}

/* Loads, or shows why it did not; then `settings` is NULL. */
static struct load
load_good(const char *text)
{
	struct load l = load_text(text);

	CHECK_ROW(load_says(&l, ""), text);
	return l;
}

static void
test_an_empty_mapping_is_all_defaults(void)
{
	struct load l = load_good("{}\n");
	const struct settings *s = l.settings;

	if (s == NULL)
		return;
	CHECK(is(s->file, "/srv/gw/g.yaml") && is(s->directory, "/srv/gw"));
	CHECK(is(s->listen.http.host, "127.0.0.1") && s->listen.http.port == 8080);
	CHECK(s->listen.admin.port == 0);
	CHECK(is(s->public_url, "http://127.0.0.1:8080"));
	CHECK(s->workers == (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(s->issuer_count == 0 && s->backend_count == 0 && s->role_count == 0 &&
	      s->resource_count == 0);
	CHECK(is(s->audit.path, "/srv/gw/audit") && s->audit.durability == AUDIT_WRITE);
	CHECK(s->audit.segment_bytes == 64u << 20 && s->audit.checkpoint_records == 1000 &&
	      s->audit.checkpoint_ms == 1000);
	CHECK(is(s->state_path, "/srv/gw/state"));
	CHECK(s->limits.connections == 10000 && s->limits.connections_per_address == 1000);
	CHECK(s->limits.head_timeout_ms == 10000 && s->limits.idle_timeout_ms == 60000);
	CHECK(s->limits.write_timeout_ms == 30000 && s->limits.drain_timeout_ms == 30000);
	CHECK(s->limits.body_rate_min == 500 && s->limits.body_bytes == 1 << 20 &&
	      s->limits.response_bytes == 16 << 20);
	CHECK(s->login.hash_workers == 2 && s->login.hash_queue == 64);
	CHECK(!s->sandbox_required);
	load_done(&l);
}

static void
test_sections_without_content_are_defaults(void)
{
	struct load l = load_good(
		"listen:\nissuers:\nbackends: {}\nroles: null\nresources: ~\naudit:\nlimits: {}\n");

	CHECK(l.settings != NULL && l.settings->listen.http.port == 8080 &&
	      l.settings->limits.connections == 10000);
	load_done(&l);
}

static void
test_issuers_of_both_types(void)
{
	struct load l = load_good("public_url: https://gw.example\n"
	                          "issuers:\n"
	                          "  local: {type: local, audience: \"api://books\"}\n"
	                          "  lab:\n"
	                          "    type: oidc\n"
	                          "    issuer: https://idp.test.invalid/\n"
	                          "    audience: [x, y]\n"
	                          "    jwks: {file: keys/jwks.json}\n"
	                          "    algorithms: [ES384, EdDSA]\n"
	                          "    roles_claim: https://x.example/roles\n"
	                          "    leeway: 0s\n"
	                          "    tenant: 11111111-1111-1111-1111-111111111111\n"
	                          "  dev: {type: oidc, issuer: 'http://localhost:9/a', audience: "
	                          "x, jwks: {file: /k.json}}\n");
	const struct issuer_settings *i = l.settings != NULL ? l.settings->issuers : NULL;

	if (i == NULL || l.settings->issuer_count != 3) {
		CHECK(i != NULL && l.settings->issuer_count == 3);
		load_done(&l);
		return;
	}
	CHECK(is(i[0].name, "local") && i[0].type == ISSUER_LOCAL && i[0].place.line == 3 &&
	      i[0].place.column == 3);
	CHECK(is(i[0].issuer, "https://gw.example") && i[0].audience_count == 1 &&
	      is(i[0].audience[0], "api://books"));
	CHECK(i[0].access_token_ttl_s == 900 && i[0].refresh_token_ttl_s == 30 * 86400 &&
	      i[0].refresh_idle_ttl_s == 7 * 86400 && i[0].exchanged_token_ttl_s == 300);
	CHECK(i[0].signing_algorithm == ALG_ES256 && i[0].algorithms == ALG_ES256 &&
	      i[0].key_rotation_s == 30 * 86400);
	CHECK(is(i[0].roles_claim, "roles") && i[0].leeway_s == 5 && i[0].jwks_file == NULL);
	CHECK(i[1].type == ISSUER_OIDC && is(i[1].issuer, "https://idp.test.invalid/"));
	CHECK(i[1].audience_count == 2 && is(i[1].audience[1], "y") &&
	      is(i[1].jwks_file, "/srv/gw/keys/jwks.json"));
	CHECK(i[1].algorithms == (ALG_ES384 | ALG_EDDSA) &&
	      is(i[1].roles_claim, "https://x.example/roles"));
	CHECK(i[1].leeway_s == 0 && is(i[1].tenant, "11111111-1111-1111-1111-111111111111"));
	CHECK(i[2].algorithms == (ALG_RS256 | ALG_PS256 | ALG_ES256 | ALG_EDDSA) &&
	      i[2].leeway_s == 60);
	CHECK(is(i[2].jwks_file, "/k.json") && i[0].tenant == NULL && i[2].tenant == NULL);
	load_done(&l);
}

static void
test_an_idle_life_never_passes_the_whole_life(void)
{
	struct load l = load_good("issuers: {l: {type: local, audience: a, refresh_token_ttl: 1d, "
	                          "signing_algorithm: EdDSA}}\n");

	CHECK(l.settings != NULL && l.settings->issuers[0].refresh_idle_ttl_s == 86400);
	CHECK(l.settings != NULL && l.settings->issuers[0].algorithms == ALG_EDDSA);
	load_done(&l);
}

static const char rules_text[] =
	"issuers:\n"
	"  a: {type: local, audience: x}\n"
	"  b: {type: oidc, issuer: 'https://b', audience: x, jwks: {file: f}}\n"
	"backends:\n"
	"  one: {type: sqlite, path: one.db}\n"
	"  two: {type: sqlite, path: /data/two.db, statement_timeout: 500ms, lock_timeout: 0s}\n"
	"roles:\n"
	"  reader: {granted_by: ['a:reader', 'b:urn:x:Books.Read']}\n"
	"  writer: {granted_by: ['b:writer']}\n"
	"resources:\n"
	"  books:\n"
	"    backend: two\n"
	"    table: books\n"
	"    page_size: 10\n"
	"    page_max: 20\n"
	"    allow:\n"
	"      reader:\n"
	"        read:\n"
	"          fields: {include: [id, title], exclude: cost}\n"
	"          where: published eq true\n"
	"        create: all\n"
	"      writer: all\n"
	"    deny:\n"
	"      writer: [delete, execute]\n"
	"      reader: {read: {fields: {include: [secret]}}}\n"
	"  v: {backend: one, view: recent}\n";

static void
test_backends_and_roles(void)
{
	struct load l = load_good(rules_text);
	const struct settings *s = l.settings;

	if (s == NULL)
		return;
	CHECK(s->backend_count == 2 && is(s->backends[0].name, "one") &&
	      is(s->backends[0].path, "/srv/gw/one.db"));
	CHECK(s->backends[0].type == BACKEND_SQLITE &&
	      s->backends[0].statement_timeout_ms == 10000);
	CHECK(s->backends[0].lock_timeout_ms == 5000 && is(s->backends[1].path, "/data/two.db"));
	CHECK(s->backends[1].statement_timeout_ms == 500 && s->backends[1].lock_timeout_ms == 0);
	CHECK(s->role_count == 2 && is(s->roles[0].name, "reader") &&
	      s->roles[0].granted_by_count == 2);
	CHECK(s->roles[0].granted_by[0].issuer == 0 &&
	      is(s->roles[0].granted_by[0].value, "reader"));
	CHECK(s->roles[0].granted_by[1].issuer == 1 &&
	      is(s->roles[0].granted_by[1].value, "urn:x:Books.Read"));
	CHECK(s->roles[1].place.line == 9 && s->roles[1].place.column == 3);
	load_done(&l);
}

static void
test_rules_keep_their_places(void)
{
	struct load l = load_good(rules_text);
	const struct resource_settings *r = l.settings != NULL ? l.settings->resources : NULL;

	if (r == NULL)
		return;
	CHECK(l.settings->resource_count == 2 && is(r->name, "books") && r->backend == 1 &&
	      is(r->table, "books"));
	CHECK(r->table_place.line == 13 && r->table_place.column == 12 && r->page_size == 10 &&
	      r->page_max == 20);
	CHECK(r->allow_count == 2 + ACTION_COUNT && r->deny_count == 3);
	CHECK(r->allow[0].role == 0 && r->allow[0].action == ACTION_READ &&
	      r->allow[0].place.line == 18);
	CHECK(r->allow[0].has_include && r->allow[0].include_count == 2 &&
	      is(r->allow[0].include[1], "title"));
	CHECK(r->allow[0].exclude_count == 1 && is(r->allow[0].exclude[0], "cost"));
	CHECK(is(r->allow[0].where, "published eq true"));
	CHECK(r->allow[0].where_place.line == 20 && r->allow[0].where_place.column == 18);
	CHECK(r->allow[1].action == ACTION_CREATE && !r->allow[1].has_include &&
	      r->allow[1].place.line == 21);
	for (size_t i = 0; i < ACTION_COUNT; i++)
		CHECK(r->allow[2 + i].role == 1 && r->allow[2 + i].action == i &&
		      r->allow[2 + i].place.line == 22);
	CHECK(r->deny[0].role == 1 && r->deny[0].action == ACTION_DELETE &&
	      r->deny[0].place.column == 16);
	CHECK(r->deny[1].action == ACTION_EXECUTE && !r->deny[1].has_include);
	CHECK(r->deny[2].role == 0 && r->deny[2].has_include &&
	      is(r->deny[2].include[0], "secret"));
	CHECK(is(r[1].table, "recent") && r[1].backend == 0 && r[1].page_size == 100 &&
	      r[1].page_max == 1000);
	CHECK(r[1].allow_count == 0 && r[1].deny_count == 0);
	load_done(&l);
}

static void
test_units(void)
{
	static const struct {
		const char *text;
		unsigned ms;
	} durations[] = { { "100ms", 100 },
		          { "1s", 1000 },
		          { "2m", 120000 },
		          { "\"1h\"", 3600000 },
		          { "'060s'", 60000 } };
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = { { "1024B", 1024 },  { "2KB", 2000 },     { "64KiB", 65536 },
		      { "1MB", 1000000 }, { "3MiB", 3 << 20 }, { "1GB", 1000000000 },
		      { "1GiB", 1 << 30 } };
	char text[100];

	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		snprintf(text, sizeof text, "limits: {idle_timeout: %s}\n", durations[i].text);
		struct load l = load_good(text);
		CHECK_ROW(l.settings != NULL &&
		                  l.settings->limits.idle_timeout_ms == durations[i].ms,
		          text);
		load_done(&l);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(text, sizeof text, "limits: {body_size: %s}\n", sizes[i].text);
		struct load l = load_good(text);
		CHECK_ROW(l.settings != NULL && l.settings->limits.body_bytes == sizes[i].bytes,
		          text);
		load_done(&l);
	}
}

static void
test_addresses(void)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *url;
	} rows[] = {
		{ "listen: {http: 127.0.0.1:8080}\n", "127.0.0.1", 8080, "http://127.0.0.1:8080" },
		{ "listen: {http: \"[::1]:80\"}\n", "::1", 80, "http://[::1]:80" },
		{ "listen: {http: localhost:65535}\n", "localhost", 65535,
		  "http://localhost:65535" },
		{ "listen: {http: 81}\n", "127.0.0.1", 81, "http://127.0.0.1:81" },
		{ "listen: {http: {address: \"82\"}}\n", "127.0.0.1", 82, "http://127.0.0.1:82" },
		{ "listen: {http: {address: \"gw-1.internal:83\"}, admin: 83}\n", "gw-1.internal",
		  83, "http://gw-1.internal:83" },
		{ "listen: {http: 0.0.0.0:84}\npublic_url: https://x.example:444\n", "0.0.0.0", 84,
		  "https://x.example:444" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct load l = load_good(rows[i].text);
		CHECK_ROW(l.settings != NULL && is(l.settings->listen.http.host, rows[i].host),
		          rows[i].text);
		CHECK_ROW(l.settings != NULL && l.settings->listen.http.port == rows[i].port,
		          rows[i].text);
		CHECK_ROW(l.settings != NULL && is(l.settings->public_url, rows[i].url),
		          rows[i].text);
		load_done(&l);
	}
}

static void
test_json_is_accepted(void)
{
	struct load l = load_good(
		"{\n\t\"workers\": 3,\n\t\"state\": {\"path\": \"st\\u00e4te\\/\\ud83d\\ude00\"},\n"
		"\t\"sandbox\": {\"required\": true},\n\t\"backends\": "
		"{\"b\":{\"type\":\"sqlite\",\"path\":\"b\"}}\n}");

	CHECK(l.settings != NULL && l.settings->workers == 3 && l.settings->sandbox_required);
	CHECK(l.settings != NULL && is(l.settings->state_path, "/srv/gw/st\u00e4te/\U0001f600"));
	load_done(&l);
}

/* Text that the library hands out in many pieces. */
static void
test_quoted_and_folded_text_is_exact(void)
{
	static const struct {
		const char *yaml, *text;
	} rows[] = {
		{ "''''''''''''''''''''''''''''''''", "'''''''''''''''" },
		{ "'a''b''c''d''e''f''g''h''i''j''k''l''m'", "a'b'c'd'e'f'g'h'i'j'k'l'm" },
		{ "\"\\n\\t\\n\\t\\n\\t\\n\\t\\n\\t\\n\\t\\n\\t\"",
		  "\n\t\n\t\n\t\n\t\n\t\n\t\n\t" },
		{ "\"\\u00e9\\u20ac\\U0001f600\\u00e9\\u20ac\\u00e9\\u20ac\\u00e9\\u20ac\\u00e9\\u2"
		  "0ac\"",
		  "\u00e9\u20ac\U0001f600\u00e9\u20ac\u00e9\u20ac\u00e9\u20ac\u00e9\u20ac" },
		{ "|-\n  a\n  b\n\n  c\n  d\n  e\n  f\n  g\n  h\n  i\n  j\n  k",
		  "a\nb\n\nc\nd\ne\nf\ng\nh\ni\nj\nk" },
		{ ">-\n  a\n  b\n\n  c\n  d\n  e\n  f\n  g\n  h\n  i\n  j\n  k",
		  "a b\nc d e f g h i j k" },
		{ "'a eq ''it''''s'' or b eq '''''", "a eq 'it''s' or b eq ''" },
		{ "plain text\n    over lines", "plain text over lines" },
		{ "\"\\x41\\/\\\\\\\"\"", "A/\\\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];
		snprintf(text, sizeof text, "issuers:\n l:\n  type: local\n  audience: %s\n",
		         rows[i].yaml);
		struct load l = load_good(text);
		CHECK_ROW(l.settings != NULL &&
		                  is(l.settings->issuers[0].audience[0], rows[i].text),
		          text);
		load_done(&l);
	}
}

static void
test_crlf_and_a_byte_order_mark_are_accepted(void)
{
	struct load l = load_good("\xef\xbb\xbfworkers: 3\r\nstate:\r\n  path: s\r\n");

	CHECK(l.settings != NULL && l.settings->workers == 3 &&
	      is(l.settings->state_path, "/srv/gw/s"));
	load_done(&l);
}

static void
test_variables_are_put_in(void)
{
	setenv("GW_TEST_A", "7", 1);
	setenv("GW_TEST_B", "x: {y}", 1);
	struct load l =
		load_good("workers: ${env:GW_TEST_A}\n"
	                  "limits: {head_timeout: \"${env:GW_TEST_A}s\"}\n"
	                  "state: {path: '/a/${env:GW_TEST_A}/${env:GW_TEST_B}/$x$'}\n"
	                  "issuers: {l: {type: local, audience: ['${env:GW_TEST_B}', b]}}\n");

	CHECK(l.settings != NULL && l.settings->workers == 7 &&
	      l.settings->limits.head_timeout_ms == 7000);
	CHECK(l.settings != NULL && is(l.settings->state_path, "/a/7/x: {y}/$x$"));
	CHECK(l.settings != NULL && is(l.settings->issuers[0].audience[0], "x: {y}"));
	load_done(&l);
	unsetenv("GW_TEST_A");
	unsetenv("GW_TEST_B");
}

static void
test_paths_are_relative_to_the_file(void)
{
	char *here = getcwd(NULL, 0);
	const struct {
		const char *file,
			*expected; /* behind the current folder, where it does not begin with / */
	} rows[] = {
		{ "g.yaml", "/s" },
		{ "./g.yaml", "/s" },
		{ "conf/g.yaml", "/conf/s" },
		{ "./././conf/g.yaml", "/conf/s" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct load l = { 0 };
		char expected[4096];
		snprintf(expected, sizeof expected, "%s%s", here, rows[i].expected);
		CHECK(!failed(config_parse(BYTES("state: {path: ./s//}"), rows[i].file, &l.arena,
		                           &l.settings, &l.errors)));
		CHECK_ROW(l.settings != NULL && is(l.settings->state_path, expected), expected);
		load_done(&l);
	}
	free(here);

	struct load root = { 0 };
	CHECK(!failed(config_parse(BYTES("state: {path: s}"), "/g.yaml", &root.arena,
	                           &root.settings, &root.errors)));
	CHECK(root.settings != NULL && is(root.settings->state_path, "/s"));
	load_done(&root);
}

static void
test_a_file_is_read(void)
{
	char path[] = "/tmp/gatewarden-config-XXXXXX";
	int fd = mkstemp(path);
	struct load l = { 0 };

	CHECK(fd >= 0 && write(fd, "workers: 9\n", 11) == 11);
	CHECK(!failed(config_load(path, &l.arena, &l.settings, &l.errors)));
	CHECK(l.settings != NULL && l.settings->workers == 9);
	load_done(&l);

	static const char filler[4096] = "#";
	for (size_t i = 0; i <= CONFIG_BYTES_MAX / sizeof filler; i++)
		CHECK(write(fd, filler, sizeof filler) == sizeof filler);
	CHECK(config_load(path, &l.arena, &l.settings, &l.errors).kind == ERR_CONFIG);
	CHECK(l.errors.count == 1 && strstr((char *)l.errors.text.at, "more than 1 MiB") != NULL);
	load_done(&l);
	close(fd);
	unlink(path);
}

static void
test_the_books_example_is_good(void)
{
	char *text = source_file("examples/books/gatewarden.yaml");

	if (text == NULL)
		SKIP("no example here");
	struct load l = load_good(text);
	load_done(&l);
	free(text);
}

TESTS(TEST(test_an_empty_mapping_is_all_defaults), TEST(test_sections_without_content_are_defaults),
      TEST(test_issuers_of_both_types), TEST(test_an_idle_life_never_passes_the_whole_life),
      TEST(test_backends_and_roles), TEST(test_rules_keep_their_places), TEST(test_units),
      TEST(test_addresses), TEST(test_json_is_accepted), TEST(test_quoted_and_folded_text_is_exact),
      TEST(test_crlf_and_a_byte_order_mark_are_accepted), TEST(test_variables_are_put_in),
      TEST(test_paths_are_relative_to_the_file), TEST(test_a_file_is_read),
      TEST(test_the_books_example_is_good))
