/* config_manual.c - docs/configuration.md, from the tables. */
#include "config/config.h"
#include "config/config_text.h"

/* The first page; every line of it is also a promise that test_config.c holds. */
static const char preamble[] =
	"# Configuration\n"
	"\n"
	"This page is made from the tables that the loader reads (`config_tables.c` and its "
	"neighbours in\n"
	"`src/config`); change it there.\n"
	"\n"
	"One YAML file, `gatewarden.yaml` unless `-c` says otherwise; JSON is accepted too.\n"
	"`gatewarden check` shows every error at once, each with its place:\n"
	"\n"
	"    gatewarden.yaml:3:10: workers is out of bounds: \"300\"; expected auto, or a whole "
	"number ...\n"
	"\n"
	"- **Units are mandatory.** Durations: `500ms`, `30s`, `15m`, `2h`, `30d`. Sizes: `512B`, "
	"`100KB`,\n"
	"  `64KiB`, `1MiB` (`KB` is 1000 bytes, `KiB` 1024). Sizes a second: `10MiB/s`. Requests: "
	"`100/s`,\n"
	"  `600/min`, `1000/h`. Shares: `10%`, `0.5%`.\n"
	"- **Unknown keys are errors**, so a misspelt limit is never silently the default.\n"
	"- **`${env:NAME}`** may stand in any value, whole or in part, so that one file serves "
	"staging and\n"
	"  production. A variable that is not set is an error. Keys take no variables. Inside "
	"`{...}` and\n"
	"  JSON, quote it: `\"${env:NAME}\"`. It is for plain values: a secret is never "
	"written here, but\n"
	"  referred to as `{file: PATH}` or `{env: NAME}`, and read when it is used.\n"
	"- **Paths** that do not begin with `/` are relative to the folder of the file.\n"
	"- **Refused**, so that what is read is what is seen: aliases, anchors and merge keys "
	"(`&a`, `*a`,\n"
	"  `<<`), tags, directives, duplicate keys, several documents, quoted text over several "
	"lines (use\n"
	"  a block, `|`), control characters, text that is not UTF-8, more than 1 MiB, 32 levels, "
	"50,000\n"
	"  values or 4,096 keys in one mapping.\n"
	"- A changed file is taken up on SIGHUP. A file with errors changes nothing.\n"
	"\n"
	"## Example\n"
	"\n"
	"```yaml\n"
	"listen:\n"
	"  http: 127.0.0.1:8080\n"
	"  admin: 127.0.0.1:9090\n"
	"workers: auto\n"
	"issuers:\n"
	"  local: {type: local, audience: \"api://books\", access_token_ttl: 15m, "
	"refresh_token_ttl: 30d}\n"
	"  lab:   {type: oidc, issuer: \"https://idp.test.invalid/\", audience: \"api://books\"}\n"
	"  corp:\n"
	"    type: entra\n"
	"    tenant: 11111111-2222-3333-4444-555555555555\n"
	"    audience: [\"api://books\", 6731de76-14a6-49ae-97bc-6eba6914391e]\n"
	"    login: {client_id: 6731de76-14a6-49ae-97bc-6eba6914391e, client_secret: {file: "
	"secrets/corp}}\n"
	"backends:\n"
	"  books: {type: sqlite, path: data/books.db}\n"
	"  app:   {type: http, url: \"http://127.0.0.1:8000\"}\n"
	"roles:\n"
	"  reader:      {granted_by: [\"local:reader\", \"lab:Books.Read\"]}\n"
	"  books-admin: {granted_by: [\"local:books-admin\", \"corp:Books.Admin\"]}\n"
	"resources:\n"
	"  books:\n"
	"    backend: books\n"
	"    table: books\n"
	"    allow:\n"
	"      reader: {read: {fields: {exclude: [cost]}, where: \"published eq true\"}}\n"
	"      books-admin: all\n"
	"routes:\n"
	"  - {path: /app/health, backend: app, public: [GET]}\n"
	"  - {path: /app/*, backend: app, allow: {reader: [GET], books-admin: all}, strip: /app}\n"
	"audit: {path: audit/, when_full: refuse}\n"
	"state: {path: state/}\n"
	"```\n";

/* A cell of a table: `|` would end it. */
static void
put_cell(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '|')
			buf_put_u8(out, '\\');
		buf_put_u8(out, text.at[i]);
	}
}

static void
put_row(struct buf *out, const struct setting *s)
{
	struct buf expected = { 0 };

	setting_put_expected(&expected, s);
	buf_printf(out, "| `%s` | ", s->name);
	put_cell(out, buf_bytes(&expected));
	buf_done(&expected);
	if (s->fallback != NULL)
		buf_printf(out, " | `%s` | ", s->fallback);
	else if (s->instead_of != NULL)
		buf_printf(out, " | instead of `%s` | ", s->instead_of);
	else
		buf_put_text(out, s->required ? " | **required** | " : " | | ");
	put_cell(out, bytes_text(s->help));
	buf_put_text(out, " |\n");
}

static void
put_rows(struct buf *out, const struct rows *rows)
{
	buf_put_text(out, "\n| key | value | default | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < rows->count; i++)
		put_row(out, rows->at[i]);
}

/* The rows of every type, then those of each. */
static void
put_tables(struct buf *out, const struct section *section)
{
	const struct rows common = section_rows(section, NULL);

	if (section->variants != NULL && common.count > 0)
		buf_put_text(out, "\nWith any `type`:\n");
	if (common.count > 0)
		put_rows(out, &common);
	for (size_t i = 0; i < section->variant_count; i++) {
		struct rows rows = section_rows(section, &section->variants[i]);
		rows.count -= common.count; /* they come last */
		buf_printf(out, "\nWith `type: %s`:\n", section->variants[i].name);
		put_rows(out, &rows);
	}
}

/* What stands between a section's name and its keys: `resources.NAME.allow.ROLE.ACTION`. */
static const char *
path_end(enum setting_kind kind)
{
	return kind == SETTING_MAP     ? ".NAME"
	       : kind == SETTING_LIST  ? "[]"
	       : kind == SETTING_RULES ? ".ROLE.ACTION"
	                               : "";
}

static void put_sections(struct buf *out, const char *path, const struct section *section);

static void
put_section(struct buf *out, const char *path, const struct setting *s)
{
	const struct section *section = s->section;
	struct buf name = { 0 };

	buf_printf(&name, "%s%s%s%s", path, path[0] == 0 ? "" : ".", s->name, path_end(s->kind));
	buf_put_u8(&name, 0);

	const char *full = name.overflow ? "" : (const char *)name.at;
	buf_printf(out, "\n## %s\n\n%s\n", full, s->help);
	put_tables(out, section);
	put_sections(out, full, section);
	buf_done(&name);
}

static bool
rows_have(const struct rows *rows, const struct setting *s)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->at[i] == s)
			return true;
	return false;
}

/* What several types share is told once. */
static void
put_sections(struct buf *out, const char *path, const struct section *section)
{
	for (size_t v = 0; v == 0 || v < section->variant_count; v++) {
		const struct rows rows = section_rows(
			section, section->variants != NULL ? &section->variants[v] : NULL);
		for (size_t i = 0; i < rows.count; i++) {
			bool told = rows.at[i]->section == NULL;
			for (size_t before = 0; before < v && !told; before++) {
				const struct rows earlier =
					section_rows(section, &section->variants[before]);
				told = rows_have(&earlier, rows.at[i]);
			}
			if (!told)
				put_section(out, path, rows.at[i]);
		}
	}
}

void
config_put_manual(struct buf *out)
{
	const struct rows rows = section_rows(&config_root, NULL);

	buf_put_text(out, preamble);
	buf_put_text(out, "\n## The file\n");
	put_rows(out, &rows);
	put_sections(out, "", &config_root);
	buf_put_text(
		out,
		"\nActions are `read`, `create`, `update`, `delete` and `execute`; `all` stands "
		"for all five.\n"
		"\nA route cannot take a path whose first segment is that of an endpoint of ours: "
		"`/token`, `/authorize`,\n"
		"`/revoke`, `/introspect`, `/userinfo`, `/.well-known`, `/login`, `/logout`, "
		"`/auth`. It may take `/api`,\n"
		"`/docs`, `/openapi.json`, `/me` and `/account`, where its first segment says "
		"so.\n");
}
