/* segment.h - a file that is only ever appended to, all or nothing. Segments of the log are such
 * files, and so is the list of checkpoints. */
#ifndef AUDIT_SEGMENT_H
#define AUDIT_SEGMENT_H

#include "base/bytes.h"

struct segment {
	int fd;           /* owned; -1: none */
	uint64_t length;  /* good bytes */
	uint64_t started; /* bytes the kernel was asked to begin writing to the disk */
	bool is_ragged;   /* bytes behind `length` could not be cut off yet */
};

/* Makes a new file, which must not be there yet, and makes its name durable. */
struct err segment_create(int directory, const char *name, struct segment *ret);
/* Opens one that is there, or ERR_NOT_FOUND. */
struct err segment_open(int directory, const char *name, struct segment *ret);
void segment_close(struct segment *s);

/* On failure (full disk) nothing stays of the bytes: the file is cut back to `length`. Where not
 * even that is possible, every later append first tries to cut again and is refused until it
 * succeeds. */
struct err segment_append(struct segment *s, struct bytes bytes);
struct err segment_cut(struct segment *s, uint64_t length);
/* Now and then asks the kernel to begin writing, without waiting: the sync each second then has
 * little left to do, and records wait for it a millisecond rather than a hundred. */
void segment_write_back(struct segment *s);
/* After a failure the kernel may have dropped what was not on the disk and call the next sync a
 * success: never ask twice, begin another segment. */
struct err segment_sync(struct segment *s);

#endif
