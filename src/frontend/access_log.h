/* access_log.h - where lines of the access log go: a file or standard output, of which each worker
 * has its own descriptor. Lines are gathered and written whole; what cannot be written is dropped
 * and counted, because a log that nobody reads, or a disk that is full, must not hold up a caller.
 *
 * Not the audit log: nothing depends on a line of this one. */
#ifndef FRONTEND_ACCESS_LOG_H
#define FRONTEND_ACCESS_LOG_H

#include "base/buf.h"
#include "config/settings.h"

enum { ACCESS_LINE_MAX = 4096 };

struct access_lines {
	int fd;         /* owned; -1: off */
	bool is_stream; /* a pipe, a socket or a terminal: it may be full for a while */
	bool is_socket;
	bool is_torn;     /* the last line was cut off by a full disk */
	struct buf lines; /* owned: whole lines */
};

/* Before the sandbox closes. A file is made with mode 0640 where there is none. ERR_CONFIG: it
 * cannot be written. */
struct err access_log_open(const struct telemetry_settings *s, struct access_lines *ret);
void access_log_close(struct access_lines *l);

/* One line with its line end. true: enough has gathered, access_log_write() should be called. */
bool access_log_put(struct access_lines *l, struct bytes line, uint64_t *dropped);
/* Writes what can be written now. *dropped grows by the lines that are lost. true: a stream is
 * full, and lines wait for it. */
bool access_log_write(struct access_lines *l, uint64_t *dropped);

#endif
