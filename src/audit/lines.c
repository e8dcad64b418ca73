/* lines.c - see lines.h. */
#include "audit/lines.h"

#include <sys/stat.h>
#include <unistd.h>

#include "audit/directory.h"

enum { CHUNK = 128 << 10 };

struct err
lines_init_from(int fd, size_t max, uint64_t from, struct lines *ret)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || lseek(fd, (off_t)from, SEEK_SET) < 0)
		return fail_errno("cannot read a file of the audit log");
	uint64_t size = (uint64_t)st.st_size;
	*ret = (struct lines){ .fd = fd, .max = max, .left = size > from ? size - from : 0 };
	ret->buf.limit = max + 2 * CHUNK;
	return OK;
}

struct err
lines_init(int fd, size_t max, struct lines *ret)
{
	return lines_init_from(fd, max, 0, ret);
}

void
lines_done(struct lines *l)
{
	buf_done(&l->buf);
}

/* A file that has become shorter than it was simply ends. */
static struct err
fill(struct lines *l)
{
	buf_consume(&l->buf, l->at);
	l->at = 0;

	uint8_t *to = buf_reserve(&l->buf, CHUNK);
	TRY(buf_check(&l->buf));
	ssize_t got = read(l->fd, to, l->left < CHUNK ? (size_t)l->left : CHUNK);
	if (got < 0)
		return fail_errno("cannot read a file of the audit log");
	l->left = got == 0 ? 0 : l->left - (uint64_t)got;
	buf_commit(&l->buf, (size_t)got);
	return OK;
}

struct err
lines_next(struct lines *l, enum lines_kind *ret_kind, struct bytes *ret)
{
	for (;;) {
		struct bytes rest = bytes_slice(buf_bytes(&l->buf), l->at, l->buf.len);
		size_t len = l->seen + bytes_find(bytes_slice(rest, l->seen, rest.len), '\n');

		if (len > l->max) {
			*ret_kind = LINES_TOO_LONG;
			return OK;
		}
		if (len < rest.len) {
			*ret = bytes_slice(rest, 0, len);
			*ret_kind = LINES_LINE;
			l->at += len + 1;
			l->seen = 0;
			return OK;
		}
		if (l->left == 0) {
			*ret = rest;
			*ret_kind = rest.len > 0 ? LINES_UNFINISHED : LINES_END;
			l->at += rest.len;
			l->seen = 0;
			return OK;
		}
		l->seen = rest.len;
		TRY(fill(l));
	}
}
