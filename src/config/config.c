/* config.c - see config.h: text -> tree -> settings, and the errors of all of it. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "config/config_reader.h"

/* The tree of the largest file that is accepted, and the messages about it. */
static const size_t SCRATCH_MAX = (size_t)64 << 20;

void
config_errors_done(struct config_errors *e)
{
	buf_done(&e->text);
	e->count = 0;
}

void
config_error_add(struct config_errors *e, const char *file, struct place at, const char *format,
                 ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* a message may be cut */
	va_end(args);
	buf_put_text(&e->text, file);
	if (at.line != 0)
		buf_printf(&e->text, ":%u:%u", at.line, at.column);
	buf_printf(&e->text, ": %s\n", text);
	e->count++;
}

/* The absolute folder of `file`: by its text, so that a link to the file does not move what is
 * beside it. */
static const char *
directory_of(struct config_reader *r, const char *file)
{
	const char *slash = strrchr(file, '/');
	struct bytes folder =
		bytes_slice(bytes_text(file), 0, slash == NULL ? 0 : (size_t)(slash - file));
	struct buf path = { 0 };
	char *current = file[0] != '/' ? getcwd(NULL, 0) : NULL;

	while (bytes_starts(folder, BYTES("./")))
		folder = bytes_slice(folder, 2, folder.len);
	if (current != NULL)
		buf_put_text(&path, strcmp(current, "/") == 0 ? "" : current);
	free(current);
	if (file[0] != '/' && folder.len > 0 && !bytes_is(folder, "."))
		buf_put_u8(&path, '/');
	if (!bytes_is(folder, "."))
		buf_put(&path, folder);

	const char *text = reader_text(r, buf_bytes(&path));
	buf_done(&path);
	return text;
}

struct err
config_parse(struct bytes text, const char *file, struct arena *arena, const struct settings **ret,
             struct config_errors *errors)
{
	struct config_reader r = { .arena = arena, .scratch = { .limit = SCRATCH_MAX } };

	r.problems.scratch = &r.scratch;
	r.settings = arena_alloc(arena, sizeof *r.settings);
	if (r.settings == NULL)
		return fail(ERR_LIMIT, "no memory for the settings");
	r.settings->sessions.issuer = -1; /* until one is named */
	r.settings->file = reader_text(&r, bytes_text(file));
	r.settings->directory = directory_of(&r, file);

	const struct node *root = yaml_parse(text, &r.problems);
	if (root != NULL && root->kind != NODE_MAP)
		problem_add(&r.problems, root->place,
		            "the file is no mapping; expected settings such as `listen:`");
	else if (root != NULL) {
		section_read(&r, &config_root, root, NULL, r.settings);
		settings_check(&r, root);
	}

	bool bad = r.problems.count > 0 || r.problems.cut || r.problems.no_memory;
	problems_report(&r.problems, file, errors);
	arena_done(&r.scratch);
	if (bad)
		return fail(ERR_CONFIG, "the configuration has errors");
	*ret = r.settings;
	return OK;
}

/* At most one byte more than may be: that much shows that it is too long. */
static bool
file_read(int fd, struct buf *out)
{
	while (out->len <= CONFIG_BYTES_MAX) {
		size_t room = CONFIG_BYTES_MAX + 1 - out->len;
		uint8_t *to = buf_reserve(out, room);
		ssize_t len = to == NULL ? -1 : read(fd, to, room);

		if (len < 0 && to != NULL && errno == EINTR)
			continue;
		if (len <= 0)
			return len == 0;
		buf_commit(out, (size_t)len);
	}
	return true;
}

struct err
config_load(const char *file, struct arena *arena, const struct settings **ret,
            struct config_errors *errors)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool read = fd >= 0 && file_read(fd, &text);
	int why = errno;

	if (fd >= 0)
		close(fd);
	if (!read) {
		config_error_add(errors, file, (struct place){ 0 },
		                 "cannot be read (%s); expected a YAML or JSON file",
		                 strerror(why));
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = why,
			             .why = "the configuration cannot be read" };
	}
	return config_parse(buf_bytes(&text), file, arena, ret, errors);
}
