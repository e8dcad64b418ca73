/* lines.h - a file line by line, in constant memory. */
#ifndef AUDIT_LINES_H
#define AUDIT_LINES_H

#include "base/buf.h"

enum lines_kind {
	LINES_LINE,       /* ended by a newline, which is not part of it */
	LINES_UNFINISHED, /* the last bytes of the file, without a newline */
	LINES_TOO_LONG,   /* longer than the limit: reading cannot go on */
	LINES_END,
};

struct lines {
	int fd;         /* borrowed; its file offset moves */
	size_t max;     /* longest line */
	uint64_t left;  /* bytes of the file still to be read: what grows later is not looked at */
	struct buf buf; /* owned */
	size_t at,
		seen; /* start of the next line in buf; bytes from there known to hold no newline */
};

/* Reads from the start of the file to its present end. */
struct err lines_init(int fd, size_t max, struct lines *ret);
/* As lines_init(), from that byte on. */
struct err lines_init_from(int fd, size_t max, uint64_t from, struct lines *ret);
void lines_done(struct lines *l);
/* *ret borrows until the next call. */
struct err lines_next(struct lines *l, enum lines_kind *ret_kind, struct bytes *ret);

#endif
