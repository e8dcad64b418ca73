/* test_errors.c - each mistake gets its place, what is wrong and what was expected. */
#include "load.h"

#include <unistd.h>

#include "base/macros.h"

#define KEYS                                                                                       \
	"listen, public_url, workers, issuers, backends, roles, resources, routes, audit, "        \
	"state, limits, login, sessions, outbound, telemetry, sandbox"
#define TYPES "one of local, entra, okta, cognito, oidc, introspection"
#define LOCAL "issuers: {local: {type: local, audience: a}}\n"
#define BASE                                                                                       \
	LOCAL "backends: {b: {type: sqlite, path: p}}\nroles: {r: {granted_by: [\"local:r\"]}}\n"

static void
test_what_is_not_yaml_is_refused_with_its_place(void)
{
	static const struct mistake rows[] = {
		{ "", G ":1:1: the file is empty; expected a mapping of settings\n" },
		{ "# nothing\n", G ":1:1: the file is empty; expected a mapping of settings\n" },
		{ "just text\n",
		  G ":1:1: the file is no mapping; expected settings such as `listen:`\n" },
		{ "- a\n",
		  G ":1:1: the file is no mapping; expected settings such as `listen:`\n" },
		{ "listen: [1\n", G ":2:1: not YAML: flow sequence without a closing bracket; "
		                    "expected YAML 1.2 or JSON\n" },
		{ "workers: 1\n\tlogin: {}\n",
		  G ":1:10: not YAML: invalid multiline plain key; expected YAML 1.2 or JSON\n" },
		{ "state:\n  path: \"x\n", G ":2:10: not YAML: double-quoted scalar without "
		                             "closing quote; expected YAML 1.2 or JSON\n" },
		{ "workers: 1\n---\nworkers: 2\n",
		  G ":2:1: a second document begins; expected one only\n" },
		{ "state:\n  path: \"a\n    b\"\n", G
		  ":2:9: quoted text over several lines; expected one line, or a block after |\n" },
		{ "state:\n  path: 'a\n    b'\n", G
		  ":2:9: quoted text over several lines; expected one line, or a block after |\n" },
		{ "? [a]\n: 1\n",
		  G ":1:1: a key with `?` before it is refused; expected `key: value`\n" },
		{ "? {a: 1}\n: 1\n",
		  G ":1:1: a key with `?` before it is refused; expected `key: value`\n" },
		{ "workers: 1\nworkers: 2\n",
		  G ":2:1: duplicate key \"workers\"; expected it once (first on line 1)\n" },
		{ "workers: !!int 1\n", G ":1:10: tags are refused; expected the value alone\n" },
		{ "state: {path: \"a\\0b\"}\n",
		  G ":1:15: control characters in a value; expected printable text\n" },
		{ "state: {path: \"a\\eb\"}\n",
		  G ":1:15: control characters in a value; expected printable text\n" },
		{ "workers: 1\nstate: {path: a\x1b"
		  "b}\n",
		  G ":2:16: byte 0x1b; expected text without control characters\n" },
		{ "a:\n  ? k:\t|\t: x\n",
		  G ":2:3: a key with `?` before it is refused; expected `key: value`\n" },
		{ "%YAML 1.2\n---\nworkers: 1\n",
		  G ":1:1: directives are refused; expected settings only\n" },
		{ "workers: 1\n# caf\xe9\n",
		  G ":2:1: this line is not UTF-8; expected UTF-8 text\n" },
		{ "workers: \"\xed\xa0\x80\"\n",
		  G ":1:1: this line is not UTF-8; expected UTF-8 text\n" },
		{ "\xff\xfe"
		  "a: 1\n",
		  G ":1:1: this line is not UTF-8; expected UTF-8 text\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_aliases_anchors_and_merge_keys_are_refused(void)
{
	static const struct mistake rows[] = {
		{ "state: &s {path: x}\n",
		  G ":1:8: anchors are refused; expected the value alone\n" },
		{ "state: *s\n", G ":1:8: aliases are refused; expected the value itself\n" },
		{ "<<: {workers: 1}\n",
		  G ":1:1: merge keys (<<) are refused; expected the keys themselves\n" },
		{ "*k : 1\n", G ":1:1: aliases are refused; expected the value itself\n" },
		{ "listen:\n  http: &a 8080\n  admin: *a\n",
		  G ":2:9: anchors are refused; expected the value alone\n" G
		    ":3:10: aliases are refused; expected the value itself\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_unknown_and_missing_keys_name_the_known_ones(void)
{
	static const struct mistake rows[] = {
		{ "lisen: {}\n", G ":1:1: unknown key \"lisen\" in the configuration (did you mean "
		                   "\"listen\"?); expected one of " KEYS "\n" },
		{ "sandbox: {requird: true}\n", G ":1:11: unknown key \"requird\" in sandbox (did "
		                                  "you mean \"required\"?); expected required\n" },
		{ "listen:\n  tls: 1\n",
		  G ":2:3: unknown key \"tls\" in listen; expected one of http, admin\n" },
		{ "listen:\n  http: {tls: 1}\n",
		  G ":2:3: address is missing; expected an address such as 127.0.0.1:8080, "
		    "[::1]:8080, localhost:8080, or "
		    "8080 for loopback\n" G ":2:15: tls is text; expected a mapping with "
		    "certificate, key, certificates, client_ca, client_certificate, minimum\n" },
		{ "issuers:\n  a: {}\n",
		  G ":2:3: type is missing in an issuer; expected " TYPES "\n" },
		{ "issuers:\n  a:\n",
		  G ":2:3: type is missing in an issuer; expected " TYPES "\n" },
		{ "issuers:\n  a: {type: odic}\n",
		  G ":2:13: unknown type \"odic\" of an issuer (did you mean \"oidc\"?); expected "
		    "" TYPES "\n" },
		{ "issuers:\n  a: {type: local}\n",
		  G ":2:3: audience is missing; expected text, or a list of 1 to 32 texts\n" },
		{ "backends: {b: {type: sqlite}}\n",
		  G ":1:12: path is missing; expected a path\n" },
		{ "backends: {b: {type: sqlite, path: p, server: x}}\n",
		  G ":1:39: unknown key \"server\" in a backend; expected one of type, path, "
		    "statement_timeout, "
		    "lock_timeout\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_quantities_need_units_and_keep_their_bounds(void)
{
	static const struct mistake rows[] = {
		{ "limits: {head_timeout: 15}\n",
		  G ":1:24: head_timeout has no unit: \"15\"; expected a duration from 100ms to "
		    "5m, such as 10s\n" },
		{ "limits: {head_timeout: 15x}\n",
		  G ":1:24: head_timeout has an unknown unit: \"15x\"; expected a duration from "
		    "100ms to 5m, such as 10s\n" },
		{ "limits: {head_timeout: 15 s}\n",
		  G ":1:24: head_timeout has an unknown unit: \"15 s\"; expected a duration from "
		    "100ms to 5m, such as 10s\n" },
		{ "limits: {head_timeout: -1s}\n",
		  G ":1:24: head_timeout is no number with a unit: \"-1s\"; expected a duration "
		    "from 100ms to 5m, such as "
		    "10s\n" },
		{ "limits: {head_timeout: 99ms}\n",
		  G ":1:24: head_timeout is out of bounds: \"99ms\"; expected a duration from "
		    "100ms to 5m, such as 10s\n" },
		{ "limits: {head_timeout: 99999999999999999999s}\n",
		  G ":1:24: head_timeout is out of bounds: \"99999999999999999999s\"; expected a "
		    "duration from 100ms to 5m, "
		    "such as 10s\n" },
		{ "limits: {head_timeout: 213503982335d}\n",
		  G ":1:24: head_timeout is out of bounds: \"213503982335d\"; expected a duration "
		    "from 100ms to 5m, such as "
		    "10s\n" },
		{ "limits: {body_size: 1048576}\n",
		  G ":1:21: body_size has no unit: \"1048576\"; expected a size from 1KiB to 1GiB, "
		    "such as 1MiB\n" },
		{ "limits: {body_size: 1mib}\n",
		  G ":1:21: body_size has an unknown unit: \"1mib\"; expected a size from 1KiB to "
		    "1GiB, such as 1MiB\n" },
		{ "limits: {body_rate: 2GiB}\n",
		  G ":1:21: body_rate is out of bounds: \"2GiB\"; expected a size for each second "
		    "from 1B to 1GiB, such as "
		    "500B\n" },
		{ "issuers: {l: {type: local, audience: a, access_token_ttl: 16m}}\n",
		  G ":1:59: access_token_ttl is out of bounds: \"16m\"; expected a duration from "
		    "1s to 15m, such as 15m\n" },
		{ "issuers: {l: {type: local, audience: a, refresh_idle_ttl: 1500ms}}\n",
		  G ":1:59: refresh_idle_ttl is no whole number of seconds: \"1500ms\"; expected a "
		    "duration from 1s to 365d, "
		    "such as 7d\n" },
		{ "workers: 0\n", G ":1:10: workers is out of bounds: \"0\"; expected auto, or a "
		                    "whole number from 1 to 256\n" },
		{ "workers: 1.5\n", G ":1:10: workers is no whole number: \"1.5\"; expected auto, "
		                      "or a whole number from 1 to 256\n" },
		{ "sandbox: {required: yes}\n",
		  G ":1:21: required is neither: \"yes\"; expected true or false\n" },
		{ "workers:\n", G
		  ":1:1: workers has no value; expected auto, or a whole number from 1 to 256\n" },
		{ "workers: [1]\n",
		  G ":1:10: workers is a list; expected auto, or a whole number from 1 to 256\n" },
		{ "audit: {when_full: drop}\n",
		  G ":1:20: when_full is unknown: \"drop\"; expected refuse\n" },
		{ "audit: {durability: sync}\n",
		  G ":1:21: durability is unknown: \"sync\" (did you mean \"fsync\"?); expected "
		    "one of write, fsync\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

#define ADDRESS                                                                                    \
	"; expected an address such as 127.0.0.1:8080, [::1]:8080, localhost:8080, or 8080 for "   \
	"loopback\n"
#define ORIGIN "; expected http:// or https://, a host and perhaps a port, nothing more\n"

static void
test_addresses_and_urls_are_checked(void)
{
	static const struct mistake rows[] = {
		{ "listen: {http: 0}\n", G ":1:16: address is no address and port: \"0\"" ADDRESS },
		{ "listen: {http: 65536}\n",
		  G ":1:16: address is no address and port: \"65536\"" ADDRESS },
		{ "listen: {http: 127.0.0.1}\n",
		  G ":1:16: address is no address and port: \"127.0.0.1\"" ADDRESS },
		{ "listen: {http: \"127.0.0.256:80\"}\n",
		  G ":1:16: address is no address and port: \"127.0.0.256:80\"" ADDRESS },
		{ "listen: {http: \"1.2.3:80\"}\n",
		  G ":1:16: address is no address and port: \"1.2.3:80\"" ADDRESS },
		{ "listen: {http: \"::1:80\"}\n",
		  G ":1:16: address is no address and port: \"::1:80\"" ADDRESS },
		{ "listen: {http: \"[::1]\"}\n",
		  G ":1:16: address is no address and port: \"[::1]\"" ADDRESS },
		{ "listen: {http: \"[::1:80\"}\n",
		  G ":1:16: address is no address and port: \"[::1:80\"" ADDRESS },
		{ "listen: {http: \":80\"}\n",
		  G ":1:16: address is no address and port: \":80\"" ADDRESS },
		{ "listen: {http: \"a b:80\"}\n",
		  G ":1:16: address is no address and port: \"a b:80\"" ADDRESS },
		{ "listen: {http: 8080, admin: \"127.0.0.1:8080\"}\n",
		  G ":1:29: admin is the same address as http; expected another port\n" },
		{ "listen: {http: \"0.0.0.0:8080\", admin: 8080}\n",
		  G ":1:39: admin is the same address as http; expected another port\n" },
		{ "public_url: 'ftp://x'\n",
		  G ":1:13: public_url is no http(s) URL: \"ftp://x\"" ORIGIN },
		{ "public_url: 'https://x/'\n",
		  G ":1:13: public_url has a path: \"https://x/\"" ORIGIN },
		{ "public_url: 'https://a@x'\n",
		  G ":1:13: public_url has a byte that may not stand here: a user or an @" ORIGIN },
		{ "public_url: 'https://'\n",
		  G ":1:13: public_url has no proper host and port: \"https://\"" ORIGIN },
		{ "public_url: 'https://x:99999'\n",
		  G ":1:13: public_url has no proper host and port: \"https://x:99999\"" ORIGIN },
		{ "issuers: {i: {type: oidc, audience: a, jwks: {file: f}, issuer: "
		  "'http://idp.example'}}\n",
		  G ":1:65: issuer is not https: \"http://idp.example\"; expected an https URL "
		    "without query or fragment (http "
		    "on loopback only)\n" },
		{ "issuers: {i: {type: oidc, audience: a, jwks: {file: f}, issuer: "
		  "'https://idp.example/?a'}}\n",
		  G ":1:65: issuer has a byte that may not stand here: \"https://idp.example/?a\"; "
		    "expected an https URL "
		    "without query or fragment (http on loopback only)\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

#define ALGORITHMS                                                                                 \
	"a list of any of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA\n"
#define OIDC "type: oidc, issuer: 'https://i', audience: a, jwks: {file: f}"

static void
test_symmetric_and_unsigned_algorithms_are_refused_with_the_reason(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", algorithms: [HS256]}\n",
		  G ":2:83: algorithms refuses HS256 (whoever can check such a token can also make "
		    "one); expected " ALGORITHMS },
		{ "issuers:\n  i: {" OIDC ", algorithms: [RS256, none]}\n",
		  G ":2:90: algorithms refuses none (an unsigned token proves nothing); "
		    "expected " ALGORITHMS },
		{ "issuers:\n  i: {" OIDC ", algorithms: [rs256]}\n",
		  G ":2:83: algorithms is unknown: \"rs256\" (did you mean \"RS256\"?); "
		    "expected " ALGORITHMS },
		{ "issuers:\n  i: {" OIDC ", algorithms: []}\n",
		  G ":2:82: algorithms is an empty list; expected " ALGORITHMS },
		{ "issuers: {l: {type: local, audience: a, signing_algorithm: HS256}}\n",
		  G ":1:60: signing_algorithm is unknown: \"HS256\" (did you mean \"ES256\"?); "
		    "expected one of ES256, RS256, EdDSA\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_tenant_is_one_text_of_an_issuer_that_has_any(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", tenant: ''}\n",
		  G ":2:78: tenant is empty; expected text of 1 to 256 bytes\n" },
		{ "issuers:\n  i: {" OIDC ", tenant: [a, b]}\n",
		  G ":2:78: tenant is a list; expected text of 1 to 256 bytes\n" },
		{ "issuers:\n  i: {" OIDC ", tenant: {id: a}}\n",
		  G ":2:78: tenant is a mapping; expected text of 1 to 256 bytes\n" },
		{ "issuers: {l: {type: local, audience: a, tenant: x}}\n", G
		  ":1:41: unknown key \"tenant\" in an issuer; expected one of type, "
		  "access_token_ttl, refresh_token_ttl, "
		  "refresh_idle_ttl, exchanged_token_ttl, signing_algorithm, key_rotation, leeway, "
		  "login, audience, clients, roles_claim, required_claims, callers, bindings\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
	struct load l = load_repeated("issuers: {i: {" OIDC ", tenant: ", "t", 256, "}}\n");
	CHECK(l.errors.count == 0 && l.settings != NULL &&
	      strlen(l.settings->issuers[0].tenant) == 256);
	load_done(&l);
	l = load_repeated("issuers: {i: {" OIDC ", tenant: ", "t", 257, "}}\n");
	CHECK(load_says(&l, G ":1:86: tenant is too long; expected text of 1 to 256 bytes\n"));
	load_done(&l);
}

static void
test_settings_that_must_fit_together_are_compared(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  a: {type: local, audience: a}\n  b: {type: local, audience: a}\n",
		  G ":3:3: a second issuer of type local; expected at most one (the first is on "
		    "line 2)\n" },
		{ "issuers:\n  a: {" OIDC "}\n  b: {" OIDC "}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "public_url: 'https://i'\nissuers:\n  a: {type: local, audience: a}\n  b: {" OIDC
		  "}\n",
		  G ":4:3: the issuer of \"a\" again; expected each once\n" },
		{ BASE "resources:\n  x: {backend: b, table: t, page_max: 50}\n",
		  G ":5:3: page_size 100 is above page_max 50; expected it at most equal\n" },
		{ "audit: {path: state}\n",
		  G ":1:1: audit and state have the same path; expected two folders\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_references_name_what_there_is(void)
{
	static const struct mistake rows[] = {
		{ LOCAL "roles:\n  r: {granted_by: [lokal:x]}\n",
		  G ":3:20: unknown issuer \"lokal\" (did you mean \"local\"?); expected local\n" },
		{ "roles:\n  r: {granted_by: [a:x]}\n",
		  G ":2:20: unknown issuer \"a\"; expected one that is configured (there is "
		    "none)\n" },
		{ LOCAL "roles:\n  r: {granted_by: [local]}\n",
		  G ":3:20: granted_by has an entry that is no ISSUER:VALUE: \"local\"; expected a "
		    "list of ISSUER:VALUE\n" },
		{ LOCAL "roles:\n  r: {granted_by: [\"local:\"]}\n",
		  G ":3:20: granted_by has an entry that is no ISSUER:VALUE: \"local:\"; expected "
		    "a list of ISSUER:VALUE\n" },
		{ "roles:\n  r: {granted_by: []}\n",
		  G ":2:19: granted_by is an empty list; expected a list of ISSUER:VALUE\n" },
		{ BASE "resources:\n  x: {backend: c, table: t}\n",
		  G ":5:16: unknown backend \"c\"; expected b\n" },
		{ BASE "resources:\n  X: {backend: b, table: t}\n",
		  G ":5:3: \"X\" is no name for a resource; expected 1 to 64 of a-z 0-9 _ -\n" },
		{ BASE "resources:\n  x: {backend: b}\n",
		  G ":5:3: table is missing, and so is view; expected text of 1 to 256 bytes\n" },
		{ BASE "resources:\n  x: {backend: b, table: t, view: v}\n",
		  G ":5:19: table stands beside view, but only one may; expected text of 1 to "
		    "256 bytes\n" },
		{ BASE "resources:\n  x: {backend: b, table: ''}\n",
		  G ":5:26: table is empty; expected text of 1 to 256 bytes\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

#define RULE BASE "resources:\n  x:\n    backend: b\n    view: v\n"

static void
test_rules_are_checked(void)
{
	static const struct mistake rows[] = {
		{ RULE "    allow: {s: all}\n", G ":8:13: unknown role \"s\"; expected r\n" },
		{ RULE "    allow: {r: some}\n",
		  G ":8:16: no actions; expected all, a list of actions, or a mapping from actions "
		    "to all or an allow rule\n" },
		{ RULE "    allow: {r: []}\n",
		  G ":8:16: no actions; expected all, a list of actions, or a mapping from actions "
		    "to all or an allow rule\n" },
		{ RULE "    allow: {r: [raed]}\n",
		  G ":8:17: unknown action \"raed\" (did you mean \"read\"?); expected one of "
		    "read, create, update, delete, "
		    "execute\n" },
		{ RULE "    allow: {r: [read, read]}\n",
		  G ":8:23: action \"read\" stands twice; expected it once\n" },
		{ RULE "    allow: {r: {read: yes}}\n",
		  G ":8:23: not a rule for \"read\"; expected all, or a mapping with fields or "
		    "where\n" },
		{ RULE "    allow: {r: {read: {}}}\n",
		  G ":8:23: not a rule for \"read\"; expected all, or a mapping with fields or "
		    "where\n" },
		{ RULE "    allow: {r: {read: {were: x}}}\n",
		  G ":8:24: unknown key \"were\" in an allow rule (did you mean \"where\"?); "
		    "expected one of fields, where\n" },
		{ RULE "    allow: {r: {read: {fields: {include: []}}}}\n",
		  G ":8:42: include has 0 entries; expected text, or a list of 1 to 256 texts\n" },
		{ RULE "    allow: {r: {delete: {fields: {include: [a]}}}}\n",
		  G ":8:26: fields does not go with \"delete\"; expected whole rows\n" },
		{ RULE "    deny: {r: {read: {where: x}}}\n",
		  G ":8:23: unknown key \"where\" in a deny rule; expected fields\n" },
		{ RULE "    deny: {r: {read: {fields: {exclude: [x]}}}}\n",
		  G ":8:32: unknown key \"exclude\" in fields (did you mean \"include\"?); "
		    "expected include\n" },
		{ RULE "    deny: [r]\n", G ":8:11: deny is a list; expected a mapping from roles "
		                            "to `all`, a list of actions, or a mapping from "
		                            "actions to `all` or a deny rule\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_all_errors_come_at_once_in_order_of_place(void)
{
	static const struct mistake rows[] = {
		{ "state: {path: ''}\nlimits:\n  head_timeout: 15\n  idle: 3s\nlisten: {http: "
		  "x}\nworkers: many\nbackends:\n  b: "
		  "{type: sqlit}\nresources:\n  r: {backend: b, table: t}\n",
		  G ":1:15: path is empty; expected a path\n" G
		    ":3:17: head_timeout has no unit: \"15\"; expected a duration from 100ms to "
		    "5m, such as 10s\n" G ":4:3: unknown key \"idle\" in limits; expected one of "
		    "connections, connections_per_address, head_timeout, "
		    "idle_timeout, write_timeout, body_rate, body_size, response_size, "
		    "drain_timeout, stream_idle_timeout, caller\n" G
		    ":5:16: address is no address and port: \"x\"" ADDRESS G
		    ":6:10: workers is no whole number: \"many\"; expected auto, or a whole number "
		    "from 1 to 256\n" G ":8:13: unknown type \"sqlit\" of a backend (did you mean "
		    "\"sqlite\"?); expected one of sqlite, http\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_the_parts_of_later_versions_are_refused_clearly(void)
{
	static const struct mistake rows[] = {
		{ "listen:\n  tds: 127.0.0.1:1433\n  postgres: 127.0.0.1:5432\n"
		  "credentials:\n  app: {type: managed_identity}\n"
		  "backends:\n  sales: {type: azure_sql}\n"
		  "resources:\n  carts: {backend: sales, container: c}\n",
		  G
		  ":2:3: unknown key \"tds\" in listen; expected one of http, admin\n" G
		  ":3:3: unknown key \"postgres\" in listen; expected one of http, admin\n" G
		  ":4:1: unknown key \"credentials\" in the configuration; expected one of " KEYS
		  "\n" G
		  ":7:17: unknown type \"azure_sql\" of a backend; expected one of sqlite, http\n" G
		  ":9:3: table is missing, and so is view; expected text of 1 to 256 bytes\n" G
		  ":9:27: unknown key \"container\" in a resource; expected one of backend, "
		  "table, view, page_size, page_max, "
		  "allow, deny\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_variable_that_is_missing_or_malformed_is_an_error(void)
{
	static const struct mistake rows[] = {
		{ "state: {path: \"${env:GW_TEST_UNSET}\"}\n",
		  G ":1:15: path names the environment variable GW_TEST_UNSET, which is not set; "
		    "expected a path\n" },
		{ "state: {path: \"${env:}\"}\n",
		  G ":1:15: path has a malformed ${env:NAME}; expected a path\n" },
		{ "state: {path: \"${env:A\"}\n", G ":1:15: path names the environment variable A, "
		                                    "which is not set; expected a path\n" },
		{ "state: {path: \"${env:A-B}\"}\n",
		  G ":1:15: path has a malformed ${env:NAME}; expected a path\n" },
		{ "\"${env:HOME}\": 1\n",
		  G ":1:1: unknown key \"${env:HOME}\" in the configuration; expected one of " KEYS
		    "\n" },
	};

	unsetenv("GW_TEST_UNSET");
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_the_value_of_a_variable_stays_out_of_messages(void)
{
	setenv("GW_TEST_VALUE", "hunter2", 1);
	struct load l = load_text("workers: ${env:GW_TEST_VALUE}\n");
	CHECK(load_says(&l, G ":1:10: workers is no whole number: \"${env:GW_TEST_VALUE}\"; "
	                      "expected auto, or a whole number "
	                      "from 1 to 256\n"));
	load_done(&l);
	unsetenv("GW_TEST_VALUE");
}

static void
test_long_and_hostile_text_is_cut_in_messages(void)
{
	char text[400] = "workers: \"";
	struct load l;

	for (size_t i = 0; i < 100; i++)
		strncat(text, "\u00e9", sizeof text - strlen(text) - 1);
	strncat(text, "\"\n", sizeof text - strlen(text) - 1);
	l = load_text(text);
	CHECK(l.errors.count == 1 && l.errors.text.len < 200 &&
	      bytes_is_utf8(buf_bytes(&l.errors.text)));
	load_done(&l);

	l = load_text("\"a\\nb\": 1\n");
	CHECK(l.errors.count == 1 &&
	      bytes_starts(buf_bytes(&l.errors.text), BYTES(G ":1:1: unknown key \"a?b\"")));
	load_done(&l);
}

static void
test_every_cut_of_a_file_is_refused_or_read(void)
{
	static const char text[] =
		BASE "resources:\n  x:\n    backend: b\n    table: \"t\\u00e9\"\n    allow:\n      "
		     "r: {read: "
		     "{fields: {include: [a, b]}, where: |\n          a eq 'x'\n        }}\n";

	for (size_t len = 0; len < sizeof text - 1; len++) {
		char *exact = malloc(len + 1);
		if (exact == NULL)
			abort();
		memcpy(exact, text, len);
		struct load l = load_bytes(exact, len);
		CHECK(l.errors.count == 0 || bytes_starts(buf_bytes(&l.errors.text), BYTES(G ":")));
		load_done(&l);
		free(exact);
	}
}

TESTS(TEST(test_what_is_not_yaml_is_refused_with_its_place),
      TEST(test_aliases_anchors_and_merge_keys_are_refused),
      TEST(test_unknown_and_missing_keys_name_the_known_ones),
      TEST(test_quantities_need_units_and_keep_their_bounds),
      TEST(test_addresses_and_urls_are_checked),
      TEST(test_symmetric_and_unsigned_algorithms_are_refused_with_the_reason),
      TEST(test_a_tenant_is_one_text_of_an_issuer_that_has_any),
      TEST(test_settings_that_must_fit_together_are_compared),
      TEST(test_references_name_what_there_is), TEST(test_rules_are_checked),
      TEST(test_all_errors_come_at_once_in_order_of_place),
      TEST(test_the_parts_of_later_versions_are_refused_clearly),
      TEST(test_a_variable_that_is_missing_or_malformed_is_an_error),
      TEST(test_the_value_of_a_variable_stays_out_of_messages),
      TEST(test_long_and_hostile_text_is_cut_in_messages),
      TEST(test_every_cut_of_a_file_is_refused_or_read))
