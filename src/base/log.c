/* log.c - see log.h. The only mutable global of the program: the role's name and level,
 * set once at start. */
#include "base/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"

static struct {
	const char *role;
	enum log_level least;
} log_settings = { "gatewarden", LOG_INFO };

void
log_init(const char *role, enum log_level least)
{
	log_settings.role = role;
	log_settings.least = least;
}

static void
put_time(struct buf *line)
{
	int64_t now = clock_wall_us();
	time_t seconds = (time_t)(now / 1000000);
	struct tm tm;
	char text[32];

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm); /* always fits */
	buf_printf(line, "%s.%03dZ", text, (int)(now / 1000 % 1000));
}

/* Control bytes, quotes and anything above ASCII are shown as \xNN. */
static void
put_value(struct buf *line, struct bytes value)
{
	buf_put_u8(line, '"');
	for (size_t i = 0; i < value.len && i < LOG_VALUE_MAX; i++) {
		uint8_t c = value.at[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			buf_printf(line, "\\x%02x", c);
		else
			buf_put_u8(line, c);
	}
	buf_put_text(line, value.len > LOG_VALUE_MAX ? "...\"" : "\"");
}

void
log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	CLEANUP(buf_done) struct buf line = { .limit = 16384 };

	if (level < log_settings.least)
		return;
	put_time(&line);
	buf_printf(&line, " %s %s %s", names[level], log_settings.role, message);
	for (size_t i = 0; i < count; i++) {
		buf_printf(&line, " %s=", fields[i].key);
		put_value(&line, fields[i].value);
	}
	buf_put_u8(&line, '\n');
	/* One write, so lines of several processes do not mix. A log that cannot be
	 * written must not stop the service. */
	ssize_t ignored = write(STDERR_FILENO, line.at, line.len);
	(void)ignored;
}

void
log_err(enum log_level level, const char *message, struct err e)
{
	struct bytes why = bytes_text(e.why != NULL ? e.why : "");

	if (e.sys == 0) {
		LOG(level, message, { "why", why });
		return;
	}
	LOG(level, message, { "why", why }, { "errno", bytes_text(strerrordesc_np(e.sys)) });
}
