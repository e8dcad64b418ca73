/* access_log.c - see access_log.h. */
#include "frontend/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	GATHER = 65536,        /* bytes that are worth a system call */
	WAIT_MAX = 4 * GATHER, /* of a stream that is full */
	MODE = S_IRUSR | S_IWUSR | S_IRGRP,
};

/* Opening */

/* Our mask takes the group's bit away. */
static int
open_file(const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, flags | O_CREAT | O_EXCL, MODE);

	if (fd < 0 && errno == EEXIST)
		return open(path, flags);
	if (fd >= 0 && fchmod(fd, MODE) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A description of our own: that of standard output is shared with whoever started us, and must not
 * become non-blocking for all of them. A socket has no such name; but it can be written without
 * waiting.
 */
static int
open_output(void)
{
	int fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

struct err
access_log_open(const struct telemetry_settings *s, struct access_lines *ret)
{
	struct stat st;

	*ret = (struct access_lines){ .fd = -1 };
	if (s->access_log == ACCESS_LOG_OFF)
		return OK;
	int fd = s->access_log == ACCESS_LOG_FILE ? open_file(s->access_log_path) : open_output();
	if (fd < 0 || fstat(fd, &st) != 0)
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = errno,
			             .why = "the access log cannot be opened" };
	ret->fd = fd;
	ret->is_stream = !S_ISREG(st.st_mode);
	ret->is_socket = S_ISSOCK(st.st_mode);
	return OK;
}

void
access_log_close(struct access_lines *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	buf_done(&l->lines);
}

/* Writing */

static uint64_t
count_lines(struct bytes text)
{
	uint64_t count = 0;

	while (text.len > 0) {
		size_t end = bytes_find(text, '\n');
		text = bytes_slice(text, end + 1, text.len);
		count++;
	}
	return count;
}

/* Whole lines, as many as a pipe takes in one piece (pipe(7): PIPE_BUF), or the first one. */
static struct bytes
next_piece(const struct access_lines *l)
{
	struct bytes all = buf_bytes(&l->lines);
	size_t len = all.len;

	if (!l->is_stream || all.len <= PIPE_BUF)
		return all;
	for (len = PIPE_BUF; len > 0 && all.at[len - 1] != '\n';)
		len--;
	return bytes_slice(all, 0, len > 0 ? len : bytes_find(all, '\n') + 1);
}

static ssize_t
write_once(const struct access_lines *l, struct bytes text)
{
	struct iovec piece = { .iov_base = (void *)(uintptr_t)text.at, .iov_len = text.len };
	const struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = l->is_socket ? sendmsg(l->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
		                 : write(l->fd, text.at, text.len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Nothing more goes in: the rest is lost. What was cut is ended before the next line begins. */
static void
drop(struct access_lines *l, uint64_t *dropped)
{
	*dropped += count_lines(buf_bytes(&l->lines));
	buf_clear(&l->lines);
}

static void
mend(struct access_lines *l)
{
	if (l->is_torn && write_once(l, BYTES("\n")) == 1)
		l->is_torn = false;
}

bool
access_log_write(struct access_lines *l, uint64_t *dropped)
{
	mend(l);
	while (l->lines.len > 0) {
		struct bytes piece = next_piece(l);
		ssize_t n = l->is_torn ? -1 : write_once(l, piece);

		if (n < 0 && !l->is_torn && errno == EAGAIN)
			return true;
		if (n < 0) {
			drop(l, dropped);
			return false;
		}
		if ((size_t)n < piece.len && !l->is_stream) {
			l->is_torn = n > 0 && piece.at[n - 1] != '\n';
			buf_consume(&l->lines, (size_t)n);
			drop(l, dropped);
			return false;
		}
		buf_consume(&l->lines, (size_t)n);
	}
	return false;
}

bool
access_log_put(struct access_lines *l, struct bytes line, uint64_t *dropped)
{
	if (l->fd < 0)
		return false;
	if (l->lines.len + line.len > WAIT_MAX) {
		++*dropped;
		return true;
	}
	l->lines.limit = WAIT_MAX;
	buf_put(&l->lines, line);
	if (l->lines.overflow) { /* no memory */
		l->lines.overflow = false;
		++*dropped;
	}
	return l->lines.len >= GATHER;
}
