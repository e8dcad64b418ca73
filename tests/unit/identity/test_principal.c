/* test_principal.c - claims as row conditions see them. */
#include "gate.h"

static void
principal_drop(const struct principal **p)
{
	principal_release(*p);
}

static const char claims_text[] =
	"{\"sub\":\"alice\",\"region\":\"eu\",\"level\":7,\"ratio\":0.5,\"vip\":"
	"true,\"none\":null,\"big\":99999999999999999999,"
	"\"org\":{\"unit\":{\"id\":42},\"tags\":[\"a\",\"b\"]},\"https://ns.test/"
	"x\":\"literal\",\"org.flat\":\"dotted\","
	"\"mixed\":[1,\"two\",false,2.5],\"nested\":[[1]],\"objects\":[{}],"
	"\"holes\":[1,null],\"empty\":[],\"many\":[1,2,3,4,5],"
	"\"esc\":\"a\\u00eb\\n\"}";

static size_t
values(const struct principal *p, const char *path, struct value ret[4])
{
	struct claim_source source = principal_claims(p);

	return source.values(source.of, bytes_text(path), ret, 4);
}

static void
test_claims_are_found_by_name_and_path(void)
{
	const struct principal *p CLEANUP(principal_drop) = NULL;
	struct value v[4];

	CHECK(!failed(principal_for_explain(5, bytes_text(claims_text), &p)));
	CHECK(principal_roles(p) == 5 && bytes_is(principal_subject(p), "alice"));
	CHECK(values(p, "region", v) == 1 && v[0].type == VALUE_TEXT && bytes_is(v[0].bytes, "eu"));
	CHECK(values(p, "level", v) == 1 && v[0].type == VALUE_INT64 && v[0].int64 == 7);
	CHECK(values(p, "ratio", v) == 1 && v[0].type == VALUE_DOUBLE && v[0].real > 0.49 &&
	      v[0].real < 0.51);
	CHECK(values(p, "vip", v) == 1 && v[0].type == VALUE_BOOL && v[0].boolean);
	CHECK(values(p, "org.unit.id", v) == 1 && v[0].type == VALUE_INT64 && v[0].int64 == 42);
	CHECK(values(p, "org.tags", v) == 2 && bytes_is(v[1].bytes, "b"));
	CHECK(values(p, "https://ns.test/x", v) == 1 && bytes_is(v[0].bytes, "literal"));
	CHECK(values(p, "org.flat", v) == 1 && bytes_is(v[0].bytes, "dotted"));
	CHECK(values(p, "mixed", v) == 4 && v[0].type == VALUE_INT64 && v[1].type == VALUE_TEXT &&
	      v[2].type == VALUE_BOOL && v[3].type == VALUE_DOUBLE);
	CHECK(values(p, "esc", v) == 1 && bytes_is(v[0].bytes, "a\xc3\xab\n"));
}

static void
test_claims_of_another_shape_have_no_values(void)
{
	static const char *const paths[] = { "",        ".",         "none",     "big",
		                             "org",     "org.unit",  "org.none", "org.",
		                             ".org",    "org..unit", "region.x", "nested",
		                             "objects", "holes",     "empty",    "many",
		                             "REGION",  "missing" };
	const struct principal *p CLEANUP(principal_drop) = NULL;
	struct value v[4];

	CHECK(!failed(principal_for_explain(0, bytes_text(claims_text), &p)));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		CHECK_ROW(values(p, paths[i], v) == 0, paths[i]);
}

static void
test_principal_without_claims_has_none(void)
{
	const struct principal *p CLEANUP(principal_drop) = NULL;
	const struct principal *none = NULL;
	struct value v[4];

	CHECK(!failed(principal_for_explain(3, (struct bytes){ NULL, 0 }, &p)));
	CHECK(principal_roles(p) == 3 && values(p, "sub", v) == 0);
	CHECK(failed(principal_for_explain(3, BYTES("[]"), &none)) && none == NULL);
	CHECK(failed(principal_for_explain(3, BYTES("{"), &none)) && none == NULL);
	principal_release(NULL);
}

static void
test_name_is_the_first_that_there_is_and_fit_for_a_terminal(void)
{
	static const struct {
		const char *claims, *name;
	} rows[] = {
		{ "{}", "" },
		{ "{\"name\":\"Ada\",\"email\":\"ada@corp.test\"}", "" },
		{ "{\"upn\":\"ada@corp.test\"}", "ada@corp.test" },
		{ "{\"upn\":\"ada@corp.test\",\"preferred_username\":\"ada\"}", "ada" },
		{ "{\"upn\":\"ada@corp.test\",\"preferred_username\":\"\"}", "ada@corp.test" },
		{ "{\"upn\":\"ada@corp.test\",\"preferred_username\":7}", "ada@corp.test" },
		{ "{\"upn\":[\"ada\"],\"preferred_username\":null}", "" },
		{ "{\"preferred_username\":\"ada\\n\"}", "" },
		{ "{\"preferred_username\":\"\\u001b[2J\",\"upn\":\"eve\"}", "" },
		{ "{\"preferred_username\":\"a\\u009bm\"}", "" },
		{ "{\"preferred_username\":\"Zo\\u00eb\"}", "Zo\xc3\xab" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct principal *p CLEANUP(principal_drop) = NULL;

		CHECK(!failed(principal_for_explain(0, bytes_text(rows[i].claims), &p)));
		CHECK_ROW(bytes_is(principal_name(p), rows[i].name), rows[i].claims);
	}
	const struct principal *p CLEANUP(principal_drop) = NULL;
	CHECK(!failed(principal_for_explain(0, (struct bytes){ NULL, 0 }, &p)) &&
	      principal_name(p).len == 0);
}

/* The token's buffer is the request's; the principal must not lean on it. */
static void
test_principal_owns_its_claims(void)
{
	struct gate g CLEANUP(gate_done);
	struct buf token CLEANUP(buf_done) = { 0 };
	const struct principal *p CLEANUP(principal_drop) = NULL;
	struct value v[4];

	gate_init(&g);
	put_unsigned_token(&token, HEADER,
	                   CLAIMS(",\"region\":\"e\\u0075\",\"org\":{\"unit\":\"x\"}"));
	sign_es256(&token, g.es256_raw, false);
	p = gate_who(&g, buf_bytes(&token));
	memset(token.at, 0, token.len);
	arena_done(&g.arena);
	CHECK(values(p, "region", v) == 1 && bytes_is(v[0].bytes, "eu"));
	CHECK(values(p, "org.unit", v) == 1 && bytes_is(v[0].bytes, "x"));
	CHECK(bytes_is(principal_subject(p), "u") && strcmp(principal_issuer(p), "idp") == 0);
}

TESTS(TEST(test_claims_are_found_by_name_and_path),
      TEST(test_claims_of_another_shape_have_no_values),
      TEST(test_principal_without_claims_has_none),
      TEST(test_name_is_the_first_that_there_is_and_fit_for_a_terminal),
      TEST(test_principal_owns_its_claims))
