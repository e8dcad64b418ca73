/* config.h - YAML (or JSON) text -> settings, with every error at once.
 *
 * One set of tables gives each key its type, bounds, default and help; the loader, the JSON
 * Schema and docs/configuration.md are all read from them. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "config/settings.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* Errors as text, one a line: `file:line:column: what is wrong; what was expected`. */
struct config_errors {
	struct buf text; /* owned */
	unsigned count;
};
void config_errors_done(struct config_errors *e);
/* For later stages that find an error in a setting (unknown column in a `where`). */
void config_error_add(struct config_errors *e, const char *file, struct place at,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* `file` names the text in messages; relative paths resolve against its directory.
 * ERR_CONFIG when there is any error; *ret is then untouched. */
struct err config_parse(struct bytes text, const char *file, struct arena *arena,
                        const struct settings **ret, struct config_errors *errors);
/* Reads the file first; `sys` of the error is set when that is what failed. */
struct err config_load(const char *file, struct arena *arena, const struct settings **ret,
                       struct config_errors *errors);

void config_put_schema(struct buf *out); /* JSON Schema 2020-12 */
void config_put_manual(struct buf *out); /* docs/configuration.md */

#endif
