/* log.h - one line per event on standard error: `time level role[worker] message key=value ...`.
 *
 * For frontend, identity, credential, backend, process and main only; library folders do
 * not log. Values are escaped and cut at LOG_VALUE_MAX: nobody can forge a line. Never pass
 * a token, password, key or SQL text. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum { LOG_VALUE_MAX = 200 };

struct log_field {
	const char *key; /* literal */
	struct bytes value;
};

/* The name every line carries, e.g. "worker/1". Borrowed for the life of the process. */
void log_init(const char *role, enum log_level least);
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);
/* The usual case: a failed operation. Adds why and errno. */
void log_err(enum log_level level, const char *message, struct err e);

#define LOG(level, message, ...)                                                                   \
	log_write(level, message, (const struct log_field[]){ { 0 }, ##__VA_ARGS__ } + 1,          \
	          sizeof((const struct log_field[]){ { 0 }, ##__VA_ARGS__ }) /                     \
	                          sizeof(struct log_field) -                                       \
	                  1)

#endif
