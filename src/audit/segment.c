/* segment.c - see segment.h. */
#include "audit/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/directory.h"

struct err
segment_create(int directory, const char *name, struct segment *ret)
{
	int fd = directory_open_file(directory, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);

	if (fd < 0)
		return fail_errno("cannot make a file of the audit log");

	struct err e = directory_sync(directory);
	if (failed(e)) {
		fd_close(&fd);
		(void)unlinkat(directory, name, 0); /* empty: no harm when it stays */
		return e;
	}
	*ret = (struct segment){ .fd = fd };
	return OK;
}

struct err
segment_open(int directory, const char *name, struct segment *ret)
{
	struct stat st;
	int fd = directory_open_file(directory, name, O_WRONLY | O_APPEND);

	if (fd < 0)
		return errno == ENOENT ? fail(ERR_NOT_FOUND, "a file of the audit log is missing")
		                       : fail_errno("cannot open a file of the audit log");
	if (fstat(fd, &st) != 0) {
		struct err e = fail_errno("cannot open a file of the audit log");

		fd_close(&fd);
		return e;
	}
	*ret = (struct segment){ .fd = fd,
		                 .length = (uint64_t)st.st_size,
		                 .started = (uint64_t)st.st_size };
	return OK;
}

void
segment_close(struct segment *s)
{
	fd_close(&s->fd);
	*s = (struct segment){ .fd = -1 };
}

struct err
segment_cut(struct segment *s, uint64_t length)
{
	s->length = length;
	s->started = s->started < length ? s->started : length;
	s->is_ragged = ftruncate(s->fd, (off_t)length) != 0;
	return s->is_ragged ? fail_errno("cannot cut back a file of the audit log") : OK;
}

static struct err
write_all(int fd, struct bytes bytes)
{
	for (size_t done = 0; done < bytes.len;) {
		ssize_t put = write(fd, bytes.at + done, bytes.len - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return fail_errno("cannot write to the audit log");
		done += (size_t)put;
	}
	return OK;
}

struct err
segment_append(struct segment *s, struct bytes bytes)
{
	if (s->is_ragged)
		TRY(segment_cut(s, s->length));

	struct err e = write_all(s->fd, bytes);
	if (failed(e)) {
		(void)segment_cut(s, s->length); /* a failure is remembered in is_ragged */
		return e;
	}
	s->length += bytes.len;
	return OK;
}

void
segment_write_back(struct segment *s)
{
	enum { STEP = 256 << 10 };

	if (s->length < s->started + STEP)
		return;
	/* A hint: the sync that follows is what counts. */
	(void)sync_file_range(s->fd, (off_t)s->started, (off_t)(s->length - s->started),
	                      SYNC_FILE_RANGE_WRITE);
	s->started = s->length;
}

struct err
segment_sync(struct segment *s)
{
	return fdatasync(s->fd) == 0 ? OK : fail_errno("cannot sync the audit log");
}
