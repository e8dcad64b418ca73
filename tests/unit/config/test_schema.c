/* test_schema.c - the schema and the manual say what the loader does. */
#include "load.h"

#include <regex.h>

#include "base/macros.h"
#include "format/json.h"

static struct buf
schema_text(void)
{
	struct buf b = { 0 };

	config_put_schema(&b);
	CHECK(!failed(buf_check(&b)));
	return b;
}

/* A validator of the part of JSON Schema 2020-12 that the schema uses. */

static const struct json *schema_root;

static bool validate(const struct json *schema, const struct json *v);

static bool
has_type(const char *type, const struct json *v)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",     [JSON_FALSE] = "boolean", [JSON_TRUE] = "boolean",
		[JSON_NUMBER] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object",
	};
	int64_t number;

	return strcmp(type, names[v->type]) == 0 ||
	       (strcmp(type, "integer") == 0 && json_int64(v, &number));
}

static bool
matches(struct bytes pattern, struct bytes text)
{
	char p[256] = { 0 }, t[8192] = { 0 };
	regex_t r;

	CHECK(pattern.len < sizeof p && text.len < sizeof t);
	if (pattern.len >= sizeof p || text.len >= sizeof t)
		return false;
	memcpy(p, pattern.at, pattern.len);
	memcpy(t, text.at, text.len);
	if (regcomp(&r, p, REG_EXTENDED | REG_NOSUB) != 0) {
		CHECK_ROW(false, p);
		return false;
	}
	bool yes = regexec(&r, t, 0, NULL, 0) == 0;
	regfree(&r);
	return yes;
}

static bool
check_type(const struct json *type, const struct json *v)
{
	char name[16] = { 0 };
	bool any = type == NULL;

	for (const struct json *i = type == NULL               ? NULL
	                            : type->type == JSON_ARRAY ? json_first(type)
	                                                       : type;
	     i != NULL; i = type->type == JSON_ARRAY ? json_next(type, i) : NULL) {
		memset(name, 0, sizeof name);
		memcpy(name, i->text.at, i->text.len < 15 ? i->text.len : 15);
		any |= has_type(name, v);
	}
	return any;
}

static bool
in_bounds(const struct json *schema, const char *low, const char *high, int64_t value)
{
	int64_t bound;

	return !(json_int64(json_member(schema, low), &bound) && value < bound) &&
	       !(json_int64(json_member(schema, high), &bound) && value > bound);
}

static bool
check_string(const struct json *schema, const struct json *v)
{
	struct bytes pattern;

	return v->type != JSON_STRING ||
	       (in_bounds(schema, "minLength", "maxLength", (int64_t)v->text.len) &&
	        (!json_string(json_member(schema, "pattern"), &pattern) ||
	         matches(pattern, v->text)));
}

static bool
check_object(const struct json *schema, const struct json *v)
{
	const struct json *rest = json_member(schema, "additionalProperties"),
			  *names = json_member(schema, "propertyNames");
	const struct json *required = json_member(schema, "required"),
			  *properties = json_member(schema, "properties");
	char name[256];

	if (v->type != JSON_OBJECT)
		return true;
	for (const struct json *i = json_first(v); i != NULL; i = json_next(v, i)) {
		memset(name, 0, sizeof name);
		memcpy(name, i->text.at, i->text.len < 255 ? i->text.len : 255);
		const struct json *known = json_member(properties, name);
		if (known != NULL
		            ? !validate(known, i + 1)
		            : rest != NULL && (rest->type == JSON_FALSE || !validate(rest, i + 1)))
			return false;
		if (names != NULL && !validate(names, i))
			return false;
	}
	for (const struct json *i = required == NULL ? NULL : json_first(required); i != NULL;
	     i = json_next(required, i)) {
		memset(name, 0, sizeof name);
		memcpy(name, i->text.at, i->text.len < 255 ? i->text.len : 255);
		if (json_member(v, name) == NULL)
			return false;
	}
	return in_bounds(schema, "minProperties", "maxProperties", v->count);
}

static bool
check_array(const struct json *schema, const struct json *v)
{
	const struct json *items = json_member(schema, "items");

	if (v->type != JSON_ARRAY)
		return true;
	for (const struct json *i = json_first(v); items != NULL && i != NULL; i = json_next(v, i))
		if (!validate(items, i))
			return false;
	return in_bounds(schema, "minItems", "maxItems", v->count);
}

static size_t
count_valid(const struct json *schemas, const struct json *v)
{
	size_t count = 0;

	for (const struct json *i = json_first(schemas); i != NULL; i = json_next(schemas, i))
		count += validate(i, v);
	return count;
}

static bool
check_choice(const struct json *schema, const struct json *v)
{
	const struct json *list = json_member(schema, "enum"),
			  *constant = json_member(schema, "const");
	const struct json *any = json_member(schema, "anyOf"), *one = json_member(schema, "oneOf");
	bool found = list == NULL;

	for (const struct json *i = list == NULL ? NULL : json_first(list); i != NULL;
	     i = json_next(list, i))
		found |= v->type == JSON_STRING && bytes_equal(i->text, v->text);
	return found &&
	       (constant == NULL ||
	        (v->type == JSON_STRING && bytes_equal(constant->text, v->text))) &&
	       (any == NULL || count_valid(any, v) > 0) &&
	       (one == NULL || count_valid(one, v) == 1);
}

static bool
validate(const struct json *schema, const struct json *v)
{
	int64_t number;

	if (json_member(schema, "$ref") != NULL)
		return validate(json_member(json_member(schema_root, "$defs"), "env"), v);
	return check_type(json_member(schema, "type"), v) && check_string(schema, v) &&
	       check_object(schema, v) && check_array(schema, v) && check_choice(schema, v) &&
	       (!json_int64(v, &number) || in_bounds(schema, "minimum", "maximum", number));
}

struct verdict {
	bool schema, loader;
};

static struct verdict
judge(const char *document)
{
	struct arena arena = { 0 };
	struct buf schema = schema_text();
	const struct json *v = NULL;
	struct load l = load_text(document);
	struct verdict ret = { .loader = l.settings != NULL };

	CHECK(!failed(json_parse(buf_bytes(&schema), &arena, &schema_root, NULL)));
	CHECK_ROW(!failed(json_parse(bytes_text(document), &arena, &v, NULL)), document);
	ret.schema = schema_root != NULL && v != NULL && validate(schema_root, v);
	buf_done(&schema);
	arena_done(&arena);
	load_done(&l);
	return ret;
}

#define LISTEN "\"listen\":{\"http\":\"127.0.0.1:8080\",\"admin\":9090}"
#define OIDC                                                                                       \
	"\"type\":\"oidc\",\"issuer\":\"https://idp.test.invalid/"                                 \
	"\",\"audience\":\"x\",\"jwks\":{\"file\":\"jwks.json\"}"
#define BASE                                                                                       \
	"\"issuers\":{\"local\":{\"type\":\"local\",\"audience\":[\"api://"                        \
	"books\"],\"access_token_ttl\":\"15m\"},"                                                  \
	"\"lab\":{" OIDC                                                                           \
	",\"algorithms\":[\"RS256\"]}},\"backends\":{\"books\":{\"type\":\"sqlite\","              \
	"\"path\":\"books.db\"}},\"roles\":{\"reader\":{\"granted_by\":[\"local:reader\",\"lab:"   \
	"Books."                                                                                   \
	"Read\"]},"                                                                                \
	"\"books-admin\":{\"granted_by\":[\"local:books-admin\"]}}"
#define RESOURCE(rest) "{" BASE ",\"resources\":{\"books\":{\"backend\":\"books\"," rest "}}}"

static void
test_the_schema_is_json(void)
{
	struct arena arena = { 0 };
	struct buf b = schema_text();
	const struct json *root = NULL;
	struct json_error error = { 0 };

	CHECK(!failed(json_parse(buf_bytes(&b), &arena, &root, &error)));
	CHECK(json_member(root, "$schema") != NULL &&
	      json_member(json_member(root, "properties"), "resources") != NULL);
	buf_done(&b);
	arena_done(&arena);
}

static void
test_schema_and_loader_accept_what_is_good(void)
{
	static const char *const rows[] = {
		"{}",
		"{" LISTEN ",\"workers\":\"auto\"," BASE "}",
		"{\"listen\":{\"http\":{\"address\":\"[::1]:80\"}},\"workers\":4,\"sandbox\":{"
		"\"required\":"
		"true}}",
		"{\"issuers\":null,\"audit\":{\"path\":\"audit/"
		"\",\"when_full\":\"refuse\",\"segment_size\":\"64MiB\"}}",
		"{\"public_url\":\"https://"
		"x.example\",\"limits\":{\"head_timeout\":\"500ms\",\"body_rate\":\"1KB\"}}",
		"{\"public_url\":\"https://"
		"x\",\"issuers\":{\"a\":{\"type\":\"entra\",\"tenant\":\"11111111-2222-3333-4444-"
		"555555555555\",\"audience\":\"x\",\"cloud\":\"usgov\",\"guests\":\"refuse\","
		"\"callers\":\"apps\",\"clients\":[\"c\"],\"required_claims\":{\"amr\":\"mfa\","
		"\"n\":1,\"b\":true,\"l\":[\"x\",2]},\"bindings\":[\"dpop\"],\"graph\":{\"client_"
		"id\":\"g\",\"client_secret\":{\"file\":\"s\"},\"token_endpoint\":\"https://g/"
		"{tenantid}\"},\"login\":{\"client_id\":\"c\",\"client_secret\":{\"env\":\"S\"},"
		"\"scope\":\"openid email\"}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"okta\",\"issuer\":\"https://d.okta.com/oauth2/"
		"default\",\"audience\":\"x\",\"keys_stale\":\"7d\",\"keys_cooldown\":\"1s\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"cognito\",\"region\":\"eu-west-1\",\"user_pool\":"
		"\"eu-west-1_aB\",\"client_id\":[\"c\"],\"roles_claim\":[\"cognito:groups\","
		"\"scope\"]}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"metadata\":\"https://m/?a=b\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"jwks\":{\"url\":\"https://m/?a=b\"}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"introspection\",\"endpoint\":\"https://i/"
		"\",\"client_id\":\"c\",\"client_secret\":{\"env\":\"S\"},\"audience\":\"x\","
		"\"cache\":\"0s\"}}}",
		"{\"public_url\":\"http://"
		"localhost:1\",\"issuers\":{\"a\":{\"type\":\"local\",\"audience\":\"x\",\"login\":"
		"true}},\"sessions\":{\"ttl\":\"1m\",\"issuer\":\"a\"}}",
		"{\"outbound\":{\"ca\":{\"file\":\"c\"},\"private_hosts\":[\"a.b\",\"::1\"],"
		"\"timeout\":\"5s\"},\"listen\":{\"http\":{\"address\":1,\"proxies\":\"127.0.0.1\","
		"\"client_certificate\":\"Client-Cert\"}}}",
		"{\"listen\":{\"http\":{\"address\":1,\"tls\":{\"certificate\":\"c\",\"key\":\"k\","
		"\"certificates\":[{\"certificate\":\"d\",\"key\":\"e\"}],\"client_ca\":\"a\","
		"\"client_certificate\":\"require\",\"minimum\":\"1.3\"}},\"admin\":{\"address\":2}"
		"},"
		"\"backends\":{\"app\":{\"type\":\"http\",\"url\":[\"http://a\",\"http://b\"],"
		"\"protocol\":\"http1\",\"health\":\"/h\",\"breaker\":{\"failures\":0}}},"
		"\"issuers\":{\"l\":{\"type\":\"local\",\"audience\":\"x\"}},\"roles\":{\"r\":"
		"{\"granted_by\":[\"l:r\"],\"limits\":{\"requests\":\"5/s\",\"bytes\":\"1MiB/"
		"s\"}}},"
		"\"routes\":[{\"path\":\"/app/*\",\"hosts\":\"x.example\",\"backend\":\"app\","
		"\"public\":\"GET\",\"allow\":{\"r\":[\"GET\",\"POST\"]},\"deny\":{\"r\":"
		"\"DELETE\"},"
		"\"strip\":\"/app\",\"identity\":[\"assertion\",\"forwarded\"],\"authorization\":"
		"\"keep\",\"observe\":true,\"limits\":{\"caller\":{\"concurrent\":2}},\"body\":"
		"\"0B\"}],\"telemetry\":{\"sample\":\"0.5%\",\"access_log\":\"off\"},"
		"\"limits\":{\"caller\":{\"requests\":\"1000/h\"}}}",
		RESOURCE("\"table\":\"books\",\"allow\":{\"books-admin\":\"all\",\"reader\":["
		         "\"read\","
		         "\"create\"]}"),
		RESOURCE("\"view\":\"b\",\"allow\":{\"reader\":{\"read\":{\"fields\":{\"exclude\":["
		         "\"cost\"]}"
		         ",\"where\":\"a eq "
		         "1\"},\"delete\":{\"where\":\"a eq 1\"},\"update\":\"all\"}}"),
		RESOURCE("\"table\":\"b\",\"deny\":{\"reader\":{\"read\":{\"fields\":{\"include\":"
		         "\"a\"}},"
		         "\"delete\":\"all\"}}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v = judge(rows[i]);
		CHECK_ROW(v.schema, rows[i]);
		CHECK_ROW(v.loader, rows[i]);
	}
}

static void
test_the_schema_lets_variables_stand_for_values(void)
{
	setenv("GW_TEST_N", "3", 1);
	struct verdict v = judge("{\"workers\":\"${env:GW_TEST_N}\",\"limits\":{\"head_timeout\":"
	                         "\"${env:GW_TEST_N}s\"}}");
	CHECK(v.schema && v.loader);
	unsetenv("GW_TEST_N");
}

static void
test_schema_and_loader_refuse_what_is_bad(void)
{
	static const char *const rows[] = {
		"[]",
		"{\"lisen\":{}}",
		"{\"workers\":0}",
		"{\"routes\":{}}",
		"{\"routes\":[{}]}",
		"{\"routes\":[{\"path\":\"x\"}]}",
		"{\"routes\":[{\"path\":\"/x\",\"public\":[\"GO\"]}]}",
		"{\"routes\":[{\"path\":\"/x\",\"public\":[]}]}",
		"{\"routes\":[{\"path\":\"/x\",\"limits\":{\"requests\":5}}]}",
		"{\"routes\":[{\"path\":\"/x\",\"limits\":{\"bytes\":\"5MiB\"}}]}",
		"{\"backends\":{\"a\":{\"type\":\"http\"}}}",
		"{\"listen\":{\"http\":{\"address\":1,\"tls\":{\"certificate\":\"c\"}}}}",
		"{\"telemetry\":{\"sample\":\"5\"}}",
		"{\"workers\":\"many\"}",
		"{\"listen\":{\"http\":{}}}",
		"{\"limits\":{\"head_timeout\":15}}",
		"{\"limits\":{\"head_timeout\":\"15\"}}",
		"{\"limits\":{\"body_size\":\"1m\"}}",
		"{\"sandbox\":{\"required\":\"maybe\"}}",
		"{\"issuers\":{\"a\":{\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"entra\",\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"entra\",\"tenant\":\"11111111-2222-3333-4444-"
		"55555555555A\",\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"entra\",\"tenant\":\"contoso\",\"audience\":\"x\"}"
		"}}",
		"{\"issuers\":{\"a\":{\"type\":\"entra\",\"tenant\":[\"11111111-2222-3333-4444-"
		"555555555555\"],\"audience\":\"x\",\"cloud\":\"mars\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"okta\",\"issuer\":\"https://"
		"d.okta.com\",\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"okta\",\"issuer\":\"https://d.okta.com/oauth2/"
		"default/\",\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"cognito\",\"region\":\"eu-west-1\",\"user_pool\":"
		"\"eu-west-1_aB\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"cognito\",\"region\":\"eu-west-1\",\"user_pool\":"
		"\"aB\",\"client_id\":\"c\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"jwks\":{\"url\":\"https://m/\",\"file\":\"f\"}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"jwks\":{}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"login\":{\"scope\":\"openid\"}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"login\":{\"client_id\":\"c\",\"client_secret\":\"abc\"}}}"
		"}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"required_claims\":{\"a\":[]}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"required_claims\":{\"a\":null}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"oidc\",\"issuer\":\"https://i/"
		"\",\"audience\":\"x\",\"required_claims\":{}}}}",
		"{\"issuers\":{\"a\":{\"type\":\"introspection\",\"endpoint\":\"https://i/"
		"\",\"client_id\":\"c\",\"client_secret\":{\"file\":\"a\",\"env\":\"S\"},"
		"\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"introspection\",\"endpoint\":\"https://i/"
		"\",\"client_id\":\"c\",\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"introspection\",\"endpoint\":\"https://i/"
		"\",\"client_id\":\"c\",\"client_secret\":{\"env\":\"1S\"},\"audience\":\"x\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"local\",\"audience\":\"x\",\"login\":\"maybe\"}}}",
		"{\"issuers\":{\"a\":{\"type\":\"local\",\"audience\":\"x\",\"callers\":\"robots\"}"
		"}}",
		"{\"outbound\":{\"ca\":\"c\"}}",
		"{\"outbound\":{\"private_hosts\":[\"https://a\"]}}",
		"{\"listen\":{\"http\":{\"address\":1,\"proxies\":[\"proxy\"]}}}",
		"{\"issuers\":{\"a\":{\"type\":\"local\"}}}",
		"{\"issuers\":{\"a\":{" OIDC ",\"algorithms\":[\"HS256\"]}}}",
		"{\"issuers\":{\"a\":{" OIDC ",\"access_token_ttl\":\"15m\"}}}",
		"{\"issuers\":{\"a b\":{" OIDC "}}}",
		"{\"roles\":{\"r\":{\"granted_by\":[]}}}",
		"{\"public_url\":\"ftp://x\"}",
		"{\"public_url\":\"https://x/y\"}",
		RESOURCE("\"page_size\":10"),
		RESOURCE("\"table\":\"a\",\"view\":\"b\""),
		RESOURCE("\"table\":\"a\",\"allow\":{\"reader\":\"some\"}"),
		RESOURCE("\"table\":\"a\",\"allow\":{\"reader\":[]}"),
		RESOURCE("\"table\":\"a\",\"allow\":{\"reader\":{\"red\":\"all\"}}"),
		RESOURCE("\"table\":\"a\",\"allow\":{\"reader\":{\"read\":{}}}"),
		RESOURCE("\"table\":\"a\",\"allow\":{\"reader\":{\"delete\":{\"fields\":{"
		         "\"include\":[\"a\"]}"
		         "}}}"),
		RESOURCE("\"table\":\"a\",\"deny\":{\"reader\":{\"read\":{\"where\":\"a\"}}}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v = judge(rows[i]);
		CHECK_ROW(!v.schema, rows[i]);
		CHECK_ROW(!v.loader, rows[i]);
	}
}

/* After a change of the tables: GATEWARDEN_UPDATE=1 writes the page anew. */
static void
test_the_manual_is_the_one_in_docs(void)
{
	const char *root = getenv("GATEWARDEN_SOURCE");
	struct buf b = { 0 };

	if (root == NULL)
		SKIP("GATEWARDEN_SOURCE is not set");
	config_put_manual(&b);
	CHECK(!failed(buf_check(&b)));
	if (getenv("GATEWARDEN_UPDATE") != NULL) {
		char path[4096];
		snprintf(path, sizeof path, "%s/docs/configuration.md", root);
		FILE *f = fopen(path, "wb");
		CHECK(f != NULL && fwrite(b.at, 1, b.len, f) == b.len);
		if (f != NULL)
			fclose(f);
	}
	char *page = source_file("docs/configuration.md");
	CHECK(page != NULL && bytes_is(buf_bytes(&b), page));
	free(page);
	buf_done(&b);
}

static void
test_the_example_of_the_manual_is_good(void)
{
	static const char opening[] = "```yaml\n";
	struct buf b = { 0 };

	config_put_manual(&b);
	buf_put_u8(&b, 0);
	char *start = b.overflow ? NULL : strstr((char *)b.at, opening);
	char *end = start == NULL ? NULL : strstr(start + strlen(opening), "```\n");
	CHECK(end != NULL);
	if (end != NULL) {
		struct load l = load_bytes(start + strlen(opening),
		                           (size_t)(end - start) - strlen(opening));
		CHECK(load_says(&l, ""));
		load_done(&l);
	}
	buf_done(&b);
}

TESTS(TEST(test_the_schema_is_json), TEST(test_schema_and_loader_accept_what_is_good),
      TEST(test_the_schema_lets_variables_stand_for_values),
      TEST(test_schema_and_loader_refuse_what_is_bad), TEST(test_the_manual_is_the_one_in_docs),
      TEST(test_the_example_of_the_manual_is_good))
