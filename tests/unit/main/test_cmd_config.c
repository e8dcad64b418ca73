/* `gatewarden check`: everything that is wrong, at once, with its place. */
#include "main/cmd_config.h"

#include "stage.h"

static void
test_a_good_configuration_is_ok(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_check, "", "check");
	CHECK(s.status == 0 &&
	      said(&s,
	           "gatewarden.yaml: ok: 2 issuers, 1 backends, 2 roles, 1 resources, 0 routes"));
	stage_done(&s);
}

static void
test_what_is_no_error_and_should_be_known_is_a_note(void)
{
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml",
	            "backends: {app: {type: http, url: http://127.0.0.1:8000}}\n"
	            "routes:\n"
	            "  - {path: /a, backend: app, observe: true, public: all}\n"
	            "  - {path: /b, backend: app}\n");
	RUN(&s, cmd_check, "", "check");
	CHECK(s.status == 0 && said(&s, "gatewarden.yaml:3:5: note: /a only observes"));
	CHECK(said(&s, "gatewarden.yaml:4:5: note: /b allows nobody"));
	CHECK(said(&s, "0 resources, 2 routes"));
	stage_done(&s);
}

static void
test_no_error_hides_another(void)
{
	static const char text[] = "listen: {http: 127.0.0.1:8080}\n"
				   "issuers:\n"
				   "  lab: {type: oidc, issuer: \"https://idp.test.invalid/\", "
				   "audience: x, jwks: {file: nokeys.json}}\n"
				   "backends:\n"
				   "  lost: {type: sqlite, path: lost.db}\n"
				   "  books: {type: sqlite, path: books.db}\n"
				   "roles:\n"
				   "  reader: {granted_by: [lab:r]}\n"
				   "resources:\n"
				   "  a: {backend: lost, table: books, allow: {reader: all}}\n"
				   "  b: {backend: books, table: bokks, allow: {reader: all}}\n"
				   "  c: {backend: books, table: books, allow: {reader: {read: "
				   "{fields: {exclude: [kost]}}}}}\n"
				   "  d: {backend: books, table: books, allow: {reader: {read: "
				   "{where: \"ownr eq @claims.sub\"}}}}\n"
				   "  e: {backend: books, table: books, allow: {reader: {read: "
				   "{where: \"owner eq\"}}}}\n"
				   "audit: {path: audit/}\n"
				   "state: {path: state/}\n";
	static const char *const rows[][2] = {
		{ "gatewarden.yaml:3:", "nokeys.json of issuer lab: cannot be opened" },
		{ "gatewarden.yaml:5:", "/lost.db" },
		{ "gatewarden.yaml:11:", "table bokks: the database has no such table or view: /" },
		{ "gatewarden.yaml:12:", "`c` has no column `kost` (did you mean \"cost\"?)" },
		{ "gatewarden.yaml:13:",
		  "at `ownr`: there is no column of this name (did you mean \"owner\"?)" },
		{ "gatewarden.yaml:14:", "row condition of `e`, at the end: " },
	};
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml", text);
	RUN(&s, cmd_check, "", "check", "-c", "gatewarden.yaml");
	CHECK(s.status == 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(said(&s, rows[i][0]) && said(&s, rows[i][1]), rows[i][1]);
	CHECK(said(&s, s.directory)); /* where the database was looked for */
	CHECK(strstr(s.out, "gatewarden.yaml:10:") == NULL && strstr(s.out, "ok:") == NULL);
	stage_done(&s);
}

static void
test_what_cannot_be_read_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_check, "", "check", "-c", "missing.yaml");
	CHECK(s.status == 2 && said(&s, "missing.yaml: cannot be read (No such file"));
	RUN(&s, cmd_check, "", "check", "-c", ".");
	CHECK(s.status == 2 && said(&s, "cannot be read"));
	stage_write(&s, "gatewarden.yaml", "nonsense: 1\n");
	RUN(&s, cmd_check, "", "check");
	CHECK(s.status == 1 && said(&s, "gatewarden.yaml:1:"));
	stage_done(&s);
}

TESTS(TEST(test_a_good_configuration_is_ok),
      TEST(test_what_is_no_error_and_should_be_known_is_a_note), TEST(test_no_error_hides_another),
      TEST(test_what_cannot_be_read_is_status_2))
