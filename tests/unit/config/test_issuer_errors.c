/* test_issuer_errors.c - what is wrong with an issuer and what is around it, and where. */
#include "load.h"

#include "base/macros.h"

#define GUID "11111111-2222-3333-4444-555555555555"
#define ENTRA "type: entra, audience: a, tenant: " GUID
#define OIDC "type: oidc, issuer: 'https://i', audience: a"
#define OPAQUE                                                                                     \
	"type: introspection, endpoint: 'https://i', client_id: c, audience: a, client_secret: "   \
	"{env: S}"
#define REFERENCE                                                                                  \
	"; expected a reference, as secrets are never written here: {file: PATH} or {env: NAME}\n"

static void
test_each_kind_has_its_own_keys(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {type: entra, audience: a}\n",
		  G ":2:3: tenant is missing; expected a GUID in lower case, such as " GUID
		    ", or a list of 1 to 64 of them\n" },
		{ "issuers:\n  i: {" OIDC ", cloud: public}\n",
		  G ":2:53: unknown key \"cloud\" in an issuer; expected one of type, issuer, "
		    "tenant, algorithms, metadata, jwks, keys_stale, keys_cooldown, login, leeway, "
		    "audience, clients, roles_claim, required_claims, callers, bindings\n" },
		{ "issuers:\n  i: {type: okta, audience: a}\n",
		  G ":2:3: issuer is missing; expected https://DOMAIN/oauth2/ID, a custom "
		    "authorization server\n" },
		{ "issuers:\n  i: {type: cognito}\n",
		  G ":2:3: region is missing; expected an AWS region, such as eu-west-1\n" G
		    ":2:3: user_pool is missing; expected the ID of a user pool, such as "
		    "eu-west-1_AbCdEf123\n" G
		    ":2:3: client_id is missing; expected text, or a list of 1 to 256 texts\n" },
		{ "issuers:\n  i: {type: introspection, audience: a}\n",
		  G ":2:3: endpoint is missing; expected an https URL without fragment (http on "
		    "loopback only)\n" G
		    ":2:3: client_id is missing; expected text of 1 to 256 bytes\n" G
		    ":2:3: client_secret is missing" REFERENCE },
		{ "issuers:\n  i: {" OPAQUE ", algorithms: [RS256]}\n",
		  G ":2:103: unknown key \"algorithms\" in an issuer; expected one of type, "
		    "endpoint, client_id, client_secret, issuer, cache, leeway, audience, clients, "
		    "roles_claim, required_claims, callers, bindings\n" },
		{ "issuers:\n  i: {type: cognito, region: eu-west-1, user_pool: eu-west-1_a, "
		  "client_id: c, clients: c}\n",
		  G ":2:79: unknown key \"clients\" in an issuer; expected one of type, region, "
		    "user_pool, client_id, audience, roles_claim, algorithms, metadata, jwks, "
		    "keys_stale, keys_cooldown, login, leeway, required_claims, callers, "
		    "bindings\n" },
		{ "issuers:\n  i: {type: oidc, issuer: 'https://i'}\n",
		  G ":2:3: audience is missing; expected text, or a list of 1 to 32 texts\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_tenant_of_entra_is_a_guid_as_it_stands_in_tokens(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {type: entra, audience: a, tenant: contoso.onmicrosoft.com}\n",
		  G ":2:41: tenant is no GUID: \"contoso.onmicrosoft.com\"; expected a GUID in "
		    "lower case, such as " GUID "\n" },
		{ "issuers:\n  i: {type: entra, audience: a, tenant: common}\n",
		  G ":2:41: tenant is no GUID: \"common\"; expected a GUID in lower case, such "
		    "as " GUID "\n" },
		{ "issuers:\n  i: {type: entra, audience: a, tenant: "
		  "AAAAAAAA-2222-3333-4444-555555555555}\n",
		  G ":2:41: tenant has upper case, but tokens are compared byte for byte: "
		    "\"AAAAAAAA-2222-3333-4444-555555555555\"; expected a GUID in lower case, such "
		    "as " GUID "\n" },
		{ "issuers:\n  i: {type: entra, audience: a, tenant: [" GUID ", " GUID "5]}\n",
		  G ":2:80: tenant is no GUID: \"" GUID
		    "5\"; expected a GUID in lower case, such as " GUID "\n" },
		{ "issuers:\n  i: {type: entra, audience: a, tenant: "
		  "[11111111222233334444555555555555]}\n",
		  G ":2:42: tenant is no GUID: \"11111111222233334444555555555555\"; expected a "
		    "GUID in lower case, such as " GUID "\n" },
		{ "issuers:\n  i: {type: entra, audience: a, tenant: []}\n",
		  G ":2:41: tenant has 0 entries; expected a GUID in lower case, such as " GUID
		    ", or a list of 1 to 64 of them\n" },
		{ "issuers:\n  i: {" ENTRA ", cloud: germany}\n", G
		  ":2:86: cloud is unknown: \"germany\"; expected one of public, usgov, china\n" },
		{ "issuers:\n  i: {" ENTRA ", guests: deny}\n",
		  G ":2:87: guests is unknown: \"deny\"; expected one of allow, refuse\n" },
		{ "issuers:\n  i: {" ENTRA ", callers: robots}\n",
		  G ":2:88: callers is unknown: \"robots\"; expected one of any, users, apps\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_an_org_server_of_okta_is_refused_with_the_reason(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {type: okta, audience: a, issuer: 'https://d.okta.com'}\n",
		  G ":2:40: issuer is an org authorization server, whose tokens are for Okta "
		    "itself: \"https://d.okta.com\"; expected https://DOMAIN/oauth2/ID, a custom "
		    "authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: 'https://d.okta.com/'}\n",
		  G ":2:40: issuer is an org authorization server, whose tokens are for Okta "
		    "itself: \"https://d.okta.com/\"; expected https://DOMAIN/oauth2/ID, a custom "
		    "authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: 'https://d.okta.com/oauth2'}\n",
		  G ":2:40: issuer is an org authorization server, whose tokens are for Okta "
		    "itself: \"https://d.okta.com/oauth2\"; expected https://DOMAIN/oauth2/ID, a "
		    "custom authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: "
		  "'https://d.okta.com/oauth2/'}\n",
		  G ":2:40: issuer is an org authorization server, whose tokens are for Okta "
		    "itself: \"https://d.okta.com/oauth2/\"; expected https://DOMAIN/oauth2/ID, a "
		    "custom authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: "
		  "'https://d.okta.com/oauth2/x/'}\n",
		  G ":2:40: issuer is no Okta authorization server: "
		    "\"https://d.okta.com/oauth2/x/\"; expected https://DOMAIN/oauth2/ID, a custom "
		    "authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: "
		  "'https://d.okta.com/oauth3/x'}\n",
		  G
		  ":2:40: issuer is no Okta authorization server: \"https://d.okta.com/oauth3/x\"; "
		  "expected https://DOMAIN/oauth2/ID, a custom authorization server\n" },
		{ "issuers:\n  i: {type: okta, audience: a, issuer: "
		  "'http://d.okta.com/oauth2/x'}\n",
		  G ":2:40: issuer is not https: \"http://d.okta.com/oauth2/x\"; expected "
		    "https://DOMAIN/oauth2/ID, a custom authorization server\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_user_pool_is_of_its_region(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {type: cognito, client_id: c, region: eu-west-1, user_pool: "
		  "us-east-1_a}\n",
		  G
		  ":2:66: user_pool is not of the region; expected it to begin with eu-west-1_\n" },
		{ "issuers:\n  i: {type: cognito, client_id: c, region: eu-west-1, user_pool: "
		  "eu-west-1}\n",
		  G ":2:66: user_pool is no user pool: \"eu-west-1\"; expected the ID of a user "
		    "pool, such as eu-west-1_AbCdEf123\n" },
		{ "issuers:\n  i: {type: cognito, client_id: c, region: EU, user_pool: "
		  "eu-west-1_a}\n",
		  G ":2:44: region is no region: \"EU\"; expected an AWS region, such as "
		    "eu-west-1\n" },
		{ "issuers:\n  i: {type: cognito, client_id: c, region: eu/x, user_pool: "
		  "eu-west-1_a}\n",
		  G ":2:44: region is no region: \"eu/x\"; expected an AWS region, such as "
		    "eu-west-1\n" },
		{ "issuers:\n  i: {type: cognito, client_id: [], region: eu-west-1, user_pool: "
		  "eu-west-1_a}\n",
		  G
		  ":2:33: client_id has 0 entries; expected text, or a list of 1 to 256 texts\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_urls_of_providers_are_https_and_nothing_strange(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", metadata: 'http://m'}\n",
		  G ":2:63: metadata is not https: \"http://m\"; expected an https URL without "
		    "fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'http://127.0.0.1.example/x'}\n",
		  G ":2:63: metadata is not https: \"http://127.0.0.1.example/x\"; expected an "
		    "https URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'https://u:p@m/'}\n",
		  G ":2:63: metadata has a byte that may not stand here: a user or an @; expected "
		    "an https URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'https://m/#f'}\n",
		  G ":2:63: metadata has a byte that may not stand here: \"https://m/#f\"; "
		    "expected an https URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'https:///x'}\n",
		  G ":2:63: metadata has no proper host and port: \"https:///x\"; expected an "
		    "https URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'file:///etc/passwd'}\n",
		  G ":2:63: metadata is no http(s) URL: \"file:///etc/passwd\"; expected an https "
		    "URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'https://m/{tenantid}'}\n",
		  G ":2:63: metadata has a byte that may not stand here: \"https://m/{tenantid}\"; "
		    "expected an https URL without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" OIDC ", jwks: {url: 'http://k'}}\n",
		  G ":2:65: url is not https: \"http://k\"; expected an https URL without fragment "
		    "(http on loopback only)\n" },
		{ "issuers:\n  i: {type: introspection, endpoint: 'http://10.0.0.1/x', client_id: "
		  "c, audience: a, client_secret: {env: S}}\n",
		  G ":2:38: endpoint is not https: \"http://10.0.0.1/x\"; expected an https URL "
		    "without fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" ENTRA
		  ", graph: {client_id: g, client_secret: {env: G}, endpoint: 'https://g/?x'}}\n",
		  G ":2:136: endpoint has a byte that may not stand here: \"https://g/?x\"; "
		    "expected an https URL without query or fragment (http on loopback only)\n" },
		{ "issuers:\n  i: {" ENTRA ", graph: {client_id: g, client_secret: {env: G}, "
		  "token_endpoint: 'https://{tenantid}/t'}}\n",
		  G ":2:142: token_endpoint has no proper host and port: \"https://{tenantid}/t\"; "
		    "expected an https URL without fragment (http on loopback only), perhaps with "
		    "{tenantid} in its path\n" },
		{ "issuers:\n  i: {" ENTRA ", graph: {client_id: g, client_secret: {env: G}, "
		  "token_endpoint: 'https://t/{tenant}'}}\n",
		  G ":2:142: token_endpoint has a byte that may not stand here: "
		    "\"https://t/{tenant}\"; expected an https URL without fragment (http on "
		    "loopback only), perhaps with {tenantid} in its path\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_secret_is_a_reference_and_never_the_secret(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, client_secret: hunter2}}\n",
		  G ":2:90: client_secret is text" REFERENCE },
		{ "issuers:\n  i: {" OIDC
		  ", login: {client_id: c, client_secret: '${env:SECRET}'}}\n",
		  G ":2:90: client_secret is text" REFERENCE },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, client_secret: [hunter2]}}\n",
		  G ":2:90: client_secret is a list" REFERENCE },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, client_secret: {}}}\n",
		  G ":2:75: file is missing, and so is env; expected a path\n" },
		{ "issuers:\n  i: {" OIDC
		  ", login: {client_id: c, client_secret: {file: a, env: B}}}\n",
		  G ":2:91: file stands beside env, but only one may; expected a path\n" },
		{ "issuers:\n  i: {" OIDC
		  ", login: {client_id: c, client_secret: {value: hunter2}}}\n",
		  G ":2:75: file is missing, and so is env; expected a path\n" G
		    ":2:91: unknown key \"value\" in a secret; expected one of file, env\n" },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, client_secret: {env: a-b}}}\n",
		  G ":2:96: env is no name of a variable: \"a-b\"; expected the name of an "
		    "environment variable\n" },
		{ "issuers:\n  i: {" ENTRA ", graph: {client_id: g}}\n",
		  G ":2:79: client_secret is missing" REFERENCE },
		{ "issuers:\n  i: {" ENTRA ", graph: {client_secret: {env: S}}}\n",
		  G ":2:79: client_id is missing; expected text of 1 to 256 bytes\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_keys_come_from_one_place(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", jwks: {file: a, url: 'https://k'}}\n",
		  G ":2:60: file stands beside url, but only one may; expected a path\n" },
		{ "issuers:\n  i: {" OIDC ", jwks: {}}\n",
		  G ":2:53: file is missing, and so is url; expected a path\n" },
		{ "issuers:\n  i: {" OIDC ", jwks: k.json}\n",
		  G ":2:59: jwks is text; expected a mapping with file, url\n" },
		{ "issuers:\n  i: {" OIDC ", metadata: 'https://m', jwks: {file: k}}\n",
		  G ":2:76: jwks stands beside metadata; expected one of them\n" },
		{ "public_url: https://g\nissuers:\n  i: {" OIDC
		  ", jwks: {file: k}, login: {client_id: c}}\n",
		  G ":3:53: jwks stands beside login; expected the metadata, which also says where "
		    "people log in\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_required_claims_have_values(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", required_claims: {}}\n",
		  G ":2:70: required_claims has 0 entries; expected a mapping from 1 to 32 claims "
		    "to a value each, or a list of values\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: [a]}\n",
		  G ":2:70: required_claims is a list; expected a mapping from 1 to 32 claims to a "
		    "value each, or a list of values\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: a}\n",
		  G ":2:70: required_claims is text; expected a mapping from 1 to 32 claims to a "
		    "value each, or a list of values\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {a: }}\n",
		  G ":2:71: a has no value; expected text, or a list of 1 to 32 texts\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {a: []}}\n",
		  G ":2:74: a has 0 entries; expected text, or a list of 1 to 32 texts\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {a: {b: c}}}\n",
		  G ":2:74: a is a mapping; expected text, or a list of 1 to 32 texts\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {a: [b, [c]]}}\n",
		  G ":2:78: a is a list; expected text, or a list of 1 to 32 texts\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {a: ''}}\n",
		  G ":2:74: a is empty; expected text of 1 to 4096 bytes\n" },
		{ "issuers:\n  i: {" OIDC ", required_claims: {'': a}}\n",
		  G ":2:71: required_claims has a claim whose name is empty; expected a mapping "
		    "from 1 to 32 claims to a value each, or a list of values\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_binding_to_a_certificate_needs_one_to_be_seen(void)
{
	static const struct mistake rows[] = {
		{ "issuers: {i: {" OIDC ", bindings: [mtls]}}\n",
		  G ":1:61: bindings ask for a certificate, and none is ever seen; expected "
		    "client_ca in listen.http.tls, or client_certificate in listen.http\n" },
		{ "issuers: {i: {" OIDC ", bindings: [mtls, dpop]}}\n", "" },
		{ "listen: {http: {address: 1, tls: {certificate: c, key: k, client_ca: a}}}\n"
		  "issuers: {i: {" OIDC ", bindings: [mtls]}}\n",
		  "" },
		{ "listen: {http: {address: 1, proxies: 127.0.0.1, client_certificate: C}}\n"
		  "issuers: {i: {" OIDC ", bindings: [mtls]}}\n",
		  "" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_bounds_of_issuers(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC ", leeway: 61s}\n",
		  G ":2:61: leeway is out of bounds: \"61s\"; expected a duration from 0s to 1m, "
		    "such as 60s\n" },
		{ "issuers:\n  i: {" OIDC ", keys_stale: 9m}\n",
		  G ":2:65: keys_stale is out of bounds: \"9m\"; expected a duration from 10m to "
		    "7d, such as 24h\n" },
		{ "issuers:\n  i: {" OIDC ", keys_stale: 8d}\n",
		  G ":2:65: keys_stale is out of bounds: \"8d\"; expected a duration from 10m to "
		    "7d, such as 24h\n" },
		{ "issuers:\n  i: {" OIDC ", keys_cooldown: 0s}\n",
		  G ":2:68: keys_cooldown is out of bounds: \"0s\"; expected a duration from 1s to "
		    "10m, such as 30s\n" },
		{ "issuers:\n  i: {" OIDC ", keys_cooldown: 11m}\n",
		  G ":2:68: keys_cooldown is out of bounds: \"11m\"; expected a duration from 1s "
		    "to 10m, such as 30s\n" },
		{ "issuers:\n  i: {" OIDC ", bindings: [tls]}\n",
		  G ":2:64: bindings is unknown: \"tls\" (did you mean \"mtls\"?); expected a "
		    "list of any of dpop, mtls\n" },
		{ "issuers:\n  i: {" OIDC ", roles_claim: [a, b, c, d, e, f, g, h, i]}\n", G
		  ":2:66: roles_claim has 9 entries; expected text, or a list of 1 to 8 texts\n" },
		{ "issuers:\n  i: {" OPAQUE ", cache: 61s}\n",
		  G ":2:110: cache is out of bounds: \"61s\"; expected a duration from 0s to 1m, "
		    "such as 30s\n" },
		{ "sessions: {ttl: 59s}\n", G ":1:17: ttl is out of bounds: \"59s\"; expected a "
		                              "duration from 1m to 12h, such as 1h\n" },
		{ "sessions: {ttl: 13h}\n", G ":1:17: ttl is out of bounds: \"13h\"; expected a "
		                              "duration from 1m to 12h, such as 1h\n" },
		{ "outbound: {timeout: 99ms}\n",
		  G ":1:21: timeout is out of bounds: \"99ms\"; expected a duration from 100ms to "
		    "5s, such as 5s\n" },
		{ "outbound: {timeout: 5001ms}\n",
		  G ":1:21: timeout is out of bounds: \"5001ms\"; expected a duration from 100ms "
		    "to 5s, such as 5s\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_a_login_needs_https_or_loopback(void)
{
	static const struct mistake rows[] = {
		{ "public_url: http://gw.example\nissuers:\n  i: {type: local, audience: a, login: "
		  "true}\n",
		  G ":3:33: login with a public_url that is not https; expected https, or a host "
		    "on loopback\n" },
		{ "listen: {http: 0.0.0.0:80}\nissuers:\n  i: {" OIDC ", login: {client_id: c}}\n",
		  G ":3:53: login with a public_url that is not https; expected https, or a host "
		    "on loopback\n" },
		{ "issuers:\n  i: {" OIDC ", login: {}}\n",
		  G ":2:53: client_id is missing; expected text of 1 to 256 bytes\n" },
		{ "issuers:\n  i: {" OIDC ", login: true}\n",
		  G ":2:60: login is text; expected a mapping with client_id, client_secret, "
		    "scope\n" },
		{ "issuers:\n  i: {type: local, audience: a, login: {client_id: c}}\n",
		  G ":2:40: login is a mapping; expected true or false\n" },
		{ "issuers:\n  i: {" OPAQUE ", login: {client_id: c}}\n",
		  G ":2:103: unknown key \"login\" in an issuer; expected one of type, endpoint, "
		    "client_id, client_secret, issuer, cache, leeway, audience, clients, "
		    "roles_claim, required_claims, callers, bindings\n" },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, scope: profile}}\n",
		  G ":2:82: scope lacks openid: \"profile\"; expected scopes with spaces between, "
		    "openid among them\n" },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, scope: openidx}}\n",
		  G ":2:82: scope lacks openid: \"openidx\"; expected scopes with spaces between, "
		    "openid among them\n" },
		{ "issuers:\n  i: {" OIDC ", login: {client_id: c, scope: \"openid\\ta\"}}\n",
		  G ":2:82: scope has a byte that may not stand here: \"openid?a\"; expected "
		    "scopes with spaces between, openid among them\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_sessions_name_an_issuer_with_login(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  i: {" OIDC "}\nsessions: {issuer: i}\n",
		  G ":3:20: issuer \"i\" has no login; expected one that has\n" },
		{ "issuers:\n  i: {" OIDC "}\nsessions: {issuer: j}\n",
		  G ":3:20: unknown issuer \"j\"; expected i\n" },
		{ "sessions: {issuer: j}\n", G ":1:20: unknown issuer \"j\"; expected one that is "
		                               "configured (there is none)\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_no_two_issuers_take_the_same_token(void)
{
	static const struct mistake rows[] = {
		{ "issuers:\n  a: {" ENTRA "}\n  b: {" ENTRA "}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" ENTRA "}\n  b: {" ENTRA ", cloud: usgov}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" ENTRA
		  "}\n  b: {type: oidc, audience: a, issuer: 'https://sts.windows.net/" GUID
		  "/'}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" OIDC ", tenant: t}\n  b: {" OIDC "}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" OIDC ", tenant: t}\n  b: {" OIDC ", tenant: t}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" OIDC "}\n  b: {" OPAQUE ", issuer: 'https://i'}\n",
		  G ":3:3: the issuer of \"a\" again; expected each once\n" },
		{ "issuers:\n  a: {" OPAQUE "}\n  b: {" OPAQUE "}\n",
		  G ":3:3: a second issuer of type introspection without issuer; expected at most "
		    "one (the first is on line 2)\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_proxies_and_hosts(void)
{
	static const struct mistake rows[] = {
		{ "listen: {http: {address: 80, client_certificate: Client-Cert}}\n",
		  G ":1:30: client_certificate without proxies; expected the addresses that may "
		    "send it\n" },
		{ "listen: {http: {address: 80, proxies: [proxy.example]}}\n",
		  G ":1:40: proxies is no address: \"proxy.example\"; expected an IP address "
		    "without port\n" },
		{ "listen: {http: {address: 80, proxies: ['10.0.0.0/8']}}\n",
		  G ":1:40: proxies is no address: \"10.0.0.0/8\"; expected an IP address without "
		    "port\n" },
		{ "listen: {http: {address: 80, proxies: '127.0.0.1:80'}}\n",
		  G ":1:39: proxies is no address: \"127.0.0.1:80\"; expected an IP address "
		    "without port\n" },
		{ "listen: {http: {address: 80, proxies: ['::FFFF']}}\n",
		  G ":1:40: proxies is not in its canonical form (RFC 5952): \"::FFFF\"; expected "
		    "an IP address without port\n" },
		{ "listen: {http: {address: 80, proxies: 127.0.0.1, client_certificate: 'Client "
		  "Cert'}}\n",
		  G ":1:70: client_certificate is no name of a field: \"Client Cert\"; expected "
		    "the name of a request field\n" },
		{ "outbound: {private_hosts: ['https://idp']}\n",
		  G ":1:28: private_hosts is no host: \"https://idp\"; expected a host without "
		    "port\n" },
		{ "outbound: {private_hosts: ['idp:443']}\n", G
		  ":1:28: private_hosts is no host: \"idp:443\"; expected a host without port\n" },
		{ "outbound: {private_hosts: []}\n",
		  G ":1:27: private_hosts has 0 entries; expected a host without port, or a list "
		    "of 1 to 64 of them\n" },
		{ "outbound: {ca: ca.pem}\n",
		  G ":1:16: ca is text; expected a mapping with file\n" },
	};

	check_mistakes(rows, ARRAY_LEN(rows));
}

static void
test_issuers_of_one_name_are_apart_by_their_tenants(void)
{
	struct load l =
		load_text("issuers:\n  a: {" OIDC ", tenant: t}\n  b: {" OIDC ", tenant: u}\n");

	CHECK(load_says(&l, "") && l.settings != NULL);
	CHECK(l.settings != NULL && strcmp(l.settings->issuers[1].names[0].tenant, "u") == 0);
	load_done(&l);
}

TESTS(TEST(test_each_kind_has_its_own_keys),
      TEST(test_a_tenant_of_entra_is_a_guid_as_it_stands_in_tokens),
      TEST(test_an_org_server_of_okta_is_refused_with_the_reason),
      TEST(test_a_user_pool_is_of_its_region),
      TEST(test_urls_of_providers_are_https_and_nothing_strange),
      TEST(test_a_secret_is_a_reference_and_never_the_secret), TEST(test_keys_come_from_one_place),
      TEST(test_required_claims_have_values), TEST(test_bounds_of_issuers),
      TEST(test_a_binding_to_a_certificate_needs_one_to_be_seen),
      TEST(test_a_login_needs_https_or_loopback), TEST(test_sessions_name_an_issuer_with_login),
      TEST(test_no_two_issuers_take_the_same_token), TEST(test_proxies_and_hosts),
      TEST(test_issuers_of_one_name_are_apart_by_their_tenants))
