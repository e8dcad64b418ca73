/* config_manual.c - docs/configuration.md, from the tables. */
#include "config/config.h"
#include "config/config_text.h"

/* The first page; every line of it is also a promise that test_config.c holds. */
static const char preamble[] =
	"# Configuration\n"
	"\n"
	"This page is made from the tables that the loader reads (`src/config/config_tables.c`); "
	"change it\n"
	"there.\n"
	"\n"
	"One YAML file, `gatewarden.yaml` unless `-c` says otherwise; JSON is accepted too.\n"
	"`gatewarden check` shows every error at once, each with its place:\n"
	"\n"
	"    gatewarden.yaml:3:10: workers is out of bounds: \"300\"; expected auto, or a whole "
	"number ...\n"
	"\n"
	"- **Units are mandatory.** Durations: `500ms`, `30s`, `15m`, `2h`, `30d`. Sizes: `512B`, "
	"`100KB`,\n"
	"  `64KiB`, `1MiB` (`KB` is 1000 bytes, `KiB` 1024).\n"
	"- **Unknown keys are errors**, so a misspelt limit is never silently the default.\n"
	"- **`${env:NAME}`** may stand in any value, whole or in part, so that one file serves "
	"staging and\n"
	"  production. A variable that is not set is an error. Keys take no variables. Inside "
	"`{...}` and\n"
	"  JSON, quote it: `\"${env:NAME}\"`. It is for plain values: secrets are never written "
	"here, and\n"
	"  no setting of this version needs one.\n"
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
	"  lab:   {type: oidc, issuer: \"https://idp.test.invalid/\", audience: \"api://books\", "
	"jwks: {file: jwks.json}}\n"
	"backends:\n"
	"  books: {type: sqlite, path: data/books.db}\n"
	"roles:\n"
	"  reader:      {granted_by: [\"local:reader\", \"lab:Books.Read\"]}\n"
	"  books-admin: {granted_by: [\"local:books-admin\"]}\n"
	"resources:\n"
	"  books:\n"
	"    backend: books\n"
	"    table: books\n"
	"    allow:\n"
	"      reader: {read: {fields: {exclude: [cost]}, where: \"published eq true\"}}\n"
	"      books-admin: all\n"
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
put_rows(struct buf *out, const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_row(out, &settings[i]);
}

static void
put_head(struct buf *out)
{
	buf_put_text(out, "\n| key | value | default | meaning |\n|---|---|---|---|\n");
}

/* What stands between a section's name and its keys: `resources.NAME.allow.ROLE.ACTION`. */
static const char *
path_end(enum setting_kind kind)
{
	return kind == SETTING_MAP ? ".NAME" : kind == SETTING_RULES ? ".ROLE.ACTION" : "";
}

static void put_sections(struct buf *out, const char *path, const struct setting *settings,
                         size_t count);

static void
put_section(struct buf *out, const char *path, const struct setting *s)
{
	const struct section *section = s->section;
	struct buf name = { 0 };

	buf_printf(&name, "%s%s%s%s", path, path[0] == 0 ? "" : ".", s->name, path_end(s->kind));
	buf_put_u8(&name, 0);

	const char *full = name.overflow ? "" : (const char *)name.at;
	buf_printf(out, "\n## %s\n\n%s\n", full, s->help);
	for (size_t i = 0; i < section->variant_count; i++) {
		buf_printf(out, "\nWith `type: %s`:\n", section->variants[i].name);
		put_head(out);
		put_rows(out, section->settings, section->count);
		put_rows(out, section->variants[i].settings, section->variants[i].count);
	}
	if (section->variants == NULL) {
		put_head(out);
		put_rows(out, section->settings, section->count);
	}
	for (size_t i = 0; i < section->variant_count; i++)
		put_sections(out, full, section->variants[i].settings, section->variants[i].count);
	put_sections(out, full, section->settings, section->count);
	buf_done(&name);
}

static void
put_sections(struct buf *out, const char *path, const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (settings[i].section != NULL)
			put_section(out, path, &settings[i]);
}

void
config_put_manual(struct buf *out)
{
	buf_put_text(out, preamble);
	buf_put_text(out, "\n## The file\n");
	put_head(out);
	put_rows(out, config_root.settings, config_root.count);
	put_sections(out, "", config_root.settings, config_root.count);
	buf_put_text(
		out,
		"\nActions are `read`, `create`, `update`, `delete` and `execute`; `all` stands "
		"for all five.\n");
}
