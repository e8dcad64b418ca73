/* directory.h - the audit directory: its lock, the names of its segments, small whole files in it.
 */
#ifndef AUDIT_DIRECTORY_H
#define AUDIT_DIRECTORY_H

#include <errno.h>

#include "base/buf.h"

static inline struct err
fail_errno(const char *why)
{
	return (struct err){ .kind = ERR_SYSTEM, .sys = errno, .why = why };
}

/* Cleanup of a descriptor: closes it unless it is -1. */
void fd_close(int *fd);

/* To write: locked until the descriptor is closed. ERR_CONFIG when another process has it. */
struct err directory_take(const char *path, int *ret);
/* To read. ERR_CONFIG when there is none. */
struct err directory_open(const char *path, int *ret);
/* Is a ledger at work in it? */
bool directory_is_taken(int directory);

/* Makes names that were added or removed durable. */
struct err directory_sync(int directory);

enum { SEGMENT_NAME_ROOM = 27 }; /* 20 digits, ".jsonl", NUL */
void segment_name(uint64_t first, char ret[SEGMENT_NAME_ROOM]);

/* The first sequence of each segment, ascending. */
struct segment_list {
	uint64_t *first; /* owned */
	size_t count, room;
};
struct err segment_list_read(int directory, struct segment_list *ret);
void segment_list_done(struct segment_list *l);

/* -1 and errno as openat(2); never follows a link, never inherited. */
int directory_open_file(int directory, const char *name, int flags);
/* A whole small file, at most `max` bytes. ERR_NOT_FOUND when there is none. */
struct err directory_read(int directory, const char *name, size_t max, struct buf *ret);
/* Written aside (0600), synced and renamed: it is there whole or not at all. */
struct err directory_write(int directory, const char *name, struct bytes content);

#endif
